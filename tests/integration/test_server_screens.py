"""What pages of runs, deployments, variables and settings are given: a part at a time, and what who asks may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.filled import Filled
from tests.integration.served import DEPLOYMENT, Served, problem, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


def pages(server: Served, path: str, **params: Any) -> list[list[Any]]:
    found, after = [], ""
    while True:
        answer = server.http.get(path, params={**params, "after": after}).json()
        found.append(answer["items"])
        if answer["next"] is None:
            return found
        after = answer["next"]


def test_lists_go_on_where_they_ended(server: Served) -> None:
    titles = [("a/b", "x"), ("a/b", "y"), ("train", "nightly")]
    for flow, name in titles:
        body = {**DEPLOYMENT, "flow": flow, "name": name}
        assert server.http.post("/api/deployments", json=body).status_code == 201
    found = pages(server, "/api/ui/deployments", limit=2)
    assert [[(one["flow"], one["name"]) for one in page] for page in found] == [titles[:2], titles[2:]]
    assert server.http.get("/api/ui/deployment", params={"ref": "a/b/y"}).json()["deployment"]["title"] == "a/b/y"
    names = [f"v{number:03}" for number in range(101)]
    for name in names:
        server.http.put(f"/api/variables/{name}", json={"value": name})
    assert [[one["name"] for one in page] for page in pages(server, "/api/ui/variables")] == [names[:100], names[100:]]


def test_who_asks_is_told_what_they_may_do_and_nothing_of_others(server: Served, database: str) -> None:
    viewer, tracker = server.key("ann", "viewer"), server.key("bo", "editor", "tracking")
    assert viewer.get("/api/ui/variables").json()["may"] == ["read"]
    assert tracker.get("/api/ui/settings").json()["may"] == ["read", "track"]
    assert problem(viewer.get("/api/ui/access")) == (403, "access-refused")
    known = server.http.get("/api/ui/access").json()
    assert [(one["name"], one["role"]) for one in known["users"]["items"]] == [("ann", "viewer"), ("bo", "editor")]
    assert all("hash" not in one and "text" not in one for one in known["keys"]["items"])
    assert server.http.get("/api/ui/settings").json()["storage"]["kind"] == ("PostgreSQL" if database else "SQLite")


SCHEMA = {
    "type": "object",
    "properties": {
        "day": {"type": "string"},
        "n": {"type": "integer", "default": 5},
        "rate": {"type": "number", "default": 0.1},
        "token": {"type": "string", "default": ""},
        "any": True,
    },
    "required": ["day"],
}


def test_a_run_tells_which_parameters_its_deployment_would_not_have_given(server: Served) -> None:
    hourly = {"slug": "hourly", "schedule": {"kind": "interval", "interval": 3600}, "parameters": {"n": 9, "day": "x"}}
    given = {"rate": 0.5, "token": "a"}
    body = {**DEPLOYMENT, "parameter_schema": SCHEMA, "parameters": given, "schedules": [hourly]}
    deployment = server.http.post("/api/deployments", json=body).json()

    def others(**parameters: Any) -> list[dict[str, Any]] | None:
        run = server.http.post(f"/api/deployments/{deployment['id']}/runs", json={"parameters": parameters}).json()
        found: list[dict[str, Any]] | None = server.http.get(f"/api/ui/runs/{run['id']}").json()["others"]
        return found

    assert others(day="2026-01-31", n=5, any=1) == []
    assert others(day="2026-01-31", n=3, token="b", rate=0.1) == [
        {"name": "rate", "value": 0.1, "usual": 0.5},
        {"name": "n", "value": 3, "usual": 5},
    ]
    planned: list[Any] = []

    def is_planned() -> bool:
        planned[:] = server.http.get("/api/runs", params={"query": "schedule:hourly", "limit": 1}).json()["items"]
        return bool(planned)

    server.fleet.until(is_planned, "the schedule makes its runs")
    assert planned[0]["parameters"]["n"] == 9
    assert server.http.get(f"/api/ui/runs/{planned[0]['id']}").json()["others"] == []
    flow = server.http.get("/api/ui/flow", params={"name": "train"}).json()
    assert [one["parameters"] for one in flow["deployments"]] == [{"rate": 0.5, "token": "********"}]
    assert flow["parameters"] == {}


def test_a_run_names_the_one_that_called_it_and_a_deployment_the_queue_of_its_runs(server: Served) -> None:
    filled = Filled()
    outer = filled.run("outer")
    inner = filled.run("inner", flow="score", parent=outer, no=1)
    filled.close()
    called = server.http.get(f"/api/ui/runs/{inner}").json()
    assert (called["parent"]["id"], called["parent"]["name"], called["parent"]["flow"]) == (outer, "outer", "train")
    assert (called["others"], server.http.get(f"/api/ui/runs/{outer}").json()["parent"]) == (None, None)

    def queue() -> str:
        found: str = server.http.get("/api/ui/deployment", params={"ref": "train/nightly"}).json()["queue"]
        return found

    server.http.post("/api/deployments", json={**DEPLOYMENT, "tags": ["gpu"]})
    assert queue() == "default"
    server.http.put("/api/queues/far", json={"tags": ["gpu"]})
    assert queue() == "far"
    server.http.post("/api/deployments", json={**DEPLOYMENT, "queue": "own"})
    assert queue() == "own"
