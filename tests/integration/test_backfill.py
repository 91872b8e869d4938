"""Backfills with a real server and worker: each instant once, a few at a time, whoever dies in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.fleet import OSTINATO, Fleet, Program, fleet_on

from ostinato.core.commands import DeleteRun, SetQueue
from ostinato.core.deployments import Queue, Timetable
from ostinato.core.schedules import Cron

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.deployments import Deployment
    from ostinato.core.records import FlowRun

MONTHLY = Timetable(slug="monthly", schedule=Cron("0 3 2 * *", timezone="Europe/Berlin"))
RANGE = ("--from", "2023-02", "--to", "2023-07")
INSTANTS = [f"2023-{month:02}-02T0{2 - (month in (4, 5, 6, 7))}:00:00Z" for month in range(2, 8)]
"""03:00 in Berlin, winter and summer."""

FLOW = """
    import time
    from pathlib import Path

    from ostinato import flow, get_run_context

    @flow
    def score(seconds: float = 0.0, until: str = ""):
        at = get_run_context().flow_run.expected_start_time
        if Path(f"no-{at:%m}").exists():
            raise FileNotFoundError(f"there are no trips of month {at:%m}")
        while until and not Path(until).exists():
            time.sleep(0.02)
        time.sleep(seconds)
        Path(f"done-{at:%m}").touch()
