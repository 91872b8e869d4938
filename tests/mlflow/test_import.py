"""`ostinato import mlflow` on what MLflow's own clients have written: both kinds of store, 2.x and 3.x."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.mlflow.environments import environment
from tests.mlflow.test_client import program

import ostinato
from ostinato import session
from ostinato.core.errors import ImportUnreadable
from ostinato.core.tracking import IMPORTED
from ostinato.session.home import Home
from ostinato.store import logged_models
from ostinato.tracking.imports.mlflow import import_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.ports import Reader
    from ostinato.tracking.imports.report import Report

pytestmark = pytest.mark.timeout(180)  # MLflow makes a database in 10 s

HERE = Path(__file__).parent
KINDS = [("mlflow-2", "database"), ("mlflow-3", "database"), ("mlflow-3", "folder")]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def past(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Give what a client has left behind, and the ids in it."""
    client, kind = request.param
    folder = tmp_path_factory.mktemp(f"{client}-{kind}")
    path = folder / ("mlflow.db" if kind == "database" else "mlruns")
    address = f"sqlite:///{path}" if kind == "database" else str(path)
    said = program(environment(client), str(HERE / "past.py"), address, str(folder / "files"), folder=folder)
    made: dict[str, str] = json.loads(said.splitlines()[-1])
    return path, made


@pytest.fixture
def reader(home: Path) -> Iterator[Reader]:
    yield (one := session.reader())
    one.close()


def numbers(report: Report) -> dict[str, tuple[int, int, int]]:
    """Give what is new, was here, and is left."""
    kinds = ("experiments", "runs", "logged_models", "models", "versions")
    tallies = {name: getattr(report, name) for name in kinds}
    return {name: (one.new, one.same, one.left) for name, one in tallies.items()}


def test_all_of_it_is_brought_over_once(past: tuple[Path, dict[str, str]], reader: Reader, home: Path) -> None:
    path, made = past
    n_logged, n_versions = (2, 3) if made["model"] else (0, 2)  # one of them deleted, and without files
    wanted = {"experiments": 4, "runs": 8, "logged_models": n_logged, "models": 1, "versions": n_versions}
    counted = import_mlflow(str(path), dry_run=True)
    assert {name: one[0] for name, one in numbers(counted).items()} == wanted
    assert reader.experiments() == []

    report = import_mlflow(str(path))

    assert {name: one[0] for name, one in numbers(report).items()} == wanted, report.remarks
    _look_at_runs(reader, made)
    _look_at_models(reader, made)
    _look_at_links(home, made, "input", "output")
    remarks = "\n".join(report.remarks)
    assert "files at s3://bucket stay there (1 runs and models)" in remarks
    assert "values left, as their metric, step and instant have another: 1" in remarks

    again = import_mlflow(str(path))
    assert [(one[0], one[2]) for one in numbers(again).values()] == [(0, 0)] * 5, again.remarks
    assert again.files == 0


def _look_at_runs(reader: Reader, made: dict[str, str]) -> None:
    rides = reader.find_experiment("rides")
    assert (rides.id, rides.tags["team"]) == (made["experiment"], "geo")
    parent = reader.find_tracking_run(made["parent"])
    assert (parent.name, parent.status, parent.source, parent.version) == ("parent", "finished", "train.py", "c0ffee")
    assert parent.params == {"depth": "3", "a/b c": "x" * 400, "größe": "μ"}
    assert parent.tags["author"] == "ann"
    assert parent.ended_at is not None
    assert 0 < parent.ended_at - parent.started_at < 60_000_000
    metrics = {one.key: one.value for one in parent.metrics}
    assert math.isnan(metrics.pop("nan"))
    metrics.pop("f1", None)
    assert metrics == {"loss": 0.2, "inf": math.inf, "less": -math.inf, "twice": 2.0}
    history = [(one.step, one.value) for one in reader.metric_history(made["parent"], "loss")]
    assert history == [(step, 1 / (step + 1)) for step in range(5)]
    assert reader.find_tracking_run(made["child"]).parent_id == made["parent"]
    for name, status in (("failed", "failed"), ("killed", "killed"), ("going", "running")):
        assert reader.find_tracking_run(made[name]).status == status
    assert reader.find_tracking_run(made["deleted"]).state == "deleted"
    assert reader.find_tracking_run(made["forgotten"]).experiment_id == reader.find_experiment("old").id
    assert reader.find_experiment("old").state == "deleted"
    assert reader.find_experiment("far").artifact_root == "s3://bucket/far"
    files = {one.path: one for one in reader.tracked_files(made["parent"])}
    assert {"notes/a b.txt", "model/MLmodel"} <= set(files)
    assert reader.blob(files["notes/a b.txt"].blob) == b"hello"
    (used,) = reader.tracked_inputs(made["parent"])
    assert (used.name, used.digest, used.context) == ("trips", "abcd1234", "training")
    assert (used.details.source_type, used.details.profile) == ("local", '{"num_rows": 7}')
    assert used.details.tags == {"fold": "3"}
    data = reader.find_dataset("trips")
    assert (data.source, data.n_rows, [one.name for one in data.schema]) == ("data/trips.csv", 7, ["distance"])


