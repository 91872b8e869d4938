"""Is anything lost when two servers and three workers share a PostgreSQL, and all of them are killed at random?

Each program has a home and a process group of its own. While runs are asked for, now of the one and now of the other
server, every few seconds a server, a worker or the database is killed, or ended in order, and started again. Then

- each run that was acknowledged is there, no other one is, and each is Completed once, with all its tasks;
- a task that somebody saw committed as Completed has stayed as it was, and was not called again;
- a reader of the feed at each server, which comes again with the last id that it saw, was told of every event once.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import random
import sys
import threading
import time
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import fleets
import msgspec
import postgres
import psycopg
from homes import Home, temporary_home
from lines import Sheet, at_least, at_most

from ostinato.client import Address, Client
from ostinato.core.commands import CreateKey, CreateRun, CreateUser
from ostinato.core.errors import StorageError
from ostinato.core.events import Block
from ostinato.core.happenings import KINDS
from ostinato.session.remote import RemoteCommands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ostinato.core.deployments import Deployment

N_SERVERS: Final = 2
N_WORKERS: Final = 3
N_STEPS: Final = 3
PAUSE_S: Final = 0.2
LEASE_S: Final = "3"
EVERY_S: Final = (1.0, 6.0)
"""Least and most seconds between two faults."""
DOWN_S: Final = 2.0
"""Most seconds until what was ended is started again."""
AGAIN_S: Final = 0.1
LOOK_S: Final = 0.5
PATIENCE_S: Final = 180.0

ENDED = "SELECT count(*) FROM flow_runs WHERE state = 'Completed' AND held = 0"
RUNS = "SELECT id, state FROM flow_runs"
TASKS = "SELECT run_id, no, result, ended_at FROM task_runs WHERE state = 'Completed'"
N_OTHER = "SELECT count(*) FROM task_runs WHERE state <> 'Completed'"
N_COUNTED = "SELECT coalesce(sum(n), 0) FROM task_counts WHERE state = 'Completed'"
COMPLETED = "SELECT run_id, count(*) FROM run_states WHERE state = 'Completed' GROUP BY run_id"
BLOCKS = "SELECT id, payload FROM blocks ORDER BY id"

_block: Final = msgspec.msgpack.Decoder(Block).decode


class Town:
    """The database, the servers and the workers."""

    def __init__(self, database: postgres.Postgres, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.diary = folder / "diary"
        self.diary.touch()
        self.ports = [postgres.free_port() for _ in range(N_SERVERS)]
        self.fleets = [self._fleet(f"server-{number}", database.url()) for number in range(N_SERVERS)]
        self.servers = [self._serve(number) for number in range(N_SERVERS)]
        self._wait()
        commands = self.fleets[0].commands
        commands.do(CreateUser(name="bench", role="admin"))
        self.key = commands.do(CreateKey(user="bench")).text
        self.homes = [self._fleet(f"worker-{number}", "").home for number in range(N_WORKERS)]
        self.workers = [self._work(number) for number in range(N_WORKERS)]
        self.deployment = self._deploy()

    def _fleet(self, name: str, url: str) -> fleets.Fleet:
        folder = self.folder / name
        folder.mkdir()
        return fleets.Fleet(Home(folder, url))

    def _serve(self, number: int) -> fleets.Program:
        environ = {"OSTINATO_BLOBS_URL": str(self.folder / "blobs")}
        return fleets.Program(
            self.fleets[number].home, "server", "--port", str(self.ports[number]), own_group=True, **environ
        )

    def _work(self, number: int) -> fleets.Program:
        environ = {"OSTINATO_API_URL": self.urls(number), "OSTINATO_API_KEY": self.key}
        return fleets.Program(self.homes[number], "worker", "--lease", LEASE_S, own_group=True, **environ)

    def _deploy(self) -> Deployment:
        fleet = self.fleets[0]
        return fleet.deploy(fleets.subject("count_ostinato.py"), "count", crash_retries=1000)

    def _wait(self) -> None:
        for fleet in self.fleets:
            fleets.wait(lambda fleet=fleet: fleets.is_healthy(fleet.home), "the servers answer", self.told)  # type: ignore[misc]  # the default binds what the loop has now

    def urls(self, first: int) -> str:
        """Give the addresses of all servers, one of them first."""
        turned = [self.ports[(first + number) % N_SERVERS] for number in range(N_SERVERS)]
        return ",".join(f"http://127.0.0.1:{port}" for port in turned)

    def told(self) -> str:
        """Give the last words of all."""
        logs = sorted(self.folder.glob("*/*.log"), key=lambda file: file.stat().st_mtime)
        said = "\n".join(f"--- {file.parent.name}\n{file.read_text(errors='replace')[-1500:]}" for file in logs[-8:])
        return f"{said}\n--- PostgreSQL\n{self.database.log.read_text(errors='replace')[-1500:]}"

    # --- faults

    def hit(self, kind: str, rng: random.Random) -> None:
        """Let one fault happen."""
        what, how = kind.split()
        if what == "database":
            (self.database.kill if how == "killed" else self.database.stop)()
            time.sleep(rng.uniform(0, DOWN_S))
            self.database.start()
            return
        programs, start = (self.servers, self._serve) if what == "server" else (self.workers, self._work)
        number = rng.randrange(len(programs))
        (programs[number].kill if how == "killed" else programs[number].end)()
        time.sleep(rng.uniform(0, DOWN_S))
        programs[number] = start(number)

    def ask(self, question: str) -> list[Any]:
        """Give the rows of a query; none while the database is away."""
        with contextlib.suppress(psycopg.Error), contextlib.closing(self.database.look()) as look:
            return look.execute(question).fetchall()
        return []

    def close(self) -> None:
        """End all programs: workers first."""
        for fleet in self.fleets:
            fleet.let_go()
        for program in (*self.workers, *self.servers):
            program.end()


KINDS_OF_FAULTS: Final = (
    "server killed",
    "server ended",
    "worker killed",
    "worker ended",
    "database killed",
    "database ended",
)


class Loop(threading.Thread):
    """Does something again and again until it is told that all is over."""

    def __init__(self, work: Callable[[], None], every_s: float) -> None:
        super().__init__(daemon=True)
        self.work, self.every_s = work, every_s
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        """Do it."""
        while not self.over.is_set():
            self.work()
            self.over.wait(self.every_s)

    def close(self) -> None:
        """Wait for the end of what is being done."""
        self.over.set()
        self.join()


class Asker:
    """Asks for runs at a steady pace, of the one or the other server; what is not answered is asked again."""

    def __init__(self, town: Town, n: int, seconds: float) -> None:
        self.town, self.n = town, n
        self.pause_s = seconds / n
        self.runs: dict[str, int] = {}
        """Acknowledged runs, and their numbers."""
        self.n_repeated = 0
        self._clients = [
            RemoteCommands(Client(Address(url=town.urls(first), token=town.key))) for first in range(N_SERVERS)
        ]

    def run(self) -> None:
        """Ask for all of them."""
        began = time.monotonic()
        for number in range(self.n):
            parameters = {"number": number, "n": N_STEPS, "pause_s": PAUSE_S, "diary": str(self.town.diary)}
            command = CreateRun(deployment=self.town.deployment.id, parameters=parameters, key=f"run-{number}")
            while True:
                try:
                    run = self._clients[number % N_SERVERS].do(command)
                except StorageError:
                    self.n_repeated += 1
                    time.sleep(AGAIN_S)
                else:
                    break
            self.runs[run.id] = number
            time.sleep(max(0.0, began + (number + 1) * self.pause_s - time.monotonic()))
        for client in self._clients:
            client.close()


class Witness:
    """Looks at the tasks that are Completed all along: what it saw must stay as it was, and not be called again."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.seen: dict[tuple[str, int], tuple[tuple[Any, ...], int]] = {}
        """What was committed, and the size of the diary then."""
        self.n_changed = 0

    def look(self) -> None:
        """Compare what is committed now with what was."""
        rows = {(run_id, no): tuple(rest) for run_id, no, *rest in self.town.ask(TASKS)}
        if not rows:  # the database is away
            return
        size = self.town.diary.stat().st_size
        self.n_changed += sum(rows.get(place) != row for place, (row, _) in self.seen.items())
        for place, row in rows.items():
            self.seen.setdefault(place, (row, size))

    def n_called_again(self, runs: dict[str, int]) -> int:
        """Give how many calls there were of tasks that were seen Completed before."""
        sizes = {(runs[run_id], no - 1): size for (run_id, no), (_, size) in self.seen.items()}
        at, found = 0, 0
        for line in self.town.diary.read_bytes().splitlines(keepends=True):
            number, no = map(int, line.split())
            found += at >= sizes.get((number, no), at + 1)
            at += len(line)
        return found


