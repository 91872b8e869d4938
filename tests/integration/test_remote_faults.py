"""Flow processes and servers that come, go, hang and lie: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import Fleet, fleet_on

from ostinato import session
from ostinato.client import Client
from ostinato.core.commands import CreateKey, CreateUser, SetQueue
from ostinato.core.deployments import Queue
from ostinato.core.query import Query
from ostinato.session.discovery import read_card
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun
    from ostinato.session.discovery import Card

STEPS = """
    import os, sys, time
    from ostinato import flow, task

    @task
    def step(i, size=0):
        return b"%d" % i * size if size else i

    @flow
    def steps(seconds: float, size: int = 0):
        end = time.monotonic() + seconds
        n = 0
        while time.monotonic() < end or n < 20 or os.path.exists("go-on"):
            step(n, size)
            n += 1
            time.sleep(0.002)
            if n == 20:
                print("begun", flush=True)
        return n

    if __name__ == "__main__":
        print(steps(float(sys.argv[1]), int(sys.argv[2])), flush=True)
"""
"""A flow of many short tasks; it prints how many."""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_on(home, tmp_path) as one:
        one.write(STEPS, "steps.py")
        yield one


@contextmanager
def flow(
    fleet: Fleet, seconds: float, size: int = 0, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run the flow of many tasks in a process; it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "steps.py", str(seconds), str(size)],
        cwd=fleet.folder,
        env={**os.environ, "OSTINATO_CONSOLE": "false", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n", process.communicate()[1]
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of the flow; give how many tasks it ran, and what it said on stderr."""
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    return int(out), err


def card_of(home: Path) -> Card:
    card = read_card(Home(str(home)))
    assert card is not None
    return card


def only_run(reader: Reader) -> FlowRun:
    (run,) = reader.runs(Query())[0]
    return run


def running(fleet: Fleet) -> FlowRun:
    """Wait until the server knows the only run, and that it runs; give it."""
    fleet.until(lambda: [run.state for run in fleet.reader.runs(Query())[0]] == ["Running"], "the run is seen")
    return only_run(fleet.reader)


def n_tasks(fleet: Fleet) -> int:
    """Give how many tasks of the only run are known, once that runs."""
    return sum(count.n for count in fleet.reader.counts(running(fleet).id))


def check_complete(reader: Reader, run: FlowRun, n: int) -> None:
    """Every task of the run is there once, Completed, in order, with its result."""
    assert run.state == "Completed"
    assert {(count.state, count.n) for count in reader.counts(run.id)} == {("Completed", n)}
    tasks = reader.task_runs(run.id, limit=n + 1)
    assert [task.no for task in tasks] == list(range(1, n + 1))
    blocks = [step.state for step in reader.history(run.id)]
    assert blocks == ["Pending", "Running", "Completed"]


def journal_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "journal").glob("*.journal"))


# --- on the home of the server


def test_while_the_server_answers_the_journal_stays_empty(fleet: Fleet, home: Path) -> None:
    fleet.server()
    with flow(fleet, 1.0, env={"OSTINATO_DISK_LAG_MS": "5000"}) as process:  # however slow the machine is
        time.sleep(0.3)
        assert 0 < journal_bytes(home) < 400  # its header: the lock on it shows that the process lives
        n, err = ended(process)
    assert err == ""
    check_complete(fleet.reader, only_run(fleet.reader), n)
    assert list((home / "journal").glob("*.journal")) == []


def test_a_server_json_left_by_a_killed_server_holds_nobody_up(fleet: Fleet, home: Path) -> None:
    fleet.server().kill()
    assert card_of(home).url
    begin = time.monotonic()
    with flow(fleet, 0.2) as process:
        n, err = ended(process)
    assert (err, time.monotonic() - begin < 10) == ("", True)
    check_complete(fleet.reader, only_run(fleet.reader), n)
    assert fleet.do(SetQueue(queue=Queue(name="q"))).name == "q"


