"""Runs of deployments asked for by code: `run_deployment` and `flow.serve`, on a server and a worker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.fleet import Fleet, fleet_on

from ostinato import session
from ostinato.core.errors import DeployedRunEnded, DeploymentNotFound, NotEnded, ParametersMisfit, ServerNeeded
from ostinato.core.query import Query, Term
from ostinato.engine.deployed import run_deployment
from ostinato.engine.flows import flow
from ostinato.engine.loading import load_flow
from ostinato.engine.tasks import task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunPython

CHILD = """
from ostinato import flow

@flow
def double(n: int = 1, fail: bool = False) -> int:
    if fail:
        raise ValueError(f"no data for {n}")
    return 2 * n
"""


@pytest.fixture
def fleet(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Give a fleet with a server and a worker, and the deployment double/test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSTINATO_CONSOLE", "false")
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("child", "snap", "snap_lib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with fleet_on(home, tmp_path) as one:
        one.server()
        one.worker()
        load_flow(str(one.write(CHILD, "child.py"))).deploy("test", parameters={"n": 4})
        yield one
        session.close()


def test_a_script_runs_a_deployment_and_gets_its_value(fleet: Fleet) -> None:
    run = run_deployment("double/test", {"n": 21}, tags=["by-hand"], flow_run_name="answer")
    assert (run.name, run.deployment, run.tags, run.parameters) == ("answer", "double/test", ("by-hand",), {"n": 21})
    assert run.state.is_completed()
    assert run.result() == 42
    assert run.end_time >= run.start_time >= run.expected_start_time
    assert run_deployment("test").result() == 8
    assert fleet.see(run.id).parent_id == ""


@pytest.mark.usefixtures("fleet")
def test_a_run_that_ends_badly_raises_when_its_value_is_asked_for() -> None:
    run = run_deployment("double/test", {"fail": True})
    assert run.state.is_failed()
    with pytest.raises(DeployedRunEnded, match="ended Failed: ValueError: no data for 4"):
        run.result()
    assert isinstance(run.state.result(raise_on_failure=False), DeployedRunEnded)


@pytest.mark.usefixtures("fleet")
def test_what_does_not_fit_is_refused_before_there_is_a_run() -> None:
    with pytest.raises(ParametersMisfit, match='n: "many"'):
        run_deployment("double/test", {"n": "many"})
    with pytest.raises(DeploymentNotFound, match="there are: double/test"):
        run_deployment("double/other")
    reader = session.reader()
    assert reader.state_counts() == {}
    reader.close()


def test_an_idempotency_key_gives_one_run(fleet: Fleet) -> None:
    runs = [run_deployment("double/test", {"n": n}, idempotency_key="import-417") for n in (1, 2)]
    assert runs[0].id == runs[1].id
    assert runs[1].result() == 2
    assert sum(fleet.reader.state_counts().values()) == 1


def test_without_a_wait_the_run_is_given_as_it_is(fleet: Fleet) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    for timeout in (0, 0.3):
        run = run_deployment("double/test", timeout=timeout, scheduled_time=later)
        assert run.state.name == "Scheduled"
        assert run.expected_start_time == later
        with pytest.raises(NotEnded, match="has not ended"):
            run.result()
    assert fleet.see(run.id).due_at == round(later.timestamp() * 1e6)


def test_in_a_flow_the_run_is_its_child_and_futures_are_parameters(fleet: Fleet) -> None:
    @task
    def three() -> int:
        return 3

    @flow
    def parent() -> list[Any]:
        runs = [run_deployment("double/test", {"n": three.submit()}), run_deployment("double/test", as_subflow=False)]
        return [(run.id, run.result()) for run in runs]

    state = parent(return_state=True)
    (child, six), (free, eight) = state.result()
    assert (six, eight) == (6, 8)
    assert fleet.see(child).parent_id == state.run_id
    assert fleet.see(free).parent_id == ""
    assert [run.id for run in fleet.reader.subflow_runs(state.run_id)] == [child]


@pytest.mark.usefixtures("fleet")
def test_in_an_event_loop_it_is_awaited_and_holds_nothing_up() -> None:
    @flow
    async def parent() -> list[int]:
        runs = await asyncio.gather(*(run_deployment("double/test", {"n": n}) for n in range(3)))
        return [run.result() for run in runs]

    assert asyncio.run(parent()) == [0, 2, 4]


RESUMED = """
import os, sys
from ostinato import flow, run_deployment, task

@task
def number() -> int:
    return 5

@flow
def parent(die: bool) -> str:
    runs = [run_deployment("double/test", {"n": number()}), run_deployment("double/test", {"n": 5, "fail": die})]
    if os.environ.get("DIE"):
        os._exit(9)
    return " ".join(run.id for run in runs)

if __name__ == "__main__":
    parent(die=True)
