"""The list of flow runs, a page of it at a time, and when the runs of a window of time ran."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
from litestar.params import QueryParameter

from ostinato.core.query import AHEAD, RUN_FIELDS, Query, Term, parse
from ostinato.core.states import ACTIVE, StateName
from ostinato.core.views import instant, maybe
from ostinato.server.doors import After, Ask, Limit, read_at
from ostinato.server.runs import Terms
from ostinato.server.screens.rows import RunRow, row
from ostinato.store import overview
from ostinato.store import runs as store

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.server.office import Shelf

T = TypeVar("T")

N_LOOKS: Final = 4
"""A look takes in a bounded number of runs; what is rare is looked for so often by one request."""
HOUR_US: Final = 3_600_000_000
MOST_HOURS: Final = 24 * 31
MOST_MARKS: Final = 3_000
"""Runs of one timeline."""
MADE_BEFORE_US: Final = 72 * HOUR_US
"""Runs that ended in a window are looked for among those made at most so long before it."""

PLANNED: Final = frozenset({"state", "due", "id", "schedule"})
"""Fields by which one asks for runs that have not begun."""
_BEGUN: Final = Term(field=AHEAD, op="in", values=(), negated=True)
_NOT_ENDED: Final = Term(field="state", op="in", values=tuple(sorted(ACTIVE)))

Window = Annotated[int, QueryParameter(ge=1, le=MOST_HOURS, description="Length of the window in hours.")]
Ago = Annotated[int, QueryParameter(ge=0, le=1_000_000, description="How many hours ago the window ends.")]


class RunsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The list of runs: one page of it, and how many runs there are in each state."""

    now: datetime
    items: list[RunRow]
    next: str | None
    states: dict[StateName, int]
    flow: str | None
    """Flow whose runs `states` counts, when the query asks for one flow; None when it counts all."""


class MarkView(msgspec.Struct, frozen=True, kw_only=True):
    """When a run ran."""

    id: str
    name: str
    flow: str
    state: StateName
    started_at: datetime
    ended_at: datetime | None


class TimelineScreen(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that ran in a window of time, the newest first."""

    now: datetime
    since: datetime
    until: datetime
    items: list[MarkView]
    whole: bool
    """False when there are more runs than were looked for; the newest are here."""


@read_at("/api/ui/runs")
async def runs_screen(request: Ask, terms: Terms = "", limit: Limit = 50, after: After = "") -> RunsScreen:
    """Give a page of the list of runs; those that are only planned are left out unless the query asks for them."""

    def ask(shelf: Shelf) -> RunsScreen:
        now = time.time_ns() // 1000
        query = parse(terms, RUN_FIELDS, now=now)
        flow = _only_flow(query)
        if not PLANNED & {term.field for term in query.terms}:
            query = Query((*query.terms, _BEGUN))
        found, cursor = _look(shelf, store.runs, query, limit, after, now)
        return RunsScreen(
            now=instant(now),
            items=[row(run) for run in found],
            next=cursor or None,
            states=overview.states_of_flow(shelf.db, flow) if flow else store.state_counts(shelf.db),
            flow=flow or None,
        )

    return await request.look(ask)


@read_at("/api/ui/timeline")
async def timeline_screen(request: Ask, terms: Terms = "", hours: Window = 24, ago: Ago = 0) -> TimelineScreen:
    """Give the runs that match a query and ran in a window of time.

    Of runs that ended in it those are left out that were made more than three days before it.
    """

    def ask(shelf: Shelf) -> TimelineScreen:
        now = time.time_ns() // 1000
        until = now - ago * HOUR_US
        since = until - hours * HOUR_US
        query = parse(terms, RUN_FIELDS, now=now)
        inside = (
            *query.terms,
            Term(field="created", op="<=", values=(until,)),  # bounds the ids that are looked at
            Term(field="started", op="<", values=(until,)),
            Term(field="ended", op="<", values=(since,), negated=True),
        )
        lately = Term(field="created", op=">=", values=(since - MADE_BEFORE_US,))
        found, rest = _look(shelf, store.run_ids, Query((*inside, lately)), MOST_MARKS, "", now)
        active, more = _look(shelf, store.run_ids, Query((*inside, _NOT_ENDED)), MOST_MARKS, "", now)
        ids = sorted({*found, *active}, reverse=True)
        return TimelineScreen(
            now=instant(now),
            since=instant(since),
            until=instant(until),
            items=[_mark(one) for one in overview.marks(shelf.db, ids[:MOST_MARKS])],
            whole=not rest and not more and len(ids) <= MOST_MARKS,
        )

    return await request.look(ask)


def _only_flow(query: Query) -> str:
    """Give the flow that a query asks for when it asks for exactly one, else ""."""
    named = [term for term in query.terms if term.field == "flow"]
    if len(named) != 1 or named[0].negated or len(named[0].values) != 1:
        return ""
    return str(named[0].values[0])


def _look(
    shelf: Shelf, find: Callable[..., tuple[list[T], str]], query: Query, limit: int, after: str, now: int
) -> tuple[list[T], str]:
    """Give what matches, and where to go on."""
    found: list[T] = []
    for _ in range(N_LOOKS):
        more, after = find(shelf.db, query, limit=limit - len(found), after=after, now=now)
        found += more
        if not after or len(found) == limit:
            break
    return found, after


def _mark(one: overview.Mark) -> MarkView:
    return MarkView(
        id=one.id,
        name=one.name,
        flow=one.flow,
        state=one.state,
        started_at=instant(one.started_at),
        ended_at=maybe(one.ended_at),
    )
