"""Search with MLflow's filter grammar: filters and orders as portable SQL, paged by keyset tokens."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import mlfilter
from ostinato.core.errors import PageTokenInvalid
from ostinato.core.mlfilter import Grammar, Kind
from ostinato.store import tracking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.mlfilter import Comparison, Order
    from ostinato.core.tracking import Lifecycle, TrackingRun
    from ostinato.store.database import Connection

LONG: Final = 20_000
"""From so many on not all things are looked at that a list is chosen from."""
_GLOB: Final = re.compile(r"[*?\[]")

_json = msgspec.json.Encoder().encode


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A table with keys and values of the things that are searched."""

    table: str
    owner: str = "run_id"
    """Its column with the id of the thing."""
    also: str = ""
    """A further condition on the owner, with `{}` for the table."""
    doubles: bool = False
    """Whether its values are doubles, in the columns `value` and `special`; else they are texts."""
    indexed: bool = False
    """Whether there is an index by key and value."""

    def is_of(self, owner: str, name: str) -> str:
        """Give the condition that a row of the table, called `name`, belongs to an owner."""
        return f"{name}.{self.owner} = {owner}{self.also.format(name)}"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Where the things of one kind stand."""

    grammar: Grammar
    source: str
    """What stands after FROM."""
    id: tuple[str, ...]
    """Columns that name one thing."""
    columns: dict[str, str]
    """Expression of each attribute."""
    sides: dict[Kind, Side] = {}
    order: tuple[tuple[str, bool], ...] = ()
    """What a list is sorted by last, and whether downwards; `id` follows."""
    tag_columns: dict[str, str] = {}
    """Tags that are columns."""
    lowered: frozenset[str] = frozenset()
    """Attributes whose values are kept in lower case."""


_URI: Final = (
    "((SELECT CASE WHEN e.artifact_root = '' THEN 'mlflow-artifacts:/' || e.id ELSE e.artifact_root END"
    " FROM experiments AS e WHERE e.id = r.experiment_id) || '/' || r.id || '/artifacts')"
)
_USER: Final = (
    "coalesce((SELECT u.value FROM tracking_tags AS u WHERE u.run_id = r.id AND u.key = 'mlflow.user'), r.actor)"
)
RUNS: Final = Shape(
    grammar=mlfilter.RUNS,
    source="tracking_runs AS r",
    id=("r.id",),
    columns={
        "run_id": "r.id",
        "run_name": "r.name",
        "status": "r.status",
        "artifact_uri": _URI,
        "user_id": _USER,
        "start_time": "(r.started_at / 1000)",
        "end_time": "(r.ended_at / 1000)",
    },
    sides={
        "metric": Side(table="tracking_metrics", doubles=True, indexed=True),
        "param": Side(table="tracking_params"),
        "tag": Side(table="tracking_tags"),
        "dataset": Side(table="tracking_inputs"),
    },
    order=(("r.started_at", True),),
    tag_columns={"mlflow.runName": "r.name"},
    lowered=frozenset({"status"}),
)
EXPERIMENTS: Final = Shape(
    grammar=mlfilter.EXPERIMENTS,
    source="experiments AS r",
    id=("r.id",),
    columns={
        "name": "r.name",
        "experiment_id": "r.id",
        "creation_time": "(r.created_at / 1000)",
        "last_update_time": "(r.updated_at / 1000)",
    },
    sides={"tag": Side(table="experiment_tags", owner="experiment_id")},
    order=(("r.created_at", True),),
)

Statement = tuple[str, list[Any]]
"""A piece of SQL and its values, in order."""


def search(
    db: Connection,
    shape: Shape,
    *,
    text: str = "",
    order_by: Sequence[str] = (),
    limit: int,
    token: str = "",
    among: Statement = ("true", []),
) -> tuple[list[Any], str]:
    """Give the ids of a page, and the token of the next one, "" when this is the last.

    `among` is a condition on `r` that holds besides the filter. An id of several columns is a tuple.

    Raises:
        FilterInvalid: (filter-invalid), PageTokenInvalid: (page-token-invalid).
    """
    comparisons = mlfilter.parse(text, shape.grammar)
    orders = [mlfilter.parse_order(one, shape.grammar) for one in order_by]
    lead = _lead(shape, comparisons, orders)
    if not lead or not _is_long(db, shape, among):
        lead = ()
    conditions = [among, *(_condition(shape, one, "o0" if one in lead else "") for one in comparisons)]
    joins, keys = _keys(shape, orders, led=bool(lead))
    source = shape.source
    if lead:
        side = shape.sides[lead[0].kind]
        source = f"{side.table} AS o0 CROSS JOIN {shape.source} ON {side.is_of(shape.id[0], 'o0')}"
    if token:
        conditions.append(_beyond(keys, _values(token, len(keys))))
    columns = ", ".join(key[0] for key in keys)
    order = ", ".join(f"{expression} DESC" if down else expression for expression, down in keys)
    query = (
        f"SELECT {columns} FROM {source}{''.join(text for text, _ in joins)}"  # noqa: S608  (our own words)
        f" WHERE {' AND '.join(f'({part})' for part, _ in conditions)} ORDER BY {order} LIMIT ?"
    )
    values = [value for _, own in (*joins, *conditions) for value in own]
    rows = [tuple(row) for row in db.execute(query, [*values, limit + 1]).fetchall()]
    n_id = len(shape.id)
    ids = [row[-1] if n_id == 1 else row[-n_id:] for row in rows[:limit]]
    return ids, _token(rows[limit - 1]) if len(rows) > limit > 0 else ""


def _lead(shape: Shape, comparisons: Sequence[Comparison], orders: Sequence[Order]) -> tuple[Comparison, ...]:
    """Give bounds of the metric that a list is sorted by: along its index the first page is soon found."""
    if not orders or orders[0].kind not in shape.sides or not shape.sides[orders[0].kind].indexed:
        return ()
    first = orders[0]
    return tuple(one for one in comparisons if (one.kind, one.key) == (first.kind, first.key) and one.op != "!=")


def _is_long(db: Connection, shape: Shape, among: Statement) -> bool:
    """Tell whether there is so much that it is not all looked at."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM {shape.source} WHERE {among[0]} LIMIT ?) AS few"  # noqa: S608
    return int(db.execute(query, [*among[1], LONG]).fetchone()[0]) == LONG


