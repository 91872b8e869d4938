"""How long from the request for a run to the first line of its flow, on a worker that has run it before?

The flow notes the time as its first statement; the request is made in this process, by the same clock. One after the
other for the latency, then many at once until all are Completed. Prefect answers the same question in the same run, by
a worker that starts processes.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import children
import fleets
import prefect_server
from homes import temporary_home
from lines import Bar, Sheet, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleets import Fleet
    from prefect_server import PrefectServer

    from ostinato.core.deployments import Deployment

N_WARM = 5
N_CLIENTS = 4
BURSTS = {50: 1.0, 500: 8.0}
"""Runs at once -> seconds until all are Completed."""
EVERY_S = 0.1
_ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Notes:
    """The file in which runs note their first instants."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.touch()

    def first_ns(self, number: int) -> int:
        """Give the first instant of a run, 0 when it has not begun."""
        for line in self.file.read_text().splitlines():
            noted, at = line.split()
            if int(noted) == number:
                return int(at)
        return 0


def latencies_ms(notes: Notes, n: int, ask: Callable[[int], None], is_over: Callable[[int], bool]) -> list[float]:
    """Give the latency of each of `n` runs, the next one asked for when the one before has ended."""
    found = []
    for number in range(n):
        notes.file.write_text("")
        asked = time.time_ns()
        ask(number)
        fleets.wait(lambda number=number: notes.first_ns(number) > 0, "the flow begins", patience_s=180)  # type: ignore[misc]
        found.append((notes.first_ns(number) - asked) / 1e6)
        fleets.wait(lambda number=number: is_over(number), "the run ends", patience_s=180)  # type: ignore[misc]
    return found


def one_by_one(
    sheet: Sheet, fleet: Fleet, name: str, deployment: Deployment, n: int, bars: tuple[Bar | None, Bar]
) -> float:
    """Print the latencies of a deployment; give the median in ms."""
    notes = Notes(fleet.home.folder / f"{name}.txt")
    n_before = fleet.n_in("Completed")

    def ask(number: int) -> None:
        fleet.run(deployment, file=str(notes.file), number=number)

    def measure(n: int) -> list[float]:
        n_before = fleet.n_in("Completed")
        return latencies_ms(notes, n, ask, lambda number: fleet.n_in("Completed") > n_before + number)

    first = measure(1)[0]
    measure(N_WARM)
    found = measure(n)
    median = statistics.median(found)
    sheet.add(name, median, "ms to the first line, median", n=n, bar=bars[0])
    sheet.add(name, fleets.share(found, 0.95), "ms to the first line, 95 %", n=n, bar=bars[1], longest=max(found))
    sheet.add(name, first, "ms to the first line, first run of the worker")
    missing = n_before + 1 + N_WARM + n - fleet.n_in("Completed")
    sheet.add(name, missing, "runs not Completed", n=n, bar=at_most(0))
    return median


