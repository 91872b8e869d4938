"""Search with MLflow's filter grammar: filters and orders as portable SQL, paged by keyset tokens.

Of few things all are looked at. Among many, a list that is sorted by a metric is found along its index: the first
values are followed until the page is full. Else, when the bounds on a metric, a parameter or a tag leave few, those
are looked at. Where very many have the same value, the newest things come first, and some of those are looked at. What
none of these finds soon is found by looking at all.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from ostinato.core import mlfilter
from ostinato.core.errors import PageTokenInvalid
from ostinato.core.mlfilter import Comparison, Grammar, Kind, Order
from ostinato.store import tracking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ostinato.core.tracking import Lifecycle, TrackingRun
    from ostinato.store.database import Connection

LONG: Final = 10_000
"""So many are few: things that are all looked at, values within a bound, values along an index."""
NEWEST: Final = LONG // 2
"""So many of the newest things are looked at for those that are equal in what the list is sorted by."""
BEGINNING: Final = 100
"""Characters of a text that an index has."""
MANY: Final = 50_000
"""So many values within a bound are better looked at than all things, where no index has the order of the list."""
_LEADING: Final[dict[Kind, tuple[str, ...]]] = {"metric": ("<", "<=", "=", ">=", ">"), "param": ("=",), "tag": ("=",)}
"""Operators that leave a part of an index."""
_STEPS: Final = " LIMIT 1 OFFSET 0"
"""At the end of EXISTS: PostgreSQL then joins nothing, and cannot begin with the wrong table."""
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
    """Whether there is an index by key and value, of texts by their beginning."""
    values: tuple[Any, ...] = ()
    """Of the `?` in the table."""

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
    nullable: frozenset[str] = frozenset()
    """Attributes that may be NULL."""
    sorted_by: dict[str, str] = {}
    """Attributes whose order a column has that an index knows; what is equal in it is equal in them."""
    sides: dict[Kind, Side] = {}
    order: tuple[tuple[str, bool], ...] = ()
    """What a list is sorted by last, and whether downwards; `id` follows."""
    tag_columns: dict[str, str] = {}
    """Tags that are columns."""
    lowered: frozenset[str] = frozenset()
    """Attributes whose values are kept in lower case."""
    order_sides: tuple[Side | None, ...] = ()
    """Where the things stand that a list is sorted by, one after the other; None where `sides` says it."""

    def column(self, kind: Kind, key: str) -> str | None:
        """Give the expression of an attribute, or of a tag that is one; None for what stands in another table."""
        if kind == "attribute":
            return self.columns.get(key)
        return self.tag_columns.get(key) if kind == "tag" else None

    def is_indexed(self, kind: Kind) -> bool:
        """Say whether there is an index by the values of this kind."""
        return kind in self.sides and self.sides[kind].indexed


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
    nullable=frozenset({"artifact_uri", "end_time"}),
    sorted_by={"start_time": "r.started_at"},
    sides={
        "metric": Side(table="tracking_metrics", doubles=True, indexed=True),
        "param": Side(table="tracking_params", indexed=True),
        "tag": Side(table="tracking_tags", indexed=True),
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
Row = tuple[Any, ...]
"""What a list is sorted by, the id at the end."""


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one metric, parameter or tag, in rows called `m`, that lead to the things."""

    kind: Kind
    key: str
    bounds: tuple[Comparison, ...]
    """What the filter says of them."""
    sorts: bool = False
    """Whether the list has their order."""
    part: Statement = ("true", [])
    """Which of them are looked at now."""
    is_all: bool = False
    """Whether no others are left to which the list could go on."""
    next: float | None = None
    """The value that follows them."""

    def in_index(self) -> Statement:
        """Give the condition on them as far as the index can tell: NaN stands at 0 there, and texts are cut."""
        if self.kind == "metric":
            bounds = [(f"m.value {one.op} ?", [one.value]) for one in self.bounds]
        else:
            bounds = [(f"substr(m.value, 1, {BEGINNING}) = ?", [str(one.value)[:BEGINNING]]) for one in self.bounds]
        return _all([("m.key = ?", [self.key]), *bounds, self.part])

    def condition(self) -> Statement:
        """Give the whole condition on them."""
        if self.kind != "metric":
            # A plain `m.value = ?` SQLite puts in place of `m.value` in the other one, which finds no index then.
            return _all([self.in_index(), *(("m.value || '' = ?", [one.value]) for one in self.bounds)])
        bounds = [_of_double(one, "m") for one in self.bounds] or [("m.special <> 'nan'", [])]
        return _all([("m.key = ?", [self.key]), *bounds, self.part])


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it is asked for."""

    shape: Shape
    among: Statement
    comparisons: tuple[Comparison, ...]
    orders: tuple[Order, ...]
    last: list[Any]
    """What the last row of the page before was sorted by; empty for the first page."""
    limit: int

    @property
    def is_in_own_order(self) -> bool:
        """Whether the list has the order of the things themselves, in which the first page is soon found."""
        return not self.orders or self.orders[0].key in self.shape.sorted_by

    def bounds(self) -> dict[tuple[Kind, str], tuple[Comparison, ...]]:
        """Give the comparisons that leave a part of an index, by what they are about."""
        found: dict[tuple[Kind, str], tuple[Comparison, ...]] = {}
        for one in self.comparisons:
            is_elsewhere = self.shape.column(one.kind, one.key) is None
            if is_elsewhere and self.shape.is_indexed(one.kind) and one.op in _LEADING[one.kind]:
                found[one.kind, one.key] = (*found.get((one.kind, one.key), ()), one)
        return found


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
    orders = tuple(mlfilter.parse_order(one, shape.grammar) for one in order_by)
    last = _values(token, len(_keys(shape, orders)[1])) if token else []
    wanted = Wanted(shape=shape, among=among, comparisons=comparisons, orders=orders, last=last, limit=limit + 1)
    rows = _found_soon(db, wanted)
    if rows is None:
        rows = _rows(db, wanted)
    n_id = len(shape.id)
    ids = [row[-1] if n_id == 1 else row[-n_id:] for row in rows[:limit]]
    return ids, _token(rows[limit - 1]) if len(rows) > limit > 0 else ""


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


# --- ways to find a page


def _found_soon(db: Connection, wanted: Wanted) -> list[Row] | None:
    """Give the rows of a page where an index of values leads to them, None where all things are to be looked at."""
    shape, first = wanted.shape, wanted.orders[0] if wanted.orders else None
    bounds = wanted.bounds()
    if first is not None and not (first.kind == "metric" and shape.is_indexed("metric")):
        first = None
    if not (bounds or first) or not _is_long(db, wanted):
        return None
    fewest, n = _fewest(db, wanted, bounds)
    if first is not None and not (wanted.last and wanted.last[0] != 0):  # that is past all that have a value
        lead = _along(db, wanted, first, bounds.get(("metric", first.key), ()), min(n, LONG))
        rows = _rows(db, wanted, lead)
        if lead.is_all or len(rows) == wanted.limit:
            return rows
        if n >= NEWEST and len(wanted.orders) == 1 and (equals := _equals(db, wanted, lead, len(rows))) is not None:
            return rows + equals
    if fewest is None or (n >= LONG and wanted.is_in_own_order):
        return None
    return _rows(db, wanted, fewest)


def _is_long(db: Connection, wanted: Wanted) -> bool:
    """Say whether there is so much that it is not all looked at."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM {wanted.shape.source} WHERE {wanted.among[0]} LIMIT ?) AS few"  # noqa: S608  (our own words)
    return int(db.execute(query, [*wanted.among[1], LONG]).fetchone()[0]) == LONG


