"""The clock of a running server is set by an hour: what runs goes on, what is due starts."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import Fleet, fleet_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOCK = """
    import os
    import time

    real_ns, real_s = time.time_ns, time.time

    def ahead_s():
        try:
            with open(os.environ["CLOCK_AHEAD"]) as file:
                return int(file.read() or 0)
        except OSError:
            return 0

    time.time_ns = lambda: real_ns() + ahead_s() * 10**9
    time.time = lambda: real_s() + ahead_s()
"""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_on(home, tmp_path) as one:
        yield one


@pytest.mark.parametrize("hours", [-1, 1])
def test_runs_go_on_and_are_handed_out_when_the_clock_of_the_server_is_set(
    fleet: Fleet, hours: int, database: str
) -> None:
    """With PostgreSQL all go by its clock, and nobody has to notice that the one of the server was set."""
    file = fleet.write("""
        import time
        from ostinato import flow

        @flow
        def nap(seconds: float):
            time.sleep(seconds)
    """)
    clock, ahead = fleet.write(CLOCK, "clock/sitecustomize.py"), fleet.folder / "ahead"
    paths = os.pathsep.join([str(clock.parent), os.environ.get("PYTHONPATH", "")])
    server = fleet.server(env={"PYTHONPATH": paths, "CLOCK_AHEAD": str(ahead)})
    fleet.worker("--lease", "1")
    deployment = fleet.deploy(file, "nap")
    long = fleet.run(deployment, parameters={"seconds": 4})
    fleet.wait(long, "Running")
    ahead.write_text(str(hours * 3600), encoding="utf-8")
    begin_s = time.monotonic()
    short = fleet.wait(fleet.run(deployment, parameters={"seconds": 0}))
    assert (short.state, short.epoch) == ("Completed", 1)
    assert time.monotonic() - begin_s < 3
    ended = fleet.wait(long)
    assert (ended.state, ended.epoch) == ("Completed", 1), fleet.told(long)
    assert bool(database) or "the clock went by" in server.said
