"""What dies, and what happens then: every run ends with the right result, and no task that was reported runs twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import PATIENCE_S, Fleet, Program, fleet_on

from ostinato.core.commands import CancelRun, PauseRun, ResumeRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.records import FlowRun

LEASE_S = 1.5

STEPS = """
    import os, time
    from pathlib import Path
    from ostinato import flow, get_run_context, task

    FOLDER = Path(__file__).parent

    def note(what):
        with open(FOLDER / "notes.txt", "a") as file:
            file.write(f"{what} {os.getpid()} {get_run_context().flow_run.epoch}\\n")

    @task
    def step(n, nap):
        note(n)
        time.sleep(nap)
        return n * n

    @flow
    def walk(n: int = 8, nap: float = 0.25):
        total = sum(step(i, nap) for i in range(n))
        (FOLDER / "result.txt").write_text(str(total))
        return total
"""


@pytest.fixture
def fleet(home: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Give a fleet with a server."""
    with fleet_on(home, tmp_path) as one:
        one.server()
        yield one


def notes(fleet: Fleet) -> list[tuple[str, int, int]]:
    """Give what tasks have noted: which step, in which process, in which epoch."""
    file = fleet.folder / "notes.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [(what, int(pid), int(epoch)) for what, pid, epoch in map(str.split, lines)]


def walking(fleet: Fleet, steps: int = 3) -> tuple[FlowRun, int]:
    """Start a walk and wait until it has begun so many steps and some are reported; give it and its process."""
    run = fleet.run(fleet.deploy(fleet.write(STEPS), "walk"))
    fleet.until(lambda: len(notes(fleet)) >= steps, "it walks", told=lambda: fleet.told(run))
    fleet.until(lambda: any(task.state == "Completed" for task in fleet.tasks(run)), "a step is reported")
    return run, notes(fleet)[-1][1]


def done(fleet: Fleet, run: FlowRun) -> set[str]:
    """Give the steps that are reported as Completed."""
    return {str(task.no - 1) for task in fleet.tasks(run) if task.state == "Completed"}


def check_walked(fleet: Fleet, run: FlowRun, reported: set[str], epoch: int = 2) -> FlowRun:
    """Wait for the end; what was reported before the fault has not run again."""
    run = fleet.wait(run)
    assert (run.state, run.epoch) == ("Completed", epoch), fleet.told(run)
    assert (fleet.folder / "result.txt").read_text(encoding="utf-8") == str(sum(i * i for i in range(8)))
    later = {what for what, _, of in notes(fleet) if of > 1}
    assert not later & reported, fleet.told(run)
    assert Counter(task.no for task in fleet.tasks(run)) == Counter(range(1, 9))
    assert {task.state for task in fleet.tasks(run)} == {"Completed"}
    assert run.n_reused >= len(reported)
    return run


def test_a_killed_flow_process_is_taken_up_again_at_once(fleet: Fleet) -> None:
    fleet.worker()
    run, pid = walking(fleet)
    reported = done(fleet, run)
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    fleet.until(lambda: fleet.see(run).epoch == 2, "it is taken up again")
    assert time.monotonic() - killed_s < 2
    run = check_walked(fleet, run, reported)
    assert run.n_crashes == 1
    assert any("signal SIGKILL" in step.message for step in fleet.reader.history(run.id) if step.state == "Crashed")


def test_a_killed_worker_is_replaced_after_its_lease(fleet: Fleet) -> None:
    worker = fleet.worker("--lease", str(LEASE_S))
    run, _ = walking(fleet)
    fleet.worker("--lease", str(LEASE_S))
    reported = done(fleet, run)
    killed_s = time.monotonic()
    worker.kill()
    fleet.wait(run, "Running", "Completed")
    fleet.until(lambda: fleet.see(run).epoch == 2, "it is taken over", told=lambda: fleet.told(run))
    assert time.monotonic() - killed_s < LEASE_S + 2
    check_walked(fleet, run, reported)