def place(id_: str) -> tuple[int, ...]:
    """Give the place of an event in the feed."""
    return tuple(map(int, id_.split(".")))


class Reader:
    """Follows the feed of one server by its last id, whatever becomes of the server."""

    def __init__(self, town: Town, number: int) -> None:
        self.town, self.number = town, number
        self.last = "0.0"
        self.seen: list[str] = []
        self.n_times = 0
        self.over = False

    def follow(self) -> None:
        """Read until the connection is lost."""
        connection = http.client.HTTPConnection("127.0.0.1", self.town.ports[self.number], timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.town.key}", "Last-Event-ID": self.last}
            connection.request("GET", "/api/feed", headers=headers)
            answer = connection.getresponse()
            self.n_times += answer.status == http.client.OK
            told: dict[str, str] = {}
            while not self.over and (line := answer.readline().decode()):
                word, _, text = line.rstrip("\n").partition(": ")
                told[word] = text
                if line == "\n":
                    if "event" in told:
                        self.seen.append(told["id"])
                    self.last, told = told.get("id", self.last), {}

    def is_at(self, last: str) -> bool:
        """Tell whether it was told of all up to an event."""
        return bool(self.seen) and place(self.seen[-1]) >= place(last)

    def check(self, sheet: Sheet, told: list[str]) -> None:
        """Print what it missed of what was to be told."""
        name, seen = f"reader at server {self.number}", [id_ for id_ in self.seen if place(id_) <= place(told[-1])]
        missed = len(set(told) - set(seen))
        sheet.add(name, missed, "events missed", n=len(told), bar=at_most(0), connections=self.n_times)
        sheet.add(name, len(seen) - len(set(seen)), "events told twice", n=len(told), bar=at_most(0))
        n_late = sum(place(one) > place(next_) for one, next_ in pairwise(seen))
        sheet.add(name, n_late, "events out of order", n=len(told), bar=at_most(0))


