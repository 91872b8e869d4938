"""What does a task cost? No-op tasks called in every way, at three sizes, against Prefect and DBOS in the same run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass

import children
import prefect_server
from environments import HERE, clean_environ, interpreter
from homes import temporary_home
from lines import Bar, Sheet, at_least, at_most

REPEATS = {1_000: 5, 10_000: 3, 100_000: 1}
"""Flow runs in a process at each size; the median counts."""


@dataclass(frozen=True)
class Way:
    """One way of calling tasks, and what a call may cost."""

    name: str
    cpu: Bar | None = None
    prefect: Bar | None = None
    dbos: Bar | None = None


WAYS = (
    Way("direct", at_most(40), prefect=at_least(800), dbos=at_least(35)),
    Way("direct_value"),
    Way("submit", at_most(50)),
    Way("submit_result", at_most(140)),
    Way("map"),
    Way("async_await", at_most(45)),
    Way("async_gather", at_most(45)),
)
IN_PREFECT = {"direct", "submit", "submit_result", "map", "async_await", "async_gather"}
IN_DBOS = {"direct", "async_await", "async_gather"}
VISIBLE = at_most(250)
SCALING = at_most(1.3)


def ostinato_cost(way: str, n: int, repeats: int) -> dict[str, float]:
    """Run Ostinato's subject on a new home; give what it found."""
    with temporary_home() as home:
        command = [interpreter("ostinato"), str(HERE / "subjects/tasks_ostinato.py"), way, str(n), str(repeats)]
        return children.run(command, home.environ(), directory=str(home.folder)).data()


def measure_ostinato(sheet: Sheet, way: Way, sizes: list[int]) -> float:
    """Print our figures at all sizes; give microseconds of CPU a task at the smallest."""
    per_task: dict[int, float] = {}
    for n in sizes:
        cost = ostinato_cost(way.name, n, REPEATS.get(n, 3))
        per_task[n] = cost["cpu_s"] / n * 1e6
        sheet.add(way.name, per_task[n], "us CPU a task", n=n, bar=way.cpu)
        sheet.add(way.name, cost["wall_s"] / n * 1e6, "us wall a task", n=n)
        bar = VISIBLE if n in (1_000, 100_000) else None
        sheet.add(way.name, cost["visible_ms"], "ms from flow end to all rows visible", n=n, bar=bar)
    smallest, largest = sizes[0], sizes[-1]
    if len(sizes) > 1:
        growth = per_task[largest] / per_task[smallest]
        bar = SCALING if (smallest, largest) == (1_000, 100_000) else None
        sheet.add(way.name, growth, f"times the CPU a task of {smallest} tasks", n=largest, bar=bar)
    return per_task[smallest]


def measure_prefect(sheet: Sheet, ways: list[Way], n: int) -> dict[str, float]:
    """Print Prefect's figures against a server of its own; give microseconds of CPU a task, client and server."""
    found: dict[str, float] = {}
    subject = str(HERE / "subjects/tasks_prefect.py")
    with tempfile.TemporaryDirectory() as home, prefect_server.running(home) as server:
        idle = server.idle_cpu()
        n_done = 0

        def client(way: str, n: int) -> children.Cost:
            command = [interpreter("prefect"), subject, way, str(n)]
            return children.run(command, server.environ(), directory=home)

        client("direct", 0)
        empty_s = client("direct", 0).cpu_s
        for way in ways:
            before_s = server.cpu_s()
            cost = client(way.name, n)
            n_done += n
            lag_s = server.wait_completed(n_done)
            client_us = (cost.cpu_s - empty_s) / n * 1e6
            # What the server does when idle, and for the flow run itself, is not the tasks' cost.
            server_us = (server.cpu_s() - before_s - idle * (cost.wall_s + lag_s)) / n * 1e6
            found[way.name] = client_us + server_us
            sheet.add(
                way.name,
                found[way.name],
                "us CPU a task",
                system="prefect",
                n=n,
                client_us=round(client_us),
                server_us=round(server_us),
            )
            sheet.add(way.name, lag_s * 1e3, "ms from process end to all rows visible", system="prefect", n=n)
    return found


def measure_dbos(sheet: Sheet, ways: list[Way], n: int) -> dict[str, float]:
    """Print DBOS's figures on SQLite; give microseconds of CPU a step."""
    found: dict[str, float] = {}
    subject = str(HERE / "subjects/tasks_dbos.py")
    for way in ways:
        with tempfile.TemporaryDirectory() as folder:
            command = [interpreter("dbos"), subject, way.name, str(n)]
            cost = children.run(command, clean_environ(), directory=folder).data()
        found[way.name] = cost["cpu_s"] / n * 1e6
        sheet.add(way.name, found[way.name], "us CPU a task", system="dbos", n=n)
        sheet.add(way.name, cost["wall_s"] / n * 1e6, "us wall a task", system="dbos", n=n)
    return found


def main() -> int:
    """Measure what the arguments ask for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--ways", nargs="+", default=[way.name for way in WAYS], choices=[way.name for way in WAYS])
    parser.add_argument("--peers", nargs="*", default=["prefect", "dbos"], choices=["prefect", "dbos"])
    parser.add_argument("--peer-size", type=int, default=1_000)
    options = parser.parse_args()
    sheet = Sheet("tasks")
    ways = [way for way in WAYS if way.name in options.ways]
    ours = {way.name: measure_ostinato(sheet, way, sorted(options.sizes)) for way in ways}
    if "prefect" in options.peers:
        measured = [way for way in ways if way.name in IN_PREFECT]
        theirs = measure_prefect(sheet, measured, options.peer_size)
        for way in measured:
            sheet.ratio(
                way.name, ours[way.name], theirs[way.name], against="Prefect (client + server)", bar=way.prefect
            )
    if "dbos" in options.peers:
        measured = [way for way in ways if way.name in IN_DBOS]
        theirs = measure_dbos(sheet, measured, options.peer_size)
        for way in measured:
            sheet.ratio(way.name, ours[way.name], theirs[way.name], against="DBOS on SQLite", bar=way.dbos)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