def _look_at_models(reader: Reader, made: dict[str, str]) -> None:
    taxi = reader.find_model("taxi")
    assert (taxi.description, taxi.tags["unit"]) == ("minutes of a ride", "min")
    assert taxi.aliases == {"champion": 1, "production": 1, "staging": 3}
    assert taxi.last_version == (5 if made["model"] else 4)
    first = reader.find_version("taxi", "Production")
    assert (first.version, first.run_id, first.tags, first.description) == (1, made["parent"], {"seed": "0"}, "no. 0")
    assert first.source == f"runs:/{made['parent']}/model"
    if not made["model"]:
        return
    model = reader.logged_model(made["model"])
    assert (model.name, model.status, model.run_id) == ("net", "ready", made["parent"])
    assert (model.flavor, model.params) == ("python_function", {"layers": "2"})
    assert [(one.key, one.value) for one in model.metrics] == [("f1", 0.9)]
    assert [one.path for one in reader.tracked_files(made["model"])] == ["MLmodel"]
    assert reader.find_version("taxi", "5").model_id == made["model"]


def _look_at_links(home: Path, made: dict[str, str], *roles: str) -> None:
    database = Home(str(home)).open_to_read()
    try:
        found = {(one.id, one.role, one.step) for one in logged_models.links_of_run(database.db, made["parent"])}
    finally:
        database.close()
    links = [(made["model"], "input", 0), (made["model"], "output", 3)] if made["model"] else []
    assert found == {one for one in links if one[1] in roles}


def test_an_import_that_was_killed_goes_on_and_nothing_half_looks_whole(
    past: tuple[Path, dict[str, str]], reader: Reader, home: Path
) -> None:
    path, made = past
    code = f"""
import os
from ostinato.tracking.imports import mlflow
def tell(report, experiment):
    if report.runs.new >= 2:
        os.kill(os.getpid(), 9)
mlflow.import_mlflow({str(path)!r}, tell=tell)
"""
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ, "OSTINATO_HOME": str(home)}, check=False)
    assert ended.returncode == -9
    ids = set(made.values())
    found = [one for one in reader.search_tracking_runs(state=None, limit=100)[0] if one.id in ids]
    assert all(one.status == "running" or IMPORTED in one.tags for one in found)
    import_mlflow(str(path))
    _look_at_runs(reader, made)
    _look_at_models(reader, made)


def test_what_has_changed_since_is_brought_up_to_date_and_what_moved_here_stays(
    past: tuple[Path, dict[str, str]], reader: Reader, tmp_path: Path
) -> None:
    path, made = past
    copy = tmp_path / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
    else:
        shutil.copy(path, copy)
    import_mlflow(str(copy))
    if path.is_dir():
        (copy / made["experiment"] / made["failed"] / "params" / "late").write_text("1", encoding="utf-8")
    else:
        with sqlite3.connect(copy) as db:
            db.execute("INSERT INTO params (key, value, run_uuid) VALUES ('late', '1', ?)", (made["failed"],))
        db.close()
    report = import_mlflow(str(copy))
    assert (report.runs.new, report.runs.same) == (1, 7)
    failed = reader.find_tracking_run(made["failed"])
    assert (failed.params, failed.status) == ({"late": "1"}, "failed")


