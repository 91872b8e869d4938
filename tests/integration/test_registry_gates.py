"""Promotions as flows: what is recorded, who decides, and that no door leads around a gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sklearn.linear_model import LinearRegression
from tests.integration.served import Served, problem, served

import ostinato
from ostinato import dataset, flow, log_model, models, promote, register_model, session, start_run, task
from ostinato.cli.advice import next_commands
from ostinato.core.commands import ResumeRun, SetPolicy
from ostinato.core.errors import (
    BadOption,
    ControlRefused,
    GateFailed,
    GateRefused,
    LoggedModelNotFound,
    ModelNotFound,
    NotATask,
)
from ostinato.core.query import Query
from ostinato.core.registry import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from ostinato.core.registry_views import VersionView

pytestmark = pytest.mark.usefixtures("home")

COMMAND = str(Path(sys.executable).with_name("ostinato"))
RIDES = "rides"
DATA = "da" * 16


def version(rmse: float, *, digest: str = DATA, **tags: Any) -> VersionView:
    """Give a new version, made by a tracking run with a metric on some data."""
    with start_run(f"rmse-{rmse}") as run:
        run.log_metric("rmse", rmse)
        run.use_data(digest, "rides-2021-02", "validation")
        run.log_text("flavors: {}", "model/MLmodel")
    return register_model(f"runs:/{run.id}/model", RIDES, tags=tags)


def gate(*aliases: str, **checks: dict[str, Any]) -> None:
    policy = msgspec.convert({"checks": checks, "aliases": aliases or ("production",)}, Policy)
    commands = session.commands()
    commands.do(SetPolicy(name=RIDES, policy=policy))
    commands.close()


# --- the Python names


def test_a_version_is_registered_found_described_tagged_and_moved() -> None:
    made = version(6.4, seed=42)
    assert (made.name, made.version, made.uri, made.tags) == (RIDES, 1, "models:/rides/1", {"seed": "42"})
    models.describe(RIDES, "minutes of a ride")
    models.describe(RIDES, "the first", version=1)
    models.tag(RIDES, {"team": "a"})
    models.tag(RIDES, {"seed": None, "n": 3}, version=1)
    models.set_alias(RIDES, "champion", 1)
    models.set_stage(RIDES, 1, "staging")
    found = models.find_version("models:/rides@champion")
    assert (found.description, found.tags, found.stage) == ("the first", {"n": "3"}, "Staging")
    model = models.find_model(RIDES)
    assert (model.description, model.tags, model.aliases) == (
        "minutes of a ride", {"team": "a"}, {"champion": 1, "staging": 1},
    )  # fmt: skip
    models.remove_alias(RIDES, "champion")
    assert [one.aliases for one in models.versions(RIDES)] == [("staging",)]
    assert version(6.3).version == 2
    models.set_alias(RIDES, "staging", 2)
    assert models.roll_back(RIDES, "staging").version == 1


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("runs:/" + "0" * 32 + "/model", ostinato.core.errors.TrackingRunNotFound),
        ("m-" + "0" * 32, LoggedModelNotFound),
        ("/home/ann/model", BadOption),
        ("file:///home/ann/model", BadOption),
        ("models:/rides/1", BadOption),
    ],
)
def test_what_names_no_model_is_not_registered(uri: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        register_model(uri, RIDES)
    with pytest.raises(ModelNotFound):
        models.find_model(RIDES)


def test_a_run_without_such_files_is_told() -> None:
    made = version(6.4)
    with pytest.raises(LoggedModelNotFound, match="'other'"):
        register_model(f"runs:/{made.run_id}/other", RIDES)


def test_a_retried_task_registers_its_model_once() -> None:
    tries = []

    @task(retries=1)
    def fit() -> int:
        with start_run("trial") as run:
            run.log_text("flavors: {}", "model/MLmodel")
        number = register_model(f"runs:/{run.id}/model", RIDES).version
        tries.append(number)
        if len(tries) == 1:
            raise ValueError
        return number

    @flow
    def train() -> int:
        return fit()

    assert train() == 1
    assert (tries, [one.version for one in models.versions(RIDES)]) == ([1, 1], [1])


# --- promotions


def test_a_promotion_is_a_flow_run_whose_tasks_are_the_checks() -> None:
    for rmse in (6.6, 6.4):
        version(rmse)
    models.set_alias(RIDES, "production", 1)
    gate(rmse={"kind": "metric", "metric": "rmse", "max": 6.5}, better={"kind": "champion", "metric": "rmse"})
    said = promote(RIDES, 2)
    assert said == {
        "rmse": "rmse is 6.4 (<= 6.5)",
        "better": f"rmse is 6.4, that of version 1 6.6, on data {DATA[:12]}",
    }
    reader = session.reader()
    (run,), _ = reader.runs(Query(), limit=1)
    assert (run.flow, run.name, run.state) == ("promotion", "rides-2-to-production", "Completed")
    assert [one.name.partition("-4")[0][:10] for one in reader.task_runs(run.id)] == [
        "check-rmse", "check-bett", "move-alias",
    ]  # fmt: skip
    (table,) = reader.artifacts(run.id)
    assert table.key == "gate-rides"
    assert [(one.check, one.passed, one.gate_run_id) for one in reader.gate_results(RIDES, 2)] == [
        ("better", True, run.id), ("rmse", True, run.id),
    ]  # fmt: skip
    assert reader.alias_steps(RIDES)[0].gate_run_id == run.id
    assert models.find_version("models:/rides/Production").version == 2
    assert models.find_version("models:/rides/1").stage == "Archived"
    reader.close()


def test_a_failed_promotion_names_the_checks_and_moves_nothing() -> None:
    version(6.6)
    gate(rmse={"kind": "metric", "metric": "rmse", "max": 6.5}, fast={"kind": "latency", "max_s": 20e-6})
    with pytest.raises(GateFailed, match=r"rmse is 6\.6, at most 6\.5 is wanted; fast: inference_time is not rec"):
        promote(RIDES, 1)
    with pytest.raises(GateRefused, match=r"rmse is 6\.6"):
        models.set_stage(RIDES, 1, "Production")
    assert models.find_model(RIDES).aliases == {}
    reader = session.reader()
    run = reader.find_run("last")
    assert [(one.state, one.error.type if one.error else "") for one in reader.task_runs(run.id)] == [
        ("Failed", "CheckFailed")
    ] * 2
    reader.close()
    assert next_commands(run)[1][0] == "ostinato promote rides 1 --to production"


def test_a_promotion_is_a_subflow_of_the_flow_that_trains() -> None:
    gated = {"kind": "metric", "metric": "rmse", "max": 6.5}

    @task
    def fit(rmse: float) -> int:
        return version(rmse).version

    @flow
    def train(rmse: float) -> int:
        number = fit(rmse)
        gate("staging", rmse=gated)
        promote(RIDES, number, to="staging")
        return number

    assert train(6.4) == 1
    with pytest.raises(GateFailed):
        train(6.6)
    reader = session.reader()
    origin = reader.version_origin(RIDES, 1)
    assert (origin.flow, origin.task_no, [one.digest for one in origin.data]) == ("train", 1, [DATA])
    assert origin.task_run.startswith("fit-")
    assert [(one.name, one.version) for one in reader.models_from_data(DATA)] == [(RIDES, 1), (RIDES, 2)]
    (run,) = reader.subflow_runs(origin.root_run_id)
    assert run.name == "rides-1-to-staging"
    reader.close()
    assert models.find_version("models:/rides@staging").version == 1


def test_data_that_another_task_read_leads_to_the_model_and_back(tmp_path: Path) -> None:
    (tmp_path / "rides.csv").write_text("miles,minutes\n1.0,5.0\n2.0,9.0\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("miles,minutes\n3.0,9.5\n", encoding="utf-8")

    @task
    def load(name: str) -> str:
        return dataset(str(tmp_path / f"{name}.csv"), name=name).digest

    @task
    def fit(digest: str) -> int:
        with start_run("trial") as run:
            run.set_tag("read", digest)
            run.log_text("flavors: {}", "model/MLmodel")
        return register_model(f"runs:/{run.id}/model", RIDES).version

    @flow
    def train() -> None:
        fit(load("rides"))

    @flow
    def look() -> None:
        load("other")

    train()
    look()
    reader = session.reader()
    (use,) = reader.version_origin(RIDES, 1).data
    assert (use.name, use.via) == ("rides", "flow-run")
    for ref in (use.digest, use.digest[:8], "rides"):
        assert [(one.name, one.version, one.via) for one in reader.models_from_data(ref)] == [(RIDES, 1, "flow-run")]
    assert reader.models_from_data("other") == []
    reader.close()


def test_rows_that_another_task_read_are_what_a_metric_was_measured_on(tmp_path: Path) -> None:
    for number, name in enumerate(("train-1", "train-2", "valid", "newer")):
        (tmp_path / f"{name}.csv").write_text(f"miles,minutes\n{number}.5,5.0\n2.0,9.0\n", encoding="utf-8")

    @task
    def load(name: str, context: str) -> str:
        return dataset(str(tmp_path / f"{name}.csv"), name=name, context=context).digest

    @task
    def fit(rmse: float, digests: list[str]) -> int:
        with start_run("trial") as run:
            run.log_params({"read": len(digests)})
            run.log_metric("rmse", rmse)
            run.log_text("flavors: {}", "model/MLmodel")
        return register_model(f"runs:/{run.id}/model", RIDES).version

    @flow
    def train(rmse: float, seen: str, held_out: str) -> int:
        return fit(rmse, [load(seen, "training"), load(held_out, "validation")])

    train(6.6, "train-1", "valid")
    gate(better={"kind": "champion", "metric": "rmse"})
    promote(RIDES, 1)
    promote(RIDES, train(6.4, "train-2", "valid"))
    with pytest.raises(GateFailed, match="version 2 has no rmse on the same data"):
        promote(RIDES, train(6.2, "train-2", "newer"))


CHECKS = """
    from ostinato import task

    @task
    def fine(name, version):
        return f"looked at {name}/{version}"

    @task
    def falls(name, version):
        return False

    @task
    def breaks(name, version):
        raise ValueError("no file")

    def plain(name, version):
        return True
