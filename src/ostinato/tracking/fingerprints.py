"""Fingerprints of data: BLAKE2b-128 of the bytes of files, and of the values of tables.

The fingerprint of a table depends on the names, types and values of its columns in their order, and on nothing else:
not on the library that holds it, on chunks, on row labels, or on how a missing value is written.
"""

from __future__ import annotations

import os
from _blake2 import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.content import NoContent, content_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

PART_BYTES: Final = 1 << 20
_PLAIN: Final = {"large_string": "string", "string_view": "string", "large_binary": "binary", "binary_view": "binary"}
_pack = msgspec.msgpack.Encoder().encode


def of_file(path: str) -> str:
    """Give the fingerprint of a file, read in parts; `b2sum --length 128` prints the same."""
    with open(path, "rb", buffering=0) as file:
        return of_stream(file)


def of_stream(file: Any) -> str:
    """Give the fingerprint of what is left of an open file."""
    hasher = blake2b(digest_size=16)
    part = bytearray(PART_BYTES)
    view = memoryview(part)
    while n := file.readinto(part):
        hasher.update(view[:n])
    return hasher.hexdigest()


def of_folder(files: Iterable[tuple[str, str]]) -> str:
    """Give the fingerprint of a folder from the names of its files below it, and their fingerprints."""
    hasher = blake2b(b"folder", digest_size=16)
    for name, digest in sorted(files):
        hasher.update(_pack((os.fsencode(name), digest)))
    return hasher.hexdigest()


def of_table(table: Any) -> str:
    """Give the fingerprint of a table of pyarrow.

    Raises:
        NoContent: a column holds what cannot be hashed.
    """
    hasher = blake2b(b"table", digest_size=16)
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.combine_chunks()
        try:
            hasher.update(_pack((name, table.num_rows, _hash(values))))
        except NoContent as error:
            error.enter(f".{name}")
            raise
    return hasher.hexdigest()


def type_name(kind: Any) -> str:
    """Give the name of an Arrow type, equal for all ways to lay its values out."""
    if hasattr(kind, "value_type") and hasattr(kind, "index_type"):  # dictionary encoded
        return type_name(kind.value_type)
    name = str(kind)
    return _PLAIN.get(name, name)


def _hash(values: Any) -> bytes:
    """Give the hash of an array: of its type, of where values are missing, and of the values."""
    arrow: Any = import_module("pyarrow")
    if arrow.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    hasher = blake2b(_pack((type_name(values.type), len(values))), digest_size=16)
    for part in _parts(arrow, values):
        hasher.update(part)
    return hasher.digest()


def _parts(arrow: Any, values: Any) -> Iterable[Any]:
    kind, types = values.type, arrow.types
    if types.is_floating(kind):
        yield _floats(values)
        return
    if values.null_count:
        numpy: Any = import_module("numpy")
        yield numpy.packbits(values.is_valid().to_numpy(zero_copy_only=False))
    if types.is_null(kind):
        return
    if types.is_boolean(kind):
        yield values.fill_null(False).to_numpy(zero_copy_only=False)
    elif types.is_integer(kind):
        yield values.fill_null(0).to_numpy(zero_copy_only=False)
    elif types.is_temporal(kind) and not types.is_interval(kind):
        yield _instants(arrow, values)
    elif type_name(kind) in ("string", "binary"):
        yield from _texts(arrow, values)
    else:
        yield content_digest(values.to_pylist())


def _floats(values: Any) -> Any:
    """Give numbers of which all that are missing are one NaN."""
    numpy: Any = import_module("numpy")
    found = values.to_numpy(zero_copy_only=False)
    missing = numpy.isnan(found)
    if missing.any():
        found = numpy.where(missing, found.dtype.type("nan"), found)
    return numpy.ascontiguousarray(found)


def _instants(arrow: Any, values: Any) -> Any:
    whole = arrow.int32() if values.type.bit_width == 32 else arrow.int64()
    return values.cast(whole).fill_null(0).to_numpy(zero_copy_only=False)


def _texts(arrow: Any, values: Any) -> Iterable[Any]:
    """Give the lengths of texts, then the texts one after the other."""
    numpy: Any = import_module("numpy")
    is_text = type_name(values.type) == "string"
    wide = values.cast(arrow.large_string() if is_text else arrow.large_binary())
    wide = wide.fill_null("" if is_text else b"")
    _, offsets, texts = wide.buffers()
    if len(wide) == 0:
        return
    ends = numpy.frombuffer(offsets, numpy.int64)[wide.offset : wide.offset + len(wide) + 1]
    yield numpy.diff(ends)
    if texts is not None:
        yield memoryview(texts)[ends[0] : ends[-1]]
