"""The page of all flows, and that of one: how its runs went, what is deployed of it, and what it takes."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar.params import QueryParameter

from ostinato.core.schedules import upcoming
from ostinato.core.states import StateName
from ostinato.core.views import instant, masked, maybe, parameters_of
from ostinato.server.doors import Ask, read_at
from ostinato.server.screens.rows import Spark, seconds
from ostinato.store import overview, screens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.deployments import Deployment
    from ostinato.server.office import Shelf

DAY_US: Final = 86_400_000_000
N_SPARKS: Final = 30
N_RUNS: Final = 50
N_NAMED: Final = 3
"""Deployments that a row names."""
N_DEPLOYMENTS: Final = 50
MOST_COUNTERS: Final = 500
"""Counters that are read of one run."""
MOST_TASKS: Final = 100

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Items on a page.")]
After = Annotated[str, QueryParameter(max_length=500, description="`next` of the page before.")]
FlowName = Annotated[str, QueryParameter(name="name", min_length=1, max_length=500, description="Name of the flow.")]


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs ended well, and how many badly; what was cancelled or skipped did neither."""

    well: int
    badly: int


class FlowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A flow in a list."""

    name: str
    runs: list[Spark]
    """The newest ones that have begun, the oldest first."""
    day: Outcomes
    """Of runs made in the last 24 hours."""
    week: Outcomes
    p50_s: float | None
    """Half of the newest runs that completed took no longer."""
    p95_s: float | None
    next_at: datetime | None
    """When a schedule makes the next run due."""
    deployments: list[str]
    """The first of them."""
    n_deployments: int


class FlowsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list of flows, by name."""

    items: list[FlowSummary]
    next: str | None


class RunOfFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a column."""

    id: str
    name: str
    state: StateName
    started_at: datetime | None
    duration_s: float | None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The task runs of one task in one run."""

    no: int
    """Place of the first one."""
    states: dict[StateName, int]


class TaskLine(msgspec.Struct, frozen=True, kw_only=True):
    """A task as a row: a cell for each run, None where it did not run."""

    task: str
    cells: list[Cell | None]


