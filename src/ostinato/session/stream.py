"""The stream of this process: a queue, and the thread that journals it and has it acknowledged by a sink.

The way of an event: `record` puts it into the queue; after at most `group_ms` the thread takes the
queue, packs it into a block and syncs that to the journal; after at most `commit_ms`, or when
somebody waits for it, blocks go into the database together. When the sink is a server that answers,
it is offered the block first, and the journal takes only what is not acknowledged soon. Callers
wait only when events are on no disk for longer than the bounds, or when they ask to (`settle`).

The thread shares the GIL with user code, and waits up to 5 ms each time it needs it back: so it
makes few and large calls into C.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import DatabaseCorrupt, DatabaseNewer, EventsMissing, JournalFull, OstinatoError, Refused
from ostinato.core.events import Block, CacheStored, Event, VariableSet
from ostinato.core.ids import new_id
from ostinato.core.records import Variable
from ostinato.session.bell import Bell
from ostinato.session.clean import clean
from ostinato.store.append import Entry, Writer
from ostinato.store.journal import Journal, Place

if TYPE_CHECKING:
    from ostinato.core.ports import Durability
    from ostinato.core.results import Result
    from ostinato.core.settings import Settings
    from ostinato.session.home import Home
    from ostinato.session.sinks import Sink
    from ostinato.store.append import Appended

NEVER: Final = 1 << 62
BLOCK_BYTES: Final = 8 << 20
"""Larger blocks are halved."""
COMMIT_BYTES: Final = 4 << 20
"""Most bytes of blocks in one transaction: the journal waits while it lasts."""
HELD_BYTES: Final = 16 << 20
"""Most bytes of blocks held in memory until they are committed."""
COMMIT_EVENTS: Final = 1024
"""So many events are committed at once, fewer wait for each other."""
FORK_WAIT_S: Final = 5.0
"""Longest wait of a fork for the thread to pause."""
RETRY_S: Final = 0.25
"""Until the sink is tried again after it failed."""
AGAIN_S: Final = 1.0
"""Longest wait at the end for what has been waited for in vain already."""
AHEAD_SHARE: Final = 0.6
"""The journal takes a block that is not acknowledged after so much of the bound of the lag."""
TURN_S: Final = 0.005
"""Until it is tried again while another process writes."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Block).decode
_REMEMBERED: Final = frozenset((CacheStored, VariableSet))
_PERMANENT: Final = (DatabaseCorrupt, DatabaseNewer, EventsMissing)


class Waiting(msgspec.Struct):
    """A block that is not acknowledged."""

    first_seq: int
    last_seq: int
    n_bytes: int
    since_s: float
    """Monotonic instant after which its oldest event came; in the journal, when that was."""
    entry: Entry | None
    """None when memory is short: it is read from the journal again."""
    place: Place | None = None
    """None while it is not in the journal."""


