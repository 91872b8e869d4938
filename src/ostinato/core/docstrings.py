"""What a docstring says of each parameter (Google, NumPy and Sphinx style)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEADS: Final = frozenset(("Args:", "Arguments:", "Parameters:"))
_ITEM: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_NUMPY_ITEM: Final = re.compile(r"\*{0,2}(\w+(?:, *\w+)*)\s*(?::.*)?()")
_SPHINX_ITEM: Final = re.compile(r":param (?:[^:]* )?(\w+):\s*(.*)")


def descriptions(docstring: str | None) -> dict[str, str]:
    """Give the description of each parameter that the docstring speaks of, in one line each."""
    lines = [line.rstrip() for line in (docstring or "").expandtabs().splitlines()]
    found: dict[str, list[str]] = {}
    for start, line in enumerate(lines):
        following = lines[start + 1 : start + 2]
        if line.strip() in _HEADS:
            found |= _items(_deeper(lines[start + 1 :], _indent(line)), _ITEM)
        elif line.strip() == "Parameters" and following and set(following[0].strip()) == {"-"}:
            found |= _items(_section(lines[start + 2 :]), _NUMPY_ITEM)
        elif line.lstrip().startswith(":param "):
            found |= _items([line, *_deeper(lines[start + 1 :], _indent(line))], _SPHINX_ITEM)
    return {name: " ".join(" ".join(texts).split()) for name, texts in found.items()}


def _items(lines: list[str], pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Give texts by name: an item begins at the indent of the first line, deeper lines go on with it."""
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        begins = pattern.fullmatch(line.strip()) if _indent(line) == _indent(lines[0]) else None
        if begins is not None:
            names = [name.strip() for name in begins.group(1).split(",")]
            found |= {name: [begins.group(2)] for name in names}
        else:
            for name in names:
                found[name].append(line)
    return found


def _deeper(lines: list[str], indent: int) -> list[str]:
    """Give the lines with text up to the first that is not indented more than `indent`."""
    return list(_until(lines, lambda line, _: _indent(line) <= indent))


def _section(lines: list[str]) -> list[str]:
    """Give the lines with text up to the next underlined heading."""
    return list(_until(lines, lambda _, following: set(following.strip()) == {"-"}))


def _until(lines: list[str], ends: Callable[[str, str], bool]) -> Iterator[str]:
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        if not line.strip():
            continue
        if ends(line, following):
            return
        yield line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
