"""The embedded Recorder: this process writes the database of its home itself."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from ostinato.core.errors import EpochTaken, RunNotFound
from ostinato.session.orphans import crash_stream, deliver_orphans
from ostinato.session.sinks import HomeSink
from ostinato.session.stream import Stream
from ostinato.session.upkeep import BLOBS_EVERY_S, remove_old_at_times, sweep_blobs_at_times
from ostinato.store import cache, claims, runs, variables, work
from ostinato.store.places import Places
from ostinato.store.sqlite import explain
from ostinato.store.transaction import alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ostinato.core.records import Recall, RunInput, Variable
    from ostinato.core.results import Result
    from ostinato.core.settings import Settings
    from ostinato.session.home import Home
    from ostinato.store.database import Database

    T = TypeVar("T")


class EmbeddedRecorder(Stream):
    """A stream of events with the memory of its home."""

    def __init__(self, settings: Settings, home: Home, *, watched: bool = False) -> None:
        sink = HomeSink(home)
        super().__init__(settings, home, sink, watched=watched)
        self._database = sink.database
        if sink.find_server() is None:  # it looks after the home, and has the database up to date
            home.make()
            deliver_orphans(home, self._database.open())
        self._blobs = home.open_blobs()
        self._places = Places(self._blobs)
        self._asked: Database | None = None
        """The connection for callers; the other one is the thread's."""
        self._asking = threading.RLock()
        self._swept_s: float | None = None
        """Monotonic instant at which unused blobs were last looked for; None while none was stored."""

    @property
    def place(self) -> str:
        """Where what it records goes, in words."""
        return f"the database in {self.home.folder}"

    # --- stored values

    def put_blob(self, data: bytes | memoryview, digest: bytes, storage: str = "") -> str:
        """Store bytes by their BLAKE2b-128 digest, synced before it returns; give the hex digest."""
        if storage:
            return self._places.at(storage).put(data, digest)
        blob = self._blobs.put(data, digest)
        if self._blobs.sweep_every_s > BLOBS_EVERY_S:  # a bucket takes long: its servers do it
            return blob
        if self._swept_s is None or time.monotonic() - self._swept_s > BLOBS_EVERY_S:
            self._sweep()
        return blob

    def has_blob(self, blob: str) -> bool:
        """Say whether these bytes are stored (and not whether they are undamaged)."""
        return self._blobs.has(blob)

    def get_blob(self, blob: str, storage: str = "") -> bytes:
        """Give stored bytes, checked against their digest."""
        return self._places.at(storage).get(blob)

    # --- memory

    def recall(self, root_id: str) -> Recall:
        """Give what is recorded of a root run and its subflows (settles to the database first)."""
        self._settle_within(self.settings.exit_wait_s)
        return self._ask(lambda database: runs.recall(database, root_id))

    def claim(self, run_id: str, epoch: int) -> int:
        """Take up a root run in epoch + 1 for this stream, by compare-and-set on `epoch`."""
        self._settle_within(self.settings.exit_wait_s)
        self._hold_journal()

        def ask(database: Database) -> int | None:
            with database.writing() as db:
                # Not in its own stream: its thread alone knows how far that is.
                return claims.claim(alone(db, self.home.folder), run_id, epoch, self.stream)

        other = self._ask(ask)
        if other == -1:
            raise RunNotFound(run=run_id, home=self.home.folder)
        if other is not None:
            raise EpochTaken(run=run_id, epoch=other)
        return epoch + 1

    def find_cached(self, cache_key: str, now: int) -> tuple[bool, Result | None]:
        """Give (True, result) when a fresh cache entry exists at instant `now`, else (False, None)."""
        own = self._own_cached(cache_key, now)
        if own is not None:
            return own
        found, result = self._ask(lambda database: cache.find(database.db, cache_key, now))
        if result is not None and result.blob and not self._places.at(result.storage).has(result.blob):
            return False, None
        return found, result

    def claim_cached(self, cache_key: str, lease_s: float) -> bool:
        """Take the right to compute a cache entry; False while another holds it."""

        def ask(database: Database) -> bool:
            with database.writing(sync=False) as db:
                return cache.claim(db, cache_key, self.stream, lease_s)

        return self._ask(ask)

    def release_cached(self, cache_key: str) -> None:
        """Give that right back."""
        if self._is_remembered(cache_key):
            return  # the entry ends the claim when it is committed, and not before

        def ask(database: Database) -> None:
            with database.writing(sync=False) as db:
                cache.release(db, cache_key, self.stream)

        self._ask(ask)

    def find_variable(self, name: str) -> Variable | None:
        """Give a variable as last set (this process's own settings included)."""
        known, own = self._own_variable(name)
        if known:
            return own
        return self._ask(lambda database: variables.variable(database.db, name))

    def find_input(self, run_id: str, key: str) -> RunInput | None:
        """Give what a pause of a run asked for, and what it got; None when it has not asked yet."""
        return self._ask(lambda database: work.find_input(database.db, run_id, key))

    def find_secret(self, name: str) -> bytes | None:
        """Give the value of a secret, opened with the key of the home; None when it is not set."""
        # Most flows use none.
        from ostinato.core.seal import unseal
        from ostinato.store import access
        from ostinato.store.keyfile import find_key

        sealed = self._ask(lambda database: access.sealed(database.db, name))
        return None if sealed is None else unseal(find_key(self.home.folder), name, sealed)

    def _ask(self, question: Callable[[Database], T]) -> T:
        with self._asking:
            if self._asked is None:
                self._asked = self.home.open()
            try:
                return question(self._asked)
            except sqlite3.Error as error:
                raise explain(error, self.home.database) from error

    def before_fork(self) -> None:
        """Wait until nobody is in mid-call of SQLite."""
        self._asking.acquire()
        super().before_fork()

    def after_fork(self) -> None:
        """Let the parent go on."""
        super().after_fork()
        self._asking.release()

    def start_afresh(self) -> None:
        """Begin a stream of its own in a forked child; journal and database of the parent are left alone."""
        if self._asked is not None:
            self._asked.abandon()
            self._asked = None
        self._asking = threading.RLock()
        super().start_afresh()

    # --- the end

    def _farewell(self) -> None:
        message = f"process {os.getpid()} ended before the run did"
        crash_stream(self._database.open(), self.stream, message, killed=False)
        remove_old_at_times(self.home, self._database.open(), self.settings)
        if self._swept_s is not None:
            self._sweep()

    def close(self) -> str:
        """Deliver what is recorded, mark what is still active as Crashed, let go; give what went wrong, or ""."""
        trouble = super().close()
        if self._asked is not None:
            self._asked.close()
        return trouble

    def _sweep(self) -> None:
        self._swept_s = time.monotonic()
        self._ask(lambda database: sweep_blobs_at_times(self.home, database, self.settings))