def test_whoever_watches_a_run_whose_worker_is_killed_sees_it_go_on(fleet: Fleet) -> None:
    """A reader took the Crashed in between for the end, and for a fault of their code."""
    worker = fleet.worker("--lease", "20", "--name", "first")
    run, _ = walking(fleet)
    watch = Program(fleet, "watch", run.name, "--plain")
    worker.kill()
    said = "worker first is gone; it goes on elsewhere within"
    fleet.until(lambda: said in watch.said, "the watch says why it waits", told=lambda: watch.said)
    resumed = Program(fleet, "resume", run.name)
    assert resumed.popen.wait(PATIENCE_S) == 0, resumed.said
    assert f"{run.name} goes on" in resumed.said
    fleet.worker("--lease", "20", "--name", "second")
    assert watch.popen.wait(PATIENCE_S) == 0, watch.said
    assert "Traceback" not in watch.said
    crashed = next(step for step in fleet.reader.history(run.id) if step.state == "Crashed")
    assert crashed.message == "its worker is gone"
    ended = fleet.wait(run)
    assert (ended.state, ended.epoch) == ("Completed", 2)


def test_a_killed_worker_and_flow_process_are_replaced(fleet: Fleet) -> None:
    worker = fleet.worker("--lease", str(LEASE_S))
    run, pid = walking(fleet)
    reported = done(fleet, run)
    worker.kill()
    os.kill(pid, signal.SIGKILL)
    fleet.worker("--lease", str(LEASE_S))
    check_walked(fleet, run, reported)


@pytest.mark.parametrize("zygotes", ["4", "0"])
def test_the_flow_process_of_a_killed_worker_ends(fleet: Fleet, zygotes: str) -> None:
    worker = fleet.worker("--lease", "60", env={"OSTINATO_ZYGOTES": zygotes})
    _, pid = walking(fleet)
    worker.kill()
    fleet.until(lambda: not is_alive(pid), "it ends with its worker", patience_s=8)


def test_the_process_of_a_killed_worker_ends_even_when_it_never_lets_go_of_the_interpreter(fleet: Fleet) -> None:
    file = fleet.write("""
        import os
        from pathlib import Path
        from ostinato import flow

        @flow
        def busy():
            (Path(__file__).parent / "notes.txt").write_text(f"busy {os.getpid()} 1\\n")
            sum(range(20_000_000_000))
    """)
    worker = fleet.worker("--lease", "60")
    fleet.run(fleet.deploy(file, "busy"))
    fleet.until(lambda: bool(notes(fleet)), "it begins")
    worker.kill()
    pid = notes(fleet)[0][1]
    fleet.until(lambda: not is_alive(pid), "it ends with its worker", patience_s=10)


def test_a_killed_zygote_costs_its_runs_a_retry(fleet: Fleet) -> None:
    fleet.worker()
    run, pid = walking(fleet)
    reported = done(fleet, run)
    zygote = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    os.kill(zygote, signal.SIGKILL)
    check_walked(fleet, run, reported)


def test_a_stopped_worker_changes_nothing_when_it_wakes(fleet: Fleet) -> None:
    worker = fleet.worker("--lease", str(LEASE_S), "--name", "sleeper")
    run, pid = walking(fleet, steps=2)
    reported = done(fleet, run)
    worker.signal(signal.SIGSTOP)
    os.kill(pid, signal.SIGSTOP)
    fleet.worker("--lease", str(LEASE_S), "--name", "other")
    fleet.until(lambda: fleet.see(run).epoch == 2, "it is taken over", told=lambda: fleet.told(run))
    os.kill(pid, signal.SIGCONT)
    worker.signal(signal.SIGCONT)
    run = check_walked(fleet, run, reported)
    fleet.until(lambda: not is_alive(pid), "the old process ends")
    again = fleet.wait(fleet.run(fleet.deploy(fleet.folder / "flows.py", "walk"), parameters={"n": 1, "nap": 0}))
    assert again.state == "Completed"
    fleet.until(lambda: sum(one.left_at is None for one in fleet.reader.workers()) == 2, "the sleeper is back")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_server_that_is_killed_and_comes_back_disturbs_no_run(fleet: Fleet) -> None:
    worker = fleet.worker("--lease", str(LEASE_S))
    run, _ = walking(fleet)
    fleet.programs[0].kill()
    time.sleep(0.5)
    fleet.server()
    check_walked(fleet, run, set(), epoch=1)
    assert {of for _, _, of in notes(fleet)} == {1}
    fleet.until(lambda: worker.said.count("The server is back.") == 1, "it says so")
    assert sum(one.left_at is None for one in fleet.reader.workers()) == 1