def expected(town: Town) -> list[str]:
    """Give the ids of all events, by the database."""
    return [
        f"{number}.{at}"
        for number, payload in town.ask(BLOCKS)
        for at, event in enumerate(_block(payload).events)
        if type(event) in KINDS
    ]


def check(sheet: Sheet, town: Town, asker: Asker, witness: Witness) -> None:
    """Print what is wrong."""
    n, runs = asker.n, dict(town.ask(RUNS))
    lost = asker.runs.keys() - runs.keys()
    sheet.add("acknowledged runs", len(lost), "lost", n=n, bar=at_most(0))
    sheet.add("acknowledged runs", len(runs) - len(asker.runs), "doubled", n=n, bar=at_most(0))
    ends = dict(town.ask(COMPLETED))
    once = sum(runs.get(run_id) == "Completed" and ends.get(run_id) == 1 for run_id in asker.runs)
    sheet.add("acknowledged runs", once, "Completed exactly once", n=n, bar=at_least(n))
    tasks = town.ask(TASKS)
    wrong = (
        abs(len(tasks) - n * N_STEPS) + int(town.ask(N_OTHER)[0][0]) + abs(int(town.ask(N_COUNTED)[0][0]) - len(tasks))
    )
    sheet.add("tasks", wrong, "missing, doubled or miscounted", n=n * N_STEPS, bar=at_most(0))
    sheet.add("tasks", witness.n_changed, "changed after they were acknowledged", n=len(witness.seen), bar=at_most(0))
    again = witness.n_called_again(asker.runs)
    sheet.add("tasks", again, "called again after they were acknowledged", n=len(witness.seen), bar=at_most(0))
    calls = Counter(town.diary.read_text().splitlines())
    sheet.add("tasks", calls.total() - len(calls), "called again before they were acknowledged", n=len(calls))


def play(sheet: Sheet, minutes: float, n_runs: int, seed: int) -> None:
    """Play one round, and print what came of it."""
    rng = random.Random(seed)
    with postgres.running() as database, temporary_home() as home:
        town = Town(database, home.folder)
        try:
            readers = [Reader(town, number) for number in range(N_SERVERS)]
            asker, witness = Asker(town, n_runs, minutes * 60), Witness(town)
            loops = [Loop(witness.look, LOOK_S), *(Loop(reader.follow, AGAIN_S) for reader in readers)]
            asking = threading.Thread(target=asker.run, daemon=True)
            asking.start()
            began, hits = time.monotonic(), Counter[str]()
            while time.monotonic() < began + minutes * 60:
                time.sleep(rng.uniform(*EVERY_S))
                kind = rng.choice(KINDS_OF_FAULTS)
                town.hit(kind, rng)
                hits[kind] += 1
            asking.join(PATIENCE_S)
            took_s = fleets.wait(lambda: town.ask(ENDED) == [(n_runs,)], "all runs end", town.told, PATIENCE_S, 0.1)
            told = expected(town)
            for reader in readers:
                fleets.wait(lambda reader=reader: reader.is_at(told[-1]), "the readers are told", town.told)  # type: ignore[misc]  # the default binds what the loop has now
                reader.over = True
            for one in loops:
                one.close()
            witness.look()
            for kind, n in sorted(hits.items()):
                sheet.add(kind, n, "times", seed=seed)
            sheet.add("requests for runs", asker.n_repeated, "asked again", n=n_runs)
            sheet.add("after the last fault", took_s, "s until all runs have ended", n=n_runs)
            check(sheet, town, asker, witness)
            for reader in readers:
                reader.check(sheet, told)
        finally:
            town.close()


def main() -> int:
    """Play; 1 when a guarantee is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    sheet = Sheet("many_servers")
    play(sheet, options.minutes, options.runs, options.seed)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
