"""What every store remembers for resume: recall, claim, cache, checkpoints, stored values, variables."""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from tests.contract.happenings import created, ended, key_of, moved, now_us, started

from ostinato.core.errors import BlobMissing, EpochTaken, RunNotFound
from ostinato.core.events import ArtifactMade, CacheStored, CheckpointSaved, Logged, LogsDropped, VariableSet
from ostinato.core.ids import new_id
from ostinato.core.results import Result

if TYPE_CHECKING:
    from tests.contract.conftest import Store

    from ostinato.core.events import Event
    from ostinato.core.ports import Recorder


def _small(value: bytes) -> Result:
    return Result("m", value, "", len(value), b"d" * 16)


def _large(recorder: Recorder, value: bytes) -> Result:
    digest = blake2b(value, digest_size=16).digest()
    return Result("p", None, recorder.put_blob(value, digest), len(value), digest)


# --- recall and claim


def test_recall_gives_runs_tasks_and_newest_checkpoints_of_the_whole_tree(store: Store) -> None:
    root, below, other = new_id(), new_id(), new_id()
    for event in (
        created(root),
        moved(root, "Running", "Pending"),
        started(root, 1),
        ended(root, 1, result=_small(b"\x01")),
        created(below, root, parent=root, no=2),
        started(below, 1),
        created(other),
        started(other, 1),
        CheckpointSaved(below, 1, now_us(), key_of(1), "v1", _small(b"old")),
        CheckpointSaved(below, 1, now_us(), key_of(1), "v2", _small(b"new")),
    ):
        store.recorder.record(event)
    recall = store.recorder.recall(root)
    assert [run.id for run in recall.runs] == sorted([root, below])
    assert {(task.run_id, task.no, task.state) for task in recall.tasks} == {
        (root, 1, "Completed"),
        (below, 1, "Running"),
    }
    assert [(point.key, point.version, point.value.data) for point in recall.checkpoints] == [(key_of(1), "v2", b"new")]
    assert store.reader.recall(root) == recall


def test_recall_of_an_unknown_run_is_empty(store: Store) -> None:
    recall = store.recorder.recall(new_id())
    assert (recall.runs, recall.tasks, recall.checkpoints) == ([], [], [])


def test_a_claim_opens_the_next_epoch_and_ends_what_was_active(store: Store) -> None:
    root, active, finished = new_id(), new_id(), new_id()
    for event in (
        created(root),
        moved(root, "Running", "Pending"),
        started(root, 1),
        ended(root, 1),
        started(root, 2),
        created(active, root, parent=root, no=3),
        moved(active, "Running", "Pending"),
        started(active, 1, task="dig"),
        created(finished, root, parent=root, no=4),
        moved(finished, "Running", "Pending"),
        moved(finished, "Completed"),
        moved(root, "Failed", message="no rows"),
    ):
        store.recorder.record(event)
    assert store.recorder.claim(root, 1) == 2
    run = store.reader.find_run(root)
    assert (run.state, run.epoch, run.started_at, run.ended_at, run.message) == ("Pending", 2, None, None, "")
    assert run.stream == store.recorder.stream
    assert [task.state for task in store.reader.task_runs(root)] == ["Completed", "Crashed"]
    assert [task.state for task in store.reader.task_runs(active)] == ["Crashed"]
    assert store.reader.find_run(active).state == "Crashed"
    assert store.reader.find_run(finished).state == "Completed"
    assert {(count.task, count.state, count.n) for count in store.reader.counts(root)} == {
        ("fit", "Completed", 1),
        ("fit", "Crashed", 1),
    }
    assert store.reader.state_counts() == {"Pending": 1, "Crashed": 1, "Completed": 1}
    steps = [(change.previous, change.state, change.epoch) for change in store.reader.history(root)]
    assert steps[-1] == ("Failed", "Pending", 2)


