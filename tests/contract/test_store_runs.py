"""What every store gives back of runs that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core.events import RunCreated, RunMoved, Source, TaskMoved, TaskStarted
from ostinato.core.ids import new_id
from ostinato.core.query import RUN_FIELDS, parse

if TYPE_CHECKING:
    from tests.contract.conftest import Store

KEY = b"0123456789abcdef"


def test_a_recorded_run_is_readable_once_settled(store: Store) -> None:
    run = new_id()
    source = Source("flow.py", "train", "/here", "python")
    record = store.recorder.record
    record(
        RunCreated(
            run, 1, 10, "train", "quiet-otter", "Pending", run, "", b"", 0, (), b"{}", None, (), "v1", source, 10
        )
    )
    record(RunMoved(run, 1, 11, "Running", "Pending"))
    record(TaskStarted(run, 1, 12, 1, KEY, "fit", "fit-1", "Running", "", 0, 0, (), "v2"))
    record(TaskMoved(run, 1, 13, 1, "Completed", "Running", 1))
    record(RunMoved(run, 1, 14, "Completed", "Running"))
    assert store.recorder.settle("database", 10)

    found = store.reader.find_run(run)
    assert (found.state, found.started_at, found.ended_at) == ("Completed", 11, 14)
    assert [task.state for task in store.reader.task_runs(run)] == ["Completed"]
    assert [(count.task, count.state, count.n) for count in store.reader.counts(run)] == [("fit", "Completed", 1)]
    assert store.reader.state_counts() == {"Completed": 1}
    listed, cursor = store.reader.runs(parse("flow:train state:completed", RUN_FIELDS))
    assert ([row.id for row in listed], cursor) == ([run], "")