@contextmanager
def mlflow_server(client: str, path: Path) -> Iterator[str]:
    """Give the address of MLflow's own server on a database; it has ended afterwards, with its workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    words = [environment(client), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{path}", "--workers", "1"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHONWARNINGS"))}
    with (path.parent / "server.log").open("wb") as log:
        env = {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        process = subprocess.Popen(
            words, env=env, cwd=path.parent, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            end = time.monotonic() + 90
            while not _answers(f"{address}/health"):
                assert time.monotonic() < end, (path.parent / "server.log").read_text(encoding="utf-8")[-3000:]
                time.sleep(0.2)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("past", [KINDS[1]], indirect=True)
def test_a_server_of_mlflow_gives_the_same(past: tuple[Path, dict[str, str]], reader: Reader, home: Path) -> None:
    path, made = past
    with mlflow_server("mlflow-3", path) as address:
        report = import_mlflow(address)
        again = import_mlflow(f"{address}/")
        with pytest.raises(ImportUnreadable, match="Leave --artifacts out"):
            import_mlflow(address, artifacts=str(path.parent))
    assert (report.runs.new, report.versions.new, report.logged_models.new) == (8, 3, 1), report.remarks
    assert [(one[0], one[2]) for one in numbers(again).values()] == [(0, 0)] * 5, again.remarks
    _look_at_runs(reader, made)
    _look_at_models(reader, made)
    _look_at_links(home, made, "output")  # the list of runs of MLflow's server is without what they used
    with pytest.raises(ImportUnreadable, match="does not answer as MLflow does"):
        import_mlflow(address)


# --- what is wrong


_LOCATIONS = (
    ("runs", "artifact_uri"),
    ("experiments", "artifact_location"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
)
"""Tables and columns of MLflow's database."""


def _moved(path: Path, target: Path, old: str, new: str) -> Path:
    """Give a copy of what a client has left behind, in which files are said to be in another folder."""
    copy = target / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
        for meta in copy.rglob("meta.yaml"):
            meta.write_text(meta.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        return copy
    shutil.copy(path, copy)
    with sqlite3.connect(copy) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        for table, column in _LOCATIONS:
            if table not in tables:  # MLflow 2 has no logged models
                continue
            db.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))
    db.close()
    return copy


def test_files_that_were_moved_are_found_where_they_are_said_to_be(
    past: tuple[Path, dict[str, str]], reader: Reader, tmp_path: Path
) -> None:
    path, made = past
    files = str(path.parent / "files")
    copy = _moved(path, tmp_path, files, "/gone/files")
    report = import_mlflow(str(copy))
    assert any("/gone/files" in text and "--artifacts" in text for text in report.remarks), report.remarks
    assert report.logged_models.left == bool(made["model"])
    assert reader.tracked_files(made["parent"]) == []
    import_mlflow(str(copy), artifacts=files)
    _look_at_runs(reader, made)
    _look_at_models(reader, made)


def test_names_that_are_taken_are_said_and_left(past: tuple[Path, dict[str, str]], reader: Reader, home: Path) -> None:
    path, made = past
    with ostinato.start_run("native", experiment="rides") as run:
        ostinato.log_text("x", "model/MLmodel")
    ostinato.register_model(f"runs:/{run.id}/model", "taxi")
    report = import_mlflow(str(path))
    assert (report.models.new, report.models.left) == (0, 1)
    assert any("'taxi' is left: another one of this name is here" in text for text in report.remarks)
    assert [one.run_id for one in reader.model_versions("taxi")] == [run.id]
    names = {one.name for one in reader.search_tracking_runs(["rides"], limit=100)[0]}
    assert {"native", "parent", "child"} <= names
    assert reader.find_tracking_run(made["parent"]).experiment_id == reader.find_experiment("rides").id


def _database(path: Path, *statements: str) -> str:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()
    return str(path)


def test_what_is_no_mlflow_is_refused_and_a_schema_by_its_number(tmp_path: Path, home: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("nothing of a database in here, only words and more words", encoding="utf-8")
    old = ("CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('451aebb31d03')")
    tables = ("CREATE TABLE experiments (experiment_id, name)", "CREATE TABLE runs (run_uuid)")
    (tmp_path / "project" / "mlruns").mkdir(parents=True)
    refused: dict[str, Any] = {
        str(text): "not a database",
        _database(tmp_path / "other.db", "CREATE TABLE t (a)"): "no tables of MLflow",
        _database(tmp_path / "old.db", *old, *tables): "its schema is 451aebb31d03, which has no experiments.",
        str(tmp_path / "project"): "no folder in it is an experiment",
        str(tmp_path / "nowhere"): "no such file or folder",
        "postgresql://db/mlflow": "a place of the kind postgresql: is not read",
    }
    for path, reason in refused.items():
        with pytest.raises(ImportUnreadable, match=reason):
            import_mlflow(path)
    with pytest.raises(ImportUnreadable) as told:
        import_mlflow(str(tmp_path / "project"))
    assert told.value.hint.endswith("project/mlruns")
    assert not home.exists()
