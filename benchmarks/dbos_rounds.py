"""The same kill -9 against DBOS on SQLite: what it acknowledged, what it called again, how long it takes to go on."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from environments import HERE, clean_environ, interpreter

if TYPE_CHECKING:
    from lines import Sheet

N_ACKNOWLEDGED = "SELECT count(*) FROM operation_outputs WHERE output IS NOT NULL"
PATIENCE_S = 120.0


@dataclass
class Outcome:
    """What one round found."""

    n_acknowledged: int
    n_lost: int
    """Steps that were committed before the kill and called again."""
    n_called_again: int
    finished: bool
    resume_s: float


def play(n: int, rng: random.Random) -> Outcome | None:
    """Start a workflow, kill it, start it again; None when it had ended before the kill."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        diary = Path(folder, "diary")
        diary.touch()
        command = [interpreter("dbos"), str(HERE / "subjects/crash_dbos.py"), str(n), str(diary)]
        with Path(folder, "output").open("ab") as log:
            process = subprocess.Popen(command, env=clean_environ(), cwd=folder, stdout=log, stderr=log)
            n_calls, deadline = rng.randint(1, n - 1), time.monotonic() + PATIENCE_S
            while len(_lines(diary)) <= n_calls and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.03))
            with contextlib.closing(sqlite3.connect(f"file:{folder}/crash.sqlite?mode=ro", uri=True)) as database:
                n_acknowledged = database.execute(N_ACKNOWLEDGED).fetchone()[0]
            process.send_signal(signal.SIGKILL)
            if process.wait() != -signal.SIGKILL:
                return None
            started = time.monotonic()
            ended = subprocess.run(
                command, env=clean_environ(), cwd=folder, stdout=log, stderr=log, timeout=PATIENCE_S, check=False
            )
            resume_s = time.monotonic() - started
        calls = Counter(line for line in _lines(diary) if line.startswith("step "))
        n_lost = sum(calls[f"step {i}"] != 1 for i in range(n_acknowledged))
        finished = ended.returncode == 0 and f"result {sum(i * i for i in range(n))}" in _lines(diary)
        return Outcome(n_acknowledged, n_lost, calls.total() - len(calls), finished, resume_s)


def _lines(diary: Path) -> list[str]:
    return diary.read_text().splitlines()


def measure(sheet: Sheet, n: int, rounds: int, seed: int) -> None:
    """Play so many rounds and print what they found."""
    found: list[Outcome] = []
    rng = random.Random(seed)
    while len(found) < rounds:
        if (outcome := play(n, rng)) is not None:
            found.append(outcome)

    def add(value: float, unit: str) -> None:
        sheet.add("steps", value, unit, system="dbos", n=rounds)

    add(sum(outcome.n_lost for outcome in found), "acknowledged tasks lost")
    add(sum(outcome.finished for outcome in found), "rounds finished right")
    add(sum(outcome.n_acknowledged for outcome in found), "tasks acknowledged before a kill")
    add(sum(outcome.n_called_again for outcome in found), "unacknowledged tasks called again")
    add(statistics.median(outcome.resume_s for outcome in found), "s wall to resume and finish")
