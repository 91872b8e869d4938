"""Journals whose writer is gone: delivered by whoever opens the home, their runs marked as Crashed.

Those of a home go into its database, those of an outbox to the server that they are meant for.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import warnings
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ostinato.core.errors import (
    DatabaseBusy,
    DatabaseForbidden,
    DatabaseUnreachable,
    DiskFull,
    HomeReadOnly,
    Refused,
    RequestInvalid,
    ServerAnswered,
    ServerFault,
    ServerUnreachable,
)
from ostinato.core.events import Block
from ostinato.store import claims
from ostinato.store.append import Entry, Writer, acked_seq, append
from ostinato.store.journal import SUFFIX, Frame, read, read_writer, tail
from ostinato.store.sqlite import explain
from ostinato.store.transaction import alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.session.home import Home
    from ostinato.store.database import Database

MOST_FRAMES: Final = 256
"""Blocks delivered by one transaction."""

_unpack = msgspec.msgpack.Decoder(Block).decode
LATER: Final = (
    DatabaseBusy,
    DatabaseForbidden,
    DatabaseUnreachable,
    DiskFull,
    HomeReadOnly,
    Refused,
    RequestInvalid,
    ServerAnswered,
    ServerFault,
    ServerUnreachable,
)
"""Errors after which orphans are left for the next one who opens the home."""
_UNREADABLE: Final = (msgspec.DecodeError, OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""What a block of a damaged mind does: it has the right CRC and makes no sense."""


class Orphan(msgspec.Struct):
    """The journal of a writer that is gone: its segments, oldest first, each locked by us."""

    stream: str
    segments: list[tuple[str, int]]
    """Path and file descriptor."""


class Keeper(Protocol):
    """Where orphans are delivered."""

    def append(self, writer: Writer, frames: Sequence[Frame]) -> int:
        """Append blocks; give how many of these follow what is known, or are known."""

    def crash(self, stream: str, message: str) -> int:
        """Mark what a stream left active as Crashed; give the number of flow runs that were."""


class DatabaseKeeper:
    """The database of a home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, writer: Writer, frames: Sequence[Frame]) -> int:
        known = acked_seq(self._database.db, writer.stream)
        n_known = sum(frame.last_seq <= known for frame in frames)
        if n_known == len(frames):
            return n_known
        entries = [
            Entry(frame.first_seq, frame.last_seq, frame.payload, _unpack(frame.payload).events)
            for frame in frames[n_known:]
        ]
        with self._database.writing() as db:
            gap = append(db, writer, entries, time.time_ns() // 1000).gap
        return n_known if gap else len(frames)

    def crash(self, stream: str, message: str) -> int:
        return crash_stream(self._database, stream, message, killed=True)


def deliver_orphans(home: Home, database: Database) -> list[str]:
    """Deliver the journals of writers that are gone; give a sentence for each. Cheap when there are none.

    When the database cannot be written now, what is left waits for the next process that opens the home.
    """
    return deliver(home, DatabaseKeeper(database))


def deliver(home: Home, keeper: Keeper) -> list[str]:
    """Deliver the journals of writers that are gone to a keeper; give a sentence for each."""
    told = []
    for stream, paths in segments(home).items():
        orphan = _take(stream, paths)
        if orphan is None:
            continue
        try:
            told.append(_deliver(home, keeper, orphan))
        except LATER:
            break
        finally:
            for _, fd in orphan.segments:
                os.close(fd)
    return told


def segments(home: Home) -> dict[str, list[str]]:
    """Give the files of all journals, oldest first, by stream."""
    try:
        names = sorted(os.listdir(home.journal))
    except FileNotFoundError:
        return {}
    streams: dict[str, list[str]] = {}
    for name in names:
        if name.endswith(SUFFIX):
            streams.setdefault(name.partition(".")[0], []).append(os.path.join(home.journal, name))
    return streams


def is_locked(path: str) -> bool:
    """Say whether the writer of a journal file lives (or somebody delivers it right now)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def crash_stream(database: Database, stream: str, message: str, *, killed: bool) -> int:
    """Mark what a stream left active as Crashed; give the number of flow runs that were."""
    try:
        if not claims.is_active(database.db, stream, killed=killed):
            return 0
    except sqlite3.Error as error:
        raise explain(error, database.path) from error
    with database.writing() as db:
        return len(claims.crash_stream(alone(db, database.folder), stream, message, killed=killed))


def _take(stream: str, paths: list[str]) -> Orphan | None:
    """Lock all segments of a stream, the oldest first; None when its writer lives or another process delivers it."""
    orphan = Orphan(stream, [])
    for path in paths:
        fd = -1
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError, PermissionError):  # the last: another user's
            if fd >= 0:
                os.close(fd)
            break
        if os.fstat(fd).st_nlink == 0:  # delivered and deleted while we opened it
            os.close(fd)
            continue
        orphan.segments.append((path, fd))
    return orphan if orphan.segments else None


def _deliver(home: Home, keeper: Keeper, orphan: Orphan) -> str:
    writer = Writer(orphan.stream, 0, "an unknown host", time.time_ns() // 1000)
    damage = ""
    for path, fd in orphan.segments:
        data = os.pread(fd, os.fstat(fd).st_size, 0)
        good = 0
        frames: list[tuple[int, Frame]] = []
        for end, frame in read(data):
            if frame.n_events == 0:
                writer, good = read_writer(frame), end
            else:
                frames.append((end, frame))
        for at in range(0, len(frames), MOST_FRAMES):
            ends, part = zip(*frames[at : at + MOST_FRAMES], strict=True)
            n_written = _append(keeper, writer, part)
            good = ends[n_written - 1] if n_written else good
            if n_written < len(part):
                break
        if tail(data, good) == "damaged":
            damage = _set_aside(home, path, data[good:])
    message = f"process {writer.pid} on {writer.host} ended without a word{damage}"
    n_crashed = keeper.crash(orphan.stream, message)
    for path, _ in orphan.segments:
        os.unlink(path)
    if damage:
        warnings.warn(f"ostinato: {message}", RuntimeWarning, stacklevel=2)
    return f"{message}; {n_crashed} runs are marked as Crashed"


def _append(keeper: Keeper, writer: Writer, frames: Sequence[Frame]) -> int:
    """Append blocks; give how many make sense: follow what is known, and are no garbage."""
    try:
        return keeper.append(writer, frames)
    except _UNREADABLE:
        if len(frames) == 1:
            return 0
    for number, frame in enumerate(frames):  # one of them is garbage: as far as it goes
        if not _append(keeper, writer, [frame]):
            return number
    return len(frames)


def _set_aside(home: Home, path: str, data: bytes) -> str:
    """Keep damaged bytes for those who want to look; give the words about it."""
    os.makedirs(home.damaged, exist_ok=True)
    aside = os.path.join(home.damaged, os.path.basename(path))
    with open(aside, "wb") as file:
        file.write(data)
    return f"; {len(data)} bytes of its journal are damaged and lie in {aside}"
