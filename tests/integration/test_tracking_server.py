"""Tracking with a server: its API, the command line, and training that goes on while the server is killed."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.fleet import OSTINATO
from tests.integration.served import served

import ostinato
from ostinato import flow, log_metric, log_param, search_runs, session, start_run, task
from ostinato.core.errors import BadOption, ExperimentNotFound, FilterInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from tests.conftest import RunPython
    from tests.integration.served import Served

N_POINTS = 10_000
TRAINING = f"""
import sys, time
from ostinato import log_metric, start_run
with start_run("long", experiment="faults") as run:
    for step in range({N_POINTS}):
        log_metric("loss", step * 0.5, step)
        if step % 50 == 49:
            time.sleep(0.01)
        if step == 1000:
            print(run.id, flush=True)
print("trained", flush=True)
"""


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def trials(n: int = 3) -> list[str]:
    """Log some runs of one experiment; give their ids, the best one last."""
    ids = []
    for number in range(n):
        with start_run(f"trial-{number}", experiment="rides") as run:
            log_param("kind", "linear" if number % 2 else "tree")
            log_metric("rmse", 7.0 - number)
            log_metric("speed", math.inf)
        ids.append(run.id)
    assert session.recorder().settle("database", 20)
    return ids


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


# --- the API


def test_experiments_over_the_api(server: Served) -> None:
    made = ok(server.http.post("/api/experiments", json={"name": "rides", "tags": {"team": "geo"}}))
    assert server.http.post("/api/experiments", json={"name": "rides"}).json()["code"] == "experiment-exists"
    assert [one["id"] for one in ok(server.http.get("/api/experiments"))["items"]] == [made["id"]]
    path = f"/api/experiments/{made['id']}"
    changed = ok(server.http.post(path, json={"name": "taxi rides", "tags": {"team": None, "city": "NYC"}}))
    assert (changed["name"], changed["tags"]) == ("taxi rides", {"city": "NYC"})
    assert ok(server.http.post(path, json={"state": "deleted"}))["state"] == "deleted"
    assert ok(server.http.get("/api/experiments"))["items"] == []
    assert len(ok(server.http.get("/api/experiments", params={"state": "deleted"}))["items"]) == 1
    assert server.http.get("/api/experiments/none").status_code == 404
    viewer = server.key("vera", "viewer")
    assert viewer.post(path, json={"state": "active"}).status_code == 403


def test_tracking_runs_over_the_api(server: Served) -> None:
    ids = trials()
    found = ok(server.http.get("/api/tracking-runs", params={"where": "metrics.rmse < 6.5", "limit": 1}))
    assert [run["id"] for run in found["items"]] == [ids[2]]
    rest = ok(server.http.get("/api/tracking-runs", params={"where": "metrics.rmse < 6.5", "after": found["next"]}))
    assert [run["id"] for run in rest["items"]] == [ids[1]]
    assert rest["items"][0]["metrics"] == {"rmse": 6.0, "speed": None}
    ordered = {"experiment": "rides", "order_by": "metrics.rmse ASC"}
    assert [run["id"] for run in ok(server.http.get("/api/tracking-runs", params=ordered))["items"]] == ids[::-1]
    refused = server.http.get("/api/tracking-runs", params={"where": "metrics.rmse <"})
    assert (refused.status_code, refused.json()["code"]) == (400, "filter-invalid")
    one = f"/api/tracking-runs/{ids[0]}"
    history = ok(server.http.get(f"{one}/history", params={"key": "speed"}))
    assert [(point["step"], point["value"]) for point in history] == [(0, "inf")]
    assert ok(server.http.post(one, json={"name": "renamed", "tags": {"a": "b"}}))["name"] == "renamed"
    assert ok(server.http.get("/api/tracking-runs/renamed"))["tags"]["a"] == "b"
    assert ok(server.http.get(f"{one}/files"))["items"] == []
    assert ok(server.http.get(f"{one}/inputs")) == []
    assert server.http.get("/api/tracking-runs/none").status_code == 404


def test_files_over_the_api(server: Served) -> None:
    with start_run() as run:
        ostinato.log_text("hello", "notes/a.txt")
    assert session.recorder().settle("database", 20)
    (file,) = ok(server.http.get(f"/api/tracking-runs/{run.id}/files", params={"under": "notes"}))["items"]
    assert (file["path"], file["size_bytes"]) == ("notes/a.txt", 5)
    assert server.http.get(f"/api/blobs/{file['digest']}").content == b"hello"


def test_a_process_elsewhere_sends_files_and_finds_runs(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(server.http.post("/api/users", json={"name": "ci", "role": "editor"}))
    monkeypatch.setenv("OSTINATO_API_KEY", ok(server.http.post("/api/keys", json={"user": "ci"}))["text"])
    monkeypatch.setenv("OSTINATO_API_URL", server.card.url)
    monkeypatch.setenv("OSTINATO_HOME", str(tmp_path / "far away"))
    session.close()
    (tmp_path / "model.bin").write_bytes(b"m" * 3_000_000)
    with start_run("elsewhere") as run:
        ostinato.log_artifact(tmp_path / "model.bin", "model")
        log_param("where", "elsewhere")
    assert [one.id for one in search_runs("params.where = 'elsewhere'")] == [run.id]
    (file,) = ok(server.http.get(f"/api/tracking-runs/{run.id}/files"))["items"]
    assert (file["path"], file["size_bytes"]) == ("model/model.bin", 3_000_000)
    assert server.http.get(f"/api/blobs/{file['digest']}").content == b"m" * 3_000_000
    session.close()


def test_a_viewer_searches_from_python(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    trials(1)
    session.close()
    ok(server.http.post("/api/users", json={"name": "vera", "role": "viewer"}))
    monkeypatch.setenv("OSTINATO_API_KEY", ok(server.http.post("/api/keys", json={"user": "vera"}))["text"])
    monkeypatch.setenv("OSTINATO_API_URL", server.card.url)
    assert [run.name for run in search_runs("metrics.rmse > 0")] == ["trial-0"]


def test_training_goes_on_while_no_server_answers(run_python: RunPython) -> None:
    begin = time.monotonic()
    ended = run_python(
        """
        import time
        import ostinato
        begin = time.monotonic()
        with ostinato.start_run() as run:
            ostinato.log_params({"lr": 1})
            for value in range(20_000):
                ostinato.log_metric("m", value)
            ostinato.log_text("x", "a.txt")
        print("trained", time.monotonic() - begin < 10)
        """,
        env={"OSTINATO_API_URL": "http://127.0.0.1:9", "OSTINATO_API_KEY": "k", "OSTINATO_EXIT_WAIT_S": "1"},
    )
    assert ended.stdout == "trained True\n"
    assert "not everything reached the server" in ended.stderr
    assert time.monotonic() - begin < 40


# --- searching from Python


@pytest.mark.usefixtures("home")
def test_search_finds_what_this_process_has_just_logged() -> None:
    ids = trials()
    assert [run.id for run in search_runs()] == ids[::-1]
    best = search_runs("params.kind = 'tree'", experiments="rides", order_by="metrics.rmse ASC", max_results=1)
    assert [(run.id, run.metrics["rmse"], run.status) for run in best] == [(ids[2], 5.0, "finished")]
    assert best[0].started_at.tzinfo is not None
    assert search_runs("metrics.speed > 1e300")[0].metrics["speed"] == math.inf
    with pytest.raises(FilterInvalid):
        search_runs("metrics.rmse ~ 3")
    with pytest.raises(ExperimentNotFound):
        search_runs(experiments=["none"])
    with pytest.raises(BadOption):
        search_runs(output="csv")  # type: ignore[call-overload]


@pytest.mark.usefixtures("home")
def test_search_gives_a_data_frame() -> None:
    pytest.importorskip("pandas")
    trials()
    frame = search_runs("metrics.rmse < 100", output="pandas")
    assert list(frame["metrics.rmse"]) == [5.0, 6.0, 7.0]
    assert list(frame["params.kind"]) == ["tree", "linear", "tree"]


# --- the command line


def test_the_command_line_lists_searches_compares_and_restores(server: Served) -> None:
    ids = trials()

    def said(*words: str, columns: int = 200) -> str:
        ended = subprocess.run(
            [*OSTINATO, "experiments", *words],
            env=os.environ | {"OSTINATO_HOME": str(server.fleet.home), "COLUMNS": str(columns)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert "rides" in said("ls")
    found = json.loads(said("runs", "rides", "--filter", "metrics.rmse < 6.5", "--order-by", "metrics.rmse", "--json"))
    assert [run["id"] for run in found] == [ids[2], ids[1]]
    assert "trial-2" in said("runs")
    assert "trial-2" in said("show", "rides")
    assert "kind" in said("run", "trial-0")
    compared = json.loads(said("compare", "trial-0", "trial-1", "trial-2", "--json"))
    assert {row["name"]: row["values"] for row in compared["rows"]} == {
        "params.kind": ["tree", "linear", "tree"],
        "metrics.rmse": [7.0, 6.0, 5.0],
    }
    assert "metrics.speed" in said("compare", "trial-0", "trial-1", "--all")
    assert "restored-rides" in said("rename", "rides", "restored-rides")
    assert "deleted" in said("delete", "restored-rides")
    assert "restored-rides" in said("ls", "--deleted")
    assert json.loads(said("runs", "--json")) == []
    assert "deleted" not in said("restore", "restored-rides")
    assert len(json.loads(said("runs", "--json"))) == 3
    assert "experiment" in said("create", "other")
    assert json.loads(said("tag", "other", "team=geo", "a=b=c", "--json"))["tags"] == {"team": "geo", "a": "b=c"}
    assert json.loads(said("tag", "other", "--unset", "a", "--json"))["tags"] == {"team": "geo"}
    assert json.loads(said("tag", "--run", "trial-1", "checked=yes", "--json"))["tags"]["checked"] == "yes"
    assert "best" in said("rename", "--run", "trial-2", "best")
    assert "deleted" in said("delete", "--run", "best")
    assert [run["name"] for run in json.loads(said("runs", "--deleted", "--json"))] == ["best"]
    assert "deleted" not in said("restore", "--run", "best")
    with start_run("wide", experiment="wide") as run:
        run.log_params({f"setting {number}": "x" * 40 for number in range(20)} | {"zeta": 1})
        log_metric("rmse", 6.5)
    assert session.recorder().settle("database", 20)
    table = said("runs", "wide", "--filter", "params.zeta = '1'", columns=100).splitlines()
    assert max(map(len, table)) <= 100
    assert re.split(r"  +", table[0]) == ["STATUS", "RUN", "WHEN", "TOOK", "rmse", "zeta", "setting 0", "ID"]


def test_a_flow_run_shows_what_it_has_tracked(server: Served) -> None:
    @task
    def fit(rate: float) -> None:
        log_metric("rmse", rate)

    @flow
    def train() -> None:
        fit(6.5)
        fit(7.5)

    train()

    def said(*words: str) -> str:
        ended = subprocess.run(
            [*OSTINATO, *words],
            env=os.environ | {"OSTINATO_HOME": str(server.fleet.home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert "rmse 6.5" in said("show", "last")
    assert [run["metrics"] for run in json.loads(said("show", "last", "--json"))["tracking_runs"]] == [
        {"rmse": 6.5},
        {"rmse": 7.5},
    ]
    listed = json.loads(said("experiments", "runs", "--flow-run", "last", "--json"))
    assert [run["task_run_id"].partition("/")[2] for run in listed] == ["1", "2"]
    flow_run = listed[0]["flow_run_id"]
    assert [run["id"] for run in ok(server.http.get(f"/api/runs/{flow_run}/tracking-runs"))] == [
        run["id"] for run in listed
    ]


# --- faults


def test_every_value_arrives_once_when_the_server_is_killed_in_the_midst(server: Served, tmp_path: Path) -> None:
    program = tmp_path / "training.py"
    program.write_text(TRAINING, encoding="utf-8")
    env = os.environ | {"OSTINATO_API_URL": server.card.url, "OSTINATO_API_KEY": server.card.token}
    key = server.http.post("/api/users", json={"name": "ci", "role": "editor"})
    assert key.status_code == 201
    text = ok(server.http.post("/api/keys", json={"user": "ci"}))["text"]
    port = server.card.url.rpartition(":")[2]
    training = subprocess.Popen(
        [sys.executable, "-W", "error", str(program)],
        env=env | {"OSTINATO_API_KEY": text, "OSTINATO_HOME": str(tmp_path / "far away")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert training.stdout is not None
        run_id = training.stdout.readline().strip()
        server.words = ("--port", port)
        server.restart(kill=True)
        time.sleep(0.3)
        server.program.kill()
        assert training.stdout.readline() == "trained\n"
        time.sleep(1)  # the process waits for the server, and has nothing else to do
        server.restart(kill=True)
        _, said = training.communicate(timeout=40)
    finally:
        training.kill()
    assert (training.returncode, said) == (0, "")
    path = f"/api/tracking-runs/{run_id}"
    run = ok(server.http.get(path))
    assert (run["status"], run["metrics"]["loss"]) == ("finished", (N_POINTS - 1) * 0.5)
    history = ok(server.http.get(f"{path}/history", params={"key": "loss", "most": 2 * N_POINTS}))
    assert [point["step"] for point in history] == list(range(N_POINTS))
    shown = ok(server.http.get(f"{path}/history", params={"key": "loss", "most": 100}))
    assert (len(shown), shown[0]["value"], shown[-1]["value"]) == (100, 0.0, (N_POINTS - 1) * 0.5)
