"""Runs over the public API: list, look at, make, cancel, pause, resume, delete; one or many."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from logging import getLevelName
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Meta

from ostinato.core.commands import CancelRun, Command, CreateRun, DeleteRun, PauseRun, ResumeRun
from ostinato.core.errors import OstinatoError
from ostinato.core.query import RUN_FIELDS, parse
from ostinato.core.states import StateName
from ostinato.core.views import (
    ArtifactView,
    ChangeView,
    InputView,
    LogView,
    RunView,
    TaskCountView,
    TaskView,
    artifact_view,
    change_view,
    count_views,
    input_view,
    instant,
    log_view,
    microseconds,
    run_view,
    task_view,
)
from ostinato.server.doors import (
    MOST_INT,
    After,
    Ask,
    Limit,
    Number,
    Page,
    Ref,
    act_at,
    file_at,
    make_at,
    page,
    read_at,
    remove_at,
)
from ostinato.store import logs
from ostinato.store import runs as store
from ostinato.store.logs import ANY_TASK, Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostinato.core.records import FlowRun, LogLine
    from ostinato.server.office import Shelf

Terms = Annotated[
    str,
    QueryParameter(
        name="query", max_length=1000, description="Terms such as `flow:train state:failed since:24h`; all must hold."
    ),
]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
Instant = Annotated[datetime, Meta(tz=True)]


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run of a deployment that is wanted."""

    deployment: str
    """Id, or `flow/name`."""
    parameters: dict[str, Any] = {}
    name: str = ""
    tags: tuple[str, ...] = ()
    due_at: Instant | None = None
    """When it may start; now when it is not said."""
    expected_at: Instant | None = None
    """The scheduled instant that the run is told; its due time when it is not said."""
    queue: str = ""
    priority: Priority | None = None
    key: str = ""
    """A second request with this key gives the run of the first."""
    parent_id: str = ""


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run is cancelled."""

    reason: str = ""


class Resume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run goes on."""

    input: Any = None
    """For a run that waits for input."""
    changed: Literal["rerun", "refuse", "reuse"] = "rerun"


class Bulk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done to all runs that match, the newest first."""

    query: Annotated[str, Meta(min_length=1, max_length=1000)]
    action: Literal["cancel", "pause", "resume", "retry", "delete"]
    reason: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    after: Annotated[str, Meta(max_length=200)] = ""
    """`next` of the answer before."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A run to which it could not be done."""

    run: str
    code: str
    detail: str


class BulkDone(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to many runs."""

    done: list[str]
    refused: list[Refusal]
    next: str | None
    """Give it as `after` for the runs that follow; None when that was all."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run that is due does not run; None when nothing keeps it."""

    reason: str | None


@read_at("/api/runs")
async def list_runs(request: Ask, terms: Terms = "", limit: Limit = 50, after: After = "") -> Page[RunView]:
    """List runs and subflow runs that match a query, the newest first."""
    found, cursor = await request.look(lambda shelf: _runs(shelf.db, terms, limit, after))
    return Page(items=[run_view(run) for run in found], next=cursor or None)


def _runs(db: Any, query: str, limit: int, after: str) -> tuple[list[FlowRun], str]:
    now = time.time_ns() // 1000
    return store.runs(db, parse(query, RUN_FIELDS, now=now), limit=limit, after=after, now=now)


@make_at("/api/runs")
async def create_run(request: Ask, data: JSONBody[NewRun]) -> RunView:
    """Make a run of a deployment, now or later."""
    made = await request.do(
        CreateRun(
            deployment=data.deployment,
            parameters=data.parameters,
            name=data.name,
            tags=data.tags,
            due_at=microseconds(data.due_at),
            expected_at=microseconds(data.expected_at),
            queue=data.queue,
            priority=data.priority,
            key=data.key,
            parent_id=data.parent_id,
        )
    )
    return run_view(made)


@act_at("/api/runs/bulk")
async def change_runs(request: Ask, data: JSONBody[Bulk]) -> BulkDone:
    """Cancel, pause, resume, retry or delete all runs that match a query."""
    found, cursor = await request.look(lambda shelf: _runs(shelf.db, data.query, data.limit, data.after))
    done, refused = [], []
    for run in found:
        try:
            await request.do(_command(data, run.id))
            done.append(run.id)
        except OstinatoError as error:
            refused.append(Refusal(run=run.id, code=error.code, detail=error.message))
    return BulkDone(done=done, refused=refused, next=cursor or None)


def _command(data: Bulk, run: str) -> Command[Any]:
    match data.action:
        case "cancel":
            return CancelRun(run=run, reason=data.reason)
        case "pause":
            return PauseRun(run=run)
        case "resume" | "retry":
            return ResumeRun(run=run)
        case "delete":
            return DeleteRun(run=run)


@read_at("/api/runs/{ref:str}")
async def show_run(request: Ask, ref: Ref) -> RunView:
    """Give a run by id, unique beginning of an id, name (the newest), or `last`."""
    return run_view(await request.look(lambda shelf: shelf.reader.find_run(ref)))


@remove_at("/api/runs/{ref:str}")
async def delete_run(request: Ask, ref: Ref) -> None:
    """Forget a run that has ended, or not begun."""
    await request.do(DeleteRun(run=ref))


@act_at("/api/runs/{ref:str}/cancel")
async def cancel_run(request: Ask, ref: Ref, data: JSONBody[Cancel | None] = None) -> RunView:
    """Cancel a run."""
    return run_view(await request.do(CancelRun(run=ref, reason=data.reason if data is not None else "")))


@act_at("/api/runs/{ref:str}/pause")
async def pause_run(request: Ask, ref: Ref) -> RunView:
    """Pause a run: at once when it has not begun, else at its next task."""
    return run_view(await request.do(PauseRun(run=ref)))


@act_at("/api/runs/{ref:str}/resume")
async def resume_run(request: Ask, ref: Ref, data: JSONBody[Resume | None] = None) -> RunView:
    """Let a run that is Paused, Failed, Crashed, TimedOut or Cancelled go on."""
    how = data if data is not None else Resume()
    return run_view(await request.do(ResumeRun(run=ref, input=how.input, changed=how.changed)))


States = Annotated[list[StateName] | None, QueryParameter(name="state", description="Those in these states.")]


@read_at("/api/runs/{ref:str}/tasks")
async def list_tasks(
    request: Ask, ref: Ref, states: States = None, limit: Limit = 200, after: Number = 0
) -> Page[TaskView]:
    """List the task runs of a run, in call order."""
    found = await request.look(
        lambda shelf: shelf.reader.task_runs(
            shelf.reader.find_run(ref).id, states=states or (), limit=limit + 1, after=after
        )
    )
    return page([task_view(task) for task in found], limit, lambda task: task.no)


@read_at("/api/runs/{ref:str}/counts")
async def count_tasks(request: Ask, ref: Ref) -> list[TaskCountView]:
    """Count the task runs of a run by task and state."""
    return count_views(await request.look(lambda shelf: shelf.reader.counts(shelf.reader.find_run(ref).id)))


Level = Annotated[int, QueryParameter(ge=0, le=100, description="Least numeric level: 20 is INFO, 40 is ERROR.")]


TaskNo = Annotated[
    int,
    QueryParameter(
        name="task", ge=ANY_TASK, le=MOST_INT, description="Number of a task run; 0 is the flow itself, -1 all."
    ),
]
Tail = Annotated[bool, QueryParameter(description="Give the last lines instead.")]


@read_at("/api/runs/{ref:str}/logs")
async def list_logs(
    request: Ask, ref: Ref, level: Level = 0, limit: Limit = 1000, after: Number = 0, *, tail: Tail = False
) -> Page[LogView]:
    """List the log lines of a run in commit order; `tail` gives the last ones instead."""
    found = await request.look(
        lambda shelf: shelf.reader.logs(
            [shelf.reader.find_run(ref).id], after=after, limit=limit if tail else limit + 1, level=level, tail=tail
        )
    )
    return page([log_view(line) for line in found], limit, lambda line: line.id)


TEXT_LINES: Final = 1000
"""Lines that are read at once, of a log that is sent as text."""


@file_at("/api/runs/{ref:str}/logs.txt")
async def send_log(request: Ask, ref: Ref, level: Level = 0, task: TaskNo = ANY_TASK) -> Stream:
    """Send the whole log of a run as text, or that of one of its task runs."""
    run = await request.look(lambda shelf: shelf.reader.find_run(ref))
    wanted = Wanted(run_id=run.id, level=level, no=task)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(run.name, safe='')}.log"}
    return Stream(_text(request, wanted), media_type="text/plain", headers=headers)