class DeploymentLine(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment of a flow."""

    id: str
    name: str
    title: str
    said: list[str]
    """Its schedules in words."""
    paused: bool
    next_at: datetime | None
    parameters: dict[str, Any]
    """Values that it gives."""


class FlowScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One flow."""

    name: str
    description: str
    day: Outcomes
    week: Outcomes
    p50_s: float | None
    p95_s: float | None
    next_at: datetime | None
    runs: list[RunOfFlow]
    """The newest ones that have begun, the oldest first."""
    tasks: list[TaskLine]
    whole: bool
    """False when there are more tasks than were looked at."""
    deployments: list[DeploymentLine]
    parameter_schema: dict[str, Any]
    """Of the deployment that was changed last; empty when it has none."""
    parameters: dict[str, Any]
    """Those of the newest run."""
    file: str
    function: str
    version: str


@read_at("/api/ui/flows")
async def flows_screen(request: Ask, limit: Limit = 50, after: After = "") -> FlowsScreen:
    """Give a page of the list of flows."""

    def ask(shelf: Shelf) -> FlowsScreen:
        now = time.time_ns() // 1000
        names = screens.flow_names(shelf.db, after, limit + 1)
        shown = names[:limit]
        day, week = (screens.outcomes(shelf.db, shown, now - n * DAY_US) for n in (1, 7))
        deployed = screens.deployments_of(shelf.db, shown)
        return FlowsScreen(
            items=[_summary(shelf, name, day[name], week[name], deployed[name], now) for name in shown],
            next=shown[-1] if len(names) > limit else None,
        )

    return await request.look(ask)


def _summary(
    shelf: Shelf,
    name: str,
    day: dict[StateName, int],
    week: dict[StateName, int],
    deployed: list[Deployment],
    now: int,
) -> FlowSummary:
    sparks = [
        Spark(id=run_id, name=run, state=state, duration_s=seconds(begin, end))
        for run_id, run, state, begin, end in overview.newest_of_flow(shelf.db, name, N_SPARKS)
    ]
    p50, p95 = _usual((one.state, one.duration_s) for one in sparks)
    return FlowSummary(
        name=name,
        runs=sparks[::-1],
        day=_outcomes(day),
        week=_outcomes(week),
        p50_s=p50,
        p95_s=p95,
        next_at=_next(deployed, now),
        deployments=[one.name for one in deployed[:N_NAMED]],
        n_deployments=len(deployed),
    )


@read_at("/api/ui/flow")
async def flow_screen(request: Ask, flow: FlowName) -> FlowScreen:
    """Give the page of a flow; one that never ran and is not deployed has neither runs nor deployments."""
    return await request.look(lambda shelf: _flow(shelf, flow))


def _flow(shelf: Shelf, name: str) -> FlowScreen:
    now = time.time_ns() // 1000
    newest = screens.newest_begun(shelf.db, name)
    found = [
        RunOfFlow(id=run_id, name=run, state=state, started_at=maybe(begin), duration_s=seconds(begin, end))
        for run_id, run, state, begin, end in overview.newest_of_flow(shelf.db, name, N_RUNS)
    ][::-1]
    deployed = screens.deployments_of(shelf.db, [name])[name]
    latest = max(deployed, key=lambda one: one.updated_at, default=None)
    p50, p95 = _usual((one.state, one.duration_s) for one in found[-N_SPARKS:])
    tasks, whole = _tasks(shelf, [one.id for one in found])
    return FlowScreen(
        name=name,
        description=latest.description if latest is not None else "",
        day=_outcomes(screens.outcomes(shelf.db, [name], now - DAY_US)[name]),
        week=_outcomes(screens.outcomes(shelf.db, [name], now - 7 * DAY_US)[name]),
        p50_s=p50,
        p95_s=p95,
        next_at=_next(deployed, now),
        runs=found,
        tasks=tasks,
        whole=whole,
        deployments=[
            DeploymentLine(
                id=one.id, name=one.name, title=one.title, said=[str(each.schedule) for each in one.schedules],
                paused=one.paused, next_at=_next([one], now), parameters=masked(one.parameters),
            )
            for one in deployed[:N_DEPLOYMENTS]
        ],
        parameter_schema=latest.parameter_schema if latest is not None else {},
        parameters=parameters_of(newest) if newest is not None else {},
        file=newest.source.file if newest is not None else "",
        function=newest.source.function if newest is not None else "",
        version=newest.version if newest is not None else "",
    )  # fmt: skip


def _outcomes(states: dict[StateName, int]) -> Outcomes:
    return Outcomes(
        well=sum(states.get(state, 0) for state in screens.WELL),
        badly=sum(states.get(state, 0) for state in screens.BADLY),
    )


def _usual(runs: Iterable[tuple[StateName, float | None]]) -> tuple[float | None, float | None]:
    """Give what 50 and what 95 of a hundred runs did not exceed, of those that completed."""
    times = sorted(took for state, took in runs if state == "Completed" and took is not None)
    if not times:
        return None, None
    return times[(len(times) - 1) // 2], times[-(-95 * len(times) // 100) - 1]


def _next(deployed: list[Deployment], now: int) -> datetime | None:
    """Give the first instant that a schedule of some deployments names."""
    found = [
        at
        for one in deployed[:N_DEPLOYMENTS]
        for each in one.schedules
        if each.active and not one.paused
        for at in upcoming(each.schedule, now, 1)
    ]
    return instant(min(found)) if found else None


def _tasks(shelf: Shelf, runs: list[str]) -> tuple[list[TaskLine], bool]:
    """Give the tasks of some runs, in the order of their calls in the newest run that has them."""
    cells: dict[str, dict[str, Cell]] = {}
    place: dict[str, int] = {}
    whole = True
    for run_id in runs:
        counters = screens.task_counts(shelf.db, run_id, MOST_COUNTERS)
        whole = whole and len(counters) < MOST_COUNTERS
        for task, state, n, first in counters:
            known = cells.setdefault(task, {}).get(run_id)
            states = {**known.states} if known is not None else {}
            states[state] = states.get(state, 0) + n
            no = min(first, known.no) if known is not None else first
            cells[task][run_id] = Cell(no=no, states=states)
            place[task] = no
    names = sorted(cells, key=lambda task: (place[task], task))
    lines = [TaskLine(task=task, cells=[cells[task].get(run_id) for run_id in runs]) for task in names[:MOST_TASKS]]
    return lines, whole and len(names) <= MOST_TASKS
