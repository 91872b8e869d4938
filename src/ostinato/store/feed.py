"""Reading the feed: blocks of events in commit order. A position is the id of a block and an index in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import FeedTooOld
from ostinato.core.events import Block, Event
from ostinato.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.records import FlowRun
    from ostinato.store.database import Connection, Cursor

MOST_BLOCKS: Final = 64
"""Blocks that are read at once."""
ENOUGH_BYTES: Final = 1 << 20
"""When so many bytes are read, no further block is."""
NEARBY_US: Final = 600_000_000
"""So long before its beginning and after its end others may say something of a run."""

_block: Final = msgspec.msgpack.Decoder(Block).decode


class Place(msgspec.Struct, frozen=True):
    """What a run is called, and where it belongs."""

    name: str
    flow: str
    root_id: str


def last(db: Connection) -> int:
    """Give the id of the newest block, 0 when there never was one."""
    row = db.execute(sql.load("feed")["last_block"]).fetchone()
    return 0 if row is None else int(row[0])


def since(db: Connection, at: int) -> int:
    """Give the id of the first block committed at or after an instant: of the next one to come when there is none."""
    row = db.execute(sql.load("feed")["block_since"], (at,)).fetchone()
    return last(db) + 1 if row is None else int(row[0])


def check(db: Connection, block: int, index: int) -> None:
    """Let a position pass after which nothing is missing.

    Raises:
        FeedTooOld: (feed-too-old) blocks after it are gone, or it is none of this home.
    """
    newest = last(db)
    first: int = db.execute(sql.load("feed")["first_block"]).fetchone()[0] or newest + 1
    if not first - 1 <= block <= newest:
        raise FeedTooOld(first=f"{first}.0", after=f"{block}.{index}")


def blocks(db: Connection, begin: int, limit: int = MOST_BLOCKS) -> list[tuple[int, list[Event]]]:
    """Give some blocks from an id on: at least one when there is one, else as many as are not much together."""
    return _some(db.execute(sql.load("feed")["blocks_after"], (begin, limit)))


def blocks_before(db: Connection, end: int) -> list[tuple[int, list[Event]]]:
    """Give some blocks up to an id, the newest first, as many as `blocks` would."""
    return _some(db.execute(sql.load("feed")["blocks_before"], (end, MOST_BLOCKS)))


def _some(rows: Cursor) -> list[tuple[int, list[Event]]]:
    found: list[tuple[int, list[Event]]] = []
    size = 0
    for number, payload in rows:
        found.append((number, _block(payload).events))
        size += len(payload)
        if size >= ENOUGH_BYTES:
            break
    return found


def life(db: Connection, run: FlowRun) -> tuple[int, int]:
    """Give the ids between which the blocks lie that tell of a run: the first and the last.

    What its own process said may have come late; what others said of it came soon.
    """
    first = since(db, run.created_at - NEARBY_US)
    if run.ended_at is None:
        return first, last(db)
    own = db.execute(sql.load("feed")["newest_of_stream"], (run.stream,)).fetchone()
    return first, max(since(db, run.ended_at + NEARBY_US), 0 if own is None else int(own[0]))


def place_of_run(db: Connection, run_id: str) -> tuple[str, str]:
    """Give the flow of a run and its outermost run, empty when it is gone."""
    row = db.execute(sql.load("feed")["place_of_run"], (run_id,)).fetchone()
    return ("", "") if row is None else (row[0], row[1])


def places_of_runs(db: Connection, ids: Iterable[str]) -> dict[str, Place]:
    """Give what some runs are called and where they belong; those that are gone are left out."""
    rows = db.execute(sql.load("feed")["places_of_runs"], (msgspec.json.encode(list(ids)).decode(),))
    return {run_id: Place(name, flow, root_id) for run_id, name, flow, root_id in rows}
