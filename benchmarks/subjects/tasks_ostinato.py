"""Run flows of N no-op tasks (or subflows) in one way of calling; print what they cost as JSON.

Arguments: way, N, repeats. CPU is that of all threads, from the call of the flow until its rows are seen in the
database by a reader of its own and the threads have come to rest; the reader's own CPU is taken off.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from ostinato import flow, task, wait

ROWS = {
    "tasks": "SELECT count(*) FROM task_runs WHERE run_id = :run AND state = 'Completed'",
    "subflows": "SELECT count(*) FROM flow_runs WHERE parent_id = :run AND state = 'Completed'",
    "run": "SELECT id FROM flow_runs WHERE parent_id = '' AND state = 'Completed' ORDER BY id DESC LIMIT 1",
}
REST_S = 0.1
"""Time given to the threads to come to rest after the last row was seen."""


@task
def noop() -> None:
    """Do nothing."""


@task
def item(i: int) -> int:
    """Give the input."""
    return i


@task
async def anoop() -> None:
    """Do nothing."""


@flow
def inner() -> None:
    """Do nothing."""


@flow
def direct(n: int) -> None:
    """Call one after the other."""
    for _ in range(n):
        noop()


@flow
def direct_value(n: int) -> None:
    """Call one after the other, with an input and a result."""
    for i in range(n):
        item(i)


@flow
def submit(n: int) -> None:
    """Submit all, then wait for all."""
    wait([noop.submit() for _ in range(n)])


@flow
def submit_result(n: int) -> None:
    """Submit one and take its result before the next."""
    for _ in range(n):
        noop.submit().result()


@flow
def mapped(n: int) -> None:
    """Map over a range, then wait for all."""
    wait(item.map(range(n)))


@flow
async def async_await(n: int) -> None:
    """Await one after the other."""
    for _ in range(n):
        await anoop()


@flow
async def async_gather(n: int) -> None:
    """Gather all."""
    await asyncio.gather(*(anoop() for _ in range(n)))


@flow
def subflows(n: int) -> None:
    """Call a subflow one after the other."""
    for _ in range(n):
        inner()


WAYS: dict[str, Any] = {
    "direct": direct,
    "direct_value": direct_value,
    "submit": submit,
    "submit_result": submit_result,
    "map": mapped,
    "async_await": async_await,
    "async_gather": async_gather,
    "subflows": subflows,
}


def memory_mb(field: str) -> float:
    """Give VmRSS (now) or VmHWM (peak) of this process."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields[field].split()[0]) / 1024


def call(way: str, n: int) -> None:
    """Call the flow of one way to its end."""
    result = WAYS[way](n)
    if asyncio.iscoroutine(result):
        asyncio.run(result)


def look() -> sqlite3.Connection:
    """Give a read-only connection to the home's database."""
    return sqlite3.connect(f"file:{os.environ['OSTINATO_HOME']}/ostinato.db?mode=ro", uri=True, isolation_level=None)


def wait_visible(database: sqlite3.Connection, way: str, n: int, known: str, timeout_s: float = 60) -> str:
    """Wait until the newest run has ended in the database, with all its rows; give its id."""
    rows = ROWS["subflows" if way == "subflows" else "tasks"]
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = database.execute(ROWS["run"]).fetchone()
        if found and found[0] != known and database.execute(rows, {"run": found[0]}).fetchone()[0] == n:
            run: str = found[0]
            return run
        time.sleep(0.001)
    message = f"not all of {n} rows are in the database after {timeout_s} s"
    raise TimeoutError(message)


def measure(way: str, n: int, database: sqlite3.Connection, known: str) -> tuple[dict[str, float], str]:
    """Give the cost of one flow run with N calls, and its id."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts again here
    rss_mb = memory_mb("VmRSS")
    started, cpu = time.perf_counter(), time.process_time()
    call(way, n)
    ended, own = time.perf_counter(), time.thread_time()
    run = wait_visible(database, way, n, known)
    visible, own = time.perf_counter(), time.thread_time() - own
    time.sleep(REST_S)
    cost = {
        "wall_s": ended - started,
        "cpu_s": time.process_time() - cpu - own,
        "visible_ms": (visible - ended) * 1e3,
        "rss_growth_mb": memory_mb("VmHWM") - rss_mb,
    }
    return cost, run


def main() -> None:
    """Measure the empty flow and the full one, and print the difference."""
    way, n, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    call(way, min(n, 20))  # loads what this way of calling needs, and makes the home
    database = look()
    run = ""
    costs: dict[int, list[dict[str, float]]] = {0: [], n: []}
    for size in [0] * max(repeats, 3) + [n] * repeats:
        cost, run = measure(way, size, database, run)
        costs[size].append(cost)
    empty, full = costs[0], costs[n]

    def median(sample: list[dict[str, float]], name: str) -> float:
        return statistics.median(cost[name] for cost in sample)

    found = {name: median(full, name) - median(empty, name) for name in ("cpu_s", "wall_s")}
    found["visible_ms"] = max(cost["visible_ms"] for cost in full)
    found["rss_growth_mb"] = max(cost["rss_growth_mb"] for cost in full)
    home = Path(os.environ["OSTINATO_HOME"])
    size_bytes = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    found["home_bytes"] = size_bytes / (n * repeats)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
