"""The source tree as the checks see it: modules, what they import, and how many lines are code."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "ostinato"
FOLDERS = ("src", "tests", "scripts", "examples", "benchmarks")

Kind: TypeAlias = Literal["top", "hidden", "typing", "string"]
"""Where an import stands: at module level, inside a function, under TYPE_CHECKING, or as an import string."""

_IMPORT_STRING = re.compile(rf"{PACKAGE}(\.\w+)+(:\w+)?")
_NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One name that a module imports. `target` is dotted; an import string is kept in `door` instead."""

    target: str
    line: int
    kind: Kind
    door: str = ""


@dataclass(frozen=True)
class File:
    """One Python file below `root`."""

    path: Path
    root: Path

    @cached_property
    def text(self) -> str:
        """The source."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, filename=str(self.path))

    @property
    def shown(self) -> str:
        """Path from the root, as failure texts name it."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def module(self) -> str:
        """Dotted name of a file below src."""
        parts = self.path.relative_to(self.root / "src").with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """Numbers of the lines that hold code: no blank line, no comment, no docstring."""
        found: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in _NOT_CODE and token.string:
                found.update(range(token.start[0], token.end[0] + 1))
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                found.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return frozenset(found)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import of the file, wherever it stands."""
        return tuple(_imports(self.tree, "top"))


def source_files(root: Path) -> list[File]:
    """Give the files of the package."""
    return [File(path, root) for path in sorted((root / "src" / PACKAGE).rglob("*.py"))]


def all_files(root: Path) -> list[File]:
    """Give every Python file of the project; hidden folders (environments, caches) are not the project's."""
    return [
        File(path, root)
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]


def imports_inside(root: Path) -> list[tuple[File, Import, str]]:
    """Give each import of the package by itself: the file, the import, and the module that it loads."""
    files = source_files(root)
    modules = frozenset(file.module for file in files)
    found = [(file, one, _module_of(one, modules)) for file in files for one in file.imports]
    return [(file, one, module) for file, one, module in found if module]


def _module_of(one: Import, modules: frozenset[str]) -> str:
    """Give the module of ours that an import loads, or an empty string."""
    target = one.door.partition(":")[0] if one.kind == "string" else one.target
    while target and target not in modules:
        # A string that only looks like an import (a file name, an event name) names no module.
        target = "" if one.kind == "string" else target.rpartition(".")[0]
    return target


def _imports(node: ast.AST, kind: Kind) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                yield from (Import(target=name.name, line=child.lineno, kind=kind) for name in child.names)
            case ast.ImportFrom():
                yield from (
                    Import(target=f"{child.module}.{name.name}", line=child.lineno, kind=kind) for name in child.names
                )
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(child, "hidden")
            case ast.If(test=test, body=body) if ast.unparse(test).endswith("TYPE_CHECKING"):
                yield from _imports(ast.Module(body=body, type_ignores=[]), "typing")
                yield from _imports(ast.Module(body=child.orelse, type_ignores=[]), kind)
            case ast.Constant(value=str() as text) if _IMPORT_STRING.fullmatch(text):
                yield Import(target="", line=child.lineno, kind="string", door=text)
            case ast.Call(func=ast.Name(id="getLogger") | ast.Attribute(attr="getLogger")):
                continue  # a logger is named like a module, and imports nothing
            case _:
                yield from _imports(child, kind)
