"""The page of public names: signatures and docstrings of what `ostinato` exports."""

from __future__ import annotations

import ast
import inspect
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import ostinato
from pages.text import GENERATED, from_docstring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

LINE = 100


def names() -> list[str]:
    """Give every public name."""
    return sorted(ostinato.__all__, key=str.casefold)


def page() -> str:
    """Give the page: a section for each name."""
    out = [
        "# Python names",
        GENERATED,
        "",
        "All of these are imported from `ostinato`; each is loaded when first used.",
    ]
    for name in names():
        out += ["", f"## `{name}`", "", *_describe(name, getattr(ostinato, name))]
    return "\n".join(out)


def _describe(name: str, thing: object) -> list[str]:
    if inspect.isclass(thing) and thing.__name__ != name:
        return [f"Another name of `{thing.__name__}`."]
    if inspect.isclass(thing):
        return [*_call(name, thing), *from_docstring(thing), *_members(thing)]
    if inspect.isroutine(thing):
        return [*_call(name, thing), *from_docstring(thing)]
    if inspect.ismodule(thing):
        return [*from_docstring(thing), *_functions(name, thing)]
    return [_said_below(name, thing)]


def _functions(name: str, module: ModuleType) -> Iterator[str]:
    for member_name, member in vars(module).items():
        if inspect.isfunction(member) and member.__module__ == module.__name__ and not member_name.startswith("_"):
            full = f"{name}.{member_name}"
            yield from ("", f"### `{full}`", "", *_call(full, member), *from_docstring(member))


def _said_below(name: str, value: object) -> str:
    """Give the string that stands below the assignment of a constant, else the docstring of its class."""
    kind = type(value)
    body = ast.parse(inspect.getsource(sys.modules[kind.__module__])).body
    for one, following in pairwise(body):
        match one, following:
            case (
                ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ) if target == name:
                return inspect.cleandoc(text)
    return inspect.getdoc(kind) or ""


def _members(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if name.startswith("_") or not inspect.getdoc(plain):
            continue
        if inspect.isfunction(plain):
            yield from ("", f"### `{kind.__name__}.{name}`", "", *_call(name, plain), *from_docstring(plain))
        elif isinstance(member, property):
            yield from ("", f"### `{kind.__name__}.{name}`", "", *from_docstring(member))


def _call(name: str, thing: Callable[..., object]) -> list[str]:
    """Give the signature as a block: on one line if it fits, else a parameter a line."""
    try:
        signature = inspect.signature(thing)
    except ValueError:  # made in C, without a signature
        return []
    parts = [str(_plain(one)) for one in signature.parameters.values() if one.name != "self"]
    for mark, kind in (("/", inspect.Parameter.POSITIONAL_ONLY), ("*", inspect.Parameter.KEYWORD_ONLY)):
        _insert(parts, mark, kind, signature)
    back = signature.return_annotation
    ending = "" if back is inspect.Signature.empty else f" -> {_shown(back)}"
    line = f"{name}({', '.join(parts)}){ending}"
    if len(line) > LINE:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){ending}"
    return ["```text", line, "```", ""]


def _insert(parts: list[str], mark: str, kind: object, signature: inspect.Signature) -> None:
    """Put `/` behind the positional-only parameters, `*` before the keyword-only ones."""
    kinds = [one.kind for one in signature.parameters.values() if one.name != "self"]
    if kind not in kinds or (mark == "*" and inspect.Parameter.VAR_POSITIONAL in kinds):
        return
    first = kinds.index(inspect.Parameter.KEYWORD_ONLY) if mark == "*" else 0
    n_only = sum(1 for one in kinds if one == kind)
    parts.insert(first + len(parts) - len(kinds) if mark == "*" else n_only, mark)


class _Text:
    """Stands for a value in a signature and shows as plain text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """Give the parameter with its annotation and default as readable text, without addresses."""
    default, hint = parameter.default, parameter.annotation
    if default is not parameter.empty:
        default = _Text("..." if " at 0x" in repr(default) else repr(default))
    if hint is not parameter.empty:
        hint = _Text(_shown(hint))
    return parameter.replace(default=default, annotation=hint)


def _shown(hint: object) -> str:
    return hint if isinstance(hint, str) else inspect.formatannotation(hint)
