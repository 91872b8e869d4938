"""What tracking asks of the configured home or server, and waits for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ostinato.core.ports import COMMANDS, READER, RECORDER, resolve
from ostinato.core.settings import load
from ostinato.tracking.collector import collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.commands import Command
    from ostinato.core.ports import Commands, Reader

R = TypeVar("R")


def settle() -> bool:
    """Have what this process recorded so far in the database; False when time ran out."""
    collector.flush()
    settled: bool = resolve(RECORDER)().settle("database", load().exit_wait_s)
    return settled


def do(command: Command[R]) -> R:
    """Give the answer of a command."""
    commands: Commands = resolve(COMMANDS)()
    try:
        return commands.do(command)
    finally:
        commands.close()


@contextmanager
def reading() -> Iterator[Reader]:
    """Give a Reader for the time of a `with` block."""
    reader: Reader = resolve(READER)()
    try:
        yield reader
    finally:
        reader.close()
