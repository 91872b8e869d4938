"""Log lines as text: `12:07:39.115 | INFO    | Flow run 'quiet-otter' - ...`, as `python flow.py` prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ostinato.cli.lines import one_line, wrap
from ostinato.cli.times import clock

if TYPE_CHECKING:
    from ostinato.core.records import LogLine

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_NAMES: Final = {number: name.upper() for name, number in LEVELS.items()}
_COLOURS: Final = ((40, "\x1b[31m"), (30, "\x1b[33m"), (20, ""), (0, "\x1b[2m"))
_HANGING: Final = 10
"""Columns by which the second row of a line is moved in: the time of day stands alone."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_UNSAFE: Final = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def is_failure(line: LogLine) -> bool:
    """Tell whether a line is the engine's own account of a failure, traceback and all."""
    return line.logger == "ostinato.engine" and line.level >= LEVELS["error"]


def short_lines(line: LogLine, run_name: str, columns: int) -> list[str]:
    """Give one log line as it stands above a live tree: short, broken between words, coloured by level."""
    level = "" if line.level == LEVELS["info"] else f"{_name(line.level)} "
    text = _UNSAFE.sub("·", _COLOUR.sub("", f"{level}{line.text}").replace("\t", "    "))
    rows = wrap(f"{clock(line.at)[:8]}  {one_line(line.task if line.no else run_name)}  {text}", columns, _HANGING)
    return [_coloured(row, line.level) for row in rows]


def text_of(line: LogLine, run_name: str, *, colour: bool = False, terminal: bool = False) -> str:
    """Give one log line; on a terminal, control characters other than colours are made harmless."""
    who = f"Task run {line.task!r}" if line.no else f"Flow run {run_name!r}"
    text = f"{clock(line.at)} | {_name(line.level):<7} | {who} - {line.text}"
    if terminal:
        text = _UNSAFE.sub("·", text)
    return _coloured(text, line.level) if colour else text


def _name(level: int) -> str:
    return _NAMES.get(level, str(level))


def _coloured(text: str, level: int) -> str:
    code = next((code for least, code in _COLOURS if level >= least), "")
    return f"{code}{text}\x1b[0m" if code else text