"""


def test_a_resumed_flow_waits_for_the_same_run_and_makes_a_failed_one_anew(fleet: Fleet, run_python: RunPython) -> None:
    file = fleet.write(RESUMED, "parent.py")
    run_python(file, code=9, env={"DIE": "1"})
    fleet.let_go()
    (parent,) = fleet.reader.runs(_parents())[0]
    first = fleet.reader.subflow_runs(parent.id)
    assert [run.state for run in first] == ["Completed", "Failed"]
    ended = subprocess.run(
        [sys.executable, "-m", "ostinato.cli", "resume", parent.id, "--json", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    again = fleet.reader.subflow_runs(parent.id)
    assert [run.id for run in again[:2]] == [run.id for run in first]
    assert len(again) == 3
    assert json.loads(ended.stdout)["result"]["value"] == f"{first[0].id} {again[2].id}"


def _parents() -> Query:
    return Query((Term(field="flow", op="in", values=("parent",)),))


def test_a_snapshot_runs_though_the_folder_is_gone_and_fails_by_name_when_it_is_gone_itself(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = fleet.folder / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    fleet.write(
        "from snap_lib import A\nfrom ostinato import flow\n@flow\ndef snap() -> int:\n    return A\n",
        "project/snap.py",
    )
    fleet.write("A = 7\n", "project/snap_lib.py")
    made = load_flow("snap.py").deploy("test", code="snapshot")
    for name in ("snap.py", "snap_lib.py"):
        (project / name).unlink()
    assert run_deployment("snap/test").result() == 7
    fleet.write("from ostinato import flow\n@flow\ndef snap() -> int:\n    return 8\n", "project/snap.py")
    del sys.modules["snap"]
    changed = load_flow("snap.py").deploy("test", code="snapshot")
    (fleet.home / "blobs" / changed.code.revision[:2] / changed.code.revision).unlink()
    run = run_deployment("snap/test")
    assert run.state.is_failed()
    assert f"its snapshot {changed.code.revision} is missing" in run.state.message
    assert fleet.see(run.id).n_crashes == 0
    assert made.code.revision != changed.code.revision


SERVED = """
from ostinato import flow

@flow
def tick(n: int = 1) -> int:
    return n

if __name__ == "__main__":
    tick.serve("served", interval=1, limit=2, parameters={"n": 3})
"""


def test_a_served_flow_runs_by_its_schedule_until_it_is_told_to_end(home: Path, tmp_path: Path) -> None:
    with fleet_on(home, tmp_path) as fleet:
        file = fleet.write(SERVED, "served.py")
        with pytest.raises(ServerNeeded, match="Serving tick/served needs a server"):
            load_flow(str(file)).serve("served")
        assert fleet.reader.deployments() == []
        fleet.server()
        process = subprocess.Popen([sys.executable, str(file)], stderr=subprocess.PIPE, text=True)
        try:
            fleet.until(lambda: fleet.reader.state_counts().get("Completed", 0) >= 2, "two runs have completed")
            (worker,) = fleet.reader.workers()
            (made,) = fleet.reader.deployments()
            assert (worker.info.deployments, worker.info.slots) == ((made.id,), 2)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=20)[1]
            assert process.returncode == 0, said
        finally:
            process.kill()
        fleet.let_go()
        (made,) = fleet.reader.deployments()
        assert made.paused
        assert fleet.reader.workers()[0].left_at is not None


def test_a_run_that_no_worker_takes_says_why(home: Path, tmp_path: Path, run_python: RunPython) -> None:
    with fleet_on(home, tmp_path) as fleet:
        load_flow(str(fleet.write(CHILD, "child_of_nobody.py"))).deploy("test", queue="empty")
    ran = run_python("""
    from ostinato import run_deployment
    print(run_deployment("double/test", timeout=4).state)
    """)
    assert ran.stdout == "Scheduled()\n"
    assert "Waits for run " in ran.stderr
    assert "of double/test has not begun: no worker serves queue 'empty'" in ran.stderr


def test_another_machine_deploys_to_a_server_and_works_for_it(home: Path, tmp_path: Path) -> None:
    with fleet_on(home, tmp_path) as fleet:
        fleet.server()
        card = json.loads((home / "server.json").read_text(encoding="utf-8"))
        env = {
            "OSTINATO_API_URL": card["url"],
            "OSTINATO_API_KEY": card["token"],
            "OSTINATO_HOME": str(tmp_path / "other-home"),
        }
        file = fleet.write(CHILD, "elsewhere/child.py")
        words = ["deploy", f"{file}:double", "--name", "test", "--code", "snapshot"]
        made = subprocess.run(
            [sys.executable, "-m", "ostinato.cli", *words],
            cwd=file.parent,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        assert not (tmp_path / "other-home" / "blobs").exists()
        file.unlink()
        fleet.worker(env=env)
        (deployment,) = fleet.reader.deployments()
        run = fleet.wait(fleet.run(deployment, parameters={"n": 21}))
        assert run.state == "Completed", fleet.told(run)
        assert (tmp_path / "other-home" / "code" / deployment.code.revision / "child.py").is_file()
