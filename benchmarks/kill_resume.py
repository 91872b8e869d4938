"""Is anything lost by `kill -9`? Flows on every task runner, killed at random moments and resumed, again and again.

A round: start a flow in a process of its own, kill the process when it has made a random number of calls (and a
random moment more), and `ostinato resume` the run; every third round the resuming process is killed as well and the
run resumed once more. What was acknowledged is seen from outside: rows that a reader of its own found committed
in the database before the kill. Then

- each of them is there at the end, unchanged, and its task was not called again;
- no task has two rows, each row is Completed, the roll-up counters agree with the rows;
- the flow is Completed with the right result, and no process of it is left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import children
import dbos_rounds
import msgspec
from environments import HERE, interpreter
from homes import temporary_home
from lines import Sheet, at_least, at_most

if TYPE_CHECKING:
    from homes import Home

RUNNERS = ("inline", "threads", "async", "processes")
SUBJECT = str(HERE / "subjects/crash_ostinato.py")
PATIENCE_S = 60.0
LONGEST_EXTRA_S = 0.03
LONGEST_START_S = 0.4
"""A kill before the first call hits a process that is importing, opening the home, or delivering a journal."""

ROOTS = "SELECT id FROM flow_runs WHERE parent_id = ''"
STEPS = "SELECT run_id, no, key, result FROM task_runs WHERE state = 'Completed' AND task IN ('step', 'astep')"
N_COMPLETED = "SELECT count(*) FROM task_runs WHERE state = 'Completed'"
N_OTHER = """
    SELECT (SELECT count(*) FROM task_runs WHERE state != 'Completed')
         + (SELECT count(*) FROM flow_runs WHERE state != 'Completed')
"""
N_TWICE = "SELECT count(*) - count(DISTINCT run_id || hex(key)) FROM task_runs"
N_COUNTED = "SELECT coalesce(sum(n), 0) FROM task_counts WHERE state = 'Completed'"


@dataclass
class Outcome:
    """What one round found; the lists of faults are empty when all is well."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    n_acknowledged: int = 0
    n_called_again: int = 0
    """Second calls of tasks that were not acknowledged: execution is at-least-once, so these are allowed."""
    n_kills: int = 0
    resume_s: float = 0.0

    @property
    def faults(self) -> list[str]:
        """Give all faults."""
        return [*self.lost, *self.twice, *self.unfinished]


