"""The feed: everything in commit order, once, whatever dies between."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.integration.served import DEPLOYMENT, Served, problem, served

from ostinato.core.commands import CreateRun
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        assert one.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201
        yield one


class Told:
    """One event as a reader of the feed gets it."""

    def __init__(self, number: str, kind: str, data: dict[str, Any]) -> None:
        self.id = number
        self.kind = kind
        self.data = data


def events(lines: Iterator[str]) -> Iterator[Told]:
    """Give the events of a stream of lines, as a browser would."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {"id": fields["id"]}


def read(server: Served, n: int, headers: dict[str, str] | None = None, **params: str) -> list[Told]:
    """Give the next `n` events."""
    found = []
    with server.http.stream("GET", "/api/feed", params=params, headers=headers or {}) as feed:
        assert feed.status_code == 200, feed.read()
        assert feed.headers["content-type"] == "text/event-stream"
        for one in events(feed.iter_lines()):
            found.append(one)
            if len(found) == n:
                break
    return found


def make_runs(server: Served, n: int) -> list[str]:
    return [server.do(CreateRun(deployment="train/nightly"))["id"] for _ in range(n)]


def test_events_are_told_in_words_with_plain_values(server: Served) -> None:
    (run,) = make_runs(server, 1)
    (told,) = read(server, 1, after="0.0", kinds="run-created")
    assert told.kind == "run-created"
    assert (told.data["run_id"], told.data["flow"], told.data["state"]) == (run, "train", "Scheduled")
    assert told.data["at"].endswith("Z")
    assert told.data["planned"]["deployment"] == "train/nightly"
    assert "arguments" not in told.data


def test_a_reader_that_was_told_nothing_yet_comes_again_where_it_began(server: Served) -> None:
    make_runs(server, 1)
    with server.http.stream("GET", "/api/feed", params={"kinds": "run-created"}) as feed:
        began = next(line.removeprefix("id: ") for line in feed.iter_lines() if line.startswith("id: "))
    (run,) = make_runs(server, 1)
    (told,) = read(server, 1, {"last-event-id": began}, kinds="run-created")
    assert told.data["run_id"] == run


def test_who_names_no_position_is_told_what_comes(server: Served) -> None:
    make_runs(server, 3)
    late: list[str] = []
    timer = threading.Timer(0.5, lambda: late.extend(make_runs(server, 1)))
    timer.start()
    (told,) = read(server, 1, kinds="run-created")
    timer.join()
    assert [told.data["run_id"]] == late


def test_a_reader_goes_on_in_the_middle_of_a_block(server: Served) -> None:
    make_runs(server, 5)
    whole = read(server, 7, after="0.0")
    for number, one in enumerate(whole[:-1]):
        rest = read(server, 7 - number - 1, {"last-event-id": one.id})
        assert [told.id for told in rest] == [told.id for told in whole[number + 1 :]]


@pytest.mark.parametrize("kill", [False, True])
def test_a_reader_misses_nothing_while_servers_come_and_go(server: Served, kill: bool) -> None:
    wanted = make_runs(server, 2)
    seen = read(server, 1, after="0.0", kinds="run-created")
    server.restart(kill=kill)
    wanted += make_runs(server, 2)
    seen += read(server, 3, {"last-event-id": seen[-1].id}, kinds="run-created")
    assert [told.data["run_id"] for told in seen] == wanted


def test_filters_choose_kinds_runs_and_flows(server: Served) -> None:
    other = {**DEPLOYMENT, "flow": "score"}
    assert server.http.post("/api/deployments", json=other).status_code == 201
    first, second = make_runs(server, 2)
    third = server.do(CreateRun(deployment="score/nightly"))["id"]
    server.http.post(f"/api/runs/{second}/cancel")
    of_second = read(server, 2, after="0.0", run=second)
    assert [(told.kind, told.data["run_id"]) for told in of_second] == [("run-created", second), ("run-moved", second)]
    of_score = read(server, 1, after="0.0", flow="score")
    assert of_score[0].data["run_id"] == third
    both = read(server, 3, after="0.0", flow="train", kinds="run-created,run-moved")
    assert [told.data["run_id"] for told in both] == [first, second, second]
    since = read(server, 3, since="1h", kinds="run-created")
    assert [told.data["run_id"] for told in since] == [first, second, third]


def test_who_manages_access_is_told_to_admins_only(server: Served) -> None:
    viewer = server.key("vic", "viewer")
    make_runs(server, 1)
    with viewer.stream("GET", "/api/feed", params={"after": "0.0"}) as feed:
        kinds = []
        for told in events(feed.iter_lines()):
            kinds.append(told.kind)
            if told.kind == "run-created":
                break
    assert not {"user-set", "key-set", "audited"} & set(kinds)
    assert problem(viewer.get("/api/feed", params={"kinds": "audited"})) == (403, "access-refused")
    keys = read(server, 1, after="0.0", kinds="key-set")
    assert "hash" not in keys[0].data


def test_a_position_that_is_not_kept_is_gone(server: Served) -> None:
    make_runs(server, 3)
    database = Home(str(server.fleet.home)).open()
    with database.writing() as db:
        db.execute("DELETE FROM blocks WHERE id <= 2")
    database.close()
    answer = server.http.get("/api/feed", params={"after": "1.0"})
    assert problem(answer) == (410, "feed-too-old")
    assert problem(server.http.get("/api/feed", params={"after": "999.0"})) == (410, "feed-too-old")
    assert read(server, 1, after="2.0")[0].id == "3.0"


@pytest.mark.parametrize(
    "params", [{"after": "x"}, {"after": "1"}, {"since": "never"}, {"kinds": "what"}, {"colour": "red"}]
)
def test_what_makes_no_sense_is_refused(server: Served, params: dict[str, str]) -> None:
    assert problem(server.http.get("/api/feed", params=params)) == (400, "request-invalid")


def test_commits_of_other_processes_are_told_at_once(server: Served, run_python: Any) -> None:
    told: list[tuple[Told, float]] = []

    def follow() -> None:
        told.extend((one, time.monotonic()) for one in read(server, 1, kinds="variable-set"))

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.5)
    database = Home(str(server.fleet.home)).open()
    run_python(
        """
        from ostinato.core.events import VariableSet
        from ostinato.session.home import Home
        from ostinato.session.ledger import Ledger
        import os
        ledger = Ledger(Home(os.environ["OSTINATO_HOME"]))
        ledger.do(lambda tx: tx.append(VariableSet("x", tx.now, b"1")))
        ledger.close()
        """
    )
    thread.join(5)
    database.close()
    assert told[0][0].data["name"] == "x"


def test_many_readers_cost_little_and_are_forgotten(server: Served) -> None:
    readers = [httpx.Client(base_url=server.card.url, headers=server.http.headers) for _ in range(30)]
    streams = [
        reader.send(reader.build_request("GET", "/api/feed", params={"kinds": "run-created"}), stream=True)
        for reader in readers
    ]
    assert "ostinato_feed_readers 30\n" in server.http.get("/metrics").text
    (run,) = make_runs(server, 1)
    for stream in streams:
        assert next(events(stream.iter_lines())).data["run_id"] == run
        stream.close()
    for reader in readers:
        reader.close()
    server.fleet.until(lambda: "ostinato_feed_readers 0\n" in server.http.get("/metrics").text, "nobody reads")
