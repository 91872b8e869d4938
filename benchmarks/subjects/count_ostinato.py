"""A flow of a few steps; each leaves a line in the diary, in one write: lines of several processes do not mix."""

import os
import time

from ostinato import flow, task


@task
def step(number: int, no: int, pause_s: float, diary: str) -> int:
    file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{number} {no}\n".encode())
    finally:
        os.close(file)
    time.sleep(pause_s)
    return number * 1000 + no


@flow
def count(number: int, n: int, pause_s: float, diary: str) -> int:
    return sum(step(number, no, pause_s, diary) for no in range(n))
