"""Each due time of a schedule has exactly one run, whatever dies: a driven clock, and a scheduler killed at random."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import pytest
from tests.homes import change, rows

from ostinato.core.commands import CreateRun, Deploy, Join, Poll, SetLimit, TakeSlots
from ostinato.core.deployments import LATE_US, Catchup, Code, Deployment, Limit, Timetable
from ostinato.core.errors import DiskFull
from ostinato.core.ids import new_id
from ostinato.core.schedules import Interval
from ostinato.core.workers import Held, WorkerInfo
from ostinato.scheduler.loop import Scheduler
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger
from ostinato.store import work
from ostinato.store.commands.handlers import carry_out
from ostinato.store.runs import find_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.commands import Command
    from ostinato.core.records import FlowRun

R = TypeVar("R")

MINUTE_US = 60_000_000
T0 = 1_700_000_040_000_000  # a whole minute
N_TICKS = 10_000

DRIVER = """
    import sys
    from pathlib import Path
    from random import Random

    from ostinato.core.commands import Ended, Join, Poll
    from ostinato.core.events import RunMoved
    from ostinato.core.ids import new_id
    from ostinato.core.workers import WorkerInfo
    from ostinato.scheduler.loop import Scheduler
    from ostinato.session.home import Home
    from ostinato.session.ledger import Ledger
    from ostinato.store.commands.handlers import carry_out

    home, clock_file, end, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    now, random = int(clock_file.read_text()), Random(seed)
    ledger = Ledger(Home(home), lambda: now)
    scheduler = Scheduler(ledger, lambda: now)
    scheduler.begin()
    worker = WorkerInfo(id=new_id(), name="w", host="h", pid=1, slots=1000, lease_s=7200)
    ledger.do(lambda tx: carry_out(tx, Join(worker=worker)))

    def run(assignment):
        run, epoch = assignment.run, assignment.run.epoch

        def moves(tx):
            tx.append(
                RunMoved(run.id, epoch, tx.now, "Running", "Pending"),
                RunMoved(run.id, epoch, tx.now, "Completed", "Running"),
            )
            carry_out(tx, Ended(worker_id=worker.id, run_id=run.id, epoch=epoch, how="exit code 0"))

        ledger.do(moves)

    while now < end:
        now += random.randrange(1_000_000, 3_600_000_000)
        scheduler.turn()
        for _ in range(20):
            given = ledger.do(lambda tx: carry_out(tx, Poll(worker_id=worker.id, free=1000))).assignments
            for assignment in given:
                if assignment.due_in_ms <= 0:
                    run(assignment)
            if not given:
                break
        clock_file.with_suffix(".new").write_text(str(now))
        clock_file.with_suffix(".new").rename(clock_file)
    ledger.close()
