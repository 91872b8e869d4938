"""What a flow run lends MLflow's client: the address of the server, and a token that ends with the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.integration.served import Served, served

from ostinato.core.runtokens import run_token
from ostinato.session.home import Home
from ostinato.store.keyfile import find_or_make_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunPython

SHOW = """
import json, os
from ostinato import flow, task

def lent():
    return {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN")}

@flow
def inner():
    return lent()

@flow
def show():
    return [lent(), inner()]

print(json.dumps([lent(), *show(), lent()]))
"""
NOTHING = {"MLFLOW_TRACKING_URI": None, "MLFLOW_TRACKING_TOKEN": None}


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def lent(run_python: RunPython, **env: str) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = json.loads(run_python(SHOW, env=env).stdout.splitlines()[-1])
    return found


def test_a_flow_run_lends_while_it_goes_on(server: Served, run_python: RunPython) -> None:
    before, outer, inner, after = lent(run_python)
    assert before == after == NOTHING
    assert outer["MLFLOW_TRACKING_URI"] == server.card.url
    assert (outer["MLFLOW_TRACKING_TOKEN"] or "").startswith("osr_")
    assert inner == outer


def test_what_the_user_set_stays(server: Served, run_python: RunPython) -> None:
    mine = {"MLFLOW_TRACKING_URI": "http://elsewhere:5000", "MLFLOW_TRACKING_TOKEN": None}
    assert lent(run_python, MLFLOW_TRACKING_URI="http://elsewhere:5000") == [mine] * 4


def test_without_a_server_nothing_is_lent(home: Path, run_python: RunPython) -> None:
    assert lent(run_python) == [NOTHING] * 4


def test_a_process_elsewhere_gets_a_token_from_the_server(
    server: Served, run_python: RunPython, tmp_path: Path
) -> None:
    away = str(tmp_path / "away")
    _, outer, *_ = lent(
        run_python, OSTINATO_HOME=away, OSTINATO_API_URL=server.card.url, OSTINATO_API_KEY=server.card.token
    )
    assert outer["MLFLOW_TRACKING_URI"] == server.card.url
    assert (outer["MLFLOW_TRACKING_TOKEN"] or "").startswith("osr_")


@pytest.mark.parametrize("zygotes", ["0", "4"])
def test_a_run_of_a_worker_lends_too_each_a_token_of_its_own(server: Served, zygotes: str) -> None:
    fleet = server.fleet
    file = fleet.write("""
        import json, os
        from pathlib import Path
        from ostinato import flow, get_run_context

        @flow
        def train():
            found = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_TRACKING")}
            run = get_run_context().flow_run
            (Path(__file__).parent / run.name).write_text(json.dumps([run.id, found]))
    """)
    fleet.worker(env={"OSTINATO_ZYGOTES": zygotes})
    deployment = fleet.deploy(file, "train")
    for _ in range(2):
        run = fleet.wait(fleet.run(deployment))
        assert run.state == "Completed", fleet.told(run)
        run_id, found = json.loads((fleet.folder / run.name).read_text(encoding="utf-8"))
        assert found["MLFLOW_TRACKING_URI"] == server.card.url
        assert found["MLFLOW_TRACKING_TOKEN"].startswith(f"osr_{run_id}_")
        assert _status(server, found["MLFLOW_TRACKING_TOKEN"]) == 200


def test_a_token_tracks_and_reads_and_nothing_else(server: Served, run_python: RunPython) -> None:
    token = lent(run_python)[1]["MLFLOW_TRACKING_TOKEN"] or ""
    client = server.client(token)
    made = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"})
    assert made.status_code == 200, "what is on its way when the run ends is taken for a minute"
    assert client.post("/api/rpc/append", content=b"").status_code == 403
    assert client.post("/api/users", json={"name": "eve", "role": "admin"}).status_code == 403
    server.restart()
    assert _status(server, token) == 200, "a server that is started anew knows it"
    refused = server.client(run_token(bytes(32), "f" * 32)).get("/api/2.0/mlflow/experiments/get?experiment_id=0")
    assert (refused.status_code, refused.json()["error_code"]) == (401, "UNAUTHENTICATED")


def _status(server: Served, token: str) -> int:
    return server.client(token).get("/api/2.0/mlflow/experiments/get?experiment_id=0").status_code


def test_a_token_of_a_run_that_ended_long_ago_is_refused(server: Served, run_python: RunPython, home: Path) -> None:
    run_python(SHOW)
    run = server.http.get("/api/runs").json()["items"][0]
    token = run_token(find_or_make_key(str(home)), run["id"])
    assert _status(server, token) == 200
    database = Home(str(home)).open()
    with database.writing() as db:
        db.execute("UPDATE flow_runs SET ended_at = ended_at - 61000000")
    database.close()
    assert _status(server, token) == 401
