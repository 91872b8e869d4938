"""Promotions over the API: a worker checks a version, and the alias moves when it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.served import Served, problem, served

from ostinato import log_metric, log_text, register_model, session, start_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICY = {"checks": {"rmse": {"kind": "metric", "metric": "rmse", "max": 6.5}}}


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def promoted(server: Served, **body: Any) -> Any:
    answer = server.http.post("/api/models/rides/promotions", json=body)
    assert answer.status_code == 201, answer.text
    return server.fleet.wait(answer.json()["id"])


def test_a_worker_promotes_what_passes_and_nothing_else(server: Served) -> None:
    for rmse in (6.4, 6.6):
        with start_run() as run:
            log_metric("rmse", rmse)
            log_text("flavors: {}", "model/MLmodel")
        register_model(f"runs:/{run.id}/model", "rides")
    session.close()
    assert server.http.put("/api/models/rides/policy", json={"policy": POLICY}).status_code == 200
    server.fleet.worker()

    good = promoted(server, version=1)
    assert good.state == "Completed", server.fleet.told(good)
    assert (good.name, good.deployment) == ("rides-1-to-production", "promotion/gate")
    bad = promoted(server, version=2, to="Production")
    assert bad.state == "Failed"
    assert server.http.get("/api/models/rides").json()["aliases"] == {"production": 1}
    assert promoted(server, version=2, to="shadow").state == "Completed"  # nothing gates it
    assert server.http.get("/api/models/rides").json()["aliases"] == {"production": 1, "shadow": 2}

    own = {"checks": {**POLICY["checks"], "own": {"kind": "task", "task": "checks.py:own"}}}
    assert server.http.put("/api/models/rides/policy", json={"policy": own}).status_code == 200
    refused = server.http.post("/api/models/rides/promotions", json={"version": 2})
    assert problem(refused) == (409, "gate-refused")
    assert "own: checks.py:own is not on the server" in refused.json()["detail"]
    missing = server.http.post("/api/models/rides/promotions", json={"version": 7})
    assert problem(missing) == (404, "model-version-not-found")
    viewer = server.key("vera", "viewer")
    assert problem(viewer.post("/api/models/rides/promotions", json={"version": 1}))[0] == 403
