"""The unmodified MLflow client works with Ostinato; its address is all that a program changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.integration.served import Served, served
from tests.mlflow.environments import environment

from ostinato.session.home import Home
from ostinato.store import tracking

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)  # MLflow finds out what a model needs in a process of its own: 15 s each time

HERE = Path(__file__).parent
LINKED = """
import threading
import mlflow
from mlflow import MlflowClient
from ostinato import flow, task

both = threading.Barrier(2)

@task
def trial(number):
    with mlflow.start_run(run_name=f"trial-{number}") as run:
        both.wait(60)
        mlflow.log_metric("m", number)
        both.wait(60)
    return run.info.run_id

@task
def by_client():
    return MlflowClient().create_run("0", run_name="by-client").info.run_id

@flow
def search():
    for one in [trial.submit(number) for number in range(2)]:
        one.result()
    by_client()
    with mlflow.start_run(run_name="body"):
        pass

search()
"""


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def program(python: str, *words: str, folder: Path, **env: str) -> str:
    """Give what a program says that ended well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHONWARNINGS"))}
    quiet = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    done = subprocess.run(
        [python, *words], env={**kept, **quiet, **env}, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout


def uri(server: Served) -> str:
    """Give the address of a server with a key in it."""
    made = server.http.post("/api/users", json={"name": "ann", "role": "editor"})
    assert made.status_code == 201, made.text
    key = server.http.post("/api/keys", json={"user": "ann", "scopes": ["tracking"]}).json()["text"]
    return f"http://ann:{key}@{urlsplit(server.card.url).netloc}"


@pytest.mark.parametrize(
    ("client", "part"),
    [
        ("mlflow-skinny", "basics"),
        ("mlflow-2", "basics"),
        ("mlflow-3", "sklearn"),
        ("mlflow-3", "xgboost"),
        ("mlflow-2", "sklearn"),
        ("mlflow-2", "xgboost"),
    ],
)
def test_a_program_that_knows_nothing_of_ostinato_works(server: Served, tmp_path: Path, client: str, part: str) -> None:
    words = (str(HERE / "blackbox.py"), part)
    assert program(environment(client), *words, folder=tmp_path, MLFLOW_TRACKING_URI=uri(server)).endswith("passed\n")


def test_runs_of_two_tasks_at_once_are_each_linked_to_their_own(server: Served, tmp_path: Path, home: Path) -> None:
    client = environment("mlflow-skinny")
    packages = next(Path(client).parent.parent.glob("lib/python*/site-packages"))
    file = tmp_path / "search.py"
    file.write_text(LINKED, encoding="utf-8")
    program(sys.executable, str(file), folder=tmp_path, OSTINATO_HOME=str(home), PYTHONPATH=str(packages))
    run = server.http.get("/api/runs").json()["items"][0]["id"]
    database = Home(str(home)).open_to_read()
    try:
        found = tracking.runs_of_flow_run(database.db, run)
    finally:
        database.close()
    numbers = {one.name: one.task_no for one in found}
    assert numbers == {"body": 0, "trial-0": 1, "trial-1": 2, "by-client": 3}
    assert {one.tags.get("ostinato.task_run") for one in found} == {None, f"{run}/1", f"{run}/2"}
    assert {one.name: metric.value for one in found for metric in one.metrics} == {"trial-0": 0.0, "trial-1": 1.0}
    assert {one.actor for one in found} == {f"run:{run}"}
    experiments = {one["id"]: one["name"] for one in server.http.get("/api/experiments").json()["items"]}
    flow = dict.fromkeys(("body", "trial-0", "trial-1"), "search")  # chosen by nobody: as for native runs
    assert {one.name: experiments[one.experiment_id] for one in found} == {**flow, "by-client": "Default"}
