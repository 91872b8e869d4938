"""What earlier epochs and attempts of a root run recorded, and when it may stand.

A recorded result stands for a call when the call has the same key, the task has the same code (or
the user chose to overlook that), the result is kept, and nothing it depends on is newer than it:
neither its inputs nor, when the call is told from its like by ordinal alone, anything that started
before it in its caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ostinato.core.keys import nth_key
from ostinato.core.states import SUCCESSFUL
from ostinato.engine import logs
from ostinato.engine.effects import Found

if TYPE_CHECKING:
    from ostinato.core.records import Checkpoint, FlowRun, Recall, TaskRun
    from ostinato.engine.calls import Call
    from ostinato.engine.values import Values

Changed: TypeAlias = Literal["rerun", "refuse", "reuse"]
"""What to do with completed tasks whose code changed."""


class Memory:
    """The recorded calls of a root run, by key."""

    def __init__(self, recall: Recall, values: Values, changed: Changed, n_reused: int = 0) -> None:
        self._values = values
        self.changed = changed
        self._tasks: dict[bytes, TaskRun] = {row.key: row for row in recall.tasks}
        self._runs: dict[bytes, FlowRun] = {row.key: row for row in recall.runs if row.key}
        self._checkpoints: dict[bytes, Checkpoint] = {row.key: row for row in recall.checkpoints}
        self._last_no: dict[str, int] = {}
        placed = [*((row.run_id, row.no) for row in recall.tasks), *((row.parent_id, row.no) for row in recall.runs)]
        for run_id, no in placed:
            self._last_no[run_id] = max(self._last_no.get(run_id, 0), no)
        self._told: tuple[set[bytes], set[bytes]] | None = None
        self.n_reused = n_reused
        """Task runs taken over so far."""

    def task(self, key: bytes) -> TaskRun | None:
        """Give the recorded task run with this key."""
        return self._tasks.get(key)

    def run(self, key: bytes) -> FlowRun | None:
        """Give the recorded subflow run with this key."""
        return self._runs.get(key)

    def checkpoint(self, key: bytes) -> Checkpoint | None:
        """Give the newest checkpoint of a task key."""
        return self._checkpoints.get(key)

    def last_no(self, run_id: str) -> int:
        """Give the highest number among the calls of a flow run."""
        return self._last_no.get(run_id, 0)

    def nested(self, no: int, run_id: str) -> list[TaskRun]:
        """Give the recorded calls that a task run made."""
        return [row for row in self._tasks.values() if row.parent_no == no and row.run_id == run_id]

    def reuse(self, call: Call) -> tuple[TaskRun, Any] | None:
        """Give the recorded row and value that stand for this call, or None when it has to run."""
        row = call.row
        if row is None or row.state not in SUCCESSFUL or row.epoch < call.newest:
            return None
        if row.version != call.task.version and self.changed != "reuse":
            logs.emit(call.caller, 20, "ostinato.resume", f"{call.task.name!r} runs again: its code changed")
            return None
        if not call.named and self._told_by_ordinal(row) and (row.epoch < call.caller.newest or self._overlapped(row)):
            return None
        found, value = self._values.value(row.result)
        if not found:
            return None
        self.n_reused += 1
        return row, value

    def reuse_run(self, row: FlowRun, newest: int, version: str) -> Found | None:
        """Give the recorded value of a completed subflow when it may stand whole."""
        if row.state not in SUCCESSFUL or row.epoch < newest or (row.version != version and self.changed != "reuse"):
            return None
        found, value = self._values.value(row.result)
        return Found(value) if found else None

    def _told_by_ordinal(self, row: TaskRun) -> bool:
        return row.key in self._groups()[0]

    def _overlapped(self, row: TaskRun) -> bool:
        return row.key in self._groups()[1]

    def _groups(self) -> tuple[set[bytes], set[bytes]]:
        """Give the keys told apart by ordinal alone, and those of them that overlapped a like call in time.

        A call overlaps the next one when that started (`no`) before it ended (`n_started`).
        """
        if self._told is None:
            told: set[bytes] = set()
            overlapped: set[bytes] = set()
            for row in self._tasks.values():
                if row.ordinal == 0 and nth_key(row.key, 1) in self._tasks:
                    group = sorted(self._chain(row.key), key=lambda other: other.no)
                    told.update(other.key for other in group)
                    ended = group[0]
                    for other in group[1:]:
                        if other.no <= ended.n_started or ended.state not in SUCCESSFUL:
                            overlapped.update((ended.key, other.key))
                        ended = max(ended, other, key=lambda one: one.n_started)
            self._told = (told, overlapped)
        return self._told

    def _chain(self, first: bytes) -> list[TaskRun]:
        rows, ordinal = [self._tasks[first]], 1
        while (row := self._tasks.get(nth_key(first, ordinal))) is not None:
            rows.append(row)
            ordinal += 1
        return rows
