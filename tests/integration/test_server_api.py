"""The public API: lists, one thing, changes, and refusals, each as its description says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.integration.served import DEPLOYMENT, Served, problem, served

from ostinato.core.commands import Join, Poll
from ostinato.core.workers import WorkerInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        assert one.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201
        yield one


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def make(server: Served, **fields: Any) -> Any:
    return ok(server.http.post("/api/runs", json={"deployment": "train/nightly", **fields}), 201)


def test_a_run_is_made_listed_shown_cancelled_and_deleted(server: Served) -> None:
    made = make(server, parameters={"n": 3, "token": "x"}, tags=["gpu"], due_at="2031-01-01T00:00:00+01:00")
    assert (made["state"], made["deployment"], made["queue"]) == ("Scheduled", "train/nightly", "default")
    assert made["due_at"] == "2030-12-31T23:00:00Z"
    assert made["parameters"] == {"n": 3, "token": "********"}
    assert ok(server.http.get(f"/api/runs/{made['id'][:12]}")) == made
    assert ok(server.http.get("/api/runs", params={"query": "tag:gpu deployment:train/nightly"}))["items"] == [made]
    assert ok(server.http.get("/api/runs", params={"query": "queue:other"}))["items"] == []
    assert ok(server.http.get("/api/runs", params={"query": "due:>2030-01-01 queue:default"}))["items"] == [made]
    cancelled = ok(server.http.post(f"/api/runs/{made['name']}/cancel", json={"reason": "no need"}))
    assert (cancelled["state"], cancelled["message"]) == ("Cancelled", "cancelled by local: no need")
    states = [step["state"] for step in ok(server.http.get("/api/runs/last/history"))]
    assert states == ["Scheduled", "Cancelled"]
    assert problem(server.http.post("/api/runs/last/cancel")) == (409, "control-refused")
    assert ok(server.http.post("/api/runs/last/resume"))["epoch"] == 2
    assert ok(server.http.post("/api/runs/last/pause"))["state"] == "Paused"
    ok(server.http.delete("/api/runs/last"), 204)
    assert problem(server.http.get(f"/api/runs/{made['id']}")) == (404, "run-not-found")


def test_a_key_makes_one_run(server: Served) -> None:
    assert make(server, key="once")["id"] == make(server, key="once")["id"]


def test_pages_follow_one_another_without_gap_or_repetition(server: Served) -> None:
    wanted = [make(server)["id"] for _ in range(7)][::-1]
    found: list[str] = []
    after = ""
    while True:
        page = ok(server.http.get("/api/runs", params={"limit": 3, "after": after}))
        found += [run["id"] for run in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == wanted


def test_many_runs_are_cancelled_and_deleted_at_once(server: Served) -> None:
    ids = {make(server)["id"] for _ in range(4)}
    body = {"query": "state:scheduled", "action": "cancel", "reason": "enough", "limit": 3}
    first = ok(server.http.post("/api/runs/bulk", json=body))
    second = ok(server.http.post("/api/runs/bulk", json={**body, "after": first["next"]}))
    assert {*first["done"], *second["done"]} == ids
    assert second["next"] is None
    again = ok(server.http.post("/api/runs/bulk", json={"query": "flow:train", "action": "cancel"}))
    assert again["done"] == []
    assert {one["code"] for one in again["refused"]} == {"control-refused"}
    ok(server.http.post("/api/runs/bulk", json={"query": "flow:train", "action": "delete"}))
    assert ok(server.http.get("/api/runs"))["items"] == []


def test_a_run_says_why_it_waits(server: Served) -> None:
    make(server)
    assert "no worker serves queue 'default'" in ok(server.http.get("/api/runs/last/why"))["reason"]


def test_deployments_are_made_shown_run_paused_and_removed(server: Served) -> None:
    schedule = {"slug": "night", "schedule": {"kind": "cron", "cron": "0 3 * * *", "timezone": "Europe/Berlin"}}
    body = {**DEPLOYMENT, "schedules": [schedule], "parameters": {"password": "x", "n": 1}, "env": {"API_TOKEN": "x"}}
    made = ok(server.http.post("/api/deployments", json=body), 201)
    assert (made["parameters"], made["env"]) == ({"password": "********", "n": 1}, {"API_TOKEN": "********"})
    assert made["schedules"][0]["said"] == "at 03:00 each day, Europe/Berlin"
    one = f"/api/deployments/{made['id']}"
    assert ok(server.http.get(one)) == made
    assert ok(server.http.get("/api/deployments", params={"ref": "train/nightly"})) == [made]
    coming = ok(server.http.get(f"{one}/upcoming", params={"limit": 3}))
    assert [each["slug"] for each in coming] == ["night"] * 3
    server.fleet.until(lambda: len(preview(server)) > 90, "the scheduler makes the coming runs")
    assert [run["due_at"] for run in preview(server)[:3]] == [each["due_at"] for each in coming]
    assert ok(server.http.post(f"{one}/pause", json={"slug": "night"}))["schedules"][0]["active"] is False
    assert ok(server.http.post(f"{one}/pause"))["paused"] is True
    run = ok(server.http.post(f"{one}/runs", json={"parameters": {"n": 2}}), 201)
    assert run["parameters"] == {"password": "********", "n": 2}
    ok(server.http.delete(one), 204)
    assert problem(server.http.get(one)) == (404, "deployment-not-found")


def preview(server: Served) -> Any:
    return ok(server.http.get("/api/queues/default/preview", params={"hours": 2400}))


def test_a_deployment_is_called_by_flow_and_name_too(server: Served) -> None:
    (listed,) = ok(server.http.get("/api/deployments"))
    for path in (f"/api/deployments/{listed['id']}", "/api/deployments/train/nightly", "/api/deployments/nightly"):
        assert ok(server.http.get(path))["id"] == listed["id"]
    assert ok(server.http.get("/api/deployments/train/nightly/upcoming")) == []
    assert ok(server.http.post("/api/deployments/train/nightly/runs"), 201)["deployment"] == "train/nightly"
    assert ok(server.http.post("/api/deployments/train/nightly/pause"))["paused"] is True
    assert problem(server.http.get("/api/deployments/train/other")) == (404, "deployment-not-found")
    lost = server.http.get("/api/deployments/a/train/nightly")
    assert problem(lost) == (404, "door-not-found")
    assert "by its id" in lost.json()["hint"]
    ok(server.http.delete("/api/deployments/train/nightly"), 204)
    assert ok(server.http.get("/api/deployments")) == []


def test_a_name_in_the_query_that_means_nothing_is_refused(server: Served) -> None:
    refused = server.http.get("/api/runs", params={"querry": "state:failed"})
    assert problem(refused) == (400, "request-invalid")
    assert "there is no parameter 'querry'; there are: query, limit, after" in refused.json()["detail"]
    assert problem(server.http.get("/api/workers?x=1")) == (400, "request-invalid")


def test_queues_limits_and_workers_are_set_and_listed(server: Served) -> None:
    assert ok(server.http.put("/api/queues/gpu", json={"concurrency": 2, "tags": ["gpu"]}))["concurrency"] == 2
    make(server, tags=["gpu"])
    queues = {queue["name"]: queue for queue in ok(server.http.get("/api/queues"))}
    assert (queues["gpu"]["n_waiting"], queues["default"]["n_waiting"]) == (1, 0)
    assert queues["gpu"]["oldest_due_at"] is not None
    assert problem(server.http.delete("/api/queues/gpu")) == (409, "queue-in-use")
    assert ok(server.http.put("/api/limits/tag:gpu", json={"slots": 1})) == {
        "name": "tag:gpu",
        "slots": 1,
        "n_taken": 0,
    }
    ok(server.http.delete("/api/limits/tag:gpu"), 204)
    assert problem(server.http.delete("/api/limits/tag:gpu")) == (404, "limit-not-found")
    server.do(Join(worker=WorkerInfo(id="a1", name="one", host="here", pid=1)))
    server.do(Poll(worker_id="a1", free=1))
    (worker,) = ok(server.http.get("/api/workers"))
    assert (worker["name"], worker["n_held"]) == ("one", 1)
    (held,) = ok(server.http.get("/api/runs", params={"query": "worker:a1"}))["items"]
    assert (held["state"], held["worker"]) == ("Pending", "a1")


def test_variables_flows_and_counts_are_shown(server: Served) -> None:
    ok(server.http.put("/api/variables/limit", json={"value": {"rows": 5}, "tags": ["a"]}))
    assert ok(server.http.get("/api/variables/limit"))["value"] == {"rows": 5}
    assert [one["name"] for one in ok(server.http.get("/api/variables"))] == ["limit"]
    ok(server.http.delete("/api/variables/limit"), 204)
    assert problem(server.http.get("/api/variables/limit")) == (404, "variable-not-found")
    for flow in ("a", "b", "c"):
        ok(server.http.post("/api/deployments", json={**DEPLOYMENT, "flow": flow}), 201)
        make(server, deployment=f"{flow}/nightly")
    page = ok(server.http.get("/api/flows", params={"limit": 2}))
    assert page == {
        "items": [{"name": name, "total": 1, "states": {"Scheduled": 1}} for name in ("a", "b")],
        "next": "b",
    }
    rest = ok(server.http.get("/api/flows", params={"after": "b", "hours": 24}))
    assert [one["name"] for one in rest["items"]] == ["c"]
    assert ok(server.http.get("/api/counts")) == {"Scheduled": 3}


def test_a_variable_of_any_name_is_set_shown_and_unset(server: Served) -> None:
    """One whose name had a slash led to no door: it could be made by a flow, and never be deleted."""
    for name in ("a/b", "/a//b/", "a%2Fb", "100%", "..a", "مرحبا؟#&", "/" * 500):
        address = f"/api/variables/{quote(name, safe='')}"
        assert ok(server.http.put(address, json={"value": 1}))["name"] == name
        assert [one["name"] for one in ok(server.http.get("/api/variables"))] == [name]
        assert ok(server.http.get(address))["value"] == 1
        ok(server.http.delete(address), 204)
        assert problem(server.http.get(address)) == (404, "variable-not-found")
    for name in ("%2E", "%2E%2E", "a%00b", "n" * 501):
        assert problem(server.http.put(f"/api/variables/{name}", json={"value": 1})) == (400, "option-invalid")
    secret = server.http.put("/api/secrets/a%2Fb", json={"value": "x"})
    assert problem(secret) == (400, "name-invalid")
    assert problem(server.http.delete("/api/secrets/a%2Fb")) == (404, "secret-not-found")


def test_the_audit_tells_who_did_what(server: Served) -> None:
    server.key("ann", "viewer")
    acts = ok(server.http.get("/api/audit", params={"limit": 2}))
    assert [(one["actor"], one["action"]) for one in acts["items"]] == [
        ("local", "create-key"),
        ("local", "create-user"),
    ]
    older = ok(server.http.get("/api/audit", params={"after": acts["next"]}))
    assert [one["action"] for one in older["items"]] == ["deploy"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/runs?query=colour:red", None, 400, "query-invalid"),
        ("GET", "/api/runs?limit=0", None, 400, "request-invalid"),
        ("GET", "/api/runs?limit=many", None, 400, "request-invalid"),
        ("GET", "/api/runs/last/tasks?state=What", None, 400, "request-invalid"),
        ("GET", "/api/runs/last/logs?after=99999999999999999999", None, 400, "request-invalid"),
        ("GET", "/api/nothing", None, 404, "door-not-found"),
        ("GET", "/nothing", None, 404, "door-not-found"),
        ("PATCH", "/api/runs", None, 405, "method-refused"),
        ("POST", "/api/runs", {"deployment": "no/where"}, 404, "deployment-not-found"),
        ("POST", "/api/runs", {"deployment": "train/nightly", "due_at": "2030-01-01T00:00:00"}, 400, "request-invalid"),
        ("POST", "/api/runs", {"deployment": "train/nightly", "colour": 1}, 400, "request-invalid"),
        ("POST", "/api/runs", {"deployment": "train/nightly", "priority": 1 << 70}, 400, "request-invalid"),
        ("POST", "/api/runs", None, 400, "request-invalid"),
        ("POST", "/api/deployments", {**DEPLOYMENT, "parameter_schema": {"type": 5}}, 400, "deployment-invalid"),
        (
            "POST",
            "/api/deployments",
            {**DEPLOYMENT, "schedules": [{"slug": "x", "schedule": {"kind": "cron", "cron": "61 * * * *"}}]},
            400,
            "schedule-invalid",
        ),
        ("POST", "/api/deployments", {**DEPLOYMENT, "queue": "q" * 300}, 400, "deployment-invalid"),
        ("POST", "/api/deployments", {**DEPLOYMENT, "priority": 1 << 70}, 400, "deployment-invalid"),
        ("POST", "/api/deployments", {**DEPLOYMENT, "parameters": {"n": 1 << 70}}, 400, "request-invalid"),
        ("POST", "/api/runs", {"deployment": "train/nightly", "queue": "nowhere"}, 404, "queue-not-found"),
        ("POST", "/api/users", {"name": "a b", "role": "viewer"}, 400, "name-invalid"),
        ("POST", "/api/keys", {"user": "nobody"}, 404, "user-not-found"),
        ("PUT", "/api/secrets/x", {"value": ""}, 400, "request-invalid"),
    ],
)
def test_bad_input_is_refused_with_code_and_hint(
    server: Served, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = server.http.request(method, path, json=body) if body is not None else server.http.request(method, path)
    assert problem(answer) == (status, code)


def test_parameters_that_do_not_fit_the_schema_are_refused(server: Served) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
    ok(server.http.post("/api/deployments", json={**DEPLOYMENT, "parameter_schema": schema}), 201)
    run = {"deployment": "train/nightly", "parameters": {"n": "three"}}
    assert problem(server.http.post("/api/runs", json=run)) == (400, "parameters-misfit")


def test_the_description_names_every_door_and_is_the_same_for_all(server: Served) -> None:
    described = ok(server.http.get("/api/openapi.json"))
    assert described["openapi"].startswith("3.1")
    wanted = {"/api/runs", "/api/runs/{ref}", "/api/deployments", "/api/queues", "/api/audit", "/api/server"}
    assert wanted <= set(described["paths"])
    assert all(operation["description"] for path in described["paths"].values() for operation in path.values())


def test_the_metrics_count_what_happens(server: Served) -> None:
    make(server)
    time.sleep(0.05)
    text = server.http.get("/metrics").text
    assert 'ostinato_runs{state="Scheduled"} 1\n' in text
    assert 'ostinato_queue_waiting{queue="default"} 1\n' in text
    assert 'ostinato_request_duration_seconds_count{door="runs",method="POST"} 1\n' in text
    late = next(line for line in text.splitlines() if line.startswith("ostinato_queue_lateness_seconds{"))
    assert float(late.rpartition(" ")[2]) > 0
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0
