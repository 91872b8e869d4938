"""The embedded Commands: carried out by this process, through a ledger of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ostinato.session.ledger import Ledger
from ostinato.store.commands.handlers import RELAXED, carry_out

if TYPE_CHECKING:
    from ostinato.core.commands import Command
    from ostinato.session.home import Home

R = TypeVar("R")

LOCAL: str = "local"
"""The actor of who may write the home itself."""


class EmbeddedCommands:
    """Carries out commands on one home."""

    def __init__(self, home: Home) -> None:
        self.ledger = Ledger(home)

    def do(self, command: Command[R]) -> R:
        """Give the answer of a command; raises the error by which it was refused."""
        return self.ledger.do(lambda tx: carry_out(tx, command), actor=LOCAL, relaxed=type(command) in RELAXED)

    def close(self) -> None:
        """Let go of the home."""
        self.ledger.close()
