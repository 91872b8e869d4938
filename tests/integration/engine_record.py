"""What was recorded, as tests ask for it: a run, its task runs, its log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core.query import Query
from ostinato.session import reader, recorder

if TYPE_CHECKING:
    from pathlib import Path

    from ostinato.core.records import FlowRun, LogLine, StateChange, TaskRun


class Record:
    """One root run or subflow run as the database has it."""

    def __init__(self, ref: str = "last", home: Path | None = None) -> None:
        if home is None:
            recorder().settle("database")
        looking = reader(str(home) if home is not None else None)
        try:
            self.run: FlowRun = looking.find_run(ref)
            self.tasks: list[TaskRun] = looking.task_runs(self.run.id, limit=100_000)
            self.subflows: list[FlowRun] = looking.subflow_runs(self.run.id)
            self.logs: list[LogLine] = looking.logs([self.run.id], limit=1_000_000)
            self.history: list[StateChange] = looking.history(self.run.id)
            self._counts = looking.counts(self.run.id)
        finally:
            looking.close()

    @property
    def state(self) -> str:
        """State of the run."""
        return self.run.state

    def states(self) -> dict[str, str]:
        """Give the state of each task run, by task name; several runs of one task as `name#2`."""
        found: dict[str, str] = {}
        for row in self.tasks:
            name, n = row.task, 1
            while name in found:
                n += 1
                name = f"{row.task}#{n}"
            found[name] = row.state
        return found

    def task(self, name: str) -> TaskRun:
        """Give the only run of a task."""
        (row,) = [row for row in self.tasks if row.task == name]
        return row

    def texts(self) -> list[str]:
        """Give the log lines."""
        return [line.text for line in self.logs]

    def counters(self) -> dict[tuple[str, str], int]:
        """Give the roll-up counters that are not 0, by task and state, groups added up."""
        counts: dict[tuple[str, str], int] = {}
        for count in self._counts:
            counts[count.task, count.state] = counts.get((count.task, count.state), 0) + count.n
        return {key: n for key, n in counts.items() if n}

    def counted(self) -> dict[tuple[str, str], int]:
        """Give what the roll-up counters should be."""
        counts: dict[tuple[str, str], int] = {}
        for row in self.tasks:
            counts[row.task, row.state] = counts.get((row.task, row.state), 0) + 1
        return counts


def all_runs(home: Path | None = None) -> list[FlowRun]:
    """Give all runs of the home, newest first."""
    looking = reader(str(home) if home is not None else None)
    try:
        return looking.runs(Query(()), limit=1000)[0]
    finally:
        looking.close()
