"""A fleet for tests: a server and workers as real processes on one home, deployments of small files, waits."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any, TypeVar

from ostinato import session
from ostinato.core.commands import CreateRun, Deploy
from ostinato.core.deployments import Code, Deployment
from ostinato.core.states import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ostinato.core.commands import Command
    from ostinato.core.ports import Commands, Reader
    from ostinato.core.records import FlowRun, LogLine, TaskRun

R = TypeVar("R")

OSTINATO = [sys.executable, "-c", "from ostinato.cli.main import main; main()"]
PATIENCE_S = 40.0


class Program:
    """One `ostinato` command that goes on in the background; what it says is kept in a file."""

    def __init__(self, fleet: Fleet, *words: str, env: Mapping[str, str] | None = None) -> None:
        self.is_server = words[0] == "server"
        self.log = fleet.folder / f"{words[0]}-{len(fleet.programs)}.log"
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                [*OSTINATO, *words],
                cwd=fleet.folder,
                env={**os.environ, "OSTINATO_HOME": str(fleet.home), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        fleet.programs.append(self)

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait()

    def end(self, patience_s: float = PATIENCE_S) -> int:
        """End it in order; give its exit code."""
        self.popen.terminate()
        return self.popen.wait(patience_s)


class Fleet:
    """A server and workers on one home."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        """Where flow files and the output of programs lie; the working directory of the programs."""
        self.programs: list[Program] = []
        self._commands: Commands | None = None
        self._reader: Reader | None = None

    # --- programs

    def server(self, *words: str, env: Mapping[str, str] | None = None) -> Program:
        """Start a server on a free port; it answers when this returns."""
        program = Program(self, "server", "--port", "0", *words, env=env)
        self.until(lambda: "home " in program.said or program.popen.poll() is not None, "the server begins")
        assert program.popen.poll() is None, program.said
        self.let_go()
        return program

    def worker(self, *words: str, env: Mapping[str, str] | None = None, joined: bool = True) -> Program:
        """Start a worker; it has joined when this returns."""
        program = Program(self, "worker", *words, env=env)
        if joined:
            self.until(lambda: "works for" in program.said or program.popen.poll() is not None, "the worker joins")
        return program

    def close(self) -> None:
        """End all programs: workers first, then servers."""
        self.let_go()
        for program in sorted(self.programs, key=lambda one: one.is_server):
            if program.popen.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(program.pid, signal.SIGCONT)
                program.signal(signal.SIGTERM)
                program.signal(signal.SIGTERM)  # the second one: do not wait for runs
                try:
                    program.popen.wait(8)
                except subprocess.TimeoutExpired:
                    program.kill()
                    raise AssertionError(f"did not end: {program.said}") from None

    # --- what is asked

    def do(self, command: Command[R]) -> R:
        """Give the answer to a command."""
        if self._commands is None:
            self._commands = session.commands(str(self.home))
        return self._commands.do(command)

    @property
    def reader(self) -> Reader:
        """A reader of the home."""
        if self._reader is None:
            self._reader = session.reader(str(self.home))
        return self._reader

    def let_go(self) -> None:
        """Forget the way to the server: it may be another one now."""
        for held in (self._commands, self._reader):
            if held is not None:
                held.close()
        self._commands = self._reader = None

    def write(self, text: str, name: str = "flows.py") -> Path:
        """Write a file of flows."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def deploy(self, file: Path, function: str, name: str = "test", **fields: Any) -> Deployment:
        """Deploy a flow by its file and function."""
        directory = str(fields.pop("directory", self.folder))
        code = Code(kind="local", file=str(file), function=function, directory=directory)
        flow = fields.pop("flow", function.replace("_", "-"))
        return self.do(Deploy(deployment=Deployment(id="", flow=flow, name=name, code=code, **fields)))

    def run(self, deployment: Deployment, **fields: Any) -> FlowRun:
        """Make a run, due now; keyword arguments are those of `CreateRun`."""
        return self.do(CreateRun(deployment=deployment.id, **fields))

    # --- what is seen

    def see(self, run: FlowRun | str) -> FlowRun:
        """Give a run as it is now."""
        return self.reader.find_run(run if isinstance(run, str) else run.id)

    def wait(self, run: FlowRun | str, *states: str, patience_s: float = PATIENCE_S) -> FlowRun:
        """Wait until a run is in one of these states (or has ended and is let go, when none is named); give it."""
        found: list[FlowRun] = []

        def is_there() -> bool:
            found[:] = [self.see(run)]
            one = found[0]
            return one.state in states if states else one.state in TERMINAL and not one.held

        self.until(is_there, f"the run is {' or '.join(states) or 'at its end'}", patience_s, lambda: self.told(run))
        return found[0]

    def tasks(self, run: FlowRun | str) -> list[TaskRun]:
        return self.reader.task_runs(run if isinstance(run, str) else run.id)

    def logs(self, run: FlowRun | str) -> list[LogLine]:
        return self.reader.logs([run if isinstance(run, str) else run.id])

    def told(self, run: FlowRun | str) -> str:
        """Give all that is known of a run, for the message of a failed test."""
        one = self.see(run)
        history = [(step.epoch, step.state, step.message) for step in self.reader.history(one.id)]
        logs = [line.text for line in self.logs(one)]
        said = "\n".join(f"--- {program.log.name}\n{program.said}" for program in self.programs)
        return f"{one.state}: {one.message}\n{history}\n{logs}\n{said}"

    @staticmethod
    def until(
        is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S, told: Callable[[], str] = lambda: ""
    ) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience_s
        while not is_so():
            assert time.monotonic() < end, f"not within {patience_s:g} s: {what}\n{told()}"
            time.sleep(0.02)


@contextlib.contextmanager
def fleet_on(home: Path, folder: Path) -> Iterator[Fleet]:
    """Give a fleet without programs; all that it started have ended afterwards."""
    fleet = Fleet(home, folder)
    try:
        yield fleet
    finally:
        fleet.close()