"""


def test_tasks_of_ones_own_decide_by_failing_or_by_false(tmp_path: Path) -> None:
    file = tmp_path / "own_checks.py"
    file.write_text(textwrap.dedent(CHECKS), encoding="utf-8")
    version(6.4)
    gate(**{name: {"kind": "task", "task": f"{file}:{name}"} for name in ("fine", "falls", "breaks")})
    with pytest.raises(GateFailed, match="falls: falls gave False; breaks: breaks is Failed: no file"):
        promote(RIDES, 1)
    gate(plain={"kind": "task", "task": f"{file}:plain"})
    with pytest.raises(NotATask):
        promote(RIDES, 1)
    gate(fine={"kind": "task", "task": f"{file}:fine"})
    assert promote(RIDES, 1) == {"fine": "looked at rides/1"}


# --- the command line


def ostinato_says(home: Path, *words: str, code: int = 0) -> str:
    env = {**os.environ, "OSTINATO_HOME": str(home), "PYTHONWARNINGS": "error"}
    ended = subprocess.run(
        [COMMAND, *words], env=env, cwd=home.parent, capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


GATE = """
aliases = ["production"]

[checks.rmse]
kind = "metric"
metric = "rmse"
max = 6.5

[checks.boss]
kind = "approval"
within_s = 40
"""


def test_a_person_is_asked_last_and_an_override_is_kept(home: Path) -> None:
    for rmse in (6.4, 6.6):
        version(rmse)
    file = home.parent / "gate.toml"
    file.write_text(GATE, encoding="utf-8")
    assert "approval" in ostinato_says(home, "models", "policy", RIDES, str(file))
    said = ostinato_says(home, "promote", RIDES, "2", code=1)  # nobody is asked about what has failed
    assert "rmse is 6.6, at most 6.5 is wanted" in said
    assert "gate-refused" in ostinato_says(home, "models", "stage", RIDES, "1", "Production", code=4)
    env = {**os.environ, "OSTINATO_HOME": str(home)}
    for answer, code in ((False, 1), (True, 0)):
        process = subprocess.Popen(
            [COMMAND, "promote", RIDES, "1", "--quiet"],
            env=env, cwd=home.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        resume(answer)
        said = process.communicate(timeout=40)[0]
        assert process.returncode == code, said
        assert ("local said no" in said) is not answer
    assert models.find_version("models:/rides@production").version == 1
    assert "reason" in ostinato_says(home, "promote", RIDES, "2", "--override", " ", code=2)
    assert "is version 2" in ostinato_says(home, "promote", RIDES, "2", "--override", "the old one is down")
    steps = json.loads(ostinato_says(home, "models", "history", RIDES, "--json"))
    assert [(one["version"], one["how"], one["reason"]) for one in steps] == [
        (2, "override", "the old one is down"), (1, "set", None),
    ]  # fmt: skip
    assert "version 1" in ostinato_says(home, "models", "rollback", RIDES)
    run_id = json.loads(ostinato_says(home, "models", "show", RIDES, "2", "--json"))["run_id"]
    registered = ostinato_says(home, "models", "register", f"runs:/{run_id}/model", RIDES, "--tag", "again=yes")
    assert "rides version 3 is registered" in registered
    shown = ostinato_says(home, "models", "show", RIDES, "@production")
    assert "local said yes" in shown


def test_one_who_is_not_asked_cannot_answer_and_the_promotion_waits_on(server: Served) -> None:
    version(6.4)
    ann = server.key("ann", "editor")
    gate(boss={"kind": "approval", "by": ["ann"], "within_s": 40})
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(promote, RIDES, 1)
        with pytest.raises(ControlRefused, match="it asks ann, and you are local"):
            resume(True)
        ok(ann.post("/api/runs/rides-1-to-production/resume", json={"input": True}))
        assert said.result(40) == {"boss": "ann said yes"}


def test_a_subflow_asks_too_and_a_retry_checks_again(tmp_path: Path) -> None:
    version(6.4)
    file = tmp_path / "once.py"
    file.write_text(
        "from pathlib import Path\nfrom ostinato import task\n"
        "@task\ndef fine(name, version):\n    if not Path(__file__).with_name('ready').exists():\n"
        "        raise ValueError('not ready')\n",
        encoding="utf-8",
    )
    gate(own={"kind": "task", "task": f"{file}:fine"}, boss={"kind": "approval", "within_s": 40})

    @flow(retries=1, retry_delay_seconds=0)
    def release() -> dict[str, str]:
        try:
            return promote(RIDES, 1)
        finally:
            (tmp_path / "ready").touch()

    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(release)
        resume(True)
        assert said.result(40) == {"own": "fine ran", "boss": "local said yes"}
    assert models.find_version("models:/rides@production").version == 1


def resume(answer: bool) -> None:
    reader, commands = session.reader(), session.commands()
    end = time.monotonic() + 30
    while True:
        runs, _ = reader.runs(Query(), limit=5)
        run = next((one for one in runs if one.state == "Paused" and not one.parent_id), None)
        if run is not None:
            break
        assert time.monotonic() < end, runs
        time.sleep(0.05)
    reader.close()
    try:
        commands.do(ResumeRun(run=run.id, input=answer))
    finally:
        commands.close()


# --- every door


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def test_no_door_leads_around_a_gate(server: Served) -> None:
    for rmse in (6.6, 6.4):
        version(rmse)
    ann = server.key("ann", "editor")
    policy = {"checks": {"rmse": {"kind": "metric", "metric": "rmse", "max": 6.5}}}
    assert problem(ann.put("/api/models/rides/policy", json={"policy": policy})) == (403, "access-refused")
    assert server.http.put("/api/models/rides/policy", json={"policy": policy}).status_code == 200
    reasons = "rmse: not checked"
    for path, body in (
        ("registered-models/alias", {"name": RIDES, "alias": "production", "version": "1"}),
        ("registered-models/alias", {"name": RIDES, "alias": "Production", "version": "1"}),
        ("model-versions/transition-stage", {"name": RIDES, "version": "1", "stage": "Production"}),
        (
            "model-versions/transition-stage",
            {"name": RIDES, "version": "1", "stage": "production", "archive_existing_versions": True},
        ),
    ):
        refused = server.http.post(f"/api/2.0/mlflow/{path}", json=body)
        assert refused.status_code == 400, refused.text
        assert refused.json()["error_code"] == "INVALID_STATE"
        assert reasons in refused.json()["message"]
    for answer in (
        ann.put("/api/models/rides/aliases/production", json={"version": 1}),
        ann.post("/api/models/rides/versions/1", json={"stage": "Production"}),
    ):
        assert problem(answer) == (409, "gate-refused")
        assert reasons in answer.json()["detail"]
    override = {"version": 1, "override": "the old one is down"}
    assert problem(ann.put("/api/models/rides/aliases/production", json=override)) == (403, "access-refused")
    assert problem(ann.post("/api/models/rides", json={"name": "other"})) == (403, "access-refused")
    assert problem(ann.delete("/api/models/rides")) == (403, "access-refused")
    with pytest.raises(GateRefused, match=reasons):
        models.set_alias(RIDES, "production", 1)
    with pytest.raises(GateRefused, match=reasons):
        models.set_stage(RIDES, 1, "Production")
    with pytest.raises(GateFailed):
        promote(RIDES, 1)
    promote(RIDES, 2)
    moved = server.http.get("/api/2.0/mlflow/registered-models/get-latest-versions?name=rides&stages=Production").json()
    assert [one["version"] for one in moved["model_versions"]] == ["2"]
    assert server.http.put("/api/models/rides/aliases/production", json=override).json()["version"] == 1
    assert server.http.post("/api/models/rides/aliases/production/rollback").json()["version"] == 2


def test_clients_of_mlflow_are_told_where_the_files_of_a_model_are(server: Served) -> None:
    with start_run() as run:
        logged = log_model(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]), "model")
    for uri in (logged.uri, f"runs:/{run.id}/model"):
        made = register_model(uri, RIDES)
        assert (made.model_id, made.run_id) == (logged.id, run.id)
    copied = server.http.post(
        "/api/2.0/mlflow/model-versions/create", json={"name": RIDES, "source": "models:/rides/2"}
    ).json()["model_version"]
    assert (copied["version"], copied["model_id"], copied["source"]) == ("3", logged.id, "models:/rides/2")
    places = {
        server.http.get(
            "/api/2.0/mlflow/model-versions/get-download-uri", params={"name": RIDES, "version": version}
        ).json()["artifact_uri"]
        for version in (1, 2, 3)
    }
    assert places == {f"mlflow-artifacts:/0/models/{logged.id}/artifacts"}
    listed = server.http.get("/api/2.0/mlflow-artifacts/artifacts", params={"path": f"0/models/{logged.id}/artifacts"})
    assert "MLmodel" in {one["path"] for one in listed.json()["files"]}


def test_the_public_api_lists_shows_changes_and_removes(server: Served) -> None:
    assert server.http.post("/api/models", json={"name": "empty", "description": "d"}).status_code == 201
    source = {"source": "s3://bucket/model", "tags": {"k": "v"}}
    for number in (1, 2, 3):
        made = ok(server.http.post("/api/models/rides/versions", json=source), 201)
        assert (made["version"], made["tags"], made["stage"]) == (number, {"k": "v"}, "None")
    first = ok(server.http.get("/api/models", params={"limit": 1}))
    assert [one["name"] for one in first["items"]] == ["empty"]
    rest = ok(server.http.get("/api/models", params={"after": first["next"]}))
    assert [(one["name"], one["n_made"]) for one in rest["items"]] == [(RIDES, 3)]
    newest = ok(server.http.get("/api/models/rides/versions", params={"limit": 2}))
    assert ([one["version"] for one in newest["items"]], newest["next"]) == ([3, 2], "2")
    ok(server.http.put("/api/models/rides/aliases/champion", json={"version": 3}))
    changed = ok(
        server.http.post("/api/models/rides/versions/@champion", json={"description": "x", "stage": "Staging"})
    )
    assert (changed["version"], changed["description"], changed["aliases"]) == (3, "x", ["champion", "staging"])
    assert ok(server.http.get("/api/models/rides/versions/Staging"))["version"] == 3
    assert ok(server.http.get("/api/models/rides/versions/latest/lineage"))["source"] == "s3://bucket/model"
    assert ok(server.http.get("/api/models/rides/versions/3/checks"))["items"] == []
    steps = ok(server.http.get("/api/models/rides/history", params={"alias": "champion"}))["items"]
    assert [(one["version"], one["previous"]) for one in steps] == [(3, None)]
    ok(server.http.delete("/api/models/rides/aliases/champion"), 204)
    assert problem(server.http.get("/api/models/rides/versions/@champion")) == (404, "alias-not-found")
    ok(server.http.delete("/api/models/rides/versions/3"), 204)
    assert problem(server.http.get("/api/models/rides/versions/3")) == (404, "model-version-not-found")
    renamed = ok(server.http.post("/api/models/rides", json={"name": "taxi", "description": "y", "tags": {"a": "b"}}))
    assert (renamed["name"], renamed["description"], renamed["tags"]) == ("taxi", "y", {"a": "b"})
    ok(server.http.delete("/api/models/taxi"), 204)
    assert problem(server.http.get("/api/models/taxi")) == (404, "model-not-found")
    assert problem(server.http.get(f"/api/datasets/{DATA}/models")) == (404, "dataset-not-found")


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None
