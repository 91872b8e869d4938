"""The version of code: a hash that changes when what a function does changes."""

from __future__ import annotations

from _blake2 import blake2b
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from ostinato.core.keys import ATOMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def code_version(fn: Callable[..., Any]) -> str:
    """Give 12 hex characters that change with the code of `fn` and of what it uses from its module.

    That is the functions and classes of its module that it names, its defaults and what it encloses.
    Comments, docstrings and places of lines do not count.
    """
    seen: set[int] = set()
    parts: list[bytes] = []
    waiting: list[Any] = [fn]
    while waiting:
        function = _function_of(waiting.pop())
        if id(function) in seen:
            continue
        seen.add(id(function))
        if isinstance(function, type):
            waiting.extend(_own([*vars(function).values(), *function.__bases__], function.__module__))
        elif isinstance(function, FunctionType):
            names = _describe(function, parts)
            cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
            waiting.extend(_own([*map(function.__globals__.get, names), *cells], function.__module__))
            waiting.extend(cell for cell in cells if isinstance(cell, FunctionType))
    return blake2b(b"\0".join(sorted(parts)), digest_size=6).hexdigest()


def _function_of(thing: Any) -> Any:
    """Give the function, or class, behind a decorator, method, partial or callable object."""
    while not isinstance(thing, (FunctionType, type)):
        if isinstance(thing, (MethodType, staticmethod, classmethod)):
            thing = thing.__func__
        elif isinstance(thing, property):
            thing = thing.fget
        elif isinstance(thing, partial):
            thing = thing.func
        else:
            inner = getattr(thing, "fn", getattr(thing, "__wrapped__", None))
            if not callable(inner) or inner is thing:
                return type(thing)
            thing = inner
    wrapped = getattr(thing, "__wrapped__", None)
    return _function_of(wrapped) if callable(wrapped) else thing


def _own(things: Any, module: str) -> Iterator[Any]:
    """Give functions, classes, flows and tasks of the same module."""
    for thing in things:
        if isinstance(thing, (staticmethod, classmethod, property)) or (
            callable(thing) and getattr(thing, "__module__", None) == module
        ):
            yield thing


def _describe(function: FunctionType, parts: list[bytes]) -> list[str]:
    """Add what a function does to `parts`; give the names that it uses."""
    names: list[str] = []
    for part in _codes(function.__code__):
        constants = [_text(c) for c in part.co_consts if not isinstance(c, CodeType) and c != function.__doc__]
        parts.append(part.co_code + repr((constants, part.co_names)).encode("utf-8", "backslashreplace"))
        names += part.co_names
    given = [*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())]
    enclosed = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    parts.append(repr([_text(value) for value in (*given, *enclosed)]).encode("utf-8", "backslashreplace"))
    return names


def _text(value: object) -> str:
    """Give a text that is equal in every process; of what is no constant only the type."""
    kind = type(value)
    if kind in ATOMS or value is ...:
        return repr(value)
    if kind is tuple:
        return f"({', '.join(map(_text, value))})"  # type: ignore[call-overload]
    if kind is frozenset:
        return f"{{{', '.join(sorted(map(_text, value)))}}}"  # type: ignore[call-overload]
    return repr(value) if kind is complex else kind.__qualname__


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that is not assigned yet
        return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
