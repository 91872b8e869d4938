"""What every store keeps of logged models, whoever writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import pytest
from sklearn.linear_model import LinearRegression

from ostinato import session
from ostinato.core.commands import (
    ChangeLoggedModel,
    CreateExperiment,
    CreateLoggedModel,
    LogModelMetrics,
    LogModelParams,
    StartTracking,
    TagLoggedModel,
)
from ostinato.core.errors import (
    LoggedModelDeleted,
    LoggedModelNotFound,
    ParamTaken,
    TrackedValueInvalid,
    TrackingRunNotFound,
)
from ostinato.core.logged_models import LoggedModelMade, new_model_id
from ostinato.core.tracking import Point, TrackingBegun
from ostinato.tracking.api import start_run
from ostinato.tracking.models.api import describe_model, load_model, log_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.conftest import Store

    from ostinato.core.ports import Commands, Reader, Recorder

AT = 1_790_000_000_000_000
RUN = "cd" * 16


class Doors(NamedTuple):
    """One home as three ends see it."""

    commands: Commands
    reader: Reader
    recorder: Recorder


@pytest.fixture
def doors(home: Path) -> Iterator[Doors]:
    commands, reader = session.commands(), session.reader()
    yield Doors(commands, reader, session.recorder())
    commands.close()
    reader.close()


def test_a_logged_model_is_in_the_experiment_of_its_run_though_both_come_in_one_block(doors: Doors) -> None:
    model_id = new_model_id()
    doors.recorder.record(TrackingBegun(RUN, AT, "rides", "run-cd"))
    doors.recorder.record(
        LoggedModelMade(
            model_id, AT + 1, RUN, "", "model", "ann", flavor="sklearn", signature=b"{}", requirements=("numpy==2.4",)
        )
    )
    assert doors.recorder.settle("database", 20)
    found = doors.reader.logged_model(model_id)
    assert found.experiment_id == doors.reader.find_experiment("rides").id
    assert (found.name, found.status, found.state) == ("model", "ready", "active")
    assert (found.flavor, found.signature, found.requirements) == ("sklearn", b"{}", ("numpy==2.4",))
    assert found.uri == f"models:/{model_id}"


def test_models_of_a_run_come_newest_first_and_by_name(doors: Doors) -> None:
    doors.recorder.record(TrackingBegun(RUN, AT, "rides", "run-cd"))
    ids = [new_model_id() for _ in range(3)]
    for no, (model_id, name) in enumerate(zip(ids, ("model", "scaler", "model"), strict=True)):
        doors.recorder.record(LoggedModelMade(model_id, AT + no, RUN, "", name))
    assert doors.recorder.settle("database", 20)
    assert [one.id for one in doors.reader.logged_models_of(RUN)] == ids[::-1]
    assert [one.id for one in doors.reader.logged_models_of(RUN, name="model")] == [ids[2], ids[0]]
    assert doors.reader.logged_models_of("") == []


def test_a_model_is_pending_until_it_is_said_to_be_ready(doors: Doors) -> None:
    doors.commands.do(CreateExperiment(name="rides"))
    run = doors.commands.do(StartTracking(experiment="rides"))
    made = doors.commands.do(CreateLoggedModel(run=run.id, name="model", params={"a": "1"}, tags={"t": "x"}))
    assert (made.status, made.experiment_id) == ("pending", run.experiment_id)
    ready = doors.commands.do(ChangeLoggedModel(model=made.id, status="ready"))
    assert (ready.status, ready.params, ready.tags) == ("ready", {"a": "1"}, {"t": "x"})
    tagged = doors.commands.do(TagLoggedModel(model=made.id, tags={"t": None, "u": "y"}))
    assert tagged.tags == {"u": "y"}


def test_the_first_value_of_a_parameter_stands(doors: Doors) -> None:
    made = doors.commands.do(CreateLoggedModel(name="model", params={"a": "1"}))
    doors.commands.do(LogModelParams(model=made.id, params={"a": "1", "b": "2"}))
    with pytest.raises(ParamTaken):
        doors.commands.do(LogModelParams(model=made.id, params={"b": "3"}))
    assert doors.reader.logged_model(made.id).params == {"a": "1", "b": "2"}


def test_the_newest_value_of_a_metric_stands_for_each_run_and_version_of_data(doors: Doors) -> None:
    made = doors.commands.do(CreateLoggedModel(name="model"))
    for run, digest, step, value in (("r1", "d1", 2, 5.0), ("r1", "d1", 1, 9.0), ("r1", "d2", 0, math.nan)):
        points = (Point("rmse", value, step, AT),)
        doors.commands.do(LogModelMetrics(model=made.id, run=run, metrics=points, dataset="rides", digest=digest))
    first, second = doors.reader.logged_model(made.id).metrics
    assert (first.value, first.step, first.digest) == (5.0, 2, "d1")
    assert math.isnan(second.value)


def test_a_deleted_model_is_kept_but_not_changed_or_listed(doors: Doors) -> None:
    run = doors.commands.do(StartTracking())
    made = doors.commands.do(CreateLoggedModel(run=run.id, name="model"))
    doors.commands.do(ChangeLoggedModel(model=made.id, state="deleted"))
    assert doors.reader.logged_models_of(run.id) == []
    assert doors.reader.logged_model(made.id).state == "deleted"
    with pytest.raises(LoggedModelDeleted):
        doors.commands.do(TagLoggedModel(model=made.id, tags={"a": "b"}))


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 3_000_000])
def test_texts_that_no_database_keeps_are_refused(doors: Doors, text: str) -> None:
    made = doors.commands.do(CreateLoggedModel(name="model"))
    with pytest.raises(TrackedValueInvalid):
        doors.commands.do(CreateLoggedModel(name=text))
    with pytest.raises(TrackedValueInvalid):
        doors.commands.do(TagLoggedModel(model=made.id, tags={"a": text}))
    with pytest.raises(TrackedValueInvalid):
        doors.commands.do(LogModelParams(model=made.id, params={text: "a"}))
    points = (Point("rmse", 1.0, 0, AT),)
    with pytest.raises(TrackedValueInvalid):
        doors.commands.do(LogModelMetrics(model=made.id, run=RUN, metrics=points, dataset="d", digest=text))


def test_what_does_not_exist_is_named(doors: Doors) -> None:
    with pytest.raises(LoggedModelNotFound, match="m-0000"):
        doors.reader.logged_model("m-0000")
    with pytest.raises(TrackingRunNotFound):
        doors.commands.do(CreateLoggedModel(run="00" * 16))


def test_a_model_is_logged_and_loaded_wherever_the_store_is(store: Store) -> None:
    model = LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0])
    with start_run("doubler", experiment="rides"):
        info = log_model(model, example=[[1.0]], how="pickle")
    for uri in (info.uri, f"runs:/{info.run_id}/model"):
        assert load_model(uri).predict([[21.0]]) == pytest.approx([42.0])
    assert describe_model(info.uri).requirements == info.requirements
    assert store.reader.logged_model(info.id).run_id == info.run_id
