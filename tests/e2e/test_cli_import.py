"""`import mlflow` as a person uses it: counts, the report, what is left, through a server too."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Cli
    from tests.integration.served import Served

RUN = "01234567" * 4
OTHER = "89abcdef" * 4


@pytest.fixture
def mlruns(cli: Cli) -> Path:
    """Give a small folder as MLflow writes it: one experiment, two runs, a model of one version."""
    top = cli.folder / "mlruns"
    place = f"file://{top}/7"
    _write(top / "7" / "meta.yaml", f"{{experiment_id: '7', name: taxi, artifact_location: '{place}'}}")
    for run_id, status in ((RUN, 3), (OTHER, 1)):
        run = top / "7" / run_id
        meta = {"run_id": run_id, "run_name": f"run {run_id[0]}", "user_id": "ann", "status": status}
        times = {"start_time": 1_700_000_000_000, "end_time": 1_700_000_060_000 if status == 3 else None}
        _write(run / "meta.yaml", json.dumps({**meta, **times, "artifact_uri": f"{place}/{run_id}/artifacts"}))
        _write(run / "params" / "depth", "3")
        _write(run / "metrics" / "rmse", "1700000000000 6.5 0\n1700000001000 6.25 1\n")
    _write(top / "7" / RUN / "artifacts" / "model" / "MLmodel", "flavors: {}\n")
    _write(top / "models" / "taxi" / "meta.yaml", "{name: taxi, description: minutes}")
    version = {"version": 1, "run_id": RUN, "current_stage": "Production", "source": f"{place}/{RUN}/artifacts/model"}
    _write(top / "models" / "taxi" / "version-1" / "meta.yaml", json.dumps(version))
    return top


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_what_there_is_is_counted_brought_over_and_then_here_already(cli: Cli, mlruns: Path) -> None:
    counted = cli("import", "mlflow", "mlruns", "--dry-run").stdout
    assert re.search(r"would be new +here already +left", counted)
    assert re.search(r"runs +2 +0 +0", counted)
    assert "No experiments yet" in cli("experiments", "ls").stderr

    said = cli("import", "mlflow", "mlruns").stdout

    assert re.search(r"experiments +1 +0 +0\n.*runs +2 +0 +0\n", said)
    assert re.search(r"registered models +1 +0 +0\nversions +1 +0 +0\n", said)
    assert "4 values of metrics, 1 files (12 B)" in said
    assert "taxi" in cli("experiments", "ls").stdout
    (one, other) = cli.json("experiments", "runs", "taxi", "--order-by", "attributes.run_name")
    assert (one["id"], one["status"], one["user"], one["metrics"]) == (RUN, "finished", "ann", {"rmse": 6.25})
    assert one["duration_s"] == 60
    assert other["status"] == "running"
    assert cli.json("models", "show", "taxi", "Production")["source"] == f"runs:/{RUN}/model"
    again = cli.json("import", "mlflow", f"file://{mlruns}")
    assert (again["runs"], again["versions"]) == ({"new": 0, "same": 2, "left": 0}, {"new": 0, "same": 1, "left": 0})


def test_a_server_takes_it_from_a_machine_elsewhere(cli: Cli, mlruns: Path, server: Served, tmp_path: Path) -> None:
    key = server.http.post("/api/users", json={"name": "ann", "role": "operator"})
    assert key.status_code == 201
    text = server.http.post("/api/keys", json={"user": "ann"}).json()["text"]
    away = {"OSTINATO_HOME": str(tmp_path / "away"), "OSTINATO_API_URL": server.card.url, "OSTINATO_API_KEY": text}
    cli("import", "mlflow", "mlruns", env=away)
    files = server.http.get(f"/api/tracking-runs/{RUN}/files").json()["items"]
    assert [one["path"] for one in files] == ["model/MLmodel"]
    assert server.http.get(f"/api/blobs/{files[0]['digest']}").content == b"flavors: {}\n"
    assert server.http.get("/api/models/taxi").json()["aliases"] == {"production": 1}
    found = server.http.get("/api/2.0/mlflow/experiments/get", params={"experiment_id": "7"}).json()
    assert found["experiment"]["name"] == "taxi"


def test_of_a_folder_with_broken_files_all_comes_that_can_be_read(cli: Cli, mlruns: Path) -> None:
    for number, text in enumerate(("status: [", "just words", "")):
        _write(mlruns / "7" / f"{number:032x}" / "meta.yaml", text)
    (mlruns / "7" / f"{9:032x}").mkdir()
    with (mlruns / "7" / RUN / "metrics" / "rmse").open("a", encoding="utf-8") as file:
        file.write("17000000")
    (mlruns / "7" / RUN / "tags").mkdir()
    (mlruns / "7" / RUN / "tags" / "secret").symlink_to("/etc/passwd")
    (mlruns / "7" / RUN / "artifacts" / "secret").symlink_to("/etc/passwd")
    report = cli.json("import", "mlflow", "mlruns")
    remarks = "\n".join(report["remarks"])
    assert report["runs"] == {"new": 2, "same": 0, "left": 4}
    for number in range(3):
        assert f"run {number:032x}: its meta.yaml cannot be read" in remarks
    assert f"run {9:032x}: it has no meta.yaml" in remarks
    assert "a line of the metric 'rmse' cannot be read: '17000000'" in remarks
    (one,) = cli.json("experiments", "runs", "taxi", "--filter", f"attributes.run_id = '{RUN}'")
    assert "secret" not in one["tags"]
    assert report["files"] == 1


def test_what_cannot_be_imported_is_said_with_its_code(cli: Cli) -> None:
    (cli.folder / "notes.db").write_text("these are words and more words, and no database", encoding="utf-8")
    for path in ("notes.db", "nowhere", "s3://bucket/mlruns"):
        said = cli("import", "mlflow", path, code=2).stderr
        assert "error[import-unreadable]" in said
        assert "mlruns" in said
