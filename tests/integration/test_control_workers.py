"""Runs of workers under control: cancel through exception and signals, pause, input, suspension, slots; from afar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.fleet import Fleet, fleet_on

from ostinato.core.commands import CancelRun, PauseRun, ResumeRun, SetLimit
from ostinato.core.deployments import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.records import FlowRun


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server and a worker."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        one.worker()
        yield one


FLOWS = """
    import time
    from pathlib import Path
    import msgspec
    from ostinato import concurrency, flow, pause, suspend, task

    HERE = Path(__file__).parent

    class Approval(msgspec.Struct):
        approved: bool
        note: str = "none"

    @task
    def first():
        pass

    @task
    def step(i):
        (HERE / "begun").touch()
        time.sleep(0.05)
        return i

    @flow
    def steps(n: int = 1000):
        return sum(step(i) for i in range(n))

    @flow
    def cleans_up():
        first()
        try:
            (HERE / "begun").touch()
            time.sleep(60)
        finally:
            (HERE / "clean").touch()

    @flow
    def stubborn():
        while True:
            try:
                (HERE / "begun").touch()
                time.sleep(60)
            except BaseException:
                (HERE / "caught").touch()

    @flow
    def asks():
        step(0)
        return pause(Approval).note

    @flow
    def suspends():
        step(0)
        return suspend(Approval).note

    @flow
    def occupies():
        with concurrency("db"):
            step(0)
            time.sleep(60)

    @flow
    def occupies_briefly():
        with concurrency("db"):
            return 1
"""


def start(fleet: Fleet, name: str, **fields: Any) -> FlowRun:
    """Give a run of a flow of the file that has begun its first task."""
    file = fleet.write(FLOWS)
    run = fleet.run(fleet.deploy(file, name, **fields))
    fleet.until((fleet.folder / "begun").exists, "the run begins", told=lambda: fleet.told(run))
    return fleet.wait(run, "Running", "Paused")


def steps(fleet: Fleet, run: FlowRun) -> list[str]:
    return [change.state for change in fleet.reader.history(run.id)]


def test_cancel_reaches_code_as_an_exception_and_lets_it_clean_up(fleet: Fleet) -> None:
    run = start(fleet, "cleans_up")
    begin = time.monotonic()
    assert fleet.do(CancelRun(run=run.id, reason="enough")).state == "Cancelling"
    ended = fleet.wait(run)
    assert time.monotonic() - begin < 5
    assert (ended.state, ended.message, ended.epoch) == ("Cancelled", "cancelled by local: enough", 1)
    assert (fleet.folder / "clean").exists()
    assert steps(fleet, run)[-3:] == ["Running", "Cancelling", "Cancelled"]


def test_code_that_will_not_end_is_killed_after_its_grace(fleet: Fleet) -> None:
    run = start(fleet, "stubborn", cancel_grace_s=0.5)
    fleet.do(CancelRun(run=run.id))
    ended = fleet.wait(run)
    assert ended.state == "Cancelled", fleet.told(run)
    assert (fleet.folder / "caught").exists()


def test_a_run_pauses_at_its_next_task_and_goes_on_in_its_process(fleet: Fleet) -> None:
    run = start(fleet, "steps")
    fleet.do(PauseRun(run=run.id))
    paused = fleet.wait(run, "Paused")
    assert (paused.held, paused.asked) == (True, "")
    n = len(fleet.tasks(run))
    time.sleep(0.3)
    assert len(fleet.tasks(run)) == n
    fleet.do(ResumeRun(run=run.id))
    fleet.wait(run, "Running")
    fleet.until(lambda: len(fleet.tasks(run)) > n, "it goes on", told=lambda: fleet.told(run))
    assert fleet.see(run).epoch == 1
    fleet.do(PauseRun(run=run.id))
    fleet.wait(run, "Paused")
    fleet.do(CancelRun(run=run.id))
    assert fleet.wait(run).state == "Cancelled"


def test_a_run_gets_the_input_that_it_waits_for(fleet: Fleet) -> None:
    run = start(fleet, "asks")
    fleet.wait(run, "Paused")
    begin = time.monotonic()
    fleet.do(ResumeRun(run=run.id, input={"approved": True, "note": "fine"}))
    ended = fleet.wait(run)
    assert time.monotonic() - begin < 5
    assert (ended.state, ended.epoch) == ("Completed", 1), fleet.told(run)
    assert ended.result is not None
    assert ended.result.data == b"\xa4fine"


def test_a_suspended_run_has_no_process_and_goes_on_in_another_one(fleet: Fleet) -> None:
    run = start(fleet, "suspends")
    fleet.until(lambda: fleet.see(run).suspended and not fleet.see(run).held, "it is suspended")
    fleet.do(ResumeRun(run=run.id, input={"approved": True}))
    ended = fleet.wait(run)
    assert (ended.state, ended.epoch, ended.n_crashes, ended.n_reused) == ("Completed", 2, 0, 1), fleet.told(run)


def test_a_cancelled_run_is_retried_and_keeps_what_was_completed(fleet: Fleet) -> None:
    run = start(fleet, "cleans_up")
    fleet.do(CancelRun(run=run.id))
    fleet.wait(run)
    (fleet.folder / "clean").unlink()
    fleet.do(ResumeRun(run=run.id, changed="reuse"))
    fleet.until(lambda: len(steps(fleet, run)) > 7, "it goes on", told=lambda: fleet.told(run))
    again = fleet.see(run)
    assert again.epoch == 2
    fleet.do(CancelRun(run=run.id))
    assert fleet.wait(run).n_reused == 1


def test_slots_of_a_run_whose_process_is_killed_are_free_at_once(fleet: Fleet) -> None:
    fleet.do(SetLimit(limit=Limit(name="db", slots=1)))
    run = start(fleet, "occupies", cancel_grace_s=0)
    waits = fleet.run(fleet.deploy(fleet.folder / "flows.py", "occupies_briefly"))

    def waiting() -> list[str]:
        return [line.text for line in fleet.logs(waits) if "slots" in line.text]

    fleet.until(lambda: bool(waiting()), "it waits", told=lambda: fleet.told(waits))
    begin = time.monotonic()
    fleet.do(CancelRun(run=run.id))
    fleet.wait(run)
    assert fleet.wait(waits).state == "Completed", fleet.told(waits)
    assert time.monotonic() - begin < 10
    assert waiting() == ["Waits for 1 of the slots of limit 'db'"]
