"""Commands on a home of this machine: its server carries them out when one runs, else this process does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ostinato.client import Client
from ostinato.core.errors import MALFORMED, ServerUnreachable, told
from ostinato.session.discovery import Lookout, is_held
from ostinato.session.ledger import Ledger
from ostinato.session.remote import RemoteCommands
from ostinato.store.commands.handlers import RELAXED, carry_out

if TYPE_CHECKING:
    from ostinato.core.commands import Command
    from ostinato.session.home import Home

R = TypeVar("R")

LOCAL: str = "local"
"""The actor of who may write the home itself."""


class HomeCommands:
    """Has commands carried out by the server of the home, by this process while there is none."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._lookout = Lookout(home)
        self._remote: RemoteCommands | None = None
        self._embedded: EmbeddedCommands | None = None

    def do(self, command: Command[R]) -> R:
        """Give the answer of a command; raises the error by which it was refused."""
        card = self._lookout.look()
        if card is not None:
            if self._remote is None or self._remote.client.address != card.address:
                self._remote = RemoteCommands(Client(card.address))
            try:
                return self._remote.do(command)
            except ServerUnreachable:
                self._lookout.forget()
                if is_held(self.home):  # it lives, and may have done it
                    raise
        if self._embedded is None:
            self._embedded = EmbeddedCommands(self.home)
        return self._embedded.do(command)

    def close(self) -> None:
        """Let go of home and server."""
        if self._remote is not None:
            self._remote.close()
        if self._embedded is not None:
            self._embedded.close()
        self._remote = self._embedded = None


class EmbeddedCommands:
    """Carries out commands on one home, through a ledger of its own."""

    def __init__(self, home: Home) -> None:
        self.ledger = Ledger(home)

    def do(self, command: Command[R]) -> R:
        """Give the answer of a command; raises the error by which it was refused."""
        try:
            return self.ledger.do(lambda tx: carry_out(tx, command), actor=LOCAL, relaxed=type(command) in RELAXED)
        except MALFORMED as error:
            raise told(error) from error

    def close(self) -> None:
        """Let go of the home."""
        self.ledger.close()
