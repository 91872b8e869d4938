"""The stream of this process: a queue, and the thread that journals it and commits it to the database."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import DatabaseCorrupt, DatabaseNewer, JournalFull, OstinatoError, StorageError
from ostinato.core.events import Block, CacheStored, Event, VariableSet
from ostinato.core.ids import new_id
from ostinato.store.append import Entry, Writer, append
from ostinato.store.journal import Journal, Place
from ostinato.store.sqlite import Database, explain

if TYPE_CHECKING:
    from ostinato.core.ports import Durability
    from ostinato.core.settings import Settings
    from ostinato.session.home import Home

NEVER: Final = 1 << 62
BLOCK_BYTES: Final = 8 << 20
"""Larger blocks are halved."""
COMMIT_BYTES: Final = 16 << 20
"""Most bytes of blocks in one transaction, and of blocks held in memory until they are committed."""
LOCK_PAUSES_S: Final = (0.0, 0.001, 0.002, 0.004, 0.008)
"""Between tries to write the database, before it is the journal's turn again."""
RETRY_S: Final = 0.25
"""Until the database is tried again after it failed."""
TURN_S: Final = 0.005
"""Until it is tried again while another process writes."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Block).decode
_REMEMBERED: Final = frozenset((CacheStored, VariableSet))
_PERMANENT: Final = (DatabaseCorrupt, DatabaseNewer)


class Waiting(msgspec.Struct):
    """A block that is in the journal and not yet in the database."""

    first_seq: int
    last_seq: int
    place: Place
    entry: Entry | None
    """None when memory is short: it is read from the journal again."""


class Stream:
    """Records the events of this process, in order, each exactly once.

    Any thread may call; one thread of its own writes, woken by the first event.
    """

    def __init__(self, settings: Settings, home: Home, database: Database) -> None:
        self.settings = settings
        self.home = home
        self._database: Database | None = database
        """The connection of the thread."""
        self._begin()

    def _begin(self) -> None:
        self.stream = new_id()
        writer = Writer(self.stream, os.getpid(), socket.gethostname(), time.time_ns() // 1000)
        self._writer = writer
        self._journal = Journal(self.home.journal, writer)
        self._queue: deque[Event] = deque()
        self._limit = -1
        """`record` looks closer when more events are queued: -1 always, 0 while the thread sleeps."""
        self._due_at = NEVER
        """`record` looks closer at an event after this instant: the oldest one should be synced by then."""
        self._since_s = 0.0
        """Monotonic instant after which the oldest event that is not synced came."""
        self._taken_s = 0.0
        """Monotonic instant at which the queue was last taken."""
        self._remembered: dict[tuple[type, str], tuple[CacheStored | VariableSet, int]] = {}
        """What this process set that may not be in the database yet."""
        self._stale: dict[str, int] = {}
        self._n_taken = self._synced_seq = self._acked_seq = 0
        self._unsynced: list[Event] = []
        """Taken from the queue, not in the journal."""
        self._backlog: deque[Waiting] = deque()
        self._backlog_bytes = self._held_bytes = 0
        self._error: Exception | None = None
        """Why events cannot be synced."""
        self._database_error: Exception | None = None
        """Why synced events cannot be committed."""
        self._taking = threading.Lock()
        self._moved = threading.Condition(threading.Lock())
        """Tells callers that wait: events were synced or committed, or cannot be."""
        self._work = threading.Event()
        """Tells the thread: do not wait any longer."""
        self._stopping = False
        self._thread: threading.Thread | None = None

    # --- callers

    def record(self, event: Event) -> None:
        """Push one event; cheap; waits only while the disk lags behind."""
        queue = self._queue
        queue.append(event)
        if type(event) in _REMEMBERED:
            self._remember(event)  # type: ignore[arg-type]
        if len(queue) > self._limit or event.at > self._due_at:
            self._look_closer(event)

    def is_stale(self, run_id: str) -> int:
        """Give the newer epoch when this process was told that its epoch of the root run is old, else 0."""
        return self._stale.get(run_id, 0)

    def settle(self, level: Durability, timeout_s: float | None = None) -> bool:
        """Wait until everything recorded so far has reached `level`; False when time ran out.

        Raises:
            StorageError: events cannot be synced, or (for `database`) never be committed.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._taking:
            target = self._n_taken + len(self._queue)
        with self._moved:
            while True:
                if self._error is not None:
                    self._work.set()
                    raise _again(self._error)
                reached = {"relaxed": target, "disk": self._synced_seq, "database": self._acked_seq}[level]
                if reached >= target:
                    return True
                if level == "database" and isinstance(self._database_error, _PERMANENT):
                    raise _again(self._database_error)
                self._wake()
                left_s = None if end is None else end - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return False
                self._moved.wait(left_s)

    def start_afresh(self) -> None:
        """Begin a stream of its own in a forked child; journal and database of the parent are left alone."""
        self._journal.abandon()
        if self._database is not None:
            self._database.abandon()
        self._database = None
        self._begin()

    def _look_closer(self, event: Event) -> None:
        """Wake the thread, wait for the disk, or tell what went wrong."""
        if self._error is not None:
            self._work.set()
            raise _again(self._error)
        if self.settings.durability != "relaxed":
            self.settle(self.settings.durability)
            return
        if self._limit <= 0:  # the thread sleeps
            self._since_s = time.monotonic()
            self._due_at = event.at + self.settings.disk_lag_ms * 1000
            self._limit = self.settings.disk_lag_events
            self._wake()
            return
        late_s = time.monotonic() - self._since_s - self.settings.disk_lag_ms / 1000
        if late_s < 0 and len(self._queue) <= self._limit:
            self._due_at = event.at - int(late_s * 1e6)  # the clock jumped, or events were synced meanwhile
            return
        with self._moved:
            synced = self._synced_seq
            self._work.set()
            while self._synced_seq == synced and self._error is None:
                self._moved.wait()

    def _remember(self, event: CacheStored | VariableSet) -> None:
        name = event.cache_key if type(event) is CacheStored else event.name  # type: ignore[union-attr]
        with self._taking:
            self._remembered[type(event), name] = (event, self._n_taken + len(self._queue))

    def _wake(self) -> None:
        if self._thread is None:
            with self._taking:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="ostinato-writer", daemon=True)
                    self._thread.start()
        self._work.set()

    # --- the thread

    def _run(self) -> None:
        try:
            while not (self._stopping and not self._queue and not self._unsynced):
                self._wait()
                self._sync()
                self._commit()
        except BaseException as error:  # a mistake of ours: callers must see it, nobody else can
            self._fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            raise

    def _wait(self) -> None:
        """Sleep until there is something to do, then collect events for a moment."""
        if self._error is not None:
            self._work.wait()
            self._work.clear()
            return
        if not self._queue and not self._stopping:
            self._limit = 0 if self.settings.durability == "relaxed" else -1
            if not self._queue:
                self._work.wait(TURN_S if self._backlog else None)
                self._work.clear()
        if not self._stopping and self.settings.durability == "relaxed" and self.settings.group_ms:
            left_s = self._since_s + self.settings.group_ms / 1000 - time.monotonic()
            if left_s > 0:
                self._work.wait(left_s)
        self._work.clear()

    def _sync(self) -> None:
        """Move the queue into the journal."""
        events = self._unsynced
        if not events:
            pop = self._queue.popleft
            self._taken_s = time.monotonic()
            with self._taking:
                events = [pop() for _ in range(len(self._queue))]
                self._n_taken += len(events)
                if self.settings.durability == "relaxed":
                    self._limit = max(self.settings.disk_lag_events - len(events), 1)
        if not events:
            return
        self._unsynced = events
        try:
            self._journal_events(self._synced_seq + 1, events)
        except OstinatoError as error:
            done = self._backlog[-1].last_seq if self._backlog else self._acked_seq
            self._unsynced = events[done - self._synced_seq :]
            self._synced_seq = done
            self._fail(error)
            return
        self._unsynced = []
        age_us = int((time.monotonic() - self._taken_s) * 1e6)
        self._since_s = self._taken_s
        self._due_at = time.time_ns() // 1000 - age_us + self.settings.disk_lag_ms * 1000
        if self.settings.durability == "relaxed":
            self._limit = self.settings.disk_lag_events
        with self._moved:
            self._error = None
            self._synced_seq += len(events)
            self._moved.notify_all()

    def _journal_events(self, first_seq: int, events: list[Event]) -> None:
        payload = _pack(Block(self.stream, first_seq, events))
        if len(payload) > BLOCK_BYTES and len(events) > 1:
            half = len(events) // 2
            self._journal_events(first_seq, events[:half])
            self._journal_events(first_seq + half, events[half:])
            return
        quota_mb = self.settings.journal_quota_mb
        if self._backlog_bytes + len(payload) > quota_mb << 20:
            raise JournalFull(path=self.home.journal, quota_mb=quota_mb, reason=self._database_error or "it lags")
        place = self._journal.append(first_seq, len(events), payload)
        last_seq = first_seq + len(events) - 1
        entry = None
        if self._held_bytes + len(payload) <= COMMIT_BYTES or not self._held_bytes:
            entry = Entry(first_seq, last_seq, payload, events)
            self._held_bytes += len(payload)
        self._backlog.append(Waiting(first_seq, last_seq, place, entry))
        self._backlog_bytes += len(payload)

    def _fail(self, error: Exception) -> None:
        self._limit = -1
        with self._moved:
            self._error = error
            self._moved.notify_all()

    def _commit(self) -> None:
        """Move the journal into the database, as far as it can be written now."""
        for pause_s in LOCK_PAUSES_S:
            if not self._backlog or self._queue_is_urgent():
                return
            time.sleep(pause_s) if pause_s else None
            try:
                if self._database is None:
                    self._database = Database(self.home.database)
                while self._backlog and self._database.try_begin():
                    self._commit_some(self._database)
                    if self._queue:
                        return
            except (sqlite3.Error, StorageError) as error:
                self._database_failed(error)
                return

    def _queue_is_urgent(self) -> bool:
        return bool(self._queue) and time.monotonic() - self._since_s > self.settings.disk_lag_ms / 2000

    def _commit_some(self, database: Database) -> None:
        entries: list[Entry] = []
        n_bytes = 0
        for waiting in self._backlog:
            entry = waiting.entry or self._load(waiting)
            n_bytes += len(entry.payload)
            if entries and n_bytes > COMMIT_BYTES:
                break
            entries.append(entry)
        try:
            done = append(database.db, self._writer, entries, time.time_ns() // 1000)
            database.commit()
        except BaseException:
            database.rollback()
            raise
        self._stale.update(done.stale)
        while self._backlog and self._backlog[0].last_seq <= done.acked_seq:
            waiting = self._backlog.popleft()
            self._backlog_bytes -= waiting.place.n_bytes
            if waiting.entry is not None:
                self._held_bytes -= waiting.place.n_bytes
        self._journal.acknowledge(done.acked_seq)
        if self._remembered:
            self._forget(done.acked_seq)
        with self._moved:
            self._database_error = None
            self._acked_seq = done.acked_seq
            self._moved.notify_all()

    def _load(self, waiting: Waiting) -> Entry:
        payload = self._journal.load(waiting.place)
        return Entry(waiting.first_seq, waiting.last_seq, payload, _unpack(payload).events)

    def _forget(self, acked_seq: int) -> None:
        with self._taking:
            old = [key for key, (_, seq) in self._remembered.items() if seq <= acked_seq]
            for key in old:
                del self._remembered[key]

    def _database_failed(self, error: sqlite3.Error | StorageError) -> None:
        with self._moved:
            self._database_error = explain(error, self.home.database) if isinstance(error, sqlite3.Error) else error
            self._moved.notify_all()
        self._work.clear()
        self._work.wait(RETRY_S)


def _again(error: Exception) -> Exception:
    """Give an error to raise anew, so that its traceback does not grow with each time."""
    if isinstance(error, OstinatoError):
        again = type(error)(**error.values)
        again.__cause__ = error.__cause__
        return again
    return error
