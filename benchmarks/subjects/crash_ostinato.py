"""One flow for each task runner, with tasks, a `.map` and subflows, to be killed and resumed at any moment.

Arguments: runner, N, diary. Each call of a task leaves a line in the diary (appended in one write, so that lines of
several processes do not mix): what was called. So does the flow when it starts, and when it knows its result.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

from ostinato import ProcessRunner, SequentialTaskRunner, ThreadRunner, flow, task, unmapped

LONGEST_S = 0.004


def note(diary: str, text: str) -> None:
    """Append one line."""
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{text}\n".encode())
    finally:
        os.close(file)


@task
def step(i: int, diary: str) -> int:
    """Give the square of the input, a little later."""
    note(diary, f"step {i}")
    time.sleep(random.uniform(0, LONGEST_S))
    return i * i


@task
async def astep(i: int, diary: str) -> int:
    """Give the square of the input, a little later."""
    note(diary, f"step {i}")
    await asyncio.sleep(random.uniform(0, LONGEST_S))
    return i * i


@task
def total(values: list[int]) -> int:
    """Give the sum."""
    return sum(values)


@flow
def part(first: int, n: int, diary: str) -> int:
    """Call N tasks directly: a subflow."""
    return sum([step(i, diary) for i in range(first, first + n)])


@flow
async def apart(first: int, n: int, diary: str) -> int:
    """Gather N tasks: a subflow."""
    return sum(await asyncio.gather(*(astep(i, diary) for i in range(first, first + n))))


def _with_map(n: int, diary: str) -> int:
    """A map over the first half, one result after the other for a quarter, a subflow for the last quarter."""
    note(diary, "started")
    half, quarter = n // 2, n // 4
    squares = step.map(range(half), diary=unmapped(diary))
    one_by_one = [step.submit(i, diary).result() for i in range(half, half + quarter)]
    rest = part(half + quarter, n - half - quarter, diary)
    found = total([*[future.result() for future in squares], *one_by_one, rest])
    note(diary, f"result {found}")
    return found


@flow(task_runner=SequentialTaskRunner())
def inline(n: int, diary: str) -> int:
    """Everything in the flow's own thread; half of it called directly."""
    note(diary, "started")
    half = n // 2
    squares = [step(i, diary) for i in range(half)]
    later = step.map(range(half, n - n // 4), diary=unmapped(diary))
    rest = part(n - n // 4, n // 4, diary)
    found = total([*squares, *[future.result() for future in later], rest])
    note(diary, f"result {found}")
    return found


@flow(task_runner=ThreadRunner(max_workers=4))
def threads(n: int, diary: str) -> int:
    """Tasks in threads."""
    return _with_map(n, diary)


@flow(task_runner=ProcessRunner(max_workers=2))
def processes(n: int, diary: str) -> int:
    """Tasks in processes."""
    return _with_map(n, diary)


@flow(name="async")
async def async_(n: int, diary: str) -> int:
    """Gathered tasks, awaited tasks, and two gathered subflows."""
    note(diary, "started")
    half, quarter = n // 2, n // 4
    squares = await asyncio.gather(*(astep(i, diary) for i in range(half)))
    one_by_one = [await astep(i, diary) for i in range(half, half + quarter)]
    middle = half + quarter + (n - half - quarter) // 2
    parts = await asyncio.gather(
        apart(half + quarter, middle - half - quarter, diary), apart(middle, n - middle, diary)
    )
    found = total([*squares, *one_by_one, *parts])
    note(diary, f"result {found}")
    return found


FLOWS = {"inline": inline, "threads": threads, "processes": processes}


def main() -> None:
    """Run the flow of one runner."""
    runner, n, diary = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if runner == "async":
        asyncio.run(async_(n, diary))
    else:
        FLOWS[runner](n, diary)


if __name__ == "__main__":
    main()
