"""Runs of deployments on a worker: each in a process of its own, with its own code, environment and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import Fleet, fleet_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        yield one


def test_a_run_of_a_deployment_is_completed_by_a_worker(fleet: Fleet) -> None:
    file = fleet.write("""
        from ostinato import flow, task

        @task
        def double(n):
            return 2 * n

        @flow
        def train(n: int = 1):
            return double(n)
    """)
    fleet.worker()
    deployment = fleet.deploy(file, "train")
    run = fleet.wait(fleet.run(deployment, parameters={"n": 21}))
    assert run.state == "Completed", fleet.told(run)
    assert run.epoch == 1
    assert [task.state for task in fleet.tasks(run)] == ["Completed"]
