"""How a value is recorded: small ones inline, large ones as content-addressed blobs."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Codec: TypeAlias = Literal["m", "p", "a"]
"""`m` msgpack of plain atoms, `p` pickle protocol 5, `a` Arrow stream of a table."""

Lost: TypeAlias = Literal["", "too-large", "unpicklable", "not-persisted", "dropped"]
"""Why a value cannot be given back: the task runs again on resume. Empty = it is kept."""

INLINE_BYTES = 16 * 1024


class Result(msgspec.Struct, frozen=True, array_like=True):
    """A recorded value. `None` instead of a Result records the value None."""

    codec: Codec
    data: bytes | None
    """The encoded value when `size <= INLINE_BYTES`, else None."""
    blob: str
    """Hex digest under which the encoded value is stored, or empty."""
    size: int
    """Bytes of the encoded value."""
    digest: bytes
    """BLAKE2b-128 of the encoded value; names the value where it is an input."""
    lost: Lost = ""
    note: str = ""
    """The reason in words when `lost` is set."""
    storage: str = ""
    """Folder or URL that holds the blob; empty for the home."""
