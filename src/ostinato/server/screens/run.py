"""The page of one flow run, and the graph of what flows between its tasks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.display import is_secret
from ostinato.core.errors import RunNotFound
from ostinato.core.graphs import graph_of
from ostinato.core.states import StateName
from ostinato.core.views import (
    ChangeView,
    InputView,
    RunView,
    TaskCountView,
    change_view,
    count_views,
    input_view,
    instant,
    maybe,
    parameters_of,
    run_view,
)
from ostinato.server.doors import Ask, Ref, read_at
from ostinato.server.screens.artifacts import ArtifactCard, artifact_cards
from ostinato.server.screens.experiments import odd_since, told
from ostinato.server.screens.logs import LogRow, log_rows
from ostinato.server.screens.rows import RunRow, row
from ostinato.store import briefs, logs, tracking, work
from ostinato.store.logs import END, Wanted

if TYPE_CHECKING:
    from ostinato.core.graphs import Node
    from ostinato.core.records import FlowRun
    from ostinato.server.office import Shelf

N_LOGS: Final = 200
N_SUBFLOWS: Final = 200
N_TRACKED: Final = 20


class TrackedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tracking run with the newest value of each metric."""

    id: str
    name: str
    experiment: str
    status: str
    task_no: int | None
    started_at: datetime
    ended_at: datetime | None
    metrics: dict[str, float | str]
    odd_since: dict[str, int]
    """Metrics that are not finite now, with the step since which they have had no finite value."""


class OtherValue(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter to which a run gave another value than its deployment gives."""

    name: str
    value: Any
    usual: Any
    """What the deployment gives, with the schedule that made the run; else the default of the flow."""


class RunScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    run: RunView
    parent: RunRow | None
    """The run that called it."""
    others: list[OtherValue] | None
    """Parameters with other values than its deployment gives, secret ones left out; null without a deployment."""
    why: str
    """Why it waits; empty when nothing keeps it."""
    worker_name: str | None
    """Of the worker that has, or had, it."""
    counts: list[TaskCountView]
    history: list[ChangeView]
    logs: list[LogRow]
    """The newest lines, the oldest of them first."""
    log_span: tuple[int, int]
    """The first and the last line; zeros when there is none."""
    subflows: list[RunRow]
    artifacts: list[ArtifactCard]
    """The newest ones, those of the runs below it too; large ones without what they hold."""
    inputs: list[InputView]
    tracked: list[TrackedRow]
    """Tracking runs that were made in it, in the order of their task runs; the first ones of many."""


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the graph of a run."""

    id: str
    name: str
    kind: str
    """`task`, `map` (all runs of one task or `.map`) or `flow`."""
    n: int
    states: dict[StateName, int]
    no: int | None
    """Of a single task run."""
    task: str | None
    group: str | None
    run_id: str | None
    """Of a subflow run."""
    started_at: datetime | None
    ended_at: datetime | None


class GraphScreen(msgspec.Struct, frozen=True, kw_only=True):
    """What flows between the tasks of a run."""

    nodes: list[NodeView]
    edges: list[tuple[str, str]]
    critical: list[str]
    """Nodes of the chain of results that took longest."""
    whole: bool
    """False when an edge may be missing: there are more single task runs than were looked at. Numbers are whole."""


@read_at("/api/ui/runs/{ref:str}")
async def run_screen(request: Ask, ref: Ref) -> RunScreen:
    """Give the page of a run."""

    def ask(shelf: Shelf) -> RunScreen:
        reader = shelf.reader
        run = reader.find_run(ref)
        waits = run.state in {"Scheduled", "Late"}
        return RunScreen(
            run=run_view(run),
            parent=_parent(shelf, run),
            others=_others(shelf, run),
            why=reader.why_waiting(run.id) if waits else "",
            worker_name=(work.worker_name(shelf.db, run.worker) if run.worker else "") or None,
            counts=count_views(reader.counts(run.id)),
            history=[change_view(one) for one in reader.history(run.id)],
            logs=log_rows(logs.lines_before(shelf.db, Wanted(run_id=run.id), END, N_LOGS)[0]),
            log_span=logs.span(shelf.db, run.id),
            subflows=[row(one) for one in reader.subflow_runs(run.id)[:N_SUBFLOWS]],
            artifacts=artifact_cards(shelf.db, run.id),
            inputs=[input_view(one) for one in reader.inputs(run.id)],
            tracked=_tracked(shelf, run.id),
        )

    return await request.look(ask)


@read_at("/api/ui/runs/{ref:str}/graph")
async def graph_screen(request: Ask, ref: Ref) -> GraphScreen:
    """Give the graph of a run, mapped tasks as one node; of very many task runs those of one task, too."""

    def ask(shelf: Shelf) -> GraphScreen:
        reader = shelf.reader
        run = reader.find_run(ref)
        counts = reader.counts(run.id)
        tasks, whole = briefs.graphed(shelf.db, run.id, counts)
        graph = graph_of(tasks, counts, reader.subflow_runs(run.id)[:N_SUBFLOWS])
        return GraphScreen(
            nodes=[_node_view(node) for node in graph.nodes], edges=graph.edges, critical=graph.critical, whole=whole
        )

    return await request.look(ask)


def _node_view(node: Node) -> NodeView:
    return NodeView(
        id=node.id, name=node.name, kind=node.kind, n=node.n, states=node.states,
        no=node.first_no if node.kind == "task" else None, task=node.task or None, group=node.group or None,
        run_id=node.run_id or None, started_at=maybe(node.begin), ended_at=maybe(node.end),
    )  # fmt: skip


def _parent(shelf: Shelf, run: FlowRun) -> RunRow | None:
    """Give the run that called a run, which may have been deleted meanwhile."""
    try:
        return row(shelf.reader.find_run(run.parent_id)) if run.parent_id else None
    except RunNotFound:
        return None


def _others(shelf: Shelf, run: FlowRun) -> list[OtherValue] | None:
    deployment = work.deployment_by_id(shelf.db, run.deployment_id) if run.deployment_id else None
    if deployment is None:
        return None
    fields: dict[str, Any] = deployment.parameter_schema.get("properties", {})
    usual = {name: one["default"] for name, one in fields.items() if isinstance(one, dict) and "default" in one}
    usual |= deployment.parameters
    for timetable in deployment.schedules:
        if timetable.slug == run.schedule:
            usual |= timetable.parameters
    return [
        OtherValue(name=name, value=value, usual=usual[name])
        for name, value in parameters_of(run).items()
        if name in usual and usual[name] != value and not is_secret(name)
    ]


def _tracked(shelf: Shelf, run_id: str) -> list[TrackedRow]:
    found = shelf.reader.tracking_runs_of(run_id, limit=N_TRACKED)
    names = {one: tracking.experiment(shelf.db, one) for one in {run.experiment_id for run in found}}
    return [
        TrackedRow(
            id=run.id,
            name=run.name,
            experiment=experiment.name if (experiment := names[run.experiment_id]) else run.experiment_id,
            status=run.status,
            task_no=run.task_no or None,
            started_at=instant(run.started_at),
            ended_at=maybe(run.ended_at),
            metrics=told(run),
            odd_since=odd_since(shelf.db, run),
        )
        for run in found
    ]
