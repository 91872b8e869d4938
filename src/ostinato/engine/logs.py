"""Log lines of runs: recorded in the journal, shown in the terminal.

The format of a line is `12:07:39.115 | INFO    | Flow run 'quiet-otter' - Created ...`.
Task runs that end well are shown up to a bound for each task; all are recorded.
"""

from __future__ import annotations

import builtins
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.events import Error, Logged
from ostinato.engine import masks, traces
from ostinato.engine.scopes import FlowScope, Scope, current, now_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.engine.calls import Call

LEVELS: Final = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
NAMES: Final = {number: name for name, number in LEVELS.items()}
LINE_MOST: Final = 1 << 20
SHOWN_MOST: Final = 5


def emit(scope: Scope, level: int, logger: str, text: str, *, at: int = 0) -> None:
    """Record and show one line of a run; lines below the level of the settings are dropped."""
    settings = scope.root.settings
    if level < LEVELS[settings.log_level]:
        return
    if masks.cover is not None:
        text = masks.cover(text)
    if len(text) > LINE_MOST:
        text = f"{text[:LINE_MOST]}… (cut: {len(text) - LINE_MOST:,} characters more)"
    at = at or now_us()
    scope.root.push(Logged(scope.flow.id, scope.no, at, level, logger, text))
    if settings.console:
        show(scope, level, text, at)


def show(scope: Scope, level: int, text: str, at: int) -> None:
    """Write one line to the terminal."""
    kind = "Flow run" if isinstance(scope, FlowScope) else "Task run"
    write(line(level, f"{kind} {scope.name!r} - {text}", at))


def line(level: int, text: str, at: int) -> str:
    """Give one line in the console format."""
    seconds, micros = divmod(at, 1_000_000)
    name = NAMES.get(level, str(level))
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{micros // 1000:03d} | {name:<7} | {text}"


def write(text: str) -> None:
    """Write a line to standard error; a closed terminal is no reason to stop a flow."""
    if sys.stderr is None:  # a daemon may close it
        return
    try:
        sys.stderr.write(text + "\n")
    except (OSError, ValueError, UnicodeEncodeError):
        return


def note_move(call: Call, state: str, message: str) -> None:
    """Show a task's move; each task's first few good ends, then only what went wrong."""
    settings = call.caller.root.settings
    if not settings.console or state in ("Running", "Retrying"):
        return
    if state == "Completed" and call.number >= SHOWN_MOST:
        note_more(call.task.name, call.number)
        return
    text = f"Finished in state {state}({message!r})" if state in SAID else f"Finished in state {state}()"
    write(line(SAID.get(state, 20), f"Task run {call.name!r} - {text}", now_us()))


def note_more(task: str, number: int) -> None:
    """Say once that further good ends of a task are recorded and not shown."""
    if number == SHOWN_MOST:
        write(line(20, f"Task {task!r} - further runs that end well are recorded and not shown here", now_us()))


SAID: Final = {"Skipped": 30, "Cancelled": 30, "Failed": 40, "TimedOut": 40, "AwaitingRetry": 30}


def note_failure(call: Call, state: str, error: BaseException, message: str) -> Error:
    """Record what went wrong as an error (with traceback) or, before a retry, as a warning."""
    seen = getattr(error, traces.MARK, None) is not None
    kept = traces.describe(error, call.name, call.task.fn, call.args, call.kwargs)
    if seen or state == "Cancelled":
        return kept
    scope = call.scope or call.caller
    text = (
        f"{message}: {kept.type}: {kept.message}"
        if state == "AwaitingRetry"
        else f"Failed with inputs ({kept.inputs})\n{kept.trace}"
    )
    root = scope.root
    root.push(Logged(scope.flow.id, call.no, now_us(), SAID.get(state, 40), "ostinato.engine", text))
    return kept


_print: Callable[..., None] = builtins.print


def capture_prints() -> None:
    """Let `print` inside runs with `log_prints` become log lines."""
    builtins.print = _logging_print


def _logging_print(
    *values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
) -> None:
    scope = current.get()
    if scope is None or not scope.log_prints or file not in (None, sys.stdout):
        _print(*values, sep=sep, end=end, file=file, flush=flush)
        return
    emit(scope, 20, "print", (" " if sep is None else sep).join(map(str, values)))
