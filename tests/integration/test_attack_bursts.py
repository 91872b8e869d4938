"""Many runs due at once: slots are kept, what is urgent goes first, ends are heard of soon, and each run runs once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests import homes
from tests.integration.fleet import Fleet, fleet_on

from ostinato.core.commands import CreateRun, PauseDeployment, SetLimit, SetQueue
from ostinato.core.deployments import Limit, Queue, Timetable
from ostinato.core.schedules import Interval
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.deployments import Deployment

SLOTS = 4
N_RUNS = 200
FLOWS = """
    import time
    from ostinato import flow

    @flow
    def quick(nap_s: float = 0.0):
        time.sleep(nap_s)
"""
UNDER_WAY = "state IN ('Pending', 'Running', 'Retrying', 'AwaitingRetry', 'Paused', 'Cancelling')"


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_on(home, tmp_path) as one:
        yield one


def ask(fleet: Fleet, query: str, *values: object) -> list[tuple[int, ...]]:
    return homes.rows(fleet.home, query, *values)


def burst(fleet: Fleet, deployment: Deployment, n: int) -> None:
    """Make many runs before there is a server."""
    fleet.let_go()
    ledger = Ledger(Home(str(fleet.home)))
    ledger.do(lambda tx: [carry_out(tx, CreateRun(deployment=deployment.id)) for _ in range(n)])
    ledger.close()


def most_at_once(fleet: Fleet, deployment: Deployment) -> int:
    spans = ask(fleet, "SELECT started_at, ended_at FROM flow_runs WHERE deployment_id = ?", deployment.id)
    return max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)


def test_a_burst_is_drained_by_two_workers_that_keep_their_slots(fleet: Fleet) -> None:
    """Ends were reported one after the other: with 10,000 due runs a worker of 8 slots held 245."""
    file = fleet.write(FLOWS)
    plain, urgent = fleet.deploy(file, "quick"), fleet.deploy(file, "quick", "urgent", priority=5)
    burst(fleet, plain, N_RUNS)
    burst(fleet, urgent, N_RUNS)
    fleet.server()
    for name in ("one", "other"):
        fleet.worker("--name", name, "--limit", str(SLOTS))
    most_held = most_under_way = 0
    end = time.monotonic() + 50
    while time.monotonic() < end:
        count = f"SELECT count(*), count(*) FILTER (WHERE {UNDER_WAY}) FROM flow_runs WHERE held = 1 GROUP BY worker"
        for held, under_way in ask(fleet, count):
            most_held, most_under_way = max(most_held, held), max(most_under_way, under_way)
        if ask(fleet, "SELECT count(*) FROM flow_runs WHERE state = 'Completed' AND held = 0") == [(2 * N_RUNS,)]:
            break
        time.sleep(0.01)
    else:
        pytest.fail(str(ask(fleet, "SELECT state, count(*) FROM flow_runs GROUP BY state")))
    assert most_under_way <= SLOTS
    assert most_held <= 4 * SLOTS
    begun = "SELECT run_id FROM run_states WHERE state = 'Running' GROUP BY run_id HAVING count(*) > 1"
    assert ask(fleet, begun) == []
    ((last_urgent,),) = ask(fleet, "SELECT max(started_at) FROM flow_runs WHERE deployment_id = ?", urgent.id)
    early = "SELECT count(*) FROM flow_runs WHERE deployment_id = ? AND started_at < ?"
    assert ask(fleet, early, plain.id, last_urgent)[0][0] <= 2 * SLOTS
    per_worker = [n for (n,) in ask(fleet, "SELECT count(*) FROM flow_runs GROUP BY worker")]
    assert min(per_worker) > N_RUNS / 4


def test_limits_of_deployments_queues_and_tags_hold_under_load(fleet: Fleet) -> None:
    file = fleet.write(FLOWS)
    fleet.do(SetQueue(queue=Queue(name="narrow", concurrency=2)))
    fleet.do(SetLimit(limit=Limit(name="tag:db", slots=1)))
    nap = {"nap_s": 0.05}
    limited = (
        (fleet.deploy(file, "quick", "deployment", concurrency=3, parameters=nap), 3),
        (fleet.deploy(file, "quick", "queue", queue="narrow", parameters=nap), 2),
        (fleet.deploy(file, "quick", "tag", tags=("db",), parameters=nap), 1),
        (fleet.deploy(file, "quick", "overlap", overlap="queue", parameters=nap), 1),
    )
    for deployment, _ in limited:
        burst(fleet, deployment, 12)
    fleet.server()
    fleet.worker("--limit", "8"), fleet.worker("--limit", "8")
    done = "SELECT count(*) FROM flow_runs WHERE state = 'Completed'"
    fleet.until(lambda: ask(fleet, done) == [(48,)], "all have run", 50)
    assert all(most_at_once(fleet, deployment) <= most for deployment, most in limited)


def test_a_schedule_of_a_tenth_of_a_second_loses_no_tick(fleet: Fleet) -> None:
    fleet.server()
    fleet.worker()
    often = Timetable(slug="often", schedule=Interval(0.1))
    deployment = fleet.deploy(fleet.write(FLOWS), "quick", schedules=(often,))
    done = "SELECT expected_at FROM flow_runs WHERE deployment_id = ? AND state = 'Completed' ORDER BY expected_at"
    fleet.until(lambda: len(ask(fleet, done, deployment.id)) >= 70, "70 runs have ended", 30)
    fleet.do(PauseDeployment(deployment=deployment.id))
    ticks = [at for (at,) in ask(fleet, done, deployment.id)][:60]
    assert ticks == list(range(ticks[0], ticks[0] + 6_000_000, 100_000))
