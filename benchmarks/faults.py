"""What dies, and what becomes of the run? Real processes, killed or stopped at random moments, again and again.

A round: a server and two workers with a lease of 3 s, a run of 40 tasks, and a fault when a random number of its tasks
is done. What was acknowledged is seen from outside: rows that a reader of its own found committed. Then

- each of them is there at the end, unchanged, and what was acknowledged before the fault was not called again;
- no task has two rows, each row is Completed, the roll-up counters agree with the rows;
- the run is Completed with the right result, and goes on not later than 2 s after the lease.

A stopped worker wakes up again after the takeover: it, and the process of its run, are then one epoch behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

import fleets
from homes import temporary_home
from lines import Sheet, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleets import Fleet

LEASE_S: Final = 3.0
TAKEOVER_S: Final = LEASE_S + 2
N_TASKS: Final = 40
PAUSE_S: Final = 0.05
LONG_PAUSE_S: Final = 0.2
"""Where a worker is stopped the process of its run goes on, so that the run must be longer than the lease."""
EVERY_S: Final = 0.02
RUNNERS: Final = ("plain", "threads")

STEPS = "SELECT no, key, result FROM task_runs WHERE run_id = ? AND state = 'Completed' AND task = 'step'"
STATE = "SELECT state, held FROM flow_runs WHERE id = ?"
PROCESS = (
    "SELECT s.pid FROM flow_runs AS r JOIN streams AS s ON s.stream = r.stream WHERE r.id = ? AND r.state = 'Running'"
)
HOLDER = "SELECT w.info FROM flow_runs AS r JOIN workers AS w ON w.id = r.worker WHERE r.id = ?"
GOES_ON = "SELECT min(at) FROM run_states WHERE run_id = ? AND epoch > 1 AND state = 'Running'"
N_TWICE = "SELECT count(*) - count(DISTINCT key) FROM task_runs WHERE run_id = ?"
N_OTHER = "SELECT count(*) FROM task_runs WHERE run_id = ? AND state <> 'Completed'"
COUNTED = "SELECT coalesce(sum(n), 0) FROM task_counts WHERE run_id = ? AND state = 'Completed'"


@dataclass
class Outcome:
    """What one round found; the lists of faults are empty when all is well."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    n_acknowledged: int = 0
    """Before the fault."""
    n_called_again: int = 0
    """Second calls of tasks that were not acknowledged: execution is at-least-once, so these are allowed."""
    takeover_s: float = 0.0

    @property
    def faults(self) -> list[str]:
        """Give all faults."""
        return [*self.lost, *self.twice, *self.unfinished]


class Witness(threading.Thread):
    """Looks at the database of a home all along: a row that it saw Completed must stay as it was."""

    def __init__(self, fleet: Fleet, run_id: str) -> None:
        super().__init__(daemon=True)
        self.fleet, self.run_id = fleet, run_id
        self.seen: dict[tuple[int, bytes], bytes] = {}
        self.seen_at: dict[tuple[int, bytes], float] = {}
        """When each was seen first."""
        self.changed: list[str] = []
        self.done = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.done.wait(EVERY_S):
            self.look()

    def look(self) -> dict[tuple[int, bytes], bytes]:
        """Compare what is committed now with what was; give it."""
        rows = {(no, key): result for no, key, result in self.fleet.ask(STEPS, self.run_id)}
        for row, result in tuple(self.seen.items()):
            if rows.get(row) != result:
                self.changed.append(f"call {row[0]} was Completed and changed or is gone")
        now = time.time()
        for row in rows:
            self.seen_at.setdefault(row, now)
        self.seen |= rows
        return rows


