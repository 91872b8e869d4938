"""A program that is killed and resumed by the tests of resume."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.engine_record import Record, all_runs

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = """
import asyncio, os, sys, time
from dataclasses import dataclass
from ostinato import ProcessRunner, SequentialTaskRunner, ThreadRunner, flow, get_run_context, task

def ran(name):
    with open("ran.txt", "a") as file:
        file.write(f"{name}\\n")

def hold(name):
    '''Stop here in the first epoch, so that the test can kill the process.'''
    if get_run_context().flow_run.epoch == 1 and os.path.exists("hold"):
        open("held", "w").close()
        time.sleep(60)

@task
def load(n):
    ran(f"load {n}")
    return list(range(n))

@task
def square(x):
    ran(f"square {x}")
    return x * x

@task
def held(x):
    hold("held")
    ran(f"held {x}")
    return x

@task
def total(xs):
    ran("total")
    return sum(xs)
"""


class Killed:
    """A flow file on a home of its own, run, killed and resumed in processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.file = folder / "killed_flow.py"
        self.env = {**os.environ, "OSTINATO_HOME": str(self.home), "PYTHONWARNINGS": "error"}

    def write(self, body: str) -> None:
        """Make or change the file."""
        self.file.write_text(HEAD + textwrap.dedent(body) + '\n\nif __name__ == "__main__":\n    main()\n')

    def start(self) -> subprocess.Popen[str]:
        """Run the file until it holds."""
        (self.folder / "hold").touch()
        process = subprocess.Popen(
            [sys.executable, str(self.file)], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        end = time.monotonic() + 30
        while not (self.folder / "held").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "it did not come to its hold"
            time.sleep(0.01)
        return process

    def kill(self, *, ready: Callable[[Record], bool] | None = None) -> None:
        """Run the file until it holds and what is before is committed; kill it."""
        process = self.start()
        end = time.monotonic() + 20
        while ready is not None and not ready(Record(home=self.home)):
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
        (self.folder / "hold").unlink()
        (self.folder / "held").unlink()

    def run(self, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the file to its end."""
        return self._call([sys.executable, str(self.file)], code)

    def cli(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Call the command."""
        return self._call([str(Path(sys.executable).with_name("ostinato")), *words], code)

    def _call(self, command: list[str], code: int | None) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=50, check=False
        )
        assert code is None or ended.returncode == code, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended

    def ran(self) -> Counter[str]:
        """Count what user code noted."""
        file = self.folder / "ran.txt"
        return Counter(file.read_text().split("\n")[:-1]) if file.exists() else Counter()

    def record(self, ref: str = "last") -> Record:
        """Give the record of a run."""
        return Record(ref, home=self.home)

    def root(self) -> Record:
        """Give the record of the only root run."""
        (run,) = [run for run in all_runs(self.home) if run.root_id == run.id]
        return self.record(run.id)

    def check_whole(self) -> Record:
        """Check that counters are exact and that no call is recorded twice; give the root run."""
        root = self.root()
        for run in all_runs(self.home):
            record = self.record(run.id)
            assert record.counters() == record.counted()
            keys = [row.key for row in record.tasks]
            assert len(keys) == len(set(keys))
            assert len({row.no for row in record.tasks}) == len(keys)
        return root