class Peak(threading.Thread):
    """Watches the memory of trees of processes."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__(daemon=True)
        self.pids = pids
        self.most_mb = 0.0
        self.done = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.done.wait(EVERY_S):
            self.most_mb = max(self.most_mb, sum(children.tree_pss_mb(pid) for pid in self.pids))


def burst(fleet: Fleet, deployment: Deployment, n: int) -> tuple[float, int]:
    """Ask for `n` runs at once; give the seconds until the last has ended, and how many are Completed."""
    notes = Notes(fleet.home.folder / "burst.txt")
    n_before, n_ended = fleet.n_in("Completed"), fleet.n_in("Completed", "Failed", "Crashed", "Cancelled")
    began = time.monotonic()
    with ThreadPoolExecutor(N_CLIENTS) as clients:
        list(clients.map(lambda number: fleet.run(deployment, file=str(notes.file), number=number), range(n)))
        fleets.wait(
            lambda: fleet.n_in("Completed", "Failed", "Crashed", "Cancelled") >= n_ended + n,
            "all runs end",
            fleet.told,
            300,
        )
    return time.monotonic() - began, fleet.n_in("Completed") - n_before


def bursts(sheet: Sheet, fleet: Fleet, deployment: Deployment, sizes: list[int]) -> None:
    """Print how many runs at once end; the memory is watched in another round, as watching takes time."""
    for n in sizes:
        took_s, n_completed = burst(fleet, deployment, n)
        bar = at_most(BURSTS[n]) if n in BURSTS else None
        sheet.add("at once", took_s, "s until all are Completed", n=n, bar=bar)
        sheet.add("at once", n_completed, "Completed", n=n, bar=at_least(n))
    peak = Peak([program.pid for program in fleet.programs])
    peak.start()
    burst(fleet, deployment, max(sizes))
    peak.done.set()
    peak.join()
    sheet.add("at once", peak.most_mb, "MB (PSS) at most, all processes", n=max(sizes), bar=at_most(300))
    n_crashed = len(fleet.ask("SELECT 1 FROM run_states WHERE state = 'Crashed'"))
    sheet.add("at once", n_crashed, "runs that crashed on the way", n=sum(sizes) + max(sizes), bar=at_most(0))


def measure_prefect(sheet: Sheet, ours_ms: float, n: int, n_at_once: int) -> None:
    """Print the same of Prefect."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        server = stack.enter_context(prefect_server.running(folder))
        worker = stack.enter_context(server.worker("bench"))
        deployment = server.deploy("bench", fleets.subject("instant_prefect.py"))
        notes = Notes(Path(folder, "instant.txt"))
        runs: list[str] = []

        def ask(number: int) -> None:
            body = {"parameters": {"file": str(notes.file), "number": number}, "state": {"type": "SCHEDULED"}}
            runs.append(server.ask(f"/deployments/{deployment}/create_flow_run", body)["id"])

        found = latencies_ms(notes, n, ask, lambda _: server.ask(f"/flow_runs/{runs[-1]}")["state_type"] == "COMPLETED")
        sheet.add("hello", statistics.median(found), "ms to the first line, median", system="prefect", n=n)
        sheet.ratio("hello", ours_ms, statistics.median(found), against="Prefect", bar=at_least(300), n=n)
        if n_at_once:
            prefect_burst(sheet, server, worker, n_at_once, ask)


def prefect_burst(sheet: Sheet, server: PrefectServer, worker: int, n: int, ask: Callable[[int], None]) -> None:
    """Print what becomes of many runs at once of Prefect."""
    n_ended, n_completed = server.n_flow_runs(*_ENDS), server.n_flow_runs("COMPLETED")
    peak = Peak([server.pid, worker])
    peak.start()
    began = time.monotonic()
    for number in range(n):
        ask(number)
    fleets.wait(lambda: server.n_flow_runs(*_ENDS) >= n_ended + n, "all runs end", patience_s=900, every_s=1)
    sheet.add("at once", time.monotonic() - began, "s until all have ended", system="prefect", n=n)
    peak.done.set()
    sheet.add("at once", server.n_flow_runs("COMPLETED") - n_completed, "Completed", system="prefect", n=n)
    sheet.add("at once", peak.most_mb, "MB (PSS) at most, all processes", system="prefect", n=n)


def main() -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--at-once", type=int, nargs="*", default=list(BURSTS))
    parser.add_argument("--peers", nargs="*", default=["prefect"], choices=["prefect"])
    parser.add_argument("--peer-runs", type=int, default=8)
    parser.add_argument("--peer-at-once", type=int, default=50)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own, without peers")
    options = parser.parse_args()
    sheet = Sheet("run_start_postgres" if options.postgres else "run_start")
    bars = (None, at_most(80)) if options.postgres else (at_most(15), at_most(40))
    with temporary_home(on_postgres=options.postgres) as home, fleets.fleet_on(home) as fleet:
        fleet.server()
        fleet.worker()
        hello = fleet.deploy(fleets.subject("instant_ostinato.py"), "instant")
        ours_ms = one_by_one(sheet, fleet, "hello", hello, options.runs, bars)
        if options.at_once:
            bursts(sheet, fleet, hello, options.at_once)
        heavy = fleet.deploy(fleets.subject("heavy_ostinato.py"), "heavy")
        one_by_one(
            sheet,
            fleet,
            "imports pandas and scikit-learn",
            heavy,
            options.runs,
            (None, at_most(80 if options.postgres else 60)),
        )
    if options.peers and not options.postgres:
        measure_prefect(sheet, ours_ms, options.peer_runs, options.peer_at_once)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
