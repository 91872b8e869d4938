"""A failure as lines to read: the user's frames, the inputs of the failed call, the hint."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from ostinato.cli.lines import Line, one_line
from ostinato.engine.traces import is_own

if TYPE_CHECKING:
    from ostinato.core.events import Error

_FRAME: Final = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<where>.+))?$')
_CARETS: Final = re.compile(r"^\s*[\^~]+\s*$")


def failure_lines(error: Error, n_own: int = 0) -> list[Line]:
    """Give exception, frames, inputs and hint of a recorded error; `n_own` of our frames were left out."""
    lines: list[Line] = [_title(error), *_trace_lines(error)]
    if n_own:
        lines.append([(f"  ... {n_own} ostinato frames, --full-trace shows them", "dim")])
    for label, text in (("inputs", error.inputs), ("hint", error.hint)):
        if text:
            lines.append([(f"{label:<8}", "bold"), (one_line(text), "")])
    return lines


def _title(error: Error) -> Line:
    message = one_line(error.message.partition("\n")[0])
    title: Line = [(error.type, "bold red"), (f": {message}" if message else "", "red")]
    return [*title, (f"  in {one_line(error.task)}", "dim")] if error.task else title


def _trace_lines(error: Error) -> list[Line]:
    said = {said_by(error), error.type}
    lines: list[Line] = []
    for row in error.trace.splitlines():
        frame = _FRAME.match(row)
        if frame:
            where = f" in {frame['where']}" if frame["where"] else ""
            lines.append([(f"  {short_path(frame['file'])}:{frame['line']}", "cyan"), (where, "dim")])
        elif row.startswith("Traceback (") or _CARETS.match(row) or row.strip() in said or not row.strip():
            continue
        else:
            lines.append([("  " + one_line(row), "" if row.startswith(" ") else "red")])
    return lines


def own_frames(error: BaseException | None) -> int:
    """Give how many frames of Ostinato are in the traceback of an exception."""
    step = None if error is None else error.__traceback__
    n = 0
    while step is not None:
        n += is_own(step.tb_frame.f_code.co_filename)
        step = step.tb_next
    return n


def said_by(error: Error) -> str:
    """Give exception and message in one line."""
    message = error.message.partition("\n")[0]
    return one_line(f"{error.type}: {message}" if message else error.type)


def short_path(file: str) -> str:
    """Give a path as seen from the working directory when it is below it."""
    here = os.getcwd() + os.sep
    return file.removeprefix(here)


def where_of(error: Error) -> str:
    """Give file and line of a recorded error, or nothing."""
    return f"{short_path(error.file)}:{error.line}" if error.file else ""
