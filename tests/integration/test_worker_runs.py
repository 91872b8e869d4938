"""Runs of deployments on a worker: each in a process of its own, with its own code, environment and output."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.fleet import Fleet, fleet_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.records import FlowRun


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        yield one


def value(fleet: Fleet, run: FlowRun) -> Any:
    """Give what a run that Completed has written to the file of its name."""
    assert run.state == "Completed", fleet.told(run)
    return json.loads((fleet.folder / f"{run.name}.json").read_text(encoding="utf-8"))


HEAD = """
    import json, os, random, sys, time
    from pathlib import Path
    from ostinato import flow, get_run_context, task

    FOLDER = Path(__file__).parent

    def tell(value):
        name = get_run_context().flow_run.name
        (FOLDER / f"{name}.json").write_text(json.dumps(value))
"""


def test_a_run_of_a_deployment_is_completed_by_a_worker(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    @task
    def double(n):
        return 2 * n

    @flow
    def train(n: int = 1, names: list[str] = ()):
        tell([double(n), names, get_run_context().flow_run.epoch])
    """
    )
    fleet.worker()
    deployment = fleet.deploy(file, "train")
    run = fleet.wait(fleet.run(deployment, parameters={"n": 21, "names": ["a"]}, tags=("nightly",)))
    assert value(fleet, run) == [42, ["a"], 1]
    assert (run.epoch, run.tags, run.worker != "", run.n_crashes) == (1, ("nightly",), True, 0)
    assert [task.state for task in fleet.tasks(run)] == ["Completed"]
    assert [step.state for step in fleet.reader.history(run.id)] == ["Scheduled", "Pending", "Running", "Completed"]


def test_an_async_flow_runs_as_well(fleet: Fleet) -> None:
    file = fleet.write("""
        import asyncio
        from ostinato import flow, task

        @task
        async def half(n):
            await asyncio.sleep(0)
            return n / 2

        @flow
        async def compute(n: float):
            return await half(n)
    """)
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "compute"), parameters={"n": 3}))
    assert run.state == "Completed", fleet.told(run)


