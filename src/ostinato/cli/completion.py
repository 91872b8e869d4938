"""Completion in the shell: commands and options, names of runs, FILE:FLOW, terms of queries."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

from ostinato.cli.command import Command, open_reader
from ostinato.core.errors import OstinatoError
from ostinato.core.query import RUN_FIELDS, STATE_GROUPS, Query, Term, quote
from ostinato.core.states import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.records import FlowRun

_OFFERED: Final = 50


_BASH: Final = """\
%(complete_func)s() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$(printf %%q "$value")")
                [[ $value == *[:/,] ]] && compopt -o nospace
                ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
"""What bash runs: no space after a value that goes on (`state:`, `folder/`), values quoted for the shell."""


class Bash(BashComplete):
    """Bash cuts words at `:`; this puts `flow.py:train` together again and answers with its last part."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Give the words before the cursor and the beginning of the word at it."""
        words, incomplete = super().get_completion_args()
        while words and (incomplete.startswith(":") or words[-1].endswith(":")):
            incomplete = words.pop() + incomplete
        self._cut = incomplete.rfind(":") + 1
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Give one answer as the script reads it."""
        return f"{item.type},{item.value[self._cut :] if item.type == 'plain' else item.value}"


add_completion_class(Bash)

_SHELLS: Final = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    cls=Command,
    short_help="Print the completion script of your shell.",
    examples={
        'eval "$(ostinato completion bash)"': "for bash 4.4 or newer; put the line into ~/.bashrc",
        'eval "$(ostinato completion zsh)"': "for zsh; put the line into ~/.zshrc, after compinit",
        "ostinato completion fish | source": "for fish; put the line into ~/.config/fish/config.fish",
    },
)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options, names and ids of runs, FILE:FLOW and terms of queries.
    """
    root = click.get_current_context().find_root().command
    click.echo(_SHELLS[shell](root, {}, "ostinato", "_OSTINATO_COMPLETE").source())


def answer(root: click.Command, variable: str) -> int:
    """Answer the shell, which asks by environment variables; give the exit code."""
    return shell_complete(root, {}, "ostinato", variable, os.environ[variable])


def runs_beginning(incomplete: str) -> list[CompletionItem]:
    """Give names of the newest runs that begin so, else ids."""
    if len(incomplete) >= 4 and all(char in "0123456789abcdef" for char in incomplete):
        found = _newest(Term(field="id", op="prefix", values=(incomplete,)))
        if found:
            return [CompletionItem(run.id, help=f"{run.name} {run.state}") for run in found]
    names = {run.name: run for run in reversed(_newest())}
    items = [CompletionItem(name, help=f"{run.flow} {run.state}") for name, run in reversed(names.items())]
    return [item for item in [*items, CompletionItem("last")] if str(item.value).startswith(incomplete)]


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