def test_without_a_server_runs_go_on_longer_than_the_lease(fleet: Fleet) -> None:
    fleet.worker("--lease", "1")
    run, _ = walking(fleet, steps=1)
    fleet.programs[0].kill()
    fleet.until((fleet.folder / "result.txt").exists, "the flow comes to its end")
    fleet.server()
    check_walked(fleet, run, set(), epoch=1)


def test_a_server_that_hangs_lets_its_workers_end_what_others_may_have(fleet: Fleet) -> None:
    worker = fleet.worker("--lease", "1")
    run, pid = walking(fleet, steps=1)
    fleet.programs[0].signal(signal.SIGSTOP)
    fleet.until(lambda: not is_alive(pid), "its process ends", patience_s=4)
    assert "go on elsewhere" in worker.said
    fleet.programs[0].signal(signal.SIGCONT)
    assert fleet.wait(run).state == "Completed", fleet.told(run)


def test_when_all_of_it_dies_the_next_server_and_worker_go_on(fleet: Fleet) -> None:
    worker = fleet.worker("--lease", "1")
    run, pid = walking(fleet)
    reported = done(fleet, run)
    worker.kill()
    os.kill(pid, signal.SIGKILL)
    fleet.programs[0].kill()
    fleet.server()
    fleet.worker("--lease", "1")
    check_walked(fleet, run, reported)


def test_retries_after_a_crash_come_to_an_end_and_the_last_output_is_kept(fleet: Fleet) -> None:
    file = fleet.write("""
        import os, signal
        from ostinato import flow

        @flow
        def fall():
            print("about to fall")
            os.kill(os.getpid(), signal.SIGSEGV)
    """)
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "fall", crash_retries=1)))
    assert (run.state, run.epoch, run.n_crashes) == ("Crashed", 2, 1)
    assert run.message == "signal SIGSEGV"
    assert any("about to fall" in line.text for line in fleet.logs(run))


def test_a_flow_that_leaves_its_process_is_crashed(fleet: Fleet) -> None:
    file = fleet.write("""
        import os
        from ostinato import flow

        @flow
        def leave():
            print("good bye")
            os._exit(0)
    """)
    fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "leave", crash_retries=0)))
    assert (run.state, run.message) == ("Crashed", "exit code 0 before its flow had ended")
    assert any("good bye" in line.text for line in fleet.logs(run))


def test_a_fork_that_hangs_is_replaced_by_a_fresh_process(fleet: Fleet) -> None:
    file = fleet.write("""
        import os, time
        from pathlib import Path
        from ostinato import flow

        os.register_at_fork(after_in_child=lambda: time.sleep(600))

        @flow
        def work():
            (Path(__file__).parent / "result.txt").write_text("done")
    """)
    worker = fleet.worker()
    run = fleet.wait(fleet.run(fleet.deploy(file, "work")))
    assert (run.state, run.epoch, run.n_crashes) == ("Completed", 1, 0), fleet.told(run)
    assert "did not reach its code within 2 s" in worker.said


def test_a_run_that_never_lets_go_of_the_interpreter_keeps_its_lease(fleet: Fleet) -> None:
    file = fleet.write("""
        import re
        from ostinato import flow

        @flow
        def work():
            re.match("(a*)*b", "a" * 26)  # one call into C, several seconds long
    """)
    fleet.worker("--lease", "1")
    run = fleet.wait(fleet.run(fleet.deploy(file, "work")))
    assert (run.state, run.epoch) == ("Completed", 1), fleet.told(run)
    assert run.ended_at is not None
    assert run.started_at is not None
    assert run.ended_at - run.started_at > 1_500_000


# --- the end of a worker


def test_a_worker_that_is_ended_lets_its_runs_end(fleet: Fleet) -> None:
    worker = fleet.worker()
    run, _ = walking(fleet)
    assert worker.end() == 0, worker.said
    run = fleet.wait(run)
    assert (run.state, run.epoch) == ("Completed", 1)
    assert [(one.left_at is None, one.n_held) for one in fleet.reader.workers()] == [(False, 0)]


