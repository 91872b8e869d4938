"""A worker on another machine: it has a home of its own and reaches the server by address and key."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import Fleet, fleet_on

from ostinato.core.commands import CreateKey, CreateUser

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOWS = """
    import os, time
    from pathlib import Path
    from ostinato import flow, task

    FOLDER = Path(__file__).parent

    @task
    def load(n):
        return b"x" * n

    @task
    def nap(data, s):
        (FOLDER / "pid.txt").write_text(str(os.getpid()))
        time.sleep(s)
        return len(data)

    @flow
    def measure(n: int = 100_000, s: float = 0.0):
        total = nap(load(n), s)
        (FOLDER / "result.txt").write_text(f"{total} {os.environ['OSTINATO_HOME']}")
        return total
"""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        yield one


def far(fleet: Fleet, key: str | None = None) -> dict[str, str]:
    """Give the environment of a worker elsewhere, with a key of its own unless one is given."""
    if key is None:
        fleet.do(CreateUser(name="machine", role="operator"))
        key = fleet.do(CreateKey(user="machine", scopes=("worker",))).text
    url = fleet.programs[0].said.split()[1]
    elsewhere = fleet.folder / "elsewhere"
    return {"OSTINATO_API_URL": url, "OSTINATO_API_KEY": key, "OSTINATO_HOME": str(elsewhere)}


def test_a_worker_elsewhere_needs_no_file_of_the_home(fleet: Fleet) -> None:
    fleet.worker(env=far(fleet))
    run = fleet.wait(fleet.run(fleet.deploy(fleet.write(FLOWS), "measure")))
    assert run.state == "Completed", fleet.told(run)
    elsewhere = str(fleet.folder / "elsewhere")
    assert (fleet.folder / "result.txt").read_text(encoding="utf-8") == f"100000 {elsewhere}"
    assert not (fleet.folder / "elsewhere" / "ostinato.db").exists()
    assert [task.state for task in fleet.tasks(run)] == ["Completed", "Completed"]


def test_a_run_goes_on_where_nothing_of_the_first_machine_is(fleet: Fleet) -> None:
    env = far(fleet)
    first = fleet.worker("--lease", "1", env=env)
    run = fleet.run(fleet.deploy(fleet.write(FLOWS), "measure"), parameters={"s": 2.0})
    fleet.until((fleet.folder / "pid.txt").exists, "it begins", told=lambda: fleet.told(run))
    fleet.until(lambda: any(one.state == "Completed" for one in fleet.tasks(run)), "the first task is reported")
    first.kill()
    os.kill(int((fleet.folder / "pid.txt").read_text(encoding="utf-8")), signal.SIGKILL)
    shutil.rmtree(fleet.folder / "elsewhere", ignore_errors=True)
    fleet.worker(env={**env, "OSTINATO_HOME": str(fleet.folder / "another")})
    run = fleet.wait(run)
    assert (run.state, run.epoch, run.n_reused) == ("Completed", 2, 1), fleet.told(run)


def test_what_a_run_recorded_while_the_server_was_away_is_delivered(fleet: Fleet) -> None:
    port = fleet.programs[0].said.split()[1].rpartition(":")[2]
    fleet.worker("--lease", "30", env={**far(fleet), "OSTINATO_EXIT_WAIT_S": "0.5"})
    run = fleet.run(fleet.deploy(fleet.write(FLOWS), "measure"), parameters={"s": 1.0})
    fleet.until((fleet.folder / "pid.txt").exists, "it begins")
    fleet.programs[0].kill()
    process = Path("/proc") / (fleet.folder / "pid.txt").read_text(encoding="utf-8")
    fleet.until(lambda: not process.exists(), "its process has ended", patience_s=20)
    fleet.server("--port", port)
    run = fleet.wait(run)
    assert (run.state, run.epoch) == ("Completed", 1), fleet.told(run)


def test_a_server_that_is_away_for_longer_than_the_lease_gets_its_runs_back(fleet: Fleet) -> None:
    port = fleet.programs[0].said.split()[1].rpartition(":")[2]
    worker = fleet.worker("--lease", "1", env=far(fleet))
    run = fleet.run(fleet.deploy(fleet.write(FLOWS), "measure"), parameters={"s": 6.0})
    fleet.until((fleet.folder / "pid.txt").exists, "it begins", told=lambda: fleet.told(run))
    fleet.until(lambda: any(one.state == "Completed" for one in fleet.tasks(run)), "the first task is reported")
    process = Path("/proc") / (fleet.folder / "pid.txt").read_text(encoding="utf-8")
    fleet.programs[0].kill()
    fleet.until(lambda: not process.exists(), "its process ends with the lease", patience_s=5)
    fleet.server("--port", port)
    run = fleet.wait(run)
    assert (run.state, run.epoch, run.n_reused) == ("Completed", 2, 1), fleet.told(run) + worker.said


def test_a_worker_with_a_wrong_key_ends_and_says_why(fleet: Fleet) -> None:
    wrong = fleet.worker(env=far(fleet, "ost_abcdefgh_" + "x" * 43), joined=False)
    assert wrong.popen.wait(10) != 0
    assert "error[key-refused]" in wrong.said


def test_a_worker_whose_key_may_not_work_ends_and_says_why(fleet: Fleet) -> None:
    fleet.do(CreateUser(name="guest", role="viewer"))
    key = fleet.do(CreateKey(user="guest")).text
    guest = fleet.worker(env=far(fleet, key), joined=False)
    assert guest.popen.wait(10) != 0
    assert "error[" in guest.said
