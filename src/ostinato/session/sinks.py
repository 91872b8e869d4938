"""Sinks: where the blocks of a stream are acknowledged: the database of a home, a server, or the one that is there."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from ostinato.core.errors import DatabaseBusy, OstinatoError, ServerUnreachable
from ostinato.session.bell import Bell
from ostinato.session.discovery import Lookout
from ostinato.session.shipping import APPEND_S, ship
from ostinato.store.append import Appended, append
from ostinato.store.sqlite import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.client import Client
    from ostinato.session.discovery import Card
    from ostinato.session.home import Home
    from ostinato.store.append import Entry, Writer
    from ostinato.store.database import Database

LOCK_PAUSES_S: Final = (0.0, 0.001, 0.002, 0.004, 0.008)
"""Between tries to write the database, before it is the journal's turn again."""
BUSY_S: Final = 0.02
"""Longest wait inside SQLite for a foreign program that writes."""
RETRY_S: Final = 0.25
"""Until a server is tried again after it failed."""
AWAY_S: Final = 2.0
"""Until a server of a home is tried again after the database was written in its place."""
HOME_ANSWER_S: Final = 5.0
"""Longest wait for the server of the home, before the database is written in its place."""


class Sink(Protocol):
    """Takes blocks. Only the stream's thread calls it."""

    @property
    def name(self) -> str:
        """How people call it."""

    @property
    def is_ahead(self) -> bool:
        """Whether blocks are offered before they are in the journal."""

    @property
    def is_busy(self) -> bool:
        """Whether the outcome of an offer is awaited; `ring` is called when it is there."""

    @property
    def pauses_s(self) -> tuple[float, ...]:
        """Pauses before each of the tries of one turn."""

    def append(self, writer: Writer, take: Callable[[], list[Entry]]) -> Appended | None:
        """Offer the blocks that `take` gives, or give what became of the last offer; None when that is not known yet.

        Raises:
            OstinatoError: they were not taken.
        """

    def begin(self, ring: Callable[[], None]) -> None:
        """Belong to a new stream, in a forked child too: what the parent holds is left alone."""

    def late(self, waited_s: float) -> OstinatoError:
        """Give the error of one who has waited in vain."""

    def close(self) -> None:
        """Let go."""


class DatabaseSink:
    """The database of a home, written by this process."""

    name = "the database"
    is_ahead = False
    is_busy = False
    pauses_s = LOCK_PAUSES_S

    def __init__(self, home: Home) -> None:
        self.home = home
        self.database: Database | None = None

    def open(self) -> Database:
        """Give the connection."""
        if self.database is None:
            self.database = self.home.open(busy_s=BUSY_S)
        return self.database

    def append(self, writer: Writer, take: Callable[[], list[Entry]]) -> Appended | None:
        try:
            database = self.open()
            if not database.try_begin():
                return None
            done = None
            try:
                entries = take()
                if entries:
                    done = append(database.db, writer, entries, database.now_us())
                    database.commit()
            finally:
                if done is None:
                    database.rollback()
        except sqlite3.Error as error:
            raise explain(error, self.home.database) from error
        return done

    def begin(self, ring: Callable[[], None]) -> None:  # noqa: ARG002 - it is never busy
        if self.database is not None:
            self.database.abandon()
            self.database = None

    def late(self, waited_s: float) -> OstinatoError:
        return DatabaseBusy(path=self.home.database, waited_s=waited_s)

    def close(self) -> None:
        if self.database is not None:
            self.database.close()
            self.database = None


class ServerSink:
    """A server, asked by a thread of its own."""

    pauses_s = (0.0,)

    def __init__(self, client: Client, answer_s: float = APPEND_S, prepare: Callable[[], None] | None = None) -> None:
        self.client = client
        self.name = f"the server at {client.address.url}"
        self._answer_s = answer_s
        self._prepare = prepare
        """Called before each offer, in the thread."""
        self._ring: Callable[[], None] = lambda: None
        self._begin()

    def _begin(self) -> None:
        self.is_ahead = True
        self.is_busy = False
        self._bell = Bell()
        self._offer: tuple[Writer, list[bytes]] | None = None
        """What the thread is to ship, or has shipped; None ends it."""
        self._outcome: Appended | Exception | None = None
        self._again_s = 0.0
        self._thread: threading.Thread | None = None

    def begin(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._begin()

    def append(self, writer: Writer, take: Callable[[], list[Entry]]) -> Appended | None:
        if self.is_busy:
            return self._result()
        if time.monotonic() < self._again_s:
            return None
        entries = take()
        if not entries:
            return None
        self._offer = (writer, [entry.payload for entry in entries])
        self.is_busy = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ostinato-shipper", daemon=True)
            self._thread.start()
        self._bell.ring()
        return None

    def _result(self) -> Appended | None:
        outcome = self._outcome
        if outcome is None:
            return None
        self.is_busy, self._outcome = False, None
        self.is_ahead = isinstance(outcome, Appended)
        if isinstance(outcome, Exception):
            self._again_s = time.monotonic() + RETRY_S
            raise outcome
        return outcome

    def _run(self) -> None:
        while True:
            self._bell.wait(None)
            offer = self._offer
            if offer is None:
                return
            try:
                if self._prepare is not None:
                    self._prepare()
                self._outcome = ship(self.client, *offer, self._answer_s)
            except Exception as error:  # noqa: BLE001 - raised where the outcome is taken
                self._outcome = error
            self._ring()

    def late(self, waited_s: float) -> OstinatoError:
        reason = f"it has not taken everything after {waited_s:g} s"
        return ServerUnreachable(url=self.client.address.url, reason=reason)

    def close(self) -> None:
        self._offer = None
        self._bell.ring()
        self.client.close()


class HomeSink:
    """The server of a home while it answers, else the database of the home itself; and back again."""

    name = "the database"
    pauses_s = LOCK_PAUSES_S

    def __init__(self, home: Home) -> None:
        self.database = DatabaseSink(home)
        self._lookout = Lookout(home, checked=False)
        self._card: Card | None = None
        self._server: ServerSink | None = None
        self._away_until_s = 0.0
        self._ring: Callable[[], None] = lambda: None

    @property
    def is_ahead(self) -> bool:
        return self._server is not None and self._server.is_ahead

    @property
    def is_busy(self) -> bool:
        return self._server is not None and self._server.is_busy

    def begin(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self.database.begin(ring)
        self._server = self._card = None
        self.find_server()

    def append(self, writer: Writer, take: Callable[[], list[Entry]]) -> Appended | None:
        server = self.find_server()
        if server is not None:
            try:
                return server.append(writer, take)
            except OstinatoError:  # blocks are idempotent: it does not matter whether it took them
                self._leave()
                self._away_until_s = time.monotonic() + AWAY_S
        return self.database.append(writer, take)

    def find_server(self) -> ServerSink | None:
        """Give the server of the home, None while there is none."""
        if self.is_busy:
            return self._server
        if time.monotonic() < self._away_until_s:
            return None
        card = self._lookout.look()
        if card != self._card:
            self._leave()
            if card is not None:
                self._arrive(card)
        return self._server

    def _arrive(self, card: Card) -> None:
        from ostinato.client import Client

        self._card = card
        self._server = ServerSink(Client(card.address), HOME_ANSWER_S)
        self._server.begin(self._ring)

    def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = self._card = None
        self._lookout.forget()

    def late(self, waited_s: float) -> OstinatoError:
        return self.database.late(waited_s)

    def close(self) -> None:
        self._leave()
        self.database.close()
