"""Reading flow runs, task runs, their counters and history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.errors import RunAmbiguous, RunNotFound
from ostinato.core.events import Error, Source
from ostinato.core.records import Checkpoint, FlowRun, Recall, StateChange, TaskCount, TaskRun, TaskTally
from ostinato.core.results import Result
from ostinato.store import sql, walks
from ostinato.store.database import ALL, named
from ostinato.store.filters import where

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.core.query import Query
    from ostinato.core.states import StateName
    from ostinato.store.database import Connection, Cursor, Database

SHORTEST_PREFIX: Final = 4

_PLACED: Final = (
    "deployment_id",
    "deployment",
    "queue",
    "priority",
    "schedule",
    "due_at",
    "worker",
    "asked",
    "n_crashes",
    "actor",
)

_json = msgspec.json.Encoder().encode
_result = msgspec.msgpack.Decoder(Result).decode
_error = msgspec.msgpack.Decoder(Error).decode
_source = msgspec.msgpack.Decoder(Source).decode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode


def runs(db: Connection, query: Query, *, limit: int, after: str, now: int) -> tuple[list[FlowRun], str]:
    """Give flow runs that match, newest first, and the cursor of the next page (or "").

    A page may be short, and even empty, while its cursor says that there is more, see `walks`.
    """
    ids, cursor = run_ids(db, query, limit=limit, after=after, now=now)
    return _named(db, "runs_by_ids", _json(ids).decode()), cursor


def run_ids(db: Connection, query: Query, *, limit: int, after: str, now: int) -> tuple[list[str], str]:
    """Give the ids of flow runs that match, newest first, and the cursor of the next page (or ""), as `runs` does."""
    condition, values = where(query, now)
    low, high = walks.id_range(query, after)
    walk, bound = walks.choose(db, query, low, high)
    ids = walk.ids(db, condition, values, max(low, bound), high, limit + 1)
    page = ids[:limit]
    return page, page[-1] if len(ids) > limit else bound


def find_run(db: Connection, ref: str, home: str) -> FlowRun:
    """Give a run by id, unique beginning of an id, name (the newest), or `last`: the newest that has begun or is due.

    Raises:
        RunNotFound: (run-not-found), RunAmbiguous: (run-ambiguous).
    """
    if ref == "last":
        found = _named(db, "newest_root_run", time.time_ns() // 1000)
    else:
        found = _named(db, "run_by_id", ref) or _named(db, "run_by_name", ref) or _by_prefix(db, ref.lower())
    if not found:
        raise RunNotFound(run=ref, home=home)
    return found[0]


def _by_prefix(db: Connection, prefix: str) -> list[FlowRun]:
    if len(prefix) < SHORTEST_PREFIX or not set(prefix) <= set("0123456789abcdef"):
        return []
    found = _named(db, "runs_by_prefix", prefix, f"{prefix}g", 6)
    if len(found) > 1:
        listed = ", ".join(f"{run.id} ({run.name})" for run in found[:5]) + (", ..." if len(found) > 5 else "")
        raise RunAmbiguous(run=prefix, n=len(found) if len(found) < 6 else "6 or more", found=listed)
    return found


def subflow_runs(db: Connection, run_id: str) -> list[FlowRun]:
    """Give the direct subflow runs of a run, in call order."""
    return _named(db, "subflow_runs", run_id)


def task_runs(db: Connection, run_id: str, *, states: Sequence[StateName], limit: int, after: int) -> list[TaskRun]:
    """Give task runs of a flow run with `no` > `after`, in call order."""
    queries = sql.load("runs")
    if states:
        wanted = msgspec.json.encode(states).decode()
        cursor = db.execute(queries["task_runs_in_states"], (run_id, after, wanted, limit))
    else:
        cursor = db.execute(queries["task_runs"], (run_id, after, limit))
    return _task_runs(db, cursor)


def counts(db: Connection, run_id: str) -> list[TaskCount]:
    """Give the counters of a flow run's task runs, in order of first call."""
    rows = db.execute(sql.load("runs")["task_counts"], (run_id,)).fetchall()
    first: dict[tuple[str, str], int] = {}
    for task, group, _, _, no in rows:
        first[task, group] = min(no, first.get((task, group), no))
    rows.sort(key=lambda row: (first[row[0], row[1]], row[0], row[1], row[2]))
    return [
        TaskCount(task=task, group=group, state=state, n=n, first_no=first[task, group])
        for task, group, state, n, _ in rows
    ]


def tallies(db: Connection, run_id: str) -> list[TaskTally]:
    """Give epochs, durations and attempts of a flow run's task runs by task, `.map` and state; reads every row."""
    return [
        TaskTally(
            task=task, group=group, state=state, epoch=epoch, n=n, longest_us=longest, total_us=total,
            most_attempts=attempts,
        )
        for task, group, state, epoch, n, longest, total, attempts in db.execute(
            sql.load("runs")["task_tallies"], (run_id,)
        )
    ]  # fmt: skip


