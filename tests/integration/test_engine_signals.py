"""Ctrl-C and SIGTERM while work runs anywhere: states are recorded, children go, the process ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.engine_record import Record

HEAD = """
import asyncio, os, sys, threading, time
from ostinato import ProcessRunner, SequentialTaskRunner, ThreadRunner, as_completed, flow, task

def ready():
    with open(f"ready-{os.getpid()}", "w"):
        pass

@task
def long(x=0):
    ready()
    time.sleep(60)

@task
async def long_async(x=0):
    ready()
    await asyncio.sleep(60)

@task
def quick(x):
    return x
"""

BODIES = {
    "inline": "@flow\ndef main():\n    quick(1)\n    long()\n",
    "threads, main waits": (
        "@flow\ndef main():\n    fs = long.map(range(3))\n    after = quick.submit(fs)\n    fs[0].wait()\n"
    ),
    "threads, end of flow": "@flow(task_runner=ThreadRunner(max_workers=1))\ndef main():\n    long.map(range(3))\n",
    "sequential": "@flow(task_runner=SequentialTaskRunner())\ndef main():\n    long.map(range(3))\n",
    "processes": "@flow(task_runner=ProcessRunner(max_workers=2))\ndef main():\n    long.map(range(3))\n",
    "processes, direct result": (
        "@flow(task_runner=ProcessRunner(max_workers=2))\ndef main():\n    [f.result() for f in long.map(range(3))]\n"
    ),
    "async tasks of a sync flow": "@flow\ndef main():\n    long_async.map(range(3))\n",
    "async flow": (
        "@flow\nasync def work():\n    await asyncio.gather(*(long_async(i) for i in range(3)))\n"
        "def main():\n    asyncio.run(work())\n"
    ),
    "async flow that submits": (
        "@flow\nasync def work():\n    fs = long_async.map(range(2))\n    long.submit()\n    await fs[0]\n"
        "def main():\n    asyncio.run(work())\n"
    ),
    "nested": (
        "@task\ndef outer():\n    fs = long.map([1, 2])\n    for f in as_completed(fs):\n        f.result()\n"
        "@flow\ndef child():\n    outer.submit()\n"
        "@flow\ndef main():\n    child()\n"
    ),
    "timeouts": (
        "@task(timeout_seconds=50)\ndef bounded():\n    ready()\n    time.sleep(60)\n"
        "@flow(timeout_seconds=55)\ndef main():\n    bounded()\n"
    ),
    "a retry wait": (
        "@task(retries=1, retry_delay_seconds=60)\ndef fails():\n    ready()\n    raise ValueError\n"
        "@flow\ndef main():\n    fails()\n"
    ),
    "a flow retry wait": (
        "@flow(retries=1, retry_delay_seconds=60)\ndef main():\n    quick(1)\n    ready()\n    raise ValueError\n"
    ),
    "a generator": (
        "@task\ndef numbers():\n    yield 1\n    ready()\n    time.sleep(60)\n@flow\ndef main():\n    list(numbers())\n"
    ),
}


def children_of(pid: int) -> list[int]:
    """Give living descendants of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(folder.name), *children_of(int(folder.name))]
    return found


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("name", BODIES)
def test_ctrl_c_cancels_and_the_process_ends_within_three_seconds(
    name: str, times: int, home: Path, tmp_path: Path
) -> None:
    if times == 2 and name not in ("threads, main waits", "processes", "async flow", "nested"):
        return
    file = tmp_path / "signalled.py"
    file.write_text(HEAD + BODIES[name] + '\n\nif __name__ == "__main__":\n    main()\n')
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(file)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "OSTINATO_HOME": str(home)}, start_new_session=True,
    )  # fmt: skip
    try:
        wanted = {"threads, main waits": 3, "processes": 2, "async flow": 3, "nested": 2}.get(name, 1)
        end = time.monotonic() + 30
        while len(list(tmp_path.glob("ready-*"))) < 1:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.1 * wanted)
        children = children_of(process.pid)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        begun = time.monotonic()
        _, said = process.communicate(timeout=15)
        took_s = time.monotonic() - begun
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert took_s < 3, said
    assert process.returncode in (-signal.SIGINT, 130, 1), (process.returncode, said)
    assert "KeyboardInterrupt" in said
    end = time.monotonic() + 3
    while [pid for pid in children if alive(pid)] and time.monotonic() < end:
        time.sleep(0.02)
    assert [pid for pid in children if alive(pid)] == []
    record = Record(home=home)
    root = Record(record.run.root_id, home=home)
    assert root.state == "Cancelled", said
    states = [*root.states().values(), *record.states().values()]
    if times == 1 and name != "timeouts":  # a direct call in a thread that was left behind ends with the process
        assert set(states) <= {"Cancelled", "Completed", "Skipped"}, (states, said)
    else:
        assert set(states) <= {"Cancelled", "Completed", "Skipped", "Crashed"}, (states, said)


@pytest.mark.parametrize("name", ["inline", "threads, main waits", "processes"])
def test_sigterm_is_recorded_as_a_crash(name: str, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "signalled.py"
    file.write_text(HEAD + BODIES[name] + '\n\nif __name__ == "__main__":\n    main()\n')
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(file)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "OSTINATO_HOME": str(home)},
    )  # fmt: skip
    end = time.monotonic() + 30
    while not list(tmp_path.glob("ready-*")) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    process.terminate()
    begun = time.monotonic()
    _, said = process.communicate(timeout=15)
    assert time.monotonic() - begun < 3
    assert process.returncode == 128 + signal.SIGTERM, said
    assert Record(home=home).state == "Crashed"
