"""Runs before and after their due time: made ahead with their tags, handed out in order, late without a worker."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tests.integration.fleet import Fleet, fleet_on

from ostinato.core.commands import CreateRun, Deploy, Join, Poll, SetQueue
from ostinato.core.deployments import Code, Deployment, Queue, Timetable
from ostinato.core.schedules import Cron, Interval
from ostinato.core.workers import WorkerInfo
from ostinato.scheduler.loop import Scheduler
from ostinato.session.home import Home
from ostinato.session.home_reader import EmbeddedReader
from ostinato.session.ledger import Ledger
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from pathlib import Path

    from ostinato.core.commands import Command
    from ostinato.core.records import FlowRun

R = TypeVar("R")

T0 = 1_654_000_000_000_000  # 2022-05-31 12:26:40
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000

FLOW = """
    import json, time
    from pathlib import Path
    from ostinato import flow, get_run_context

    @flow
    def score():
        run = get_run_context().flow_run
        began = time.time()
        time.sleep(1.0)
        Path(f"{run.name}.json").write_text(json.dumps([began, time.time(), run.expected_start_time.isoformat()]))
"""


def _do(ledger: Ledger, command: Command[R]) -> R:
    return ledger.do(lambda tx: carry_out(tx, command))


def test_a_schedule_has_a_hundred_runs_ahead_or_those_of_a_hundred_days_with_its_tags_and_parameters(
    home: Path,
) -> None:
    ledger = Ledger(Home(str(home)), lambda: T0)
    scheduler = Scheduler(ledger, lambda: T0)
    scheduler.begin()
    for name, schedule in (("minutely", Interval(60)), ("monthly", Cron("0 3 2 * *"))):
        code = Code(kind="local", file="/flow.py", function="score", directory="/")
        timetable = Timetable(slug="a", schedule=schedule, parameters={"of": name})
        one = Deployment(
            id="", flow="score", name=name, code=code, tags=("ml",), parameters={"n": 1}, schedules=(timetable,)
        )
        _do(ledger, Deploy(deployment=one))
    scheduler.turn()
    ledger.close()
    reader = EmbeddedReader(Home(str(home)))
    waiting = reader.preview("default", T0 + 200 * DAY_US)
    reader.close()
    assert {run.tags for run in waiting} == {("ml", "auto-scheduled")}
    assert all(json.loads(run.parameters) == {"n": 1, "of": run.deployment.removeprefix("score/")} for run in waiting)
    assert sum(run.deployment == "score/minutely" for run in waiting) == 100
    monthly = [time.strftime("%F %R", time.gmtime(run.due_at / 1e6)) for run in waiting if "monthly" in run.deployment]
    assert monthly == ["2022-06-02 03:00", "2022-07-02 03:00", "2022-08-02 03:00", "2022-09-02 03:00"]


def test_the_queue_of_larger_priority_is_served_first(home: Path) -> None:
    ledger = Ledger(Home(str(home)), lambda: T0)
    for name, priority in (("low", -1), ("high", 5)):
        _do(ledger, SetQueue(queue=Queue(name=name, priority=priority)))
    code = Code(kind="local", file="/flow.py", function="score", directory="/")
    one = Deployment(id="", flow="score", name="d", code=code)
    _do(ledger, Deploy(deployment=one))
    for name in ("low", "default", "high"):
        _do(ledger, CreateRun(deployment="score/d", queue=name))
    _do(ledger, Join(worker=WorkerInfo(id="w", name="w", host="h", pid=1)))
    answer = _do(ledger, Poll(worker_id="w", free=2))
    ledger.close()
    assert [each.run.queue for each in answer.assignments] == ["high", "default"]


def test_a_new_worker_starts_all_late_runs_beside_one_another_and_each_keeps_its_instant(
    home: Path, tmp_path: Path
) -> None:
    with fleet_on(home, tmp_path) as fleet:
        fleet.server()
        deployment = fleet.deploy(fleet.write(FLOW), "score")
        now = time.time_ns() // 1000
        runs = [fleet.run(deployment, due_at=now - minutes * 60_000_000) for minutes in (1, 2, 3, 4)]
        for run in runs:
            fleet.wait(run, "Late")
        fleet.worker()
        told = [_told(fleet, run) for run in runs]
    begin, end, instants = zip(*told, strict=True)
    assert max(begin) < min(end)
    assert list(instants) == [EPOCH + timedelta(microseconds=run.due_at) for run in runs]


def _told(fleet: Fleet, run: FlowRun) -> tuple[float, float, datetime]:
    ended = fleet.wait(run, "Completed")
    assert "Late" in [step.state for step in fleet.reader.history(run.id)]
    begin, end, instant = json.loads((fleet.folder / f"{ended.name}.json").read_text(encoding="utf-8"))
    return begin, end, datetime.fromisoformat(instant)
