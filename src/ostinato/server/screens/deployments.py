"""The pages of deployments: a list of them, and one with its coming times, its last runs and its past by date."""

from __future__ import annotations

import heapq
import time
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar.params import QueryParameter

from ostinato.core import zones
from ostinato.core.access import Action
from ostinato.core.backfill import TAG
from ostinato.core.deployments import queue_for
from ostinato.core.schedules import recent, upcoming
from ostinato.core.states import StateName
from ostinato.core.views import DeploymentView, deployment_view, instant, microseconds
from ostinato.server.doors import Ask, Limit, page, read_at
from ostinato.server.screens.rows import RunRow, row
from ostinato.store import deployments as store

if TYPE_CHECKING:
    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.core.records import FlowRun
    from ostinato.server.office import Shelf

N_NEXT: Final = 5
N_RUNS: Final = 20
N_TICKS: Final = 60
N_SCHEDULES: Final = 8
"""Schedules of one deployment whose past is shown."""
MOST_RUNS: Final = 200
"""Runs that are looked at for these instants: a backfill may have made several for one."""

Title = Annotated[str, QueryParameter(min_length=1, max_length=500, description="Id, `flow/name`, or name.")]
AfterTitle = Annotated[str, QueryParameter(max_length=500, description="`next` of the page before.")]
Until = Annotated[
    datetime | None, QueryParameter(description="Past instants up to this one (UTC, where it names no zone).")
]


class ScheduleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule in words."""

    slug: str
    said: str
    active: bool


class DeploymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment in a list."""

    id: str
    flow: str
    name: str
    title: str
    description: str
    tags: tuple[str, ...]
    queue: str | None
    schedules: tuple[ScheduleRow, ...]
    paused: bool
    next_at: datetime | None
    last: RunRow | None
    """The newest run that has begun, or should have."""


class DeploymentsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list of deployments."""

    items: list[DeploymentRow]
    next: str | None
    """Give it as `after` for what follows; None when this is the end."""
    may: tuple[Action, ...]
    """What who asks may do."""


class NextTime(msgspec.Struct, frozen=True, kw_only=True):
    """An instant that a schedule names."""

    due_at: datetime
    local: str
    """On the clock of the schedule."""
    timezone: str
    slug: str


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """An instant of a schedule that has passed, and the newest run that was told it."""

    at: datetime
    local: str
    """On the clock of the schedule."""
    run_id: str | None
    name: str | None
    state: StateName | None
    is_backfill: bool


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """The last instants of a schedule, the oldest first."""

    slug: str
    said: str
    timezone: str
    ticks: list[Tick]
    older: datetime | None
    """Give it as `until` for those before; None when these are the first ones."""


class DeploymentScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment."""

    deployment: DeploymentView
    queue: str
    """In which its runs wait, when they have its tags."""
    next: list[NextTime]
    runs: list[RunRow]
    past: list[Past]
    may: tuple[Action, ...]
    """What who asks may do."""


@read_at("/api/ui/deployments")
async def deployments_screen(request: Ask, limit: Limit = 100, after: AfterTitle = "") -> DeploymentsScreen:
    """Give a page of the list of deployments."""

    def ask(shelf: Shelf) -> DeploymentsScreen:
        found = page(store.deployments(shelf.db, after=after, limit=limit + 1), limit, lambda one: one.title)
        now = time.time_ns() // 1000
        rows = [_row(shelf, one, now) for one in found.items]
        return DeploymentsScreen(items=rows, next=found.next, may=request.identity.actions)

    return await request.look(ask)


@read_at("/api/ui/deployment")
async def deployment_screen(request: Ask, ref: Title, until: Until = None) -> DeploymentScreen:
    """Give the page of a deployment."""

    def ask(shelf: Shelf) -> DeploymentScreen:
        one = shelf.reader.find_deployment(ref)
        now = time.time_ns() // 1000
        end = now if until is None else min(now, microseconds(until.replace(tzinfo=until.tzinfo or UTC)))
        return DeploymentScreen(
            deployment=deployment_view(one),
            queue=queue_for(one, one.tags, shelf.reader.queues()),
            next=_next(one, now, N_NEXT),
            runs=[row(run) for run in store.newest_runs(shelf.db, one.title, N_RUNS)],
            past=[_past(shelf, one, timetable, end) for timetable in one.schedules[:N_SCHEDULES]],
            may=request.identity.actions,
        )

    return await request.look(ask)


def _row(shelf: Shelf, one: Deployment, now: int) -> DeploymentRow:
    coming = _next(one, now, 1)
    newest = store.newest_runs(shelf.db, one.title, 1)
    return DeploymentRow(
        id=one.id,
        flow=one.flow,
        name=one.name,
        title=one.title,
        description=one.description.partition("\n")[0][:300],
        tags=one.tags,
        queue=one.queue or None,
        schedules=tuple(
            ScheduleRow(slug=each.slug, said=str(each.schedule), active=each.active) for each in one.schedules
        ),
        paused=one.paused,
        next_at=coming[0].due_at if coming else None,
        last=row(newest[0]) if newest else None,
    )


def _next(one: Deployment, now: int, limit: int) -> list[NextTime]:
    """Give the next instants that the schedules of a deployment name, none while it is paused."""
    each = (
        [(at, timetable.slug, timetable.schedule.timezone) for at in upcoming(timetable.schedule, now, limit)]
        for timetable in one.schedules
        if timetable.active and not one.paused
    )
    return [
        NextTime(due_at=instant(at), local=zones.shown(at, zone), timezone=zone, slug=slug)
        for at, slug, zone in islice(heapq.merge(*each), limit)
    ]


def _past(shelf: Shelf, one: Deployment, timetable: Timetable, until: int) -> Past:
    """Give the last instants of a schedule: all since the deployment is there, and those before that were run."""
    slug, schedule = timetable.slug, timetable.schedule
    newest: dict[int, FlowRun | None] = dict.fromkeys(recent(schedule, until, N_TICKS, one.created_at))
    for run in shelf.reader.tick_runs(one.id, slug, 0, until, limit=MOST_RUNS, newest_first=True):
        known = newest.get(run.expected_at)
        if known is None or run.id > known.id:
            newest[run.expected_at] = run
    shown = sorted(newest)[-N_TICKS:]
    return Past(
        slug=slug,
        said=str(schedule),
        timezone=schedule.timezone,
        ticks=[_tick(at, newest[at], schedule.timezone) for at in shown],
        older=instant(shown[0] - 1) if len(shown) == N_TICKS else None,
    )


def _tick(at: int, run: FlowRun | None, zone: str) -> Tick:
    return Tick(
        at=instant(at),
        local=zones.shown(at, zone),
        run_id=None if run is None else run.id,
        name=None if run is None else run.name,
        state=None if run is None else run.state,
        is_backfill=run is not None and TAG in run.tags,
    )


HANDLERS: Final = (deployments_screen, deployment_screen)
