"""What every store knows of queues and of the instants of schedules: who waits where, and which run is for when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ostinato import session
from ostinato.core.commands import CreateRun, Deploy, PauseDeployment, RemoveDeployment, RemoveQueue, SetQueue
from ostinato.core.deployments import Code, Deployment, Queue, QueueLoad, Timetable
from ostinato.core.errors import QueueInUse
from ostinato.core.schedules import Interval
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger
from ostinato.store.commands import ticks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.commands import Command
    from ostinato.core.ports import Commands, Reader

HOURLY = Timetable(slug="hourly", schedule=Interval(3600))
FOR_EVER = 1 << 60


class Doors(NamedTuple):
    """One home: what is asked of it, and what it knows."""

    commands: Commands
    reader: Reader
    home: Path

    def deploy(self, name: str = "often", *, tags: tuple[str, ...] = (), queue: str = "") -> Deployment:
        code = Code(kind="local", file="/flow.py", function="score", directory="/")
        made = Deployment(id="", flow="score", name=name, code=code, schedules=(HOURLY,), tags=tags, queue=queue)
        return self.commands.do(Deploy(deployment=made))

    def plan(self) -> int:
        """Make the coming runs of all schedules; give how many."""
        ledger = Ledger(Home(str(self.home)))
        try:
            found = self.reader.deployments()
            return ledger.do(lambda tx: sum(ticks.plan(tx, one, HOURLY) for one in found))
        finally:
            ledger.close()

    def queues_of_waiting(self) -> set[str]:
        return {one.name for one in self.reader.queue_loads()}


@pytest.fixture
def doors(home: Path) -> Iterator[Doors]:
    """Give the doors of an empty home."""
    commands, reader = session.commands(str(home)), session.reader(str(home))
    yield Doors(commands, reader, home)
    commands.close()
    reader.close()


def test_runs_of_a_schedule_are_found_by_their_instants_in_either_order(doors: Doors) -> None:
    one, other = doors.deploy(), doors.deploy("seldom")
    for at in (30, 10, 20):
        doors.commands.do(CreateRun(deployment=one.id, schedule="hourly", expected_at=at))
    doors.commands.do(CreateRun(deployment=one.id, schedule="hourly", expected_at=20, tags=("again",)))
    doors.commands.do(CreateRun(deployment=one.id, expected_at=20))
    doors.commands.do(CreateRun(deployment=other.id, schedule="hourly", expected_at=20))

    def found(begin: int, end: int, *, limit: int = 100, newest_first: bool = False) -> list[int]:
        runs = doors.reader.tick_runs(one.id, "hourly", begin, end, limit=limit, newest_first=newest_first)
        return [run.expected_at for run in runs]

    assert found(0, 100) == [10, 20, 20, 30]
    assert found(20, 20) == [20, 20]
    assert found(11, 29) == [20, 20]
    assert found(0, 100, newest_first=True) == [30, 20, 20, 10]
    assert found(0, 100, newest_first=True, limit=1) == [30]
    assert doors.reader.tick_runs(one.id, "hourly", 20, 20)[1].tags == ("again",)


def test_loads_tell_what_is_due_from_what_is_due_later(doors: Doors) -> None:
    one = doors.deploy(queue="ml")
    now = time.time_ns() // 1000
    for due_at in (now - 60_000_000, now - 1, now + 3_600_000_000):
        doors.commands.do(CreateRun(deployment=one.id, due_at=due_at))
    ledger = Ledger(Home(str(doors.home)))
    ledger.do(ticks.mark_late)
    ledger.close()
    assert doors.reader.queue_loads() == [QueueLoad(name="ml", n_waiting=2, n_late=1, n_later=1, n_running=0)]


def test_runs_made_ahead_move_to_a_queue_that_takes_them_now(doors: Doors) -> None:
    doors.deploy(tags=("ml",))
    before = doors.reader.deployments()[0].updated_at
    assert doors.plan() == 100
    assert doors.queues_of_waiting() == {"default"}

    doors.commands.do(SetQueue(queue=Queue(name="ml", tags=("ml",))))
    assert doors.queues_of_waiting() == set()
    assert doors.reader.deployments()[0].updated_at > before
    assert doors.plan() == 100
    assert doors.queues_of_waiting() == {"ml"}

    doors.commands.do(RemoveQueue(name="ml"))
    assert doors.plan() == 100
    assert doors.queues_of_waiting() == {"default"}


def test_a_change_that_moves_nothing_forgets_nothing(doors: Doors) -> None:
    doors.deploy(tags=("ml",))
    doors.deploy("named", queue="other")
    doors.commands.do(SetQueue(queue=Queue(name="ml", tags=("ml",))))
    doors.plan()
    ids = [run.id for name in ("ml", "other") for run in doors.reader.preview(name, FOR_EVER)]
    doors.commands.do(SetQueue(queue=Queue(name="ml", tags=("ml",), concurrency=2, paused=True)))
    doors.commands.do(SetQueue(queue=Queue(name="wide", tags=("ml",), priority=-1)))
    assert [run.id for name in ("ml", "other") for run in doors.reader.preview(name, FOR_EVER)] == ids


def test_a_queue_in_which_asked_runs_wait_is_not_removed_and_keeps_all_of_its_runs(doors: Doors) -> None:
    one = doors.deploy(tags=("ml",))
    doors.commands.do(SetQueue(queue=Queue(name="ml", tags=("ml",))))
    doors.plan()
    doors.commands.do(CreateRun(deployment=one.id))
    with pytest.raises(QueueInUse):
        doors.commands.do(RemoveQueue(name="ml"))
    assert len(doors.reader.preview("ml", FOR_EVER)) == 101
    assert [queue.name for queue in doors.reader.queues()] == ["default", "ml"]


def test_a_removed_queue_is_there_again_when_its_deployment_needs_it(doors: Doors) -> None:
    """Runs waited for ever in a queue that was gone."""
    code = Code(kind="local", file="/flow.py", function="score", directory="/")
    doors.commands.do(Deploy(deployment=Deployment(id="", flow="score", name="asked", code=code, queue="ml")))
    doors.commands.do(RemoveQueue(name="ml"))
    run = doors.commands.do(CreateRun(deployment="score/asked"))
    assert run.queue == "ml"
    assert "ml" in [one.name for one in doors.reader.queues()]


@pytest.mark.parametrize("change", [PauseDeployment(deployment="often"), RemoveDeployment(deployment="often")])
def test_a_deployment_that_was_changed_since_it_was_read_gets_no_runs(doors: Doors, change: Command[Any]) -> None:
    """Runs of a paused deployment were made by a scheduler that had read it a moment before, and ran."""
    before = doors.deploy()
    doors.commands.do(change)
    ledger = Ledger(Home(str(doors.home)))
    assert ledger.do(lambda tx: ticks.plan(tx, before, HOURLY)) == 0
    ledger.close()
    assert doors.queues_of_waiting() == set()
