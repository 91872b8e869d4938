"""Exchange: one request and its answer, in plain ASGI."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ostinato.core.errors import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

MOST_BYTES: Final = 64 << 20
"""Size of the largest body, except of stored values."""
MSGPACK: Final = b"application/msgpack"
PREFIX: Final = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)
"""A path that is no address of another server."""

_pack: Final = msgspec.msgpack.Encoder().encode


class Gone(Exception):
    """Whoever asked has hung up."""


class Exchange:
    """What came in, and the way back."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.answered = False
        """Whether the answer has begun."""
        self.waits = False
        """Whether it is meant to take long."""
        self._receive = receive
        self._send = send

    def header(self, name: bytes) -> str:
        """Give a header, "" when there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def prefix(self) -> str:
        """The path below which a proxy shows the server, if it says so: `/ml/ostinato`, else ""."""
        told = self.header(b"x-forwarded-prefix").rstrip("/")
        return told if PREFIX.fullmatch(told) else ""

    async def body(self, most: int = MOST_BYTES) -> bytes:
        """Give the whole body, of so many bytes at most.

        Raises:
            BodyTooLarge: (body-too-large).
        """
        parts = [part async for part in self.parts(most)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def parts(self, most: int | None = None) -> AsyncIterator[bytes]:
        """Give the body as it comes, at most so many bytes."""
        length = self.header(b"content-length")
        if most is not None and length.isdigit() and int(length) > most:
            raise BodyTooLarge(size_bytes=int(length), most_bytes=most)
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part: bytes = message.get("body", b"")
            size += len(part)
            if most is not None and size > most:
                raise BodyTooLarge(size_bytes=size, most_bytes=most)
            if part:
                yield part
            if not message.get("more_body"):
                return

    async def hang_up(self) -> None:
        """Wait until whoever asked is gone; the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def until_gone(self, answer: Awaitable[T]) -> T:
        """Give what is waited for, unless whoever asked hangs up before.

        Raises:
            Gone: they did; the wait is cancelled.
        """
        work = asyncio.ensure_future(answer)
        end = asyncio.ensure_future(self.hang_up())
        try:
            await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise Gone
        finally:
            work.cancel()
            end.cancel()
            await asyncio.gather(work, end, return_exceptions=True)

    async def hand_over(self, application: Callable[..., Awaitable[None]]) -> None:
        """Let another ASGI application answer."""

        async def send(message: Message) -> None:
            self.answered = True
            await self._send(message)

        await application(self.scope, self._receive, send)

    # --- the answer

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers; the body follows by `more`."""
        self.answered = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def more(self, part: bytes, *, last: bool = False) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": part, "more_body": not last})

    async def answer(self, body: bytes, kind: bytes = MSGPACK, status: int = 200) -> None:
        """Send a whole answer."""
        await self.begin(status, [(b"content-type", kind), (b"content-length", b"%d" % len(body))])
        await self.more(body, last=True)

    async def give(self, value: object) -> None:
        """Send a value as msgpack."""
        await self.answer(_pack(value))
