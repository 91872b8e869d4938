"""Masks: the values of secrets that this process has read, and their covering in what is recorded and printed.

While no secret was read, covering costs one look at `cover`.
"""

from __future__ import annotations

import re
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LEAST: Final = 4
"""Shorter values are not covered: they stand in many a line that has nothing to do with them."""
LEAST_LINE: Final = 8
"""The same for a single line of a value that has several."""

cover: Callable[[str], str] | None = None
"""Gives a text with every known value covered; None while none is known."""

_values: set[str] = set()
_words: set[str] = set()
_lock = threading.Lock()


def hide(values: Iterable[str]) -> None:
    """Cover these values from now on, by their lines too, and as JSON, `repr` and URLs spell them.

    In a value that is a JSON object, what stands under names such as `password` is covered on its own.
    """
    global cover  # noqa: PLW0603 - of the whole process, like its output
    with _lock:
        new = set(values) - _values
        if not new:
            return
        _values.update(new)
        _words.update(word for value in new for part in _parts(value) for word in _spellings(part))
        if _words:
            mask = import_module("ostinato.core.display").MASK
            # The longest first, so that no rest of a value stays beside the mask of a shorter one.
            longest_first = sorted(_words, key=len, reverse=True)
            pattern = re.compile("|".join(map(re.escape, longest_first)))
            cover = lambda text: pattern.sub(mask, text)  # noqa: E731 - a value that is replaced as a whole


def hidden() -> frozenset[str]:
    """Give the values that are covered, for another process of the same run."""
    return frozenset(_values)


def _parts(value: str) -> Iterator[str]:
    lines = [line.strip() for line in value.splitlines()]
    yield from (part for part in (value, value.strip()) if len(part) >= LEAST)
    yield from (line for line in lines if len(line) >= LEAST_LINE)
    try:
        yield from _named(msgspec.json.decode(value))
    except msgspec.DecodeError:
        return


def _named(value: Any, name: str = "") -> Iterator[str]:
    """Give the texts in a JSON value whose names are those of secrets."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item, name)
    elif isinstance(value, str) and len(value) >= LEAST and import_module("ostinato.core.display").is_secret(name):
        yield value


def _spellings(text: str) -> Iterator[str]:
    json, parse = import_module("json"), import_module("urllib.parse")  # only who reads secrets needs them
    yield text
    yield repr(text)[1:-1]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield parse.quote(text, safe="")
    yield parse.quote_plus(text)
