"""Submitted tasks run side by side, up to the bound of the runner."""

from __future__ import annotations

import threading

import pytest

from ostinato import ThreadRunner, flow, task, unmapped

N_AT_ONCE = 8


@task
def meet(_: int, barrier: threading.Barrier) -> int:
    return barrier.wait()


@flow(task_runner=ThreadRunner(max_workers=N_AT_ONCE))
def meeting() -> list[int]:
    return meet.map(range(N_AT_ONCE), unmapped(threading.Barrier(N_AT_ONCE, timeout=10))).result()


@pytest.mark.usefixtures("home")
def test_as_many_tasks_as_the_runner_has_threads_always_run_at_the_same_time() -> None:
    """Born from a bug: a task could wait behind a busy thread while no thread was started for it."""
    for _ in range(40):
        assert sorted(meeting()) == list(range(N_AT_ONCE))
