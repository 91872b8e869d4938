"""What `--json` prints: the views of the API, with what only the command line knows.

Instants are ISO 8601 in UTC, durations seconds, ids and digests hexadecimal. Names are only ever added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core import views
from ostinato.core.states import UNSUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.records import Artifact, FlowRun, LogLine, StateChange, TaskCount, TaskRun, TaskTally

parameters_of = views.parameters_of


def dumps(value: object) -> str:
    """Give JSON on one line."""
    return msgspec.json.encode(value).decode()


def run_shape(run: FlowRun) -> dict[str, Any]:
    """Give a flow run."""
    return _plain(views.run_view(run))


def task_shape(task: TaskRun) -> dict[str, Any]:
    """Give a task run."""
    return _plain(views.task_view(task))


def counts_shape(counts: Iterable[TaskCount], epoch: int, tallies: Iterable[TaskTally]) -> list[dict[str, Any]]:
    """Give the tasks of a run, each with how many task runs are in each state, and how many a resume left behind."""
    rows = {(one.task, one.group): {**_plain(one), "n_superseded": 0} for one in views.count_views(counts)}
    for tally in tallies:
        row = rows.get((tally.task, tally.group or None))
        if row is not None and tally.epoch < epoch and tally.state in UNSUCCESSFUL:
            row["n_superseded"] += tally.n
    return list(rows.values())


def log_shape(line: LogLine) -> dict[str, Any]:
    """Give a log line."""
    return _plain(views.log_view(line))


def change_shape(change: StateChange) -> dict[str, Any]:
    """Give a step of the history."""
    return _plain(views.change_view(change))


def artifact_shape(artifact: Artifact) -> dict[str, Any]:
    """Give an artifact; an image has its blob only."""
    return _plain(views.artifact_view(artifact))


def _plain(view: views.View) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(view)
    return found
