"""What does a server with a worker take? Time until it answers, then memory and CPU of all processes when idle.

For us that is `ostinato up` on a new home, for Prefect `prefect server start` and `prefect worker start`, each with all
defaults on a home of its own. No process of a flow is kept warm meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time

import children
import fleets
import prefect_server
from homes import temporary_home
from lines import Sheet, at_least, at_most


def start_s() -> float:
    """Give the seconds from the command on a new home until the server answers."""
    with temporary_home() as home, fleets.fleet_on(home) as fleet:
        began = time.monotonic()
        fleet.server("up")
        return time.monotonic() - began


def idle(pids: list[int], settle_s: float, watch_s: float) -> tuple[float, float]:
    """Give MB (PSS) and percent of a core that trees of processes take once they have come to rest."""
    time.sleep(settle_s)
    before = sum(children.tree_cpu_s(pid) for pid in pids)
    time.sleep(watch_s)
    cpu_s = sum(children.tree_cpu_s(pid) for pid in pids) - before
    return sum(children.tree_pss_mb(pid) for pid in pids), 100 * cpu_s / watch_s


def measure_prefect(sheet: Sheet, ours_mb: float, settle_s: float, watch_s: float) -> None:
    """Print the same of Prefect."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        began = time.monotonic()
        with prefect_server.running(folder) as server:
            sheet.add("start", time.monotonic() - began, "s until the server answers", system="prefect")
            with server.worker("bench") as worker:
                memory_mb, cpu = idle([server.pid, worker], settle_s, watch_s)
    sheet.add("idle", memory_mb, "MB (PSS), all processes", system="prefect")
    sheet.add("idle", cpu, "percent of a core, all processes", system="prefect")
    sheet.ratio("idle, memory", ours_mb, memory_mb, against="Prefect", bar=at_least(3))


def main() -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settle-s", type=float, default=10)
    parser.add_argument("--watch-s", type=float, default=20)
    parser.add_argument("--peers", nargs="*", default=["prefect"], choices=["prefect"])
    options = parser.parse_args()
    sheet = Sheet("server_start")
    started = [start_s() for _ in range(options.rounds)]
    sheet.add(
        "start", statistics.median(started), "s until the server answers", n=options.rounds, bar=at_most(1.5),
        slowest=round(max(started), 3),
    )  # fmt: skip
    with temporary_home() as home, fleets.fleet_on(home) as fleet:
        up = fleet.server("up")
        fleets.wait(lambda: fleet.n_workers() == 1, "the worker joins", fleet.told)
        memory_mb, cpu = idle([up.pid], options.settle_s, options.watch_s)
        n_processes = 1 + len(children.descendants(up.pid))
    sheet.add("idle", memory_mb, "MB (PSS), all processes", bar=at_most(90), n_processes=n_processes)
    sheet.add("idle", cpu, "percent of a core, all processes", bar=at_most(1))
    if options.peers:
        measure_prefect(sheet, memory_mb, options.settle_s, options.watch_s)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
