"""What the parts of the MLflow door share: a request with who asks, and tables of what is answered by whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qs

import msgspec

from ostinato.core.rights import ACTIONS
from ostinato.server.mlflow.faults import Fault, misfit
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from ostinato.core.access import Action, Identity
    from ostinato.core.commands import Command
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office, Shelf
    from ostinato.store.transaction import Tx

R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

MOST_US: Final = 1 << 62
"""Beyond all instants."""


class Asked:
    """One request, of somebody who is known."""

    def __init__(self, office: Office, exchange: Exchange, identity: Identity, parts: dict[str, str]) -> None:
        self.office = office
        self.exchange = exchange
        self.identity = identity
        self.parts = parts
        """What stands in the address in place of `{name}`."""

    async def do(self, command: Command[R]) -> R:
        """Give the answer of a command, if who asks may give it."""
        self.identity.check(ACTIONS[type(command)])
        return await self.office.write(lambda tx: carry_out(tx, command), self.identity.actor)

    async def write(self, work: Callable[[Tx], T], action: Action = "track") -> T:
        """Give what a piece of work answers, once it is committed."""
        self.identity.check(action)
        return await self.office.write(work, self.identity.actor)

    async def read(self, question: Callable[[Shelf], T]) -> T:
        """Give the answer of a question, if who asks may ask it."""
        self.identity.check("read")
        return await self.office.read(question)


class Door(msgspec.Struct, frozen=True):
    """Who answers, and what is asked."""

    kind: type[Any]
    """Of the request: a Struct with the names of MLflow's messages."""
    answer: Callable[[Asked, Any], Awaitable[object]]
    """Gives what is sent as JSON."""


Doors = dict[tuple[str, str], Door]
"""Method, and address behind `/api/2.0/mlflow/`, with `{name}` for any word -> its door."""


class Plan:
    """All doors, found by method and address."""

    def __init__(self, *tables: Doors) -> None:
        self._plain: Doors = {}
        self._patterns: dict[tuple[str, int], list[tuple[list[str], Door]]] = {}
        for (method, path), door in (item for table in tables for item in table.items()):
            words = path.split("/")
            if "{" in path:
                self._patterns.setdefault((method, len(words)), []).append((words, door))
            else:
                self._plain[method, path] = door

    def find(self, method: str, path: str) -> tuple[Door, dict[str, str]]:
        """Give a door, and what stands in the address in place of names.

        Raises:
            Fault: ENDPOINT_NOT_FOUND.
        """
        door = self._plain.get((method, path))
        if door is not None:
            return door, {}
        words = path.split("/")
        for pattern, found in self._patterns.get((method, len(words)), ()):
            parts = {want[1:-1]: word for want, word in zip(pattern, words, strict=True) if want[0] == "{"}
            if all(want[0] == "{" or want == word for want, word in zip(pattern, words, strict=True)):
                return found, parts
        raise Fault("ENDPOINT_NOT_FOUND", f"There is no {method} {path} here.")


class Nothing(msgspec.Struct, frozen=True):
    """A request or an answer without anything in it."""


NOTHING: Final = Nothing()


def from_body(body: bytes, kind: type[S]) -> S:
    """Give what JSON asks; numbers may stand in quotes, as protocol buffers write them.

    Raises:
        Fault: INVALID_PARAMETER_VALUE, it is not of that shape.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise misfit(error, _given(msgspec.json.decode(body or b"{}")), _needed(kind)) from error


def from_query(query: bytes, kind: type[S]) -> S:
    """Give what the parameters of an address ask.

    Raises:
        Fault: INVALID_PARAMETER_VALUE, they are not of that shape.
    """
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    lists = {field.name for field in msgspec.structs.fields(kind) if getattr(field.type, "__origin__", None) is tuple}
    values = {name: found if name in lists else found[-1] for name, found in given.items()}
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise misfit(error, _given(values), _needed(kind)) from error


def _given(value: Any) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _needed(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind) if field.required]


def microseconds(ms: int) -> int:
    """Give an instant of MLflow as ours.

    Raises:
        Fault: INVALID_PARAMETER_VALUE.
    """
    if not -MOST_US < ms * 1000 < MOST_US:
        raise Fault("INVALID_PARAMETER_VALUE", f"Invalid value {ms} for parameter 'timestamp' supplied: out of range")
    return ms * 1000
