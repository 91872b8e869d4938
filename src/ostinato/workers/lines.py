"""Lines to the server: threads that ask and wait, so that the worker's own thread never does."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from ostinato.client import Address, Client
from ostinato.core.errors import OstinatoError, StorageError
from ostinato.core.ports import resolve
from ostinato.session import discovery
from ostinato.session.home import Home
from ostinato.session.remote import RemoteCommands

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.commands import Command, Ended
    from ostinato.core.settings import Settings

OLD_TOKEN: Final = frozenset({"not-authenticated", "key-refused"})
"""What the server of the home answers when it has begun anew, and with it its token."""
N_REPORTERS: Final = 4
"""Threads that tell of ends: the server commits what comes at once at once, and an end frees what its run occupies."""
AGAIN_S: Final = 0.25
"""Until a server that did not answer is asked again."""


class NoServer(Exception):
    """There is no server now; its text says where, or why."""


class Server:
    """The server of the settings or of the home, found again when it comes back elsewhere. Any thread may ask."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.home = Home(settings.home)
        self._lookout = discovery.Lookout(self.home)
        self._lock = threading.Lock()
        self._commands: RemoteCommands | None = None
        self.is_remote = bool(settings.api_url)

    @property
    def place(self) -> str:
        """Where it is looked for, in words."""
        return self._settings.api_url or f"home {self.home.folder}"

    def do(self, command: Command[Any]) -> Any:
        """Give the answer to a command.

        Raises:
            NoServer: none answers.
            OstinatoError: it refused.
        """
        commands = self._found()
        try:
            return commands.do(command)
        except OstinatoError as error:
            if isinstance(error, StorageError) or (error.code in OLD_TOKEN and not self.is_remote):
                self._lose(commands)
                raise NoServer(error.message) from error
            raise

    def deliver(self) -> None:
        """Send what processes of runs could not send themselves before they ended.

        Raises:
            NoServer: it does not take it now.
        """
        if self.is_remote and os.path.isdir(os.path.join(self.home.folder, "outbox")):
            commands = self._found()
            try:
                resolve("ostinato.session.outbox:Outbox")(self.home.folder, commands.client).send()
            except StorageError as error:
                self._lose(commands)
                raise NoServer(error.message) from error

    def lives(self) -> bool:
        """Say whether the server may still be there, and take over runs that it does not hear of."""
        return self.is_remote or discovery.is_held(self.home)

    def close(self) -> None:
        """Let go of the connections."""
        if self._commands is not None:
            self._commands.close()

    def _found(self) -> RemoteCommands:
        with self._lock:
            if self._commands is None:
                address = self._address()
                if address is None:
                    raise NoServer(self.place)
                self._commands = RemoteCommands(Client(address))
            return self._commands

    def _address(self) -> Address | None:
        if self.is_remote:
            return Address(url=self._settings.api_url, token=self._settings.api_key)
        card = self._lookout.look()
        return None if card is None else card.address

    def _lose(self, commands: RemoteCommands) -> None:
        with self._lock:
            if self._commands is commands:
                self._commands = None
                self._lookout.forget()
        commands.close()


class Inbox:
    """What other threads leave for the worker's own; its pipe can be selected."""

    def __init__(self) -> None:
        self._work: deque[Callable[[], None]] = deque()
        self.fd, self._bell = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._bell, False)

    @property
    def bell(self) -> int:
        """The file descriptor that wakes the worker when something is written to it."""
        return self._bell

    def leave(self, work: Callable[[], None]) -> None:
        """Have something done in the worker's thread."""
        self._work.append(work)
        with suppress(BlockingIOError, OSError):
            os.write(self._bell, b"!")

    def empty(self) -> None:
        """Do what was left."""
        with suppress(BlockingIOError):
            os.read(self.fd, 4096)
        while self._work:
            self._work.popleft()()

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self.fd)
        os.close(self._bell)


class Line:
    """One question at a time, asked in a thread of its own."""

    def __init__(self, name: str, server: Server, inbox: Inbox, hear: Callable[[Line, Any], None]) -> None:
        self._server = server
        self._inbox = inbox
        self._hear = hear
        self.asked: Command[Any] | None = None
        """What is being asked."""
        self.sent_s = 0.0
        """Monotonic instant at which it was asked."""
        self._questions: SimpleQueue[Command[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"ostinato-{name}", daemon=True)
        self._thread.start()

    def ask(self, command: Command[Any]) -> None:
        """Ask; the answer, or the error, is heard in the worker's thread."""
        self.asked, self.sent_s = command, time.monotonic()
        self._questions.put(command)

    def close(self) -> None:
        """Ask nothing more."""
        self._questions.put(None)

    def _run(self) -> None:
        while (command := self._questions.get()) is not None:
            answer: Any
            try:
                answer = self._server.do(command)
            except Exception as error:  # noqa: BLE001 - looked at in the worker's thread
                answer = error
            self._inbox.leave(lambda answer=answer: self._hear(self, answer))  # type: ignore[misc]


class Reports:
    """Tells the server of ends, a few at once, each until it knows."""

    def __init__(self, server: Server, inbox: Inbox, told: Callable[[Ended], None]) -> None:
        self._server = server
        self._inbox = inbox
        self._told = told
        self._ends: SimpleQueue[Ended | None] = SimpleQueue()
        self._closing = threading.Event()
        self._delivering = threading.Lock()
        for number in range(N_REPORTERS):
            threading.Thread(target=self._run, name=f"ostinato-reports-{number}", daemon=True).start()

    def tell(self, ended: Ended) -> None:
        """Report an end."""
        self._ends.put(ended)

    def close(self) -> None:
        """Report nothing more."""
        self._closing.set()
        for _ in range(N_REPORTERS):
            self._ends.put(None)

    def _run(self) -> None:
        while (ended := self._ends.get()) is not None:
            while not self._closing.is_set():
                try:
                    with self._delivering:
                        self._server.deliver()
                    self._server.do(ended)
                except NoServer:
                    self._closing.wait(AGAIN_S)
                    continue
                except OstinatoError:  # the run is gone; there is nobody to tell
                    pass
                self._inbox.leave(lambda ended=ended: self._told(ended))  # type: ignore[misc]
                break
