"""MLflow's uploads in parts: each part is a stored value, and its ETag the digest by which the whole is put together.

Nothing is kept of an upload that is under way, so another server, or one that was started anew, can end it. Parts
that nobody puts together are removed like other stored values that nothing refers to.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.ids import new_id
from ostinato.server.blobs import PART_BYTES
from ostinato.server.mlflow.faults import Fault
from ostinato.server.pages import JSON

if TYPE_CHECKING:
    from ostinato.server.mlflow.frame import Asked
    from ostinato.store.places import Incoming, Outgoing

PREFIX: Final = "mpu/"
ADDRESS: Final = "/api/2.0/mlflow-artifacts/mpu/part"
MOST_PARTS: Final = 10_000

_DIGEST: Final = re.compile(r"[0-9a-f]{32}")


class Begin(msgspec.Struct, frozen=True):
    """An upload that is wanted."""

    path: str
    """Of the file where it comes from; its last part is its name."""
    num_parts: int = 1


class Part(msgspec.Struct, frozen=True):
    """A part that has arrived."""

    part_number: int
    etag: str


class Whole(msgspec.Struct, frozen=True):
    """All parts of a file."""

    path: str
    parts: tuple[Part, ...] = ()


class Credential(msgspec.Struct, frozen=True):
    """Where a part is to be sent, and with what."""

    url: str
    part_number: int
    headers: dict[str, str]


async def begin(asked: Asked, wanted: Begin) -> None:
    """Answer where the parts are to be sent: here, by who asks."""
    if not 0 < wanted.num_parts <= MOST_PARTS:
        raise Fault("INVALID_PARAMETER_VALUE", f"Invalid value for parameter 'num_parts' supplied: 1 to {MOST_PARTS}")
    exchange = asked.exchange
    place = f"{exchange.scope.get('scheme', 'http')}://{exchange.header(b'host')}{ADDRESS}"
    headers = {"Authorization": exchange.header(b"authorization")}
    credentials = [Credential(f"{place}/{number}", number, headers) for number in range(1, wanted.num_parts + 1)]
    await exchange.answer(msgspec.json.encode({"upload_id": new_id(), "credentials": credentials}), JSON)


async def take(asked: Asked) -> None:
    """Take in a part; its digest is the answer."""
    arriving = await asyncio.to_thread(asked.office.blobs.arriving)
    try:
        async for part in asked.exchange.parts():
            await asyncio.to_thread(arriving.add, part)
        await asyncio.to_thread(arriving.finish)
    finally:
        await asyncio.to_thread(arriving.close)
    await asked.exchange.begin(200, [(b"etag", arriving.blob.encode()), (b"content-length", b"0")])
    await asked.exchange.more(b"", last=True)


async def join(asked: Asked, whole: Whole) -> tuple[str, int]:
    """Put the parts together; give digest and size of the file."""
    parts = sorted(whole.parts, key=lambda part: part.part_number)
    numbers = [part.part_number for part in parts]
    if not parts or numbers != list(range(1, len(parts) + 1)) or not all(map(_is_whole, parts)):
        raise Fault("INVALID_PARAMETER_VALUE", "Invalid value for parameter 'parts' supplied: some are missing")
    arriving = await asyncio.to_thread(asked.office.blobs.arriving)
    size = 0
    try:
        for part in parts:
            file, n_bytes = await asyncio.to_thread(asked.office.blobs.open, part.etag.strip('"'))
            await asyncio.to_thread(_pour, file, arriving)
            size += n_bytes
        await asyncio.to_thread(arriving.finish)
    finally:
        await asyncio.to_thread(arriving.close)
    return arriving.blob, size


def _is_whole(part: Part) -> bool:
    return _DIGEST.fullmatch(part.etag.strip('"')) is not None


def _pour(file: Outgoing, into: Incoming) -> None:
    with file:
        while data := file.read(PART_BYTES):
            into.add(data)