class Round:
    """One run and one fault."""

    def __init__(self, fleet: Fleet, runner: str, rng: random.Random) -> None:
        self.fleet, self.runner, self.rng = fleet, runner, rng
        self.diary = fleet.home.folder / "diary"
        self.diary.touch()
        self.outcome = Outcome()
        self.run_id = ""
        self.hit_at = 0.0
        """Wall clock, as in the database."""

    def play(self, kind: str) -> Outcome | None:
        """Give the outcome of a fault of this kind; None when it came after the end of the run."""
        pause_s = LONG_PAUSE_S if "stopped" in kind else PAUSE_S
        self.server = self.fleet.server()
        self.workers = [self.fleet.worker("--lease", f"{LEASE_S:g}") for _ in range(2)]
        deployment = self.fleet.deploy(fleets.subject("faults_ostinato.py"), self.runner)
        self.run_id = self.fleet.run(deployment, n=N_TASKS, pause_s=pause_s, diary=str(self.diary))
        witness = Witness(self.fleet, self.run_id)
        witness.start()
        target = self.rng.randint(1, N_TASKS - (20 if "stopped" in kind else 5))
        self.until(lambda: len(witness.seen) >= target, f"{target} tasks are done")
        time.sleep(self.rng.uniform(0, pause_s))
        before, calls = witness.look(), Counter(self.lines())
        self.outcome.n_acknowledged = len(before)
        self.hit_at = time.time()
        try:
            KINDS[kind](self)
        except (IndexError, ProcessLookupError):
            return None
        self.until(lambda: self.ask(STATE) == [("Completed", 0)], "the run is Completed")
        witness.done.set()
        witness.join()
        witness.look()
        self.outcome.lost += witness.changed
        self.check_calls(before, calls)
        self.check_rows()
        later = [at for row, at in witness.seen_at.items() if row not in before]
        self.outcome.takeover_s = min(later) - self.hit_at if kind == "server" else self.takeover_s()
        return self.outcome

    # --- faults

    def kill_flow(self) -> None:
        """Kill the process of the run."""
        os.kill(self.flow_pid(), signal.SIGKILL)

    def kill_worker(self) -> None:
        """Kill the worker that holds the run."""
        self.holder().kill()

    def kill_both(self) -> None:
        """Kill the worker and the process of the run."""
        flow_pid = self.flow_pid()
        self.holder().kill()
        with suppress(ProcessLookupError):
            os.kill(flow_pid, signal.SIGKILL)

    def kill_server(self) -> None:
        """Kill the server; another one starts a moment later."""
        self.server.kill()
        time.sleep(self.rng.uniform(0, 1))
        self.fleet.server()

    def stop_worker(self) -> None:
        """Stop the worker for longer than its lease."""
        self.stop([self.holder().pid])

    def stop_both(self) -> None:
        """Stop the worker and the process of the run, as when a machine sleeps."""
        self.stop([self.holder().pid, self.flow_pid()])

    def stop(self, pids: list[int]) -> None:
        """Stop processes until somebody else has taken the run, and a moment more."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            self.until(lambda: self.ask(GOES_ON) != [(None,)], "the run goes on elsewhere")
            time.sleep(self.rng.uniform(0, 1))
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # --- what is seen

    def ask(self, question: str, *values: Any) -> list[Any]:
        """Give the rows of a query about the run, as they are committed now."""
        return self.fleet.ask(question, self.run_id, *values)

    def lines(self) -> list[str]:
        """Give the diary."""
        return self.diary.read_text().splitlines()

    def flow_pid(self) -> int:
        """Give the process of the run.

        Raises:
            IndexError: it runs no more.
        """
        return int(self.ask(PROCESS)[0][0])

    def holder(self) -> fleets.Program:
        """Give the worker that holds the run."""
        pid = json.loads(self.ask(HOLDER)[0][0])["pid"]
        return next(worker for worker in self.workers if worker.pid == pid)

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        fleets.wait(is_so, what, self.told, every_s=EVERY_S)

    def told(self) -> str:
        """Give what is known of the run."""
        history = self.ask("SELECT at, epoch, state, message FROM run_states WHERE run_id = ? ORDER BY id")
        return "\n".join([*map(str, history), f"{len(self.lines())} lines in the diary", self.fleet.told()])

    def check_calls(self, before: dict[tuple[int, bytes], bytes], calls: Counter[str]) -> None:
        """Compare the calls with what was acknowledged before the fault; each of those is among them."""
        now = Counter(line for line in self.lines() if line.startswith("step "))
        n_steps = sum(count for line, count in calls.items() if line.startswith("step "))
        if n_steps < len(before):
            self.outcome.lost.append(f"{len(before)} steps acknowledged, {n_steps} called")
        for no, _ in before:
            line = f"step {no - 1}"  # the flow calls its steps in order
            if now[line] != calls[line]:
                self.outcome.lost.append(f"{line} was acknowledged and called again")
        self.outcome.n_called_again = now.total() - len(now)

    def check_rows(self) -> None:
        """Compare rows, keys, counters and the result with what they should be."""
        n_rows = N_TASKS + 1  # the steps and their total
        if n_twice := self.ask(N_TWICE)[0][0]:
            self.outcome.twice.append(f"{n_twice} task keys have two rows")
        if (n_counted := self.ask(COUNTED)[0][0]) != n_rows:
            self.outcome.twice.append(f"the roll-up counters say {n_counted} Completed, {n_rows} expected")
        if n_other := self.ask(N_OTHER)[0][0]:
            self.outcome.unfinished.append(f"{n_other} tasks are not Completed")
        if self.fleet.ask("SELECT count(*) FROM flow_runs")[0][0] != 1:
            self.outcome.twice.append("there is more than one run")
        results = {line for line in self.lines() if line.startswith("result ")}
        if results != {f"result {sum(i * i for i in range(N_TASKS))}"}:
            self.outcome.unfinished.append(f"wrong result: {sorted(results)}")

    def takeover_s(self) -> float:
        """Give the time from the fault until the run went on in its next epoch."""
        (at,) = self.ask(GOES_ON)[0]
        return float(at / 1e6 - self.hit_at)


KINDS: Final[dict[str, Callable[[Round], None]]] = {
    "flow process": Round.kill_flow,
    "worker": Round.kill_worker,
    "server": Round.kill_server,
    "worker and flow process": Round.kill_both,
    "stopped worker": Round.stop_worker,
    "stopped worker and flow process": Round.stop_both,
}
"""What dies or is stopped, in words -> how."""


def play(kind: str, runner: str, seed: int, *, on_postgres: bool) -> Outcome:
    """Give the outcome of one round on a home of its own; a fault that came too late is drawn again."""
    rng = random.Random(seed)
    while True:
        with temporary_home(on_postgres=on_postgres) as home, fleets.fleet_on(home) as fleet:
            try:
                outcome = Round(fleet, runner, rng).play(kind)
            except (TimeoutError, RuntimeError) as error:
                outcome = Outcome(unfinished=[str(error)])
        if outcome is not None:
            return outcome


def add(sheet: Sheet, kind: str, outcomes: list[Outcome], seed: int) -> None:
    """Print the row of one kind of fault."""
    n = len(outcomes)
    sheet.add(kind, sum(len(found.lost) for found in outcomes), "acknowledged tasks lost", n=n, bar=at_most(0))
    sheet.add(kind, sum(len(found.twice) for found in outcomes), "recorded twice", n=n, bar=at_most(0))
    good = sum(not found.unfinished for found in outcomes)
    sheet.add(kind, good, "rounds finished right", n=n, bar=at_least(n), seed=seed)
    times = [found.takeover_s for found in outcomes]
    sheet.add(kind, max(times), "s until the run goes on, at most", n=n, bar=at_most(TAKEOVER_S))
    sheet.add(kind, statistics.median(times), "s until the run goes on, median", n=n)
    sheet.add(kind, sum(found.n_acknowledged for found in outcomes), "tasks acknowledged before the fault", n=n)
    sheet.add(kind, sum(found.n_called_again for found in outcomes), "unacknowledged tasks called again", n=n)


def main() -> int:
    """Play all rounds; 1 when a guarantee is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20, help="for each kind of fault")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--together", type=int, default=2, help="rounds at a time; each has a home of its own")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--postgres", action="store_true", help="each round on a PostgreSQL of its own")
    options = parser.parse_args()
    sheet = Sheet("faults_postgres" if options.postgres else "faults")
    round_ = partial(play, on_postgres=options.postgres)
    for kind in options.kinds:
        seeds = [options.seed + i for i in range(options.rounds)]
        with ThreadPoolExecutor(options.together) as pool:
            runners = [RUNNERS[seed % 2] for seed in seeds]
            outcomes = list(pool.map(round_, repeat(kind), runners, seeds))
        for seed, outcome in zip(seeds, outcomes, strict=True):
            for fault in outcome.faults:
                sys.stderr.write(f"{kind} ({RUNNERS[seed % 2]}, seed {seed}): {fault}\n")
        add(sheet, kind, outcomes, options.seed)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