def test_a_server_that_starts_in_the_middle_of_a_flow_takes_over(fleet: Fleet, home: Path) -> None:
    with flow(fleet, 4.0) as process:
        assert journal_bytes(home) > 400
        fleet.server()
        card = card_of(home)
        n, err = ended(process)
    assert err == ""
    check_complete(fleet.reader, only_run(fleet.reader), n)
    assert taken_by(card) > 3


def test_a_server_killed_in_the_middle_of_a_flow_loses_nothing_and_its_successor_takes_over(
    fleet: Fleet, home: Path
) -> None:
    first = fleet.server()
    with flow(fleet, 6.0) as process:
        time.sleep(0.3)
        first.kill()
        time.sleep(1)
        fleet.server()
        card = card_of(home)
        n, err = ended(process)
    assert err == ""
    check_complete(fleet.reader, only_run(fleet.reader), n)
    assert taken_by(card) > 3


def test_a_server_that_hangs_is_left_and_may_come_back(fleet: Fleet, home: Path) -> None:
    server = fleet.server()
    with flow(fleet, 7.0) as process:
        server.signal(signal.SIGSTOP)
        time.sleep(0.5)
        assert journal_bytes(home) > 400
        time.sleep(5.5)
        server.signal(signal.SIGCONT)
        n, err = ended(process)
    assert err == ""
    check_complete(fleet.reader, only_run(fleet.reader), n)


def test_a_flow_that_is_killed_on_the_home_of_a_server_is_crashed_at_once(fleet: Fleet) -> None:
    fleet.server()
    with flow(fleet, 30.0) as process:
        process.kill()
        process.wait()
    fleet.until(lambda: only_run(fleet.reader).state == "Crashed", "the run is Crashed", 5)
    run = only_run(fleet.reader)
    assert run.message == f"process {process.pid} on {os.uname().nodename} ended without a word"


def taken_by(card: Card) -> int:
    """Give how many blocks a server has taken from flow processes."""
    client = Client(card.address)
    text = client.call("/metrics", method="GET").decode()
    client.close()
    (line,) = [line for line in text.splitlines() if line.startswith("ostinato_ingested_blocks_total")]
    return int(float(line.split()[-1]))


# --- far away