def search_runs(
    db: Connection,
    experiment_ids: Sequence[str] | None,
    *,
    text: str = "",
    order_by: Sequence[str] = (),
    limit: int = 1000,
    token: str = "",
    states: Sequence[Lifecycle] = ("active",),
) -> tuple[list[str], str]:
    """Give the ids of a page of tracking runs, and the token of the next one; of all experiments when it is None."""
    among: Statement = ("true", [])
    if experiment_ids is not None and len(experiment_ids) == 1:
        among = ("r.experiment_id = ?", [experiment_ids[0]])
    elif experiment_ids is not None:
        among = ("r.experiment_id IN (SELECT value FROM json_each(?))", [_json(list(experiment_ids)).decode()])
    if len(states) == 1:
        among = (f"{among[0]} AND r.state = ?", [*among[1], states[0]])
    return search(db, RUNS, text=text, order_by=order_by, limit=limit, token=token, among=among)


def search_tracking_runs(
    db: Connection,
    *,
    experiments: Sequence[str] | None,
    filter: str = "",  # noqa: A002  (as users know it)
    order_by: Sequence[str] = (),
    states: Sequence[Lifecycle] = ("active",),
    limit: int = 1000,
    after: str = "",
) -> tuple[list[TrackingRun], str]:
    """Give a page of tracking runs of experiments (ids; None: of all), and what to give as `after` for the next one."""
    ids, token = search_runs(db, experiments, text=filter, order_by=order_by, limit=limit, token=after, states=states)
    return tracking.tracking_runs(db, ids), token


# --- conditions


def _condition(shape: Shape, one: Comparison, joined: str = "") -> Statement:
    """Give a condition; `joined` is the name of the table that its metric is read from, when one is."""
    if joined:
        part, values = _of_double(one, joined)
        return f"{joined}.key = ? AND {part}", [one.key, *values]
    column = shape.columns.get(one.key) if one.kind == "attribute" else None
    if one.kind == "tag":
        column = shape.tag_columns.get(one.key)
    if column is not None:
        value = _lowered(one.value) if one.key in shape.lowered else one.value
        return _comparison(column, one.op, value)
    side = shape.sides[one.kind]
    owned = f"SELECT 1 FROM {side.table} AS s WHERE {side.is_of(shape.id[0], 's')}"  # noqa: S608  (our own words)
    if one.kind == "dataset":
        part, values = _comparison(f"s.{one.key}", one.op, one.value)
        return f"EXISTS ({owned} AND {part})", values
    owned += " AND s.key = ?"
    if one.op in mlfilter.PRESENCE:
        return f"{'NOT ' if one.op == 'IS NULL' else ''}EXISTS ({owned})", [one.key]
    part, values = _of_double(one) if side.doubles else _comparison("s.value", one.op, one.value)
    return f"EXISTS ({owned} AND {part})", [one.key, *values]


