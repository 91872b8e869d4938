"""Masks: the values of secrets that this process has read, and their covering in what it records and writes.

While no secret was read, covering costs one look at `cover`. From the first one on, what Python code writes to
`sys.stdout` and `sys.stderr` is covered; what other programs and native code write is not.
"""

from __future__ import annotations

import re
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TextIO

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
    """Cover these values from now on, by their lines too, and as JSON, `repr` (of bytes too) and URLs do.

    In a value that is a JSON object, what stands under names such as `password` is covered on its own.
    """
    global cover  # noqa: PLW0603 - of the whole process, like its output
    with _lock:
        new = set(values) - _values
        _values.update(new)
        _words.update(word for value in new for part in _parts(value) for word in _spellings(part))
        if new and _words:
            mask = import_module("ostinato.core.display").MASK
            # The longest first, so that no rest of a value stays beside the mask of a shorter one.
            longest_first = sorted(_words, key=len, reverse=True)
            pattern = re.compile("|".join(map(re.escape, longest_first)))
            cover = lambda text: pattern.sub(mask, text)  # noqa: E731 - a value that is replaced as a whole
    for name in ("stdout", "stderr") if cover is not None else ():
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, CoveredStream):
            setattr(sys, name, CoveredStream(stream))


class CoveredStream:
    """A stream that covers known values in what is written to it, and else is the one that it was made from."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, covered."""
        return self._stream.write(text if cover is None else cover(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts, each covered."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
    yield repr(text)[1:-1].replace("'", "\\'")
    yield repr(text.encode(errors="replace"))[2:-1]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield parse.quote(text, safe="")
    yield parse.quote_plus(text)
