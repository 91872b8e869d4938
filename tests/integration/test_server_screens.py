"""What pages of deployments, variables and settings are given: a part at a time, and what who asks may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
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
