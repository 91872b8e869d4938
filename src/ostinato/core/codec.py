"""The codec: values to recorded bytes and back.

`m` holds atoms, `a` tables (an Arrow stream that other programs can read without unpickling),
`p` everything else. The encodings cannot be mistaken for one another: a pickle begins with
0x80 and an Arrow stream with 0xFFFFFFFF, which begin no encoding of an atom. So the digest of
the encoded bytes alone names the value, and is the name of its blob too.
"""

from __future__ import annotations

import sys
from _blake2 import blake2b  # hashlib would load OpenSSL too, 3 ms of every first import
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.errors import ResultLost
from ostinato.core.results import INLINE_BYTES, Result

if TYPE_CHECKING:
    from ostinato.core.results import Codec, Lost

_ATOMS: Final = frozenset((int, str, float, bool, bytes))
_encode_atom = msgspec.msgpack.Encoder().encode
_decode_atom = msgspec.msgpack.Decoder().decode


def encode(value: object, limit_bytes: int) -> tuple[Result | None, bytes | None]:
    """Give the record of a value, and the bytes to store as its blob when it is too big to be inline.

    The caller stores the blob before it records the result. What cannot be kept gives a
    Result with `lost` and `note` set; nothing is raised.
    """
    if value is None:
        return None, None
    kind = type(value)
    if kind not in _ATOMS:
        return _encode_object(value, limit_bytes)
    try:
        data = _encode_atom(value)
    except (OverflowError, UnicodeEncodeError):  # a huge int, a lone surrogate: pickle knows them
        return _encode_object(value, limit_bytes)
    size = len(data)
    if size <= INLINE_BYTES and size <= limit_bytes:
        return Result("m", data, "", size, b""), None
    return _kept("m", data, limit_bytes)


def decode(result: Result | None, data: bytes | memoryview | None = None, *, task: str = "unknown") -> Any:
    """Give the value back; `data` are the bytes of its blob where it has one, `task` names it in errors.

    Raises:
        ResultLost: (result-lost) the value was not kept, or cannot be read any more.
    """
    if result is None:
        return None
    if result.lost:
        raise ResultLost(name=task, reason=result.note or result.lost, fix=_FIXES[result.lost])
    encoded = data if result.data is None else result.data
    if encoded is None:
        raise ResultLost(name=task, reason=f"its blob {result.blob} is missing", fix=_FIXES["dropped"])
    if result.codec == "m":
        return _decode_atom(encoded)
    try:
        if result.codec == "a":
            return import_module("ostinato.core.tables").decode(encoded)
        return import_module("pickle").loads(encoded)
    except Exception as error:  # unpickling runs code of the value's own class
        reason = f"it cannot be read any more ({type(error).__name__}: {error})"
        fix = "Bring back the class or the package that it was made with, or let the task run again."
        raise ResultLost(name=task, reason=reason, fix=fix) from error


def digest(data: bytes | memoryview) -> bytes:
    """Give BLAKE2b-128 of encoded bytes."""
    return blake2b(data, digest_size=16).digest()


_FIXES: Final[dict[Lost, str]] = {
    "too-large": "Return less, or a path to what you wrote; or raise the limit: OSTINATO_RESULT_LIMIT_MB.",
    "unpicklable": "Return plain values, or a class defined at the top of a module.",
    "not-persisted": "Set `persist_result=True` on the task to keep its result.",
    "dropped": "Let the task run again, or keep results longer.",
}


def lost_result(lost: Lost, note: str, size: int = 0, digest: bytes = b"") -> Result:
    """Give the record of a value that is not kept."""
    return Result("p", None, "", size, digest, lost, note)


def _encode_object(value: object, limit_bytes: int) -> tuple[Result | None, bytes | None]:
    if type(value).__name__ in _TABLES and "pyarrow" in sys.modules:
        sink = _Sink(limit_bytes)
        if import_module("ostinato.core.tables").encode(value, sink):
            return _collected("a", sink)
    sink = _Sink(limit_bytes)
    try:
        (sys.modules.get("pickle") or import_module("pickle")).Pickler(sink, 5).dump(value)
    except Exception as error:  # noqa: BLE001 - pickling runs code of the value's own class
        note = f"{type(value).__module__}.{type(value).__qualname__} cannot be pickled: {_brief(error)}"
        return lost_result("unpicklable", note), None
    return _collected("p", sink)


_TABLES: Final = frozenset(("Table", "DataFrame"))


def _collected(codec: Codec, sink: _Sink) -> tuple[Result, bytes | None]:
    if sink.hash is not None:
        return _too_large(sink.size, sink.limit_bytes, sink.hash.digest()), None
    return _kept(codec, b"".join(sink.parts), sink.limit_bytes)


def _kept(codec: Codec, data: bytes, limit_bytes: int) -> tuple[Result, bytes | None]:
    name = digest(data)
    if len(data) > limit_bytes:
        return _too_large(len(data), limit_bytes, name), None
    if len(data) <= INLINE_BYTES:
        return Result(codec, data, "", len(data), name), None
    return Result(codec, None, name.hex(), len(data), name), data


def _too_large(size: int, limit_bytes: int, name: bytes) -> Result:
    note = f"it has {_mib(size)}, the limit is {_mib(limit_bytes)} (raise it: OSTINATO_RESULT_LIMIT_MB)"
    return lost_result("too-large", note, size, name)


class _Sink:
    """Takes encoded bytes; past the limit it keeps only size and hash, so a huge value is never held twice."""

    __slots__ = ("closed", "hash", "limit_bytes", "parts", "size")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.parts: list[bytes] = []
        self.size = 0
        self.hash: blake2b | None = None
        self.closed = False

    def write(self, data: Any) -> int:
        """Take `bytes` or a buffer, as pickler and Arrow send them."""
        view = memoryview(data).cast("B") if type(data) is not bytes else data
        self.size += len(view)
        if self.hash is not None:
            self.hash.update(view)
        elif self.size <= self.limit_bytes:
            self.parts.append(bytes(view))
        else:
            self.hash = blake2b(b"".join(self.parts), digest_size=16)
            self.hash.update(view)
            self.parts.clear()
        return len(view)

    def flush(self) -> None:
        """Do nothing: Arrow asks for it."""

    def close(self) -> None:
        """Do nothing: Arrow asks for it."""


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 2**20 else f"{size_bytes:,} bytes"


def _brief(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return text if len(text) <= 300 else text[:299] + "…"
