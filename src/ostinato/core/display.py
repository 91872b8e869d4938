"""Values as people read them: short, one line, secrets masked."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.fields import field_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MASK: Final = "********"

_SECRET: Final = re.compile(r"(?i:passw(or)?d|secret|api_?key|private_?key|credential)|(?i:token)(?![a-z])")
_SECRET_TYPES: Final = frozenset(("Secret", "SecretBytes", "SecretStr"))
_LOGIN: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_LONGEST: Final = 1000
_MOST_ITEMS: Final = 100
_MOST_VALUES: Final = 2000
_DEEPEST: Final = 8
_encode = msgspec.json.Encoder().encode


def is_secret(name: str) -> bool:
    """Say whether a parameter or a field of this name is not to be shown."""
    return _SECRET.search(name) is not None


def as_json(values: Mapping[str, object]) -> bytes:
    """Give a JSON object for reading: bounded in size, foreign values as `DataFrame(73908 x 4)`, secrets masked."""
    if not values:
        return b"{}"
    return _encode(_Tree().fields(values, 0))


def shorten(value: object, longest: int = 80) -> str:
    """Give a value in one short line, for an error or a list: text quoted, large values by type and size."""
    tree = _Tree(most=longest // 4)
    try:
        text = repr(tree.shown(value, 0)) if type(value) in (str, *_CONTAINERS) else str(tree.shown(value, 0))
    except RecursionError:
        text = type(value).__name__
    return text if len(text) <= longest else text[: longest - 1] + "…"


def foreign(value: object) -> str:
    """Give type and size of a value that has no short text of its own, such as `DataFrame(73908 x 4)`."""
    if isinstance(value, type) or callable(value):
        return str(getattr(value, "__qualname__", type(value).__name__))
    name = type(value).__name__
    try:
        shape = getattr(value, "shape", None)
        size = " x ".join(str(int(number)) for number in shape) if isinstance(shape, tuple) else ""
        dtype = getattr(value, "dtype", "")
    except Exception:  # noqa: BLE001 - attributes of foreign classes may raise anything; the type is enough then
        return name
    return f"{name}({', '.join(text for text in (size, str(dtype)) if text)})" if size else name


class _Tree:
    """Turns a value into plain JSON-able values, within a budget."""

    __slots__ = ("left",)

    def __init__(self, most: int = _MOST_VALUES) -> None:
        self.left = most

    def shown(self, value: Any, depth: int) -> Any:
        self.left -= 1
        kind = type(value)
        if kind in (bool, type(None)):
            return value
        if (show := _SHOWN.get(kind)) is not None:
            return show(value)
        if depth >= _DEEPEST or self.left <= 0:
            return "…"
        if kind in _CONTAINERS:
            return self.fields(value, depth) if kind is dict else self.items(value, depth)
        if kind.__name__ in _SECRET_TYPES:
            return MASK
        if (names := field_names(kind)) is not None:
            return self.fields({name: getattr(value, name, None) for name in names}, depth)
        if (text := _TEXTS.get(kind.__module__.partition(".")[0])) is not None and not isinstance(value, type):
            return text(value)
        return _special(value, kind)

    def items(self, values: Any, depth: int) -> list[Any]:
        shown: list[Any] = []
        for value in values:
            if len(shown) == _MOST_ITEMS or self.left <= 0:
                return [*shown, f"… {len(values) - len(shown):,} more"]
            shown.append(self.shown(value, depth + 1))
        return shown

    def fields(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for key, value in values.items():
            if len(shown) == _MOST_ITEMS or self.left <= 0:
                shown["…"] = f"{len(values) - len(shown):,} more"
                break
            name = _text(key) if type(key) is str else shorten(key)
            shown[name] = MASK if value is not None and is_secret(name) else self.shown(value, depth + 1)
        return shown


def _text(value: str) -> str:
    text = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value):,} characters)"
    text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate is no UTF-8
    return _LOGIN.sub(rf"\1{MASK}@", text) if "://" in text else text


def _whole(value: int) -> int | str:
    if -(2**63) <= value < 2**63:
        return value
    return str(value) if value.bit_length() <= 1024 else f"int({value.bit_length():,} bits)"


def _real(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _raw(value: bytes) -> str:
    return str(value) if len(value) <= 40 else f"bytes({len(value):,})"


def _special(value: Any, kind: type) -> Any:
    if hasattr(kind, "__members__"):
        return f"{kind.__name__}.{value.name}" if hasattr(value, "name") else str(value)
    if isinstance(value, str | int | float):
        return _text(str(value))
    return foreign(value)


_CONTAINERS: Final = (list, tuple, set, frozenset, dict)
_SHOWN: Final[dict[type, Callable[[Any], Any]]] = {str: _text, int: _whole, float: _real, bytes: _raw}
_TEXTS: Final[dict[str, Callable[[Any], str]]] = {
    name: (lambda value: _text(str(value)))
    for name in ("datetime", "decimal", "pathlib", "uuid", "zoneinfo", "fractions")
}
"""Modules of the standard library whose values say all in their text."""
