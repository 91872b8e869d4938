"""What a supervisor tells the process of a flow: cancel reaches it wherever it is, pause waits at the next call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.engine_record import Record

if TYPE_CHECKING:
    from tests.conftest import RunPython

HEAD = """
import asyncio, sys, threading, time
from pathlib import Path
from ostinato import ProcessRunner, flow, task
from ostinato.engine import control
from ostinato.engine.scopes import roots

begun = threading.Event()

@task
def step(i=0):
    begun.set()
    time.sleep(0.05)
    return i

@task
def long(i=0):
    begun.set()
    time.sleep(60)

@task
def elsewhere(i):
    Path(f"begun-{i}").touch()
    time.sleep(60)

@task
async def step_async(i=0):
    begun.set()
    await asyncio.sleep(0.05)
    return i

@task
async def long_async(i=0):
    begun.set()
    await asyncio.sleep(60)

@task(retries=1, retry_delay_seconds=60)
def fails():
    begun.set()
    raise ValueError

@task(timeout_seconds=50)
def bounded():
    begun.set()
    time.sleep(60)

@flow
def below():
    long()

def state():
    return [scope.run.state for scope in list(roots.values())]

def until(is_so):
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)
"""

TAIL = """

def told():
    try:
        tell()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        control.cancel("the test failed")

if __name__ == "__main__":
    control.install()
    teller = threading.Thread(target=told)
    teller.start()
    begin = time.monotonic()
    try:
        print(asyncio.run(main()) if main.is_async else main())
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        print(type(error).__name__, error)
    teller.join()
    assert time.monotonic() - begin < 20
"""

CANCEL = """
def tell():
    assert begun.wait(20)
    time.sleep(0.1)
    control.cancel("cancelled by ann: enough")
    control.cancel("cancelled by bob")
"""

FORMS = {
    "sleeps": "@flow\ndef main():\n    begun.set()\n    time.sleep(60)\n",
    "runs a task": "@flow\ndef main():\n    long()\n",
    "waits for tasks in threads": "@flow\ndef main():\n    long.map(range(3))\n",
    "waits for async tasks": "@flow\ndef main():\n    long_async.map(range(3))\n",
    "waits in a subflow": "@flow\ndef main():\n    below()\n",
    "waits for a retry": "@flow\ndef main():\n    fails()\n",
    "waits for a task with a timeout": "@flow(timeout_seconds=55)\ndef main():\n    bounded()\n",
    "awaits": "@flow\nasync def main():\n    await long_async()\n",
    "gathers": "@flow\nasync def main():\n    await asyncio.gather(long_async(1), long_async(2))\n",
    "blocks its event loop": "@flow\nasync def main():\n    long()\n",
    "blocks its event loop beside others": (
        "@flow\nasync def main():\n    other = asyncio.create_task(asyncio.sleep(50))\n"
        "    await asyncio.sleep(0)\n    long()\n    await other\n"
    ),
    "submits what awaits": "@flow\nasync def main():\n    futures = long_async.map(range(2))\n    await futures[0]\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_cancel_stops_a_flow_wherever_it_is(form: str, run_python: RunPython) -> None:
    ended = run_python(HEAD + FORMS[form] + CANCEL + TAIL)
    name, _, message = ended.stdout.strip().partition(" ")
    assert name in ("Cancelled", "CancelledError")
    assert message == "cancelled by ann: enough"
    record = Record()
    assert (record.state, record.run.message) == ("Cancelled", "cancelled by ann: enough")
    assert {task.state for task in record.tasks} <= {"Cancelled", "Crashed"}  # the latter waited for its retry
    assert all(child.state == "Cancelled" for child in record.subflows)


def test_cancel_ends_the_processes_of_a_process_runner(run_python: RunPython) -> None:
    body = "@flow(task_runner=ProcessRunner(max_workers=2))\ndef main():\n    elsewhere.map(range(2))\n"
    told = CANCEL.replace("assert begun.wait(20)", 'until(lambda: len(list(Path().glob("begun-*"))) == 2)')
    ended = run_python(HEAD + body + told + TAIL)
    assert ended.stdout.strip() == "Cancelled cancelled by ann: enough"
    assert Record().states() == {"elsewhere": "Cancelled", "elsewhere#2": "Cancelled"}


def test_a_flow_that_catches_the_interrupt_calls_nothing_more(run_python: RunPython) -> None:
    body = """
