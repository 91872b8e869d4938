"""User code that misbehaves on a worker: it closes what is not its own, hangs while it is loaded, or is a generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import Fleet, fleet_on

from ostinato.core.commands import CancelRun, PauseRun, ResumeRun
from ostinato.core.errors import ControlRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.records import FlowRun


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        yield one


# --- modules


def test_code_that_closes_all_files_when_it_is_imported_runs_in_a_fresh_process(fleet: Fleet) -> None:
    file = fleet.write("""
        import os
        os.closerange(3, 1024)
        from ostinato import flow

        @flow
        def work():
            return 5
    """)
    worker = fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "work", crash_retries=0)))
    assert (run.state, run.message) == ("Completed", ""), fleet.told(run)
    assert "closes files that are not its own" in worker.said


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()}


def test_the_process_of_a_cancelled_run_whose_code_never_ends_to_load_goes_with_it(fleet: Fleet) -> None:
    file = fleet.write("""
        import time
        from pathlib import Path
        (Path(__file__).parent / "began").touch()
        time.sleep(600)
    """)
    worker = fleet.worker()
    run = fleet.run(fleet.deploy(file, "work"))
    fleet.until((fleet.folder / "began").exists, "it begins to load")
    assert children(worker.pid)
    fleet.do(CancelRun(run=run.id))
    assert fleet.wait(run).state == "Cancelled"
    fleet.until(lambda: not children(worker.pid), "nothing is left of it", 5)


# --- generators

GENERATORS = """
    import os
    from pathlib import Path
    from ostinato import flow, task

    FOLDER = Path(__file__).parent

    @task
    def step(i):
        with open(FOLDER / "notes.txt", "a") as file:
            file.write(f"{i} ")
        return i


    @flow
    def squares():
        for i in range(3):
            yield step(i)

    @flow
    async def squares_async():
        for i in range(3):
            yield step(i)

    @flow
    def falls():
        for i in range(3):
            yield step(i)
        raise ValueError("at the end")
"""


@pytest.mark.parametrize("function", ["squares", "squares_async"])
def test_a_generator_flow_is_iterated_to_its_end(fleet: Fleet, function: str) -> None:
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(fleet.write(GENERATORS), function)))
    assert run.state == "Completed", fleet.told(run)
    assert [task.state for task in fleet.tasks(run)] == ["Completed"] * 3
    assert (fleet.folder / "notes.txt").read_text(encoding="utf-8") == "0 1 2 "


def test_a_generator_flow_that_fails_is_retried_and_keeps_its_completed_tasks(fleet: Fleet) -> None:
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(fleet.write(GENERATORS), "falls")))
    assert (run.state, run.message) == ("Failed", "ValueError: at the end"), fleet.told(run)
    fleet.do(ResumeRun(run=run.id))
    fleet.until(lambda: fleet.see(run).epoch == 2, "it begins again")
    run = fleet.wait(run)
    assert (run.state, run.epoch, run.n_reused) == ("Failed", 2, 3)
    assert (fleet.folder / "notes.txt").read_text(encoding="utf-8") == "0 1 2 "


# --- pauses

PAUSES = """
    import asyncio, time
    from pathlib import Path
    from ostinato import flow, pause, pause_async, task

    FOLDER = Path(__file__).parent

    @task
    def step(i):
        with open(FOLDER / "notes.txt", "a") as file:
            file.write(f"{i} ")
        time.sleep(0.1)
        return i

    @flow
    def part(i):
        return step(i)

    @flow
    def walk():
        return [step(i) for i in range(20)]

    @flow
    def parts():
        return [part(i) for i in range(20)]

    @flow
    def asks():
        step(0)
        return pause(int)

    @flow
    async def asks_async():
        step(0)
        return await pause_async(int)
"""


def paused(fleet: Fleet, function: str) -> FlowRun:
    """Give a run that is paused in its process."""
    run = fleet.run(fleet.deploy(fleet.write(PAUSES), function))
    fleet.until((fleet.folder / "notes.txt").exists, "it begins")
    if "asks" not in function:
        fleet.do(PauseRun(run=run.id))
    return fleet.wait(run, "Paused")


@pytest.mark.parametrize("function", ["walk", "parts", "asks", "asks_async"])
def test_a_paused_run_whose_worker_is_killed_stays_paused_until_it_is_resumed(fleet: Fleet, function: str) -> None:
    worker = fleet.worker("--lease", "1")
    run = paused(fleet, function)
    worker.kill()
    fleet.until(lambda: not fleet.see(run).held, "its worker is known to be gone")
    assert (fleet.see(run).state, fleet.see(run).epoch) == ("Paused", 1), fleet.told(run)
    fleet.worker("--lease", "3")
    fleet.do(ResumeRun(run=run.id, input=5 if "asks" in function else None))
    fleet.until(lambda: fleet.see(run).epoch == 2, "it goes on")
    run = fleet.wait(run)
    assert (run.state, run.epoch, run.n_crashes) == ("Completed", 2, 0), fleet.told(run)
    assert run.n_reused > 0


def test_only_the_first_of_two_answers_is_taken(fleet: Fleet) -> None:
    fleet.worker()
    run = paused(fleet, "asks")
    fleet.do(ResumeRun(run=run.id, input=1))
    with pytest.raises(ControlRefused, match=r"waits for no input|is Completed"):
        fleet.do(ResumeRun(run=run.id, input=2))
    run = fleet.wait(run)
    assert run.result is not None
    assert (run.state, run.result.data) == ("Completed", b"\x01")


def test_a_value_that_nobody_asked_for_is_refused(fleet: Fleet) -> None:
    fleet.worker()
    run = paused(fleet, "walk")
    with pytest.raises(ControlRefused, match="waits for no input"):
        fleet.do(ResumeRun(run=run.id, input=2))
    assert fleet.see(run).state == "Paused"
    fleet.do(CancelRun(run=run.id))
    assert fleet.wait(run).state == "Cancelled"