"""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server and a worker."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        one.worker()
        yield one


@pytest.fixture
def monthly(fleet: Fleet) -> Deployment:
    """Give a deployment of a flow that fails for a month when a file says so."""
    return fleet.deploy(fleet.write(FLOW), "score", "monthly", version="v1", schedules=(MONTHLY,))


def backfill(fleet: Fleet, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """Backfill to the end; give the cells."""
    ended = subprocess.run(
        [*OSTINATO, "backfill", "score/monthly", *RANGE, "--json", *words],
        cwd=fleet.folder,
        env={**os.environ, "OSTINATO_HOME": str(fleet.home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == code, f"{ended.stdout}\n{ended.stderr}"
    cells: list[dict[str, Any]] = json.loads(ended.stdout)
    return cells


def begun(fleet: Fleet, *words: str) -> Program:
    """Start a backfill and let it go on."""
    return Program(fleet, "backfill", "score/monthly", *RANGE, "--plain", *words)


def made(fleet: Fleet, deployment: Deployment) -> list[FlowRun]:
    """Give all runs for instants of the schedule so far, by instant."""
    return fleet.reader.tick_runs(deployment.id, "monthly", 0, time.time_ns() // 1000)


def states(cells: list[dict[str, Any]]) -> list[str]:
    return [cell["run"]["state"] for cell in cells]


def ids(cells: list[dict[str, Any]]) -> list[str]:
    return [cell["run"]["id"] for cell in cells]


def test_each_instant_of_the_range_has_one_run_that_is_told_it(fleet: Fleet, monthly: Deployment) -> None:
    cells = backfill(fleet)
    assert [cell["instant"] for cell in cells] == INSTANTS
    assert states(cells) == ["Completed"] * 6
    assert [cell["run"]["expected_at"] for cell in cells] == INSTANTS
    assert [run.id for run in made(fleet, monthly)] == ids(cells)
    assert sorted(file.name for file in fleet.folder.glob("done-*")) == [f"done-{month:02}" for month in range(2, 8)]
    assert cells[0]["run"]["tags"] == ["backfill"]


def test_a_second_backfill_runs_nothing(fleet: Fleet, monthly: Deployment) -> None:
    first = backfill(fleet)
    for words in ((), ("--only-missing",)):
        again = backfill(fleet, *words)
        assert ids(again) == ids(first)
        assert {cell["todo"] for cell in again} == {"keep"}
    assert len(made(fleet, monthly)) == 6


def test_no_more_than_so_many_run_at_once(fleet: Fleet, monthly: Deployment) -> None:
    backfill(fleet, "--parallel", "2", "-p", "seconds=0.1")
    runs = sorted(made(fleet, monthly), key=lambda run: run.created_at)
    for run in runs:
        beside = [one for one in runs if one.created_at < run.created_at and (one.ended_at or 0) > run.created_at]
        assert len(beside) <= 1, [one.name for one in beside]
    assert any((one.ended_at or 0) > two.created_at for one, two in pairwise(runs))


def test_what_fails_fails_alone_and_is_run_anew_by_the_next_backfill(fleet: Fleet, monthly: Deployment) -> None:
    (fleet.folder / "no-04").touch()
    first = backfill(fleet, code=1)
    assert states(first) == ["Completed", "Completed", "Failed", "Completed", "Completed", "Completed"]
    assert first[2]["why"] == "FileNotFoundError: there are no trips of month 04"
    assert backfill(fleet, code=1)[2]["run"]["state"] == "Failed"

    (fleet.folder / "no-04").unlink()
    last = backfill(fleet)
    assert states(last) == ["Completed"] * 6
    assert [cell["todo"] for cell in last] == ["keep", "keep", "make", "keep", "keep", "keep"]
    assert len(made(fleet, monthly)) == 8


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_backfill_that_was_ended_goes_on_with_the_runs_that_it_made(
    fleet: Fleet, monthly: Deployment, how: signal.Signals
) -> None:
    words = ("--parallel", "2", "-p", "until=gate")
    first = begun(fleet, *words)
    fleet.until(lambda: len(made(fleet, monthly)) == 2, "two runs are made", told=lambda: first.said)
    for run in made(fleet, monthly):
        fleet.wait(run, "Running")
    first.signal(how)
    assert first.popen.wait(10) == (3 if how == signal.SIGINT else -9)
    if how == signal.SIGINT:
        assert "2 under way go on, 4 are not made. Called again, it goes on." in first.said
    time.sleep(0.3)
    assert [run.state for run in made(fleet, monthly)] == ["Running"] * 2

    second = begun(fleet, *words)
    fleet.until(lambda: "2 under way, 4 to run" in second.said, "it goes on", told=lambda: second.said)
    (fleet.folder / "gate").touch()
    assert second.popen.wait(40) == 0, second.said
    runs = made(fleet, monthly)
    assert [run.state for run in runs] == ["Completed"] * 6
    assert len({run.expected_at for run in runs}) == 6


def test_two_backfills_at_once_share_their_runs(fleet: Fleet, monthly: Deployment) -> None:
    both = [begun(fleet, "--parallel", "3", "-p", "seconds=0.05") for _ in range(2)]
    assert [one.popen.wait(40) for one in both] == [0, 0], [one.said for one in both]
    assert len(made(fleet, monthly)) == 6


def test_other_parameters_or_again_run_each_instant_anew(fleet: Fleet, monthly: Deployment) -> None:
    first = backfill(fleet)
    other = backfill(fleet, "-p", "seconds=0.01")
    anew = backfill(fleet, "--again")
    assert not set(ids(first)) & set(ids(other)) | set(ids(first)) & set(ids(anew))
    assert [run.state for run in made(fleet, monthly)] == ["Completed"] * 18


def test_only_missing_counts_what_the_schedule_ran(fleet: Fleet, monthly: Deployment) -> None:
    at = 1_677_722_400_000_000  # 2023-03-02 03:00 in Berlin
    scheduled = fleet.run(monthly, expected_at=at, schedule="monthly", tags=("auto-scheduled",))
    fleet.wait(scheduled, "Completed")
    cells = backfill(fleet, "--only-missing")
    assert cells[1]["run"]["id"] == scheduled.id
    assert [cell["todo"] for cell in cells] == ["make", "keep", "make", "make", "make", "make"]


def test_a_deployment_that_allows_no_overlap_is_backfilled_one_at_a_time(fleet: Fleet) -> None:
    deployment = fleet.deploy(fleet.write(FLOW), "score", "monthly", schedules=(MONTHLY,), overlap="skip")
    cells = backfill(fleet, "-p", "seconds=0.05")
    assert states(cells) == ["Completed"] * 6
    runs = made(fleet, deployment)
    assert all((one.ended_at or 0) <= two.created_at for one, two in pairwise(runs))


def test_a_detached_backfill_makes_all_runs_and_waits_for_none(fleet: Fleet, monthly: Deployment) -> None:
    cells = backfill(fleet, "--detach", "-p", "until=gate")
    assert states(cells) == ["Scheduled"] * 6
    (fleet.folder / "gate").touch()
    for run in made(fleet, monthly):
        fleet.wait(run, "Completed")


def test_a_run_that_was_deleted_is_told_and_not_waited_for(fleet: Fleet, monthly: Deployment) -> None:
    fleet.do(SetQueue(queue=Queue(name="default", paused=True)))
    program = begun(fleet)
    fleet.until(lambda: len(made(fleet, monthly)) == 4, "four runs wait", told=lambda: program.said)
    fleet.do(DeleteRun(run=made(fleet, monthly)[1].id))
    fleet.do(SetQueue(queue=Queue(name="default")))
    assert program.popen.wait(40) == 1, program.said
    assert "its run was deleted" in program.said
    assert [run.state for run in made(fleet, monthly)] == ["Completed"] * 5
    assert states(backfill(fleet)) == ["Completed"] * 6


def test_without_a_worker_it_says_why_nothing_starts(home: Path, tmp_path: Path) -> None:
    with fleet_on(home, tmp_path) as fleet:
        fleet.server()
        fleet.deploy(fleet.write(FLOW), "score", "monthly", schedules=(MONTHLY,))
        program = begun(fleet)
        fleet.until(
            lambda: "waits: no worker serves queue 'default'; start one: `ostinato worker" in program.said,
            "it says why",
            told=lambda: program.said,
        )
        fleet.worker()
        assert program.popen.wait(30) == 0, program.said
        assert "6 of 6" in program.said


def test_a_backfill_outlives_the_server(fleet: Fleet, monthly: Deployment) -> None:
    program = begun(fleet, "--parallel", "1", "-p", "seconds=0.3")
    server = next(one for one in fleet.programs if one.log.name.startswith("server"))
    fleet.until(lambda: "Completed" in program.said, "one has completed", told=lambda: program.said)
    server.kill()
    time.sleep(0.5)
    fleet.server()
    assert program.popen.wait(40) == 0, program.said
    runs = made(fleet, monthly)
    assert [run.state for run in runs] == ["Completed"] * 6
