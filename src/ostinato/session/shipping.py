"""What a stream asks of a server: to take blocks and stored values, and to note that a writer is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import ServerAnswered
from ostinato.store.append import Appended, Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.client import Client

APPEND_S: Final = 15.0
"""Longest wait for what became of blocks."""
BYTES_PER_S: Final = 1 << 20
"""The slowest line over which a stored value is waited for."""

_pack: Final = msgspec.msgpack.Encoder().encode
_appended: Final = msgspec.msgpack.Decoder(Appended).decode


def ship(client: Client, writer: Writer, blocks: Sequence[bytes], timeout_s: float = APPEND_S) -> Appended:
    """Give what became of blocks, in msgpack each."""
    body = _pack((writer, blocks))
    answer = client.call("/api/rpc/append", body, repeatable=True, timeout_s=timeout_s)
    try:
        return _appended(answer)
    except msgspec.MsgspecError as error:
        raise ServerAnswered(
            url=client.address.url, status="what makes no sense", detail=str(error), fix="Is it an Ostinato?"
        ) from error


def lose(client: Client, stream: str, message: str, *, killed: bool) -> int:
    """Have what a stream left active marked as Crashed; give the number of flow runs that were."""
    answer = client.call("/api/rpc/memory/lose", _pack((stream, message, killed)), repeatable=True)
    return msgspec.msgpack.decode(answer, type=int)


def put(client: Client, blob: str, data: bytes | memoryview) -> None:
    """Have a value stored."""
    data = memoryview(data).cast("B")
    timeout_s = 30.0 + len(data) / BYTES_PER_S
    kind = "application/octet-stream"
    client.call(f"/api/blobs/{blob}", data, method="PUT", kind=kind, repeatable=True, timeout_s=timeout_s)
