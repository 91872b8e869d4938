"""The page of one flow run, and the graph of what flows between its tasks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.graphs import graph_of
from ostinato.core.states import StateName
from ostinato.core.views import (
    ArtifactView,
    ChangeView,
    InputView,
    LogView,
    RunView,
    TaskCountView,
    artifact_view,
    change_view,
    count_views,
    input_view,
    log_view,
    maybe,
    run_view,
)
from ostinato.server.doors import Ask, Ref, read_at
from ostinato.server.screens.rows import RunRow, row

if TYPE_CHECKING:
    from ostinato.server.office import Shelf

N_LOGS: Final = 200
N_SUBFLOWS: Final = 200
MOST_GRAPHED: Final = 5_000
"""Task runs from which a graph is drawn."""


class RunScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    run: RunView
    why: str
    """Why it waits; empty when nothing keeps it."""
    counts: list[TaskCountView]
    history: list[ChangeView]
    logs: list[LogView]
    """The newest lines, the oldest of them first."""
    subflows: list[RunRow]
    artifacts: list[ArtifactView]
    inputs: list[InputView]


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the graph of a run."""

    id: str
    name: str
    kind: str
    """`task`, `map` (all runs of one task or `.map`) or `flow`."""
    n: int
    states: dict[StateName, int]
    run_id: str | None
    """Of a subflow run."""
    started_at: datetime | None
    ended_at: datetime | None


class GraphScreen(msgspec.Struct, frozen=True, kw_only=True):
    """What flows between the tasks of a run."""

    nodes: list[NodeView]
    edges: list[tuple[str, str]]
    whole: bool
    """False when there are more task runs than were looked at."""


@read_at("/api/ui/runs/{ref:str}")
async def run_screen(request: Ask, ref: Ref) -> RunScreen:
    """Give the page of a run."""

    def ask(shelf: Shelf) -> RunScreen:
        reader = shelf.reader
        run = reader.find_run(ref)
        waits = run.state in {"Scheduled", "Late"}
        return RunScreen(
            run=run_view(run),
            why=reader.why_waiting(run.id) if waits else "",
            counts=count_views(reader.counts(run.id)),
            history=[change_view(one) for one in reader.history(run.id)],
            logs=[log_view(one) for one in reader.logs([run.id], limit=N_LOGS, tail=True)],
            subflows=[row(one) for one in reader.subflow_runs(run.id)[:N_SUBFLOWS]],
            artifacts=[artifact_view(one) for one in reader.artifacts(run.id)],
            inputs=[input_view(one) for one in reader.inputs(run.id)],
        )

    return await request.look(ask)


@read_at("/api/ui/runs/{ref:str}/graph")
async def graph_screen(request: Ask, ref: Ref) -> GraphScreen:
    """Give the graph of a run, mapped tasks as one node; of very many task runs that of the first ones."""

    def ask(shelf: Shelf) -> GraphScreen:
        reader = shelf.reader
        run = reader.find_run(ref)
        tasks = reader.task_runs(run.id, limit=MOST_GRAPHED + 1)
        graph = graph_of(tasks[:MOST_GRAPHED], reader.subflow_runs(run.id)[:N_SUBFLOWS])
        return GraphScreen(
            nodes=[
                NodeView(
                    id=node.id, name=node.name, kind=node.kind, n=node.n, states=node.states,
                    run_id=node.run_id or None, started_at=maybe(node.begin), ended_at=maybe(node.end),
                )
                for node in graph.nodes
            ],
            edges=graph.edges,
            whole=len(tasks) <= MOST_GRAPHED,
        )  # fmt: skip

    return await request.look(ask)
