"""Flows of numbered steps, whose processes, workers and servers are killed meanwhile.

Each call of a step leaves a line in the diary (one write, so that lines of several processes do not mix), and so does
the result.
"""

import os
import time

from ostinato import ThreadRunner, flow, task, unmapped


def note(diary: str, text: str) -> None:
    """Append one line."""
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{text}\n".encode())
    finally:
        os.close(file)


@task
def step(i: int, pause_s: float, diary: str) -> int:
    note(diary, f"step {i}")
    time.sleep(pause_s)
    return i * i


@task
def total(values: list[int]) -> int:
    return sum(values)


@flow
def plain(n: int, pause_s: float, diary: str) -> int:
    found = total([step(i, pause_s, diary) for i in range(n)])
    note(diary, f"result {found}")
    return found


@flow(task_runner=ThreadRunner(max_workers=2))
def threads(n: int, pause_s: float, diary: str) -> int:
    squares = step.map(range(n), unmapped(2 * pause_s), unmapped(diary))
    found = total([future.result() for future in squares])
    note(diary, f"result {found}")
    return found
