"""Two servers and several workers on one PostgreSQL: each with a home of its own, none of them needed by the others."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import tempfile
import threading
import time
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests import postgres
from tests.integration.fleet import Fleet, Program, fleet_on

from ostinato.core.commands import CancelRun, CreateKey, CreateUser, Deploy, PauseRun, RevokeKey
from ostinato.core.deployments import Code, Deployment, Timetable
from ostinato.core.errors import EventsMissing, OstinatoError
from ostinato.core.events import VariableSet
from ostinato.core.schedules import Interval
from ostinato.scheduler import loop
from ostinato.scheduler.loop import Scheduler
from ostinato.session import ledger
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger
from ostinato.store import feed
from ostinato.store.commands import ticks
from ostinato.store.commands.handlers import carry_out
from ostinato.store.maintenance import DAY_US, Keep, remove_old

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.core.deployments import Catchup

MINUTE_US = 60_000_000
T0 = 1_700_000_040_000_000  # a whole minute
N_TICKS = 10_000

FLOWS = """
    import os, time
    from pathlib import Path
    from ostinato import flow, task

    DIARY = Path(__file__).parent / "diary.txt"

    def note(text):
        fd = os.open(DIARY, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{text}\\n".encode())
        os.close(fd)

    @task
    def step(number, no):
        note(f"{number} {no}")
        return no

    @flow
    def count(number: int, n: int = 3, s: float = 0.0):
        total = 0
        for no in range(n):
            total += step(number, no)
            time.sleep(s)
        return total
"""


class Pair:
    """Two servers, each on a home of its own, that share a database and the place of stored values."""

    def __init__(self, fleets: list[Fleet], folder: Path) -> None:
        self.fleets = fleets
        self.folder = folder
        self.ports = [postgres.free_port() for _ in fleets]
        self.servers: list[Program] = []
        self.workers: list[Program] = []
        self.key = ""

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def start(self) -> None:
        """Start both servers, and make the key that all use."""
        self.servers = [self._server(number) for number in range(len(self.fleets))]
        self.fleets[0].do(CreateUser(name="ann", role="admin"))
        self.key = self.fleets[0].do(CreateKey(user="ann")).text

    def _server(self, number: int) -> Program:
        return self.fleets[number].server("--port", str(self.ports[number]))

    def restart(self, number: int) -> None:
        """Kill a server, and start another one on its home."""
        self.servers[number].kill()
        self.servers[number] = self._server(number)

    def environ(self, name: str, *, first: int = 0) -> dict[str, str]:
        """Give the environment of who works for both servers from a home of its own."""
        urls = self.urls[first:] + self.urls[:first]
        home = self.folder / f"home-{name}"
        return {
            "OSTINATO_HOME": str(home), "OSTINATO_DATABASE_URL": "", "OSTINATO_API_URL": ",".join(urls),
            "OSTINATO_API_KEY": self.key,
        }  # fmt: skip

    def worker(self, name: str, *words: str, first: int = 0) -> Program:
        """Start a worker that asks one of the servers first."""
        program = self.fleets[0].worker("--name", name, *words, env=self.environ(name, first=first))
        self.workers.append(program)
        return program

    def diary(self) -> list[str]:
        """Give what user code noted."""
        file = self.folder / "diary.txt"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def http(self, number: int, key: str = "") -> httpx.Client:
        """Give a client of one of the servers."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.urls[number], headers=headers, timeout=30)


@contextlib.contextmanager
def pair_on(url: str, folder: Path) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        fleets = []
        for name in ("a", "b"):
            home = folder / f"home-{name}"
            postgres.choose(home, url)
            with (home / "ostinato.toml").open("a", encoding="utf-8") as settings:
                settings.write(f'blobs_url = "{folder / "blobs"}"\n')
            (folder / name).mkdir()
            fleets.append(stack.enter_context(fleet_on(home, folder / name)))
        pair = Pair(fleets, folder)
        pair.start()
        yield pair


@pytest.fixture
def url(postgresql: postgres.Server) -> Iterator[str]:
    """Give the address of an empty database."""
    with postgres.schema(postgresql) as address:
        yield address


@pytest.fixture
def pair(url: str, tmp_path: Path) -> Iterator[Pair]:
    """Give two servers that run."""
    with pair_on(url, tmp_path) as one:
        yield one


def deploy(pair: Pair, **fields: Any) -> Deployment:
    fleet = pair.fleets[0]
    file = pair.folder / "flows.py"
    if not file.exists():
        file.write_text(fleet.write(FLOWS).read_text(encoding="utf-8"), encoding="utf-8")
    return fleet.deploy(file, "count", directory=pair.folder, **fields)


# --- one product, whichever server is asked


def test_a_worker_at_one_server_starts_what_is_asked_of_the_other_and_stops_it(pair: Pair) -> None:
    pair.worker("w", first=1)
    deployment = deploy(pair)
    here, there = pair.fleets
    pair.fleets[0].wait(here.run(deployment, parameters={"number": 0}))  # its code is loaded now
    began = time.monotonic()
    run = here.run(deployment, parameters={"number": 1, "n": 400, "s": 0.1})
    here.wait(run, "Running")
    assert time.monotonic() - began < 10  # a poll waits for 5 s at least: it was woken up
    assert there.see(run).state == "Running"
    here.do(PauseRun(run=run.id))
    there.wait(run, "Paused")
    here.do(CancelRun(run=run.id, reason="enough"))
    assert there.wait(run).state == "Cancelled"


def test_a_key_holds_at_each_server_until_it_is_revoked_at_any(pair: Pair) -> None:
    made = pair.fleets[1].do(CreateKey(user="ann"))
    clients = [pair.http(number, made.text) for number in (0, 1)]
    assert [one.get("/api/runs").status_code for one in clients] == [200, 200]
    pair.fleets[0].do(RevokeKey(id=made.key.id))
    assert [one.get("/api/runs").status_code for one in clients] == [401, 401]
    for one in clients:
        one.close()


def test_a_worker_goes_on_at_the_next_server_when_its_own_is_killed(pair: Pair) -> None:
    pair.worker("w", "--lease", "4", first=1)
    deployment = deploy(pair)
    here = pair.fleets[0]
    run = here.run(deployment, parameters={"number": 1, "n": 80, "s": 0.1})
    here.until(lambda: len(pair.diary()) > 3, "the run is under way")
    pair.servers[1].kill()
    assert here.wait(run).state == "Completed"
    assert (here.see(run).epoch, pair.diary()) == (1, [f"1 {no}" for no in range(80)])
    assert here.wait(here.run(deployment, parameters={"number": 2})).state == "Completed"


def test_the_feed_of_each_server_tells_what_comes_in_at_the_other(pair: Pair) -> None:
    readers = [FeedReader(pair, number) for number in (0, 1)]
    deployment = deploy(pair)
    runs = [fleet.run(deployment, parameters={"number": 1}).id for fleet in pair.fleets for _ in range(3)]
    for reader in readers:
        Fleet.until(partial(reader.knows, runs), "each reader is told of all runs")
        reader.close()
    assert readers[0].seen == readers[1].seen


# --- the scheduler


class Many:
    """Schedulers in this process, each with a connection of its own, on one database and one driven clock."""

    def __init__(self, url: str, folder: Path, n: int = 2) -> None:
        self.now = T0
        self.url = url
        self.folder = folder
        self.ledgers = [self.ledger(number) for number in range(n)]
        self.schedulers = [Scheduler(one, lambda: self.now) for one in self.ledgers]

    def ledger(self, number: int) -> Ledger:
        return Ledger(Home(str(self.folder / f"home-{number}"), self.url), lambda: self.now)

    def deploy(self, catchup: Catchup) -> None:
        code = Code(kind="local", file="/nowhere/flow.py", function="tick", directory="/")
        timetable = Timetable(slug="minute", schedule=Interval(60))
        made = Deployment(id="", flow="tick", name="minutely", code=code, schedules=(timetable,), catchup=catchup)
        self.ledgers[0].do(lambda tx: carry_out(tx, Deploy(deployment=made)))

    def ask(self, question: str, *values: object) -> list[Any]:
        database = Home(str(self.folder / "home-0"), self.url).open_to_read()
        try:
            return database.db.execute(question, values).fetchall()
        finally:
            database.close()

    def close(self) -> None:
        for one in self.ledgers:
            one.close()


@pytest.fixture
def many(url: str, tmp_path: Path) -> Iterator[Many]:
    made = Many(url, tmp_path)
    yield made
    made.close()


STATES = "SELECT (due_at - ?) / 60000000, state FROM flow_runs ORDER BY due_at LIMIT 3"


def test_a_server_that_joins_drops_nothing_that_came_due_while_another_ran(many: Many) -> None:
    first, second = many.schedulers
    first.begin()
    many.deploy("none")
    first.turn()
    many.now = T0 + MINUTE_US - 500_000
    first.turn()
    many.now = T0 + MINUTE_US + 500_000
    second.begin()
    second.turn()
    first.turn()
    assert many.ask(STATES, T0)[0] == (1, "Scheduled")


def test_only_one_leads_and_another_does_when_it_is_gone(many: Many) -> None:
    first, second = many.schedulers
    first.begin()
    many.deploy("latest")
    second.turn()
    assert many.ask("SELECT count(*) FROM ticks") == [(0,)]
    many.ledgers[0].close()
    end = time.monotonic() + 20
    while many.ask("SELECT count(*) FROM ticks") == [(0,)]:  # its lock is free once the database saw that it hung up
        assert time.monotonic() < end
        many.now += 2_000_000
        second.turn()
    assert many.ask("SELECT count(*) FROM ticks") == [(100,)]


def test_a_leader_that_is_silent_is_deposed_and_what_it_does_late_changes_nothing(
    many: Many, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "SILENT_S", 0.2)
    first, second = many.schedulers
    first.begin()
    many.deploy("latest")
    end = time.monotonic() + 20
    while not many.ask("SELECT count(*) FROM ticks WHERE due_at > 0")[0][0]:
        assert time.monotonic() < end
        many.now += 1_500_000
        second.turn()
        time.sleep(0.05)
    assert "is not heard of" in caplog.text
    assert many.ledgers[0].lead(ticks.begin) is None  # its transaction begins anew, without the lock
    assert many.ledgers[1].lead(ticks.begin) is not None
    first.turn()
    assert many.ask("SELECT count(*), count(DISTINCT due_at) FROM ticks") == [(100, 100)]


@pytest.mark.timeout(240)
def test_10_000_ticks_of_two_schedulers_run_exactly_once(many: Many, postgresql: postgres.Server, seed: int) -> None:
    """Both turn all the time, on a clock that goes by hours; now and then the connections of one are cut off."""
    dice = random.Random(seed)
    many.schedulers[0].begin()
    many.deploy("all")
    end, over = T0 + N_TICKS * MINUTE_US, threading.Event()

    def turn(scheduler: Scheduler) -> None:
        while not over.is_set():
            with contextlib.suppress(OstinatoError):
                scheduler.turn()

    threads = [threading.Thread(target=turn, args=(one,)) for one in many.schedulers]
    for thread in threads:
        thread.start()
    name = many.url.rpartition("application_name=")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}' AND random() < 0.5"
    made, cut_at, patience = 0, time.monotonic(), time.monotonic() + 200
    try:
        while made < end and time.monotonic() < patience:
            ((made,),) = many.ask("SELECT coalesce(max(due_at), 0) FROM ticks")
            many.now = max(many.now, min(made, end) - dice.randrange(40) * MINUTE_US) + 1_000_000
            if time.monotonic() > cut_at:
                postgresql.run(cut)
                cut_at = time.monotonic() + dice.uniform(0.5, 3)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    due = many.ask("SELECT due_at, run_id FROM ticks WHERE due_at <= ? ORDER BY due_at", end)
    assert [at for at, _ in due] == list(range(T0 + MINUTE_US, end + 1, MINUTE_US))
    assert len({run for _, run in due}) == N_TICKS
    assert many.ask("SELECT count(*) FROM flow_runs WHERE due_at <= ?", end) == [(N_TICKS,)]


