"""Who may do what at a server: the local token, keys with roles and scopes, sessions of browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.integration.served import DEPLOYMENT, Served, problem, served

from ostinato.core.commands import CreateRun, Poll

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        assert one.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201
        yield one


@pytest.mark.parametrize("path", ["/api/runs", "/api/feed", "/metrics", "/api/blobs/" + "0" * 32, "/api/nothing"])
def test_nobody_is_let_in_without_a_token(server: Served, path: str) -> None:
    assert problem(server.client("").get(path)) == (401, "not-authenticated")
    assert "Set OSTINATO_API_KEY" in server.client("").get(path).json()["hint"]
    assert problem(server.client("wrong").get(path)) == (401, "key-refused")
    assert problem(server.client(f"ost_abcdefgh_{'x' * 43}").get(path)) == (401, "key-refused")


def test_what_is_open_is_the_health_the_description_and_the_page_that_asks_who_you_are(server: Served) -> None:
    stranger = server.client("")
    for path in ("/health", "/api/openapi.json", "/"):
        assert stranger.get(path).status_code == 200


def test_a_viewer_looks_and_changes_nothing(server: Served) -> None:
    viewer = server.key("vic", "viewer")
    assert viewer.get("/api/runs").status_code == 200
    run = {"deployment": "train/nightly"}
    assert problem(viewer.post("/api/runs", json=run)) == (403, "access-refused")
    assert problem(viewer.get("/api/audit")) == (403, "access-refused")
    assert problem(server.rpc("do", CreateRun(deployment="train/nightly"), viewer)) == (403, "access-refused")
    assert problem(server.rpc("do", Poll(worker_id="w"), viewer)) == (403, "access-refused")
    assert problem(server.rpc("append", [], viewer)) == (403, "access-refused")
    assert problem(server.rpc("memory/find_secret", ["x"], viewer)) == (403, "access-refused")
    assert problem(server.rpc("read/users", {}, viewer)) == (403, "access-refused")
    assert problem(viewer.put("/api/blobs/" + "0" * 32, content=b"")) == (403, "access-refused")


def test_an_editor_runs_and_deploys_and_makes_no_users(server: Served) -> None:
    editor = server.key("eve", "editor")
    made = editor.post("/api/runs", json={"deployment": "train/nightly"})
    assert made.status_code == 201
    assert made.json()["actor"].startswith("key:eve/")
    assert editor.post("/api/deployments", json=DEPLOYMENT).status_code == 201
    assert problem(editor.post("/api/users", json={"name": "x", "role": "viewer"})) == (403, "access-refused")
    assert problem(editor.delete(f"/api/runs/{made.json()['id']}")) == (403, "access-refused")


def test_a_scope_narrows_a_key(server: Served) -> None:
    worker = server.key("wim", "operator", "worker")
    assert worker.get("/api/runs").status_code == 200
    assert problem(worker.post("/api/runs", json={"deployment": "train/nightly"})) == (403, "access-refused")
    assert server.rpc("do", Poll(worker_id="nobody"), worker).status_code == 200


def test_a_revoked_key_and_a_disabled_user_are_refused_at_once(server: Served) -> None:
    ann, bob = server.key("ann", "viewer"), server.key("bob", "viewer")
    key = server.http.get("/api/keys", params={"user": "ann"}).json()["items"][0]
    assert server.http.delete(f"/api/keys/{key['id']}").status_code == 204
    assert problem(ann.get("/api/runs")) == (401, "key-refused")
    assert server.http.put("/api/users/bob", json={"role": "viewer", "disabled": True}).status_code == 200
    assert problem(bob.get("/api/runs")) == (401, "key-refused")


def test_the_last_use_of_a_key_is_noted(server: Served) -> None:
    server.key("ann", "viewer").get("/api/runs")
    server.fleet.until(lambda: server.http.get("/api/keys").json()["items"][0]["last_used_at"] is not None, "noted")


def test_a_link_lets_one_browser_in_once(server: Served) -> None:
    link = server.http.post("/api/login-links").json()["path"]
    browser = server.client("")
    answer = browser.get(link)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert browser.get("/api/session").json()["role"] == "admin"
    assert browser.post("/api/runs", json={"deployment": "train/nightly"}).status_code == 201
    assert problem(server.client("").get(link)) == (401, "not-authenticated")
    assert browser.delete("/api/session").status_code == 204
    assert problem(browser.get("/api/runs")) == (401, "not-authenticated")


def test_a_key_begins_a_session_that_ends_with_it(server: Served) -> None:
    server.key("ann", "viewer")
    made = server.http.post("/api/keys", json={"user": "ann"}).json()
    browser = server.client("")
    assert browser.post("/api/session", json={"key": made["text"]}).json()["user"] == "ann"
    assert browser.get("/api/runs").status_code == 200
    assert problem(browser.get("/api/users")) == (403, "access-refused")
    server.http.delete(f"/api/keys/{made['key']['id']}")
    assert problem(browser.get("/api/runs")) == (401, "key-refused")


def test_only_the_owner_makes_links(server: Served) -> None:
    assert problem(server.key("eve", "editor").post("/api/login-links")) == (403, "access-refused")


def test_no_answer_holds_a_secret(server: Served) -> None:
    assert server.http.put("/api/secrets/db", json={"value": "hunter2-hunter2"}).status_code == 200
    run = {"deployment": "train/nightly", "parameters": {"password": "hunter3-hunter3"}}
    assert server.http.post("/api/runs", json=run).status_code == 201
    told = [server.http.get(path).text for path in ("/api/secrets", "/api/runs", "/api/audit", "/api/runs/last")]
    with server.http.stream("GET", "/api/feed", params={"after": "0.0"}) as feed:
        for line in feed.iter_lines():
            told.append(line)
            if line.startswith("data:") and "run-created" in told[-2]:
                break
    assert not any("hunter" in text for text in told)
    opened = server.rpc("memory/find_secret", ["db"])
    assert msgspec.msgpack.decode(opened.content) == b"hunter2-hunter2"
