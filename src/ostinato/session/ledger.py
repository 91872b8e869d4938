"""The ledger: carries out commands on a home, one after the other, many in one commit.

Its thread takes what has been submitted, runs each in a savepoint of one transaction, and answers
when that is committed: an answer that somebody got is on disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ostinato.core.ids import new_id
from ostinato.session.bell import Bell
from ostinato.store.append import Writer, acked_seq
from ostinato.store.sqlite import explain
from ostinato.store.transaction import Tx

if TYPE_CHECKING:
    from ostinato.session.home import Home
    from ostinato.store.database import WriteConnection

T = TypeVar("T")

MOST_S: Final = 0.05
"""A transaction takes in no further commands after so long."""
SURE_S: Final = 3600.0
"""After so long without an event its stream is looked up again: retention forgets one that said nothing for days."""


class Job(msgspec.Struct):
    """One submitted command."""

    work: Callable[[Tx], Any]
    actor: str
    relaxed: bool
    """A power cut may undo it."""
    answer: Future[Any]
    value: Any = None
    error: BaseException | None = None


class Ledger:
    """Runs commands on the database of a home; any thread may submit."""

    def __init__(self, home: Home, now_us: Callable[[], int] | None = None) -> None:
        home.make()
        self.home = home
        self.stream = new_id()
        self._database = home.open()
        self.now_us = now_us or self._database.now_us
        """Gives the UTC microseconds that commands go by."""
        self._writer = Writer(self.stream, os.getpid(), os.uname().nodename, self.now_us())
        self._seq: int | None = 0
        """Last event of the stream; None when it is not known what became of a commit."""
        self._wrote_s = time.monotonic()
        """When events were last written."""
        self._news = -1
        self._jobs: deque[Job] = deque()
        self._bell = Bell()
        self._stopping = False
        self.listeners: list[Callable[[bool], None]] = []
        """Told after each commit, in the ledger's thread, whether workers should look again."""
        self._thread = threading.Thread(target=self._run, name="ostinato-ledger", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Tx], T], *, actor: str = "", relaxed: bool = False) -> Future[T]:
        """Queue a command; the future ends when it is committed, or with its error."""
        answer: Future[T] = Future()
        self._jobs.append(Job(work, actor, relaxed, answer))
        self._bell.ring()
        return answer

    def do(self, work: Callable[[Tx], T], *, actor: str = "", relaxed: bool = False) -> T:
        """Carry out a command; give its answer, raise its error."""
        return self.submit(work, actor=actor, relaxed=relaxed).result()

    def lead(self, work: Callable[[Tx], T], *, relaxed: bool = False) -> T | None:
        """Carry out a command as the one ledger of its database that looks after schedules; None when another is it.

        That is decided in the transaction of the command: what one does that was the leader changes nothing.
        """
        return self.do(lambda tx: work(tx) if self._database.leads() else None, relaxed=relaxed)

    def depose(self) -> None:
        """Cut off the leader, who is not heard of any more: another one can lead then."""
        self.do(lambda _: self._database.depose(), relaxed=True)

    def close(self) -> None:
        """Carry out what is queued and let go of the database."""
        self._stopping = True
        self._bell.ring()
        self._thread.join()
        self._database.close()

    # --- the thread

    def _run(self) -> None:
        while self._jobs or not self._stopping:
            if not self._jobs:
                self._bell.wait(None)
                continue
            jobs: list[Job] = []
            try:
                relaxed = all(job.relaxed for job in tuple(self._jobs))
                with self._database.writing(sync=not relaxed) as db:
                    seq, wakes = self._take(db, jobs, relaxed=relaxed)
                if seq != self._seq:
                    self._seq, self._wrote_s = seq, time.monotonic()
            except BaseException as error:  # noqa: BLE001 - handed to who waits: the database is busy, full, gone
                self._seq = None
                self._fail(jobs, error)
                continue
            for job in jobs:
                if job.error is not None:
                    job.answer.set_exception(job.error)
                else:
                    job.answer.set_result(job.value)
            for listener in self.listeners:
                listener(wakes)

    def _take(self, db: WriteConnection, jobs: list[Job], *, relaxed: bool) -> tuple[int, bool]:
        """Run queued commands for a while; give the last seq, and whether workers should look again."""
        begin = time.monotonic()
        if self._seq is None or begin - self._wrote_s > SURE_S:
            self._seq = acked_seq(db, self.stream)
        seq = self._seq
        wakes = self._has_foreign_news()
        while self._jobs and time.monotonic() - begin < MOST_S:
            if relaxed and not self._jobs[0].relaxed:
                break
            job = self._jobs.popleft()
            if not job.answer.set_running_or_notify_cancel():
                continue
            jobs.append(job)
            tx = Tx(db, self._writer, seq, self.now_us(), job.actor, self.home.folder)
            self._carry_out(tx, job)
            if job.error is None:
                seq, wakes = tx.seq, wakes or tx.wakes
        return seq, wakes

    def _has_foreign_news(self) -> bool:
        """Tell whether another connection has committed since the last transaction."""
        known, self._news = self._news, self._database.news()
        return known not in (-1, self._news)

    def _carry_out(self, tx: Tx, job: Job) -> None:
        tx.db.execute("SAVEPOINT command")
        try:
            job.value = job.work(tx)
            tx.db.execute("RELEASE command")
        except BaseException as error:
            job.error = explain(error, self.home.database) if isinstance(error, sqlite3.Error) else error
            if not tx.db.in_transaction:  # SQLite has undone everything: a full disk
                raise
            tx.db.execute("ROLLBACK TO command")
            tx.db.execute("RELEASE command")

    def _fail(self, jobs: list[Job], error: BaseException) -> None:
        """Tell those whose commands were not committed; when none was begun, the oldest one's."""
        if not jobs and self._jobs:
            jobs = [self._jobs.popleft()]
            jobs[0].answer.set_running_or_notify_cancel()
        for job in jobs:
            job.answer.set_exception(job.error or error)
