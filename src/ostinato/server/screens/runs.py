"""The list of flow runs: a page of it at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.query import AHEAD, RUN_FIELDS, Query, Term, parse
from ostinato.core.states import StateName
from ostinato.server.doors import After, Ask, Limit, read_at
from ostinato.server.runs import Terms
from ostinato.server.screens.rows import RunRow, row
from ostinato.store import runs as store

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun
    from ostinato.server.office import Shelf

N_LOOKS: Final = 10
"""A look takes in a bounded number of runs; what is rare is looked for so often by one request."""

PLANNED: Final = frozenset({"state", "due", "id", "schedule"})
"""Fields by which one asks for runs that have not begun."""
_BEGUN: Final = Term(field=AHEAD, op="in", values=(), negated=True)


class RunsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The list of runs: one page of it, and how many runs there are in each state."""

    items: list[RunRow]
    next: str | None
    states: dict[StateName, int]


@read_at("/api/ui/runs")
async def runs_screen(request: Ask, terms: Terms = "", limit: Limit = 50, after: After = "") -> RunsScreen:
    """Give a page of the list of runs."""

    def ask(shelf: Shelf) -> RunsScreen:
        found, cursor = _page(shelf, terms, limit, after)
        return RunsScreen(items=[row(run) for run in found], next=cursor or None, states=store.state_counts(shelf.db))

    return await request.look(ask)


def _page(shelf: Shelf, terms: str, limit: int, after: str) -> tuple[list[FlowRun], str]:
    """Give runs and where to go on; those that are only planned are left out unless something asks for them."""
    now = time.time_ns() // 1000
    query = parse(terms, RUN_FIELDS, now=now)
    if not PLANNED & {term.field for term in query.terms}:
        query = Query((*query.terms, _BEGUN))
    found: list[FlowRun] = []
    for _ in range(N_LOOKS):
        more, after = store.runs(shelf.db, query, limit=limit - len(found), after=after, now=now)
        found += more
        if not after or len(found) == limit:
            break
    return found, after
