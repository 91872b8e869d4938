"""The process runner: user code runs elsewhere, and what it records joins the flow's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.engine_record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunPython

TASKS = """
import asyncio, os, time
from typing import Any
from ostinato import ProcessRunner, flow, get_run_context, get_run_logger, runtime, task

@task
def double(x):
    return 2 * x

@task
def pid(x):
    print("in the process", x)
    get_run_logger().warn("careful %s", x)
    return os.getpid()

@task
def nested(x):
    return double(x) + sum(double.map([1, 2]).result())

@task
def fails(x):
    raise ValueError(f"far away {x}")

@task
def dies(x):
    os._exit(3)

@task
def facts():
    context = get_run_context()
    return context.flow_run.name, context.flow_run.parameters, runtime.task_run.run_count, context.idempotency_key

@task
async def later(x):
    await asyncio.sleep(0)
    return x + 1
"""


def test_sync_tasks_run_elsewhere_and_all_is_recorded(run_python: RunPython, home: Path) -> None:
    run_python(
        TASKS
        + """
@flow(task_runner=ProcessRunner(max_workers=2), log_prints=True)
def whole(size=3):
    pids = pid.map([1, 2]).result()
    assert os.getpid() not in pids
    assert nested.submit(3).result() == 12
    error = fails.submit(4).result(raise_on_failure=False)
    assert type(error) is ValueError and str(error) == "far away 4"
    name, parameters, run_count, key = facts.submit().result()
    here = get_run_context()
    assert (name, run_count) == (here.flow_run.name, 1), (name, run_count)
    assert parameters == {"size": 3}, parameters
    assert key.startswith(here.flow_run.id)
    return later.submit(1).result(), fails.submit(5, return_state=True).name

if __name__ == "__main__":
    assert whole() == (2, "Failed")
"""
    )
    record = Record(home=home)
    assert {"in the process 1", "in the process 2", "careful 1"} <= set(record.texts())
    outer = record.task("nested")
    inner = [row for row in record.tasks if row.task == "double"]
    assert [(row.state, row.parent_no) for row in inner] == [("Completed", outer.no)] * 3
    assert record.counters() == record.counted()
    assert record.tasks[0].n_started > 0


def test_a_worker_process_that_dies_fails_its_task_and_the_next_one_runs(run_python: RunPython, home: Path) -> None:
    run_python(
        TASKS
        + """
@flow(task_runner=ProcessRunner(max_workers=1))
def whole():
    error = dies.submit(1).result(raise_on_failure=False)
    assert isinstance(pid.submit(2).result(), int)
    return type(error).__name__

if __name__ == "__main__":
    assert whole() == "WorkerProcessDied"
"""
    )
    assert Record(home=home).states() == {"dies": "Failed", "pid": "Completed"}


def test_a_task_that_exceeds_its_timeout_elsewhere_is_timed_out(run_python: RunPython, home: Path) -> None:
    run_python(
        TASKS
        + """
@task(timeout_seconds=0.5)
def endless(x):
    time.sleep(60)

@flow(task_runner=ProcessRunner(max_workers=1))
def whole():
    warm = double.submit(1).result()
    return endless.submit(1, return_state=True).name

if __name__ == "__main__":
    assert whole() == "TimedOut"
""",
        timeout_s=20,
    )
    assert Record(home=home).states() == {"double": "Completed", "endless": "TimedOut"}


def test_retries_elsewhere_keep_nested_states_and_checkpoints(run_python: RunPython, home: Path) -> None:
    run_python(
        TASKS
        + """
@task
def flaky(attempt):
    if runtime.flow_run.name and os.path.exists("flaky.mark"):
        return attempt
    open("flaky.mark", "w").close()
    raise ValueError("first")

@task(retries=2, retry_delay_seconds=0.3)
def trains():
    context = get_run_context()
    done = context.restore(0)
    context.checkpoint(done + 1)
    flaky(1)
    return done

@flow(task_runner=ProcessRunner(max_workers=1))
def whole():
    return trains.submit().result()

if __name__ == "__main__":
    assert whole() == 1
"""
    )
    record = Record(home=home)
    assert record.task("trains").attempt == 2
    assert "Completed" in {row.state for row in record.tasks if row.task == "flaky"}
