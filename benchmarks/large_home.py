"""A home with a million flow runs and twice as many task runs, written through the real append and projection.

What is in it: sixty days of runs of 150 flows, the first of them far busier than the last; most come from one of 300
deployments; every twentieth root run has subflows; some runs have many tasks, one has 20,000; a few fail, crash or are
cancelled, some run now on 40 workers, 10,000 wait for theirs; every tenth trains a model. As in a home that is kept in
order, the blocks of the last week alone are there. The same numbers give the same home, except for the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import psycopg
from large_tracking import Tracking

from ostinato.core.deployments import Code, Deployment, Queue, Timetable
from ostinato.core.events import (
    ArtifactMade,
    Audited,
    Block,
    DeploymentSet,
    Error,
    Logged,
    Planned,
    QueueSet,
    RunCreated,
    RunMoved,
    RunReleased,
    Source,
    TaskMoved,
    TaskStarted,
    TickPlanned,
    VariableSet,
    WorkerJoined,
)
from ostinato.core.names import run_name
from ostinato.core.results import Result
from ostinato.core.schedules import Cron
from ostinato.core.workers import WorkerInfo
from ostinato.store.append import Entry, Writer, append
from ostinato.store.postgres import PostgresDatabase
from ostinato.store.sqlite import SqliteDatabase, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.events import Event
    from ostinato.core.states import StateName
    from ostinato.store.database import Database

N_RUNS: Final = 1_000_000
N_FLOWS: Final = 150
N_DEPLOYMENTS: Final = 300
N_WORKERS: Final = 40
SHARE_WAITING: Final = 0.01
SHARE_RUNNING: Final = 0.0001
DAYS: Final = 60
WEEK_US: Final = 7 * 86_400_000_000
DAY_US: Final = 86_400_000_000
EDITION: Final = 4
"""Of what is in the home; one of another edition is made anew."""
MARK: Final = "large_home.json"
FRESH_S: Final = 12 * 3600
"""An older home has nothing in the last hours, for which many queries ask."""
EVENTS_A_COMMIT: Final = 20_000
EVENTS_A_BLOCK: Final = 200
RARE_TAG: Final = "audit-of-spring"
QUEUES: Final = ("default", "gpu", "night")

_SOURCE: Final = Source("/srv/flows/pipelines/daily.py", "daily", "/srv/flows", "/usr/bin/python3")
_TRACE: Final = "".join(
    f'  File "/srv/flows/pipelines/daily.py", line {line}, in {name}\n    {name}(frame, {line})\n'
    for line, name in ((41, "daily"), (118, "clean"), (203, "fill"), (77, "check"))
)
_ERROR: Final = Error(
    "ValueError", "column 'fare' has 3 missing values", _TRACE, "/srv/flows/pipelines/daily.py", 77, "frame=<DataFrame>"
)
_MESSAGE: Final = "ValueError: column 'fare' has 3 missing values"
_DATA: Final = msgspec.msgpack.encode({"rows": 100_000, "rmse": 6.9})
_RESULT: Final = Result("m", _DATA, "", len(_DATA), b"d" * 16)
_GROUP: Final = b"clean-0".hex()
_TASKS: Final = ("load", "clean", "fit", "check", "store")
_pack: Final = msgspec.msgpack.Encoder().encode


@dataclass
class Plan:
    """What is to be made, and how far that is."""

    n_runs: int
    now: int
    rng: random.Random = field(default_factory=lambda: random.Random(20260131))
    deployments: list[Deployment] = field(default_factory=list)
    n_made: int = 0
    n_tasks: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    """Runs that somebody will ask for: the ids by what they are."""
    tracking: Tracking = field(default_factory=Tracking)

    @property
    def first_waiting(self) -> int:
        """Give the number of the first run that waits; from there on all do."""
        return int(self.n_runs * (1 - SHARE_WAITING))

    @property
    def first_running(self) -> int:
        """Give the number of the first run that runs now."""
        return self.first_waiting - max(10, int(self.n_runs * SHARE_RUNNING))

    def is_large(self, number: int) -> bool:
        """Tell whether this is the one run with very many tasks."""
        return number >= self.first_running - 20 and "large run" not in self.examples

    def instant(self, number: int) -> int:
        """Give when a run was made: evenly over the days."""
        return self.now - DAYS * DAY_US + number * DAYS * DAY_US // self.n_runs


def run_id_at(instant: int, number: int) -> str:
    """Give an id as `core.ids.new_id` made it at that instant."""
    unix_ms, us = divmod(instant, 1000)
    high = (unix_ms << 16) | 0x7000 | (us * 4096 // 1000)
    low = (1 << 63) | (number * 0x9E3779B97F4A7C15 & (1 << 62) - 1)
    return f"{(high << 64) | low:032x}"


def flow_at(rng: random.Random) -> int:
    """Draw a flow: the first ones are far busier than the last."""
    return int(N_FLOWS * rng.random() ** 3)


def set_up(plan: Plan) -> list[Event]:
    """Give the events that make deployments, queues, workers, variables and the audit."""
    events: list[Event] = [QueueSet(name, plan.now, Queue(name=name, priority=9 - i)) for i, name in enumerate(QUEUES)]
    for number in range(N_DEPLOYMENTS):
        deployment = Deployment(
            id=run_id_at(plan.now - DAYS * DAY_US - number, number),
            flow=f"flow-{number % N_FLOWS:03}",
            name="nightly" if number < N_FLOWS else "hourly",
            code=Code(kind="local", file=_SOURCE.file, function="daily", directory="/srv/flows"),
            tags=("prod", f"team-{number % 7}"),
            queue=QUEUES[number % 3],
            schedules=(Timetable(slug="main", schedule=Cron("0 3 * * *" if number < N_FLOWS else "0 * * * *")),),
            paused=number > 4,  # else a server on this home would begin with 30,000 more runs
        )
        plan.deployments.append(deployment)
        events.append(DeploymentSet(plan.now, deployment, "local"))
    for number in range(N_WORKERS):
        info = WorkerInfo(
            id=f"{number:032x}", name=f"worker-{number}", host=f"host-{number}", pid=1000 + number, slots=8
        )
        events.append(WorkerJoined(plan.now, info))
    events += [VariableSet(f"limit_{number:03}", plan.now, b"42", ("ops",)) for number in range(200)]
    n_audited = plan.n_runs // 20
    events += [
        Audited(plan.instant(number * 20), "ada", "run-cancelled", f"run-{number}", "by hand")
        for number in range(n_audited)
    ]
    return [*events, *plan.tracking.set_up(plan.now - DAYS * DAY_US)]


def outcome(plan: Plan, number: int) -> StateName:
    """Draw the state that a run is in by now."""
    if number >= plan.first_waiting:
        return "Late" if number < plan.first_waiting + 300 else "Scheduled"
    if number >= plan.first_running:
        return "Running"
    draw = plan.rng.random()
    if draw > 0.06:
        return "Completed"
    return "Failed" if draw > 0.012 else "Crashed" if draw > 0.004 else "Cancelled" if draw > 0.0005 else "TimedOut"


def n_tasks_of(plan: Plan, number: int) -> int:
    """Draw how many tasks a run has: twice as many tasks as runs in all, most runs with one or two."""
    if plan.is_large(number):
        return min(20_000, plan.n_runs)
    return 30 if number % 50 == 11 else 1 + (plan.rng.random() < 0.65)


def root_run(plan: Plan, number: int) -> list[Event]:
    """Give the events of one root run and all below it."""
    rng, at, state = plan.rng, plan.instant(number), outcome(plan, number)
    waits = state in ("Scheduled", "Late")
    run_id, flow, planned = run_id_at(at, number), f"flow-{flow_at(rng):03}", None
    tags: tuple[str, ...] = (RARE_TAG,) if number % (plan.n_runs // 20) == 3 else ()
    events: list[Event] = []
    if waits or state == "Running" or rng.random() < 0.6:
        deployment = plan.deployments[min(flow_at(rng) + N_FLOWS * (rng.random() < 0.5), N_DEPLOYMENTS - 1)]
        due_at = at
        if waits:
            at, due_at = plan.now - 60_000_000, plan.now + (number - plan.first_waiting - 300) * 30_000_000
            run_id = run_id_at(at + number, number)
        planned = Planned(deployment.id, deployment.title, deployment.queue, due_at, number % 3, "main", "system")
        flow, tags = deployment.flow, deployment.tags + tags
        events.append(TickPlanned(deployment.id, "main", due_at + number, run_id, at))
    parameters = json.dumps({"month": f"2026-{number % 12 + 1:02}", "rows": number, "taxi": "green"}).encode()
    expected_at = planned.due_at if planned else at
    created = RunCreated(
        run_id, 1, at, flow, run_name(number.to_bytes(8, "big")), "Scheduled" if planned else "Pending", run_id, "",
        b"", 0, (), parameters, None, tags, f"v{number * 20 // plan.n_runs}", _SOURCE, expected_at, planned,
    )  # fmt: skip
    plan.n_made += 1
    plan.examples[f"{state.lower()} run"] = run_id
    events.append(created)
    if state == "Late":
        events.append(RunMoved(run_id, 1, at, "Late", "Scheduled"))
    return events if waits else [*events, *life(plan, number, created, state)]


def life(plan: Plan, number: int, created: RunCreated, state: StateName) -> list[Event]:
    """Give the events of a root run that has begun, and of all below it."""
    rng, run_id, at, held = plan.rng, created.run_id, created.at, created.planned is not None
    events: list[Event] = []
    if held:
        worker = number % N_WORKERS
        text = f"worker worker-{worker}"
        events.append(RunMoved(run_id, 1, at + 900, "Pending", "Scheduled", text, worker=f"{worker:032x}"))
    events.append(RunMoved(run_id, 1, at + 1_000, "Running", "Pending"))
    took = int(1_000_000 * rng.lognormvariate(2, 1.5))
    tasks(plan, events, run_id, at, n_tasks_of(plan, number), state)
    for no in range(5 if number % 20 == 1 else 0):
        subflow_run(plan, events, created, no, took)
    if rng.random() < 0.5:
        events.append(Logged(run_id, 0, at + 2_000, 20, "ostinato.run", f"{number} rows read, none of them empty"))
    if rng.random() < 0.01:
        events.append(ArtifactMade(run_id, 0, at + 3_000, "report", "markdown", "", b'"# All is well"'))
    if number % 10 == 0:
        events += plan.tracking.training(run_id_at(at + 5_000, number), at + 5_000, run_id)
    if plan.is_large(number):
        plan.examples["large run"] = run_id
    if number % 20 == 1:
        plan.examples["run with subflows"] = run_id
    if state != "Running":
        events += _end(run_id, at + took, state, held=held)
    return events


def _end(run_id: str, at: int, state: StateName, *, held: bool) -> list[Event]:
    events: list[Event] = [RunMoved(run_id, 1, at, "Cancelling", "Running")] if state == "Cancelled" else []
    if state == "Completed":
        events.append(RunMoved(run_id, 1, at, state, "Running", "", 1, _RESULT))
    else:
        events.append(RunMoved(run_id, 1, at, state, "Running", _MESSAGE, 1, None, _ERROR))
    if held:
        events.append(RunReleased(run_id, 1, at + 1_000))
    return events


def subflow_run(plan: Plan, events: list[Event], root: RunCreated, no: int, took: int) -> None:
    """Add the events of one subflow run."""
    at = root.at + 2_000 + no
    run_id = run_id_at(at, plan.n_made)
    plan.n_made += 1
    events += (
        RunCreated(
            run_id, 1, at, f"{root.flow}-part", run_name(run_id.encode()), "Pending", root.run_id, root.run_id,
            b"k" * 16, no + 1, (), b"{}", None, root.tags, root.version, _SOURCE, at,
        ),
        RunMoved(run_id, 1, at + 500, "Running", "Pending"),
        RunMoved(run_id, 1, at + took // 2, "Completed", "Running", "", 1, _RESULT),
    )  # fmt: skip
    tasks(plan, events, run_id, at, 1, "Completed")


def tasks(plan: Plan, events: list[Event], run_id: str, at: int, n: int, state: StateName) -> None:
    """Add the events of the tasks of a run."""
    plan.n_tasks += n
    group = _GROUP if n > 9 else ""
    for no in range(1, n + 1):
        task = _TASKS[no % 5] if n <= 9 else "clean"
        key = no.to_bytes(16, "big")
        last: StateName = "Completed" if no < n or state == "Completed" else "Failed"
        events.append(
            TaskStarted(
                run_id, 1, at + no * 100, no, key, task, f"{task}-665e7535-{no}", "Running", "", 0, 0,
                (key,) if no % 3 == 0 else (), "abcdef0123456789", (), "", group,
            )
        )  # fmt: skip
        if state == "Running" and no == n:
            return
        result, error = (_RESULT, None) if last == "Completed" else (None, _ERROR)
        message = "" if error is None else _MESSAGE
        events.append(TaskMoved(run_id, 1, at + no * 100 + 90, no, last, "Running", no, 1, message, result, error))


def commits(plan: Plan) -> Iterator[tuple[int, list[Event]]]:
    """Give the events of the whole home in pieces, each with the instant of its commit."""
    yield plan.now - DAYS * DAY_US, set_up(plan)
    while plan.n_made < plan.n_runs:
        events: list[Event] = []
        at = plan.instant(plan.n_made)
        while len(events) < EVENTS_A_COMMIT and plan.n_made < plan.n_runs:
            events += root_run(plan, plan.n_made)
        yield at, events


def make(folder: Path, n_runs: int, url: str = "") -> Plan:
    """Make the home, in its file or in PostgreSQL; what was in the folder, or in the database, is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "journal").mkdir(parents=True)
    plan = Plan(n_runs, time.time_ns() // 1000)
    database = _in_postgres(url, folder) if url else _in_file(folder)
    began, told = time.monotonic(), time.monotonic()
    for number, (at, events) in enumerate(commits(plan)):
        stream = f"{number:032x}"
        entries = list(blocks(stream, events, keep=at > plan.now - WEEK_US))
        with database.writing(sync=False) as db:
            append(db, Writer(stream, 1, "host", at), entries, at)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            sys.stderr.write(f"{plan.n_made:,} runs after {told - began:.0f} s\n")
    with database.writing() as db:
        db.execute("DELETE FROM blocks WHERE payload = ?", (b"",))
    database.tidy()
    database.close()
    made = {
        "edition": EDITION,
        "asked_for": n_runs,
        "n_runs": plan.n_made,
        "n_tasks": plan.n_tasks,
        "made_s": time.monotonic() - began,
        "made_at": time.time(),
        "n_tracked": plan.tracking.n_runs,
        "examples": plan.examples | plan.tracking.examples,
    }
    (folder / MARK).write_text(json.dumps(made))
    return plan


def blocks(stream: str, events: list[Event], *, keep: bool) -> Iterator[Entry]:
    """Give events in blocks as a process sends them; those that are not kept are empty, and deleted at the end."""
    for at in range(0, len(events), EVENTS_A_BLOCK):
        part = events[at : at + EVENTS_A_BLOCK]
        payload = _pack(Block(stream, at + 1, part)) if keep else b""
        yield Entry(at + 1, at + len(part), payload, part)


def _in_file(folder: Path) -> SqliteDatabase:
    database = SqliteDatabase(str(folder / "ostinato.db"))
    database.db.executescript("PRAGMA cache_size = -400000; PRAGMA wal_autocheckpoint = 100000")
    return database


def _in_postgres(url: str, folder: Path) -> Database:
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as pg:
        pg.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return PostgresDatabase(url, str(folder))


def ready(folder: Path, n_runs: int, url: str = "") -> dict[str, Any]:
    """Give what a home holds that is there, or is made now; an old one, or of another size or schema, is made anew."""
    mark = folder / MARK
    if mark.exists():
        found: dict[str, Any] = json.loads(mark.read_text())
        is_wanted = (found["asked_for"], found.get("edition")) == (n_runs, EDITION)
        is_fresh = is_wanted and time.time() - found["made_at"] < FRESH_S
        if is_fresh and (_has_all_tables(url) if url else _is_current(folder)):
            return found
    make(folder, n_runs, url)
    made: dict[str, Any] = json.loads(mark.read_text())
    return made


def _is_current(folder: Path) -> bool:
    """Tell whether the tables and indexes are those that a new home has now."""
    with contextlib.closing(sqlite3.connect(":memory:")) as new, contextlib.closing(_look(folder)) as there:
        for file in migrations():
            new.executescript(Path(file).read_text())
        return _shape(new) == _shape(there)


def _has_all_tables(url: str) -> bool:
    with contextlib.closing(psycopg.connect(url)) as pg:
        there = pg.execute("SELECT count(to_regclass('ostinato_schema'))").fetchone()
        if there != (1,):
            return False
        return pg.execute("SELECT max(version) FROM ostinato_schema").fetchone() == (len(migrations()),)


def _look(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{folder / 'ostinato.db'}?mode=ro", uri=True)


def _shape(db: sqlite3.Connection) -> list[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return db.execute(query).fetchall()


def main() -> int:
    """Make a home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=N_RUNS)
    options = parser.parse_args()
    plan = make(options.folder, options.runs)
    sys.stderr.write(f"{plan.n_made:,} flow runs, {plan.n_tasks:,} task runs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
