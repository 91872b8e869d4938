"""The task runs of one run as rows and bars, and the page of one of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar.params import PathParameter, QueryParameter

from ostinato.core.errors import TaskRunNotFound
from ostinato.core.states import StateName
from ostinato.core.views import TaskView, instant, maybe, task_view
from ostinato.server.doors import MOST_INT, Ask, Limit, Number, Ref, read_at
from ostinato.server.screens.logs import LogRow, log_rows
from ostinato.store import briefs, logs, runs
from ostinato.store.logs import END, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.records import FlowRun, TaskBrief, TaskRun, TaskStep
    from ostinato.server.office import Shelf

N_LOGS: Final = 200
MOST_INPUTS: Final = 100
"""Calls that a page names as those whose results went in."""

TaskName = Annotated[str, QueryParameter(name="task", max_length=500, description="Those of this task.")]
Group = Annotated[
    str, QueryParameter(max_length=100, description="`group` of the `.map` that called them, if one did.")
]
States = Annotated[list[StateName] | None, QueryParameter(name="state", description="Those in these states.")]
No = Annotated[int, PathParameter(ge=1, le=MOST_INT)]


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the history of a task run."""

    at: datetime
    epoch: int
    attempt: int
    state: StateName
    message: str


class TaskRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task run in a list, and as a bar."""

    no: int
    task: str
    name: str
    group: str | None
    state: StateName
    epoch: int
    attempt: int
    message: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    steps: list[StepView] = []
    """Of one that was tried again, as far as its events are kept."""


class TaskRows(msgspec.Struct, frozen=True, kw_only=True):
    """Task runs in call order."""

    items: list[TaskRow]
    next: str | None = None
    """Give it as `after` for what follows; None at the end. A page may be short, and even empty, before it."""


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose result went into a task run."""

    kind: str
    """`task`, `map` (the results of all its task runs) or `flow`."""
    name: str
    state: StateName | None
    no: int | None
    run_id: str | None
    task: str | None
    group: str | None


class TaskScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One task run."""

    run_id: str
    run_name: str
    flow: str
    run_ended: bool
    file: str
    task: TaskView
    created_at: datetime
    parent: TaskRow | None
    """The task run that called it."""
    inputs: list[CallRow]
    n_inputs: int
    """Calls whose results went in; not all of them need be listed."""
    steps: list[StepView]
    steps_whole: bool
    """False when there were more events than were looked through, or some are not kept any more."""
    logs: list[LogRow]
    """Its newest lines, the oldest of them first."""
    log_span: tuple[int, int]
    """The first and the last line of the run; zeros when it has none."""


@read_at("/api/ui/runs/{ref:str}/tasks")
async def task_rows(
    request: Ask,
    ref: Ref,
    task: TaskName = "",
    group: Group = "",
    states: States = None,
    limit: Limit = 200,
    after: Number = 0,
) -> TaskRows:
    """Give task runs of a run in few fields, all or those of one task or `.map`, in call order."""

    def ask(shelf: Shelf) -> TaskRows:
        run = shelf.reader.find_run(ref)
        found, cursor = briefs.briefs(
            shelf.db, run.id, task=task, group=group, states=states or (), after=after, limit=limit
        )
        steps = _steps(shelf, run, [one for one in found if one.attempt > 1])
        items = [task_row(one, steps.get(one.no, ())) for one in found]
        return TaskRows(items=items, next=str(cursor) if cursor else None)

    return await request.look(ask)


@read_at("/api/ui/runs/{ref:str}/tasks/{no:int}")
async def task_screen(request: Ask, ref: Ref, no: No) -> TaskScreen:
    """Give the page of a task run."""

    def ask(shelf: Shelf) -> TaskScreen:
        run = shelf.reader.find_run(ref)
        task = _task(shelf, run, no)
        steps, whole = briefs.steps(shelf.db, run.stream, run.id, task.created_at, task.ended_at or END, {no})
        lines, _ = logs.lines_before(shelf.db, Wanted(run_id=run.id, no=no), END, N_LOGS)
        parent = briefs.briefs(shelf.db, run.id, after=task.parent_no - 1, limit=1)[0] if task.parent_no else []
        return TaskScreen(
            run_id=run.id,
            run_name=run.name,
            flow=run.flow,
            run_ended=run.ended,
            file=run.source.file,
            task=task_view(task),
            created_at=instant(task.created_at),
            parent=task_row(parent[0]) if parent else None,
            inputs=_inputs(shelf, run, task),
            n_inputs=len(task.upstream),
            steps=[step_view(one) for one in steps],
            steps_whole=whole and any(one.state == task.state for one in steps),
            logs=log_rows(lines),
            log_span=logs.span(shelf.db, run.id),
        )

    return await request.look(ask)


def task_row(one: TaskBrief, steps: Sequence[TaskStep] = ()) -> TaskRow:
    """Give a task run as a row."""
    return TaskRow(
        no=one.no,
        task=one.task,
        name=one.name,
        group=one.group or None,
        state=one.state,
        epoch=one.epoch,
        attempt=one.attempt,
        message=one.message.partition("\n")[0][:300],
        created_at=instant(one.created_at),
        started_at=maybe(one.started_at),
        ended_at=maybe(one.ended_at),
        steps=[step_view(step) for step in steps],
    )


def step_view(step: TaskStep) -> StepView:
    """Give a step of the history of a task run."""
    return StepView(at=instant(step.at), epoch=step.epoch, attempt=step.attempt, state=step.state, message=step.message)


def _task(shelf: Shelf, run: FlowRun, no: int) -> TaskRun:
    found = runs.task_runs(shelf.db, run.id, states=(), limit=1, after=no - 1)
    if not found or found[0].no != no:
        raise TaskRunNotFound(run=run.name, no=no)
    return found[0]


def _steps(shelf: Shelf, run: FlowRun, tried: list[TaskBrief]) -> dict[int, list[TaskStep]]:
    """Give the steps of task runs that were tried again, by their numbers."""
    found: dict[int, list[TaskStep]] = {}
    if tried:
        begin = min(one.created_at for one in tried)
        end = max(one.ended_at or END for one in tried)
        for step in briefs.steps(shelf.db, run.stream, run.id, begin, end, {one.no for one in tried})[0]:
            found.setdefault(step.no, []).append(step)
    return found


def _inputs(shelf: Shelf, run: FlowRun, task: TaskRun) -> list[CallRow]:
    """Give the calls whose results went into a task run, in the order in which they did."""
    keys = task.upstream[:MOST_INPUTS]
    calls = briefs.calls_before(shelf.db, run.id, task.no, keys)
    missing = set(keys) - set(calls)
    flows = {one.key: one for one in runs.subflow_runs(shelf.db, run.id)} if missing else {}
    found = []
    for key in keys:
        call, flow = calls.get(key), flows.get(key)
        if call is not None:
            whole = call.key != key
            found.append(
                CallRow(
                    kind="map" if whole else "task", name=call.task if whole else call.name,
                    state=None if whole else call.state, no=None if whole else call.no, run_id=None,
                    task=call.task, group=call.group or None,
                )
            )  # fmt: skip
        elif flow is not None:
            found.append(
                CallRow(
                    kind="flow", name=flow.name, state=flow.state, no=None, run_id=flow.id, task=None, group=None
                )
            )  # fmt: skip
    return found
