"""Journals whose writer is gone: delivered by whoever opens the home, their runs marked as Crashed."""

from __future__ import annotations

import fcntl
import os
import time
import warnings
from typing import TYPE_CHECKING

import msgspec

from ostinato.core.events import Block
from ostinato.store.append import Entry, Writer, append
from ostinato.store.claims import crash_stream
from ostinato.store.journal import SUFFIX, read, read_writer

if TYPE_CHECKING:
    from ostinato.session.home import Home
    from ostinato.store.sqlite import Database

_unpack = msgspec.msgpack.Decoder(Block).decode


class Orphan(msgspec.Struct):
    """The journal of a writer that is gone: its segments, each locked by us."""

    stream: str
    segments: list[tuple[str, int]]
    """Path and file descriptor, in order."""


def deliver_orphans(home: Home, database: Database) -> list[str]:
    """Deliver the journals of writers that are gone; give a sentence for each. Cheap when there are none."""
    told = []
    for stream, paths in _streams(home).items():
        orphan = _take(stream, paths)
        if orphan is None:
            continue
        try:
            told.append(_deliver(home, database, orphan))
        finally:
            for _, fd in orphan.segments:
                os.close(fd)
    return told


def _streams(home: Home) -> dict[str, list[str]]:
    try:
        names = sorted(os.listdir(home.journal))
    except FileNotFoundError:
        return {}
    streams: dict[str, list[str]] = {}
    for name in names:
        if name.endswith(SUFFIX):
            streams.setdefault(name.partition(".")[0], []).append(os.path.join(home.journal, name))
    return streams


def _take(stream: str, paths: list[str]) -> Orphan | None:
    """Lock all segments of a stream, the oldest first; None when its writer lives or another process delivers it."""
    orphan = Orphan(stream, [])
    for path in paths:
        fd = -1
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            if fd >= 0:
                os.close(fd)
            break
        if os.fstat(fd).st_nlink == 0:  # delivered and deleted while we opened it
            os.close(fd)
            continue
        orphan.segments.append((path, fd))
    return orphan if orphan.segments else None


def _deliver(home: Home, database: Database, orphan: Orphan) -> str:
    now = time.time_ns() // 1000
    writer = Writer(orphan.stream, 0, "", now)
    damage = ""
    for path, fd in orphan.segments:
        data = os.pread(fd, os.fstat(fd).st_size, 0)
        end = 0
        entries: list[Entry] = []
        for ends, frame in read(data):
            end = ends
            if frame.n_events == 0:
                writer = read_writer(frame)
                continue
            events = _unpack(frame.payload).events
            entries.append(Entry(frame.first_seq, frame.first_seq + frame.n_events - 1, frame.payload, events))
        gap = bool(entries) and _write(database, writer, entries, now)
        if end < len(data) or gap:
            damage = _set_aside(home, path, data[0 if gap else end :])
    message = f"process {writer.pid} on {writer.host} ended without a word{damage}"
    with database.writing() as db:
        crashed = crash_stream(db, orphan.stream, message, now, killed=True)
    for path, _ in orphan.segments:
        os.unlink(path)
    if damage:
        warnings.warn(f"ostinato: {message}", RuntimeWarning, stacklevel=2)
    return f"{message}; {len(crashed)} runs are marked as Crashed"


def _write(database: Database, writer: Writer, entries: list[Entry], now: int) -> bool:
    """Append what is not known yet; True when events before it are missing."""
    with database.writing() as db:
        return append(db, writer, entries, now).gap


def _set_aside(home: Home, path: str, data: bytes) -> str:
    """Keep damaged bytes for those who want to look; give the words about it."""
    os.makedirs(home.damaged, exist_ok=True)
    aside = os.path.join(home.damaged, os.path.basename(path))
    with open(aside, "wb") as file:
        file.write(data)
    return f"; {len(data)} bytes of its journal are damaged and lie in {aside}"
