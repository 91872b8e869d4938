"""A server and workers of Ostinato as real processes on a home, deployments of files, and what their trees take."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from environments import HERE, interpreter

from ostinato import session
from ostinato.core.commands import CreateRun, Deploy
from ostinato.core.deployments import Code, Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homes import Home

    from ostinato.core.ports import Commands

PATIENCE_S: Final = 60.0
STATES: Final = "SELECT state, count(*) FROM flow_runs WHERE root_id = id GROUP BY state"


class Program:
    """One `ostinato` command that goes on."""

    def __init__(self, home: Home, *words: str, own_group: bool = False, **environ: str) -> None:
        """Start it, with a process group of its own if wanted."""
        self.words = words
        self.log = home.folder / f"{words[0]}-{time.monotonic_ns()}.log"
        script = str(Path(interpreter("ostinato")).with_name("ostinato"))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [script, *words],
                env=home.environ(**environ),
                cwd=home.folder,
                stdout=log,
                stderr=log,
                start_new_session=own_group,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send a signal, if it is there."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """End it in order; a stopped one goes on first."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGTERM)  # the second one: wait for no run
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class Fleet:
    """What runs on one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.programs: list[Program] = []
        self._commands: Commands | None = None

    def start(self, *words: str, **environ: str) -> Program:
        """Start a command."""
        program = Program(self.home, *words, own_group=False, **environ)
        self.programs.append(program)
        return program

    def server(self, *words: str) -> Program:
        """Start `ostinato server`, or another command that has one in it; it answers when this returns."""
        self.let_go()
        program = self.start(*(words or ("server",)), "--port", "0")
        wait(lambda: program.process.poll() is not None or is_healthy(self.home), "the server answers", self.told)
        if program.process.poll() is not None:
            raise RuntimeError(self.told())
        return program

    def worker(self, *words: str, **environ: str) -> Program:
        """Start a worker; it has joined when this returns."""
        n = self.n_workers()
        program = self.start("worker", *words, **environ)
        wait(lambda: self.n_workers() > n, "the worker joins", self.told)
        return program

    def n_workers(self) -> int:
        """Give how many workers are there."""
        return sum(n for (n,) in self.ask("SELECT count(*) FROM workers WHERE left_at IS NULL"))

    @property
    def commands(self) -> Commands:
        """The way to the server that runs now."""
        if self._commands is None:
            self._commands = session.commands(str(self.home.path))
        return self._commands

    def let_go(self) -> None:
        """Forget the way to the server: the next one is another."""
        if self._commands is not None:
            self._commands.close()
            self._commands = None

    def deploy(self, file: Path, function: str, **fields: Any) -> Deployment:
        """Deploy a flow of a file."""
        code = Code(kind="local", file=str(file), function=function, directory=str(self.home.folder))
        deployment = Deployment(id="", flow=function.replace("_", "-"), name="bench", code=code, **fields)
        return self.commands.do(Deploy(deployment=deployment))

    def run(self, deployment: Deployment, **parameters: Any) -> str:
        """Make a run that is due now; give its id."""
        return self.commands.do(CreateRun(deployment=deployment.id, parameters=parameters)).id

    def ask(self, question: str, *values: Any) -> list[Any]:
        """Give the rows of a query, as they are committed now."""
        if not self.home.has_tables():
            return []
        with contextlib.closing(self.home.look()) as database:
            rows: list[Any] = database.execute(question, values).fetchall()
            return rows

    def n_in(self, *states: str) -> int:
        """Give how many root runs are in one of these states."""
        return sum(n for state, n in self.ask(STATES) if state in states)

    def told(self) -> str:
        """Give the last words of all programs."""
        return "\n".join(f"--- {one.words}\n{one.log.read_text(errors='replace')[-3000:]}" for one in self.programs)

    def close(self) -> None:
        """End all programs: those started last go first."""
        self.let_go()
        for program in reversed(self.programs):
            program.end()


@contextlib.contextmanager
def fleet_on(home: Home) -> Iterator[Fleet]:
    """Give a fleet without programs; all of them have ended afterwards."""
    fleet = Fleet(home)
    try:
        yield fleet
    finally:
        fleet.close()


def card(home: Home) -> dict[str, Any]:
    """Give what the server of a home says of itself, nothing when there is none."""
    try:
        found: dict[str, Any] = json.loads((home.path / "server.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def is_healthy(home: Home) -> bool:
    """Tell whether the server of a home answers."""
    there = card(home)
    if not there:
        return False
    line = Line(there)
    try:
        status, body = line.call("GET", "/health")
    except OSError:
        return False
    finally:
        line.close()
    return status == 200 and json.loads(body)["id"] == there["id"]


class Line:
    """One kept connection to a server; plain HTTP, none of our code."""

    def __init__(self, there: dict[str, Any]) -> None:
        host, _, port = there["url"].removeprefix("http://").partition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        self.headers = {"Authorization": f"Bearer {there['token']}"}

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> tuple[int, bytes]:
        """Give status and body of an answer."""
        headers = self.headers | ({"Content-Type": kind} if body else {})
        self.connection.request(method, path, body or None, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def wait(
    is_so: Callable[[], bool],
    what: str,
    told: Callable[[], str] = str,
    patience_s: float = PATIENCE_S,
    every_s: float = 0.005,
) -> float:
    """Wait until something is so; give the seconds that took."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > patience_s:
            message = f"not within {patience_s:g} s: {what}\n{told()}"
            raise TimeoutError(message)
        time.sleep(every_s)
    return time.monotonic() - began


def share(values: list[float], part: float) -> float:
    """Give the value below or at which this part of all is (0.95: the 95th percentile)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered) + 0.5) - 1))]


def subject(name: str) -> Path:
    """Give a program of `subjects/`."""
    return HERE / "subjects" / name


def fail(reason: str) -> int:
    """Say why a benchmark has no figures; give its exit code."""
    sys.stderr.write(reason + os.linesep)
    return 2
