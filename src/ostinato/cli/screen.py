"""Where a command prints: size, colour, and whether a live tree may be drawn there."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from ostinato.cli.lines import Line, clip_line, paint, wrap_line
from ostinato.core.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterable


_HANGING: Final = 4


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """What the output can do."""

    columns: int
    rows: int
    colour: bool
    live: bool
    """A tree may be drawn and redrawn here."""
    terminal: bool

    @property
    def table_columns(self) -> int:
        """Room for a table: the terminal's width, no bound elsewhere (`| grep` wants whole lines)."""
        return self.columns if self.terminal else 1_000_000

    def text(self, line: Line) -> str:
        """Give one line as text: cut to the width on a terminal, whole elsewhere."""
        return paint(clip_line(line, self.columns) if self.terminal else line, colour=self.colour)

    def print(self, lines: Iterable[Line], stream: TextIO | None = None, *, whole: bool = False) -> None:
        """Write lines; `whole` ones are not cut but go on in the next row of a terminal."""
        out = sys.stdout if stream is None else stream
        if whole and self.terminal:
            lines = [row for line in lines for row in wrap_line(line, self.columns, _HANGING)]
        out.write("".join(self.text(line) + "\n" for line in lines))
        out.flush()


def screen_of(stream: TextIO, *, plain: bool = False) -> Screen:
    """Give what a stream can do, by the terminal, the settings and the environment (NO_COLOR, CI, TERM, COLUMNS)."""
    asked = _colour_asked()
    terminal = stream.isatty()
    modest = plain or os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
    size = shutil.get_terminal_size((80, 24)) if terminal else os.terminal_size((_piped_columns(), 24))
    return Screen(
        columns=max(size.columns, 20),
        rows=max(size.lines, 8),
        colour=(terminal and not modest) if asked == "auto" else asked == "always",
        live=terminal and not modest and not os.environ.get("CI"),
        terminal=terminal,
    )


@cache
def _colour_asked() -> str:
    return load().color


def _piped_columns() -> int:
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) else 100
