"""The version of code: a hash that changes when what a function does changes."""

from __future__ import annotations

from _blake2 import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType


def code_version(fn: Callable[..., Any]) -> str:
    """Give 12 hex characters that change with the code of `fn` and of the functions of its module that it calls.

    Comments, docstrings and places of lines do not count.
    """
    seen: set[CodeType] = set()
    parts: list[bytes] = []
    waiting: list[Any] = [fn]
    while waiting:
        function = waiting.pop()
        function = getattr(function, "fn", getattr(function, "__wrapped__", function))
        code = getattr(function, "__code__", None)
        if code is None or code in seen:
            continue
        seen.add(code)
        for part in _codes(code):
            constants = [repr(c) for c in part.co_consts if not hasattr(c, "co_code") and c != function.__doc__]
            parts.append(part.co_code + repr((constants, part.co_names)).encode("utf-8", "backslashreplace"))
            called = (function.__globals__.get(name) for name in part.co_names)
            waiting.extend(c for c in called if callable(c) and getattr(c, "__module__", None) == function.__module__)
    return blake2b(b"\0".join(sorted(parts)), digest_size=6).hexdigest()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from _codes(constant)
