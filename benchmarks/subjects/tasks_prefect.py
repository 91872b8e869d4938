"""Run one Prefect flow of N no-op tasks (or subflows) in one way of calling; print its cost as JSON.

Arguments: way, N.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from prefect import flow, task


@task
def noop() -> None:
    pass


@task
def item(i: int) -> int:
    return i


@task
async def anoop() -> None:
    pass


@flow
def inner() -> None:
    pass


@flow
def empty() -> None:
    pass


@flow
def direct(n: int) -> None:
    for _ in range(n):
        noop()


@flow
def submit(n: int) -> None:
    for future in [noop.submit() for _ in range(n)]:
        future.wait()


@flow
def submit_result(n: int) -> None:
    for _ in range(n):
        noop.submit().result()


@flow
def map_(n: int) -> None:
    for future in item.map(range(n)):
        future.wait()


@flow
async def async_await(n: int) -> None:
    for _ in range(n):
        await anoop()


@flow
async def async_gather(n: int) -> None:
    await asyncio.gather(*(anoop() for _ in range(n)))


@flow
def subflows(n: int) -> None:
    for _ in range(n):
        inner()


def rss_mb() -> float:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def main() -> None:
    way, n = sys.argv[1], int(sys.argv[2])
    empty()
    rss_before_mb = rss_mb()
    started, cpu = time.perf_counter(), time.process_time()
    if n:
        called = {"map": map_}.get(way) or globals()[way]
        result = called(n)
        if asyncio.iscoroutine(result):
            asyncio.run(result)
    found = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "rss_growth_mb": rss_mb() - rss_before_mb,
    }
    print(json.dumps(found))


main()