def test_what_does_not_end_in_time_goes_on_elsewhere(fleet: Fleet) -> None:
    worker = fleet.worker("--drain-s", "0.3")
    run, _ = walking(fleet)
    reported = done(fleet, run)
    assert worker.end() == 0, worker.said
    assert fleet.wait(run, "Scheduled").epoch == 2
    fleet.worker()
    check_walked(fleet, run, reported)


# --- cancel and pause

STUBBORN = """
    import os, time
    from pathlib import Path
    from ostinato import flow

    FOLDER = Path(__file__).parent

    @flow
    def gentle():
        (FOLDER / "began").touch()
        try:
            time.sleep(60)
        finally:
            (FOLDER / "cleaned").touch()

    @flow
    def deaf():
        (FOLDER / "began").touch()
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                (FOLDER / "heard").touch()

    @flow
    def stubborn():
        (FOLDER / "began").touch()
        while True:
            try:
                time.sleep(60)
            except BaseException:  # the signal of termination, too
                (FOLDER / "heard").touch()

    @flow
    def busy():
        (FOLDER / "began").touch()
        sum(range(20_000_000_000))
"""


@pytest.mark.parametrize("function", ["gentle", "deaf", "stubborn", "busy"])
def test_a_cancelled_run_ends_as_cancelled(fleet: Fleet, function: str) -> None:
    fleet.worker()
    run = fleet.run(fleet.deploy(fleet.write(STUBBORN), function, cancel_grace_s=0.5))
    fleet.until((fleet.folder / "began").exists, "it begins")
    fleet.do(CancelRun(run=run.id, reason="not needed"))
    run = fleet.wait(run)
    assert (run.state, run.epoch) == ("Cancelled", 1), fleet.told(run)
    assert (fleet.folder / "cleaned").exists() == (function == "gentle")
    assert (fleet.folder / "heard").exists() == (function in ("deaf", "stubborn"))


def test_a_run_that_has_not_begun_is_cancelled_at_once(fleet: Fleet) -> None:
    fleet.worker("--limit", "1")
    file = fleet.write(STUBBORN)
    first = fleet.run(fleet.deploy(file, "gentle"))
    fleet.until((fleet.folder / "began").exists, "it begins")
    second = fleet.run(fleet.deploy(file, "busy"))
    fleet.do(CancelRun(run=second.id))
    assert fleet.see(second).state == "Cancelled"
    fleet.do(CancelRun(run=first.id))
    assert fleet.wait(first).state == "Cancelled"


def test_a_paused_run_goes_on_in_its_process(fleet: Fleet) -> None:
    fleet.worker()
    run, _ = walking(fleet, steps=1)
    fleet.do(PauseRun(run=run.id))
    fleet.wait(run, "Paused")
    n_notes = len(notes(fleet))
    time.sleep(0.6)
    assert len(notes(fleet)) == n_notes
    fleet.do(ResumeRun(run=run.id))
    check_walked(fleet, run, set(), epoch=1)
    assert len({pid for _, pid, _ in notes(fleet)}) == 1


# --- clocks


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_worker_whose_clock_is_wrong_by_an_hour_starts_runs_on_time_and_keeps_its_lease(
    fleet: Fleet, hours: int
) -> None:
    file = fleet.write("""
        import time
        from pathlib import Path
        from ostinato import flow

        @flow
        def work():
            (Path(__file__).parent / "began").touch()
            time.sleep(1.5)
    """)
    clock = fleet.write(
        f"""
        import time
        now_s, now_ns = time.time, time.time_ns
        time.time = lambda: now_s() + {hours * 3600}
        time.time_ns = lambda: now_ns() + {hours * 3600} * 10**9
        """,
        "clock/sitecustomize.py",
    )
    paths = os.pathsep.join([str(clock.parent), os.environ.get("PYTHONPATH", "")])
    fleet.worker("--lease", "1", env={"PYTHONPATH": paths})
    due = time.time() + 1.2
    run = fleet.wait(fleet.run(fleet.deploy(file, "work"), due_at=int(due * 1e6)))
    assert (run.state, run.epoch) == ("Completed", 1), fleet.told(run)
    assert 0 <= (fleet.folder / "began").stat().st_mtime - due + 0.01 < 0.7
    assert run.started_at is not None
    assert abs(run.started_at / 1e6 - due - hours * 3600) < 2, "the wrong clock was in use"
