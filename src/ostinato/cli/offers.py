"""What the shell may offer: names of runs, terms of queries, flows in files."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from click.shell_completion import CompletionItem

from ostinato.cli.home import open_reader
from ostinato.core.errors import OstinatoError
from ostinato.core.query import RUN_FIELDS, STATE_GROUPS, Query, Term, quote
from ostinato.core.states import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from ostinato.core.records import FlowRun

_OFFERED: Final = 50


def runs_beginning(incomplete: str) -> list[CompletionItem]:
    """Give names of the newest runs that begin so, else ids."""
    if len(incomplete) >= 4 and all(char in "0123456789abcdef" for char in incomplete):
        found = _newest(Term(field="id", op="prefix", values=(incomplete,)))
        if found:
            return [CompletionItem(run.id, help=f"{run.name} {run.state}") for run in found]
    names = {run.name: run for run in reversed(_newest())}
    items = [CompletionItem(name, help=f"{run.flow} {run.state}") for name, run in reversed(names.items())]
    return [item for item in [*items, CompletionItem("last")] if str(item.value).startswith(incomplete)]


def deployments_beginning(incomplete: str) -> list[CompletionItem]:
    """Give deployments that begin so."""
    try:
        with open_reader() as reader:
            found = reader.deployments()
    except OstinatoError:
        return []
    return [CompletionItem(one.title) for one in found if one.title.startswith(incomplete)]


def _newest(*terms: Term) -> list[FlowRun]:
    try:
        with open_reader() as reader:
            return reader.runs(Query(terms), limit=_OFFERED)[0]
    except OstinatoError:  # a home that cannot be read offers nothing; `doctor` says why
        return []


def complete_query(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give fields, and after the colon the values that make sense, for a term of a query."""
    sign = "-" if incomplete.startswith("-") else ""
    name, colon, value = incomplete.removeprefix("-").partition(":")
    if not colon:
        fields = [CompletionItem(f"{sign}{field}:", help=it.help) for field, it in RUN_FIELDS.items()]
        return [item for item in fields if item.value.startswith(incomplete)]
    before, comma, last = value.rpartition(",")
    return [
        CompletionItem(f"{sign}{name}:{before}{comma}{offer}")
        for offer in _offers(name)
        if offer.removeprefix('"').startswith(last.removeprefix('"'))
    ]


def _offers(field: str) -> list[str]:
    if field == "state":
        return [*(name.lower() for name in TABLE), *STATE_GROUPS]
    if field in ("flow", "name"):
        return list(dict.fromkeys(quote(getattr(run, field)) for run in _newest()))
    if field == "tag":
        return sorted({quote(tag) for run in _newest() for tag in run.tags})
    return {"since": ["1h", "24h", "7d", "today"], "until": ["1h", "24h", "today"], "parent": ["none"]}.get(field, [])


def complete_target(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give Python files and folders, and after the colon the flows of the file (read, not imported)."""
    file, colon, name = incomplete.partition(":")
    if colon:
        return [CompletionItem(f"{file}:{flow}") for flow in flows_in(Path(file)) if flow.startswith(name)]
    return list(_files(incomplete))


def _files(incomplete: str) -> Iterator[CompletionItem]:
    folder, start = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        path = os.path.join(folder, entry.name)
        if entry.is_dir() and entry.name != "__pycache__":
            yield CompletionItem(path + os.sep)
        elif entry.name.endswith(".py"):
            flows = flows_in(Path(path))
            yield from (CompletionItem(f"{path}:{flow}") for flow in flows)


def flows_in(file: Path) -> list[str]:
    """Give the names of the functions with `@flow` in a Python file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_is_flow, node.decorator_list))
    ]


def _is_flow(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
    return name == "flow"