def test_each_deployment_has_its_environment_and_working_directory(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    AT_IMPORT = os.environ.get("REGION")

    @flow
    def where():
        tell([AT_IMPORT, os.environ.get("REGION"), os.getcwd(), sys.argv, os.environ["FROM_WORKER"]])
    """
    )
    (fleet.folder / "work").mkdir()
    fleet.worker(env={"FROM_WORKER": "yes"})
    north = fleet.deploy(file, "where", "north", env={"REGION": "north"})
    south = fleet.deploy(file, "where", "south", env={"REGION": "south"}, directory=fleet.folder / "work")
    runs = [fleet.run(north), fleet.run(south)]
    seen = [value(fleet, fleet.wait(run)) for run in runs]
    assert seen[0] == ["north", "north", str(fleet.folder), [str(file)], "yes"]
    assert seen[1] == ["south", "south", str(fleet.folder / "work"), [str(file)], "yes"]


def test_two_forks_of_one_zygote_draw_different_random_numbers(fleet: Fleet) -> None:
    pytest.importorskip("numpy")
    file = fleet.write(
        HEAD
        + """
    import numpy
    PARENT = os.getpid()
    random.seed(1)
    numpy.random.seed(1)

    @flow
    def draw():
        os.environ["SEEN"] = os.environ.get("SEEN", "") + "x"
        tell([random.random(), numpy.random.random(), PARENT, os.getppid(), os.environ["SEEN"]])
    """
    )
    fleet.worker()
    deployment = fleet.deploy(file, "draw")
    one, two = [value(fleet, fleet.wait(run)) for run in (fleet.run(deployment), fleet.run(deployment))]
    assert one[2] == two[2] == one[3] == two[3]
    assert one[0] != two[0]
    assert one[1] != two[1]
    assert one[4] == two[4] == "x"


def test_a_file_that_changed_is_loaded_anew(fleet: Fleet) -> None:
    text = HEAD + "\n    @flow\n    def say():\n        tell('one')\n"
    file = fleet.write(text)
    fleet.worker()
    deployment = fleet.deploy(file, "say")
    assert value(fleet, fleet.wait(fleet.run(deployment))) == "one"
    fleet.write(text.replace("'one'", "'two and more'"))
    assert value(fleet, fleet.wait(fleet.run(deployment))) == "two and more"


def test_an_import_error_reaches_the_run_and_is_not_tried_again(fleet: Fleet) -> None:
    file = fleet.write("""
        from ostinato import flow

        def broken():
            print("on the way")
            raise RuntimeError("no such table")

        broken()

        @flow
        def never(): ...
    """)
    fleet.worker()
    deployment = fleet.deploy(file, "never")
    run = fleet.wait(fleet.run(deployment))
    assert (run.state, run.epoch, run.n_crashes) == ("Failed", 1, 0)
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("RuntimeError", "no such table")
    assert "broken()" in run.error.trace
    assert "ostinato/" not in run.error.trace
    assert any("on the way" in line.text for line in fleet.logs(run))
    fleet.write("from ostinato import flow\n@flow\ndef never(): ...\n")
    assert fleet.wait(fleet.run(deployment)).state == "Completed"


def test_a_module_that_ends_the_process_fails_its_run(fleet: Fleet) -> None:
    file = fleet.write("import sys\nprint('the last words')\nsys.exit('no licence')\n")
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "never")))
    assert run.state == "Failed"
    assert "no licence" in run.message


def test_missing_code_fails_the_run_with_a_hint(fleet: Fleet) -> None:
    fleet.worker()
    file = fleet.write("from ostinato import flow\n@flow\ndef there(): ...\n")
    gone = fleet.wait(fleet.run(fleet.deploy(fleet.folder / "gone.py", "there", "gone")))
    other = fleet.wait(fleet.run(fleet.deploy(file, "another", "other")))
    assert (gone.state, other.state) == ("Failed", "Failed")
    assert gone.error is not None
    assert other.error is not None
    assert "gone.py" in gone.message
    assert "'another'" in other.message
    assert other.error.hint


def test_parameters_that_do_not_fit_fail_the_run(fleet: Fleet) -> None:
    file = fleet.write("from ostinato import flow\n@flow\ndef train(n: int): ...\n")
    fleet.worker()
    deployment = fleet.deploy(file, "train")
    for parameters in ({}, {"n": "many"}, {"n": 1, "m": 2}):
        run = fleet.wait(fleet.run(deployment, parameters=parameters))
        assert run.state == "Failed", fleet.told(run)
        assert run.error is not None
        assert run.error.type.startswith("Parameter")


def test_a_module_that_starts_threads_gets_fresh_processes_and_the_reason_is_told(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    import threading
    threading.Thread(target=time.sleep, args=(600,), name="telemetry", daemon=True).start()

    @flow
    def work():
        tell(os.getpid() == os.getsid(0))
    """
    )
    worker = fleet.worker()
    deployment = fleet.deploy(file, "work")
    runs = [fleet.run(deployment), fleet.run(deployment)]
    assert [value(fleet, fleet.wait(run)) for run in runs] == [True, True]
    assert worker.said.count("starts threads when it is imported (telemetry)") == 1


def test_megabytes_of_output_hold_nobody_up_and_the_last_of_it_is_kept(fleet: Fleet) -> None:
    file = fleet.write("""
        import sys
        from ostinato import flow
        print("x" * 3_000_000)

        @flow
        def shout():
            for n in range(200):
                print("y" * 50_000)
            sys.stdout.write("the very last line")
            raise ValueError("hoarse")
    """)
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "shout")))
    assert run.state == "Failed"
    fleet.until(lambda: any("the very last line" in line.text for line in fleet.logs(run)), "the last output is kept")
    assert max(len(line.text) for line in fleet.logs(run)) < 70_000


