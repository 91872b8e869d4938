"""What happened, the newest first; and what runs left, as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.filled import Filled
from tests.integration.served import DEPLOYMENT, Served, problem, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def filled(home: Path) -> Filled:
    return Filled()


@pytest.fixture
def server(home: Path, tmp_path: Path, filled: Filled) -> Iterator[Served]:
    for number in range(5):
        run = filled.run(f"run-{number}")
        filled.tasks(run, "score", {"Completed": 3})
    sub = filled.run("below", parent=run, no=4, flow="part")
    filled.artifact(run, "table", "Scores", json.dumps({"columns": ["a", "b"], "rows": [[1, "x,y"]]}).encode())
    filled.artifact(run, "markdown", "notes", json.dumps("**bold** " * 3000).encode())
    filled.image(sub, "plot", b"\x89PNG" + b"\0" * 50)
    filled.close()
    with served(home, tmp_path) as one:
        yield one


def pages(server: Served, path: str, **params: Any) -> list[Any]:
    """Give the items of all pages."""
    found: list[Any] = []
    after = None
    while True:
        answer = server.http.get(path, params={**params, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


def test_events_are_listed_backwards_each_once_and_by_kind_and_run(server: Served) -> None:
    whole = pages(server, "/api/events", limit=1000)
    ids = [tuple(map(int, one["id"].split("."))) for one in whole]
    assert ids == sorted(ids, reverse=True)
    assert pages(server, "/api/events", limit=7) == whole
    made = pages(server, "/api/events", kinds="run-created", limit=4)
    assert [one["data"]["name"] for one in made] == ["below", *(f"run-{n}" for n in range(4, -1, -1))]
    assert [one["run"] for one in made] == [one["data"]["name"] for one in made]
    assert {one["kind"] for one in pages(server, "/api/events", kinds="-run-created,-task-moved")} >= {"task-started"}
    of_run = pages(server, "/api/events", run="run-4", limit=3)
    assert {one["run"] for one in of_run} == {"run-4", "below"}
    assert len(of_run) == 3 + 3 + 3 * 2 + 3, "two runs of three events, three task runs of two, three artifacts"
    assert problem(server.http.get("/api/events", params={"kinds": "what"})) == (400, "request-invalid")
    assert problem(server.http.get("/api/events", params={"after": "x"})) == (400, "request-invalid")
    assert problem(server.http.get("/api/events", params={"run": "nobody"})) == (404, "run-not-found")
    far = server.http.get("/api/events", params={"after": f"{10**25}.0", "limit": 1}).json()
    assert far["items"] == whole[:1]
    viewer = server.key("vera", "viewer")
    assert not {"audited", "user-set", "key-set"} & {one["kind"] for one in viewer.get("/api/events").json()["items"]}
    assert problem(viewer.get("/api/events", params={"kinds": "audited"})) == (403, "access-refused")


def test_artifacts_are_found_and_given_as_files_that_cannot_act(server: Served) -> None:
    found = pages(server, "/api/ui/artifacts", limit=2)
    assert [(one["key"], one["kind"], one["run"]) for one in found] == [
        ("plot", "image", "below"),
        ("notes", "markdown", "run-4"),
        ("Scores", "table", "run-4"),
    ]
    assert [one["key"] for one in pages(server, "/api/ui/artifacts", name="sCOR")] == ["Scores"]
    assert [one["key"] for one in pages(server, "/api/ui/artifacts", kind="image")] == ["plot"]
    plot, notes, table = (one["id"] for one in found)
    csv = server.http.get(f"/api/artifacts/{table}/content", params={"download": "true"})
    assert csv.text == 'a,b\n1,"x,y"\n'
    assert csv.headers["content-disposition"].startswith('attachment; filename="Scores.csv"')
    image = server.http.get(f"/api/artifacts/{plot}/content")
    assert (image.headers["content-type"], len(image.content)) == ("image/png", 54)
    text = server.http.get(f"/api/artifacts/{notes}/content")
    assert text.text == "**bold** " * 3000
    for answer in (csv, image, text):
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
    cards = {one["key"]: one for one in server.http.get("/api/ui/runs/run-4").json()["artifacts"]}
    assert list(cards) == ["Scores", "notes", "plot"]
    assert (cards["Scores"]["whole"], cards["notes"]["whole"], cards["notes"]["data"]) == (True, False, None)
    one = server.http.get(f"/api/ui/artifacts/{notes}").json()
    assert (one["artifact"]["whole"], one["versions"][0]["run"]) == (True, "run-4")
    assert problem(server.http.get("/api/ui/artifacts/999")) == (404, "artifact-not-found")
    assert problem(server.http.get("/api/artifacts/999/content")) == (404, "artifact-not-found")
    assert problem(server.client("").get(f"/api/artifacts/{table}/content")) == (401, "not-authenticated")


def test_flows_are_listed_by_name_those_too_that_are_only_deployed(server: Served) -> None:
    assert server.http.post("/api/deployments", json={**DEPLOYMENT, "flow": "z/only"}).status_code == 201
    found = pages(server, "/api/ui/flows", limit=2)
    assert [one["name"] for one in found] == ["part", "train", "z/only"]
    assert [len(one["runs"]) for one in found] == [1, 5, 0]
    assert (found[1]["p50_s"], found[2]["deployments"]) == (12.5, ["nightly"])
    train = server.http.get("/api/ui/flow", params={"name": "train"}).json()
    assert [one["name"] for one in train["runs"]] == [f"run-{n}" for n in range(5)]
    assert train["tasks"] == [{"task": "score", "cells": [{"no": 1, "states": {"Completed": 3}}] * 5}]
    only = server.http.get("/api/ui/flow", params={"name": "z/only"}).json()
    assert (only["runs"], only["deployments"][0]["title"]) == ([], "z/only/nightly")
    nobody = server.http.get("/api/ui/flow", params={"name": "nobody"}).json()
    assert (nobody["runs"], nobody["deployments"]) == ([], [])