def _of_double(one: Comparison, name: str = "s") -> Statement:
    """Give a condition on a double in two columns; NaN is unequal to all and neither less nor more."""
    if one.op == "!=":
        return f"({name}.special <> '' OR {name}.value <> ?)", [one.value]
    numbers = "= ''" if one.op == "=" else "<> 'nan'"
    return f"({name}.value {one.op} ? AND {name}.special {numbers})", [one.value]


def _comparison(column: str, op: str, value: Any) -> Statement:
    negation = "NOT " if op.startswith("NOT ") else ""
    match op.removeprefix("NOT "):
        case "IN":
            return f"{column} {op} (SELECT value FROM json_each(?))", [_json(value).decode()]  # noqa: S608  (our own words)
        case "ILIKE":  # LIKE knows no difference between a and A, on both databases
            return f"{column} {negation}LIKE ? ESCAPE '\\'", [value.replace("\\", "\\\\")]
        case "LIKE":
            part, values = _like(column, value)
            return f"{negation}({part})", values
        case "IS NULL" | "IS NOT NULL":
            return f"{column} {op}", []
        case _:
            return f"{column} {op} ?", [value]


def _like(column: str, pattern: str) -> Statement:
    """Give LIKE that minds the case: GLOB, whose own signs in the pattern are held to by a second condition."""
    part, values = f"{column} GLOB ?", [_GLOB.sub("?", pattern).replace("%", "*").replace("_", "?")]
    for piece in re.split("[%_]", pattern):
        if _GLOB.search(piece):
            part += f" AND instr({column}, ?) > 0"
            values.append(piece)
    return part, values


def _lowered(value: Any) -> Any:
    return tuple(one.lower() for one in value) if isinstance(value, tuple) else str(value).lower()


# --- order and pages

Key = tuple[str, bool]
"""An expression that is never NULL, and whether it goes downwards."""


def _keys(shape: Shape, orders: Sequence[Order], *, led: bool) -> tuple[list[Statement], list[Key]]:
    """Give the tables that sorting needs, and all that a list is sorted by; of what is `led` the first is there."""
    joins: list[Statement] = []
    keys: list[Key] = []
    for number, one in enumerate(orders):
        column = shape.columns.get(one.key) if one.kind == "attribute" else None
        if one.kind == "tag":
            column = shape.tag_columns.get(one.key)
        if column is not None:
            nothing = "0" if shape.grammar.attributes.get(one.key) == "number" else "''"
            keys += [_rank(column), (f"coalesce({column}, {nothing})", one.descending)]
            continue
        side = shape.sides[one.kind]
        name = f"o{number}"
        value = f"{name}.value"
        if led and number == 0:  # never NULL, never NaN
            keys.append((value, one.descending))
            continue
        owned = f" LEFT JOIN {side.table} AS {name} ON {side.is_of(shape.id[0], name)} AND {name}.key = ?"
        joins.append((owned, [one.key]))
        if side.doubles:
            rank = f"(CASE WHEN {value} IS NULL THEN 2 WHEN {name}.special = 'nan' THEN 1 ELSE 0 END)"
            keys += [(rank, False), (f"coalesce({value}, 0.0)", one.descending)]
        else:
            keys += [_rank(value), (f"coalesce({value}, '')", one.descending)]
    return joins, [*keys, *shape.order, *((column, False) for column in shape.id)]


def _rank(column: str) -> Key:
    """Give what puts missing values last, whichever way the others go."""
    return f"(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END)", False


def _beyond(keys: Sequence[Key], last: Sequence[Any]) -> Statement:
    """Give the condition that a row follows the last one of the page before."""
    text = "false"
    values: list[Any] = []
    for (expression, down), value in zip(reversed(keys), reversed(last), strict=True):
        text = f"({expression} {'<' if down else '>'} ? OR ({expression} = ? AND {text}))"
        values = [value, value, *values]
    return text, values


def _token(row: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(_json(row)).decode()


def _values(token: str, n: int) -> list[Any]:
    try:
        values = msgspec.json.decode(
            base64.b64decode(token, altchars=b"-_", validate=True), type=list[str | int | float]
        )
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise PageTokenInvalid(token=token[:60]) from error
    if len(values) != n:
        raise PageTokenInvalid(token=token[:60])
    return values
