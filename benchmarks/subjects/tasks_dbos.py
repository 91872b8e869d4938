"""Run one DBOS workflow of N no-op steps (or child workflows) in one way of calling; print its cost as JSON.

Arguments: way, N. The database is `bench.sqlite` in the working directory.
"""

import asyncio
import json
import sys
import time

from dbos import DBOS


@DBOS.step()
def noop() -> None:
    pass


@DBOS.step()
async def anoop() -> None:
    pass


@DBOS.workflow()
def inner() -> None:
    pass


@DBOS.workflow()
def direct(n: int) -> None:
    for _ in range(n):
        noop()


@DBOS.workflow()
async def async_await(n: int) -> None:
    for _ in range(n):
        await anoop()


@DBOS.workflow()
async def async_gather(n: int) -> None:
    await asyncio.gather(*(anoop() for _ in range(n)))


@DBOS.workflow()
def subflows(n: int) -> None:
    for _ in range(n):
        inner()


def cost(way: str, n: int) -> tuple[float, float]:
    called = globals()[way]
    started, cpu = time.perf_counter(), time.process_time()
    result = called(n)
    if asyncio.iscoroutine(result):
        asyncio.run(result)
    return time.perf_counter() - started, time.process_time() - cpu


def main() -> None:
    way, n = sys.argv[1], int(sys.argv[2])
    DBOS(config={"name": "bench", "system_database_url": "sqlite:///bench.sqlite"})
    DBOS.launch()
    cost(way, 2)
    empty_wall_s, empty_cpu_s = cost(way, 0)
    wall_s, cpu_s = cost(way, n)
    print(json.dumps({"wall_s": wall_s - empty_wall_s, "cpu_s": cpu_s - empty_cpu_s}))
    DBOS.destroy()


main()
