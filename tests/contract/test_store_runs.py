"""What every store gives back of runs, task runs, counters and history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.happenings import SOURCE, created, ended, key_of, moved, started

from ostinato.core.errors import RunAmbiguous, RunNotFound
from ostinato.core.events import Error
from ostinato.core.ids import id_bound, new_id
from ostinato.core.query import RUN_FIELDS, Query, parse
from ostinato.core.results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.contract.conftest import Store

    from ostinato.core.events import Event
    from ostinato.core.ports import Recorder

VALUE = Result("m", b"\x2a", "", 1, b"d" * 16)
PROBLEM = Error("ValueError", "no rows", "Traceback ...", "/flows/train.py", 12, "rows=[]", "load", "look")


def _record(recorder: Recorder, events: Sequence[Event]) -> None:
    for event in events:
        recorder.record(event)
    assert recorder.settle("database", 10)


def test_a_recorded_flow_run_is_given_back_whole(store: Store) -> None:
    run = new_id()
    _record(
        store.recorder,
        [
            created(run, tags=("gpu", "nightly"), arguments=VALUE, at=10),
            moved(run, "Running", "Pending", at=11),
            moved(run, "Failed", at=14, message="no rows", result=None, error=PROBLEM),
        ],
    )
    found = store.reader.find_run(run)
    assert (found.id, found.name, found.flow, found.root_id, found.parent_id) == (run, "quiet-otter", "train", run, "")
    assert (found.state, found.message, found.epoch, found.attempt) == ("Failed", "no rows", 1, 1)
    assert (found.created_at, found.expected_at, found.started_at, found.ended_at) == (10, 10, 11, 14)
    assert (found.tags, found.version, found.source, found.parameters) == (("gpu", "nightly"), "v1", SOURCE, b"{}")
    assert (found.arguments, found.result, found.error) == (VALUE, None, PROBLEM)
    assert found.stream == store.recorder.stream


def test_a_recorded_task_run_is_given_back_whole(store: Store) -> None:
    run = new_id()
    _record(
        store.recorder,
        [
            created(run),
            started(run, 1, at=20, tags=("a",), group="fit-group"),
            ended(run, 1, at=25, result=VALUE),
            started(run, 2, at=26),
            ended(run, 2, "Failed", at=27, error=PROBLEM),
        ],
    )
    first, second = store.reader.task_runs(run)
    assert (first.run_id, first.no, first.key, first.task, first.name) == (run, 1, key_of(1), "fit", "fit-1")
    assert (first.state, first.started_at, first.ended_at, first.created_at) == ("Completed", 20, 25, 20)
    assert (first.result, first.error, first.tags, first.group, first.upstream) == (
        VALUE,
        None,
        ("a",),
        "fit-group",
        (),
    )
    assert (second.state, second.error, second.upstream, second.n_started) == ("Failed", PROBLEM, (key_of(1),), 2)


def test_a_task_run_moved_in_a_later_commit_keeps_what_it_had(store: Store) -> None:
    run = new_id()
    _record(store.recorder, [created(run), started(run, 1, state="Pending", at=20, group="g", tags=("a",))])
    _record(store.recorder, [ended(run, 1, "Running", previous="Pending", at=21)])
    _record(store.recorder, [ended(run, 1, at=30, result=VALUE)])
    (task,) = store.reader.task_runs(run)
    assert (task.state, task.created_at, task.started_at, task.ended_at) == ("Completed", 20, 21, 30)
    assert (task.group, task.tags, task.result, task.name) == ("g", ("a",), VALUE, "fit-1")
    assert [(count.state, count.n) for count in store.reader.counts(run)] == [("Completed", 1)]


def test_a_move_that_the_table_does_not_know_changes_nothing(store: Store) -> None:
    run = new_id()
    _record(store.recorder, [created(run), moved(run, "Running", "Pending"), moved(run, "Cancelled")])
    _record(store.recorder, [moved(run, "Completed"), moved(run, "Running", "Pending")])
    assert store.reader.find_run(run).state == "Cancelled"
    assert [change.state for change in store.reader.history(run)] == ["Pending", "Running", "Cancelled"]
    assert store.reader.state_counts() == {"Cancelled": 1}


def test_history_tells_each_step_with_its_instant(store: Store) -> None:
    run = new_id()
    _record(store.recorder, [created(run, at=1), moved(run, "Running", "Pending", at=2), moved(run, "Paused", at=3)])
    steps = [(change.at, change.previous, change.state, change.epoch) for change in store.reader.history(run)]
    assert steps == [(1, "", "Pending", 1), (2, "Pending", "Running", 1), (3, "Running", "Paused", 1)]


def test_counters_are_given_in_order_of_first_call(store: Store) -> None:
    run = new_id()
    events: list[Event] = [created(run)]
    for no, task in enumerate(("load", "zip", "fit", "zip", "load"), start=1):
        events += [started(run, no, task=task), ended(run, no, "Failed" if no == 5 else "Completed")]
    _record(store.recorder, [*events, started(run, 6, task="zip", group="zips")])
    counts = [(count.task, count.group, count.state, count.n) for count in store.reader.counts(run)]
    assert counts == [
        ("load", "", "Completed", 1),
        ("load", "", "Failed", 1),
        ("zip", "", "Completed", 2),
        ("fit", "", "Completed", 1),
        ("zip", "zips", "Running", 1),
    ]


def test_task_runs_are_paged_and_filtered_by_state(store: Store) -> None:
    run = new_id()
    events: list[Event] = [created(run)]
    for no in range(1, 31):
        events += [started(run, no), ended(run, no, "Failed" if no % 10 == 0 else "Completed")]
    _record(store.recorder, events)
    assert [task.no for task in store.reader.task_runs(run, limit=3)] == [1, 2, 3]
    assert [task.no for task in store.reader.task_runs(run, limit=3, after=28)] == [29, 30]
    assert [task.no for task in store.reader.task_runs(run, states=["Failed"])] == [10, 20, 30]
    assert [task.no for task in store.reader.task_runs(run, states=["Failed"], after=10, limit=1)] == [20]


def test_subflow_runs_are_given_in_call_order(store: Store) -> None:
    root, first, second, below = (new_id() for _ in range(4))
    _record(
        store.recorder,
        [
            created(root),
            created(second, root, parent=root, no=5),
            created(first, root, parent=root, no=2),
            created(below, root, parent=first, no=1),
        ],
    )
    assert [run.id for run in store.reader.subflow_runs(root)] == [first, second]
    assert [run.id for run in store.reader.subflow_runs(first)] == [below]
    assert store.reader.subflow_runs(below) == []


def test_a_run_is_found_by_id_prefix_name_and_last(store: Store) -> None:
    runs = [new_id() for _ in range(3)]
    _record(store.recorder, [created(run, name=f"otter-{no}") for no, run in enumerate(runs)])
    reader = store.reader
    assert reader.find_run(runs[1]).name == "otter-1"
    assert reader.find_run(runs[1][:-1]).name == "otter-1"
    assert reader.find_run(runs[1][:-1].upper()).name == "otter-1"
    assert reader.find_run("otter-2").id == runs[2]
    assert reader.find_run("last").id == max(runs)


def test_what_fits_no_run_or_several_is_refused(store: Store) -> None:
    with pytest.raises(RunNotFound, match="no run 'last'"):
        store.reader.find_run("last")
    runs = [new_id() for _ in range(2)]
    _record(store.recorder, [created(run) for run in runs])
    with pytest.raises(RunAmbiguous, match="fits 2 runs"):
        store.reader.find_run(runs[0][:6])
    for ref in ("", "zz", runs[0][:3], "f" * 32, "otter", "%"):
        with pytest.raises(RunNotFound):
            store.reader.find_run(ref)


def test_the_newest_of_runs_with_one_name_is_found(store: Store) -> None:
    runs = sorted(new_id() for _ in range(3))
    _record(store.recorder, [created(run, name="otter") for run in runs])
    assert store.reader.find_run("otter").id == runs[-1]


def test_last_is_no_subflow(store: Store) -> None:
    root, below = sorted((new_id(), new_id()))
    _record(store.recorder, [created(root), created(below, root, parent=root, no=1)])
    assert store.reader.find_run("last").id == root


def test_runs_are_paged_newest_first(store: Store) -> None:
    runs = sorted((new_id() for _ in range(7)), reverse=True)
    _record(store.recorder, [created(run) for run in runs])
    pages: list[list[str]] = []
    cursor = ""
    while True:
        rows, cursor = store.reader.runs(Query(), limit=3, after=cursor)
        pages.append([row.id for row in rows])
        if not cursor:
            break
    assert pages == [runs[:3], runs[3:6], runs[6:]]


def test_a_full_last_page_has_no_cursor(store: Store) -> None:
    _record(store.recorder, [created(new_id()) for _ in range(4)])
    _, cursor = store.reader.runs(Query(), limit=2)
    assert cursor
    rows, cursor = store.reader.runs(Query(), limit=2, after=cursor)
    assert (len(rows), cursor) == (2, "")


QUERIES = (
    ("", "abcd"),
    ("flow:train", "abd"),
    ("-flow:train", "c"),
    ("flow:train,score", "abcd"),
    ("state:completed", "a"),
    ("state:active", "bd"),
    ("state:unsuccessful", "c"),
    ("tag:gpu", "ab"),
    ("-tag:gpu", "cd"),
    ("tag:nightly tag:gpu", "b"),
    ("parent:none", "abc"),
    ("-parent:none", "d"),
    ("started:none", "d"),
    ("-started:none", "abc"),
    ("ended:none", "bd"),
    ("duration:<5s", "ac"),
    ("duration:>=3s", "bc"),
    ("-duration:<5s", "bd"),
    ("created:>=1970-01-01T00:00:03Z", "cd"),
    ("until:1970-01-01T00:00:02Z", "ab"),
    ("created:1970-01-01", "abcd"),
    ("created:1970-01-02", ""),
    ("attempt:1", "abcd"),
    ("epoch:>1", ""),
    ("version:v1", "abcd"),
    ("otter", "acd"),
    ("OTTER", "acd"),
    ("ÖTTERCHEN", "d"),
    ('"quiet o"', "a"),
    ("train", "abd"),
    ("-otter", "b"),
    ("100%", ""),
    ("%", ""),
    ("quiet_otter", ""),
    ('"\\\\"', ""),
    ("name:heron flow:train -state:failed", "b"),
)
"""Each with the runs that it finds."""


def test_a_query_finds_exactly_what_it_says(store: Store) -> None:
    s = 1_000_000
    ids = {name: id_bound(at * s) + new_id()[12:] for at, name in enumerate("abcd", start=1)}
    a, b, c, d = (ids[name] for name in "abcd")
    _record(
        store.recorder,
        [
            created(a, name="quiet otter", tags=("gpu",), at=1 * s),
            moved(a, "Running", "Pending", at=2 * s),
            moved(a, "Completed", at=4 * s),
            created(b, name="heron", tags=("gpu", "nightly"), at=2 * s),
            moved(b, "Running", "Pending", at=3 * s),
            created(c, name="otter", flow="score", at=3 * s),
            moved(c, "Running", "Pending", at=3 * s),
            moved(c, "Failed", at=6 * s),
            created(d, b, parent=b, name="ötterchen otter", at=4 * s),
        ],
    )
    for text, found in QUERIES:
        rows = {row.id for row in store.reader.runs(parse(text, RUN_FIELDS))[0]}
        assert (text, "".join(name for name, run in ids.items() if run in rows)) == (text, found)


def test_ids_are_found_by_their_beginning(store: Store) -> None:
    runs = [new_id() for _ in range(2)]
    _record(store.recorder, [created(run) for run in runs])
    for text, wanted in ((f"id:{runs[0]}", runs[:1]), (f"id:{runs[0][:8]}", runs), (f"root:{runs[1]}", runs[1:])):
        rows, _ = store.reader.runs(parse(text, RUN_FIELDS))
        assert sorted(row.id for row in rows) == sorted(wanted)


def test_states_of_flow_runs_are_counted(store: Store) -> None:
    runs = [new_id() for _ in range(5)]
    _record(store.recorder, [created(run, flow=f"flow-{run[-1]}") for run in runs])
    _record(store.recorder, [moved(run, "Running", "Pending") for run in runs[:3]])
    _record(store.recorder, [moved(runs[0], "Completed")])
    assert store.reader.state_counts() == {"Pending": 2, "Running": 2, "Completed": 1}


def test_text_of_every_kind_survives(store: Store, database: str) -> None:
    """PostgreSQL knows no NUL in a text column: it has U+FFFD in its place, and is asked with it."""
    run = new_id()
    name = "naïve 日本語 🦦 \0 ' \" ; -- \n\t \\ %s ?"
    _record(
        store.recorder,
        [created(run, name=name, flow=name, tags=(name,)), moved(run, "Failed", "Pending", message=name)],
    )
    found = store.reader.find_run(name)
    kept = name.replace("\0", "\N{REPLACEMENT CHARACTER}") if database else name
    assert (found.flow, found.name, found.tags, found.message) == (kept, kept, (name,), kept)


def test_lone_surrogates_are_escaped_and_stop_nothing(store: Store) -> None:
    run = new_id()
    _record(store.recorder, [created(run, name="bad \udcff name"), moved(run, "Running", "Pending")])
    assert store.reader.find_run(run).name == "bad \\udcff name"
    assert store.reader.find_run(run).state == "Running"
