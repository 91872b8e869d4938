"""What the home as a whole has: flows, counts of states, variables, and the server itself, over the public API."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from litestar.params import JSONBody, QueryParameter

from ostinato import __version__
from ostinato.core.errors import VariableMissing
from ostinato.core.events import VariableSet
from ostinato.core.happenings import KINDS
from ostinato.core.states import StateName
from ostinato.core.variables import check_variable_name
from ostinato.core.views import VariableView, instant, variable_view
from ostinato.server.doors import After, Ask, Limit, Page, Part, page, read_at, remove_at, set_at
from ostinato.store import overview, variables

HOUR_US: Final = 3_600_000_000


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with how many of its runs are in which state."""

    name: str
    total: int
    states: dict[StateName, int]


class ServerView(msgspec.Struct, frozen=True, kw_only=True):
    """The server, and who asks."""

    id: str
    version: str
    pid: int
    started_at: datetime
    home: str
    actor: str
    role: str
    scopes: tuple[str, ...]
    feed_kinds: tuple[str, ...]
    """Kinds of events that the feed tells."""


class VariableBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of a variable."""

    value: Any
    tags: tuple[str, ...] = ()


@read_at("/api/server")
async def show_server(request: Ask) -> ServerView:
    """Say which server this is, and as whom it knows you."""
    request.identity.check("read")
    return server_view(request)


def server_view(request: Ask) -> ServerView:
    """Give the server, and who asks."""
    office, identity = request.office, request.identity
    return ServerView(
        id=office.id,
        version=__version__,
        pid=os.getpid(),
        started_at=instant(office.started_at),
        home=office.home.folder,
        actor=identity.actor,
        role=identity.role,
        scopes=identity.scopes,
        feed_kinds=tuple(KINDS.values()),
    )


@read_at("/api/counts")
async def count_states(request: Ask) -> dict[StateName, int]:
    """Count flow runs by state."""
    return await request.look(lambda shelf: shelf.reader.state_counts())


Hours = Annotated[
    int, QueryParameter(ge=0, le=1_000_000, description="Count runs made in so many hours; 0 counts all.")
]


@read_at("/api/flows")
async def list_flows(request: Ask, hours: Hours = 0, limit: Limit = 50, after: After = "") -> Page[FlowView]:
    """List flows by name, with how many of their runs are in which state."""
    since = max(0, time.time_ns() // 1000 - hours * HOUR_US) if hours else 0
    found = await request.look(lambda shelf: overview.flows(shelf.db, since=since, after=after, limit=limit + 1))
    views = [FlowView(name=name, total=sum(states.values()), states=states) for name, states in found]
    return page(views, limit, lambda one: one.name)


@read_at("/api/variables")
async def list_variables(request: Ask) -> list[VariableView]:
    """List variables by name."""
    return [variable_view(one) for one in await request.look(lambda shelf: shelf.reader.variables())]


@read_at("/api/variables/{name:str}")
async def show_variable(request: Ask, name: Part) -> VariableView:
    """Give a variable."""
    return await _variable(request, unquote(name))


async def _variable(request: Ask, name: str) -> VariableView:
    found = await request.look(lambda shelf: variables.variable(shelf.db, name))
    if found is None:
        raise VariableMissing(name=name)
    return variable_view(found)


@set_at("/api/variables/{name:str}")
async def set_variable(request: Ask, name: Part, data: JSONBody[VariableBody]) -> VariableView:
    """Set a variable."""
    request.identity.check("set-variable")
    name = unquote(name)
    check_variable_name(name)
    value = msgspec.json.encode(data.value)
    await request.office.write(
        lambda tx: tx.append(VariableSet(name, tx.now, value, data.tags)), request.identity.actor
    )
    return await _variable(request, name)


@remove_at("/api/variables/{name:str}")
async def unset_variable(request: Ask, name: Part) -> None:
    """Unset a variable."""
    request.identity.check("set-variable")
    name = unquote(name)
    await _variable(request, name)
    await request.office.write(lambda tx: tx.append(VariableSet(name, tx.now, None)), request.identity.actor)


HANDLERS: Final = (
    show_server,
    count_states,
    list_flows,
    list_variables,
    show_variable,
    set_variable,
    unset_variable,
)
