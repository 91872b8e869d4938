"""What the pages of the web interface show, each in one answer; for everybody to use."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.graphs import graph_of
from ostinato.core.query import AHEAD, RUN_FIELDS, Query, Term, parse
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
    instant,
    log_view,
    maybe,
    run_view,
)
from ostinato.server.doors import After, Ask, Limit, Ref, read_at
from ostinato.server.runs import Terms
from ostinato.store import overview
from ostinato.store import runs as store

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun
    from ostinato.core.workers import Worker
    from ostinato.server.office import Shelf

HOUR_US: Final = 3_600_000_000
N_HOURS: Final = 24
N_ATTENTION: Final = 8
N_RUNNING: Final = 20
N_COMING: Final = 10
N_FLOWS: Final = 12
N_SPARKS: Final = 30
N_LOGS: Final = 200
N_SUBFLOWS: Final = 200

MOST_GRAPHED: Final = 5_000
"""Task runs from which a graph is drawn."""
N_LOOKS: Final = 10
"""A look takes in a bounded number of runs; what is rare is looked for so often by one request."""

PLANNED: Final = frozenset({"state", "due", "id", "schedule"})
"""Fields by which one asks for runs that have not begun."""
_BEGUN: Final = Term(field=AHEAD, op="in", values=(), negated=True)
RUNNING: Final = "state:running,retrying,awaitingretry,pending,paused,cancelling parent:none"


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list."""

    id: str
    name: str
    flow: str
    deployment: str | None
    state: StateName
    message: str
    expected_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    worker: str | None
    tags: tuple[str, ...]


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at."""

    kind: str
    """`run`, `late` or `worker`."""
    title: str
    cause: str
    at: datetime
    state: StateName | None = None
    run_id: str | None = None


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs made in an hour are in which state now."""

    at: datetime
    states: dict[StateName, int]


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """A run as one bar."""

    id: str
    name: str
    state: StateName
    duration_s: float | None


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with its newest runs, the oldest first."""

    name: str
    states: dict[StateName, int]
    runs: list[Spark]


class HomeScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The home page."""

    now: datetime
    attention: list[Attention]
    hours: list[Hour]
    running: list[RunRow]
    coming: list[RunRow]
    flows: list[FlowRow]
    n_workers: int
    n_runs: int


class RunsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The list of runs: one page of it, and how many runs there are in each state."""

    items: list[RunRow]
    next: str | None
    states: dict[StateName, int]


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


@read_at("/api/ui/home")
async def home_screen(request: Ask) -> HomeScreen:
    """Give the home page."""
    return await request.look(_home)


@read_at("/api/ui/runs")
async def runs_screen(request: Ask, terms: Terms = "", limit: Limit = 50, after: After = "") -> RunsScreen:
    """Give a page of the list of runs."""

    def ask(shelf: Shelf) -> RunsScreen:
        found, cursor = _page(shelf, terms, limit, after)
        return RunsScreen(items=[_row(run) for run in found], next=cursor or None, states=store.state_counts(shelf.db))

    return await request.look(ask)


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
            subflows=[_row(one) for one in reader.subflow_runs(run.id)[:N_SUBFLOWS]],
            artifacts=[artifact_view(one) for one in reader.artifacts(run.id)],
            inputs=[input_view(one) for one in reader.inputs(run.id)],
        )

    return await request.look(ask)


def _page(shelf: Shelf, terms: str, limit: int, after: str) -> tuple[list[FlowRun], str]:
    """Give runs and where to go on; those that are only planned are left out unless something asks for them."""
    now = time.time_ns() // 1000
    query = parse(terms, RUN_FIELDS, now=now)
    if not PLANNED & {term.field for term in query.terms}:
        query = Query((*query.terms, _BEGUN))
    found: list[FlowRun] = []
    for _ in range(N_LOOKS):
        more, after = store.runs(shelf.db, query, limit=limit - len(found), after=after, now=now)
        found += more
        if not after or len(found) == limit:
            break
    return found, after


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


HANDLERS: Final = (home_screen, runs_screen, run_screen, graph_screen)


def _row(run: FlowRun) -> RunRow:
    return RunRow(
        id=run.id,
        name=run.name,
        flow=run.flow,
        deployment=run.deployment or None,
        state=run.state,
        message=run.message.partition("\n")[0][:300],
        expected_at=instant(run.due_at or run.expected_at),
        started_at=maybe(run.started_at),
        ended_at=maybe(run.ended_at),
        worker=run.worker or None,
        tags=run.tags,
    )


def _home(shelf: Shelf) -> HomeScreen:
    now = time.time_ns() // 1000
    since = now - N_HOURS * HOUR_US
    workers = shelf.reader.workers()
    return HomeScreen(
        now=instant(now),
        attention=_attention(shelf, workers, now, since),
        hours=_hours(shelf, now),
        running=[_row(run) for run in _runs(shelf, RUNNING, N_RUNNING, now)],
        coming=[_row(run) for run in overview.coming(shelf.db, N_COMING)],
        flows=[_flow(shelf, name, states) for name, states in _flows(shelf, since)],
        n_workers=sum(one.left_at is None for one in workers),
        n_runs=sum(store.state_counts(shelf.db).values()),
    )


def _runs(shelf: Shelf, text: str, limit: int, now: int) -> list[FlowRun]:
    """Give the newest runs that match, as far as one look goes."""
    found, _ = store.runs(shelf.db, parse(text, RUN_FIELDS, now=now), limit=limit, after="", now=now)
    return found


def _attention(shelf: Shelf, workers: list[Worker], now: int, since: int) -> list[Attention]:
    """Give what went wrong lately, the newest first."""
    found = [
        Attention(
            kind="run", title=run.name, cause=_cause(run), at=instant(run.ended_at or run.created_at), state=run.state,
            run_id=run.id,
        )
        for run in _runs(shelf, f"state:failed,timedout,crashed parent:none since:{N_HOURS}h", N_ATTENTION, now)
    ]  # fmt: skip
    found += [
        Attention(
            kind="late", title=run.name, cause=shelf.reader.why_waiting(run.id) or "no worker has taken it yet",
            at=instant(run.due_at), state="Late", run_id=run.id,
        )
        for run in _runs(shelf, "state:late", N_ATTENTION, now)
    ]  # fmt: skip
    found += [
        Attention(kind="worker", title=one.info.name, cause=one.message, at=instant(one.left_at))
        for one in workers
        if one.left_at is not None and one.left_at > since and one.message
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:N_ATTENTION]


def _cause(run: FlowRun) -> str:
    if run.error is not None:
        return f"{run.error.type}: {run.error.message}".partition("\n")[0][:300]
    return run.message.partition("\n")[0][:300]


def _hours(shelf: Shelf, now: int) -> list[Hour]:
    first = now // HOUR_US * HOUR_US - (N_HOURS - 1) * HOUR_US
    counted: dict[int, dict[StateName, int]] = {}
    for hour, state, n in overview.hours(shelf.db, first):
        counted.setdefault(hour, {})[state] = n
    return [Hour(at=instant(hour), states=counted.get(hour, {})) for hour in range(first, now, HOUR_US)]


def _flows(shelf: Shelf, since: int) -> list[tuple[str, dict[StateName, int]]]:
    found = overview.flows(shelf.db, since=since, after="", limit=200)
    for _, states in found:
        states.pop("Scheduled", None)  # made ahead, by a schedule
    found.sort(key=lambda one: (-sum(one[1].values()), one[0]))
    return found[:N_FLOWS]


def _flow(shelf: Shelf, name: str, states: dict[StateName, int]) -> FlowRow:
    sparks = [
        Spark(id=run_id, name=run, state=state, duration_s=_seconds(begin, end))
        for run_id, run, state, begin, end in overview.newest_of_flow(shelf.db, name, N_SPARKS)
    ]
    return FlowRow(name=name, states=states, runs=sparks[::-1])


def _seconds(begin: int | None, end: int | None) -> float | None:
    return (end - begin) / 1e6 if begin and end else None
