"""The doors of our own processes: commands, polls, blocks, memory, stored values; and whatever else arrives there."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.served import DEPLOYMENT, Served, problem, served

from ostinato.core.commands import CancelRun, CreateRun, Join, Poll
from ostinato.core.deployments import Deployment
from ostinato.core.events import Audited, Block, KeySet, RunMoved, TaskMoved, TaskStarted
from ostinato.core.ids import new_id
from ostinato.core.workers import Held, WorkerInfo
from ostinato.store.append import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.events import Event

WORKER = WorkerInfo(id="w1", name="one", host="here", pid=1)


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as one:
        assert one.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201
        yield one


def now() -> int:
    return time.time_ns() // 1000


def ship(server: Served, stream: str, first: int, *events: Event) -> Any:
    block = msgspec.msgpack.encode(Block(stream, first, list(events)))
    return server.rpc("append", (Writer(stream, 1, "here", now()), [block]))


def decoded(answer: Any) -> Any:
    assert answer.status_code == 200, msgspec.msgpack.decode(answer.content)
    return msgspec.msgpack.decode(answer.content)


def pending_run(server: Served) -> str:
    """Give a run that worker w1 holds."""
    server.do(Join(worker=WORKER))
    run: str = server.do(CreateRun(deployment="train/nightly"))["id"]
    answer = server.do(Poll(worker_id="w1", free=1))
    assert [one["run"]["id"] for one in answer["assignments"]] == [run]
    return run


def test_a_poll_waits_until_there_is_a_run(server: Served) -> None:
    server.do(Join(worker=WORKER))
    answers: list[tuple[Any, float]] = []

    def poll() -> None:
        answers.append((server.do(Poll(worker_id="w1", free=1, wait_s=20), server.client()), time.monotonic()))

    thread = threading.Thread(target=poll)
    thread.start()
    time.sleep(0.5)
    assert not answers
    begin = time.monotonic()
    run = server.do(CreateRun(deployment="train/nightly"))["id"]
    thread.join(10)
    ((answer, at),) = answers
    assert [one["run"]["id"] for one in answer["assignments"]] == [run]
    assert at - begin < 2.0


def test_a_poll_is_answered_early_for_a_run_that_is_due_soon(server: Served) -> None:
    server.do(Join(worker=WORKER))
    server.do(CreateRun(deployment="train/nightly", due_at=now() + 2_500_000))
    begin = time.monotonic()
    answer = server.do(Poll(worker_id="w1", free=1, wait_s=20))
    assert 0.3 < time.monotonic() - begin < 2.4
    assert 0 < answer["assignments"][0]["due_in_ms"] <= 2_050


def test_a_poll_that_waits_renews_the_lease_when_it_comes_and_not_again(server: Served) -> None:
    """A stopped worker was taken over a second late: each wake-up of the poll that it had left renewed its lease."""
    server.do(Join(worker=WORKER))
    thread = threading.Thread(target=lambda: server.do(Poll(worker_id="w1", wait_s=1.5), server.client()))
    thread.start()
    time.sleep(0.7)
    woken_at = now()
    server.do(CreateRun(deployment="train/nightly"))
    thread.join(10)
    (worker,) = server.fleet.reader.workers()
    assert worker.seen_at < woken_at


def test_orders_are_told_at_once_and_then_now_and_again(server: Served) -> None:
    run = pending_run(server)
    server.do(CancelRun(run=run))
    poll = Poll(worker_id="w1", held=(Held(run, 1),), wait_s=20)
    begin = time.monotonic()
    assert [order["kind"] for order in server.do(poll)["orders"]] == ["cancel"]
    assert time.monotonic() - begin < 0.8
    assert [order["kind"] for order in server.do(poll)["orders"]] == ["cancel"]
    assert 0.8 < time.monotonic() - begin < 5.0


def test_blocks_are_kept_once_and_gaps_are_asked_for(server: Served) -> None:
    run, stream = pending_run(server), new_id()
    moved = RunMoved(run, 1, now(), "Running", "Pending")
    started = TaskStarted(run, 1, now(), 1, b"k" * 16, "fit", "fit-0", "Running", "", 0, 0, (), "v")
    assert decoded(ship(server, stream, 1, moved)) == {"acked_seq": 1, "gap": False, "stale": {}}
    assert decoded(ship(server, stream, 1, moved))["acked_seq"] == 1
    assert decoded(ship(server, stream, 3, started)) == {"acked_seq": 1, "gap": True, "stale": {}}
    assert decoded(ship(server, stream, 1, moved, started))["acked_seq"] == 2
    counts = server.http.get(f"/api/runs/{run}/counts").json()
    assert counts == [{"task": "fit", "group": None, "total": 1, "states": {"Running": 1}}]
    done = TaskMoved(run, 1, now(), 1, "Completed", "Running")
    ended = RunMoved(run, 1, now(), "Completed", "Running")
    assert decoded(ship(server, stream, 3, done, ended))["acked_seq"] == 4
    assert server.http.get(f"/api/runs/{run}").json()["state"] == "Completed"


def test_a_block_of_an_old_epoch_is_told_the_new_one(server: Served) -> None:
    run, stream = pending_run(server), new_id()
    decoded(ship(server, stream, 1, RunMoved(run, 1, now(), "Running", "Pending")))
    claimed = decoded(server.rpc("memory/claim", [run, 1, new_id()]))
    assert claimed == 2
    assert decoded(ship(server, stream, 2, RunMoved(run, 1, now(), "Completed", "Running")))["stale"] == {run: 2}
    assert server.http.get(f"/api/runs/{run}").json()["state"] == "Pending"
    assert problem(server.rpc("memory/claim", [run, 1, new_id()])) == (409, "epoch-taken")


def test_flow_processes_write_nothing_but_what_they_do(server: Served) -> None:
    stream = new_id()
    key = KeySet("abcdefgh", now(), "me", "me", "", "admin", (), b"h" * 32, 0)
    assert problem(ship(server, stream, 1, key)) == (400, "request-invalid")
    assert problem(ship(server, stream, 1, Audited(now(), "me", "x", "y"))) == (400, "request-invalid")
    other = msgspec.msgpack.encode(Block(new_id(), 1, []))
    assert problem(server.rpc("append", (Writer(stream, 1, "here", 0), [other]))) == (400, "request-invalid")


def test_questions_of_flow_processes_are_answered(server: Served) -> None:
    assert decoded(server.rpc("memory/find_variable", ["x"])) is None
    server.http.put("/api/variables/x", json={"value": 3})
    assert decoded(server.rpc("memory/find_variable", ["x"]))["value"] == b"3"
    assert decoded(server.rpc("memory/find_cached", ["key", now()])) == [False, None]
    stream = new_id()
    assert decoded(server.rpc("memory/claim_cached", ["key", 30.0, stream])) is True
    assert decoded(server.rpc("memory/claim_cached", ["key", 30.0, new_id()])) is False
    decoded(server.rpc("memory/release_cached", ["key", stream]))
    assert decoded(server.rpc("memory/claim_cached", ["key", 30.0, new_id()])) is True
    run = pending_run(server)
    assert [one["id"] for one in decoded(server.rpc("memory/recall", [run]))["runs"]] == [run]


def test_reads_have_the_arguments_of_the_reader(server: Served) -> None:
    assert decoded(server.rpc("read/find_deployment", {"ref": "train/nightly"}))["flow"] == "train"
    assert decoded(server.rpc("read/runs", {"query": {"terms": []}, "limit": -1})) == [[], ""]
    assert problem(server.rpc("read/find_run", {"ref": "nothing"})) == (404, "run-not-found")
    assert problem(server.rpc("read/find_run", {"what": "nothing"})) == (400, "request-invalid")
    assert problem(server.rpc("read/close", {})) == (404, "door-not-found")
    assert problem(server.http.get("/api/rpc/do")) == (405, "method-refused")


def test_values_are_stored_under_their_digest_only(server: Served) -> None:
    data = b"0123456789" * 300_000
    blob = hashlib.blake2b(data, digest_size=16).hexdigest()
    path = f"/api/blobs/{blob}"
    assert problem(server.http.get(path)) == (404, "blob-missing")
    assert problem(server.http.put(path, content=data[:-1])) == (400, "request-invalid")
    assert server.http.head(path).status_code == 404
    assert server.http.put(path, content=data).status_code == 201
    assert server.http.put(path, content=data).status_code == 201
    assert server.http.get(path).content == data
    head = server.http.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(data)))
    assert problem(server.http.put("/api/blobs/../server.json", content=b"")) == (404, "door-not-found")
    assert list((server.fleet.home / "blobs").rglob("*.new")) == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: Served) -> None:
    place = server.card.url.removeprefix("http://")
    connection = http.client.HTTPConnection(place, timeout=20)
    connection.putrequest("POST", "/api/rpc/append")
    connection.putheader("content-length", str(65 << 20))
    connection.putheader("authorization", f"Bearer {server.card.token}")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, msgspec.msgpack.decode(answer.read())["code"]) == (413, "body-too-large")
    connection.close()


def test_many_workers_wait_and_one_run_goes_to_one_of_them(server: Served) -> None:
    n = 40
    for number in range(n):
        server.do(Join(worker=msgspec.structs.replace(WORKER, id=f"w{number}")))
    answers: list[Any] = []

    def poll(number: int) -> None:
        answers.append(server.do(Poll(worker_id=f"w{number}", free=1, wait_s=4), server.client()))

    threads = [threading.Thread(target=poll, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    server.fleet.until(lambda: f"ostinato_polls_waiting {n}\n" in server.http.get("/metrics").text, "all wait")
    server.do(CreateRun(deployment="train/nightly"))
    for thread in threads:
        thread.join(20)
    assert len(answers) == n
    assert sum(len(answer["assignments"]) for answer in answers) == 1


DOORS = [
    "do",
    "append",
    "read/runs",
    "read/logs",
    "read/find_run",
    "read/preview",
    "memory/claim",
    "memory/claim_cached",
    "memory/find_secret",
    "nothing",
]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
COMMANDS = st.builds(
    CreateRun,
    deployment=st.sampled_from(["train/nightly", "", "x"]) | st.text(),
    parameters=st.dictionaries(st.text(), PLAIN, max_size=3),
    due_at=st.integers(-(2**63), 2**64 - 1),
    expected_at=st.integers(-(2**63), 2**64 - 1),
    priority=st.none() | st.integers(-(2**63), 2**64 - 1),
    key=st.text(max_size=3),
    tags=st.lists(st.text(), max_size=2).map(tuple),
) | st.builds(
    Poll,
    worker_id=st.text(),
    free=st.integers(-(2**63), 2**64 - 1),
    wait_s=st.floats(max_value=0.01),
    resources=st.dictionaries(st.text(), st.floats()),
)


def test_whatever_arrives_is_refused_in_order(server: Served) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(door=st.sampled_from(DOORS), body=st.binary() | PLAIN.map(msgspec.msgpack.encode))
    def try_bytes(door: str, body: bytes) -> None:
        answer = server.http.post(f"/api/rpc/{door}", content=body)
        assert answer.status_code < 500, answer.content
        if answer.status_code != 200:
            problem(answer)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(command=COMMANDS)
    def try_command(command: Any) -> None:
        answer = server.rpc("do", command)
        assert answer.status_code < 500, answer.content

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(payload=st.binary() | PLAIN.map(msgspec.msgpack.encode), numbers=st.tuples(st.integers(), st.integers()))
    def try_blocks(payload: bytes, numbers: tuple[int, int]) -> None:
        stream, at = new_id(), max(-(2**63), min(numbers[0], 2**64 - 1))
        body = msgspec.msgpack.encode((Writer(stream, 1, "here", at), [payload]))
        assert server.http.post("/api/rpc/append", content=body).status_code == 400
        run = RunMoved("r", max(-(2**63), min(numbers[1], 2**64 - 1)), at, "Running", "Pending")
        assert ship(server, stream, 1, run).status_code < 500

    try_bytes()
    try_command()
    try_blocks()
    assert server.http.get("/health").status_code == 200


def test_a_deployment_survives_the_trip(server: Served) -> None:
    found = msgspec.convert(decoded(server.rpc("read/find_deployment", {"ref": "train/nightly"})), Deployment)
    assert found.title == "train/nightly"
