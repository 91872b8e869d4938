"""Task keys: the same call has the same key in every epoch of a run.

key = BLAKE2b-128 of the caller's key, the task's name and the names of the inputs; a further call
with equal names in one caller is told apart by its ordinal. Inputs are named by producer (a future
or a value that a task returned), by content when small, by type and a sample when large, and never
by identity.
"""

from __future__ import annotations

import os
import sys
from _blake2 import blake2b  # hashlib loads OpenSSL first, 3 ms of every first import
from importlib import import_module
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Name: TypeAlias = Any
"""What stands for a value in a key: msgpack-able atoms and lists of them."""

Origin: TypeAlias = "Callable[[object], tuple[bytes, int] | None]"
"""Gives (key of the producing call, index of the item in its result or -1) of a value, or None."""

ATOMS: Final = frozenset({int, float, str, bool, type(None), bytes})
LONG_BYTES: Final = 1 << 10
SAMPLE_BYTES: Final = 1 << 16
MOST_ITEMS: Final = 1 << 10
DEEPEST: Final = 6

_MAIN: Final = ("__main__", "__mp_main__")
_PLACED: Final = (FunctionType, BuiltinFunctionType)

_encode = msgspec.msgpack.Encoder().encode


def call_name(caller: bytes, task: str, inputs: Name) -> bytes:
    """Give the 16 bytes that name a call by caller, task and named inputs; ordinal 0's key."""
    try:
        return blake2b(caller + _encode((task, inputs)), digest_size=16).digest()
    except (OverflowError, UnicodeEncodeError):  # an int beyond 64 bits, a lone surrogate
        return blake2b(caller + repr((task, list(inputs))).encode("utf-8", "backslashreplace"), digest_size=16).digest()


def nth_key(name: bytes, ordinal: int) -> bytes:
    """Give the key of the call with this ordinal (0, 1, ...) among calls of the same name."""
    return name if ordinal == 0 else blake2b(name + ordinal.to_bytes(6, "big"), digest_size=16).digest()


def chosen_key(caller: bytes, task: str, key: str) -> bytes:
    """Give the key of a call for which the user chose `key=`."""
    return blake2b(caller + _encode((task, "key=", key)), digest_size=16).digest()


def name_value(value: object, origin: Origin, depth: int = 0) -> Name:
    """Give what stands for `value` in a key."""
    kind = type(value)
    if kind in ATOMS:
        return value if kind not in (str, bytes) or len(value) <= LONG_BYTES else _long(value)  # type: ignore[arg-type]
    produced = origin(value)
    if produced is not None:
        return ["of", *produced]
    if kind in (list, tuple, set, frozenset, dict) and depth < DEEPEST and len(value) <= MOST_ITEMS:  # type: ignore[arg-type]
        return _collection(value, kind, origin, depth)
    return _foreign(value)


def _collection(value: Any, kind: type, origin: Origin, depth: int) -> Name:
    if kind is dict:
        pairs = [[name_value(k, origin, depth + 1), name_value(v, origin, depth + 1)] for k, v in value.items()]
        return ["dict", sorted(pairs, key=repr)]
    names = [name_value(item, origin, depth + 1) for item in value]
    return [kind.__name__, sorted(names, key=repr) if kind in (set, frozenset) else names]


def _long(value: str | bytes) -> Name:
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if len(raw) > 16 * SAMPLE_BYTES:
        middle = len(raw) // 2
        raw = raw[:SAMPLE_BYTES] + raw[middle : middle + SAMPLE_BYTES] + raw[-SAMPLE_BYTES:]
    return ["long", type(value).__name__, len(value), blake2b(raw, digest_size=16).digest()]


def _foreign(value: object) -> Name:
    facts = [str(getattr(value, fact, "")) for fact in ("shape", "dtype", "nbytes")]
    return ["like", _place(type(value)), *facts, _sample(_thinned(value))]


def _place(thing: Any) -> str:
    """Give the name of a class or function by which every process knows it.

    The file that is run is `__main__` in one process and a module in the one that resumes its run, so only
    the last part of a module's name counts.
    """
    module = str(thing.__module__)
    if module in _MAIN:
        file = getattr(sys.modules.get(module), "__file__", None) or module
        return f"{os.path.splitext(os.path.basename(file))[0]}.{thing.__qualname__}"
    return f"{module.rpartition('.')[2]}.{thing.__qualname__}"


def _thinned(value: Any) -> object:
    """Give every n-th row of an array or frame that is large, else the value itself."""
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape or not isinstance(shape[0], int) or shape[0] <= MOST_ITEMS:
        return value
    step = shape[0] // MOST_ITEMS + 1
    rows = getattr(value, "iloc", value)
    try:
        return rows[::step]
    except (TypeError, IndexError, KeyError, ValueError):
        return value


class _Sink:
    """A file that hashes what is written and stops the writer after a bounded number of bytes."""

    def __init__(self) -> None:
        self.digest = blake2b(digest_size=16)
        self.room = SAMPLE_BYTES

    def write(self, data: Any) -> int:
        raw = memoryview(data).cast("B")[: self.room]
        self.digest.update(raw)
        self.room -= len(raw)
        if self.room <= 0:
            raise _Enough
        return len(raw)


class _Enough(Exception):
    pass


def _same_everywhere(value: object) -> Name:
    """Give what stands for a part of a value where its pickle differs from process to process."""
    kind = type(value)
    if kind in _PLACED or isinstance(value, type):
        return _place(value)
    if kind in (set, frozenset):
        items: Any = value
        return [kind.__name__, *sorted(map(repr, items) if _is_plain(items) else map(_sample, items))]
    return None


def _is_plain(items: Any) -> bool:
    """Tell whether all items are atoms."""
    return ATOMS.issuperset(map(type, items))


def _sample(value: object) -> bytes:
    sink = _Sink()
    pickler = import_module("pickle").Pickler(sink, protocol=5)
    if type(value) not in (list, tuple) or not _is_plain(value):
        pickler.persistent_id = _same_everywhere
    try:
        pickler.dump(value)
    except _Enough:
        pass
    except Exception:  # noqa: BLE001 - user classes raise anything while pickled; the type alone then names the value
        return b""
    return sink.digest.digest()