@pytest.fixture
def far(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    return Far(fleet, tmp_path / "far", monkeypatch)


class Far:
    """A machine that has a home of its own, and works with the server of the fleet by its address."""

    def __init__(self, fleet: Fleet, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fleet = fleet
        self.home = home
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.env = {
            "OSTINATO_HOME": str(home),
            "OSTINATO_API_URL": f"http://127.0.0.1:{self.port}",
            "OSTINATO_EXIT_WAIT_S": "2",
        }
        self.monkeypatch = monkeypatch
        self.key()

    def key(self) -> None:
        """Make a key while no server runs."""
        self.fleet.do(CreateUser(name="ann", role="operator"))
        self.env["OSTINATO_API_KEY"] = self.fleet.do(CreateKey(user="ann")).text
        self.fleet.let_go()

    def server(self) -> None:
        self.program = self.fleet.server("--port", str(self.port))

    def left(self) -> list[Path]:
        """Files that have not arrived."""
        return [path for path in (self.home / "outbox").rglob("*") if path.is_file() and path.name != "lock"]


def test_a_flow_far_away_leaves_nothing_on_its_machine(far: Far) -> None:
    far.server()
    with flow(far.fleet, 0.5, 10_000, env=far.env) as process:
        n, err = ended(process)
    assert err == ""
    check_complete(far.fleet.reader, only_run(far.fleet.reader), n)
    assert far.left() == []
    assert not (far.home / "ostinato.db").exists()
    result = far.fleet.tasks(only_run(far.fleet.reader))[-1].result
    assert result is not None
    assert len(far.fleet.reader.blob(result.blob)) > 10_000


def test_a_wrong_key_is_refused_before_the_flow_begins(far: Far) -> None:
    far.server()
    process = subprocess.run(
        [sys.executable, "steps.py", "0.1", "0"],
        cwd=far.fleet.folder,
        env={**os.environ, **far.env, "OSTINATO_API_KEY": "ost_aaaaaaaa_" + "b" * 43},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert process.returncode != 0
    assert "key-refused" in process.stderr or "not-authenticated" in process.stderr
    assert process.stdout == ""
    assert far.fleet.reader.runs(Query())[0] == []


def test_a_server_that_is_away_in_the_middle_gets_everything_later(far: Far) -> None:
    far.server()
    goes_on = far.fleet.folder / "go-on"
    goes_on.touch()
    with flow(far.fleet, 0.0, 10_000, env=far.env) as process:
        n_known = n_tasks(far.fleet)
        far.program.kill()
        time.sleep(2)
        assert far.left()
        far.server()
        far.fleet.until(lambda: n_tasks(far.fleet) > n_known + 100, "it delivers again")
        goes_on.unlink()
        n, err = ended(process)
    assert err == ""
    reader = far.fleet.reader
    check_complete(reader, only_run(reader), n)
    assert far.left() == []
    for task in far.fleet.tasks(only_run(reader)):
        if task.result is not None and task.result.blob:
            reader.blob(task.result.blob)


def test_a_flow_without_its_server_ends_well_and_the_next_process_delivers(far: Far) -> None:
    with flow(far.fleet, 0.5, 10_000, env=far.env) as process:
        n, err = ended(process)
    assert "not everything reached the server at http://127.0.0.1" in err
    assert "the next Ostinato process on that home delivers what the journal holds" in err
    assert far.left()
    far.server()
    with flow(far.fleet, 0.1, env=far.env) as process:
        ended(process)
    far.fleet.until(lambda: far.left() == [], "all has arrived", 5)
    runs = far.fleet.reader.runs(Query())[0]
    assert [run.state for run in runs] == ["Completed", "Completed"]
    check_complete(far.fleet.reader, runs[-1], n)


def test_a_flow_killed_far_away_is_crashed_when_the_next_process_tells(far: Far) -> None:
    far.server()
    with flow(far.fleet, 30.0, env=far.env) as process:
        running(far.fleet)
        process.kill()
        process.wait()
    assert only_run(far.fleet.reader).state == "Running"
    with flow(far.fleet, 0.1, env=far.env) as other:
        ended(other)
    reader = far.fleet.reader
    states = {run.state: run.message for run in reader.runs(Query())[0]}
    assert set(states) == {"Completed", "Crashed"}
    assert states["Crashed"] == f"process {process.pid} on {os.uname().nodename} ended without a word"
    assert far.left() == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xc1",
        b"nonsense",
        b"",
    ],
    ids=["503", "garbage", "no HTTP", "silence"],
)
def test_a_server_that_makes_no_sense_does_not_stop_the_flow(far: Far, answer: bytes) -> None:
    with liar(far.port, answer), flow(far.fleet, 0.5, env=far.env) as process:
        n, err = ended(process)
    assert "not everything reached the server" in err
    far.server()
    with flow(far.fleet, 0.1, env=far.env) as process:
        ended(process)
    far.fleet.until(lambda: far.left() == [], "all has arrived", 5)
    check_complete(far.fleet.reader, far.fleet.reader.runs(Query())[0][-1], n)


@contextmanager
def liar(port: int, answer: bytes) -> Iterator[None]:
    """Have something at a port that answers every request alike."""
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=reply, args=(connection,), daemon=True).start()

    def reply(connection: socket.socket) -> None:
        try:
            while connection.recv(1 << 20):
                connection.sendall(answer)
        except OSError:
            return

    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in held:
            connection.close()


def test_an_older_epoch_learns_from_the_server_that_it_is_old(far: Far) -> None:
    far.server()
    for name, value in far.env.items():
        far.monkeypatch.setenv(name, value)
    session.close()
    with flow(far.fleet, 30.0, env=far.env) as process:
        run = running(far.fleet)
        recorder = session.recorder()
        assert recorder.claim(run.id, 1) == 2
        _, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "goes on elsewhere (epoch 2)" in err
    session.close()
