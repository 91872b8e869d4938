"""Taking up a root run in its next epoch, and marking what a lost process left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.events import RunClaimed, StreamLost
from ostinato.core.states import ACTIVE
from ostinato.store import sql
from ostinato.store.projection import HOUR_US

if TYPE_CHECKING:
    from ostinato.store.database import Connection
    from ostinato.store.transaction import Tx

LEFT_IN_PEACE: Final = frozenset(("Scheduled", "Late", "Paused"))
"""Active states that a run may be in while no process runs it."""


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()


_ACTIVE: Final = _json(sorted(ACTIVE))
_RUNNING: Final = _json(sorted(ACTIVE - LEFT_IN_PEACE))
_TASKS_OF_STREAM: Final = "runs_of_stream_with_active_tasks"


def claim(tx: Tx, run_id: str, epoch: int, stream: str) -> int | None:
    """Take up a root run in epoch + 1; give the epoch that it has instead when that is another one, -1 when none.

    What was active below it becomes Crashed.
    """
    db, now = tx.db, tx.now
    queries = sql.load("claims")
    found = db.execute(queries["find_claimed"], (run_id,)).fetchone()
    if found is None:
        return -1
    flow, state, created_at, current = found
    if db.execute(queries["claim_run"], (stream, run_id, epoch)).rowcount != 1:
        return int(current)
    hour = created_at // HOUR_US * HOUR_US
    append = sql.load("append")
    for name, changed, n in ((flow, state, -1), (flow, "Pending", 1), ("", state, -1), ("", "Pending", 1)):
        db.execute(append["add_flow_counts"], (name, changed, hour if name else 0, n))
    db.execute(append["add_run_states"], (run_id, now, epoch + 1, 1, "Pending", state, ""))
    crash_below(db, run_id, f"epoch {epoch + 1} of its root run began", now)
    tx.append(RunClaimed(run_id, epoch + 1, now, stream))
    return None


def crash_below(db: Connection, root_id: str, message: str, now: int) -> None:
    """Mark subflow runs and task runs of a root run that are still active as Crashed."""
    runs = _ids(db, "active_subflow_runs", root_id, _ACTIVE)
    tasks = _ids(db, "runs_of_root_with_active_tasks", root_id, _ACTIVE)
    _crash(db, runs, tasks, message, now)


def is_active(db: Connection, stream: str, *, killed: bool) -> bool:
    """Say whether `crash_stream` would find something to mark."""
    active = _ACTIVE if killed else _RUNNING
    return bool(_ids(db, "active_runs_of_stream", stream, active) or _ids(db, _TASKS_OF_STREAM, stream, active))


def crash_stream(tx: Tx, stream: str, message: str, *, killed: bool) -> list[str]:
    """Mark what a stream left active as Crashed; give the ids of its flow runs that were.

    A run that waits without a process (Paused, Scheduled) goes on waiting when its process ended
    by itself, and is Crashed when it was killed. One in the hands of a worker is left to it: the worker
    knows how the process ended, and when the worker is gone too, the end of its lease decides.
    """
    db = tx.db
    active = _ACTIVE if killed else _RUNNING
    runs = _ids(db, "active_runs_of_stream", stream, active)
    tasks = _ids(db, _TASKS_OF_STREAM, stream, active)
    _crash(db, runs, tasks, message, tx.now)
    db.execute(sql.load("claims")["end_cache_claims"], (stream,))
    if runs or tasks:
        tx.append(StreamLost(stream, tx.now, message, tuple(runs)))
        tx.wakes = True
    return runs


def _ids(db: Connection, query: str, *values: str) -> list[str]:
    return [row[0] for row in db.execute(sql.load("claims")[query], values)]


def _crash(db: Connection, runs: list[str], runs_of_tasks: list[str], message: str, now: int) -> None:
    queries = sql.load("claims")
    if runs:
        ids = _json(runs)
        db.execute(queries["crash_run_states"], (now, message, ids))
        db.execute(queries["crash_flow_counts"], (ids,))
        db.execute(queries["crash_runs"], (message, now, ids))
        db.execute(sql.load("tracking")["end_runs_of"], ("failed", now, now, ids))
    if runs_of_tasks:
        ids = _json(runs_of_tasks)
        db.execute(queries["crash_task_counts"], (ids, _ACTIVE))
        db.execute(queries["crash_tasks"], (message, now, ids, _ACTIVE))
