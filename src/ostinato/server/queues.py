"""Queues, limits and workers over the public API."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from ostinato.core.commands import RemoveLimit, RemoveQueue, SetLimit, SetQueue
from ostinato.core.deployments import Limit as Slots
from ostinato.core.deployments import Queue, QueueLoad
from ostinato.core.views import RunView, WorkerView, maybe, run_view, worker_view
from ostinato.server.doors import MOST_INT, Ask, Limit, Ref, read_at, remove_at, set_at
from ostinato.server.runs import Priority
from ostinato.store import overview

if TYPE_CHECKING:
    from ostinato.server.office import Shelf

HOUR_US: Final = 3_600_000_000
Small = Annotated[int, Meta(ge=0, le=1_000_000)]


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """A queue with what is in it."""

    name: str
    description: str
    tags: tuple[str, ...]
    deployments: tuple[str, ...]
    concurrency: int | None
    priority: int
    paused: bool
    n_waiting: int
    n_late: int
    n_later: int
    n_running: int
    oldest_due_at: datetime | None
    """When the run that has waited longest was due."""


class QueueBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queue that is wanted."""

    description: str = ""
    tags: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    concurrency: Small | None = None
    priority: Priority = 0
    paused: bool = False


class LimitBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit that is wanted."""

    slots: Small


@read_at("/api/queues")
async def list_queues(request: Ask) -> list[QueueView]:
    """List queues in the order in which workers look at them, with how many runs are in them."""
    return await request.look(queue_views)


def queue_views(shelf: Shelf) -> list[QueueView]:
    """Give queues with what is in them."""
    oldest = overview.oldest_waiting(shelf.db, time.time_ns() // 1000)
    loads = {load.name: load for load in shelf.reader.queue_loads()}
    return [
        _view(queue, loads.get(queue.name) or QueueLoad(name=queue.name), oldest.get(queue.name))
        for queue in shelf.reader.queues()
    ]


def _view(queue: Queue, load: QueueLoad, oldest: int | None) -> QueueView:
    counted = msgspec.structs.asdict(load) | msgspec.structs.asdict(queue)
    return QueueView(**counted, oldest_due_at=maybe(oldest))


@set_at("/api/queues/{name:str}")
async def set_queue(request: Ask, name: Ref, data: JSONBody[QueueBody]) -> Queue:
    """Make or change a queue."""
    return await request.do(SetQueue(queue=Queue(name=name, **msgspec.structs.asdict(data))))


@remove_at("/api/queues/{name:str}")
async def remove_queue(request: Ask, name: Ref) -> None:
    """Remove a queue in which nothing waits."""
    await request.do(RemoveQueue(name=name))


Hours = Annotated[float, QueryParameter(ge=0, le=100_000, description="How far to look ahead.")]


@read_at("/api/queues/{name:str}/preview")
async def preview_queue(request: Ask, name: Ref, hours: Hours = 24, limit: Limit = 100) -> list[RunView]:
    """List the runs that wait in a queue, in the order of their due times; the late ones come first."""
    until = min(time.time_ns() // 1000 + int(hours * HOUR_US), MOST_INT)
    return [run_view(run) for run in await request.look(lambda shelf: shelf.reader.preview(name, until, limit))]


@read_at("/api/limits")
async def list_limits(request: Ask) -> list[Slots]:
    """List limits, with the slots that code has taken."""
    return await request.look(lambda shelf: shelf.reader.limits())


@set_at("/api/limits/{name:str}")
async def set_limit(request: Ask, name: Ref, data: JSONBody[LimitBody]) -> Slots:
    """Make or change a limit."""
    return await request.do(SetLimit(limit=Slots(name=name, slots=data.slots)))


@remove_at("/api/limits/{name:str}")
async def remove_limit(request: Ask, name: Ref) -> None:
    """Remove a limit."""
    await request.do(RemoveLimit(name=name))


@read_at("/api/workers")
async def list_workers(request: Ask) -> list[WorkerView]:
    """List workers: first those that are there, the newest first."""
    return [worker_view(one) for one in await request.look(lambda shelf: shelf.reader.workers())]


HANDLERS: Final = (
    list_queues,
    set_queue,
    remove_queue,
    preview_queue,
    list_limits,
    set_limit,
    remove_limit,
    list_workers,
)