@flow
def main():
    try:
        long()
    except KeyboardInterrupt:
        print("caught")
    step()
"""
    ended = run_python(HEAD + body + CANCEL + TAIL)
    assert ended.stdout.splitlines() == ["caught", "Cancelled cancelled by ann: enough"]
    assert Record().states() == {"long": "Cancelled"}


def test_a_cancel_that_comes_before_the_flow_stops_it_at_its_beginning(run_python: RunPython) -> None:
    program = """
    import time
    from ostinato import flow
    from ostinato.engine import control

    @flow
    def main():
        time.sleep(60)

    control.install()
    try:
        control.cancel("cancelled by ann")
        main()
    except control.Cancelled as error:
        print(error)
    """
    assert run_python(program).stdout.strip() == "cancelled by ann"


PAUSE = """
def tell():
    assert begun.wait(20)
    control.pause()
    until(lambda: "Paused" in state())
    time.sleep(0.2)  # what was in flight has ended
    begun.clear()
    spent = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - spent < 0.1
    assert not begun.is_set()
    control.go_on()
"""

PAUSED_FORMS = {
    "calls": "@flow\ndef main():\n    return sum(step(i) for i in range(8))\n",
    "submits": "@flow\ndef main():\n    return sum(step.submit(i).result() for i in range(8))\n",
    "maps more than it has threads": "@flow\ndef main():\n    return sum(step.map(range(64)).result()) - 1988\n",
    "calls in a subflow": (
        "@flow\ndef inner(i):\n    return step(i)\n@flow\ndef main():\n    return sum(inner(i) for i in range(8))\n"
    ),
    "awaits": "@flow\nasync def main():\n    return sum([await step_async(i) for i in range(8)])\n",
    "calls sync tasks in async code": "@flow\nasync def main():\n    return sum(step(i) for i in range(8))\n",
    "gathers again and again": (
        "@flow\nasync def main():\n    n = 0\n    for i in range(4):\n"
        "        n += sum(await asyncio.gather(step_async(2 * i), step_async(2 * i + 1)))\n    return n\n"
    ),
}


@pytest.mark.parametrize("form", PAUSED_FORMS)
def test_a_paused_flow_waits_at_a_call_without_work_and_goes_on(form: str, run_python: RunPython) -> None:
    ended = run_python(HEAD + PAUSED_FORMS[form] + PAUSE + TAIL)
    assert ended.stdout.strip() == "28"
    record = Record()
    assert [change.state for change in record.history] == ["Pending", "Running", "Paused", "Running", "Completed"]
    assert {task.state for task in record.tasks} <= {"Completed"}
    (began, ends) = (change.at for change in record.history[2:4])
    assert not [task for task in record.tasks if task.started_at and began < task.started_at < ends]


def test_a_paused_flow_is_cancelled(run_python: RunPython) -> None:
    for form in ("calls", "maps more than it has threads", "awaits"):
        told = PAUSE.replace("control.go_on()", 'control.cancel("cancelled by ann")')
        ended = run_python(HEAD + PAUSED_FORMS[form] + told + TAIL)
        assert ended.stdout.strip().endswith("cancelled by ann")
        assert (Record().state, Record().run.message) == ("Cancelled", "cancelled by ann")


def test_a_pause_that_is_taken_back_before_it_happened_leaves_no_trace(run_python: RunPython) -> None:
    told = "def tell():\n    assert begun.wait(20)\n    control.pause()\n    control.go_on()\n"
    body = "@flow\ndef main():\n    step()\n    return step(28)\n"
    assert run_python(HEAD + body + told + TAIL).stdout.strip() == "28"
    assert [change.state for change in Record().history] == ["Pending", "Running", "Completed"]
