"""The office: what all doors of a server work with: ledger, readers, stored values, signals, and who it is."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ostinato.core.errors import OstinatoError
from ostinato.core.ids import new_id
from ostinato.core.settings import load
from ostinato.scheduler.loop import Scheduler
from ostinato.server.sessions import Sessions
from ostinato.server.signals import Signal
from ostinato.session.home_reader import EmbeddedReader
from ostinato.session.ledger import Ledger
from ostinato.session.orphans import deliver_orphans
from ostinato.session.upkeep import keep_house
from ostinato.store.sqlite import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostinato.session.home import Home
    from ostinato.store.database import Connection, Database
    from ostinato.store.transaction import Tx

T = TypeVar("T")

N_READERS: Final = 4
"""Threads that read, each with a connection of its own."""
LOOK_S: Final = 0.05
"""How often commits of other processes are looked for."""
SILENT_S: Final = 8.0
"""A database that is not heard of for so long does not answer; it is asked every five seconds at least."""
ORPHANS_EVERY_S: Final = 1.0
HOUSE_EVERY_S: Final = 3600.0
HOUSE_S: Final = 30.0
"""Longest that what is old is removed at a time."""

_log: Final = logging.getLogger("ostinato.server")


class Shelf:
    """What one reading thread holds."""

    def __init__(self, home: Home) -> None:
        database = home.open_to_read()
        self.db: Connection = database.db
        self.reader = EmbeddedReader(home, database)


class Office:
    """One server on one home. `start` and `close` belong to its event loop."""

    def __init__(self, home: Home, names: Iterable[str] = ()) -> None:
        self.home = home
        self.names = frozenset(name.lower() for name in names)
        """By which clients may call it, besides those of this machine."""
        self.id = new_id()
        self.token = secrets.token_urlsafe(32)
        self.sessions = Sessions(home.sessions)
        self.started_at = time.time_ns() // 1000
        self.ledger = Ledger(home)
        self.blobs = home.open_blobs()
        self.committed = Signal()
        """Sent after each commit on the home, ours or another process's."""
        self.work = Signal()
        """Sent when workers should look again."""
        self.closing = asyncio.Event()
        self.n_polls = self.n_feed_readers = self.n_blocks = self.n_bytes = 0
        """For the metrics: who waits now, and what was taken in so far."""
        self._scheduler = Scheduler(self.ledger)
        self.trouble = ""
        """Why the database cannot be asked now; empty while it can."""
        self._database = home.open_to_read()
        self._is_far = bool(home.database_url)
        """The loop must not wait for the database: it may be slow, or away."""
        self._watcher = ThreadPoolExecutor(1, "ostinato-watcher")
        self._readers = ThreadPoolExecutor(N_READERS, "ostinato-reader")
        self._shelves: list[Shelf] = []
        self._held = threading.local()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to look after the home."""
        loop = asyncio.get_running_loop()
        self.ledger.listeners.append(lambda wakes: _call(loop, self._note_commit, wakes))
        await asyncio.to_thread(self._scheduler.start)
        duties = (self._watch_commits(), self._deliver_orphans(), self._keep_house())
        self._tasks = [asyncio.create_task(duty) for duty in duties]

    def end_waits(self) -> None:
        """Answer all who wait: the server is about to end."""
        self.closing.set()
        self.work.send()
        self.committed.send()

    async def close(self) -> None:
        """Let go of the home."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._scheduler.close)
        await asyncio.to_thread(self.ledger.close)
        self._readers.shutdown()
        self._watcher.shutdown()
        for shelf in self._shelves:
            shelf.reader.close()
        self._database.close()

    # --- reading and writing

    async def write(self, work: Callable[[Tx], T], actor: str, *, relaxed: bool = False) -> T:
        """Give what a command answers, once it is committed."""
        return await asyncio.wrap_future(self.ledger.submit(work, actor=actor, relaxed=relaxed))

    async def look(self, question: Callable[[Connection], T]) -> T:
        """Give what a question about a row or two answers: a file is read here and now."""
        if self._is_far:
            return await self.read(lambda shelf: question(shelf.db))
        return question(self._database.db)

    async def read(self, question: Callable[[Shelf], T]) -> T:
        """Give what a question to the database answers, asked in a reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._ask, question)

    def _ask(self, question: Callable[[Shelf], T]) -> T:
        shelf: Shelf | None = getattr(self._held, "shelf", None)
        if shelf is None:
            shelf = self._held.shelf = Shelf(self.home)
            self._shelves.append(shelf)
        try:
            return question(shelf)
        except sqlite3.Error as error:
            raise explain(error, self.home.database) from error

    # --- looking after the home

    def _note_commit(self, wakes: bool) -> None:  # noqa: FBT001 - what the ledger tells
        self.committed.send()
        if wakes:
            self.work.send()

    async def _watch_commits(self) -> None:
        """Notice commits of other processes; in the midst of our own the ledger tells of them."""
        version, seen = await self._news(), self.committed.count
        while True:
            await asyncio.sleep(LOOK_S)
            found = await self._news()
            if found < 0:  # disk or network have a bad moment; it is asked again
                continue
            if found != version and self.committed.count == seen:
                self.committed.send()
                self.work.send()
            version, seen = found, self.committed.count

    async def _news(self) -> int:
        """Give the number that changes with commits of others, -1 when the database does not tell."""
        try:
            if not self._is_far:
                return self._database.news()
            asked = asyncio.get_running_loop().run_in_executor(self._watcher, self._database.news)
            await asyncio.wait((asked,), timeout=SILENT_S)
            if not asked.done():
                self.trouble = "it does not answer"
            found = await asked
        except (OstinatoError, sqlite3.Error) as error:
            self.trouble = error.message if isinstance(error, OstinatoError) else str(error)
            return -1
        self.trouble = ""
        return found

    async def _deliver_orphans(self) -> None:
        """Take in what processes left that died, soon after they did."""
        database: Database | None = None
        try:
            while True:
                try:
                    if database is None:
                        database = await asyncio.to_thread(self.home.open)
                    await asyncio.to_thread(deliver_orphans, self.home, database)
                except (OstinatoError, OSError, sqlite3.Error) as error:
                    _log.warning("journals of processes that are gone could not be delivered: %s", error)
                await asyncio.sleep(ORPHANS_EVERY_S)
        finally:
            if database is not None:
                database.close()

    async def _keep_house(self) -> None:
        """Remove what retention lets go."""
        while True:
            await asyncio.sleep(HOUSE_EVERY_S)
            try:
                await asyncio.to_thread(keep_house, self.home, load(), HOUSE_S)
            except OstinatoError as error:
                _log.warning("old runs could not be removed: %s", error)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *values: object) -> None:
    """Have a function called in a loop that may have ended."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *values)
