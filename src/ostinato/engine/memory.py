"""What earlier epochs and attempts of a root run recorded, and when it may stand.

The resume plan (`core.plan`) says which recorded calls may stand at all. While the run goes on, one
more rule decides, a comparison of epochs: a recorded result stands only while nothing that it
depends on is newer than it. It depends on its inputs and, when only its ordinal tells the call from
its like, on everything that started before it in its caller.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.plan import Changed, alike, plan
from ostinato.core.records import Recall
from ostinato.engine.effects import Found
from ostinato.engine.functions import versions

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from ostinato.core.ports import Recorder
    from ostinato.core.records import Checkpoint, FlowRun, TaskRun
    from ostinato.engine.calls import Call
    from ostinato.engine.values import Values


ELSEWHERE_FROM: Final = 1 << 40
"""Calls made in other processes have numbers from here on: those of a flow run itself stay dense."""


class Memory:
    """The recorded calls of a root run, by key."""

    def __init__(
        self, recall: Recall, values: Values, reusable: AbstractSet[bytes], told: AbstractSet[bytes], *, any_code: bool
    ) -> None:
        self._values = values
        self._reusable = reusable
        self._told = told
        """Keys of calls that only their ordinal tells from their like."""
        self._any_code = any_code
        """Results of changed code stand too."""
        self._tasks = {row.key: row for row in recall.tasks}
        self._runs = {row.key: row for row in recall.runs if row.key}
        self._checkpoints = {row.key: row for row in recall.checkpoints}
        self._last_no: dict[str, int] = {}
        placed = [*((row.run_id, row.no) for row in recall.tasks), *((row.parent_id, row.no) for row in recall.runs)]
        for run_id, no in placed:
            if no < ELSEWHERE_FROM:
                self._last_no[run_id] = max(self._last_no.get(run_id, 0), no)
        self._inside: dict[tuple[str, int], list[TaskRun]] | None = None
        self._lock = Lock()
        self.n_reused = 0
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
        """Give the highest number among the calls of a flow run that were not made in other processes."""
        return self._last_no.get(run_id, 0)

    def inside(self, no: int, run_id: str) -> Inside:
        """Give what is recorded of the calls that a task run made, to travel to another process."""
        tasks = self._calls_in(no, run_id)
        keys = {row.key for row in tasks}
        return tasks, keys & self._reusable, keys & self._told, self._any_code

    def _calls_in(self, no: int, run_id: str) -> list[TaskRun]:
        """Give what is recorded of the calls that a task run made, and of those that they made."""
        inside = self._inside
        if inside is None:
            inside = {}
            for row in self._tasks.values():
                if row.parent_no:
                    inside.setdefault((row.run_id, row.parent_no), []).append(row)
            self._inside = inside
        tasks = list(inside.get((run_id, no), ()))
        for row in tasks:  # grows on the way
            tasks += inside.get((run_id, row.no), ())
        return tasks

    def _count(self, n_reused: int) -> None:
        with self._lock:
            self.n_reused += n_reused

    def reuse(self, call: Call) -> tuple[TaskRun, Any] | None:
        """Give the recorded row and value that stand for this call, or None when it has to run."""
        row = call.row
        if row is None or row.key not in self._reusable or row.epoch < call.newest:
            return None
        if not call.named and row.key in self._told and row.epoch < call.caller.newest:
            return None
        if row.version != call.task.version and not self._any_code:
            return None
        found, value = self._values.value(row.result)
        if not found:
            return None
        self._count(1 + len(self._calls_in(row.no, row.run_id)))
        return row, value

    def reuse_run(self, row: FlowRun, newest: int) -> Found | None:
        """Give the recorded value of a completed subflow when it may stand whole."""
        if row.key not in self._reusable or row.epoch < newest:
            return None
        found, value = self._values.value(row.result)
        if not found:
            return None
        self._count(self._n_tasks_in(row.id))
        return Found(value)

    def _n_tasks_in(self, run_id: str) -> int:
        inner = [run.id for run in self._runs.values() if run.parent_id == run_id]
        return sum(row.run_id == run_id for row in self._tasks.values()) + sum(map(self._n_tasks_in, inner))


Inside = tuple[list["TaskRun"], "AbstractSet[bytes]", "AbstractSet[bytes]", bool]
"""Rows, reusable keys, keys told by their ordinal, and whether changed code counts."""


def remember(recall: Recall, recorder: Recorder, values: Values, changed: Changed = "rerun") -> Memory:
    """Give the memory of a root run that goes on.

    Tasks that are only defined while the flow runs are compared when they are called.

    Raises:
        PlanRefused: (plan-refused) with `changed="refuse"`, when a completed call would run again for its code.
    """
    now = {row.task: row.version for row in recall.tasks} | versions()
    decisions = plan(recall, now, changed, recorder.has_blob)
    reusable = {decision.key for decision in decisions if decision.reuse}
    return Memory(recall, values, reusable, alike(recall.tasks)[0], any_code=changed == "reuse")


def remember_inside(inside: Inside, values: Values) -> Memory:
    """Give the memory of one task run in another process."""
    tasks, reusable, told, any_code = inside
    return Memory(Recall(runs=[], tasks=tasks, checkpoints=[]), values, reusable, told, any_code=any_code)