class Stream:
    """Records the events of this process, in order, each exactly once.

    Any thread may call; one thread of its own writes, woken by the first event.
    """

    def __init__(self, settings: Settings, home: Home, sink: Sink, *, watched: bool = False) -> None:
        """Begin to write; `watched` when somebody sees by other means than the journal that this process dies."""
        self.settings = settings
        self.home = home
        self._sink = sink
        self._is_watched = watched
        self._relaxed = settings.durability == "relaxed"
        self._begin()

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
        self._since_s = self._queued_s = 0.0
        """Monotonic instants after which came the oldest event that is not synced, and the oldest one in the queue."""
        self._remembered: dict[tuple[type, str], tuple[CacheStored | VariableSet, int]] = {}
        """What this process set that may not be in the database yet, and up to which seq it may not be."""
        self._stale: dict[str, int] = {}
        self._n_taken = self._synced_seq = self._acked_seq = 0
        self._wanted_synced = self._wanted_acked = 0
        """What callers wait for."""
        self._fresh: deque[Waiting] = deque()
        """Blocks that are not in the journal; they follow those of the backlog."""
        self._backlog: deque[Waiting] = deque()
        """Blocks that are."""
        self._backlog_bytes = self._held_bytes = 0
        self._error: Exception | None = None
        """Why events cannot be synced."""
        self._sink_error: Exception | None = None
        """Why events cannot be acknowledged."""
        # A signal handler may record and settle while its thread is anywhere in here: a caller holds no lock that the
        # thread waits for, but the one of `_moved`, which a wait lets go of even when it is held twice.
        self._n_takes = 0
        """Odd while the thread takes the queue."""
        self._remembering = threading.RLock()
        self._starting = threading.Lock()
        self._working = threading.Lock()
        """Held by the thread while it is at work, and by who forks: a child must not inherit SQLite in mid-call."""
        self._moved = threading.Condition(threading.RLock())
        """Tells callers that wait: events were synced or acknowledged, or cannot be."""
        self._bell = Bell()
        """Wakes the thread."""
        self._has_waited = False
        """Somebody has waited for the sink in vain."""
        self._paused = self._stopping = False
        self._thread: threading.Thread | None = None
        self._sink.begin(self._bell.ring)

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
                if level == "database" and self._sink_error is not None and self._is_permanent(self._sink_error):
                    raise _again(self._sink_error)
                self._wake()
                left_s = None if end is None else end - time.monotonic()
                if left_s is not None and left_s <= 0:
                    self._has_waited = self._has_waited or level == "database"
                    return False
                self._moved.wait(left_s)

    def _settle_within(self, timeout_s: float, level: Durability = "database") -> None:
        """Wait as `settle` does, and raise what kept events from being acknowledged when time runs out."""
        if not self.settle(level, timeout_s):
            raise _again(self._sink_error or self._sink.late(timeout_s))

    def before_fork(self) -> None:
        """Wait until the thread pauses, and keep it so."""
        self._paused = self._working.acquire(timeout=FORK_WAIT_S)

    def after_fork(self) -> None:
        """Let the thread of the parent go on."""
        if self._paused:
            self._working.release()

    def start_afresh(self) -> None:
        """Begin a stream of its own in a forked child; journal and sink of the parent are left alone."""
        self._journal.abandon()
        self._begin()

    def close(self) -> str:
        """Deliver what is recorded, mark what is still active as Crashed, let go; give what went wrong, or ""."""
        trouble = self._deliver_all()
        self._stopping = True
        self._bell.ring()
        if self._thread is not None:
            self._thread.join(self.settings.exit_wait_s)
            if self._thread.is_alive():  # it holds the database; what it leaves behind, the next process delivers
                return trouble or f"the disk did not answer for {self.settings.exit_wait_s:g} s"
        if not trouble and self._n_taken and not self._is_watched:
            try:
                self._farewell()
            except OstinatoError as error:
                trouble = str(error)
        if trouble:
            self._journal.abandon()
        else:
            self._journal.finish()
        self._sink.close()
        return trouble

    def _farewell(self) -> None:
        """Look after what this process leaves behind: all that it recorded is acknowledged."""

    def _deliver_all(self) -> str:
        """Give what kept events from being acknowledged, or ""."""
        if not self._n_recorded():
            return ""
        wait_s = min(AGAIN_S, self.settings.exit_wait_s) if self._has_waited else self.settings.exit_wait_s
        try:
            if self.settle("database", wait_s):
                return ""
        except OstinatoError as error:
            return str(error)
        return str(self._sink_error or f"{self._sink.name} was busy for {self.settings.exit_wait_s:g} s")

    def _look_closer(self, event: Event) -> None:
        """Wake the thread, wait for the disk, or tell what went wrong."""
        if self._stopping:  # a thread that was left behind while the process ends
            return
        if self._error is not None:
            self._bell.ring()
            raise _again(self._error)
        if not self._relaxed:
            self._queued_s = time.monotonic()
            self._settle_within(self.settings.exit_wait_s, self.settings.durability)
            return
        if self._limit <= 0:  # the thread sleeps
            self._queued_s = time.monotonic()
            if not self._fresh:
                self._since_s = self._queued_s
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

    def _own_cached(self, cache_key: str, now: int) -> tuple[bool, Result | None] | None:
        """Give what this process put into the cache, (True, result) when it is fresh; None when that is not known."""
        event, _ = self._remembered.get((CacheStored, cache_key), (None, 0))
        if not isinstance(event, CacheStored):
            return None
        fresh = event.expires_at == 0 or event.expires_at > now
        return fresh, event.result if fresh else None

    def _is_remembered(self, cache_key: str) -> bool:
        return (CacheStored, cache_key) in self._remembered

    def _own_variable(self, name: str) -> tuple[bool, Variable | None]:
        """Say whether this process has set or unset a variable a moment ago, and give it."""
        event, _ = self._remembered.get((VariableSet, name), (None, 0))
        if not isinstance(event, VariableSet):
            return False, None
        if event.value is None:
            return True, None
        return True, Variable(name=name, value=event.value, tags=event.tags, updated_at=event.at)

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
                # While the sink is busy its ring is waited for: a pause here might hear it, and nobody would look.
                if self._sink_error is not None and self._backlog and not (self._queue or self._sink.is_busy):
                    self._bell.wait(RETRY_S)
        except BaseException as error:  # a mistake of ours: callers must see it, nobody else can
            self._fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))
            raise

    def _is_done(self) -> bool:
        return self._stopping and (self._error is not None or not (self._queue or self._fresh))

    def _wait(self) -> None:
        """Sleep until there is something to do, then collect events for a moment."""
        if self._error is not None:
            self._bell.wait(None)
            return
        if not self._queue and not self._stopping:
            self._limit = 0 if self._relaxed else -1
            left_s = self._left_s()
            if not (self._queue or self._journal_wanted or left_s == 0.0):
                self._bell.wait(left_s)
        while self._queue and not self._stopping and self._wanted_synced <= self._synced_seq:
            left_s = self._queued_s + self.settings.group_ms / 1000 - time.monotonic()
            if left_s <= 0:
                break
            self._bell.wait(left_s)

    def _left_s(self) -> float | None:
        """Give the seconds until something is to be done with the blocks; None when a ring will tell."""
        now_s = time.monotonic()
        ends_s: list[float] = []
        if self._fresh:
            ends_s.append(self._fresh[0].since_s + self._ahead_s() if self._may_wait() else now_s)
        if not self._sink.is_busy and (self._backlog or self._wanted_acked > self._acked_seq):
            if self._wanted_acked > self._acked_seq or self._sink.is_ahead:
                ends_s.append(now_s)
            else:
                ends_s.append(max(self._backlog[0].since_s + self.settings.commit_ms / 1000, now_s + TURN_S))
        return max(min(ends_s) - now_s, 0.0) if ends_s else None

    def _ahead_s(self) -> float:
        """Give the age at which a block goes into the journal although the sink was offered it."""
        return self.settings.disk_lag_ms / 1000 * AHEAD_SHARE

    def _may_wait(self) -> bool:
        """Say whether new blocks are kept out of the journal for a moment: the sink is likely to take them by then."""
        return self._sink.is_ahead and not self._backlog and not self._stopping

    def _commit_is_due(self) -> bool:
        if self._sink.is_ahead:
            return bool(self._fresh or self._backlog)
        return bool(self._backlog) and (
            self._wanted_acked > self._acked_seq
            or self._stopping
            or self._sink.is_busy
            or self._synced_seq - self._acked_seq >= COMMIT_EVENTS
            or time.monotonic() - self._backlog[0].since_s >= self.settings.commit_ms / 1000
        )

    def _queue_is_urgent(self) -> bool:
        return bool(self._queue) and time.monotonic() - self._since_s > self.settings.disk_lag_ms / 2000

    # --- the thread: queue to journal

    def _sync(self) -> None:
        """Make blocks of the queue, and move those that cannot wait into the journal."""
        taken_s = time.monotonic()
        events = [] if self._error is not None and self._fresh else self._take()
        if not events and not self._fresh and not self._journal_wanted:
            return
        synced_seq = self._synced_seq
        try:
            if self._journal_wanted or (events and self._sink.is_ahead and not self._is_watched):
                self._journal.begin()  # its lock shows that this process lives
            if events:
                self._make_blocks(events)
                self._queued_s = taken_s
            self._journal_blocks()
        except OstinatoError as error:
            self._fail(error)
            return
        if self._journal_wanted or self._error is not None or self._synced_seq > synced_seq:
            self._journal_wanted = False
            self._note_synced()

    def _take(self) -> list[Event]:
        if not self._queue:
            return []
        pop = self._queue.popleft
        self._n_takes += 1
        events = [pop() for _ in range(len(self._queue))]
        self._n_taken += len(events)
        self._n_takes += 1
        self._set_limit()
        return events

    def _set_limit(self) -> None:
        if self._relaxed:
            self._limit = max(self.settings.disk_lag_events - (self._n_taken - self._synced_seq), 1)

    def _make_blocks(self, events: list[Event]) -> None:
        """Make one block of events, or several when they are large."""
        before = self._fresh or self._backlog
        first_seq = before[-1].last_seq + 1 if before else self._synced_seq + 1
        try:
            payload = _pack(Block(self.stream, first_seq, events))
        except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
            events = [clean(event) for event in events]
            payload = _pack(Block(self.stream, first_seq, events))
        if len(payload) > BLOCK_BYTES and len(events) > 1:
            half = len(events) // 2
            self._make_blocks(events[:half])
            self._make_blocks(events[half:])
            return
        last_seq = first_seq + len(events) - 1
        entry = Entry(first_seq, last_seq, payload, events)
        self._fresh.append(Waiting(first_seq, last_seq, len(payload), self._queued_s, entry))
        self._held_bytes += len(payload)

    def _journal_blocks(self) -> None:
        """Sync blocks to the journal: all, or when the sink is ahead those that it has not taken in time."""
        while self._fresh:
            waiting = self._fresh[0]
            if self._may_wait() and time.monotonic() < waiting.since_s + self._ahead_s():
                return
            quota_mb = self.settings.journal_quota_mb
            if self._backlog_bytes + waiting.n_bytes > quota_mb << 20:
                raise JournalFull(path=self.home.journal, quota_mb=quota_mb, reason=self._sink_error or "it lags")
            if waiting.entry is not None:
                n_events = waiting.last_seq - waiting.first_seq + 1
                waiting.place = self._journal.append(waiting.first_seq, n_events, waiting.entry.payload)
            if self._held_bytes > HELD_BYTES and self._held_bytes > waiting.n_bytes:
                waiting.entry = None
                self._held_bytes -= waiting.n_bytes
            waiting.since_s = time.monotonic()
            self._backlog.append(self._fresh.popleft())
            self._backlog_bytes += waiting.n_bytes
            self._synced_seq = waiting.last_seq

    def _note_synced(self) -> None:
        """Move the bounds of the lag, and tell those who wait."""
        if not self._queue:
            self._queued_s = time.monotonic()
        self._since_s = self._fresh[0].since_s if self._fresh else self._queued_s
        age_us = int((time.monotonic() - self._since_s) * 1e6)
        self._due_at = time.time_ns() // 1000 - age_us + self.settings.disk_lag_ms * 1000
        with self._moved:
            self._set_limit()
            self._error = None
            self._moved.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._moved:
            self._limit = -1
            self._error = error
            self._moved.notify_all()

    # --- the thread: blocks to the sink

    def _commit(self) -> None:
        """Have blocks acknowledged when it is time, as far as the sink takes them now."""
        if not self._commit_is_due():
            return
        sink = self._sink
        for pause_s in sink.pauses_s:
            if pause_s:
                time.sleep(pause_s)
            if self._queue_is_urgent():
                return
            try:
                while (self._backlog or self._fresh) and (done := sink.append(self._writer, self._next)) is not None:
                    self._acknowledge(done)
                    if self._queue:
                        return
            except OstinatoError as error:
                self._sink_failed(error)
                return
            if sink.is_busy or not self._backlog:
                return

    def _next(self) -> list[Entry]:
        """Give the blocks that come next."""
        entries: list[Entry] = []
        n_bytes = 0
        for blocks in (self._backlog, self._fresh) if self._sink.is_ahead else (self._backlog,):
            for waiting in blocks:
                n_bytes += waiting.n_bytes
                if entries and n_bytes > COMMIT_BYTES:
                    return entries
                entries.append(waiting.entry or self._load(waiting))
        return entries

    def _acknowledge(self, done: Appended) -> None:
        oldest = (self._backlog or self._fresh)[0].first_seq
        if done.gap and done.acked_seq < oldest - 1:
            raise EventsMissing(first=done.acked_seq + 1, last=oldest - 1, stream=self.stream)
        self._stale.update(done.stale)
        for blocks in (self._backlog, self._fresh):
            while blocks and blocks[0].last_seq <= done.acked_seq:
                waiting = blocks.popleft()
                if waiting.place is not None:
                    self._backlog_bytes -= waiting.n_bytes
                if waiting.entry is not None:
                    self._held_bytes -= waiting.n_bytes
        self._journal.acknowledge(done.acked_seq)
        if self._remembered:
            self._forget(done.acked_seq)
        with self._moved:
            self._sink_error = None
            self._has_waited = False
            self._acked_seq = done.acked_seq
            if done.acked_seq > self._synced_seq:
                self._synced_seq = done.acked_seq
                self._note_synced()
            self._moved.notify_all()

    def _load(self, waiting: Waiting) -> Entry:
        assert waiting.place is not None  # noqa: S101 - a block without its bytes in memory is in the journal
        payload = self._journal.load(waiting.place)
        return Entry(waiting.first_seq, waiting.last_seq, payload, _unpack(payload).events)

    def _forget(self, acked_seq: int) -> None:
        if self._remembering.acquire(blocking=False):
            for key in [key for key, (_, seq) in self._remembered.items() if seq <= acked_seq]:
                del self._remembered[key]
            self._remembering.release()

    def _sink_failed(self, error: OstinatoError) -> None:
        with self._moved:
            self._sink_error = error
            self._moved.notify_all()

    def _is_permanent(self, error: Exception) -> bool:
        """Say whether waiting does not help: what was never acknowledged is refused, or the database is damaged."""
        return isinstance(error, _PERMANENT) or (isinstance(error, Refused) and not self._acked_seq)


def _again(error: Exception) -> Exception:
    """Give an error to raise anew, so that its traceback does not grow with each time."""
    if isinstance(error, OstinatoError):
        again = type(error)(**error.values)
        again.__cause__ = error.__cause__
        return again
    return error
