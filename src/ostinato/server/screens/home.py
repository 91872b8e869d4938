"""The home page: what needs attention, the last day by hours, what runs, what comes, and each flow in bars."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ostinato.core.query import quote
from ostinato.core.states import TERMINAL, StateName
from ostinato.core.views import instant
from ostinato.server.doors import Ask, read_at
from ostinato.server.screens.rows import RunRow, Spark, newest, row, seconds
from ostinato.store import overview, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.records import FlowRun
    from ostinato.core.workers import Worker
    from ostinato.server.office import Shelf

HOUR_US: Final = 3_600_000_000
N_HOURS: Final = 24
N_ATTENTION: Final = 8
N_OF_A_KIND: Final = 3
"""Runs that wait, or lost workers, that are shown beside runs that failed."""
N_DUE: Final = 5
"""Runs that are due of which it is looked why they wait."""
N_ALIKE: Final = 50
"""Runs that are looked at to tell how many went wrong in the same way."""
N_RUNNING: Final = 20
N_COMING: Final = 10
N_FLOWS: Final = 12
N_SPARKS: Final = 30
FAILED: Final = f"state:failed,timedout,crashed parent:none since:{N_HOURS}h"
RUNNING: Final = "state:running,retrying,awaitingretry,pending,paused,cancelling parent:none"


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at."""

    kind: Literal["run", "late", "worker"]
    title: str
    cause: str
    at: datetime
    state: StateName | None = None
    run_id: str | None = None
    n_alike: int = 1
    """Runs of the same flow or deployment, among the newest, with the same cause."""
    query: str | None = None
    """Where those runs are found."""


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs made in an hour are in which state now."""

    at: datetime
    states: dict[StateName, int]


class RunningRow(RunRow, frozen=True, kw_only=True):
    """A run that has not ended, with how far it is."""

    n_tasks: int
    """Task runs so far."""
    n_done: int


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
    running: list[RunningRow]
    coming: list[RunRow]
    flows: list[FlowRow]
    n_workers: int
    n_runs: int


@read_at("/api/ui/home")
async def home_screen(request: Ask) -> HomeScreen:
    """Give the home page."""
    return await request.look(_home)


def _home(shelf: Shelf) -> HomeScreen:
    now = time.time_ns() // 1000
    since = now - N_HOURS * HOUR_US
    workers = shelf.reader.workers()
    coming = overview.coming(shelf.db, N_COMING)
    due = [run for run in coming if run.due_at <= now][:N_DUE]
    return HomeScreen(
        now=instant(now),
        attention=_attention(shelf, workers, due, now, since),
        hours=_hours(shelf, now),
        running=_running(shelf, now),
        coming=[row(run) for run in coming],
        flows=[_flow(shelf, name, states) for name, states in _flows(shelf, since)],
        n_workers=sum(one.left_at is None for one in workers),
        n_runs=sum(runs.state_counts(shelf.db).values()),
    )


def _attention(shelf: Shelf, workers: list[Worker], due: list[FlowRun], now: int, since: int) -> list[Attention]:
    """Give what went wrong lately, and what is due and kept from starting, the newest first."""
    lost = [
        Attention(kind="worker", title=one.info.name, cause=one.message, at=instant(one.left_at))
        for one in workers
        if one.left_at is not None and one.left_at > since and one.message
    ]
    late = newest(shelf, "state:late", N_ATTENTION, now)
    known: dict[tuple[str, str, tuple[str, ...]], str] = {}

    def why(run: FlowRun) -> str:
        """Give the reason, asked once for all runs that nothing tells apart."""
        like = (run.queue, run.deployment_id, run.tags)
        if like not in known:
            known[like] = shelf.reader.why_waiting(run.id)
        return known[like]

    kept = [run for run in reversed(due) if why(run)]  # without a reason a worker is about to take it
    waiting = _alike([*late, *kept], "late", lambda run: why(run) or "no worker has taken it yet")
    found = [*lost[:N_OF_A_KIND], *list(waiting)[:N_OF_A_KIND]]
    failed = _alike(newest(shelf, FAILED, N_ALIKE, now), "run", _cause)
    found += list(failed)[: N_ATTENTION - len(found)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _alike(
    found: list[FlowRun], kind: Literal["run", "late"], cause_of: Callable[[FlowRun], str]
) -> Iterator[Attention]:
    """Give the newest of the runs that have flow or deployment and cause in common, for each of those."""
    groups: dict[tuple[str, str], list[FlowRun]] = {}
    for run in found:
        groups.setdefault((run.deployment or run.flow, cause_of(run)), []).append(run)
    for (_, cause), (run, *others) in groups.items():
        of = f"deployment:{quote(run.deployment)}" if run.deployment else f"flow:{quote(run.flow)}"
        like = "state:late,scheduled due:<now" if kind == "late" else f"state:{run.state.lower()} since:{N_HOURS}h"
        yield Attention(
            kind=kind,
            title=run.name,
            cause=cause,
            at=instant(run.due_at if kind == "late" else run.ended_at or run.created_at),
            state=run.state,
            run_id=run.id,
            n_alike=1 + len(others),
            query=f"{of} {like}" if others else None,
        )


def _cause(run: FlowRun) -> str:
    if run.error is not None:
        return f"{run.error.type}: {run.error.message}".partition("\n")[0][:300]
    return run.message.partition("\n")[0][:300]


def _running(shelf: Shelf, now: int) -> list[RunningRow]:
    found = newest(shelf, RUNNING, N_RUNNING, now)
    progress = overview.progress(shelf.db, [run.id for run in found])
    return [
        RunningRow(
            **msgspec.structs.asdict(row(run)),
            n_tasks=sum(states.values()),
            n_done=sum(n for state, n in states.items() if state in TERMINAL),
        )
        for run in found
        for states in [progress.get(run.id, {})]
    ]


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
        Spark(id=run_id, name=run, state=state, duration_s=seconds(begin, end))
        for run_id, run, state, begin, end in overview.newest_of_flow(shelf.db, name, N_SPARKS)
    ]
    return FlowRow(name=name, states=states, runs=sparks[::-1])
