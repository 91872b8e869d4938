"""The configured home, opened for reading, or asked to do something."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ostinato.core.ports import COMMANDS, READER, resolve
from ostinato.core.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.commands import Command
    from ostinato.core.ports import Commands, Reader

R = TypeVar("R")


@contextmanager
def open_reader() -> Iterator[Reader]:
    """Give a Reader of the configured home for the time of a `with` block."""
    reader: Reader = resolve(READER)()
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def open_commands() -> Iterator[Commands]:
    """Give the Commands of the configured home, or of its server, for the time of a `with` block."""
    commands: Commands = resolve(COMMANDS)()
    try:
        yield commands
    finally:
        commands.close()


def is_served() -> bool:
    """Say whether a server is named by the settings, or runs on the configured home."""
    return served_since() is not None


def served_since() -> int | None:
    """Give when the server of the configured home began, 0 when the settings name one, None when there is none."""
    settings = load()
    if settings.api_url:
        return 0
    home = resolve("ostinato.session.home:Home")(settings.home)
    card = resolve("ostinato.session.discovery:Lookout")(home).look()
    return None if card is None else int(card.started_at)


def carry_out(command: Command[R]) -> R:
    """Give the answer of a command on the configured home, or at its server."""
    with open_commands() as commands:
        return commands.do(command)
