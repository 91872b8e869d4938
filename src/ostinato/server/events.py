"""Events that have happened, the newest first: the feed read backwards, a page at a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar.params import QueryParameter

from ostinato.core.events import Event
from ostinato.core.happenings import KINDS, told
from ostinato.core.views import instant
from ostinato.server.doors import After, Ask, Limit, Page, read_at
from ostinato.server.feed import Wanted, kinds_of, position_of, runs_of
from ostinato.store import feed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.server.office import Shelf
    from ostinato.store.database import Connection

MOST_BLOCKS: Final = 2_000
MOST_EVENTS: Final = 10_000
"""What one request looks through for what is rare."""
MOST_CHARACTERS: Final = 2_000
MOST_ITEMS: Final = 50
DEEPEST: Final = 6
CUT: Final = "…"

Kinds = Annotated[
    str,
    QueryParameter(
        max_length=2000, description="Kinds of the feed, with commas between them; `-logged`: all but that."
    ),
]
RunRef = Annotated[str, QueryParameter(max_length=500, description="Only of this run and those below it.")]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened."""

    id: str
    """Its position, as in the feed."""
    kind: str
    at: datetime | None
    run_id: str | None
    run: str | None
    """Name of the run; None when it is gone."""
    data: dict[str, Any]
    """What the feed tells of it, long values cut."""


class _Found(msgspec.Struct, frozen=True):
    """An event and its position."""

    block: int
    index: int
    event: Event

    @property
    def id(self) -> str:
        return f"{self.block}.{self.index}"


@read_at("/api/events")
async def list_events(
    request: Ask, kinds: Kinds = "", run: RunRef = "", limit: Limit = 50, after: After = ""
) -> Page[EventView]:
    """List what happened, the newest first, as long as it is kept; the feed tells long values whole."""
    chosen = kinds_of(kinds, request.identity)
    position = position_of(after) if after else None

    def ask(shelf: Shelf) -> Page[EventView]:
        wanted, first, last = Wanted(kinds=chosen), 0, feed.last(shelf.db)
        if run:
            one = shelf.reader.find_run(run)
            wanted = Wanted(kinds=chosen, run=one.id)
            first, last = feed.life(shelf.db, one)
        end = last + 1, 0
        found, following = _newest(shelf.db, wanted, min(position or end, end), first, limit)
        return Page(items=_views(shelf.db, found), next=following or None)

    return await request.look(ask)


def _newest(
    db: Connection, wanted: Wanted, before: tuple[int, int], first: int, limit: int
) -> tuple[list[_Found], str]:
    """Give events before a position, from a block on, and the position before which to go on, empty at the end."""
    found: list[_Found] = []
    n_blocks = n_events = 0
    while n_blocks < MOST_BLOCKS and n_events < MOST_EVENTS:
        block, index = before
        looked = feed.blocks_before(db, block if index else block - 1)
        kept = [(number, events) for number, events in looked if number >= first]
        for one in _fitting(db, kept, wanted, before):
            if len(found) == limit:
                return found, found[-1].id
            found.append(one)
        if not looked or len(kept) < len(looked):
            return found, ""
        n_blocks += len(looked)
        n_events += sum(len(events) for _, events in looked)
        before = looked[-1][0], 0
    return found, f"{before[0]}.0"


def _fitting(
    db: Connection, blocks: list[tuple[int, list[Event]]], wanted: Wanted, before: tuple[int, int]
) -> Iterator[_Found]:
    """Give the events of some blocks that are wanted and lie before a position, the newest first."""
    among = [
        _Found(number, index, events[index])
        for number, events in blocks
        for index in range(len(events) - 1, -1, -1)
        if (number, index) < before and type(events[index]) in wanted.kinds
    ]
    if not wanted.run:
        yield from among
        return
    places = feed.places_of_runs(db, {run for one in among for run in runs_of(one.event)})
    for one in among:
        runs = runs_of(one.event)
        if wanted.fits([(places[run].flow, places[run].root_id) if run in places else ("", "") for run in runs], runs):
            yield one


def _views(db: Connection, found: list[_Found]) -> list[EventView]:
    ids = {run for one in found for run in runs_of(one.event)[:1]}
    places = feed.places_of_runs(db, ids)
    views = []
    for one in found:
        at: int | None = getattr(one.event, "at", None)
        run = next(iter(runs_of(one.event)), "")
        views.append(
            EventView(
                id=one.id,
                kind=KINDS[type(one.event)],
                at=None if at is None else instant(at),
                run_id=run or None,
                run=places[run].name if run in places else None,
                data=shortened(msgspec.to_builtins(told(one.event))),
            )
        )
    return views


def shortened(value: Any, depth: int = 0) -> Any:
    """Give a plain value without the rest of what is long or deep.

    Example:
        >>> shortened({"rows": list(range(100)), "text": "ab"})["rows"][-2:]
        [49, '…']
    """
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return value[:MOST_CHARACTERS] + CUT
    if not isinstance(value, dict | list):
        return value
    if depth == DEEPEST:
        return CUT
    if isinstance(value, list):
        rest = [CUT] if len(value) > MOST_ITEMS else []
        return [shortened(one, depth + 1) for one in value[:MOST_ITEMS]] + rest
    some = list(value.items())[:MOST_ITEMS]
    return {name: shortened(one, depth + 1) for name, one in some} | ({CUT: CUT} if len(value) > len(some) else {})


HANDLERS: Final = (list_events,)
