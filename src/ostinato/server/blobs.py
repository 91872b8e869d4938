"""Stored values over HTTP: put, get, and ask whether they are there, by their digest."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import DoorNotFound, MethodRefused, RequestInvalid

if TYPE_CHECKING:
    from ostinato.core.access import Identity
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office

PREFIX: Final = "/api/blobs/"
PART_BYTES: Final = 1 << 20
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")


async def serve(office: Office, exchange: Exchange, identity: Identity) -> None:
    """Answer one request."""
    blob = exchange.path.removeprefix(PREFIX)
    if not _DIGEST.fullmatch(blob):
        raise DoorNotFound(method=exchange.method, path=exchange.path)
    if exchange.method == "PUT":
        identity.check("record")
        await _put(office, exchange, blob)
    elif exchange.method in ("GET", "HEAD"):
        identity.check("read")
        await _get(office, exchange, blob)
    else:
        raise MethodRefused(path=exchange.path, method=exchange.method)


async def _put(office: Office, exchange: Exchange, blob: str) -> None:
    """Take in the bytes as they come, and keep them when they are those of the digest."""
    arriving = await asyncio.to_thread(office.blobs.arriving, blob)
    try:
        async for part in exchange.parts():
            await asyncio.to_thread(arriving.add, part)
        if not await asyncio.to_thread(arriving.finish):
            raise RequestInvalid(reason=f"the body has not the digest {blob}")
    finally:
        await asyncio.to_thread(arriving.close)
    await exchange.answer(b"", status=201)


async def _get(office: Office, exchange: Exchange, blob: str) -> None:
    file, size = await asyncio.to_thread(office.blobs.open, blob)
    with file:
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % size),
            (b"content-disposition", b"attachment"),
            (b"cache-control", b"private, immutable, max-age=31536000"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await exchange.begin(200, headers)
        while exchange.method == "GET" and (part := await asyncio.to_thread(file.read, PART_BYTES)):
            await exchange.more(part)
        await exchange.more(b"", last=True)