class Round:
    """One flow, killed and resumed."""

    def __init__(self, runner: str, n: int, rng: random.Random, home: Home) -> None:
        self.runner, self.n, self.rng, self.home = runner, n, rng, home
        self.diary = home.folder / "diary"
        self.diary.touch()
        self.script = str(Path(interpreter("ostinato")).with_name("ostinato"))
        self.environ = home.environ(PYTHONFAULTHANDLER="1")  # SIGABRT prints the stacks of all threads
        self.acknowledged: dict[tuple[str, int, bytes], bytes] = {}
        self.calls_when_acknowledged: dict[str, int] = {}
        self.outcome = Outcome()

    def play(self) -> Outcome | None:
        """Give the outcome; None when the kill came before anything was recorded, or after the end."""
        start = [interpreter("ostinato"), SUBJECT, self.runner, str(self.n), str(self.diary)]
        if not self.start_and_kill(start, self.rng.randint(0, self.n - 1)):
            return self.outcome if self.outcome.faults else None
        run = self.run_id()
        if run is None:
            return None
        if self.rng.random() < 1 / 3:
            self.start_and_kill([self.script, "resume", run], self.rng.randint(-1, self.n // 3))
        self.finish(run)
        self.check_acknowledged()
        self.check_rows()
        return self.outcome

    def lines(self) -> list[str]:
        """Give the diary."""
        return self.diary.read_text().splitlines()

    def ask(self, question: str) -> list[Any]:
        """Give the rows of one query, as they are committed now."""
        if not self.home.has_tables():
            return []
        with contextlib.closing(self.home.look()) as database:
            return database.execute(question).fetchall()

    def number(self, question: str) -> int:
        """Give the only value of one query."""
        return int(self.ask(question)[0][0])

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run `ostinato` with arguments to its end; give exit code and output. One that hangs shows its stacks."""
        process = subprocess.Popen(
            [self.script, *arguments],
            env=self.environ,
            cwd=self.home.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            output, _ = process.communicate()
        return process.returncode, output[-4000:].strip()

    def run_id(self) -> str | None:
        """Give the id of the root run, or None when nothing of it reached the disk."""
        if not self.ask(ROOTS):
            self.command("runs")  # whoever opens the home delivers the journal that the killed process left
        found = self.ask(ROOTS)
        return str(found[0][0]) if found else None

    def start_and_kill(self, command: list[str], n_calls: int) -> bool:
        """Start a process, let it make so many calls, note what is acknowledged, kill it; False if it ended first."""
        already = len(self.lines())
        with (self.home.folder / "output").open("ab") as log:
            process = subprocess.Popen(command, env=self.environ, cwd=self.home.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while len(self.lines()) - already <= n_calls and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        if time.monotonic() >= deadline:
            process.send_signal(signal.SIGABRT)
            process.wait()
            stacks = (self.home.folder / "output").read_text()[-4000:]
            self.outcome.unfinished.append(f"{len(self.lines()) - already} calls in {PATIENCE_S} s:\n{stacks}")
        time.sleep(self.rng.uniform(0, LONGEST_START_S if n_calls < 0 else LONGEST_EXTRA_S))
        workers = children.descendants(process.pid)
        steps = self.ask(STEPS)
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        self.outcome.n_kills += killed
        self.acknowledge(steps)
        self.wait_gone(workers)
        return killed

    def acknowledge(self, steps: list[Any]) -> None:
        """Keep what was committed before a kill, and how often those tasks had been called."""
        calls = Counter(self.lines())
        for run_id, no, key, result in steps:
            self.acknowledged.setdefault((run_id, no, key), result)
            line = _line(result)
            self.calls_when_acknowledged.setdefault(line, calls[line])
        self.outcome.n_acknowledged = len(self.acknowledged)

    def wait_gone(self, workers: list[int]) -> None:
        """Wait until the worker processes of a killed flow have ended by themselves."""
        deadline = time.monotonic() + 10
        while (alive := [pid for pid in workers if children.is_alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in alive:
            self.outcome.unfinished.append(f"worker process {pid} outlived its flow by 10 s")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def finish(self, run: str) -> None:
        """Resume to the end."""
        started = time.monotonic()
        code, output = self.command("resume", run)
        self.outcome.resume_s = time.monotonic() - started
        # A kill between the last commit and the exit leaves nothing to resume, and `resume` says so.
        nothing_left = code == 4 and not self.number(N_OTHER)
        if code != 0 and not nothing_left:
            self.outcome.unfinished.append(f"resume ended with {code}: {output}")

    def check_acknowledged(self) -> None:
        """Compare what was acknowledged with the rows and calls at the end."""
        rows = {(run_id, no, key): result for run_id, no, key, result in self.ask(STEPS)}
        for row, result in self.acknowledged.items():
            if rows.get(row) != result:
                self.outcome.lost.append(f"{_line(result)} (call {row[1]} of run {row[0]}) changed or is gone")
        calls = Counter(line for line in self.lines() if line.startswith("step "))
        for line, times in self.calls_when_acknowledged.items():
            if calls[line] != times:
                self.outcome.lost.append(f"{line} was acknowledged and called again")
        self.outcome.n_called_again = calls.total() - len(calls)

    def check_rows(self) -> None:
        """Compare rows, keys, counters and the result with what they should be."""
        n_tasks = self.n + 1  # the steps and their total
        n_rows = self.number(N_COMPLETED)
        if (n_twice := self.number(N_TWICE)) or n_rows > n_tasks:
            self.outcome.twice.append(f"{n_twice} task keys have two rows; {n_rows} rows, {n_tasks} expected")
        if (n_counted := self.number(N_COUNTED)) != n_rows:
            self.outcome.twice.append(f"the roll-up counters say {n_counted} Completed, the rows {n_rows}")
        if (n_other := self.number(N_OTHER)) or n_rows < n_tasks:
            self.outcome.unfinished.append(f"{n_rows} of {n_tasks} tasks Completed, {n_other} runs in other states")
        results = {line for line in self.lines() if line.startswith("result ")}
        if results != {f"result {sum(i * i for i in range(self.n))}"}:
            self.outcome.unfinished.append(f"wrong result: {sorted(results)}")


def _line(result: bytes) -> str:
    """Give the diary's line of the step with this recorded result (a square, in msgpack inside msgpack)."""
    data: bytes = msgspec.msgpack.decode(result)[1]
    square: int = msgspec.msgpack.decode(data)
    return f"step {round(square**0.5)}"


def play(runner: str, n: int, seed: int) -> Outcome:
    """Give the outcome of one round; a kill that hit nothing is drawn again."""
    rng = random.Random(seed)
    while True:
        with temporary_home() as home:
            outcome = Round(runner, n, rng, home).play()
        if outcome is not None:
            return outcome


def add(sheet: Sheet, runner: str, outcomes: list[Outcome], seed: int) -> None:
    """Print the figures of one runner."""
    n = len(outcomes)
    sheet.add(runner, sum(len(found.lost) for found in outcomes), "acknowledged tasks lost", n=n, bar=at_most(0))
    sheet.add(runner, sum(len(found.twice) for found in outcomes), "recorded twice", n=n, bar=at_most(0))
    good = sum(not found.unfinished for found in outcomes)
    sheet.add(runner, good, "rounds finished right", n=n, bar=at_least(n), seed=seed)
    sheet.add(runner, sum(found.n_kills for found in outcomes), "kills", n=n)
    sheet.add(runner, sum(found.n_acknowledged for found in outcomes), "tasks acknowledged before a kill", n=n)
    sheet.add(runner, sum(found.n_called_again for found in outcomes), "unacknowledged tasks called again", n=n)
    sheet.add(runner, statistics.median(found.resume_s for found in outcomes), "s wall to resume and finish", n=n)


def main() -> int:
    """Play all rounds; 1 when a guarantee is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--size", type=int, default=400, help="tasks in a flow")
    parser.add_argument("--runners", nargs="+", default=list(RUNNERS), choices=RUNNERS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--peers", nargs="*", default=["dbos"], choices=["dbos"], help="Prefect does not resume")
    parser.add_argument("--peer-rounds", type=int, default=5)
    options = parser.parse_args()
    sheet = Sheet("kill_resume")
    outcomes: dict[str, list[Outcome]] = {runner: [] for runner in options.runners}
    for i in range(options.rounds):
        runner = options.runners[i % len(options.runners)]
        outcome = play(runner, options.size, options.seed + i)
        outcomes[runner].append(outcome)
        for fault in outcome.faults:
            sys.stderr.write(f"round {i} ({runner}, seed {options.seed + i}): {fault}\n")
    for runner, found in outcomes.items():
        if found:
            add(sheet, runner, found, options.seed)
    if options.peers:
        dbos_rounds.measure(sheet, options.size, options.peer_rounds, options.seed)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
