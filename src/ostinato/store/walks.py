"""Walks: the index along which a list of flow runs is read, and how much of it one page looks at.

A page is read from the newest run to the oldest along one index, and what the index does not know is
looked up for each run. Of the indexes that a query could use, the one that leads furthest back within
`LOOKED_AT` runs is taken; what lies beyond is left to the next page. So no page costs more than that,
however rare what is looked for: it may be short, even empty, and say where to go on.

Ids of runs begin with the time when they were made, so bounds of that time are bounds of the id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.ids import id_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.query import Query, Term
    from ostinato.store.database import Connection

LOOKED_AT: Final = 10_000
"""Runs that one page looks at, at most."""
SLACK_US: Final = 3_600_000_000
"""The instant in an id and that of its event differ by less."""
MOST_VALUES: Final = 16
"""A walk goes once for each value of its term; for more values another walk is taken."""
WHOLE_ID: Final = 32
BEYOND: Final = "g"
"""Follows all hexadecimal digits, so all ids."""


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """One way through the runs, newest first."""

    source: str
    """What stands after FROM; flow runs are `r`."""
    id: str = "r.id"
    condition: str = "true"
    values: tuple[tuple[Any, ...], ...] = ((),)
    """The walk goes once for each."""

    def ids(self, db: Connection, rest: str, rest_values: list[Any], low: str, high: str, n: int) -> list[str]:
        """Give the newest `n` ids from `low` to below `high` for which `rest` holds, newest first."""
        text = self._text(f"({rest}) AND ", "LIMIT ?")
        found = {
            row[0] for own in self.values for row in db.execute(text, [*own, *rest_values, low, high, n]).fetchall()
        }
        return sorted(found, reverse=True)[:n]

    def bound(self, db: Connection, low: str, high: str) -> str:
        """Give the last id that may be looked at, "" when all may."""
        text = self._text("", "LIMIT 1 OFFSET ?")
        n = LOOKED_AT // len(self.values) - 1
        return max((row[0] for own in self.values for row in db.execute(text, [*own, low, high, n])), default="")

    def _text(self, rest: str, limit: str) -> str:
        where = f"{self.condition} AND {rest}{self.id} >= ? AND {self.id} < ?"
        return f"SELECT {self.id} FROM {self.source} WHERE {where} ORDER BY {self.id} DESC {limit}"  # noqa: S608  (our own words)


ALL: Final = Walk(source="flow_runs AS r INDEXED BY sqlite_autoindex_flow_runs_1")
ROOTS: Final = Walk(source="flow_runs AS r INDEXED BY flow_runs_roots", condition="r.parent_id = ''")
BY_FIELD: Final[dict[str, Walk]] = {
    "name": Walk(source="flow_runs AS r INDEXED BY flow_runs_by_name", condition="r.name = ?"),
    "root": Walk(source="flow_runs AS r INDEXED BY flow_runs_by_root", condition="r.root_id = ?"),
    "parent": Walk(
        source="flow_runs AS r INDEXED BY flow_runs_by_parent", condition="r.parent_id = ? AND r.parent_id <> ''"
    ),
    "tag": Walk(
        source="flow_run_tags AS p CROSS JOIN flow_runs AS r ON r.id = p.run_id", id="p.run_id", condition="p.tag = ?"
    ),
    "deployment": Walk(
        source="flow_runs AS r INDEXED BY flow_runs_by_deployment", condition="r.deployment = ? AND r.deployment <> ''"
    ),
    "flow": Walk(source="flow_runs AS r INDEXED BY flow_runs_by_flow", condition="r.flow = ?"),
    "state": Walk(source="flow_runs AS r INDEXED BY flow_runs_by_state", condition="r.state = ?"),
}
"""Walks by the field that a term is about, those that find little first."""


def choose(db: Connection, query: Query, low: str, high: str) -> tuple[Walk, str]:
    """Give the walk that leads furthest back, and the last id that it may look at ("" when all)."""
    walks = list(_walks(query))
    if len(query.terms) == len(walks) - 1 <= 1:  # nothing has to be looked up
        return walks[0], ""
    best, furthest = ALL, BEYOND
    for walk in walks:
        bound = walk.bound(db, low, high)
        if bound < furthest:
            best, furthest = walk, bound
        if not bound:
            break
    return best, furthest


def _walks(query: Query) -> Iterator[Walk]:
    for field, walk in BY_FIELD.items():
        for term in query.terms:
            if term.field == field and _is_plain(term):
                yield msgspec.structs.replace(walk, values=tuple((value,) for value in term.values))
    if any(term.field == "parent" and term.op == "none" and not term.negated for term in query.terms):
        yield ROOTS
    yield ALL


def _is_plain(term: Term) -> bool:
    """Tell whether a term asks for some values of its column."""
    if term.negated or not 0 < len(term.values) <= MOST_VALUES:
        return False
    return term.op == "in" or (term.op == "prefix" and all(len(str(value)) == WHOLE_ID for value in term.values))


def id_range(query: Query, after: str) -> tuple[str, str]:
    """Give the least id that can match, and one that is above all that can."""
    low, high = "", after or BEYOND
    for term in query.terms:
        if term.negated:
            continue
        if term.field == "id":
            low = max(low, min(map(str, term.values)))
            high = min(high, max(map(str, term.values)) + BEYOND)
        elif term.field == "created" and term.op != "none":
            first, last = int(term.values[0]), int(term.values[-1])
            if term.op in (">", ">=", "within"):
                low = max(low, id_bound(first - SLACK_US))
            if term.op in ("<", "<=", "within"):
                high = min(high, id_bound(last + SLACK_US))
    return low, high