def test_a_server_that_said_nothing_for_days_is_heard_when_it_does(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    """The retention of the other one has forgotten its stream."""
    for name, one in zip(("a", "b"), reversed(many.ledgers), strict=True):
        one.do(lambda tx, name=name: tx.append(VariableSet(name, tx.now, b"1")))  # type: ignore[misc]
    database = Home(str(many.folder / "home-0"), many.url).open()
    later = T0 + 30 * DAY_US
    remove_old(database, Keep(blocks_from=later, runs_from=later, blobs_from=later, audit_from=later), [])
    assert database.db.execute("SELECT count(*) FROM streams").fetchone()[0] == 1
    database.close()
    with pytest.raises(EventsMissing):
        many.ledgers[1].do(lambda tx: tx.append(VariableSet("lost", tx.now, b"1")))
    monkeypatch.setattr(ledger, "SURE_S", 0.0)
    many.ledgers[1].do(lambda tx: tx.append(VariableSet("heard", tx.now, b"1")))
    assert ("heard",) in many.ask("SELECT name FROM variables")


# --- the feed


def test_a_reader_of_the_feed_sees_transactions_in_the_order_of_their_numbers_whoever_began_first(
    url: str, tmp_path: Path
) -> None:
    """What begins while another writes waits for it: below a number that is seen no other one is still to come."""
    ledgers = [Ledger(Home(str(tmp_path / f"home-{number}"), url)) for number in range(3)]
    database = Home(str(tmp_path / "home-0"), url).open_to_read()
    goes_on, over = threading.Event(), threading.Event()
    seen: list[tuple[int, str]] = []

    def look() -> None:
        while not over.wait(0.002):
            place = seen[-1][0] + 1 if seen else 0
            for number, events in feed.blocks(database.db, place):
                seen.extend((number, event.name) for event in events if isinstance(event, VariableSet))

    def write(name: str, *, fails: bool = False) -> Callable[[Any], None]:
        def work(tx: Any) -> None:
            tx.append(VariableSet(name, tx.now, b"1"))
            assert goes_on.wait(20)
            if fails:
                raise ValueError(name)

        return work

    reader = threading.Thread(target=look)
    reader.start()
    ledgers[0].do(lambda tx: tx.append(VariableSet("first", tx.now, b"1")))
    undone = ledgers[0].submit(write("undone", fails=True))
    Fleet.until(undone.running, "a number is drawn that will be missing")
    writes = [ledgers[number].submit(write(name)) for number, name in ((1, "second"), (2, "third"))]
    time.sleep(0.3)
    assert [name for _, name in seen] == ["first"]
    goes_on.set()
    assert type(undone.exception(20)) is ValueError
    assert [one.exception(20) for one in writes] == [None, None]
    Fleet.until(lambda: len(seen) == 3, "all that was committed is seen")
    over.set()
    reader.join()
    database.close()
    for one in ledgers:
        one.close()
    numbers = [number for number, _ in seen]
    assert sorted(name for _, name in seen) == ["first", "second", "third"]
    assert numbers == sorted(set(numbers))
    assert [number - numbers[0] for number in numbers] == [0, 2, 3]  # what was undone has left a gap


class FeedReader(threading.Thread):
    """Follows the feed of one server by its last id, whatever becomes of the server."""

    def __init__(self, pair: Pair, number: int) -> None:
        super().__init__(daemon=True)
        self.pair, self.number = pair, number
        self.seen: list[tuple[str, Any]] = []
        self.last = "0.0"
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError, HTTPException):
                self.follow()
            self.over.wait(0.1)

    def follow(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.pair.ports[self.number], timeout=1)
        try:
            headers = {"Authorization": f"Bearer {self.pair.key}", "Last-Event-ID": self.last}
            connection.request("GET", "/api/feed?kinds=run-created,run-moved", headers=headers)
            answer = connection.getresponse()
            told: dict[str, str] = {}
            while not self.over.is_set() and (line := answer.readline().decode()):
                word, _, text = line.rstrip("\n").partition(": ")
                told[word] = text
                if line == "\n" and told.get("id"):
                    if told.get("event"):
                        self.seen.append((told["id"], json.loads(told["data"])))
                    self.last, told = told["id"], {}
        finally:
            connection.close()

    def knows(self, runs: list[str]) -> bool:
        """Tell whether it was told of these runs."""
        return {data["run_id"] for _, data in tuple(self.seen)} >= set(runs)

    def is_at(self, last: str) -> bool:
        """Tell whether it was told of this event last."""
        return [id_ for id_, _ in self.seen[-1:]] == [last]

    def close(self) -> None:
        self.over.set()
        self.join()


