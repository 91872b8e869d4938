"""A write transaction as commands see it: what is there, what time it is, who asks, and the way in for events."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import EventsMissing
from ostinato.core.events import Block
from ostinato.core.ids import new_id
from ostinato.store.append import Entry, Writer, append

if TYPE_CHECKING:
    from ostinato.core.events import Event
    from ostinato.store.database import WriteConnection

_pack: Final = msgspec.msgpack.Encoder().encode

SYSTEM: Final = "system"
"""The actor of what nobody asked for."""


class Tx:
    """One command's view of the transaction that it runs in."""

    __slots__ = ("_writer", "actor", "db", "home", "now", "seq", "wakes")

    def __init__(self, db: WriteConnection, writer: Writer, seq: int, now: int, actor: str, home: str) -> None:
        self.db = db
        self._writer = writer
        self.seq = seq
        """Last event of the stream that is written."""
        self.now = now
        """UTC microseconds; one instant for the whole transaction."""
        self.actor = actor or SYSTEM
        self.home = home
        """Folder of the home, for messages."""
        self.wakes = False
        """Whether workers that wait should look again."""

    def append(self, *events: Event) -> None:
        """Write events and what follows from them, for later statements of this transaction to see."""
        if not events:
            return
        first, last = self.seq + 1, self.seq + len(events)
        payload = _pack(Block(self._writer.stream, first, list(events)))
        acked = append(self.db, self._writer, [Entry(first, last, payload, list(events))], self.now).acked_seq
        if acked != last:
            raise EventsMissing(first=acked + 1, last=first - 1, stream=self._writer.stream)
        self.seq = last


def alone(db: WriteConnection, home: str) -> Tx:
    """Give the view of a transaction that is all of its stream: for who has no ledger."""
    now = time.time_ns() // 1000
    return Tx(db, Writer(new_id(), os.getpid(), os.uname().nodename, now), 0, now, "", home)