def state_counts(db: Connection) -> dict[StateName, int]:
    """Give how many flow runs are in each state."""
    return dict(db.execute(sql.load("runs")["state_counts"]).fetchall())


def history(db: Connection, run_id: str) -> list[StateChange]:
    """Give the state changes of a flow run, oldest first."""
    return [
        StateChange(at=at, epoch=epoch, attempt=attempt, state=state, previous=previous, message=message)
        for at, epoch, attempt, state, previous, message in db.execute(sql.load("runs")["history"], (run_id,))
    ]


def recall(database: Database, root_id: str) -> Recall:
    """Give all that a resume of this root run may take over, as it is at one moment."""
    queries = sql.load("runs")
    db = database.db
    with database.snapshot():
        found = _named(db, "runs_of_root", root_id)
        tasks = [task for run in found for task in _task_runs(db, db.execute(queries["task_runs"], (run.id, 0, ALL)))]
        checkpoints = [_checkpoint(row) for run in found for row in db.execute(queries["checkpoints"], (run.id,))]
    return Recall(runs=found, tasks=tasks, checkpoints=checkpoints)


# --- rows to values


def _named(db: Connection, query: str, *values: object) -> list[FlowRun]:
    return flow_runs(db, db.execute(sql.load("runs")[query], values))


def flow_runs(db: Connection, cursor: Cursor) -> list[FlowRun]:
    """Give the rows of a query on flow_runs as values."""
    rows = named(cursor)
    results = _Results(db, rows, "id")
    return [
        FlowRun(
            id=row["id"],
            name=row["name"],
            flow=row["flow"],
            state=row["state"],
            message=row["message"],
            epoch=row["epoch"],
            attempt=row["attempt"],
            root_id=row["root_id"],
            parent_id=row["parent_id"],
            key=row["key"],
            no=row["no"],
            upstream=_keys(row["upstream"]),
            created_at=row["created_at"],
            expected_at=row["expected_at"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            parameters=row["parameters"],
            arguments=results.get(row, "arguments"),
            tags=_tags(row["tags"]) if row["tags"] else (),
            version=row["version"],
            source=_source(row["source"]),
            stream=row["stream"],
            result=results.get(row, "result"),
            error=_error(row["error"]) if row["error"] else None,
            n_reused=row["n_reused"],
            n_logs_dropped=row["n_logs_dropped"],
            **{name: row[name] for name in _PLACED},
            held=bool(row["held"]),
        )
        for row in rows
    ]


def _task_runs(db: Connection, cursor: Cursor) -> list[TaskRun]:
    rows = named(cursor)
    results = _Results(db, rows, "run_id")
    return [
        TaskRun(
            run_id=row["run_id"],
            no=row["no"],
            key=row["key"],
            task=row["task"],
            name=row["name"],
            state=row["state"],
            message=row["message"],
            epoch=row["epoch"],
            attempt=row["attempt"],
            ordinal=row["ordinal"],
            parent_no=row["parent_no"],
            upstream=_keys(row["upstream"]),
            version=row["version"],
            tags=_tags(row["tags"]) if row["tags"] else (),
            group=row["map_group"],
            created_at=row["created_at"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            n_started=row["n_started"],
            result=results.get(row, "result"),
            error=_error(row["error"]) if row["error"] else None,
        )
        for row in rows
    ]


class _Results:
    """Results of some rows; one whose stored value no run refers to any more is marked as dropped."""

    def __init__(self, db: Connection, rows: list[dict[str, Any]], run_column: str) -> None:
        self.db = db
        self.rows = rows
        self.run_column = run_column
        self.kept: set[tuple[str, str]] | None = None

    def get(self, row: dict[str, Any], column: str) -> Result | None:
        packed = row[column]
        if packed is None:
            return None
        result = _result(packed)
        in_home = result.blob and not result.storage and not result.lost
        if in_home and (row[self.run_column], result.blob) not in self._refs():
            return msgspec.structs.replace(result, lost="dropped", note="the run ended well")
        return result

    def _refs(self) -> set[tuple[str, str]]:
        if self.kept is None:
            ids = msgspec.json.encode(list({row[self.run_column] for row in self.rows})).decode()
            self.kept = set(self.db.execute(sql.load("runs")["blobs_of_runs"], (ids,)).fetchall())
        return self.kept


def _keys(joined: bytes | None) -> tuple[bytes, ...]:
    return tuple(joined[at : at + 16] for at in range(0, len(joined), 16)) if joined else ()


def _checkpoint(row: Iterable[Any]) -> Checkpoint:
    _, key, version, at, value = row
    return Checkpoint(key=key, version=version, at=at, value=_result(value))
