"""What the resources of the public API share: the request with who asks, pages, and how handlers are declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar

import msgspec
from litestar import Request, delete, get, post, put
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter

from ostinato.core.rights import ACTIONS
from ostinato.server.problems import TITLES, Problem
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from ostinato.core.access import Action, Identity
    from ostinato.core.commands import Command
    from ostinato.server.office import Office, Shelf

R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

OFFICE: Final = "ostinato.office"
IDENTITY: Final = "ostinato.identity"
MOST_INT: Final = 1 << 62

Ref = Annotated[str, PathParameter(min_length=1, max_length=500)]
Part = Annotated[str, PathParameter(min_length=1, max_length=1500, description="A name, whatever signs it has.")]
"""As `as_part` gives it."""
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="Items on a page.")]
After = Annotated[str, QueryParameter(max_length=200, description="`next` of the page before.")]
Number = Annotated[int, QueryParameter(ge=0, le=MOST_INT, description="`next` of the page before.")]


def as_part(name: str) -> str:
    """Give a name as one part of a path, whatever signs it has; `unquote` gives it back.

    Example:
        >>> as_part("50% a/b")
        '50%25 a%2Fb'
    """
    return name.replace("%", "%25").replace("/", "%2F")


class Ask(Request[Any, Any, State]):
    """A request of somebody who is known."""

    @property
    def office(self) -> Office:
        """Give the office of the server."""
        office: Office = self.scope[OFFICE]  # type: ignore[typeddict-item]  # it is ours
        return office

    @property
    def identity(self) -> Identity:
        """Give who asks."""
        identity: Identity = self.scope[IDENTITY]  # type: ignore[typeddict-item]  # it is ours
        return identity

    async def do(self, command: Command[R]) -> R:
        """Give the answer of a command, if who asks may give it."""
        self.identity.check(ACTIONS[type(command)])
        return await self.office.write(lambda tx: carry_out(tx, command), self.identity.actor)

    async def look(self, question: Callable[[Shelf], T], action: Action = "read") -> T:
        """Give the answer of a question, if who asks may ask it."""
        self.identity.check(action)
        return await self.office.read(question)


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list."""

    items: list[T]
    next: str | None = None
    """Give it as `after` for what follows; None when this is the end."""


def page(items: list[T], limit: int, cursor: Callable[[T], object]) -> Page[T]:
    """Give a page of items of which one more than `limit` was looked for."""
    if len(items) <= limit:
        return Page(items=items)
    items = items[:limit]
    return Page(items=items, next=str(cursor(items[-1])))


PROBLEMS: Final = {
    status: ResponseSpec(
        Problem, description=TITLES[status], media_type="application/problem+json", generate_examples=False
    )
    for status in (400, 401, 403, 404, 409, 413, 503)
}

FILE: Final = ResponseSpec(None, description="The file.")


def read_at(path: str) -> Callable[[F], Any]:
    """Declare a handler of GET."""
    return get(path, responses=PROBLEMS)


def file_at(path: str) -> Callable[[F], Any]:
    """Declare a handler of GET that gives a file, of whatever kind."""
    return get(path, responses={**PROBLEMS, 200: FILE})


def make_at(path: str) -> Callable[[F], Any]:
    """Declare a handler of POST that makes something."""
    return post(path, responses=PROBLEMS)


def act_at(path: str) -> Callable[[F], Any]:
    """Declare a handler of POST that changes something."""
    return post(path, responses=PROBLEMS, status_code=200)


def set_at(path: str) -> Callable[[F], Any]:
    """Declare a handler of PUT."""
    return put(path, responses=PROBLEMS)


def remove_at(path: str) -> Callable[[F], Any]:
    """Declare a handler of DELETE."""
    return delete(path, responses=PROBLEMS)
