"""Reading the feed: blocks of events in commit order. A position is the id of a block and an index in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import FeedTooOld
from ostinato.core.events import Block, Event
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.store.database import Connection

MOST_BLOCKS: Final = 64
"""Blocks that are read at once."""
ENOUGH_BYTES: Final = 1 << 20
"""When so many bytes are read, no further block is."""

_block: Final = msgspec.msgpack.Decoder(Block).decode


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
    found: list[tuple[int, list[Event]]] = []
    size = 0
    for number, payload in db.execute(sql.load("feed")["blocks_after"], (begin, limit)):
        found.append((number, _block(payload).events))
        size += len(payload)
        if size >= ENOUGH_BYTES:
            break
    return found


def place_of_run(db: Connection, run_id: str) -> tuple[str, str]:
    """Give the flow of a run and its outermost run, empty when it is gone."""
    row = db.execute(sql.load("feed")["place_of_run"], (run_id,)).fetchone()
    return ("", "") if row is None else (row[0], row[1])
