"""A server that is killed while MLflow's client makes 10,000 calls of log_metric: each value arrives, and once."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.integration.served import Served, served
from tests.mlflow.environments import environment
from tests.mlflow.test_client import uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)  # 30 s on an idle machine

N_POINTS = 10_000
N_THREADS = 4
KILLED_AT = (500.0, 2_500.0)
"""What was logged last when the server is killed."""
LOGGING = f"""
from concurrent.futures import ThreadPoolExecutor
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()
run_id = client.create_run("0").info.run_id
print(run_id, flush=True)

def log(step):
    try:
        client.log_metric(run_id, "loss", step * 0.5, 1_700_000_000_000 + step, step)
    except MlflowException:  # an answer that broke off: the client sends again only when there is none
        log(step)

with ThreadPoolExecutor({N_THREADS}) as threads:
    list(threads.map(log, range({N_POINTS})))
log(4_000)  # as one whose answer was lost is sent again
print("logged", flush=True)
"""


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        one.words = ("--port", one.card.url.rpartition(":")[2])
        yield one


def newest(server: Served, run_id: str) -> float:
    """Give the newest value of the metric, 0 before the first."""
    metrics: dict[str, float] = server.http.get(f"/api/tracking-runs/{run_id}").json()["metrics"]
    return metrics.get("loss", 0.0)


def arrived(server: Served, run_id: str) -> list[tuple[int, float]]:
    """Give step and value of all that is kept of the metric."""
    query = {"run_id": run_id, "metric_key": "loss"}
    found = server.http.get("/api/2.0/mlflow/metrics/get-history", params=query).json()["metrics"]
    return [(one["step"], one["value"]) for one in found]


def test_each_value_arrives_once(server: Served, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHONWARNINGS"))}
    env = {"MLFLOW_TRACKING_URI": uri(server), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    words = [environment("mlflow-skinny"), "-c", LOGGING]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env={**kept, **env}, cwd=tmp_path, text=True, **pipes) as client:  # type: ignore[call-overload]  # the pipes are given by name
        try:
            run_id = client.stdout.readline().strip()
            for wanted in KILLED_AT:
                while newest(server, run_id) < wanted and client.poll() is None:
                    time.sleep(0.1)
                server.restart(kill=True)
            said, told = client.communicate(timeout=150)
        finally:
            client.kill()
    assert (said, client.returncode) == ("logged\n", 0), told[-3000:]
    assert arrived(server, run_id) == [(step, step * 0.5) for step in range(N_POINTS)]
