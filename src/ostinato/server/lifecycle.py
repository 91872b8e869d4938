"""The life of a server: one for each home, found by `server.json`, ended in order."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import os
import signal
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from ostinato.core.errors import BadOption, KeysNeeded, PortInUse, ServerRunning
from ostinato.server.app import App
from ostinato.server.connections import Connection
from ostinato.server.neighbours import beside_others
from ostinato.server.office import Office
from ostinato.session.discovery import Card, read_card
from ostinato.store import access

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from types import FrameType

    from ostinato.session.home import Home

DEFAULT_PORT: Final = 4200
GRACE_S: Final = 2
"""How long requests may take to end when the server ends."""
LOCK_PATIENCE_S: Final = 0.5
"""Others look at the lock by holding it for a moment."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is to be reached."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allowed_hosts: tuple[str, ...] = ()


def serve(
    home: Home,
    options: Options,
    ready: Callable[[Office, str], None],
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Be the server of a home until a signal ends it; `ready` is told the office and the address.

    What runs `beside` begins when the server answers, and is cancelled before it stops to.

    Raises:
        ServerRunning: (server-running), PortInUse: (port-in-use), KeysNeeded: (keys-needed).
    """
    home.make()
    with _lock(home), _listening(options) as listener:
        if options.host not in LOOPBACK:
            _need_keys(home, options.host)
        asyncio.run(_serve(home, options, listener, ready, beside))


async def _serve(
    home: Home,
    options: Options,
    listener: socket.socket,
    ready: Callable[[Office, str], None],
    beside: Sequence[Callable[[], Awaitable[None]]],
) -> None:
    office = Office(home, (options.host, *options.allowed_hosts))
    try:
        await office.start()
        url = address(options.host, listener.getsockname()[1])
        card = Card(id=office.id, url=url, token=office.token, pid=os.getpid(), started_at=office.started_at)

        def announce() -> None:
            _write_card(home, card)
            gc.collect()
            gc.freeze()
            ready(office, url)

        async with beside_others(office):
            await Server(office, announce, beside).serve(sockets=[listener])
    finally:
        with suppress(FileNotFoundError):
            os.unlink(home.server_card)
        await office.close()


class Server(uvicorn.Server):
    """uvicorn with one application; those who wait are told when it ends."""

    def __init__(
        self, office: Office, announce: Callable[[], None], beside: Sequence[Callable[[], Awaitable[None]]]
    ) -> None:
        self.office = office
        self._announce = announce
        self._beside = beside
        self._running: list[asyncio.Future[None]] = []
        self._ending: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            App(office),
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            loop="asyncio",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._announce()
        self._running = [asyncio.ensure_future(begin()) for begin in self._beside]

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn would look for it, and make a date header, ten times a second."""
        await self.office.closing.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by signals in order, and not by them once more when all is done, as uvicorn would."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; a second signal does not wait for anything."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end(sig, frame))
        else:
            super().handle_exit(sig, frame)

    async def _end(self, sig: int, frame: FrameType | None) -> None:
        """End what runs beside us, answer those who wait, take no more."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        super().handle_exit(sig, frame)
        self.office.end_waits()


def address(host: str, port: int) -> str:
    """Give the URL at which this machine reaches a server."""
    known = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}  # noqa: S104 - compared, not bound
    return f"http://{known.get(host, host)}:{port}"


def _write_card(home: Home, card: Card) -> None:
    hidden = f"{home.server_card}.{os.getpid()}.new"
    fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(msgspec.json.encode(card))
    os.rename(hidden, home.server_card)


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    fd = os.open(home.server_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    card = read_card(home)
                    pid, url = (card.pid, card.url) if card is not None else ("unknown", "an unknown address")
                    raise ServerRunning(home=home.folder, pid=pid, url=url) from error
            time.sleep(0.01)
        yield
    finally:
        os.close(fd)


@contextmanager
def _listening(options: Options) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # With the protocol named, asyncio sends small answers at once (TCP_NODELAY).
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise _no_address(options, error) from error
            raise PortInUse(host=options.host, port=options.port, other=options.port + 1) from error
        yield listener


def _no_address(options: Options, error: OSError) -> Exception:
    return BadOption(
        option="host", value=options.host, where="the server", reason=str(error.strerror or error),
        fix="Name an address of this machine, such as 127.0.0.1 or 0.0.0.0.",
    )  # fmt: skip


def _need_keys(home: Home, host: str) -> None:
    """Refuse to be reached from elsewhere while no key could be asked for."""
    database = home.open_to_read()
    try:
        if not access.any_key(database.db, time.time_ns() // 1000):
            raise KeysNeeded(host=host)
    finally:
        database.close()
