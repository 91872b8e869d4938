"""The page of the command line, from the click commands."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ostinato.core.ports import resolve
from pages.text import GENERATED, table

if TYPE_CHECKING:
    from collections.abc import Iterator

DOOR = "ostinato.cli.main:cli"


@dataclass(frozen=True)
class Command:
    """One command with its context, named as a user writes it."""

    name: str
    command: click.Command
    context: click.Context


def names() -> list[str]:
    """Give every command."""
    return [one.name for one in _commands()]


def page() -> str:
    """Give the page: a section for each command, with usage and options."""
    out = ["# Commands", GENERATED, ""]
    for one in _commands():
        usage = " ".join(one.command.collect_usage_pieces(one.context))
        out += [f"## `{one.name}`", "", "```text", f"{one.name} {usage}".rstrip(), "```", "", _help(one.command), ""]
        rows = [
            tuple(record)
            for parameter in one.command.get_params(one.context)
            if (record := parameter.get_help_record(one.context)) and record[1] and "--help" not in record[0]
        ]
        if rows:
            out += [*table(("option", "what it does"), ((f"`{left}`", right) for left, right in rows)), ""]
    return "\n".join(out)


def _help(command: click.Command) -> str:
    """Give the help of a command; paragraphs that keep their lines (marked by a backspace) as blocks."""
    paragraphs = inspect.cleandoc(command.help or command.short_help or "").split("\n\n")
    return "\n\n".join(f"```text\n{one[2:]}\n```" if one.startswith("\b\n") else one for one in paragraphs)


def _commands() -> list[Command]:
    root = resolve(DOOR)
    return list(_walk("ostinato", root, click.Context(root, info_name="ostinato", terminal_width=100)))


def _walk(name: str, command: click.Command, context: click.Context) -> Iterator[Command]:
    if command.hidden:
        return
    yield Command(name, command, context)
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None:
                yield from _walk(
                    f"{name} {child_name}", child, click.Context(child, info_name=child_name, parent=context)
                )
