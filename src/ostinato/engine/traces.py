"""Exceptions as the user should read them: own frames only, with the inputs of the failed call."""

from __future__ import annotations

import os
import re
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.errors import OstinatoError, UpstreamFailed
from ostinato.core.events import Error
from ostinato.engine import masks
from ostinato.engine.interrupts import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

OWN_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
EXAMPLE_FOLDERS: Final = (OWN_FOLDER + "demo" + os.sep,)
LIBRARY_FOLDER: Final = os.path.dirname(os.__file__) + os.sep
COMPILED: Final = (".pyx", ".pxi", ".pxd")
"""Sources of compiled modules: their frames name them as they were on the machine that compiled."""
TEXT_MOST: Final = 64 * 1024
INPUT_MOST: Final = 120
SECRET: Final = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)
MARK: Final = "__ostinato_error__"


def is_own(file: str) -> bool:
    """Tell whether a source file belongs to Ostinato itself (the packaged example counts as user code)."""
    return file.startswith(OWN_FOLDER) and not file.startswith(EXAMPLE_FOLDERS)


def describe(
    error: BaseException, task: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Error:
    """Give the record of an exception; the run that it passed first keeps being the one named."""
    marked = getattr(error, MARK, None)
    if marked is not None:
        return marked  # type: ignore[no-any-return]
    from_outside = isinstance(error, Terminated) and bool(error.reason)
    file, line = ("", 0) if from_outside else _last_user_line(error.__traceback__)
    says_all = from_outside or (isinstance(error, OstinatoError) and not file)
    record = Error(
        type=type_name(error),
        message=_cut(message_of(error)),
        trace="" if says_all else _cut(_trace(error)),
        file=file,
        line=line,
        inputs=inputs_text(fn, args, kwargs),
        task=task,
        hint=error.hint if isinstance(error, OstinatoError) else "",
    )
    try:
        setattr(error, MARK, record)
    except AttributeError:  # an exception class with __slots__: the outer run describes it again
        return record
    return record


def type_name(error: BaseException) -> str:
    """Give the class of an exception, with its module unless it is a builtin or ours."""
    kind = type(error)
    plain = kind.__module__ == "builtins" or kind.__module__.startswith("ostinato.")
    return kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def inputs_text(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Give the arguments of a call in one line, shortened, secrets masked."""
    code = getattr(fn, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    named = [(names[i] if i < len(names) else f"*{i}", value) for i, value in enumerate(args)]
    return ", ".join(f"{name}={_short(name, value)}" for name, value in [*named, *kwargs.items()])


def root_cause(error: BaseException) -> BaseException:
    """Give what the first task raised, when a chain of skipped tasks leads to it."""
    while isinstance(error, UpstreamFailed) and error.__cause__ is not None:
        error = error.__cause__
    return error


def trim(error: BaseException) -> BaseException:
    """Cut our own frames out of the traceback that the user will see, and out of those of its causes."""
    if error.__cause__ is not None:
        trim(error.__cause__)
    kept: list[TracebackType] = []
    step = error.__traceback__
    while step is not None:
        if not is_own(step.tb_frame.f_code.co_filename):
            kept.append(step)
        step = step.tb_next
    for here, after in pairwise([*kept, None]):
        here.tb_next = after  # type: ignore[union-attr]
    return error.with_traceback(kept[0] if kept else None)


def said(error: BaseException) -> str:
    """Give class and message of an exception in one line."""
    message = message_of(error)
    return f"{type_name(error)}: {message}" if message else type_name(error)


def why_stopped(kept: Error) -> str:
    """Give in words why a run was stopped by an exception that says so, else "" (any other one is named)."""
    if kept.type == "KeyboardInterrupt":
        return "interrupted (Ctrl-C)"
    if kept.type == "Terminated" and not kept.trace:
        return kept.message
    return kept.message if kept.type in ("Cancelled", "asyncio.exceptions.CancelledError") else ""


def message_of(error: BaseException) -> str:
    """Give the message of an exception, whatever its `__str__` does, secrets covered."""
    try:
        return _covered(error.message if isinstance(error, OstinatoError) else str(error))
    except Exception as broken:  # noqa: BLE001 - a user class with a broken __str__ must not hide the failure
        return f"<str() of it raised {type(broken).__name__}>"


def _short(name: str, value: object) -> str:
    if SECRET.search(name):
        return "'********'"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{type(value).__name__}({' x '.join(map(str, shape))})"
    try:
        if isinstance(value, (str, bytes)):  # a secret that a cut goes through would not be known again
            value = value[: INPUT_MOST if masks.cover is None else TEXT_MOST]
        text = _covered(repr(value))
    except Exception as broken:  # noqa: BLE001 - a user class with a broken __repr__
        return f"<repr() raised {type(broken).__name__}>"
    text = text.replace("\n", " ")
    return text if len(text) <= INPUT_MOST else text[: INPUT_MOST - 1] + "…"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MOST else f"{text[:TEXT_MOST]}… ({len(text) - TEXT_MOST} characters more)"


def _last_user_line(step: TracebackType | None) -> tuple[str, int]:
    """Give file and line of the last frame of user code, else of the last that is not ours."""
    last = users = ("", 0)
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if not is_own(file):
            last = (file, step.tb_lineno)
            is_library = "site-packages" in file or file.startswith((LIBRARY_FOLDER, "<")) or file.endswith(COMPILED)
            if not is_library:
                users = last
        step = step.tb_next
    return users if users[0] else last


def _trace(error: BaseException) -> str:
    traceback = import_module("traceback")  # only failures pay for it
    whole = traceback.TracebackException.from_exception(error, compact=True)
    waiting: list[Any] = [whole]
    while waiting:
        part = waiting.pop()
        if part is not None:
            part.stack = traceback.StackSummary.from_list([f for f in part.stack if not is_own(f.filename)])
            waiting += [part.__cause__, part.__context__]
    return _covered("".join(whole.format()))


def _covered(text: str) -> str:
    return text if masks.cover is None else masks.cover(text)