def test_of_two_claims_of_one_epoch_one_is_refused(store: Store) -> None:
    run = new_id()
    store.recorder.record(created(run))
    store.recorder.record(moved(run, "Failed", "Pending"))
    assert store.recorder.claim(run, 1) == 2
    with pytest.raises(EpochTaken, match="epoch 2"):
        store.recorder.claim(run, 1)
    assert store.recorder.claim(run, 2) == 3


def test_only_root_runs_that_exist_can_be_claimed(store: Store) -> None:
    root, below = new_id(), new_id()
    store.recorder.record(created(root))
    store.recorder.record(created(below, root, parent=root, no=1))
    for run in (new_id(), below):
        with pytest.raises(RunNotFound):
            store.recorder.claim(run, 1)


def test_events_of_an_older_epoch_change_nothing_and_the_writer_is_told(store: Store) -> None:
    root, below = new_id(), new_id()
    recorder = store.recorder
    for event in (
        created(root),
        moved(root, "Running", "Pending"),
        created(below, root, parent=root, no=1),
        started(root, 2),
    ):
        recorder.record(event)
    recorder.claim(root, 1)
    assert recorder.is_stale(root) == 0
    late: list[Event] = [
        ended(root, 2),
        started(root, 3),
        moved(root, "Completed"),
        moved(below, "Running", "Pending"),
        CheckpointSaved(root, 1, now_us(), key_of(2), "v", _small(b"x")),
        Logged(root, 0, now_us(), 20, "user", "still here"),
    ]
    for happening in late:
        recorder.record(happening)
    assert recorder.settle("database", 10)
    assert recorder.is_stale(root) == 2
    assert store.reader.find_run(root).state == "Pending"
    assert store.reader.find_run(below).state == "Crashed"
    assert [task.state for task in store.reader.task_runs(root)] == ["Crashed"]
    assert store.reader.recall(root).checkpoints == []
    assert [line.text for line in store.reader.logs([root])] == ["still here"]


def test_the_next_epoch_runs_a_crashed_task_again_in_its_row(store: Store) -> None:
    run = new_id()
    recorder = store.recorder
    for event in (created(run), moved(run, "Running", "Pending"), started(run, 1)):
        recorder.record(event)
    assert recorder.claim(run, 1) == 2
    recorder.record(moved(run, "Running", "Pending", epoch=2))
    recorder.record(started(run, 1, epoch=2, previous="Crashed"))
    recorder.record(ended(run, 1, epoch=2))
    recorder.record(moved(run, "Completed", epoch=2))
    assert recorder.settle("database", 10)
    (task,) = store.reader.task_runs(run)
    assert (task.state, task.epoch) == ("Completed", 2)
    assert [(count.state, count.n) for count in store.reader.counts(run)] == [("Completed", 1)]


def test_the_next_attempt_of_a_flow_runs_failed_calls_again_in_the_same_epoch(store: Store) -> None:
    root, below = new_id(), new_id()
    recorder = store.recorder
    for event in (
        created(root),
        moved(root, "Running", "Pending"),
        started(root, 1),
        ended(root, 1, "Failed"),
        created(below, root, parent=root, no=2),
        moved(below, "Running", "Pending"),
        moved(below, "Failed"),
        moved(root, "AwaitingRetry"),
        moved(root, "Retrying", "AwaitingRetry"),
    ):
        recorder.record(event)
    assert recorder.settle("database", 10)
    for event in (
        started(root, 1, previous="Failed"),
        ended(root, 1),
        moved(below, "Pending", "Failed"),
        moved(below, "Running", "Pending"),
        moved(below, "Completed"),
        moved(root, "Completed", "Retrying"),
    ):
        recorder.record(event)
    assert recorder.settle("database", 10)
    assert [task.state for task in store.reader.task_runs(root)] == ["Completed"]
    assert store.reader.find_run(below).state == "Completed"
    assert store.reader.state_counts() == {"Completed": 2}


