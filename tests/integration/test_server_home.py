"""What the pages of the web interface ask for: the home page, the list of runs, runs by time, names."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.filled import ERROR, Filled
from tests.integration.served import DEPLOYMENT, Served, problem, served

from ostinato.core.events import Error, RunCreated, RunMoved, Source
from ostinato.core.ids import id_bound, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.states import StateName

SECOND = 1_000_000
HOUR = 3600 * SECOND


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        yield one


@pytest.fixture
def filled(server: Served) -> Filled:
    """Give a recorder of runs; the server is there first, so that it is the one who writes."""
    assert server.card
    return Filled()


def ran(
    filled: Filled, name: str, begin: int, end: int = 0, state: StateName = "Completed", *, error: Error | None = None
) -> str:
    """Record a run of now that ran from one instant to another, or still does; give its id."""
    run_id = id_bound(begin) + new_id()[12:]
    source = Source("/code/train.py", "train", "/code", "/usr/bin/python")
    filled.record(
        RunCreated(
            run_id, 1, begin, "train", name, "Pending", run_id, "", b"", 0, (), b"{}", None, (), "v1", source, begin
        )
    )
    filled.record(RunMoved(run_id, 1, begin, "Running", "Pending"))
    if end:
        filled.record(RunMoved(run_id, 1, end, state, "Running", error=error))
    return run_id


def asked(server: Served, path: str, **query: Any) -> Any:
    answer = server.http.get(f"/api/ui/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_timeline_has_what_ran_in_its_window(server: Served, filled: Filled) -> None:
    now = time.time_ns() // 1000
    ran(filled, "short", now - HOUR // 2, now - HOUR // 4)
    ran(filled, "across", now - 3 * HOUR, now - HOUR // 2)
    ran(filled, "before", now - 5 * HOUR, now - 4 * HOUR, "Failed")
    ran(filled, "endless", now - 2000 * HOUR)
    filled.settle()
    found = asked(server, "timeline", hours=1)
    assert {one["name"] for one in found["items"]} == {"short", "across", "endless"}
    assert found["whole"]
    assert [one["ended_at"] for one in found["items"] if one["name"] == "endless"] == [None]
    earlier = asked(server, "timeline", hours=2, ago=4)
    assert {one["name"] for one in earlier["items"]} == {"before", "endless"}
    failed = asked(server, "timeline", query="state:failed", hours=24)
    assert [one["name"] for one in failed["items"]] == ["before"]
    assert problem(server.http.get("/api/ui/timeline", params={"query": "state:odd"})) == (400, "query-invalid")
    filled.close()


def test_names_are_found_those_that_begin_so_first(server: Served, filled: Filled) -> None:
    assert server.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201
    assert server.http.post("/api/models", json={"name": "Retrained rides"}).status_code == 201
    filled.run("quiet-train", flow="retrain")
    filled.run("quiet-otter", flow="train")
    filled.settle()
    found = [(one["kind"], one["name"]) for one in asked(server, "find", text="TRAIN")]
    assert found[:2] == [("flow", "train"), ("flow", "retrain")]
    assert ("deployment", "train/nightly") in found
    assert ("model", "Retrained rides") in found
    assert {name for kind, name in found if kind == "run"} >= {"quiet-train", "quiet-otter"}
    assert asked(server, "find", text='name:"not closed') == []
    by_query = asked(server, "find", text="name:quiet-otter")
    assert [(one["kind"], one["name"], one["state"]) for one in by_query] == [("run", "quiet-otter", "Completed")]
    filled.close()


def test_home_counts_what_went_wrong_alike_and_how_far_runs_are(server: Served, filled: Filled) -> None:
    now = time.time_ns() // 1000
    for number in range(3):
        ran(filled, f"broken-{number}", now - HOUR + number * SECOND, now - HOUR // 2, "Failed", error=ERROR)
    ran(filled, "other", now - HOUR, now - HOUR // 3, "Failed", error=Error("KeyError", "x", "", "", 0, "", "", ""))
    at_work = ran(filled, "at-work", now - SECOND)
    filled.tasks(at_work, "score", {"Completed": 4, "Failed": 1, "Running": 2}, at=now)
    filled.settle()
    home = asked(server, "home")
    assert [(one["title"], one["cause"], one["n_alike"]) for one in home["attention"]] == [
        ("other", "KeyError: x", 1),
        ("broken-2", "ValueError: bad row 17", 3),
    ]
    assert home["attention"][1]["query"] == "flow:train state:failed since:24h"
    assert [(one["name"], one["n_done"], one["n_tasks"]) for one in home["running"]] == [("at-work", 5, 7)]
    filled.close()


def test_counts_of_the_list_are_those_of_the_flow_that_is_asked_for(server: Served, filled: Filled) -> None:
    for number in range(4):
        filled.run(f"one-{number}", "Failed" if number else "Completed", flow="train")
    filled.run("two", flow="score")
    filled.settle()
    every = asked(server, "runs")
    assert (every["states"], every["flow"]) == ({"Completed": 2, "Failed": 3}, None)
    of_one = asked(server, "runs", query="flow:train state:failed", limit=2)
    assert (of_one["states"], of_one["flow"]) == ({"Completed": 1, "Failed": 3}, "train")
    rest = asked(server, "runs", query="flow:train state:failed", limit=2, after=of_one["next"])
    assert [one["name"] for one in (*of_one["items"], *rest["items"])] == ["one-3", "one-2", "one-1"]
    assert rest["next"] is None
    filled.close()


def test_what_is_due_and_kept_from_starting_needs_attention_with_its_reason(server: Served) -> None:
    assert server.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201

    def made(name: str, due_at: str | None = None) -> None:
        body = {"name": name, "due_at": due_at}
        assert server.http.post("/api/deployments/train/nightly/runs", json=body).status_code == 201

    made("first")
    made("second")
    made("tomorrow", datetime.fromtimestamp(time.time() + 86400, UTC).isoformat())
    (waits,) = asked(server, "home")["attention"]
    assert (waits["kind"], waits["title"], waits["n_alike"]) == ("late", "second", 2)
    assert waits["cause"].startswith("no worker serves queue 'default'")
    assert [one["name"] for one in asked(server, "runs", query=waits["query"])["items"]] == ["second", "first"]
    server.http.put("/api/queues/default", json={"paused": True})
    assert asked(server, "home")["attention"][0]["cause"] == "queue 'default' is paused"
