"""What every store keeps of what is brought over from elsewhere: ids, times, whole models or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostinato import session
from ostinato.core.commands import (
    CreateExperiment,
    CreateModel,
    ImportedVersion,
    ImportModel,
    RemoveVersion,
    SetAlias,
)
from ostinato.core.errors import ModelExists, ModelInvalid
from ostinato.core.tracking import TrackingBegun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.conftest import Store

    from ostinato.core.ports import Commands

AT = 1_600_000_000_000_000


@pytest.fixture
def commands(store: Store) -> Iterator[Commands]:
    yield (one := session.commands())
    one.close()


def test_an_experiment_keeps_its_id_where_no_other_has_it(store: Store, commands: Commands) -> None:
    first = commands.do(CreateExperiment(name="rides", id="7", created_at=AT, tags={"team": "geo"}))
    assert (first.id, first.created_at, first.tags) == ("7", AT, {"team": "geo"})
    assert commands.do(CreateExperiment(name="other", id="7")).id not in ("7", "")
    assert commands.do(CreateExperiment(name="default", id="0")).id not in ("0", "")
    assert commands.do(CreateExperiment(name="words", id="a/b")).id.isdecimal()
    assert commands.do(CreateExperiment(name="Default", id="9")).id == "0"
    store.recorder.record(TrackingBegun("0a" * 16, AT, "rides", "run", started_at=AT))
    assert store.recorder.settle("database", 20)
    run = store.reader.find_tracking_run("0a" * 16)
    assert (run.experiment_id, run.created_at) == ("7", AT)


def test_a_model_comes_whole_and_later_only_its_newer_versions(store: Store, commands: Commands) -> None:
    versions = (
        ImportedVersion(version=1, source="runs:/1/m", stage="Production", actor="ann", created_at=AT),
        ImportedVersion(version=3, source="s3://b/3", stage="Production", tags={"seed": "3"}, description="third"),
    )
    taken = ImportModel(
        name="taxi", description="minutes", created_at=AT, versions=versions, last_version=5, aliases={"champion": 1}
    )
    made = commands.do(taken)
    assert (made.last_version, made.aliases) == (5, {"champion": 1, "production": 3})
    assert (made.description, made.created_at) == ("minutes", AT)
    first, third = (store.reader.find_version("taxi", number) for number in ("1", "3"))
    assert (first.actor, first.created_at, first.stage, first.source) == ("ann", AT, "Production", "runs:/1/m")
    assert (third.tags, third.description, third.aliases) == ({"seed": "3"}, "third", ("production",))
    commands.do(SetAlias(name="taxi", alias="champion", version=3))
    commands.do(RemoveVersion(name="taxi", version=1))
    more = ImportedVersion(version=6, source="s3://b/6", stage="Production")
    again = commands.do(ImportModel(name="taxi", versions=(*versions, more), aliases={"champion": 6}))
    assert again.aliases == {"champion": 3, "production": 3}
    assert [one.version for one in store.reader.model_versions("taxi")] == [6, 3]
    assert store.reader.find_version("taxi", "6").stage == "None"


def test_a_model_that_was_made_here_is_left_alone(store: Store, commands: Commands) -> None:
    commands.do(CreateModel(name="taxi"))
    with pytest.raises(ModelExists):
        commands.do(ImportModel(name="taxi", versions=(ImportedVersion(version=1, source="s3://b/1"),)))
    wrong = (ImportedVersion(version=1, source="s3://b/1"), ImportedVersion(version=2, source="s" * 200_000))
    with pytest.raises(ModelInvalid):
        commands.do(ImportModel(name="bus", versions=wrong))
    assert [one.name for one in store.reader.models()] == ["taxi"]