# --- stored values


def test_a_stored_value_is_given_back_by_both_ends(store: Store) -> None:
    value = bytes(range(256)) * 200
    digest = blake2b(value, digest_size=16).digest()
    blob = store.recorder.put_blob(memoryview(value), digest)
    assert blob == digest.hex() == store.recorder.put_blob(value, digest)
    assert store.recorder.has_blob(blob)
    assert store.recorder.get_blob(blob) == value == store.reader.blob(blob)


def test_a_value_that_was_never_stored_is_missing(store: Store) -> None:
    assert not store.recorder.has_blob("00" * 16)
    with pytest.raises(BlobMissing, match="missing"):
        store.recorder.get_blob("00" * 16)
    with pytest.raises(BlobMissing):
        store.reader.blob("00" * 16)


def test_threads_may_store_one_value_at_once(store: Store) -> None:
    value = b"same" * 10_000
    digest = blake2b(value, digest_size=16).digest()
    threads = [threading.Thread(target=store.recorder.put_blob, args=(value, digest)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.recorder.get_blob(digest.hex()) == value


def test_results_of_a_run_that_ended_well_are_dropped_and_say_so(store: Store) -> None:
    run, failed = new_id(), new_id()
    recorder = store.recorder
    large, small = _large(recorder, b"x" * 20_000), _small(b"\x01")
    for event in (
        created(run),
        created(failed),
        moved(run, "Running", "Pending"),
        moved(failed, "Running", "Pending"),
        *(event for root in (run, failed) for event in (started(root, 1), ended(root, 1, result=large))),
        *(event for root in (run, failed) for event in (started(root, 2), ended(root, 2, result=small))),
        moved(failed, "Failed"),
    ):
        recorder.record(event)
    assert recorder.settle("database", 10)
    assert [task.result for task in store.reader.task_runs(run)] == [large, small]
    recorder.record(moved(run, "Completed"))
    dropped, kept = recorder.recall(run).tasks
    assert dropped.result is not None
    assert (dropped.result.lost, dropped.result.digest, kept.result) == ("dropped", large.digest, small)
    assert [task.result for task in recorder.recall(failed).tasks] == [large, small]


# --- cache


def test_a_cache_entry_is_found_at_once_and_until_it_expires(store: Store) -> None:
    recorder = store.recorder
    assert recorder.find_cached("k", 10) == (False, None)
    recorder.record(CacheStored("k", 10, 100, "r", 1, _small(b"\x01")))
    for _ in range(2):
        assert recorder.find_cached("k", 50) == (True, _small(b"\x01"))
        assert recorder.find_cached("k", 100) == (False, None)
        assert recorder.settle("database", 10)


def test_an_entry_may_hold_none_and_never_expire(store: Store) -> None:
    store.recorder.record(CacheStored("k", 10, 0, "r", 1, None))
    assert store.recorder.settle("database", 10)
    assert store.recorder.find_cached("k", 1 << 60) == (True, None)


def test_the_newer_of_two_entries_counts(store: Store) -> None:
    for at, value in ((20, b"new"), (10, b"old")):
        store.recorder.record(CacheStored("k", at, 0, "r", 1, _small(value)))
        assert store.recorder.settle("database", 10)
    assert store.recorder.find_cached("k", 30) == (True, _small(b"new"))


def test_an_entry_whose_stored_value_is_gone_is_none(store: Store) -> None:
    store.recorder.record(CacheStored("k", 10, 0, "r", 1, Result("p", None, "00" * 16, 20_000, b"\0" * 16)))
    assert store.recorder.settle("database", 10)
    assert store.recorder.find_cached("k", 30) == (False, None)


def test_the_right_to_compute_is_held_by_one_until_released_or_over(store: Store) -> None:
    recorder = store.recorder
    assert recorder.claim_cached("k", 60)
    assert not recorder.claim_cached("k", 60)
    assert recorder.claim_cached("other", 60)
    recorder.release_cached("k")
    assert recorder.claim_cached("k", 0)
    assert recorder.claim_cached("k", 60)  # a lease of 0 s is over


def test_a_stored_entry_ends_the_claim(store: Store) -> None:
    recorder = store.recorder
    assert recorder.claim_cached("k", 60)
    recorder.record(CacheStored("k", 10, 0, "r", 1, _small(b"\x01")))
    recorder.release_cached("k")
    assert recorder.settle("database", 10)
    assert recorder.claim_cached("k", 60)


# --- variables, logs, artifacts


def test_variables_are_seen_as_last_set(store: Store) -> None:
    recorder = store.recorder
    assert recorder.find_variable("x") is None
    recorder.record(VariableSet("x", 10, b"1", ("a",)))
    for _ in range(2):
        found = recorder.find_variable("x")
        assert found is not None
        assert (found.value, found.tags, found.updated_at) == (b"1", ("a",), 10)
        assert recorder.settle("database", 10)
    recorder.record(VariableSet("y", 11, b'"b"'))
    recorder.record(VariableSet("x", 12, None))
    assert recorder.find_variable("x") is None
    assert recorder.settle("database", 10)
    assert recorder.find_variable("x") is None
    assert [variable.name for variable in store.reader.variables()] == ["y"]


def test_an_older_setting_does_not_bring_a_variable_back(store: Store) -> None:
    store.recorder.record(VariableSet("x", 20, None))
    store.recorder.record(VariableSet("x", 10, b"1"))
    assert store.recorder.settle("database", 10)
    assert store.reader.variables() == []


def test_log_lines_are_followed_in_commit_order(store: Store) -> None:
    run, other = new_id(), new_id()
    recorder = store.recorder
    recorder.record(created(run))
    recorder.record(started(run, 1, task="load"))
    for number in range(10):
        recorder.record(
            Logged(run if number % 2 else other, number % 3, now_us(), 10 * (number % 3), "user", f"{number}")
        )
    recorder.record(LogsDropped(run, now_us(), 3))
    recorder.record(LogsDropped(run, now_us(), 4))
    assert recorder.settle("database", 10)
    logs = store.reader.logs
    lines = logs([run, other])
    assert [line.text for line in lines] == [str(number) for number in range(10)]
    assert [line.text for line in logs([run])] == ["1", "3", "5", "7", "9"]
    assert [line.text for line in logs([run], level=20)] == ["5"]
    assert [line.text for line in logs([run, other], after=lines[6].id, limit=2)] == ["7", "8"]
    assert [line.text for line in logs([run, other], limit=3, tail=True)] == ["7", "8", "9"]
    assert [(line.task, line.no) for line in logs([run])][:2] == [("load-1", 1), ("", 0)]
    assert logs([]) == []
    assert store.reader.find_run(run).n_logs_dropped == 7


def test_artifacts_of_a_run_and_its_subflows_are_given_oldest_first(store: Store) -> None:
    root, below, other = new_id(), new_id(), new_id()
    for event in (
        created(root),
        created(below, root, parent=root, no=1),
        created(other),
        ArtifactMade(below, 1, 5, "plot", "image", "a plot", b"null", "ab" * 16, "image/png"),
        ArtifactMade(root, 0, 6, "", "markdown", "", b'"# x"'),
        ArtifactMade(other, 0, 7, "", "markdown", "", b'"# y"'),
    ):
        store.recorder.record(event)
    assert store.recorder.settle("database", 10)
    found = store.reader.artifacts(root)
    assert [(made.run_id, made.kind, made.key, made.at) for made in found] == [
        (below, "image", "plot", 5),
        (root, "markdown", "", 6),
    ]
    assert (found[0].blob, found[0].media_type, found[0].description) == ("ab" * 16, "image/png", "a plot")
    assert [made.run_id for made in store.reader.artifacts(below)] == [below]
