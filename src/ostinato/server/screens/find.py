"""What has a name like this: flows, deployments, models and runs, for the palette and everybody else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from litestar.params import QueryParameter

from ostinato.core.errors import QueryInvalid
from ostinato.core.states import StateName
from ostinato.server.doors import Ask, read_at
from ostinato.server.screens.rows import newest
from ostinato.store import overview

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ostinato.server.office import Shelf

N_EACH: Final = 5
"""Of each kind, at most."""
N_NAMES: Final = 1_000
"""Names of flows, deployments and models that are looked through."""

Words = Annotated[
    str, QueryParameter(min_length=1, max_length=200, description="Part of a name in any case; of runs also a query.")
]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has a name."""

    kind: Literal["flow", "deployment", "model", "run"]
    name: str
    id: str
    """What stands for it in addresses; of flows and models the name."""
    state: StateName | None = None
    """Of a run."""


@read_at("/api/ui/find")
async def find_screen(request: Ask, text: Words) -> list[Found]:
    """Find flows, deployments, models and runs by a part of their name, a few of each."""
    return await request.look(lambda shelf: list(_found(shelf, text.strip())))


def _found(shelf: Shelf, text: str) -> Iterator[Found]:
    db = shelf.db
    for name in _like(text, overview.flow_names(db, after="", limit=N_NAMES)):
        yield Found(kind="flow", name=name, id=name)
    titles = {f"{flow}/{name}": ref for ref, flow, name in overview.deployment_titles(db, N_NAMES)}
    for title in _like(text, titles):
        yield Found(kind="deployment", name=title, id=titles[title])
    for name in _like(text, overview.model_names(db, N_NAMES)):
        yield Found(kind="model", name=name, id=name)
    try:
        runs = newest(shelf, text, N_EACH, time.time_ns() // 1000)
    except QueryInvalid:  # it is not written to its end yet
        return
    for run in runs:
        yield Found(kind="run", name=run.name, id=run.id, state=run.state)


def _like(text: str, names: Iterable[str]) -> list[str]:
    """Give the names that hold a text, those that begin with it first."""
    wanted = text.casefold()
    found = [name for name in names if wanted in name.casefold()]
    return sorted(found, key=lambda name: (not name.casefold().startswith(wanted), name))[:N_EACH]
