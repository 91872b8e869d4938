"""Backfills over the public API: told first, made once each, a hundred at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.served import DEPLOYMENT, Served, problem, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PATH = "/api/deployments/train/nightly/backfill"
SCHEMA = {"properties": {"n": {"type": "integer"}}, "additionalProperties": False}
DAILY = {"slug": "daily", "schedule": {"kind": "cron", "cron": "0 3 * * *", "timezone": "Europe/Berlin"}}
DAYS = {"begin": "2023-01-01", "end": "2023-05-10"}


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        body = {**DEPLOYMENT, "schedules": [DAILY], "parameter_schema": SCHEMA}
        assert one.http.post("/api/deployments", json=body).status_code == 201
        yield one


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_backfill_is_told_first_and_made_once_a_hundred_at_a_time(server: Served) -> None:
    told = ok(server.http.post(PATH, json={**DAYS, "dry_run": True}))
    assert told["counts"] == {"make": 130}
    assert [cell["local"] for cell in told["items"][:2]] == ["2023-01-01 03:00", "2023-01-02 03:00"]
    assert server.http.get("/api/runs", params={"query": "tag:backfill"}).json()["items"] == []
    first = ok(server.http.post(PATH, json=DAYS))
    assert {cell["state"] for cell in first["items"]} == {"Scheduled"}
    second = ok(server.http.post(PATH, json={**DAYS, "after": first["next"]}))
    assert [len(page["items"]) for page in (first, second)] == [100, 30]
    assert (second["counts"], second["next"]) == ({"make": 30}, None)
    assert ok(server.http.post(PATH, json=DAYS))["counts"] == {"watch": 130}
    run = server.http.get(f"/api/runs/{first['items'][0]['run_id']}").json()
    assert (run["expected_at"], run["schedule"], run["tags"]) == ("2023-01-01T02:00:00Z", "daily", ["backfill"])
    page = ok(server.http.get("/api/ui/deployment", params={"ref": "train/nightly"}))["past"][0]
    assert len(page["ticks"]) == 60
    assert page["ticks"][-1]["local"] == "2023-05-10 03:00"
    assert all(tick["is_backfill"] for tick in page["ticks"])
    before = ok(server.http.get("/api/ui/deployment", params={"ref": "train/nightly", "until": page["older"]}))
    assert before["past"][0]["ticks"][-1]["local"] == "2023-03-11 03:00"


def test_who_may_not_run_is_told_what_there_is_to_do_and_makes_nothing(server: Served) -> None:
    viewer = server.key("ann", "viewer")
    assert ok(viewer.post(PATH, json={**DAYS, "dry_run": True}))["counts"] == {"make": 130}
    assert problem(viewer.post(PATH, json=DAYS)) == (403, "access-refused")
    assert ok(viewer.get("/api/ui/deployments"))["may"] == ["read"]


def test_what_is_no_backfill_is_refused_before_anything_is_made(server: Served) -> None:
    bad = ({**DAYS, "begin": "soon"}, {**DAYS, "end": "2022-01-01"}, {**DAYS, "schedule": "other"})
    for body in bad:
        assert problem(server.http.post(PATH, json=body)) == (400, "option-invalid")
    assert problem(server.http.post(PATH, json={**DAYS, "mode": "never"})) == (400, "request-invalid")
    misfit = server.http.post(PATH, json={**DAYS, "parameters": {"n": "x"}})
    assert problem(misfit) == (400, "parameters-misfit")
    naive = server.http.get("/api/ui/deployment?ref=train/nightly&until=2023-01-01T00:00:00")
    assert ok(naive)["past"][0]["ticks"] == []
    assert server.http.get("/api/runs", params={"query": "tag:backfill"}).json()["items"] == []