async def _text(request: Ask, wanted: Wanted) -> AsyncIterator[str]:
    after, more = 0, True
    while more:
        found, cursor = await request.look(partial(_lines, wanted, after))
        yield "".join(map(_said, found))
        after, more = cursor, cursor > 0


def _said(line: LogLine) -> str:
    at = instant(line.at).isoformat(timespec="milliseconds")
    return f"{at} {getLevelName(line.level):8} {line.task or line.logger}: {line.text}\n"


def _lines(wanted: Wanted, after: int, shelf: Shelf) -> tuple[list[LogLine], int]:
    return logs.lines_after(shelf.db, wanted, after, TEXT_LINES)


@read_at("/api/runs/{ref:str}/history")
async def show_history(request: Ask, ref: Ref) -> list[ChangeView]:
    """List the state changes of a run, oldest first."""
    found = await request.look(lambda shelf: shelf.reader.history(shelf.reader.find_run(ref).id))
    return [change_view(change) for change in found]


@read_at("/api/runs/{ref:str}/artifacts")
async def list_artifacts(request: Ask, ref: Ref) -> list[ArtifactView]:
    """List the artifacts of a run and its subflows; the bytes of an image are at `/api/blobs/<blob>`."""
    found = await request.look(lambda shelf: shelf.reader.artifacts(shelf.reader.find_run(ref).id))
    return [artifact_view(artifact) for artifact in found]


@read_at("/api/runs/{ref:str}/inputs")
async def list_inputs(request: Ask, ref: Ref) -> list[InputView]:
    """List what a run waits, or waited, for."""
    found = await request.look(lambda shelf: shelf.reader.inputs(shelf.reader.find_run(ref).id))
    return [input_view(one) for one in found]


@read_at("/api/runs/{ref:str}/subflows")
async def list_subflows(request: Ask, ref: Ref) -> list[RunView]:
    """List the direct subflow runs of a run, in call order."""
    found = await request.look(lambda shelf: shelf.reader.subflow_runs(shelf.reader.find_run(ref).id))
    return [run_view(run) for run in found]


@read_at("/api/runs/{ref:str}/why")
async def explain_wait(request: Ask, ref: Ref) -> Reason:
    """Say in one line why a run that is due does not run."""
    found = await request.look(lambda shelf: shelf.reader.why_waiting(shelf.reader.find_run(ref).id))
    return Reason(reason=found or None)


HANDLERS: Final = (
    list_runs,
    create_run,
    change_runs,
    show_run,
    delete_run,
    cancel_run,
    pause_run,
    resume_run,
    list_tasks,
    count_tasks,
    list_logs,
    send_log,
    show_history,
    list_artifacts,
    list_inputs,
    list_subflows,
    explain_wait,
)
