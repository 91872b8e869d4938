"""A flow whose first line says when it ran; due and first instant go into a file, one line a run."""

import os
import time

from ostinato import flow, get_run_context


def note(file: str, *words: object) -> None:
    """Append a line in one write, so that lines of several processes do not mix."""
    line = " ".join(map(str, words))
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(opened, f"{line}\n".encode())
    finally:
        os.close(opened)


@flow
def instant(file: str, number: int) -> int:
    now = time.time_ns()
    note(file, number, now)
    return number


@flow
def tick(file: str) -> None:
    now = time.time_ns()
    due = get_run_context().flow_run.expected_start_time
    note(file, round(due.timestamp() * 1e6), now)
