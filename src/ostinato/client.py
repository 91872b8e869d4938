"""The client: calls to a server over kept connections, and the errors that it answers with.

It speaks the little of HTTP/1.1 that our doors need. `http.client` would do as well, for 14 ms of
import and 6 MB in each process of a run, and knows no deadline for a whole answer.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

import msgspec

from ostinato.core.errors import KeyRefused, ServerAnswered, ServerUnreachable, SettingInvalid, all_errors
from ostinato.core.ports import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S: Final = 30.0
"""Longest wait for a whole answer, unless the call says another."""
CONNECT_S: Final = 5.0
MOST_IDLE: Final = 8
"""Kept connections."""
MOST_HEAD_BYTES: Final = 64 << 10
JOINED_BYTES: Final = 64 << 10
"""Smaller bodies are sent together with their head."""
MSGPACK: Final = "application/msgpack"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is, and what it is to be shown."""

    url: str
    """Several are separated by commas: while one is away, the next is asked."""
    token: str = ""
    """Local token, or API key."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a server tells it."""

    code: str
    detail: str = ""
    hint: str = ""
    values: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    kind: str
    """Media type of the body."""
    body: bytes


class Hung(OSError):
    """The connection ended before the answer did; `began` when some of the answer had come."""

    def __init__(self, reason: str = "it hung up", *, began: bool = False) -> None:
        super().__init__(reason)
        self.began = began


class NoHttp(ValueError):
    """What came is no HTTP; its text says what."""


