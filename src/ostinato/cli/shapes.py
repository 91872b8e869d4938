"""What `--json` prints: one plain object for each record, with stable names.

Instants are ISO 8601 in UTC, durations seconds, ids and digests hexadecimal. Names are only ever added.
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.cli.times import iso
from ostinato.core.states import UNSUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.events import Error
    from ostinato.core.records import Artifact, FlowRun, LogLine, StateChange, TaskCount, TaskRun, TaskTally
    from ostinato.core.results import Result


def dumps(value: object) -> str:
    """Give JSON on one line."""
    return msgspec.json.encode(value).decode()


def run_shape(run: FlowRun) -> dict[str, Any]:
    """Give a flow run."""
    return {
        "id": run.id,
        "name": run.name,
        "flow": run.flow,
        "state": run.state,
        "message": run.message,
        "epoch": run.epoch,
        "attempt": run.attempt,
        "root_id": run.root_id,
        "parent_id": run.parent_id or None,
        "created_at": iso(run.created_at),
        "expected_at": iso(run.expected_at),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "duration_s": _seconds(run.started_at, run.ended_at),
        "parameters": parameters_of(run),
        "tags": list(run.tags),
        "version": run.version,
        "source": msgspec.structs.asdict(run.source),
        "result": result_shape(run.result),
        "error": error_shape(run.error),
        "n_reused": run.n_reused,
        "n_logs_dropped": run.n_logs_dropped,
    }


def task_shape(task: TaskRun) -> dict[str, Any]:
    """Give a task run."""
    return {
        "run_id": task.run_id,
        "no": task.no,
        "key": task.key.hex(),
        "task": task.task,
        "name": task.name,
        "group": task.group or None,
        "state": task.state,
        "message": task.message,
        "epoch": task.epoch,
        "attempt": task.attempt,
        "started_at": iso(task.started_at),
        "ended_at": iso(task.ended_at),
        "duration_s": _seconds(task.started_at, task.ended_at),
        "tags": list(task.tags),
        "result": result_shape(task.result),
        "error": error_shape(task.error),
    }


def counts_shape(counts: Iterable[TaskCount], epoch: int, tallies: Iterable[TaskTally]) -> list[dict[str, Any]]:
    """Give the tasks of a run, each with how many task runs are in each state, and how many a resume left behind."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for count in counts:
        empty: dict[str, Any] = {
            "task": count.task,
            "group": count.group or None,
            "total": 0,
            "states": {},
            "n_superseded": 0,
        }
        row = rows.setdefault((count.task, count.group), empty)
        row["total"] += count.n
        row["states"][count.state] = count.n
    for tally in tallies:
        if tally.epoch < epoch and tally.state in UNSUCCESSFUL and (tally.task, tally.group) in rows:
            rows[tally.task, tally.group]["n_superseded"] += tally.n
    return list(rows.values())


def log_shape(line: LogLine) -> dict[str, Any]:
    """Give a log line."""
    return {
        "id": line.id,
        "at": iso(line.at),
        "level": logging.getLevelName(line.level),
        "run_id": line.run_id,
        "task": line.task or None,
        "logger": line.logger,
        "text": line.text,
    }


def change_shape(change: StateChange) -> dict[str, Any]:
    """Give a step of the history."""
    return {
        "at": iso(change.at),
        "epoch": change.epoch,
        "attempt": change.attempt,
        "state": change.state,
        "previous": change.previous or None,
        "message": change.message,
    }


def artifact_shape(artifact: Artifact) -> dict[str, Any]:
    """Give an artifact; an image has its blob only."""
    return {
        "id": artifact.id,
        "run_id": artifact.run_id,
        "key": artifact.key or None,
        "kind": artifact.kind,
        "description": artifact.description,
        "at": iso(artifact.at),
        "data": _json_or_text(artifact.data) if artifact.data else None,
        "blob": artifact.blob or None,
        "media_type": artifact.media_type or None,
    }


def error_shape(error: Error | None) -> dict[str, Any] | None:
    """Give a recorded exception."""
    return None if error is None else msgspec.structs.asdict(error)


def result_shape(result: Result | None) -> dict[str, Any] | None:
    """Give how a value is recorded, and the value itself when it is a small plain one."""
    if result is None:
        return None
    shape = {"kind": _CODECS[result.codec], "size_bytes": result.size, "lost": result.lost or None}
    if result.codec == "m" and result.data is not None:
        value = msgspec.msgpack.decode(result.data)
        shape["value"] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return shape


_CODECS = {"m": "plain", "p": "pickle", "a": "arrow"}


def parameters_of(run: FlowRun) -> dict[str, Any]:
    """Give the parameters of a run by name."""
    found = _json_or_text(run.parameters) if run.parameters else {}
    return found if isinstance(found, dict) else {"value": found}


def _json_or_text(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")


def _seconds(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1_000_000