"""


def _deployment(catchup: Catchup) -> Deployment:
    return Deployment(
        id="",
        flow="tick",
        name="minutely",
        code=Code(kind="local", file="/nowhere/flow.py", function="tick", directory="/"),
        schedules=(Timetable(slug="minute", schedule=Interval(60)),),
        catchup=catchup,
    )


class Clock:
    """A clock that the test drives, with a ledger and a scheduler on it."""

    def __init__(self, home: Path, now: int) -> None:
        self.home = home
        self.now = self.steady = now
        self.ledger = Ledger(Home(str(home)), lambda: self.now)
        self.scheduler = Scheduler(self.ledger, lambda: self.now, lambda: self.steady)
        self.scheduler.begin()

    def pass_s(self, seconds: float) -> None:
        """Let time pass, with a turn every second."""
        for _ in range(int(seconds)):
            self.now += 1_000_000
            self.steady += 1_000_000
            self.scheduler.turn()

    def do(self, command: Command[R]) -> R:
        return self.ledger.do(lambda tx: carry_out(tx, command))

    def deploy(self, catchup: Catchup) -> None:
        self.ledger.do(lambda tx: carry_out(tx, Deploy(deployment=_deployment(catchup))))

    def states(self) -> dict[int, str]:
        """Give the state of the run of each due time, in minutes since the start."""
        query = "SELECT (t.due_at - ?) / 60000000, r.state FROM ticks AS t JOIN flow_runs AS r ON r.id = t.run_id"
        return dict(rows(self.home, f"{query} ORDER BY 1", T0))


@pytest.fixture
def leased(clock: Clock) -> tuple[WorkerInfo, FlowRun]:
    """Give a worker with a lease of three seconds and the run that it has begun."""
    clock.deploy("latest")
    info = WorkerInfo(id=new_id(), name="w", host="h", pid=1, lease_s=3)
    clock.do(Join(worker=info))
    clock.do(CreateRun(deployment="tick/minutely"))
    (given,) = clock.do(Poll(worker_id=info.id, free=1)).assignments
    clock.scheduler.turn()
    return info, given.run


@pytest.fixture
def clock(home: Path) -> Iterator[Clock]:
    made = Clock(home, T0)
    yield made
    made.ledger.close()


@pytest.mark.timeout(300)
def test_10_000_ticks_run_exactly_once_while_the_scheduler_is_killed_at_random(
    home: Path, tmp_path: Path, seed: int
) -> None:
    clock_file, program = tmp_path / "clock", tmp_path / "driver.py"
    program.write_text(textwrap.dedent(DRIVER), encoding="utf-8")
    first = Clock(home, T0)
    first.deploy("all")
    first.scheduler.turn()
    first.ledger.close()
    clock_file.write_text(str(T0), encoding="utf-8")
    end = T0 + N_TICKS * MINUTE_US
    dice = random.Random(seed)
    n_kills = 0
    while int(clock_file.read_text(encoding="utf-8")) < end:
        numbers = (str(end), str(dice.randrange(1 << 30)))
        words = [sys.executable, str(program), str(home), str(clock_file), *numbers]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as driver:
            try:
                driver.wait(dice.uniform(0.3, 3.0))
            except subprocess.TimeoutExpired:
                os.kill(driver.pid, signal.SIGKILL)
                n_kills += 1
            assert driver.wait() in (0, -signal.SIGKILL), driver.stderr.read() if driver.stderr else ""
    made = rows(home, "SELECT due_at, run_id FROM ticks WHERE due_at <= ? ORDER BY due_at", end)
    starts = rows(
        home,
        "SELECT t.due_at, count(*) FROM ticks AS t JOIN run_states AS s ON s.run_id = t.run_id "
        "WHERE s.state = 'Completed' AND t.due_at <= ? GROUP BY t.due_at",
        end,
    )
    twice = rows(
        home, "SELECT expected_at FROM flow_runs WHERE expected_at <= ? GROUP BY expected_at HAVING count(*) > 1", end
    )
    assert n_kills > 0
    assert [due_at for due_at, _ in made] == list(range(T0 + MINUTE_US, end + 1, MINUTE_US))
    assert len({run_id for _, run_id in made}) == len(made) == N_TICKS
    assert twice == []
    assert {n for _, n in starts} == {1}
    assert len(starts) > N_TICKS * 0.95  # those of the last moments may still be in the hands of a killed worker


@pytest.mark.parametrize(
    ("catchup", "expected"),
    [("none", set()), ("latest", {180}), ("all", set(range(1, 181)))],
)
def test_after_an_outage_catchup_decides(home: Path, catchup: Catchup, expected: set[int]) -> None:
    before = Clock(home, T0)
    before.deploy(catchup)
    before.scheduler.turn()  # 100 runs are made ahead
    before.ledger.close()
    after = Clock(home, T0 + 180 * MINUTE_US + 5)
    after.scheduler.turn()
    found = after.states()
    after.ledger.close()
    assert {minute for minute, state in found.items() if minute <= 180 and state in ("Scheduled", "Late")} == expected
    assert all(state == "Scheduled" for minute, state in found.items() if minute > 180)
    assert sum(minute > 180 for minute in found) >= 50


def test_a_run_that_nobody_begins_is_late_after_15_seconds(clock: Clock) -> None:
    clock.deploy("latest")
    clock.scheduler.turn()
    clock.now = T0 + MINUTE_US + LATE_US - 1
    clock.scheduler.turn()
    assert clock.states()[1] == "Scheduled"
    clock.now += 2_000_000
    clock.scheduler.turn()
    assert clock.states()[1] == "Late"
    assert clock.states()[2] == "Scheduled"


def test_a_changed_schedule_makes_its_runs_anew(clock: Clock) -> None:
    clock.deploy("latest")
    clock.scheduler.turn()
    slower = Deployment(
        id="",
        flow="tick",
        name="minutely",
        code=Code(kind="local", file="/nowhere/flow.py", function="tick", directory="/"),
        schedules=(Timetable(slug="minute", schedule=Interval(3600)),),
    )
    clock.now += 2_000_000
    clock.ledger.do(lambda tx: carry_out(tx, Deploy(deployment=slower)))
    clock.scheduler.turn()
    found = list(clock.states())
    assert {after - before for before, after in pairwise(found)} == {60}


def test_a_turn_that_fails_is_not_the_last_one(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A deployment that could not be read ended the thread of the scheduler, and with it all schedules."""
    clock.scheduler.start()
    try:
        change(clock.home, "INSERT INTO deployments VALUES ('x', 'f', 'n', '{}', 0)")
        clock.now += 2_000_000
        while "could not do its turn" not in caplog.text:
            time.sleep(0.02)
        change(clock.home, "DELETE FROM deployments WHERE id = 'x'")
        clock.deploy("latest")
        clock.now += 2_000_000
        while not clock.states():
            time.sleep(0.02)
    finally:
        clock.scheduler.close()