# --- what dies


@pytest.fixture
def own() -> Iterator[postgres.Server]:
    """Give a PostgreSQL that may be killed, with all its promises kept."""
    with tempfile.TemporaryDirectory(prefix="ostinato-tests-") as folder:
        Path(folder).chmod(0o755)  # it runs as somebody else
        server = postgres.Server(Path(folder) / "server")
        server.make()
        server.start()
        server.run(f"CREATE DATABASE {postgres.NAME}", name="postgres")
        yield server
        server.stop("immediate")


@pytest.mark.timeout(180)
def test_each_run_is_done_once_while_servers_workers_and_the_database_are_killed(
    own: postgres.Server, tmp_path: Path, seed: int
) -> None:
    dice, n_runs = random.Random(seed), 30
    with pair_on(own.url(), tmp_path) as pair:
        deployment = deploy(pair, crash_retries=100)
        readers = [FeedReader(pair, number) for number in (0, 1)]
        for number in (0, 1, 2):
            pair.worker(f"w{number}", "--lease", "3", first=number % 2)
        asked = threading.Thread(target=ask_for_runs, args=(pair, deployment, n_runs))
        asked.start()
        for fault in dice.sample(["server 0", "server 1", "worker", "database", "worker", "database"], 6):
            time.sleep(dice.uniform(0.5, 1.5))
            if fault.startswith("server"):
                pair.restart(int(fault[-1]))
            elif fault == "worker":
                number = dice.randrange(3)
                pair.workers.pop(number).kill()
                pair.worker(f"w-{time.monotonic_ns()}", "--lease", "3", first=number % 2)
            else:
                own.stop("immediate")
                own.start()
        asked.join()
        home = Home(str(pair.fleets[0].home))
        Fleet.until(lambda: counted(home, "state = 'Completed' AND held = 0") == n_runs, "all runs end", 120)
        assert counted(home, "state = state") == n_runs
        told = told_all(home)
        for reader in readers:
            Fleet.until(partial(reader.is_at, told[-1]), "the reader is told of the end")
            reader.close()
        assert [id_ for id_, _ in readers[0].seen] == [id_ for id_, _ in readers[1].seen] == told
        assert {tuple(map(int, line.split())) for line in pair.diary()} == {
            (number, no) for number in range(n_runs) for no in range(3)
        }


