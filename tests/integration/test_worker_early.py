"""What a worker has been given before it is due is withdrawn when nobody wants it any more."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import Fleet, fleet_on

from ostinato.core.commands import Command, PauseDeployment, RemoveDeployment
from ostinato.core.deployments import Timetable
from ostinato.core.query import Query
from ostinato.core.schedules import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from ostinato.core.records import FlowRun

FLOW = """
    from pathlib import Path
    from ostinato import flow

    @flow
    def touch() -> None:
        Path("ran.txt").write_text("yes")
"""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_on(home, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda name: RemoveDeployment(deployment=name), "its deployment was removed before it was due"),
        (lambda name: PauseDeployment(deployment=name), "its schedule was paused before it was due"),
    ],
    ids=["removed", "paused"],
)
def test_a_run_given_early_is_withdrawn(fleet: Fleet, ask: Callable[[str], Command[Any]], reason: str) -> None:
    fleet.server()
    fleet.worker()
    file = fleet.write(FLOW)
    soon = Interval(3600, anchor=_in_seconds(1.9))
    deployment = fleet.deploy(file, "touch", schedules=(Timetable(slug="hourly", schedule=soon),))
    fleet.until(lambda: any(one.held for one in _runs(fleet)), "a worker has the run")
    fleet.do(ask(deployment.title))
    run = fleet.wait(next(one for one in _runs(fleet) if one.worker))
    time.sleep(max(run.due_at / 1e6 - time.time(), 0) + 0.3)
    assert (run.state, run.message) == ("Cancelled", reason)
    assert not (fleet.folder / "ran.txt").exists()


def _in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _runs(fleet: Fleet) -> list[FlowRun]:
    return fleet.reader.runs(Query(), limit=200)[0]
