"""Backfills over the public API: what the past instants of a schedule need, and the runs for them."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from ostinato.core import zones
from ostinato.core.backfill import TAG, Cell, Mode, Todo, Work, planned, span, timetable_of, work_of
from ostinato.core.commands import CreateRun
from ostinato.core.states import StateName
from ostinato.core.views import instant, microseconds
from ostinato.server.doors import Ask, Ref, act_at
from ostinato.server.runs import Instant

if TYPE_CHECKING:
    from ostinato.server.office import Shelf

N_CELLS: Final = 100
"""Instants that one request is about."""

Date = Annotated[str, Meta(min_length=1, max_length=40)]


class BackfillBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backfill that is wanted."""

    begin: Date
    """First month, day or time: `2023-02`, `2023-02-01`, `2023-02-01T03:00`; on the clock of the schedule."""
    end: Date
    """Last month, day (all of it) or time."""
    schedule: str = ""
    """Slug; empty when there is only one."""
    mode: Mode = "once"
    parameters: dict[str, Any] = {}
    dry_run: bool = False
    """Only say what there is to do."""
    after: Instant | None = None
    """`next` of the answer before."""


class CellView(msgspec.Struct, frozen=True, kw_only=True):
    """One instant of a backfill."""

    at: datetime
    local: str
    """On the clock of the schedule."""
    todo: Todo
    run_id: str | None
    state: StateName | None


class BackfillView(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a backfill."""

    schedule: str
    timezone: str
    overlap: str
    """Of the deployment: with `skip` or `cancel-previous`, runs that are made at once get in each other's way."""
    counts: dict[Todo, int]
    """How many instants, from here to the end, need what."""
    items: list[CellView]
    next: datetime | None
    """Give it as `after` for what follows; None when this is the end."""


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    work: Work
    timezone: str
    overlap: str
    cells: list[Cell]


@act_at("/api/deployments/{ref:str}/backfill")
async def backfill(request: Ask, ref: Ref, data: JSONBody[BackfillBody]) -> BackfillView:
    """Make runs for the past instants of a schedule that need one, or say which do; a hundred instants at a time."""
    if not data.dry_run:
        request.identity.check("run")
    plan = await request.look(lambda shelf: _plan(shelf, ref, data))
    cells = plan.cells[:N_CELLS]
    made = {} if data.dry_run else await _make(request, plan, cells)
    todo = [cell.todo for cell in plan.cells]
    return BackfillView(
        schedule=plan.work.slug,
        timezone=plan.timezone,
        overlap=plan.overlap,
        counts={kind: todo.count(kind) for kind in sorted(set(todo))},
        items=[made.get(cell.at) or _view(cell, plan.timezone) for cell in cells],
        next=instant(cells[-1].at) if len(plan.cells) > len(cells) else None,
    )


def _plan(shelf: Shelf, ref: str, data: BackfillBody) -> _Plan:
    one = shelf.reader.find_deployment(ref)
    timetable = timetable_of(one, data.schedule)
    schedule = timetable.schedule
    work = work_of(one, timetable, data.parameters, data.mode)
    first, last = span(data.begin, data.end, schedule.timezone)
    if data.after is not None:
        first = max(first, microseconds(data.after) + 1)
    cells = planned(shelf.reader, schedule, work, first, min(last, time.time_ns() // 1000))
    return _Plan(work=work, timezone=schedule.timezone, overlap=one.overlap, cells=cells)


async def _make(request: Ask, plan: _Plan, cells: list[Cell]) -> dict[int, CellView]:
    """Make the runs that are needed, and give their cells by instant."""
    work = plan.work
    wanted = [cell for cell in cells if cell.todo == "make"]
    commands = [
        CreateRun(
            deployment=work.deployment_id,
            parameters=work.parameters,
            tags=(TAG,),
            expected_at=cell.at,
            schedule=work.slug,
            key=cell.key,
        )
        for cell in wanted
    ]
    runs = await asyncio.gather(*(request.do(command) for command in commands))
    made = (msgspec.structs.replace(cell, run=run) for cell, run in zip(wanted, runs, strict=True))
    return {cell.at: _view(cell, plan.timezone) for cell in made}


def _view(cell: Cell, timezone: str) -> CellView:
    return CellView(
        at=instant(cell.at),
        local=zones.shown(cell.at, timezone),
        todo=cell.todo,
        run_id=None if cell.run is None else cell.run.id,
        state=None if cell.run is None else cell.run.state,
    )


HANDLERS: Final = (backfill,)
