"""The stream of this process: a queue, and the thread that journals it and commits it to the database.

The way of an event: `record` puts it into the queue; after at most `group_ms` the thread takes the
queue, packs it into a block and syncs that to the journal; after at most `commit_ms`, or when
somebody waits for it, blocks go into the database together. Callers wait only when the journal
lags behind by more than its bounds, or when they ask to (`settle`).

The thread shares the GIL with user code, and waits up to 5 ms each time it needs it back: so it
makes few and large calls into C.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import DatabaseBusy, DatabaseCorrupt, DatabaseNewer, JournalFull, OstinatoError, StorageError
from ostinato.core.events import Block, CacheStored, Event, VariableSet
from ostinato.core.ids import new_id
from ostinato.session.bell import Bell
from ostinato.session.clean import clean
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
COMMIT_BYTES: Final = 4 << 20
"""Most bytes of blocks in one transaction: the journal waits while it lasts."""
HELD_BYTES: Final = 16 << 20
"""Most bytes of blocks held in memory until they are committed."""
COMMIT_EVENTS: Final = 1024
"""So many events are committed at once, fewer wait for each other."""
LOCK_PAUSES_S: Final = (0.0, 0.001, 0.002, 0.004, 0.008)
"""Between tries to write the database, before it is the journal's turn again."""
BUSY_S: Final = 0.02
"""Longest wait inside SQLite for a foreign program that writes."""
FORK_WAIT_S: Final = 5.0
"""Longest wait of a fork for the thread to pause."""
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
    journaled_s: float
    """Monotonic instant."""
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
        self._relaxed = settings.durability == "relaxed"
        self._begin()
        self._start()

    def _begin(self) -> None:
        self.stream = new_id()
        self._writer = Writer(self.stream, os.getpid(), os.uname().nodename, time.time_ns() // 1000)
        self._journal = Journal(self.home.journal, self._writer)
        self._journal_wanted = False
        """Somebody waits for the journal to have a file."""
        self._queue: deque[Event] = deque()
        self._limit = -1
        """`record` looks closer when more events are queued: -1 always, 0 while the thread sleeps."""
        self._due_at = NEVER
        """`record` looks closer at an event after this instant: the oldest one should be synced by then."""
        self._since_s = 0.0
        """Monotonic instant after which the oldest event that is not synced came."""
        self._remembered: dict[tuple[type, str], tuple[CacheStored | VariableSet, int]] = {}
        """What this process set that may not be in the database yet, and up to which seq it may not be."""
        self._stale: dict[str, int] = {}
        self._n_taken = self._synced_seq = self._acked_seq = 0
        self._wanted_synced = self._wanted_acked = 0
        """What callers wait for."""
        self._unsynced: list[Event] = []
        """Taken from the queue, not in the journal."""
        self._backlog: deque[Waiting] = deque()
        self._backlog_bytes = self._held_bytes = 0
        self._error: Exception | None = None
        """Why events cannot be synced."""
        self._database_error: Exception | None = None
        """Why synced events cannot be committed."""
        # A signal handler may record and settle while its thread is anywhere in here: a caller holds no lock that the
        # thread waits for, but the one of `_moved`, which a wait lets go of even when it is held twice.
        self._n_takes = 0
        """Odd while the thread takes the queue."""
        self._remembering = threading.RLock()
        self._starting = threading.Lock()
        self._working = threading.Lock()
        """Held by the thread while it is at work, and by who forks: a child must not inherit SQLite in mid-call."""
        self._moved = threading.Condition(threading.RLock())
        """Tells callers that wait: events were synced or committed, or cannot be."""
        self._bell = Bell()
        """Wakes the thread."""
        self._paused = self._stopping = False
        self._thread: threading.Thread | None = None

    # --- callers

    def record(self, event: Event) -> None:
        """Push one event; cheap; waits only while the disk lags behind.

        Raises:
            StorageError: (disk-full, journal-full, ...) earlier events could not be written.
        """
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
            StorageError: events cannot be synced, or (for `database`) can never be committed.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        target = self._n_recorded()
        with self._moved:
            if level != "relaxed":
                self._wanted_synced = max(self._wanted_synced, target)
            if level == "database":
                self._wanted_acked = max(self._wanted_acked, target)
            while True:
                if self._error is not None:
                    self._bell.ring()  # it may be mended: the thread tries again
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

    def _settle_within(self, timeout_s: float, level: Durability = "database") -> None:
        """Wait as `settle` does, and raise what kept the database from being written when time runs out."""
        if not self.settle(level, timeout_s):
            error = self._database_error or DatabaseBusy(path=self.home.database, waited_s=timeout_s)
            raise _again(error)

    def before_fork(self) -> None:
        """Wait until the thread pauses, and keep it so."""
        self._paused = self._working.acquire(timeout=FORK_WAIT_S)

    def after_fork(self) -> None:
        """Let the thread of the parent go on."""
        if self._paused:
            self._working.release()

    def start_afresh(self) -> None:
        """Begin a stream of its own in a forked child; journal and database of the parent are left alone."""
        self._journal.abandon()
        if self._database is not None:
            self._database.abandon()
        self._database = None
        self._begin()

    def _look_closer(self, event: Event) -> None:
        """Wake the thread, wait for the disk, or tell what went wrong."""
        if self._stopping:  # a thread that was left behind while the process ends
            return
        if self._error is not None:
            self._bell.ring()
            raise _again(self._error)
        if not self._relaxed:
            self._settle_within(self.settings.exit_wait_s, self.settings.durability)
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
        target = self._n_recorded()
        with self._moved:
            self._wanted_synced = max(self._wanted_synced, target)
            # What is being written now is the oldest; when nothing is, all of the queue comes next.
            goal = self._n_taken if self._n_taken > self._synced_seq else target
            self._bell.ring()
            while self._synced_seq < goal and self._error is None:
                self._moved.wait()

    def _n_recorded(self) -> int:
        while True:
            n_takes = self._n_takes
            n_recorded = self._n_taken + len(self._queue)
            if n_takes % 2 == 0 and n_takes == self._n_takes:
                return n_recorded
            time.sleep(0)

    def _remember(self, event: CacheStored | VariableSet) -> None:
        name = event.cache_key if isinstance(event, CacheStored) else event.name
        with self._remembering:
            self._remembered[type(event), name] = (event, self._n_recorded())

    def _hold_journal(self) -> None:
        """Wait until the journal has a file, by whose lock others see that this process lives."""
        with self._moved:
            self._journal_wanted = True
            while not self._journal.segments:
                if self._error is not None:
                    self._bell.ring()
                    raise _again(self._error)
                self._wake()
                self._moved.wait()

    def _wake(self) -> None:
        if self._thread is None:
            self._start()
        self._bell.ring()

    def _start(self) -> None:
        if self._starting.acquire(blocking=False):
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ostinato-writer", daemon=True)
                self._thread.start()
            self._starting.release()

    # --- the thread: what comes next

    def _run(self) -> None:
        try:
            while not self._is_done():
                self._wait()
                with self._working:
                    self._sync()
                    self._commit()
                if self._database_error is not None and self._backlog and not self._queue:
                    self._bell.wait(RETRY_S)
        except BaseException as error:  # a mistake of ours: callers must see it, nobody else can
            self._fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            raise

    def _is_done(self) -> bool:
        return self._stopping and (self._error is not None or not (self._queue or self._unsynced))

    def _wait(self) -> None:
        """Sleep until there is something to do, then collect events for a moment."""
        if self._error is not None:
            self._bell.wait(None)
            return
        if not self._queue and not self._stopping:
            self._limit = 0 if self._relaxed else -1
            if not (self._queue or self._journal_wanted or self._wanted_acked > self._acked_seq):
                self._bell.wait(self._commit_due_s())
        while self._queue and not self._stopping and self._wanted_synced <= self._synced_seq:
            left_s = self._since_s + self.settings.group_ms / 1000 - time.monotonic()
            if left_s <= 0:
                break
            self._bell.wait(left_s)

    def _commit_due_s(self) -> float | None:
        """Give the seconds until the oldest block should be committed; None when there is none."""
        if not self._backlog:
            return None
        return max(self._backlog[0].journaled_s + self.settings.commit_ms / 1000 - time.monotonic(), TURN_S)

    def _commit_is_due(self) -> bool:
        return (
            self._wanted_acked > self._acked_seq
            or self._stopping
            or self._synced_seq - self._acked_seq >= COMMIT_EVENTS
            or time.monotonic() - self._backlog[0].journaled_s >= self.settings.commit_ms / 1000
        )

    def _queue_is_urgent(self) -> bool:
        return bool(self._queue) and time.monotonic() - self._since_s > self.settings.disk_lag_ms / 2000

    # --- the thread: queue to journal

    def _sync(self) -> None:
        """Move the queue into the journal."""
        taken_s = time.monotonic()
        if not self._unsynced:
            self._unsynced = self._take()
        events = self._unsynced
        if not events and not self._journal_wanted:
            return
        try:
            if self._journal_wanted:
                self._journal.begin()
                self._journal_wanted = False
            if events:
                self._journal_events(events)
        except OstinatoError as error:
            self._unsynced = events[self._synced_seq - (self._n_taken - len(events)) :]
            self._fail(error)
            return
        self._unsynced = []
        self._since_s = taken_s
        age_us = int((time.monotonic() - taken_s) * 1e6)
        self._due_at = time.time_ns() // 1000 - age_us + self.settings.disk_lag_ms * 1000
        with self._moved:
            if self._relaxed:
                self._limit = self.settings.disk_lag_events
            self._error = None
            self._moved.notify_all()

    def _take(self) -> list[Event]:
        pop = self._queue.popleft
        self._n_takes += 1
        events = [pop() for _ in range(len(self._queue))]
        self._n_taken += len(events)
        self._n_takes += 1
        if self._relaxed:
            self._limit = max(self.settings.disk_lag_events - len(events), 1)
        return events

    def _journal_events(self, events: list[Event]) -> None:
        """Write events as one block, or as several when they are large."""
        first_seq = self._synced_seq + 1
        try:
            payload = _pack(Block(self.stream, first_seq, events))
        except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
            events = [clean(event) for event in events]
            payload = _pack(Block(self.stream, first_seq, events))
        if len(payload) > BLOCK_BYTES and len(events) > 1:
            half = len(events) // 2
            self._journal_events(events[:half])
            self._journal_events(events[half:])
            return
        quota_mb = self.settings.journal_quota_mb
        if self._backlog_bytes + len(payload) > quota_mb << 20:
            raise JournalFull(path=self.home.journal, quota_mb=quota_mb, reason=self._database_error or "it lags")
        place = self._journal.append(first_seq, len(events), payload)
        last_seq = first_seq + len(events) - 1
        entry = None
        if not self._held_bytes or self._held_bytes + len(payload) <= HELD_BYTES:
            entry = Entry(first_seq, last_seq, payload, events)
            self._held_bytes += len(payload)
        self._backlog.append(Waiting(first_seq, last_seq, place, time.monotonic(), entry))
        self._backlog_bytes += len(payload)
        self._synced_seq = last_seq

    def _fail(self, error: Exception) -> None:
        with self._moved:
            self._limit = -1
            self._error = error
            self._moved.notify_all()

    # --- the thread: journal to database

    def _commit(self) -> None:
        """Move the journal into the database when it is time, as far as it can be written now."""
        if not self._backlog or not self._commit_is_due():
            return
        for pause_s in LOCK_PAUSES_S:
            if pause_s:
                time.sleep(pause_s)
            if self._queue_is_urgent():
                return
            try:
                if self._database is None:
                    self._database = Database(self.home.database, busy_s=BUSY_S)
                while self._backlog and self._database.try_begin():
                    self._commit_some(self._database)
                    if self._queue:
                        return
            except (sqlite3.Error, StorageError) as error:
                self._database_failed(error)
                return
            if not self._backlog:
                return

    def _commit_some(self, database: Database) -> None:
        entries: list[Entry] = []
        n_bytes = 0
        for waiting in self._backlog:
            n_bytes += waiting.place.n_bytes
            if entries and n_bytes > COMMIT_BYTES:
                break
            entries.append(waiting.entry or self._load(waiting))
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
        if self._remembering.acquire(blocking=False):
            for key in [key for key, (_, seq) in self._remembered.items() if seq <= acked_seq]:
                del self._remembered[key]
            self._remembering.release()

    def _database_failed(self, error: sqlite3.Error | StorageError) -> None:
        with self._moved:
            self._database_error = explain(error, self.home.database) if isinstance(error, sqlite3.Error) else error
            self._moved.notify_all()


def _again(error: Exception) -> Exception:
    """Give an error to raise anew, so that its traceback does not grow with each time."""
    if isinstance(error, OstinatoError):
        again = type(error)(**error.values)
        again.__cause__ = error.__cause__
        return again
    return error