def test_turns_that_fail_alike_are_told_once(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_turns = 0

    def fail() -> None:
        nonlocal n_turns
        n_turns += 1
        raise DiskFull(path="/home/db", reason="no room")

    clock.scheduler.start()
    monkeypatch.setattr(clock.scheduler, "turn", fail)
    while n_turns < 4:
        time.sleep(0.02)
    clock.scheduler.close()
    assert caplog.text.count("could not do its turn") == 1


def test_the_scheduler_goes_on_when_the_clock_is_set_back(clock: Clock) -> None:
    clock.deploy("latest")
    clock.scheduler.turn()
    clock.now -= 3600 * 1_000_000
    clock.scheduler.turn()
    clock.now = T0 + 70 * MINUTE_US
    clock.scheduler.turn()
    found = clock.states()
    assert min(found) == 1
    assert set(range(1, 121)) <= set(found)


@pytest.mark.parametrize("hours", [-1, 1])
def test_leases_go_on_when_the_clock_of_the_server_is_set(
    clock: Clock, leased: tuple[WorkerInfo, FlowRun], hours: int
) -> None:
    """All runs were taken over when it was set forward, and none of a dead worker for an hour when it was set back."""
    info, run = leased
    clock.pass_s(2)
    clock.do(Poll(worker_id=info.id, held=(Held(run.id, run.epoch),)))
    clock.now += hours * 3600 * 1_000_000
    clock.pass_s(2)
    (worker,) = clock.ledger.do(lambda tx: work.workers(tx.db))
    assert (worker.left_at, worker.n_held) == (None, 1)
    clock.pass_s(4)
    (worker,) = clock.ledger.do(lambda tx: work.workers(tx.db))
    assert worker.left_at is not None
    assert clock.ledger.do(lambda tx: find_run(tx.db, run.id, "")).epoch == run.epoch + 1


@pytest.mark.parametrize("hours", [-1, 1])
def test_taken_slots_stay_taken_when_the_clock_of_the_server_is_set(clock: Clock, hours: int) -> None:
    clock.do(SetLimit(limit=Limit(name="db", slots=1)))
    assert clock.do(TakeSlots(name="db", holder="a", lease_s=10))
    clock.scheduler.turn()
    clock.now += hours * 3600 * 1_000_000
    clock.pass_s(2)
    assert not clock.do(TakeSlots(name="db", holder="b"))
    clock.pass_s(10)
    assert clock.do(TakeSlots(name="db", holder="b"))


@pytest.mark.parametrize(("catchup", "expected"), [("none", set()), ("latest", {180}), ("all", set(range(1, 181)))])
def test_catchup_decides_over_what_came_due_while_the_machine_slept(
    clock: Clock, catchup: Catchup, expected: set[int]
) -> None:
    clock.deploy(catchup)
    clock.scheduler.turn()
    clock.now = T0 + 180 * MINUTE_US + 5
    clock.scheduler.turn()
    found = clock.states()
    assert {minute for minute, state in found.items() if minute <= 180 and state in ("Scheduled", "Late")} == expected


def test_a_long_catchup_holds_up_no_other_schedule(clock: Clock) -> None:
    """All runs of an outage were made before anything else was done, such as taking over from silent workers."""
    clock.deploy("all")
    clock.scheduler.turn()
    n_minutes = 3000
    clock.now = T0 + n_minutes * MINUTE_US + 5
    made: list[int] = []
    while len(made) < 2 or made[-1] > made[-2]:
        clock.pass_s(1)
        made.append(len(clock.states()))
    assert made[0] <= 1200
    assert set(range(1, n_minutes + 50)) <= set(clock.states())