def _fewest(
    db: Connection, wanted: Wanted, bounds: Mapping[tuple[Kind, str], tuple[Comparison, ...]]
) -> tuple[Lead | None, int]:
    """Give what the bounds leave the fewest values of, None where all leave too many, and how many they leave."""
    found, fewest = None, MANY
    for (kind, key), own in bounds.items():
        lead = Lead(kind=kind, key=key, bounds=own)
        part, values = lead.in_index()
        table = wanted.shape.sides[kind].table
        query = f"SELECT count(*) FROM (SELECT 1 FROM {table} AS m WHERE {part} LIMIT ?) AS few"  # noqa: S608  (our own words)
        n = int(db.execute(query, [*values, fewest]).fetchone()[0])
        if n < fewest:
            found, fewest = lead, n
    return found, fewest


def _along(db: Connection, wanted: Wanted, first: Order, bounds: tuple[Comparison, ...], most: int) -> Lead:
    """Give the values that come next in the order of a metric, so many at most."""
    since, until, order = ("<=", ">", "m.value DESC") if first.descending else (">=", "<", "m.value")
    lead = Lead(kind="metric", key=first.key, bounds=bounds, sorts=True)
    if wanted.last:
        lead = replace(lead, part=(f"m.value {since} ?", [wanted.last[1]]))
    text, values = lead.in_index()
    table = wanted.shape.sides["metric"].table
    query = f"SELECT m.value FROM {table} AS m WHERE {text} ORDER BY {order} LIMIT 1 OFFSET ?"  # noqa: S608  (our own words)
    row = db.execute(query, [*values, most]).fetchone()
    if row is None:
        return replace(lead, is_all=bool(lead.bounds))
    half = db.execute(query, [*values, most // 2]).fetchone()
    part = _all((lead.part, (f"m.value {until} ?", [row[0]])))
    return replace(lead, part=part, next=row[0] if half == row else None)


def _equals(db: Connection, wanted: Wanted, lead: Lead, n: int) -> list[Row] | None:
    """Give the rows after the first `n` when very many have the value that comes then; None when they are not found."""
    if lead.next is None:
        return None
    last = wanted.last[2:] if wanted.last and wanted.last[1] == lead.next else []
    equals = replace(wanted, orders=(), last=last, limit=wanted.limit - n)
    rows = _rows(db, equals, equal=("metric", lead.key, lead.next))
    return [(0, lead.next, *row) for row in rows] if len(rows) == equals.limit else None


def _rows(
    db: Connection, wanted: Wanted, lead: Lead | None = None, *, equal: tuple[Kind, str, float] | None = None
) -> list[Row]:
    """Give the rows of a page, and one more; among the things that an index of values leads to when one does.

    When a value is given that they all have, only some of the newest things are looked at.
    """
    shape, source, owner = wanted.shape, wanted.shape.source, wanted.shape.id[0]
    is_led = lead is not None and lead.sorts
    joins, keys = _keys(shape, wanted.orders, led=is_led)
    conditions = [wanted.among]
    others = wanted.comparisons
    if lead is not None:
        side = shape.sides[lead.kind]
        source = f"{side.table} AS m CROSS JOIN {source} ON {side.is_of(owner, 'm')}"
        owner = f"m.{side.owner}"  # so that what is asked of other tables is asked before the thing is looked up
        others = tuple(one for one in others if one not in lead.bounds)
        conditions.append(lead.condition())
    columns = ", ".join(expression for expression, _ in keys)
    if is_led:  # in its rows the first key is the same
        keys = keys[1:]
    if wanted.last:
        conditions.append(_beyond(keys, wanted.last[-len(keys) :]))
    order = ", ".join(f"{expression} DESC" if down else expression for expression, down in keys)
    newest: list[Statement] = []
    if equal is not None:
        newest, conditions = [_all(conditions)], [_has(shape, *equal, owner)]
        source = f"(SELECT * FROM {source} WHERE {newest[0][0]} ORDER BY {order} LIMIT {NEWEST}) AS r"  # noqa: S608  (our own words)
    steps = lead is not None or wanted.is_in_own_order
    conditions += [_condition(shape, one, owner, steps=steps) for one in others]
    query = (
        f"SELECT {columns} FROM {source}{''.join(text for text, _ in joins)}"  # noqa: S608  (our own words)
        f" WHERE {' AND '.join(f'({part})' for part, _ in conditions)} ORDER BY {order} LIMIT ?"
    )
    values = [value for _, own in (*newest, *joins, *conditions) for value in own]
    return [tuple(row) for row in db.execute(query, [*values, wanted.limit]).fetchall()]


# --- conditions


def _has(shape: Shape, kind: Kind, key: str, value: float, owner: str) -> Statement:
    """Give the condition that a thing has a value in the index of doubles; inf and the largest number are one there."""
    side = shape.sides[kind]
    owned = f"{side.is_of(owner, 's')} AND s.key = ? AND s.value = ? AND s.special <> 'nan'"
    return f"EXISTS (SELECT 1 FROM {side.table} AS s WHERE {owned}{_STEPS})", [key, value]  # noqa: S608  (our own words)


def _condition(shape: Shape, one: Comparison, owner: str, *, steps: bool = False) -> Statement:
    """Give a condition; `owner` is the column with the id of the thing.

    In `steps` it is asked of one thing after the other, and none begins with what another table has.
    """
    column = shape.column(one.kind, one.key)
    if column is not None:
        value = _lowered(one.value) if one.key in shape.lowered else one.value
        return _comparison(column, one.op, value)
    side, end = shape.sides[one.kind], _STEPS if steps else ""
    owned = f"SELECT 1 FROM {side.table} AS s WHERE {side.is_of(owner, 's')}"  # noqa: S608  (our own words)
    if one.kind == "dataset":
        part, values = _comparison(f"s.{one.key}", one.op, one.value)
        return f"EXISTS ({owned} AND {part}{end})", values
    owned += " AND s.key = ?"
    if one.op in mlfilter.PRESENCE:
        return f"{'NOT ' if one.op == 'IS NULL' else ''}EXISTS ({owned}{end})", [*side.values, one.key]
    part, values = _of_double(one, "s") if side.doubles else _comparison("s.value", one.op, one.value)
    return f"EXISTS ({owned} AND {part}{end})", [*side.values, one.key, *values]


def _all(parts: Iterable[Statement]) -> Statement:
    parts = list(parts)
    return " AND ".join(text for text, _ in parts), [value for _, values in parts for value in values]


def _of_double(one: Comparison, name: str) -> Statement:
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


def _keys(shape: Shape, orders: Sequence[Order], *, led: bool = False) -> tuple[list[Statement], list[Key]]:
    """Give the tables that sorting needs, and all that a list is sorted by; when it is `led`, `m` has the first."""
    joins: list[Statement] = []
    keys: list[Key] = []
    for number, one in enumerate(orders):
        column = shape.column(one.kind, one.key)
        if column is not None and one.key in shape.nullable:
            nothing = "0" if shape.grammar.attributes[one.key] == "number" else "''"
            keys += [_rank(column), (f"coalesce({column}, {nothing})", one.descending)]
            continue
        if column is not None:
            keys.append((shape.sorted_by.get(one.key, column), one.descending))
            continue
        named = shape.order_sides[number] if number < len(shape.order_sides) else None
        side = named or shape.sides[one.kind]
        if led and number == 0:
            keys += [("0", False), ("m.value", one.descending)]
            continue
        name = f"o{number}"
        value = f"{name}.value"
        owned = f" LEFT JOIN {side.table} AS {name} ON {side.is_of(shape.id[0], name)} AND {name}.key = ?"
        joins.append((owned, [*side.values, one.key]))
        if side.doubles:
            rank = f"(CASE WHEN {value} IS NULL THEN 2 WHEN {name}.special = 'nan' THEN 1 ELSE 0 END)"
            keys += [(rank, False), (f"coalesce({value}, 0.0)", one.descending)]
        else:
            keys += [_rank(value), (f"coalesce({value}, '')", one.descending)]
    known = {expression for expression, _ in keys}
    keys += [key for key in shape.order if key[0] not in known]
    return joins, [*keys, *((column, False) for column in shape.id)]


def _rank(column: str) -> Key:
    """Give what puts missing values last, whichever way the others go."""
    return f"(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END)", False


def _beyond(keys: Sequence[Key], last: Sequence[Any]) -> Statement:
    """Give the condition that a row follows the last one of the page before; its first part an index can serve."""
    text = "false"
    values: list[Any] = []
    for (expression, down), value in zip(reversed(keys), reversed(last), strict=True):
        text = f"({expression} {'<' if down else '>'} ? OR ({expression} = ? AND {text}))"
        values = [value, value, *values]
    expression, down = keys[0]
    return f"{expression} {'<=' if down else '>='} ? AND {text}", [last[0], *values]


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
