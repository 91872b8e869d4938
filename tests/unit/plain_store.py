"""The rules of the projection in a slow and plain form: one event at a time, on dictionaries.

The store folds many events into few statements; what it ends with must be equal to this.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.events import (
    ArtifactMade,
    CacheStored,
    CheckpointSaved,
    Error,
    Logged,
    LogsDropped,
    RunAsked,
    RunCreated,
    RunMoved,
    RunReleased,
    TaskMoved,
    TaskStarted,
    VariableSet,
)
from ostinato.core.states import ACTIVE, TABLE, TERMINAL
from ostinato.store.claims import LEFT_IN_PEACE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ostinato.core.events import Event
    from ostinato.core.results import Result

HOUR_US = 3_600_000_000
CRASH = "?"
"""Stands for the message of all that was marked as Crashed."""
MESSAGE = f"CASE WHEN message LIKE 'epoch % of its root run began' THEN '{CRASH}' ELSE message END"


def packed(value: Result | Error | None) -> bytes | None:
    return None if value is None else msgspec.msgpack.encode(value)


class PlainStore:
    """What a store holds after some events."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.tasks: dict[tuple[str, int], dict[str, Any]] = {}
        self.history: list[tuple[Any, ...]] = []
        self.logs: list[tuple[Any, ...]] = []
        self.artifacts: list[tuple[Any, ...]] = []
        self.checkpoints: dict[tuple[str, bytes], tuple[Any, ...]] = {}
        self.cache: dict[str, tuple[Any, ...]] = {}
        self.variables: dict[str, tuple[Any, ...]] = {}
        self.blob_refs: set[tuple[str, str]] = set()
        self.acked: dict[str, int] = {}
        self.pinned: set[str] = set()

    def append(self, stream: str, first_seq: int, events: Sequence[Event]) -> bool:
        """Take in a block; False when there is a gap before it."""
        acked = self.acked.get(stream, 0)
        if first_seq > acked + 1:
            return False
        for seq, event in enumerate(events, start=first_seq):
            if seq > acked:
                self._apply(stream, event)
                self.acked[stream] = seq
        return True

    # --- events

    def _apply(self, stream: str, event: Event) -> None:
        if isinstance(event, (RunCreated, RunMoved, TaskStarted, TaskMoved, CheckpointSaved)):
            root_id = event.root_id if isinstance(event, RunCreated) else event.run_id
            if event.run_id in self.runs:
                root_id = self.runs[event.run_id]["root_id"]
            root = self.runs.get(root_id)
            if root is not None and event.epoch < root["epoch"]:
                return
        if isinstance(event, RunCreated):
            self._run_created(stream, event)
        elif isinstance(event, RunMoved):
            self._run_moved(stream, event)
        elif isinstance(event, RunAsked):
            run = self.runs.get(event.run_id)
            if run is not None and run["state"] not in TERMINAL and run["epoch"] == event.epoch:
                run["asked"] = event.asked
        elif isinstance(event, RunReleased):
            run = self.runs.get(event.run_id)
            if run is not None and run["epoch"] == event.epoch:
                run["held"] = 0
        elif isinstance(event, TaskStarted):
            self._task_started(event)
        elif isinstance(event, TaskMoved):
            self._task_moved(event)
        elif isinstance(event, Logged):
            self.logs.append((event.run_id, event.no, event.at, event.level, event.logger, event.text))
        elif isinstance(event, LogsDropped):
            if event.run_id in self.runs:
                self.runs[event.run_id]["n_logs_dropped"] += event.n_dropped
        elif isinstance(event, ArtifactMade):
            self.artifacts.append((event.run_id, event.no, event.key, event.kind, event.at, event.data, event.blob))
        elif isinstance(event, CheckpointSaved):
            if event.run_id in self.runs and not self._is_over(event.run_id):
                value = (event.version, event.at, packed(event.value), event.value.blob)
                self.checkpoints[event.run_id, event.key] = value
        elif isinstance(event, CacheStored):
            if event.at >= self.cache.get(event.cache_key, (0,))[0]:
                self.cache[event.cache_key] = (event.at, event.expires_at, event.run_id, event.no, packed(event.result))
        elif isinstance(event, VariableSet) and event.at >= self.variables.get(event.name, (None, 0))[1]:
            self.variables[event.name] = (event.value, event.at)

    def _run_created(self, stream: str, event: RunCreated) -> None:
        old = self.runs.get(event.run_id)
        if old is not None and event.epoch <= old["epoch"]:
            return
        self.runs[event.run_id] = {
            "root_id": event.root_id if old is None else old["root_id"],
            "flow": event.flow,
            "state": event.state,
            "message": "",
            "epoch": event.epoch,
            "attempt": 1,
            "stream": stream,
            "created_at": event.at if old is None else old["created_at"],
            "started_at": event.at if event.state == "Running" else None,
            "ended_at": event.at if event.state in TERMINAL else None,
            "result": None,
            "error": None,
            "n_reused": 0,
            "n_logs_dropped": 0 if old is None else old["n_logs_dropped"],
            "queue": event.planned.queue if event.planned is not None else "",
            "due_at": event.planned.due_at if event.planned is not None else 0,
            "worker": "",
            "held": 0,
            "asked": "",
            "n_crashes": 0,
        }
        self._refer(event.run_id, event.arguments)
        self._note(event.run_id, event.at, "" if old is None else old["state"])

    def _run_moved(self, stream: str, event: RunMoved) -> None:
        run = self.runs.get(event.run_id)
        if run is None or event.epoch < run["epoch"]:
            return
        is_root = run["root_id"] == event.run_id
        old = run["state"]
        if event.epoch > run["epoch"] or (old in TERMINAL and event.previous == old and not is_root):
            if event.state not in ("Pending", "Scheduled", *TABLE["Pending"]):
                return
            run.update(epoch=event.epoch, stream=stream, started_at=None, worker="", held=0, asked="")
        elif event.state not in TABLE[old]:
            return
        if event.state == "Running":
            run["stream"] = stream
        if event.state in TERMINAL or event.state == "Paused":
            run["asked"] = ""
        if event.worker is not None:
            run.update(worker=event.worker, held=int(bool(event.worker)))
        run["due_at"] = run["due_at"] if event.due_at is None else event.due_at
        run["n_crashes"] = run["n_crashes"] if event.n_crashes is None else event.n_crashes
        run.update(
            state=event.state,
            message=event.message,
            attempt=event.attempt,
            n_reused=event.n_reused,
            result=packed(event.result),
            error=packed(event.error),
            ended_at=event.at if event.state in TERMINAL else None,
        )
        if run["started_at"] is None and event.state == "Running":
            run["started_at"] = event.at
        self._refer(event.run_id, event.result)
        self._note(event.run_id, event.at, old)
        if is_root and event.state == "Completed" and event.run_id not in self.pinned and not run["queue"]:
            self._drop(event.run_id)

    def _is_over(self, run_id: str) -> bool:
        """Say whether the root run ended well: it needs no stored values any more."""
        root_id = self.runs[run_id]["root_id"]
        root = self.runs.get(root_id)
        return root is not None and root["state"] == "Completed" and root_id not in self.pinned and not root["queue"]

    def _refer(self, run_id: str, result: Result | None) -> None:
        if result is not None and result.blob and not self._is_over(run_id):
            self.blob_refs.add((run_id, result.blob))

    def _drop(self, root_id: str) -> None:
        below = {run_id for run_id, run in self.runs.items() if run["root_id"] == root_id}
        self.blob_refs = {ref for ref in self.blob_refs if ref[0] not in below}
        self.checkpoints = {key: value for key, value in self.checkpoints.items() if key[0] not in below}

    def _note(self, run_id: str, at: int, previous: str) -> None:
        run = self.runs[run_id]
        self.history.append((run_id, at, run["epoch"], run["attempt"], run["state"], previous, run["message"]))

    def _task_started(self, event: TaskStarted) -> None:
        old = self.tasks.get((event.run_id, event.no))
        if event.run_id not in self.runs and old is None:
            return
        if old is not None and event.epoch <= old["epoch"]:
            again = event.epoch == old["epoch"] and old["state"] in TERMINAL and event.previous == old["state"]
            if not again:
                return
        self.tasks[event.run_id, event.no] = {
            "task": event.task,
            "group": event.group,
            "state": event.state,
            "epoch": event.epoch,
            "attempt": 1,
            "message": event.message,
            "created_at": event.at,
            "started_at": event.at if event.state == "Running" else None,
            "ended_at": event.at if event.state in TERMINAL else None,
            "n_started": 0,
            "result": None,
            "error": None,
        }

    def _task_moved(self, event: TaskMoved) -> None:
        task = self.tasks.get((event.run_id, event.no))
        if task is None or event.epoch != task["epoch"] or event.state not in TABLE[task["state"]]:
            return
        task.update(
            state=event.state,
            attempt=event.attempt,
            message=event.message,
            n_started=event.n_started,
            result=packed(event.result),
            error=packed(event.error),
        )
        if event.state in TERMINAL:
            task["ended_at"] = event.at
        elif event.state == "Running" and task["started_at"] is None:
            task["started_at"] = event.at
        self._refer(event.run_id, event.result)

    # --- what is no event

    def claim(self, run_id: str, epoch: int, stream: str, now: int) -> bool:
        run = self.runs.get(run_id)
        if run is None or run["root_id"] != run_id or run["epoch"] != epoch:
            return False
        old = run["state"]
        run.update(epoch=epoch + 1, state="Pending", message="", attempt=1, stream=stream, n_reused=0)
        run.update(started_at=None, ended_at=None, result=None, error=None, worker="", held=0, asked="")
        self._note(run_id, now, old)
        below = [other for other, row in self.runs.items() if row["root_id"] == run_id]
        self._crash([other for other in below if other != run_id], below, now, ACTIVE)
        return True

    def crash(self, stream: str, now: int, *, killed: bool) -> None:
        runs = [
            run_id
            for run_id, run in self.runs.items()
            if run["stream"] == stream and not self.runs.get(run["root_id"], {}).get("held")
        ]
        active = ACTIVE if killed else ACTIVE - LEFT_IN_PEACE
        with_active = [
            run_id
            for run_id in runs
            if any(key[0] == run_id and row["state"] in active for key, row in self.tasks.items())
        ]
        self._crash(runs, with_active, now, active)

    def _crash(self, runs: list[str], runs_of_tasks: list[str], now: int, active: frozenset[Any]) -> None:
        for run_id in runs:
            run = self.runs[run_id]
            if run["state"] in active:
                old = run["state"]
                run.update(state="Crashed", message=CRASH, ended_at=now)
                self._note(run_id, now, old)
        for (run_id, _), task in self.tasks.items():
            if run_id in runs_of_tasks and task["state"] in ACTIVE:
                task.update(state="Crashed", message=CRASH, ended_at=now)

    # --- comparison

    def rows(self) -> dict[str, Any]:
        """Give all that the store should hold, in a form that compares."""
        flow_counts = Counter(
            (run["flow"], run["state"], run["created_at"] // HOUR_US * HOUR_US) for run in self.runs.values()
        )
        flow_counts.update(Counter(("", run["state"], 0) for run in self.runs.values()))
        return {
            "runs": {run_id: tuple(run.values()) for run_id, run in self.runs.items()},
            "tasks": {key: tuple(task.values()) for key, task in self.tasks.items()},
            "task_counts": dict(
                Counter((key[0], task["task"], task["group"], task["state"]) for key, task in self.tasks.items())
            ),
            "flow_counts": dict(flow_counts),
            "history": sorted(self.history),
            "logs": self.logs,
            "artifacts": self.artifacts,
            "checkpoints": self.checkpoints,
            "cache": self.cache,
            "variables": self.variables,
            "blob_refs": self.blob_refs,
            "acked": self.acked,
        }


def stored_rows(db: sqlite3.Connection) -> dict[str, Any]:
    """Give what a database holds in the same form."""

    def all_of(query: str) -> list[tuple[Any, ...]]:
        return db.execute(query).fetchall()

    return {
        "runs": {
            row[0]: row[1:]
            for row in all_of(
                f"SELECT id, root_id, flow, state, {MESSAGE}, epoch, attempt, stream, created_at, started_at, "
                "ended_at, result, error, n_reused, n_logs_dropped, queue, due_at, worker, held, asked, n_crashes "
                "FROM flow_runs"
            )
        },
        "tasks": {
            row[:2]: row[2:]
            for row in all_of(
                f"SELECT run_id, no, task, map_group, state, epoch, attempt, {MESSAGE}, created_at, started_at, "
                "ended_at, n_started, result, error FROM task_runs"
            )
        },
        "task_counts": {
            row[:4]: row[4] for row in all_of("SELECT run_id, task, map_group, state, n FROM task_counts WHERE n <> 0")
        },
        "flow_counts": {row[:3]: row[3] for row in all_of("SELECT flow, state, hour, n FROM flow_counts WHERE n <> 0")},
        "history": sorted(all_of(f"SELECT run_id, at, epoch, attempt, state, previous, {MESSAGE} FROM run_states")),
        "logs": all_of("SELECT run_id, no, at, level, logger, text FROM logs ORDER BY id"),
        "artifacts": all_of("SELECT run_id, no, key, kind, at, data, blob FROM artifacts ORDER BY id"),
        "checkpoints": {
            row[:2]: row[2:] for row in all_of("SELECT run_id, key, version, at, value, blob FROM checkpoints")
        },
        "cache": {row[0]: row[1:] for row in all_of("SELECT cache_key, at, expires_at, run_id, no, result FROM cache")},
        "variables": {row[0]: row[1:] for row in all_of("SELECT name, value, updated_at FROM variables")},
        "blob_refs": set(all_of("SELECT run_id, blob FROM blob_refs")),
        "acked": dict(all_of("SELECT stream, acked_seq FROM streams WHERE acked_seq > 0 AND stream <> 'keeper'")),
    }
