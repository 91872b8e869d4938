"""Lines of styled text that fit a terminal: width, clipping, alignment, paint."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Piece: TypeAlias = tuple[str, str]
"""Text, and the styles it has: words of `STYLES`, separated by spaces."""

Line: TypeAlias = list[Piece]

STYLES: Final[dict[str, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), "·") | {9: " ", 10: " ", 13: " "}


def one_line(text: str) -> str:
    """Give a text without line breaks and control characters, so that it stays where it is put."""
    return text if text.isascii() and text.isprintable() else text.translate(_CONTROLS)


def width(text: str) -> int:
    """Give the terminal columns that a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1


def clip(text: str, columns: int) -> str:
    """Give a text that takes at most so many columns, with an ellipsis where it was cut."""
    if width(text) <= columns:
        return text
    return text[: _fitting(text, columns - 1)] + "…" if columns > 0 else ""


def _fitting(text: str, columns: int) -> int:
    """Give how many characters from the start fit into so many columns."""
    for at, char in enumerate(text):
        columns -= _columns(char)
        if columns < 0:
            return at
    return len(text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Give a text of exactly so many columns: cut, or filled with spaces (before it if `right`)."""
    text = clip(text, columns)
    space = " " * (columns - width(text))
    return space + text if right else text + space


def wrap(text: str, columns: int, hanging: int) -> list[str]:
    """Give a text as rows of at most so many columns, broken between words where that is possible.

    All rows but the first are moved in by `hanging` columns; line breaks in the text stay.
    """
    rows: list[str] = []
    margin = " " * hanging
    for part in text.splitlines() or [""]:
        row = margin if rows else ""
        for word in re.findall(r"\s*\S+", part):
            if width(row) + width(word) <= columns:
                row += word
                continue
            if row.strip():
                rows.append(row)
                row = margin
            rest = word.lstrip()
            while width(row) + width(rest) > columns:
                n_fitting = max(_fitting(rest, columns - width(row)), 1)
                rows.append(row + rest[:n_fitting])
                row, rest = margin, rest[n_fitting:]
            row += rest
        rows.append(row)
    return rows


def wrap_line(line: Line, columns: int, hanging: int = 0) -> list[Line]:
    """Give a styled line as rows of at most so many columns, broken as `wrap` breaks a text."""
    if line_width(line) <= columns:
        return [line]
    styles = [style for text, style in line for char in text]
    at, rows = 0, []
    text = "".join(text for text, _ in line)
    for number, row in enumerate(wrap(text, columns, hanging)):
        begin = hanging if number else 0
        pieces: Line = [(" " * begin, "")]
        for char in row[begin:]:
            while text[at] != char:  # a space at which the text was broken
                at += 1
            pieces.append((char, styles[at]))
            at += 1
        rows.append([("".join(text for text, _ in same), style) for style, same in groupby(pieces, itemgetter(1))])
    return rows


def line_width(line: Line) -> int:
    """Give the terminal columns that a line takes."""
    return sum(width(text) for text, _ in line)


def clip_line(line: Line, columns: int) -> Line:
    """Give a line that takes at most so many columns."""
    room, kept = columns, []
    for text, styles in line:
        fitting = clip(text, room)
        kept.append((fitting, styles))
        room -= width(fitting)
        if fitting != text:
            break
    return kept


def spread(left: Line, right: Line, columns: int) -> Line:
    """Give one line with `right` at the right edge; `left` gives way."""
    room = columns - line_width(right) - (2 if right else 0)
    left = clip_line(left, max(room, 0))
    gap = columns - line_width(left) - line_width(right)
    return clip_line([*left, (" " * max(gap, 0), ""), *right], columns) if right else left


def paint(line: Line, *, colour: bool) -> str:
    """Give the text of a line, with ANSI codes when `colour`."""
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    return "".join(_painted(text, styles) for text, styles in line).rstrip()


def _painted(text: str, styles: str) -> str:
    codes = ";".join(STYLES[name] for name in styles.split())
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def columns_of(rows: Sequence[Sequence[Piece]], columns: int, *, right: Sequence[int] = ()) -> list[Line]:
    """Give rows as aligned lines that fit: the widest columns give way first.

    `right` names the columns that are aligned at their right edge.
    """
    if not rows:
        return []
    widths = [max(width(row[at][0]) for row in rows) for at in range(len(rows[0]))]
    while sum(widths) + 2 * (len(widths) - 1) > columns and max(widths) > 4:
        widths[widths.index(max(widths))] -= 1
    return [
        clip_line(
            [
                piece
                for at, (text, styles) in enumerate(row)
                for piece in ((pad(text, widths[at], right=at in right), styles), ("  ", ""))
            ][:-1],
            columns,
        )
        for row in rows
    ]
