"""What every store keeps of experiments and tracking runs, whoever writes them."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ostinato import session
from ostinato.core.codec import digest
from ostinato.core.commands import (
    ChangeExperiment,
    ChangeTracking,
    CreateExperiment,
    LogBatch,
    LogFile,
    LogInput,
    StartTracking,
    TagExperiment,
)
from ostinato.core.errors import (
    ExperimentDeleted,
    ExperimentExists,
    ExperimentNotFound,
    ParamTaken,
    TrackedValueInvalid,
    TrackingRunAmbiguous,
    TrackingRunDeleted,
    TrackingRunNotFound,
)
from ostinato.core.events import RunCreated, RunMoved, Source
from ostinato.core.tracking import (
    DEFAULT_ID,
    FileLogged,
    InputDetails,
    MetricsLogged,
    ParamsLogged,
    Point,
    TagsLogged,
    TrackingBegun,
    TrackingChanged,
    experiment_id,
)
from ostinato.session.home import Home
from ostinato.store.maintenance import remove_unused_blobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.ports import Commands, Reader, Recorder
    from ostinato.core.tracking import TrackingEvent, TrackingRun

AT = 1_790_000_000_000_000
RUN = "ab" * 16


class Doors(NamedTuple):
    """One home as three ends see it."""

    commands: Commands
    reader: Reader
    recorder: Recorder

    def record(self, *events: TrackingEvent) -> None:
        for event in events:
            self.recorder.record(event)
        assert self.recorder.settle("database", 20)

    def run(self, run_id: str = RUN) -> TrackingRun:
        return self.reader.find_tracking_run(run_id)

    def begin(self, experiment: str = "rides", run_id: str = RUN, epoch: int = 1) -> TrackingBegun:
        return TrackingBegun(run_id, AT, experiment, f"run-{run_id[:2]}", "ann", AT, "train.py", "v1", epoch=epoch)


@pytest.fixture
def doors(home: Path) -> Iterator[Doors]:
    doors = Doors(session.commands(), session.reader(), session.recorder())
    yield doors
    doors.commands.close()
    doors.reader.close()


# --- experiments


def test_an_experiment_is_made_tagged_renamed_deleted_and_restored(doors: Doors) -> None:
    made = doors.commands.do(CreateExperiment(name="rides", tags={"team": "geo"}))
    assert (made.id, made.state, made.tags) == (experiment_id("rides"), "active", {"team": "geo"})
    doors.commands.do(TagExperiment(experiment="rides", tags={"team": None, "city": "NYC"}))
    renamed = doors.commands.do(ChangeExperiment(experiment="rides", name="taxi/ünicode"))
    assert (renamed.id, renamed.name, renamed.tags) == (made.id, "taxi/ünicode", {"city": "NYC"})
    doors.commands.do(ChangeExperiment(experiment=made.id, state="deleted"))
    assert doors.reader.experiments() == []
    assert [one.id for one in doors.reader.experiments(states=("deleted",))] == [made.id]
    assert doors.commands.do(ChangeExperiment(experiment=made.id, state="active")).state == "active"


def test_experiments_are_listed_by_name_page_by_page(doors: Doors) -> None:
    for name in ("c", "a", "b"):
        doors.commands.do(CreateExperiment(name=name))
    assert [one.name for one in doors.reader.experiments(limit=2)] == ["a", "b"]
    assert [one.name for one in doors.reader.experiments(after="b")] == ["c"]


def test_a_name_is_taken_also_by_a_deleted_experiment(doors: Doors) -> None:
    doors.commands.do(CreateExperiment(name="rides"))
    doors.commands.do(ChangeExperiment(experiment="rides", state="deleted"))
    with pytest.raises(ExperimentExists, match="deleted"):
        doors.commands.do(CreateExperiment(name="rides"))
    doors.commands.do(CreateExperiment(name="other"))
    with pytest.raises(ExperimentExists):
        doors.commands.do(ChangeExperiment(experiment="other", name="rides"))


def test_the_id_of_a_renamed_experiment_stays_its_own(doors: Doors) -> None:
    first = doors.commands.do(CreateExperiment(name="rides"))
    doors.commands.do(ChangeExperiment(experiment="rides", name="old rides"))
    second = doors.commands.do(CreateExperiment(name="rides"))
    assert second.id == experiment_id("rides", 1) != first.id


def test_what_is_no_name_is_refused(doors: Doors) -> None:
    for name in ("", "  ", "x" * 2000, "a\0b"):
        with pytest.raises(TrackedValueInvalid):
            doors.commands.do(CreateExperiment(name=name))
    with pytest.raises(ExperimentNotFound):
        doors.reader.find_experiment("none")


def test_runs_are_deleted_and_restored_with_their_experiment(doors: Doors) -> None:
    doors.record(doors.begin())
    doors.commands.do(ChangeExperiment(experiment="rides", state="deleted"))
    assert doors.run().state == "deleted"
    with pytest.raises(ExperimentDeleted):
        doors.commands.do(StartTracking(experiment="rides"))
    doors.commands.do(ChangeExperiment(experiment="rides", state="active"))
    assert doors.run().state == "active"


def test_a_run_that_is_recorded_in_a_deleted_experiment_restores_it(doors: Doors) -> None:
    doors.commands.do(CreateExperiment(name="rides"))
    doors.commands.do(ChangeExperiment(experiment="rides", state="deleted"))
    doors.record(doors.begin())
    assert doors.reader.find_experiment("rides").state == "active"


# --- tracking runs


def test_a_recorded_run_reads_back_as_it_was(doors: Doors) -> None:
    doors.record(
        doors.begin(),
        ParamsLogged(RUN, AT, {"lr": "0.1", "a/b ü": "x" * 250_000}),
        TagsLogged(RUN, AT, {"kind": "linear", "gone": "soon"}),
        MetricsLogged(RUN, AT, 1, (Point("rmse", 7.0, 1, AT), Point("rmse", 6.5, 2, AT + 1))),
        TagsLogged(RUN, AT, {"gone": None}),
        TrackingChanged(RUN, AT + 9, "finished", AT + 9),
    )
    run = doors.run()
    assert (run.status, run.started_at, run.ended_at, run.source) == ("finished", AT, AT + 9, "train.py")
    assert run.params == {"lr": "0.1", "a/b ü": "x" * 250_000}
    assert run.tags == {"kind": "linear"}
    assert [(one.key, one.value, one.step) for one in run.metrics] == [("rmse", 6.5, 2)]
    assert run.experiment_id == doors.reader.find_experiment("rides").id


def test_a_metric_holds_any_double(doors: Doors) -> None:
    values = [math.nan, math.inf, -math.inf, 0.0, 5e-324, 1.7976931348623157e308]
    doors.record(
        doors.begin(), MetricsLogged(RUN, AT, 1, tuple(Point("m", value, at, AT) for at, value in enumerate(values)))
    )
    assert repr([point.value for point in doors.reader.metric_history(RUN, "m")]) == repr(values)


def test_of_a_step_and_instant_there_is_one_value_and_the_newest_epoch_wins(doors: Doors) -> None:
    doors.record(doors.begin(epoch=2), MetricsLogged(RUN, AT, 2, (Point("m", 2.0, 1, AT),)))
    doors.record(MetricsLogged(RUN, AT, 1, (Point("m", 1.0, 1, AT),)))
    doors.record(MetricsLogged(RUN, AT, 2, (Point("m", 3.0, 0, AT), Point("m", 4.0, 0, AT))))
    assert [(point.step, point.value) for point in doors.reader.metric_history(RUN, "m")] == [(0, 4.0), (1, 2.0)]
    assert [(one.step, one.value) for one in doors.run().metrics] == [(1, 2.0)]


def test_the_newest_value_is_that_of_the_highest_step(doors: Doors) -> None:
    doors.record(doors.begin(), MetricsLogged(RUN, AT, 1, (Point("m", 1.0, 9, AT), Point("m", 2.0, 3, AT + 5))))
    doors.record(MetricsLogged(RUN, AT, 1, (Point("m", 3.0, 8, AT + 9),)))
    assert doors.run().metrics[0].value == 1.0


def test_a_run_goes_on_in_a_newer_epoch_and_an_older_one_ends_it_not(doors: Doors) -> None:
    doors.record(doors.begin(), TrackingChanged(RUN, AT, "failed", AT, epoch=1), doors.begin(epoch=2))
    assert (doors.run().status, doors.run().ended_at, doors.run().epoch) == ("running", None, 2)
    doors.record(TrackingChanged(RUN, AT, "killed", AT, epoch=1))
    assert doors.run().status == "running"
    doors.record(TrackingChanged(RUN, AT, "finished", AT, epoch=2))
    assert doors.run().status == "finished"


def test_the_first_value_of_a_parameter_stands(doors: Doors) -> None:
    doors.record(doors.begin(), ParamsLogged(RUN, AT, {"lr": "1"}), ParamsLogged(RUN, AT, {"lr": "2"}))
    doors.record(ParamsLogged(RUN, AT, {"lr": "3", "n": "9"}))
    assert doors.run().params == {"lr": "1", "n": "9"}


def test_ten_thousand_parameters_and_points_are_kept(doors: Doors) -> None:
    doors.record(
        doors.begin(),
        ParamsLogged(RUN, AT, {f"p{number}": str(number) for number in range(10_000)}),
        *(MetricsLogged(RUN, AT, 1, (Point("m", float(number), number, AT),)) for number in range(10_000)),
    )
    assert len(doors.run().params) == 10_000
    assert [point.value for point in doors.reader.metric_history(RUN, "m", most=20_000)] == list(range(10_000))
    shown = doors.reader.metric_history(RUN, "m", most=100)
    assert (len(shown), shown[0].value, shown[-1].value) == (100, 0.0, 9999.0)


def test_a_run_is_found_by_id_beginning_and_name(doors: Doors) -> None:
    doors.record(doors.begin(), doors.begin(run_id="abab" + "0" * 28))
    assert doors.run(RUN[:6]).id == RUN
    assert doors.run("run-ab").id == RUN
    with pytest.raises(TrackingRunAmbiguous):
        doors.run("abab")
    with pytest.raises(TrackingRunNotFound):
        doors.run("cdcd")


def test_what_a_flow_run_leaves_open_ends_with_it_when_it_ends_badly(doors: Doors) -> None:
    flows = {"f" * 32: "Cancelled", "e" * 32: "Failed", "d" * 32: "Completed"}
    for flow_run, state in flows.items():
        begun = TrackingBegun(flow_run, AT, "rides", flow_run[:1], flow_run_id=flow_run)
        made = RunCreated(
            flow_run, 1, AT, "train", "quiet-otter", "Running", flow_run, "", b"", 0, (), b"{}", None, (), "v1",
            Source("", "", "", ""), AT,
        )  # fmt: skip
        for event in (made, begun, RunMoved(flow_run, 1, AT + 5, state, "Running", "")):  # type: ignore[arg-type]
            doors.recorder.record(event)
    doors.record()
    assert [(doors.run(one).status, doors.run(one).ended_at) for one in flows] == [
        ("killed", AT + 5),
        ("failed", AT + 5),
        ("running", None),
    ]


def test_files_of_tracking_runs_are_no_waste(doors: Doors, home: Path) -> None:
    blob = doors.recorder.put_blob(b"model", digest(b"model"))
    waste = doors.recorder.put_blob(b"waste", digest(b"waste"))
    doors.record(doors.begin(), FileLogged(RUN, AT, "model.bin", blob, 5))
    database = Home(str(home)).open()
    remove_unused_blobs(database, Home(str(home)).open_blobs(), time.time_ns() // 1000 + 10**9)
    database.close()
    assert (doors.recorder.has_blob(blob), doors.recorder.has_blob(waste)) == (True, False)


# --- commands over tracking runs


def test_a_run_by_commands(doors: Doors) -> None:
    run = doors.commands.do(StartTracking(name="first", tags={"a": "b"}))
    assert (run.experiment_id, run.status, run.tags) == (DEFAULT_ID, "running", {"a": "b"})
    doors.commands.do(LogBatch(run=run.id, params={"lr": "1"}, metrics=(Point("m", 1.5, 0, AT),), tags={"a": None}))
    doors.commands.do(LogFile(run=run.id, path="model/MLmodel", blob="d" * 32, size=9))
    doors.commands.do(LogFile(run=run.id, path="model0", blob="d" * 32, size=9))
    details = InputDetails(schema="{}", tags={"fold": "3"})
    doors.commands.do(LogInput(run=run.id, digest="e" * 32, name="rides", context="training", details=details))
    ended = doors.commands.do(ChangeTracking(run=run.id, status="finished", ended_at=AT, name="renamed"))
    assert (ended.status, ended.name, ended.params, ended.tags) == ("finished", "renamed", {"lr": "1"}, {})
    assert [file.path for file in doors.reader.tracked_files(run.id)] == ["model/MLmodel", "model0"]
    assert [file.path for file in doors.reader.tracked_files(run.id, under="model")] == ["model/MLmodel"]
    assert [(one.name, one.details) for one in doors.reader.tracked_inputs(run.id)] == [("rides", details)]


def test_another_value_of_a_parameter_is_refused_and_the_batch_with_it(doors: Doors) -> None:
    run = doors.commands.do(StartTracking())
    doors.commands.do(LogBatch(run=run.id, params={"lr": "1"}))
    doors.commands.do(LogBatch(run=run.id, params={"lr": "1"}))
    with pytest.raises(ParamTaken):
        doors.commands.do(LogBatch(run=run.id, params={"lr": "2", "new": "x"}, tags={"t": "t"}))
    assert (doors.run(run.id).params, doors.run(run.id).tags) == ({"lr": "1"}, {})


def test_a_deleted_run_takes_nothing_until_it_is_restored(doors: Doors) -> None:
    run = doors.commands.do(StartTracking())
    assert doors.commands.do(ChangeTracking(run=run.id, state="deleted")).state == "deleted"
    with pytest.raises(TrackingRunDeleted):
        doors.commands.do(LogBatch(run=run.id, tags={"a": "b"}))
    with pytest.raises(TrackingRunDeleted):
        doors.commands.do(ChangeTracking(run=run.id, status="finished"))
    doors.commands.do(ChangeTracking(run=run.id, state="active"))
    doors.commands.do(LogBatch(run=run.id, tags={"a": "b"}))
    with pytest.raises(TrackingRunNotFound):
        doors.commands.do(LogBatch(run="f" * 32, tags={"a": "b"}))


def test_runs_of_a_flow_run_come_in_the_order_of_its_tasks(doors: Doors) -> None:
    for no in (3, 1, 2):
        doors.commands.do(StartTracking(flow_run_id="f" * 32, task_no=no, started_at=time.time_ns() // 1000))
    assert [run.task_no for run in doors.reader.tracking_runs_of("f" * 32)] == [1, 2, 3]


def test_a_reference_of_any_characters_is_not_found_and_is_no_fault(doors: Doors) -> None:
    for ref in ("a\0b", "\\u0000", "\\\\u0000", "'; --"):
        with pytest.raises(TrackingRunNotFound):
            doors.reader.find_tracking_run(ref)
