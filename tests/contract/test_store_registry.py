"""What every store keeps of models: versions, aliases, stages, what a gate lets pass, and where versions come from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from tests.contract.happenings import created, ended, moved, started

from ostinato import session
from ostinato.core.commands import (
    ChangeTracking,
    Command,
    CreateModel,
    CreateVersion,
    DescribeModel,
    DescribeVersion,
    OverrideGate,
    RecordCheck,
    RemoveAlias,
    RemoveModel,
    RemoveVersion,
    RenameModel,
    ResumeRun,
    RollBack,
    SetAlias,
    SetPolicy,
    SetStage,
    TagModel,
)
from ostinato.core.errors import (
    AliasNotFound,
    BadOption,
    DatasetNotFound,
    GateRefused,
    ModelExists,
    ModelInvalid,
    ModelNotFound,
    ModelVersionNotFound,
    PolicyInvalid,
    RollbackRefused,
    RunNotFound,
    TrackedValueInvalid,
)
from ostinato.core.events import InputAsked
from ostinato.core.logged_models import LoggedModelMade, LoggedModelMetrics, new_model_id
from ostinato.core.registry import Policy
from ostinato.core.tracking import InputLogged, MetricsLogged, Point, TagsLogged, TrackingBegun
from ostinato.session.home import Home
from ostinato.store.maintenance import Keep, remove_old

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.conftest import Store

    from ostinato.core.ports import Commands, Reader, Recorder
    from ostinato.core.registry import GateResult, ModelVersion
    from ostinato.store.database import Database

AT = 1_790_000_000_000_000
GATE = "f0" * 16
RIDES = "rides"
DATA = "da" * 16


class Doors(NamedTuple):
    """One home as three ends see it, and its database."""

    commands: Commands
    reader: Reader
    recorder: Recorder
    database: Database

    def version(self, name: str = RIDES, **fields: Any) -> ModelVersion:
        return self.commands.do(CreateVersion(**{"name": name, "source": "s3://m", "make_model": True, **fields}))

    def policy(self, **checks: dict[str, Any]) -> None:
        policy = msgspec.convert({"checks": checks}, Policy)
        self.commands.do(SetPolicy(name=RIDES, policy=policy))

    def check(self, version: int, check: str, gate_run_id: str = GATE, **fields: Any) -> GateResult:
        command = RecordCheck(
            name=RIDES, version=version, alias="production", check=check, gate_run_id=gate_run_id, **fields
        )
        return self.commands.do(command)

    def promote(self, version: int, alias: str = "production") -> ModelVersion:
        return self.commands.do(SetAlias(name=RIDES, alias=alias, version=version))

    def promote_of(self, one: ModelVersion, alias: str) -> ModelVersion:
        return self.commands.do(SetAlias(name=one.name, alias=alias, version=one.version))

    def tracked(self, run_id: str, *, digest: str = DATA, context: str = "validation", **metrics: float) -> str:
        self.recorder.record(TrackingBegun(run_id, AT, "rides", f"run-{run_id[:2]}"))
        self.recorder.record(InputLogged(run_id, AT, digest, "rides-2021-02", context))
        points = tuple(Point(key, value, 0, AT) for key, value in metrics.items())
        self.recorder.record(MetricsLogged(run_id, AT, 1, points))
        assert self.recorder.settle("database", 20)
        return run_id

    def flow(self, run_id: str = GATE) -> str:
        self.recorder.record(created(run_id))
        self.recorder.record(moved(run_id, "Running", "Pending"))
        assert self.recorder.settle("database", 20)
        return run_id

    def pins(self) -> list[tuple[str, str]]:
        return self.database.db.execute("SELECT run_id, reason FROM pins ORDER BY reason, run_id").fetchall()


@pytest.fixture
def doors(home: Path) -> Iterator[Doors]:
    commands, reader = session.commands(), session.reader()
    database = Home(str(home)).open()
    yield Doors(commands, reader, session.recorder(), database)
    commands.close()
    reader.close()
    database.close()


# --- models and versions


def test_a_model_is_made_described_tagged_renamed_and_removed(doors: Doors) -> None:
    made = doors.commands.do(CreateModel(name=RIDES, description="minutes", tags={"team": "a"}))
    assert (made.name, made.description, made.tags, made.last_version) == (RIDES, "minutes", {"team": "a"}, 0)
    with pytest.raises(ModelExists):
        doors.commands.do(CreateModel(name=RIDES))
    doors.commands.do(DescribeModel(name=RIDES, description="in minutes"))
    doors.commands.do(TagModel(name=RIDES, tags={"team": None, "unit": "min"}))
    doors.version(tags={"k": "v"})
    doors.promote(1, "champion")
    doors.commands.do(CreateModel(name="other"))
    with pytest.raises(ModelExists):
        doors.commands.do(RenameModel(name=RIDES, new_name="other"))
    renamed = doors.commands.do(RenameModel(name=RIDES, new_name="durations"))
    assert (renamed.description, renamed.tags, renamed.aliases) == ("in minutes", {"unit": "min"}, {"champion": 1})
    assert doors.reader.find_version("durations", "@champion").tags == {"k": "v"}
    assert [step.name for step in doors.reader.alias_steps("durations")] == ["durations"]
    with pytest.raises(ModelNotFound):
        doors.reader.find_model(RIDES)
    doors.commands.do(RemoveModel(name="durations"))
    assert [model.name for model in doors.reader.models()] == ["other"]
    assert doors.reader.model_versions("durations") == []
    assert doors.version("durations").version == 1
    assert doors.reader.alias_steps("durations") == []


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b", "a@b", "x" * 257, "a\nb", "."])
def test_names_that_an_address_could_not_hold_are_refused(doors: Doors, name: str) -> None:
    with pytest.raises(ModelInvalid):
        doors.commands.do(CreateModel(name=name))
    with pytest.raises(ModelInvalid):
        doors.version(name)


def test_versions_count_up_and_a_number_is_never_used_twice(doors: Doors) -> None:
    assert [doors.version().version for _ in range(3)] == [1, 2, 3]
    doors.commands.do(RemoveVersion(name=RIDES, version=3))
    assert doors.version(description="again").version == 4
    assert [one.version for one in doors.reader.model_versions(RIDES, limit=2)] == [4, 2]
    assert [one.version for one in doors.reader.model_versions(RIDES, before=2)] == [1]
    changed = doors.commands.do(DescribeVersion(name=RIDES, version=4, description="better"))
    doors.commands.do(TagModel(name=RIDES, version=4, tags={"seed": "42"}))
    assert changed.description == "better"
    assert doors.reader.find_version(RIDES, "latest").tags == {"seed": "42"}
    assert doors.reader.find_version(RIDES, "4").source == "s3://m"
    for ref in ("3", "9", "99999999999999999999"):
        with pytest.raises(ModelVersionNotFound):
            doors.reader.find_version(RIDES, ref)
    with pytest.raises(ModelNotFound):
        doors.reader.find_version("nothing", "1")
    with pytest.raises(ModelNotFound):
        doors.commands.do(CreateVersion(name="nothing", source="s3://m"))


def test_registrations_at_once_get_numbers_of_their_own(home: Path) -> None:
    numbers: list[int] = []
    register = CreateVersion(name=RIDES, source="s3://m", make_model=True)

    def work() -> None:
        commands = session.commands()
        numbers.extend(commands.do(register).version for _ in range(5))
        commands.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 21)), home


def test_a_task_that_registers_the_same_files_again_has_made_one_version(doors: Doors) -> None:
    call: dict[str, Any] = {"flow_run_id": doors.flow(), "task_no": 3}
    made = doors.version(**call)
    assert doors.version(**call, description="again") == made
    assert doors.version(**call, source="s3://other").version == 2
    assert doors.version(flow_run_id=GATE, task_no=4).version == 3
    assert [doors.version().version, doors.version().version] == [4, 5]
    doors.commands.do(RemoveVersion(name=RIDES, version=1))
    assert doors.version(**call).version == 6


def test_a_version_belongs_to_the_run_of_its_files_and_to_no_other(doors: Doors) -> None:
    mine, other = doors.tracked("a1" * 16, rmse=6.4), doors.tracked("a2" * 16, rmse=9.9)
    model_id = new_model_id()
    doors.recorder.record(LoggedModelMade(model_id, AT, mine, "", "model"))
    assert doors.recorder.settle("database", 20)
    for source in (f"runs:/{mine}/model", f"mlflow-artifacts:/0/{mine}/artifacts/model", f"models:/{model_id}"):
        assert doors.version(source=source).run_id == mine
        with pytest.raises(ModelInvalid, match=f"belongs to {mine}"):
            doors.version(source=source, run_id=other)
    assert doors.version(source=f"models:/{model_id}").model_id == model_id
    assert doors.version("copies", source=f"models:/{RIDES}/1").run_id == mine
    with pytest.raises(ModelInvalid, match="belongs to"):
        doors.version("copies", source=f"models:/{RIDES}/1", run_id=other)
    with pytest.raises(ModelVersionNotFound):
        doors.version("copies", source=f"models:/{RIDES}/99")


def test_texts_that_are_too_long_are_refused_and_long_ones_are_kept(doors: Doors) -> None:
    longest = doors.version("ü" * 256, tags={"k" * 500: "v" * 100_000}, description="d" * 100_000)
    assert doors.promote_of(longest, "é" * 255).tags == {"k" * 500: "v" * 100_000}
    unkept: list[dict[str, Any]] = [{"tags": {"k" * 5000: "v"}}, {"tags": {"k": "v" * (1 << 21)}}]
    for fields in unkept:
        with pytest.raises(TrackedValueInvalid):
            doors.version(**fields)
    refused: list[dict[str, Any]] = [{"description": "d" * 200_000}, {"run_id": "r" * 300}, {"description": "a\0b"}]
    for fields in refused:
        with pytest.raises(ModelInvalid):
            doors.version(**fields)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/etc/passwd",
        "model",
        "c:/models",
        "file:///etc",
        "s3://bucket/../other",
        "runs:/a/%2e%2e/b",
        "s3://b/%252e%252e/c",
    ],
)
def test_sources_on_a_disk_or_that_lead_out_are_refused(doors: Doors, source: str) -> None:
    with pytest.raises(ModelInvalid):
        doors.version(source=source)


# --- aliases and stages


def test_an_alias_means_one_version_and_its_moves_are_kept(doors: Doors) -> None:
    for _ in range(2):
        doors.version()
    doors.promote(1, "champion")
    assert doors.promote(2, "champion").aliases == ("champion",)
    doors.promote(2, "champion")  # again: nothing happens
    assert doors.reader.find_version(RIDES, "@champion").version == 2
    doors.commands.do(RemoveAlias(name=RIDES, alias="champion"))
    with pytest.raises(AliasNotFound):
        doors.reader.find_version(RIDES, "@champion")
    with pytest.raises(AliasNotFound):
        doors.commands.do(RemoveAlias(name=RIDES, alias="champion"))
    steps = doors.reader.alias_steps(RIDES, alias="champion")
    assert [(step.version, step.previous, step.how, step.actor) for step in steps] == [
        (0, 2, "removed", "local"), (2, 1, "set", "local"), (1, 0, "set", "local"),
    ]  # fmt: skip
    assert doors.reader.alias_steps(RIDES, before=steps[0].id, limit=1) == [steps[1]]


@pytest.mark.parametrize("alias", ["", "latest", "12", "v3", "none", "Archived", "a b", "a/b"])
def test_aliases_that_mean_something_else_are_refused(doors: Doors, alias: str) -> None:
    doors.version()
    with pytest.raises(ModelInvalid):
        doors.promote(1, alias)


def test_a_stage_is_an_alias_and_the_version_before_is_archived(doors: Doors) -> None:
    for _ in range(3):
        doors.version()
    doors.commands.do(SetStage(name=RIDES, version=1, stage="Production"))
    doors.commands.do(SetStage(name=RIDES, version=2, stage="Production"))
    stages = {one.version: (one.stage, one.aliases) for one in doors.reader.model_versions(RIDES)}
    assert stages == {1: ("Production", ()), 2: ("Production", ("production",)), 3: ("None", ())}
    doors.commands.do(SetStage(name=RIDES, version=3, stage="Production", archive_existing=True))
    stages = {one.version: (one.stage, one.aliases) for one in doors.reader.model_versions(RIDES)}
    assert stages == {1: ("Archived", ()), 2: ("Archived", ()), 3: ("Production", ("production",))}
    doors.promote(3, "Staging")
    assert doors.reader.find_version(RIDES, "Staging").version == 3
    assert doors.reader.find_model(RIDES).aliases == {"staging": 3}
    doors.promote(1)
    assert doors.reader.find_version(RIDES, "production").stage == "Production"
    doors.commands.do(SetStage(name=RIDES, version=1, stage="Archived"))
    assert doors.reader.find_model(RIDES).aliases == {"staging": 3}
    assert doors.reader.find_version(RIDES, "Archived").version == 2


def test_a_version_that_leaves_a_stage_gives_its_alias_to_the_next_one_there(doors: Doors) -> None:
    for version in (1, 2):
        doors.version()
        doors.commands.do(SetStage(name=RIDES, version=version, stage="Production"))
    doors.commands.do(RemoveVersion(name=RIDES, version=2))
    assert doors.reader.find_version(RIDES, "Production").version == 1
    doors.commands.do(RemoveAlias(name=RIDES, alias="production"))
    assert doors.reader.find_version(RIDES, "1").stage == "None"


def test_a_rollback_goes_back_and_never_forward_again(doors: Doors) -> None:
    for version in (1, 2, 3):
        doors.version()
        doors.promote(version)
    assert doors.commands.do(RollBack(name=RIDES, alias="production")).version == 2
    assert doors.reader.find_version(RIDES, "3").stage == "Archived"
    assert doors.commands.do(RollBack(name=RIDES, alias="production")).version == 1
    with pytest.raises(RollbackRefused):
        doors.commands.do(RollBack(name=RIDES, alias="production"))
    doors.promote(3)
    doors.promote(2)
    with pytest.raises(RollbackRefused, match="3, 1"):
        doors.commands.do(RollBack(name=RIDES, alias="production", version=7))
    doors.commands.do(RemoveVersion(name=RIDES, version=3))
    back = doors.commands.do(RollBack(name=RIDES, alias="production"))
    assert (back.version, back.stage, back.aliases) == (1, "Production", ("production",))
    assert doors.reader.alias_steps(RIDES)[0].how == "rollback"


# --- gates


def test_without_a_policy_nothing_is_gated(doors: Doors) -> None:
    doors.version()
    assert doors.promote(1).stage == "Production"


def test_a_gated_alias_moves_only_when_the_newest_checks_allow_it(doors: Doors) -> None:
    doors.version(run_id=doors.tracked("a1" * 16, rmse=6.4))
    doors.version(run_id=doors.tracked("a2" * 16, rmse=7.1))
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.5}, smoke={"kind": "task", "task": "c.py:smoke"})
    doors.flow()
    for command in (
        SetAlias(name=RIDES, alias="Production", version=1),
        SetStage(name=RIDES, version=1, stage="Production"),
        SetStage(name=RIDES, version=1, stage="Production", archive_existing=True),
    ):
        with pytest.raises(GateRefused, match="rmse: not checked; smoke: not checked"):
            doors.commands.do(command)
    assert doors.promote(1, "staging").stage == "Staging"  # that one is free
    assert doors.check(1, "rmse").passed
    assert not doors.check(1, "smoke", passed=False, detail="it is slow").passed
    with pytest.raises(GateRefused, match="production: smoke: it is slow"):
        doors.promote(1)
    assert doors.check(1, "smoke").passed
    assert doors.promote(1).aliases == ("production",)
    assert doors.reader.alias_steps(RIDES)[1].gate_run_id == GATE
    failed = doors.check(2, "rmse", passed=True, detail="trust me")  # it is looked up, whoever says what
    assert (failed.passed, failed.detail) == (False, "rmse is 7.1, at most 6.5 is wanted")
    assert [one.check for one in doors.reader.gate_results(RIDES, 1, limit=2)] == ["smoke", "smoke"]


def test_results_of_an_older_run_or_policy_do_not_count(doors: Doors) -> None:
    doors.version(run_id=doors.tracked("a1" * 16, rmse=6.4))
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.5}, smoke={"kind": "task", "task": "c.py:smoke"})
    later = doors.flow("f1" * 16)
    doors.flow()
    doors.check(1, "rmse")
    doors.check(1, "smoke")
    doors.check(1, "rmse", later)
    with pytest.raises(GateRefused, match="production: smoke: not checked"):
        doors.promote(1)
    doors.check(1, "smoke", later)
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.3})
    with pytest.raises(GateRefused, match="rmse: checked by an older policy"):
        doors.promote(1)
    doors.commands.do(SetPolicy(name=RIDES, policy=None))
    assert doors.promote(1).stage == "Production"


def test_a_version_is_compared_with_the_champion_on_the_same_data_only(doors: Doors) -> None:
    doors.version(run_id=doors.tracked("a1" * 16, rmse=6.6))
    doors.version(run_id=doors.tracked("a2" * 16, rmse=6.5))
    doors.version(run_id=doors.tracked("a3" * 16, rmse=6.4, digest="db" * 16))
    doors.version(run_id=doors.tracked("a4" * 16, rmse=6.4, context="training"))
    doors.policy(better={"kind": "champion", "metric": "rmse"})
    doors.flow()
    assert doors.check(1, "better").detail == "no version has had the alias"
    doors.check(2, "better")
    doors.promote(1)
    with pytest.raises(GateRefused, match="compared with no version, the champion is version 1"):
        doors.promote(2)
    assert "rmse is 6.5, that of version 1 6.6" in doors.check(2, "better").detail
    assert doors.check(3, "better").detail == "version 1 has no rmse on the same data"
    assert doors.check(4, "better").detail == "rmse is not recorded on a known version of data"
    assert doors.promote(2).version == 2
    assert not doors.check(1, "better").passed
    again = doors.tracked("b1" * 16, rmse=6.3, digest="db" * 16)
    doors.recorder.record(TagsLogged(again, AT, {"ostinato.evaluates": f"{RIDES}/2"}))
    assert doors.recorder.settle("database", 20)
    worse = doors.check(3, "better")
    assert (worse.passed, worse.champion) == (False, 2)
    assert "rmse is 6.4, that of version 2 6.3" in worse.detail
    doors.policy(better={"kind": "champion", "metric": "rmse", "by": -0.2})
    assert doors.check(3, "better").passed


def test_taking_the_alias_away_is_no_way_around_the_champion(doors: Doors) -> None:
    doors.version(run_id=doors.tracked("a1" * 16, rmse=6.4))
    doors.version(run_id=doors.tracked("a2" * 16, rmse=6.6))
    doors.policy(better={"kind": "champion", "metric": "rmse"})
    doors.flow()
    doors.check(1, "better")
    doors.promote(1)
    ways: list[Command[Any]] = [
        RemoveAlias(name=RIDES, alias="production"),
        SetStage(name=RIDES, version=1, stage="Archived"),
    ]
    for command in ways:
        doors.commands.do(command)
        assert "6.6, that of version 1 6.4" in doors.check(2, "better").detail
        with pytest.raises(GateRefused, match="not lower"):
            doors.promote(2)
        assert doors.check(1, "better").detail == "it had the alias last"
        assert doors.promote(1).stage == "Production"
    doors.commands.do(RemoveVersion(name=RIDES, version=1))
    assert doors.check(2, "better").passed


def test_metrics_of_a_logged_model_count_where_its_run_has_none(doors: Doors) -> None:
    run_id = doors.tracked("a1" * 16)
    for rmse in (6.6, 6.4):
        model_id = new_model_id()
        doors.recorder.record(LoggedModelMade(model_id, AT, run_id, "", f"model-{rmse}"))
        points = (Point("rmse", rmse, 0, AT),)
        doors.recorder.record(LoggedModelMetrics(model_id, AT, run_id, points, "rides", DATA))
        assert doors.recorder.settle("database", 20)
        doors.version(source=f"models:/{model_id}")
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.7}, better={"kind": "champion", "metric": "rmse"})
    doors.flow()
    for check in ("rmse", "better"):
        assert doors.check(1, check).passed
    doors.promote(1)
    assert doors.check(2, "better").detail.startswith("rmse is 6.4, that of version 1 6.6")


def test_a_deleted_run_has_no_metrics_to_pass_with(doors: Doors) -> None:
    doors.version(run_id=doors.tracked("a1" * 16, rmse=6.4))
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.5})
    doors.flow()
    doors.commands.do(ChangeTracking(run="a1" * 16, state="deleted"))
    assert doors.check(1, "rmse").detail == "rmse is not recorded"


def test_what_is_no_number_passes_no_bound(doors: Doors) -> None:
    doors.version(run_id=doors.tracked("a1" * 16, rmse=float("nan"), time=float("inf")))
    doors.policy(
        rmse={"kind": "metric", "metric": "rmse", "max": 6.5},
        time={"kind": "latency", "metric": "time", "max_s": 1.0},
        r2={"kind": "metric", "metric": "r2", "min": 0.5},
    )
    doors.flow()
    assert not doors.check(1, "rmse").passed
    assert not doors.check(1, "time").passed
    assert doors.check(1, "r2").detail == "r2 is not recorded"


def test_a_signature_must_take_what_that_of_the_champion_takes(doors: Doors) -> None:
    run_id = doors.tracked("a1" * 16, rmse=6.4)

    def logged(kind: str) -> str:
        signature = f'{{"inputs": [{{"type": "{kind}", "name": "distance"}}]}}'.encode()
        model_id = new_model_id()
        at = AT + "long double string".index(kind)
        doors.recorder.record(LoggedModelMade(model_id, at, run_id, "", "model", signature=signature))
        assert doors.recorder.settle("database", 20)
        return model_id

    for kind in ("long", "double", "string"):
        doors.version(model_id=logged(kind), run_id=run_id)
    doors.version(source=f"runs:/{run_id}/model", run_id=run_id)
    doors.policy(schema={"kind": "signature"})
    doors.flow()
    assert doors.check(1, "schema").passed
    doors.promote(1)
    assert doors.check(2, "schema").detail == "it takes what version 1 takes"
    assert doors.check(3, "schema").detail == "input 'distance' was long, and is string"
    assert doors.check(4, "schema").detail == "input 'distance' was long, and is string"


def test_an_approval_is_what_a_person_answered_to_the_run(doors: Doors) -> None:
    doors.version()
    doors.policy(boss={"kind": "approval"})
    doors.flow()
    assert doors.check(1, "boss").detail == "nobody has answered"
    doors.recorder.record(InputAsked(GATE, 1, AT, "boss", b'{"type": "boolean"}', 0))
    doors.recorder.record(moved(GATE, "Paused"))
    assert doors.recorder.settle("database", 20)
    doors.commands.do(ResumeRun(run=GATE, input=True))
    assert doors.check(1, "boss").detail == "local said yes"
    doors.policy(boss={"kind": "approval", "by": ["ann"]})
    assert doors.check(1, "boss").detail == "local answered, who is none of ann"


def test_an_override_needs_a_reason_and_is_kept(doors: Doors) -> None:
    doors.version()
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.5})
    with pytest.raises(BadOption, match="empty"):
        doors.commands.do(OverrideGate(name=RIDES, alias="production", version=1, reason="  "))
    doors.commands.do(OverrideGate(name=RIDES, alias="production", version=1, reason="the old one is down"))
    step = doors.reader.alias_steps(RIDES)[0]
    assert (step.how, step.reason, step.actor) == ("override", "the old one is down", "local")
    audit = doors.reader.audit()[0]
    assert (audit.action, audit.subject, audit.detail) == ("override-gate", "rides/1@production", "the old one is down")


def test_checks_belong_to_a_policy_and_to_a_run_that_is_known(doors: Doors) -> None:
    doors.version()
    with pytest.raises(PolicyInvalid, match="no check 'rmse'"):
        doors.check(1, "rmse")
    doors.policy(rmse={"kind": "metric", "metric": "rmse", "max": 6.5})
    with pytest.raises(RunNotFound):
        doors.check(1, "rmse")


@pytest.mark.parametrize(
    "policy",
    [
        {"checks": {}},
        {"checks": {"a": {"kind": "metric", "metric": "m"}}},
        {"checks": {"a b": {"kind": "signature"}}},
        {"checks": {"a": {"kind": "task", "task": "smoke"}}},
        {"checks": {"a": {"kind": "approval", "within_s": 0}}},
        {"checks": {"a": {"kind": "signature"}}, "aliases": []},
        {"checks": {"a": {"kind": "signature"}}, "aliases": ["latest"]},
    ],
)
def test_a_policy_that_nothing_could_meet_is_refused(doors: Doors, policy: dict[str, Any]) -> None:
    doors.version()
    with pytest.raises(PolicyInvalid):
        doors.commands.do(SetPolicy(name=RIDES, policy=msgspec.convert(policy, Policy)))


# --- lineage


def test_a_version_leads_back_to_task_flow_code_and_data_and_data_leads_forward(doors: Doors) -> None:
    flow = "0f" * 16
    doors.flow(flow)
    doors.recorder.record(started(flow, 1))
    doors.recorder.record(ended(flow, 1))
    begun = TrackingBegun(
        "a1" * 16, AT, "rides", "trial-1", source="/train.py", version="abc", flow_run_id=flow, task_no=1
    )
    doors.recorder.record(begun)
    doors.recorder.record(InputLogged("a1" * 16, AT, DATA, "rides-2021-02", "validation"))
    assert doors.recorder.settle("database", 20)
    doors.version(run_id="a1" * 16)
    doors.version(flow_run_id=flow)
    origin = doors.reader.version_origin(RIDES, 1)
    assert (origin.run_name, origin.experiment, origin.code_version, origin.code_file) == (
        "trial-1", "rides", "abc", "/train.py",
    )  # fmt: skip
    assert (origin.flow, origin.flow_run_id, origin.root_run_id) == ("train", flow, flow)
    assert (origin.task_no, origin.task_run, origin.task_version) == (1, "fit-1", "v2")
    assert [(one.digest, one.name, one.context, one.via) for one in origin.data] == [
        (DATA, "rides-2021-02", "validation", "tracking-run")
    ]
    assert doors.reader.version_origin(RIDES, 2).code_version == "v1"
    (forward,) = doors.reader.models_from_data(DATA)
    assert (forward.name, forward.version, forward.run_id) == (RIDES, 1, "a1" * 16)
    with pytest.raises(DatasetNotFound):
        doors.reader.models_from_data("ff" * 16)
    assert doors.pins() == [(flow, "model:rides/1"), (flow, "model:rides/2")]
    doors.commands.do(RemoveVersion(name=RIDES, version=2))
    doors.commands.do(RenameModel(name=RIDES, new_name="durations"))
    assert doors.pins() == [(flow, "model:durations/1")]
    doors.commands.do(RemoveModel(name="durations"))
    assert doors.pins() == []


# --- with a server too


def test_the_registry_is_the_same_with_and_without_a_server(store: Store) -> None:
    store.recorder.record(TrackingBegun("a1" * 16, AT, "rides", "trial-1"))
    store.recorder.record(InputLogged("a1" * 16, AT, DATA, "rides-2021-02", "validation"))
    store.recorder.record(MetricsLogged("a1" * 16, AT, 1, (Point("rmse", 6.4, 0, AT),)))
    store.recorder.record(created(GATE))
    assert store.recorder.settle("database", 20)
    commands = session.commands()
    made = commands.do(CreateVersion(name=RIDES, source=f"runs:/{'a1' * 16}/model", make_model=True))
    assert (made.version, made.run_id) == (1, "a1" * 16)
    checks = {"rmse": {"kind": "metric", "metric": "rmse", "max": 6.5}}
    commands.do(SetPolicy(name=RIDES, policy=msgspec.convert({"checks": checks}, Policy)))
    move = SetAlias(name=RIDES, alias="production", version=1)
    with pytest.raises(GateRefused, match="not checked"):
        commands.do(move)
    check = RecordCheck(name=RIDES, version=1, alias="production", check="rmse", gate_run_id=GATE)
    assert commands.do(check).passed
    assert commands.do(move).stage == "Production"
    commands.close()
    reader = store.reader
    assert [one.name for one in reader.models()] == [RIDES]
    assert reader.find_model(RIDES).policy == msgspec.convert({"checks": checks}, Policy)
    assert reader.find_version(RIDES, "Production") == reader.model_versions(RIDES)[0]
    assert [one.gate_run_id for one in reader.alias_steps(RIDES, alias="production")] == [GATE]
    assert [one.check for one in reader.gate_results(RIDES, 1)] == ["rmse"]
    assert [one.digest for one in reader.version_origin(RIDES, 1).data] == [DATA]
    assert [one.version for one in reader.models_from_data(DATA)] == [1]
    with pytest.raises(ModelVersionNotFound):
        reader.find_version(RIDES, "2")


def test_retention_keeps_what_a_version_comes_from_as_long_as_it_is_there(doors: Doors) -> None:
    trained, other = doors.flow("0f" * 16), doors.flow("0e" * 16)
    doors.recorder.record(TrackingBegun("a1" * 16, AT, "rides", "trial-1", flow_run_id=trained))
    for run_id in (trained, other):
        doors.recorder.record(moved(run_id, "Completed", "Running"))
    assert doors.recorder.settle("database", 20)
    doors.version(run_id="a1" * 16)
    far = 1 << 61
    keep = Keep(blocks_from=0, runs_from=far, blobs_from=0, audit_from=0)
    remove_old(doors.database, keep, [doors.recorder.stream])
    assert doors.reader.find_run(trained).state == "Completed"
    with pytest.raises(RunNotFound):
        doors.reader.find_run(other)
    doors.commands.do(RemoveModel(name=RIDES))
    remove_old(doors.database, keep, [doors.recorder.stream])
    with pytest.raises(RunNotFound):
        doors.reader.find_run(trained)