def test_user_code_may_close_files_and_fork(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    @task
    def close_all():
        os.closerange(3, 4096)
        held = [open(__file__) for _ in range(20)]
        return [file.fileno() for file in held]

    @task
    def fork():
        pid = os.fork()
        if pid == 0:
            time.sleep(300)
        return pid

    @flow
    def rough():
        close_all()
        tell(fork())
    """
    )
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "rough")))
    pid = value(fleet, run)
    fleet.until(lambda: not _lives(pid), "what it left behind has ended")
    assert [task.state for task in fleet.tasks(run)] == ["Completed", "Completed"]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_run_that_is_due_soon_starts_on_time(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    @flow
    def tick():
        tell([time.time(), get_run_context().flow_run.expected_start_time.timestamp()])
    """
    )
    fleet.worker()
    due = time.time() + 1.5
    run = fleet.run(fleet.deploy(file, "tick"), due_at=int(due * 1e6))
    began, expected = value(fleet, fleet.wait(run))
    assert abs(expected - due) < 0.001
    assert 0 <= began - due < 0.5


def test_no_more_runs_at_once_than_the_limit(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    @flow
    def nap():
        begin = time.monotonic()
        time.sleep(0.2)
        tell([begin, time.monotonic()])
    """
    )
    fleet.worker("--limit", "2")
    deployment = fleet.deploy(file, "nap")
    runs = [fleet.run(deployment) for _ in range(6)]
    spans = [value(fleet, fleet.wait(run)) for run in runs]
    for begin, _ in spans:
        assert sum(start <= begin < end for start, end in spans) <= 2


def test_a_worker_has_so_much_of_a_resource(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    @flow
    def train():
        begin = time.monotonic()
        time.sleep(0.1)
        tell([begin, time.monotonic()])
    """
    )
    fleet.worker("--resource", "gpu=1")
    deployment = fleet.deploy(file, "train", resources={"gpu": 1})
    begin_s = time.monotonic()
    spans = sorted(value(fleet, fleet.wait(run)) for run in [fleet.run(deployment) for _ in range(4)])
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
    assert time.monotonic() - begin_s < 8


def test_without_zygotes_each_run_gets_a_fresh_process(fleet: Fleet) -> None:
    file = fleet.write(
        HEAD
        + """
    PID = os.getpid()

    @flow
    def work(fail: bool = False):
        print("here it is")
        assert not fail
        tell([PID == os.getpid(), sys.path[0]])
    """
    )
    fleet.worker(env={"OSTINATO_ZYGOTES": "0"})
    deployment = fleet.deploy(file, "work")
    assert value(fleet, fleet.wait(fleet.run(deployment))) == [True, str(fleet.folder)]
    run = fleet.wait(fleet.run(deployment, parameters={"fail": True}))
    assert run.state == "Failed"
    assert any("here it is" in line.text for line in fleet.logs(run))


def test_once_runs_what_is_due_and_ends(fleet: Fleet) -> None:
    file = fleet.write("from ostinato import flow\n@flow\ndef work(): ...\n")
    deployment = fleet.deploy(file, "work")
    due = [fleet.run(deployment) for _ in range(12)]
    later = fleet.run(deployment, due_at=int((time.time() + 1.8) * 1e6))
    worker = fleet.worker("--once", "--limit", "3")
    assert worker.popen.wait(30) == 0, worker.said
    assert {fleet.wait(run).state for run in due} == {"Completed"}
    after = fleet.see(later)
    assert after.due_at == later.due_at
    assert after.state == "Scheduled" or (after.started_at or 0) >= later.due_at, "a slow machine"


@pytest.mark.parametrize("word", ["gpu", "gpu=", "=1", "gpu=-1", "gpu=many", "gpu=inf"])
def test_a_resource_needs_a_name_and_an_amount(home: Path, tmp_path: Path, word: str) -> None:
    with fleet_on(home, tmp_path) as fleet:
        worker = fleet.worker("--resource", word, joined=False)
        assert worker.popen.wait(10) == 2
        assert "write for example gpu=1" in worker.said


def test_a_worker_waits_for_a_server_and_says_so_once(home: Path, tmp_path: Path) -> None:
    with fleet_on(home, tmp_path) as fleet:
        worker = fleet.worker(joined=False)
        fleet.until(lambda: "Waits for a server" in worker.said, "it says so")
        assert "`ostinato up` starts one" in worker.said
        time.sleep(0.7)
        fleet.server()
        fleet.until(lambda: "works for" in worker.said, "it joins")
        assert worker.said.count("Waits for a server") == 1
