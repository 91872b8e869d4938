"""What every store hands out when many runs wait: no more than there is room for, and nobody stands in others' way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.test_store_commands import SECOND, Desk

from ostinato.core import commands as asked
from ostinato.core.deployments import Limit
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.records import FlowRun

MANY = 1500
"""More runs than one poll looks at."""


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    one = Desk(home)
    yield one
    one.reader.close()
    one.ledger.close()


def crowd(desk: Desk, deployment: str, n: int = MANY, **fields: Any) -> None:
    """Make many runs of a deployment at once."""
    desk.ledger.do(
        lambda tx: [carry_out(tx, asked.CreateRun(deployment=deployment, **fields)) for _ in range(n)], actor="ann"
    )


def titles(runs: list[FlowRun]) -> set[str]:
    return {run.deployment for run in runs}


def test_what_an_answer_that_has_not_arrived_gave_takes_room(desk: Desk) -> None:
    """Those of an answer that was on its way did not count, so that a worker of 8 slots could be given 14 runs."""
    desk.deploy()
    crowd(desk, "train/d", 20)
    worker = desk.join(slots=8)
    first = desk.lease(worker, free=6)
    assert [run.id for run in desk.lease(worker, free=8)[:6]] == [run.id for run in first]
    assert len(desk.lease(worker, free=8)) == 8
    begun = [desk.move(run, "Running") for run in first]  # by a poll that the worker sent before it heard of them
    assert len(desk.lease(worker, free=8)) == 2
    assert len(desk.lease(worker, *begun, free=2)) == 2


def test_a_worker_has_no_run_under_way_that_has_ended(desk: Desk) -> None:
    """It was shown with 14 runs on 8 slots: what had ended counted until its worker had reported that."""
    desk.deploy()
    crowd(desk, "train/d", 3)
    worker = desk.join(slots=2)
    first, _ = desk.lease(worker, free=2)
    assert [one.n_held for one in desk.reader.workers()] == [2]
    desk.move(desk.move(first, "Running"), "Completed")
    assert [one.n_held for one in desk.reader.workers()] == [1]


def test_what_an_answer_that_has_not_arrived_gave_takes_resources(desk: Desk) -> None:
    desk.deploy(resources={"gpu": 1})
    crowd(desk, "train/d", 5)
    worker = desk.join(slots=8, resources={"gpu": 2})
    first = desk.lease(worker, free=8, resources={"gpu": 2})
    assert len(first) == 2
    assert len(desk.lease(worker, free=8, resources={"gpu": 2})) == 2
    assert len(desk.lease(worker, first[0], free=7, resources={"gpu": 1})) == 1


@pytest.mark.parametrize("tagged", ["deployment", "run"])
def test_runs_that_wait_for_a_tag_keep_nobody_else_from_starting(desk: Desk, tagged: str) -> None:
    desk.do(asked.SetLimit(limit=Limit(name="tag:db", slots=1)))
    desk.deploy("d", tags=("db",) if tagged == "deployment" else ())
    desk.deploy("other")
    crowd(desk, "train/d", tags=("db",))
    crowd(desk, "train/other", 3)
    given = desk.lease(desk.join(), free=4)
    assert len(given) == 4
    assert titles(given) == {"train/d", "train/other"}


def test_runs_that_wait_for_a_resource_keep_nobody_else_from_starting(desk: Desk) -> None:
    desk.deploy("d", resources={"gpu": 1})
    desk.deploy("other")
    crowd(desk, "train/d")
    crowd(desk, "train/other", 3)
    assert titles(desk.lease(desk.join(), free=4)) == {"train/other"}


def test_runs_that_are_skipped_by_the_thousand_hold_up_nobody(desk: Desk) -> None:
    """After 512 of them a poll gave nothing, and nobody looked again for five seconds."""
    desk.deploy("d", skip_if_late_s=60)
    desk.deploy("other")
    crowd(desk, "train/d")
    crowd(desk, "train/other", 1)
    desk.now += 61 * SECOND
    woken: list[bool] = []
    desk.ledger.listeners.append(woken.append)
    worker = desk.join()
    polls: list[list[FlowRun]] = []
    while not polls or woken[-1]:
        polls.append(desk.lease(worker, free=1))
    assert titles(polls[-1]) == {"train/other"}
    assert len(polls) < 10
