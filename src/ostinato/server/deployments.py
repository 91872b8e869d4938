"""Deployments over the public API: list, look at, make, run, pause, remove; and their coming runs."""

from __future__ import annotations

import heapq
import time
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from litestar.params import JSONBody, QueryParameter

from ostinato.core.commands import CreateRun, Deploy, PauseDeployment, RemoveDeployment
from ostinato.core.deployments import Deployment
from ostinato.core.schedules import upcoming
from ostinato.core.views import DeploymentView, RunView, deployment_view, instant, microseconds, run_view
from ostinato.server.doors import Ask, Limit, Ref, act_at, make_at, read_at, remove_at
from ostinato.server.runs import Instant, Priority


class NewDeployment(Deployment, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deployment that is wanted: the one of this flow and name is changed, or a new one made."""

    id: str = ""


class RunOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that is wanted."""

    parameters: dict[str, Any] = {}
    name: str = ""
    tags: tuple[str, ...] = ()
    due_at: Instant | None = None
    queue: str = ""
    priority: Priority | None = None
    key: str = ""


class Pause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which schedules are to stop, or to go on."""

    slug: str = ""
    """Empty for all of them."""
    paused: bool = True


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """An instant that a schedule names."""

    due_at: datetime
    slug: str


@read_at("/api/deployments")
async def list_deployments(
    request: Ask,
    ref: Annotated[str, QueryParameter(max_length=500, description="Only this one: id, `flow/name`, or name.")] = "",
) -> list[DeploymentView]:
    """List deployments by flow and name."""
    found = await request.look(lambda shelf: [shelf.reader.find_deployment(ref)] if ref else shelf.reader.deployments())
    return [deployment_view(one) for one in found]


@make_at("/api/deployments")
async def make_deployment(request: Ask, data: JSONBody[NewDeployment]) -> DeploymentView:
    """Make or change a deployment."""
    wanted = Deployment(**{name: getattr(data, name) for name in Deployment.__struct_fields__})
    return deployment_view(await request.do(Deploy(deployment=wanted)))


@read_at("/api/deployments/{ref:str}")
async def show_deployment(request: Ask, ref: Ref) -> DeploymentView:
    """Give a deployment by id, or by a name that only one has."""
    return deployment_view(await request.look(lambda shelf: shelf.reader.find_deployment(ref)))


@remove_at("/api/deployments/{ref:str}")
async def remove_deployment(request: Ask, ref: Ref) -> None:
    """Remove a deployment and its runs that have not begun."""
    await request.do(RemoveDeployment(deployment=ref))


@act_at("/api/deployments/{ref:str}/pause")
async def pause_deployment(request: Ask, ref: Ref, data: JSONBody[Pause | None] = None) -> DeploymentView:
    """Stop the schedules of a deployment or one of them, or let them go on."""
    how = data if data is not None else Pause()
    return deployment_view(await request.do(PauseDeployment(deployment=ref, slug=how.slug, paused=how.paused)))


@make_at("/api/deployments/{ref:str}/runs")
async def run_deployment(request: Ask, ref: Ref, data: JSONBody[RunOf | None] = None) -> RunView:
    """Make a run of a deployment, now or later."""
    how = data if data is not None else RunOf()
    made = await request.do(
        CreateRun(
            deployment=ref,
            parameters=how.parameters,
            name=how.name,
            tags=how.tags,
            due_at=microseconds(how.due_at),
            queue=how.queue,
            priority=how.priority,
            key=how.key,
        )
    )
    return run_view(made)


@read_at("/api/deployments/{ref:str}/upcoming")
async def list_upcoming(request: Ask, ref: Ref, limit: Limit = 20) -> list[Coming]:
    """List the next instants that the schedules of a deployment name."""
    one = await request.look(lambda shelf: shelf.reader.find_deployment(ref))
    now = time.time_ns() // 1000
    each = (
        [(at, timetable.slug) for at in upcoming(timetable.schedule, now, limit)]
        for timetable in one.schedules
        if timetable.active and not one.paused
    )
    return [Coming(due_at=instant(at), slug=slug) for at, slug in islice(heapq.merge(*each), limit)]


HANDLERS: Final = (
    list_deployments,
    make_deployment,
    show_deployment,
    remove_deployment,
    pause_deployment,
    run_deployment,
    list_upcoming,
)