class Place:
    """One server: where it is reached, and what each request to it begins with."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url.strip())
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise SettingInvalid(name="api_url", value=url, where="OSTINATO_API_URL", reason="write http://HOST:PORT")
        self.tls = parts.scheme == "https"
        self.host: str = parts.hostname
        self.port: int = port or (443 if self.tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._headers = f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
        if token:
            self._headers += f"Authorization: Bearer {token}\r\n"

    def head(self, method: str, door: str, kind: str, n_bytes: int) -> bytes:
        """Give the head of a request."""
        return (
            f"{method} {self._prefix}{door} HTTP/1.1\r\n{self._headers}"
            f"Content-Type: {kind}\r\nContent-Length: {n_bytes}\r\n\r\n"
        ).encode("latin-1")


class Client:
    """Calls a server, or one of several that share a database.

    Any thread may call, and a forked child too; each call has a connection for itself.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        if not (address.token.isascii() and address.token.isprintable()):
            raise KeyRefused(key="that was given", reason="it does not look like ost_ID_SECRET")
        self._places = [Place(url, address.token) for url in address.url.split(",")]
        self._at = 0
        """Number of the place that was reached last."""
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        # Without a lock: a signal handler may call in the middle of a call of its thread. Each step is one operation.
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()

    def call(
        self,
        door: str,
        body: bytes | memoryview = b"",
        *,
        method: str = "POST",
        kind: str = MSGPACK,
        repeatable: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """Give the body of the answer. A `repeatable` call is made again when a kept connection turns out dead.

        Raises:
            ServerUnreachable: (server-unreachable) no answer, or not within the time.
            ServerAnswered: (server-answered) it answered with an error that is none of ours.
            OstinatoError: the error by which it refused.
        """
        reply = self.send(door, body, method=method, kind=kind, repeatable=repeatable, timeout_s=timeout_s)
        if 200 <= reply.status < 300:
            return reply.body
        raise self._error(reply)

    def has(self, door: str) -> bool:
        """Say whether there is something at a door."""
        reply = self.send(door, method="HEAD", repeatable=True)
        if reply.status in (200, 404):
            return reply.status == 200
        raise self._error(reply)

    def send(
        self,
        door: str,
        body: bytes | memoryview = b"",
        *,
        method: str = "POST",
        kind: str = MSGPACK,
        repeatable: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """Give the answer, whatever its status.

        Raises:
            ServerUnreachable: (server-unreachable) no answer, or not within the time.
            ServerAnswered: (server-answered) what came is no answer.
        """
        end = time.monotonic() + timeout_s
        connection, is_kept = self._take(end)
        try:
            try:
                reply = connection.exchange(door, body, end, method, kind)
            except Hung as error:
                self._drop(connection)
                if error.began or not (repeatable and is_kept):
                    raise
                connection = self._connect(end)
                reply = connection.exchange(door, body, end, method, kind)
        except TimeoutError as error:
            self._drop(connection)
            self._move_on(connection.place)
            self._unreachable(f"no answer within {timeout_s:g} s", error)
        except OSError as error:
            self._drop(connection)
            self._move_on(connection.place)
            self._unreachable(error.strerror or str(error), error)
        except NoHttp as error:
            self._drop(connection)
            raise ServerAnswered(
                url=self.address.url,
                status="with something that is no HTTP",
                detail=repr(error.args[0])[:60],
                fix="Is this the address of Ostinato?",
            ) from error
        except BaseException:
            self._drop(connection)
            raise
        self._keep(connection)
        return reply

    def close(self) -> None:
        """Close the connections that nobody uses; those in use are closed when their call ends."""
        self._all.clear()
        while self._idle:
            self._idle.pop().close()

    # --- connections

    def _take(self, end: float) -> tuple[_Connection, bool]:
        """Give a connection, and whether it was used before."""
        if self._pid != os.getpid():  # a forked child: what it has inherited stays the parent's
            for inherited in self._all:
                inherited.close()
            self._begin()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect(end), False
            if connection.is_open():
                return connection, True
            self._drop(connection)

    def _connect(self, end: float) -> _Connection:
        """Give a connection to the place that was reached last, else to the next one where somebody is."""
        n_tries = 0
        while True:
            place, n_tries = self._places[self._at], n_tries + 1
            try:
                connection = _Connection(place, max(min(CONNECT_S, end - time.monotonic()), 0.001))
            except OSError as error:
                self._move_on(place)
                if n_tries < len(self._places) and time.monotonic() < end:
                    continue
                timed_out = isinstance(error, TimeoutError)
                reason = f"no connection within {CONNECT_S:g} s" if timed_out else error.strerror or str(error)
                self._unreachable(reason, error)
            self._all.add(connection)
            return connection

    def _move_on(self, place: Place) -> None:
        """Ask the next place from now on, and no kept connection of this one."""
        if len(self._places) > 1 and self._places[self._at] is place:
            self._at = (self._at + 1) % len(self._places)
            with contextlib.suppress(IndexError):
                while True:
                    self._drop(self._idle.pop())

    def _keep(self, connection: _Connection) -> None:
        if connection in self._all and connection.stays and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        self._all.discard(connection)
        connection.close()

    # --- errors

    def _unreachable(self, reason: str, error: Exception) -> NoReturn:
        raise ServerUnreachable(url=self.address.url, reason=reason) from error

    def _error(self, reply: Reply) -> Exception:
        decode: Any = msgspec.msgpack.decode if reply.kind == MSGPACK else msgspec.json.decode
        try:
            problem = decode(reply.body, type=Problem)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            text = reply.body[:200].decode("utf-8", "replace").strip()
            return ServerAnswered(
                url=self.address.url,
                status=reply.status,
                detail=text or "an empty body",
                fix="Its output may tell why; a proxy before it may have answered in its place.",
            )
        found = all_errors().get(problem.code)
        if found is not None:
            return found(**problem.values)
        return ServerAnswered(
            url=self.address.url, status=reply.status, detail=f"{problem.detail} [{problem.code}]", fix=problem.hint
        )


class _Connection:
    """One connection. Only one thread uses it at a time."""

    def __init__(self, place: Place, timeout_s: float) -> None:
        self.place = place
        # As bytes: for text Python loads its tables of international names, 1 ms in each process of a run.
        name = place.host.encode() if place.host.isascii() else place.host
        self._socket = socket.create_connection((name, place.port), timeout_s)  # type: ignore[arg-type]
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.tls:
            context = resolve("ssl:create_default_context")()  # few need it
            self._socket = context.wrap_socket(self._socket, server_hostname=place.host)
        self._data = bytearray()
        self.stays = True
        """Whether the server keeps it open for the next call."""

    def is_open(self) -> bool:
        """Say whether it can be used again: the other side has neither closed it nor sent what nobody asked for."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not self._data and not poll.poll(0)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def exchange(self, door: str, body: bytes | memoryview, end: float, method: str, kind: str) -> Reply:
        """Send a request and give its answer.

        Raises:
            Hung: the connection was lost. TimeoutError: the time is over. NoHttp: the answer makes no sense.
        """
        head = self.place.head(method, door, kind, len(body))
        try:
            self._wait(end)
            if len(body) <= JOINED_BYTES:
                self._socket.sendall(b"".join((head, body)))
            else:
                self._socket.sendall(head)
                self._socket.sendall(body)
        except TimeoutError:
            raise
        except OSError as error:
            # It may have answered before it hung up, as to a body that is too large.
            with contextlib.suppress(OSError, NoHttp):
                return self._receive(end, method)
            raise Hung(error.strerror or str(error)) from error
        return self._receive(end, method)

    def _receive(self, end: float, method: str) -> Reply:
        status, headers = self._head(end)
        while status in (100, 103):
            status, headers = self._head(end)
        if headers.get("connection", "").lower() == "close":
            self.stays = False
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        return Reply(status, kind, self._body(status, headers, end, method))

    def _head(self, end: float) -> tuple[int, dict[str, str]]:
        while (at := self._data.find(b"\r\n\r\n")) < 0:
            if len(self._data) > MOST_HEAD_BYTES or not b"HTTP/1.".startswith(self._data[:7]):
                raise NoHttp(bytes(self._data[:40]))
            self._more(end)
        first, *lines = self._data[:at].decode("latin-1").split("\r\n")
        del self._data[: at + 4]
        version, _, rest = first.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdigit():
            raise NoHttp(first)
        self.stays = self.stays and version == "HTTP/1.1"
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(rest[:3]), headers

    def _body(self, status: int, headers: Mapping[str, str], end: float, method: str) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(end)
        length = headers.get("content-length")
        if length is None:
            self.stays = False
            return self._rest(end)
        if not length.isdigit():
            raise NoHttp(length)
        return self._exactly(int(length), end)

    def _chunks(self, end: float) -> bytes:
        parts: list[bytes] = []
        while True:
            line = self._line(end).partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError as error:
                raise NoHttp(line) from error
            if size == 0:
                while self._line(end):
                    pass
                return b"".join(parts)
            parts.append(self._exactly(size, end))
            self._line(end)

    def _line(self, end: float) -> bytes:
        while (at := self._data.find(b"\r\n")) < 0:
            if len(self._data) > MOST_HEAD_BYTES:
                raise NoHttp(bytes(self._data[:40]))
            self._more(end)
        line = bytes(self._data[:at])
        del self._data[: at + 2]
        return line

    def _exactly(self, n_bytes: int, end: float) -> bytes:
        while len(self._data) < n_bytes:
            self._more(end)
        found = bytes(self._data[:n_bytes])
        del self._data[:n_bytes]
        return found

    def _rest(self, end: float) -> bytes:
        while True:
            try:
                self._more(end)
            except Hung:
                found = bytes(self._data)
                self._data.clear()
                return found

    def _more(self, end: float) -> None:
        self._wait(end)
        try:
            data = self._socket.recv(256 << 10)
        except TimeoutError:
            raise
        except OSError as error:
            raise Hung(error.strerror or str(error), began=bool(self._data)) from error
        if not data:
            raise Hung(began=bool(self._data))
        self._data += data

    def _wait(self, end: float) -> None:
        """Let the next call of the socket last until then at most."""
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
