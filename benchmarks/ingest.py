"""How many task transitions a second does a server take in? Acknowledged: committed with synchronous=FULL.

Several client processes send the blocks of one flow run each over HTTP, a block at a time, the next when the one before
is acknowledged. Two transitions make a task: it runs, and it is Completed with a small result. Afterwards all rows are
counted in the database, with their counters.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import children
import fleets
from environments import HERE, interpreter
from homes import temporary_home
from lines import Bar, Sheet, at_least, at_most

if TYPE_CHECKING:
    from fleets import Fleet

N_ROWS = "SELECT count(*) FROM task_runs WHERE state = 'Completed'"
N_COUNTED = "SELECT coalesce(sum(n), 0) FROM task_counts WHERE state = 'Completed'"
LEAST = 40_000.0
LEAST_POSTGRES = 25_000.0


@dataclass(frozen=True)
class Load:
    """What the clients send."""

    size: int
    """Events in a block."""
    n_logs: int = 0
    """Log lines of each task, which are counted apart."""
    apart: bool = False
    """Each task starts in one block and ends in the next, so that its row is written twice."""
    bar: Bar | None = None

    @property
    def name(self) -> str:
        """Give it in words."""
        logs = ", a log line a task" if self.n_logs else ""
        return f"blocks of {self.size}{logs}{', tasks longer than a block' if self.apart else ''}"


class Clients:
    """Several client processes that begin together."""

    def __init__(self, fleet: Fleet, n: int, n_blocks: int, load: Load) -> None:
        there = fleets.card(fleet.home)
        subject = str(fleets.subject("ingest_client.py"))
        numbers = [str(number) for number in (n_blocks, load.size, load.n_logs, int(load.apart))]
        command = [interpreter("ostinato"), subject, there["url"], there["token"], *numbers]
        environ = fleet.home.environ(PYTHONPATH=str(HERE))
        self.processes = [
            subprocess.Popen(command, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(n)
        ]

    def run(self) -> float:
        """Let them send; give the seconds from the first request to the last answer."""
        with contextlib.ExitStack() as stack:
            for process in self.processes:
                stack.enter_context(process)
                if _line(process) != "ready\n":
                    raise RuntimeError("a client did not begin")
            for process in self.processes:
                if process.stdin is not None:
                    process.stdin.write("go\n")
                    process.stdin.flush()
            found = [json.loads(_line(process)) for process in self.processes]
        return float(max(one["last"] for one in found) - min(one["first"] for one in found))


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout is not None else ""


def measure(sheet: Sheet, n_clients: int, n_tasks: int, load: Load, *, on_postgres: bool) -> None:
    """Print the figures of one load."""
    n_a_block = load.size // (2 + load.n_logs)
    n_blocks = max(1, n_tasks // n_a_block // n_clients)
    with temporary_home(on_postgres=on_postgres) as home, fleets.fleet_on(home) as fleet:
        server = fleet.server()
        clients = Clients(fleet, n_clients, n_blocks, load)
        before_s = children.tree_cpu_s(server.pid)
        seconds = clients.run()
        cpu_s = children.tree_cpu_s(server.pid) - before_s
        n_rows, n_counted = (int(fleet.ask(question)[0][0]) for question in (N_ROWS, N_COUNTED))
    expected = n_clients * n_blocks * n_a_block
    n, name = n_rows * 2, load.name
    sheet.add(name, n / seconds, "task transitions a second", n=n, bar=load.bar, clients=n_clients)
    sheet.add(name, cpu_s / n * 1e6, "us CPU of the server a transition", n=n)
    if load.n_logs:
        sheet.add(name, n_rows * load.n_logs / seconds, "log lines a second", n=n_rows * load.n_logs)
    wrong = abs(expected - n_rows) + abs(expected - n_counted)
    sheet.add(name, wrong, "task runs missing or miscounted", n=n_rows, bar=at_most(0))


def main() -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500, 2000])
    parser.add_argument("--postgres", action="store_true", help="into a PostgreSQL of its own")
    options = parser.parse_args()
    sheet = Sheet("ingest_postgres" if options.postgres else "ingest")
    bar = at_least(LEAST_POSTGRES if options.postgres else LEAST)
    loads = [Load(size, apart=apart, bar=bar) for size in options.sizes for apart in (False, True)]
    for load in [*loads, Load(max(options.sizes), n_logs=1)]:
        measure(sheet, options.clients, options.tasks, load, on_postgres=options.postgres)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