def ask_for_runs(pair: Pair, deployment: Deployment, n: int) -> None:
    """Make runs by the one or the other server; what is not answered is asked for again, by the same key."""
    clients = [pair.http(number) for number in (0, 1)]
    for number in range(n):
        body = {"parameters": {"number": number, "s": 0.2}, "key": f"run-{number}"}
        for at in range(1000):
            with contextlib.suppress(httpx.HTTPError):
                answer = clients[at % 2].post(f"/api/deployments/{deployment.id}/runs", json=body)
                if answer.status_code < 300:
                    break
            time.sleep(0.1)
    for one in clients:
        one.close()


def counted(home: Home, where: str) -> int:
    with contextlib.suppress(OstinatoError):
        database = home.open_to_read()
        try:
            return int(database.db.execute(f"SELECT count(*) FROM flow_runs WHERE {where}").fetchone()[0])
        finally:
            database.close()
    return -1


def told_all(home: Home) -> list[str]:
    """Give the ids of all that a reader from the beginning should have seen."""
    database, found, begin = home.open_to_read(), [], 0
    while blocks := feed.blocks(database.db, begin):
        for number, events in blocks:
            found += [f"{number}.{at}" for at, e in enumerate(events) if type(e).__name__ in ("RunCreated", "RunMoved")]
        begin = blocks[-1][0] + 1
    database.close()
    return found


def processes(server: postgres.Server) -> list[int]:
    """Give the processes of a PostgreSQL, the one first that starts the others."""
    first = int((server.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    others = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8").split()
    return [first, *map(int, others)]


def test_a_server_answers_while_its_database_does_not(own: postgres.Server, tmp_path: Path) -> None:
    with pair_on(own.url(), tmp_path) as pair:
        client = pair.http(0)
        stopped = processes(own)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            longest, end = 0.0, time.monotonic() + 40
            while client.get("/health").json()["status"] != "no-database":
                assert time.monotonic() < end
                time.sleep(0.1)
            for _ in range(20):
                began = time.monotonic()
                assert client.get("/health").status_code == 200
                longest = max(longest, time.monotonic() - began)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert longest < 1
        Fleet.until(lambda: client.get("/health").json()["status"] == "ok", "the database is back")
        client.close()
        own.stop()
        with pair.http(1) as client:
            Fleet.until(lambda: client.get("/health").json()["status"] == "no-database", "it is away")
            own.start()
            Fleet.until(lambda: client.get("/health").json()["status"] == "ok", "it is back")
        assert pair.fleets[1].do(CreateUser(name="bob", role="viewer")).name == "bob"
