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
_PACKAGE: Final = re.compile(r"[/\\](?:site|dist)-packages[/\\](\w+)")
_COMPILED: Final = re.compile(r"(\w+)[/\\].+\.(?:pyx|pxi|pxd)$")
_PYTHON: Final = re.compile(r"[/\\]lib[/\\]python3\.\d+[/\\]|^<")
_CARETS: Final = re.compile(r"^\s*[\^~]+\s*$")


def failure_lines(error: Error, n_own: int = 0, *, whole: bool = False) -> list[Line]:
    """Give exception, frames, inputs and hint of a recorded error; `n_own` of our frames were left out.

    Frames of installed packages are folded to one line, unless the `whole` trace is asked for.
    """
    trace: list[Line] = [[(one_line(row), "")] for row in error.trace.splitlines()] if whole else _trace_lines(error)
    lines: list[Line] = [_title(error), *trace]
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
    folded: list[str] = []
    for row in error.trace.splitlines():
        frame = _FRAME.match(row)
        library = _library_of(frame["file"]) if frame else ""
        if library:
            folded.append(library)
        elif folded and row.startswith("    "):  # the source of a frame that is left out
            continue
        else:
            lines += _fold(folded)
            folded = []
            lines += _frame_line(frame) if frame else _text_line(row, said)
    return [*lines, *_fold(folded)]


def _library_of(file: str) -> str:
    """Give the installed package that a file belongs to, "Python" for its own library, nothing for user code."""
    package = _PACKAGE.search(file) or _COMPILED.match(file)
    if package:
        return package[1]
    return "Python" if _PYTHON.search(file) else ""


def _frame_line(frame: re.Match[str]) -> list[Line]:
    where = f" in {frame['where']}" if frame["where"] else ""
    return [[(f"  {short_path(frame['file'])}:{frame['line']}", "cyan"), (where, "dim")]]


def _text_line(row: str, said: set[str]) -> list[Line]:
    if row.startswith("Traceback (") or _CARETS.match(row) or row.strip() in said or not row.strip():
        return []
    return [[("  " + one_line(row), "" if row.startswith(" ") else "red")]]


def _fold(packages: list[str]) -> list[Line]:
    names = ", ".join(dict.fromkeys(packages))
    return [[(f"  ... {len(packages)} frames of {names}", "dim")]] if packages else []


def place_of(error: Error) -> str:
    """Give file and line of the last frame that is the user's own, or nothing."""
    frames = [match for row in error.trace.splitlines() if (match := _FRAME.match(row))]
    own = [frame for frame in frames if not _library_of(frame["file"])]
    if own:
        return f"{short_path(own[-1]['file'])}:{own[-1]['line']}"
    return f"{short_path(error.file)}:{error.line}" if error.file else ""


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
