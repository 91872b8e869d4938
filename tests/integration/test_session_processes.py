"""Real processes that record: killed, forked, interrupted, many at once. What they leave is taken over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.contract.happenings import created, ended, moved, started

from ostinato import session
from ostinato.core.ids import new_id
from ostinato.core.query import Query
from ostinato.session.maintenance import check, facts

if TYPE_CHECKING:
    from tests.conftest import RunPython

ROOT = Path(__file__).resolve().parents[2]
PATHS = {"PYTHONPATH": str(ROOT)}
HEAD = """
    import os, signal, sys, threading, time
    from ostinato import session
    from ostinato.core.ids import new_id
    from tests.contract.happenings import created, ended, moved, started
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    recorder.record(moved(run, "Running", "Pending"))
"""


def _start(program: str, home: Path, tmp_path: Path, **env: str) -> subprocess.Popen[str]:
    file = tmp_path / f"{new_id()}.py"
    lines = [line.removeprefix("    ") for line in (HEAD + program).splitlines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(file)],
        env={**os.environ, "OSTINATO_HOME": str(home), **PATHS, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


ENDLESS = """
    no = 0
    while True:
        for _ in range(50):
            no += 1
            recorder.record(started(run, no))
            recorder.record(ended(run, no))
        if no % 500 == 0:
            recorder.settle("database")
            print(run, no, flush=True)
"""


def test_a_killed_process_loses_nothing_acknowledged_and_its_run_is_crashed(
    home: Path, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    for _ in range(5):
        process = _start(ENDLESS, home, tmp_path)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(random.randint(1, 3))]
        time.sleep(random.random() * 0.1)
        process.kill()
        said = [*lines, *process.communicate()[0].splitlines()]
        run, acknowledged = said[-1].split()
        reader = session.reader()
        found = reader.find_run(run)
        assert found.state == "Crashed"
        assert found.message == f"process {process.pid} on {os.uname().nodename} ended without a word"
        n_tasks = sum(count.n for count in reader.counts(run))
        assert n_tasks >= int(acknowledged)
        tasks = reader.task_runs(run, limit=n_tasks + 1)
        assert [task.no for task in tasks] == list(range(1, n_tasks + 1))
        assert {task.state for task in tasks[:-1]} == {"Completed"}
        reader.close()
    assert check(str(home)) == []
    assert facts(str(home)).journals == []


def test_two_openers_take_over_an_orphan_once(home: Path, tmp_path: Path) -> None:
    process = _start(ENDLESS, home, tmp_path)
    assert process.stdout is not None
    run = process.stdout.readline().split()[0]
    process.kill()
    process.communicate()
    opener = "from ostinato import session; session.reader().close()"
    openers = [
        subprocess.Popen([sys.executable, "-c", opener], env={**os.environ, "OSTINATO_HOME": str(home)})
        for _ in range(4)
    ]
    assert [opener.wait(30) for opener in openers] == [0, 0, 0, 0]
    reader = session.reader()
    assert [change.state for change in reader.history(run)] == ["Pending", "Running", "Crashed"]
    reader.close()
    assert check(str(home)) == []


def test_a_living_process_is_left_alone(home: Path, tmp_path: Path) -> None:
    process = _start(
        "    recorder.settle('database')\n    print(run, flush=True)\n    time.sleep(60)\n", home, tmp_path
    )
    assert process.stdout is not None
    run = process.stdout.readline().strip()
    reader = session.reader()
    assert reader.find_run(run).state == "Running"
    (journal,) = facts(str(home)).journals
    assert (journal.alive, journal.pid, journal.n_waiting) == (True, process.pid, 0)
    process.kill()
    process.communicate()
    reader.close()


def test_processes_that_record_at_once_never_wait_in_vain(home: Path, tmp_path: Path) -> None:
    program = """
    for no in range(1, 2001):
        recorder.record(started(run, no))
        recorder.record(ended(run, no))
        if no % 100 == 0:
            recorder.claim_cached(f"{no}", 60)
            assert recorder.settle("database", 30)
    recorder.record(moved(run, "Completed"))
    """
    processes = [_start(program, home, tmp_path) for _ in range(3)]
    for process in processes:
        out, err = process.communicate(timeout=50)
        assert (process.returncode, out, err) == (0, "", "")
    reader = session.reader()
    runs, _ = reader.runs(Query())
    assert [run.state for run in runs] == ["Completed"] * 3
    assert {count.n for run in runs for count in reader.counts(run.id)} == {2000}
    reader.close()
    assert check(str(home)) == []


def test_a_process_delivers_at_its_end_without_being_asked(home: Path, tmp_path: Path) -> None:
    program = """
    for no in range(1, 1001):
        recorder.record(started(run, no))
        recorder.record(ended(run, no))
    recorder.record(moved(run, "Completed"))
    """
    process = _start(program, home, tmp_path)
    assert process.communicate(timeout=50) == ("", "")
    assert facts(str(home)).journals == []
    reader = session.reader()
    assert reader.find_run("last").state == "Completed"
    assert [(count.state, count.n) for count in reader.counts(reader.find_run("last").id)] == [("Completed", 1000)]
    reader.close()


def test_what_still_runs_at_the_end_of_its_process_is_crashed_and_what_is_paused_stays(
    home: Path, tmp_path: Path
) -> None:
    program = """
    paused = new_id()
    recorder.record(created(paused, name="sleeper"))
    recorder.record(moved(paused, "Running", "Pending"))
    recorder.record(moved(paused, "Paused"))
    recorder.record(started(run, 1))
    """
    process = _start(program, home, tmp_path)
    assert process.communicate(timeout=50) == ("", "")
    reader = session.reader()
    run = reader.find_run("quiet-otter")
    assert (run.state, run.message) == ("Crashed", f"process {process.pid} ended before the run did")
    assert [task.state for task in reader.task_runs(run.id)] == ["Crashed"]
    assert reader.find_run("sleeper").state == "Paused"
    reader.close()
    assert check(str(home)) == []


@pytest.mark.only_sqlite(reason="a program that knows nothing of our lock")
def test_when_the_database_cannot_be_reached_at_the_end_the_next_process_delivers(home: Path, tmp_path: Path) -> None:
    session.reader().close()
    blocker = _blocker(home)
    program = """
    recorder.record(started(run, 1))
    recorder.record(ended(run, 1))
    recorder.record(moved(run, "Completed"))
    """
    process = _start(program, home, tmp_path, OSTINATO_EXIT_WAIT_S="0.3")
    out, err = process.communicate(timeout=50)
    assert (process.returncode, out) == (0, "")
    assert "the database was busy for 0.3 s" in err
    assert "the next Ostinato process on that home delivers what the journal holds" in err
    blocker.kill()
    blocker.communicate()
    reader = session.reader()
    assert reader.find_run("last").state == "Completed"
    reader.close()


@pytest.mark.only_sqlite(reason="a program that knows nothing of our lock")
def test_while_a_foreign_program_holds_the_database_recording_goes_on(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    assert recorder.settle("database", 10)
    blocker = _blocker(home)
    for no in range(1, 2001):
        recorder.record(started(run, no))
    assert recorder.settle("disk", 10)
    assert not recorder.settle("database", 0.2)
    blocker.kill()
    blocker.communicate()
    assert recorder.settle("database", 10)
    reader = session.reader()
    assert [count.n for count in reader.counts(run)] == [2000]
    reader.close()


def _blocker(home: Path) -> subprocess.Popen[str]:
    """Start a program that knows nothing of our lock and holds a write transaction."""
    program = (
        f"import sqlite3, time; db = sqlite3.connect({str(home / 'ostinato.db')!r}, isolation_level=None);"
        "db.execute('BEGIN IMMEDIATE'); print('held', flush=True); time.sleep(60)"
    )
    blocker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert blocker.stdout is not None
    assert blocker.stdout.readline() == "held\n"
    return blocker


def test_a_forked_child_has_a_stream_of_its_own(home: Path, tmp_path: Path) -> None:
    program = """
    parent = recorder.stream
    for no in range(1, 101):
        recorder.record(started(run, no))
        recorder.record(ended(run, no))
    pid = os.fork()
    if pid == 0:
        assert session.recorder() is recorder
        assert recorder.stream != parent
        mine = new_id()
        recorder.record(created(mine, name="child"))
        recorder.record(moved(mine, "Completed", "Pending"))
        recorder.record(moved(mine, "Running", "Pending"))
        recorder.record(moved(mine, "Completed"))
        assert recorder.find_variable("x") is None
        assert recorder.settle("database", 20)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert recorder.stream == parent
    for no in range(101, 201):
        recorder.record(started(run, no))
        recorder.record(ended(run, no))
    recorder.record(moved(run, "Completed"))
    """
    process = _start(program, home, tmp_path)
    assert process.communicate(timeout=50) == ("", "")
    assert process.returncode == 0
    reader = session.reader()
    assert reader.find_run("child").state == "Completed"
    run = reader.find_run("quiet-otter")
    assert [(count.state, count.n) for count in reader.counts(run.id)] == [("Completed", 200)]
    reader.close()
    assert check(str(home)) == []


def test_forks_in_the_middle_of_heavy_recording_all_work(home: Path, tmp_path: Path) -> None:
    program = """
    stop = threading.Event()
    def work():
        no = 0
        while not stop.is_set():
            no += 1
            recorder.record(started(run, no))
            recorder.record(ended(run, no))
            recorder.find_variable("x")
    thread = threading.Thread(target=work)
    thread.start()
    for number in range(15):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            mine = new_id()
            recorder.record(created(mine, name=f"child-{number}"))
            recorder.find_variable("x")
            os._exit(0 if recorder.settle("database", 15) else 1)
        assert os.waitpid(pid, 0)[1] == 0, number
    stop.set()
    thread.join()
    recorder.record(moved(run, "Completed"))
    """
    process = _start(program, home, tmp_path)
    assert process.communicate(timeout=50) == ("", "")
    assert process.returncode == 0
    reader = session.reader()
    assert reader.find_run("quiet-otter").state == "Completed"
    assert reader.find_run("child-14").state == "Crashed"  # it left without a word
    reader.close()
    assert check(str(home)) == []


def test_a_child_that_outlives_its_killed_parent_does_not_keep_it_alive(home: Path, tmp_path: Path) -> None:
    program = """
    recorder.settle("database")
    if os.fork() == 0:
        print(os.getpid(), run, flush=True)
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
    """
    process = _start(program, home, tmp_path)
    assert process.stdout is not None
    child, run = process.stdout.readline().split()
    process.kill()
    process.wait(10)
    reader = session.reader()
    state = reader.find_run(run).state
    reader.close()
    os.kill(int(child), signal.SIGKILL)
    process.communicate()
    assert state == "Crashed"


def test_a_signal_handler_may_record(home: Path, tmp_path: Path) -> None:
    program = """
    n = 0
    def on_alarm(number, frame):
        global n
        n += 1
        recorder.record(started(run, n))
        if n % 10 == 0:
            recorder.settle("disk", 5)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    end = time.monotonic() + 1.5
    no = 100_000
    while time.monotonic() < end:
        no += 1
        recorder.record(started(run, no))
        if no % 20 == 0:
            recorder.settle("disk", 5)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert recorder.settle("database", 20)
    print(n + no - 100_000, n > 50)
    """
    process = _start(program, home, tmp_path)
    out, err = process.communicate(timeout=50)
    assert err == ""
    n_recorded, enough = out.split()
    reader = session.reader()
    assert sum(count.n for count in reader.counts(reader.find_run("last").id)) == int(n_recorded)
    assert enough == "True"
    reader.close()


def test_many_threads_record_without_loss(home: Path) -> None:

    recorder = session.recorder()
    runs = [new_id() for _ in range(8)]

    def work(run: str) -> None:
        recorder.record(created(run))
        for no in range(1, 501):
            recorder.record(started(run, no))
            recorder.record(ended(run, no))

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.settle("database", 20)
    reader = session.reader()
    assert [[(count.state, count.n) for count in reader.counts(run)] for run in runs] == [[("Completed", 500)]] * 8
    reader.close()


def test_what_disk_durability_returned_survives_a_kill(home: Path, run_python: RunPython) -> None:
    program = """
    import os
    from ostinato import session
    from tests.contract.happenings import created, moved
    recorder = session.recorder()
    recorder.record(created("a" * 32))
    recorder.record(moved("a" * 32, "Running", "Pending"))
    os.kill(os.getpid(), 9)
    """
    for level in ("disk", "database"):
        run_python(program, code=-9, env={**PATHS, "OSTINATO_DURABILITY": level})
        reader = session.reader()
        steps = [change.state for change in reader.history("a" * 32)]
        assert steps[:2] == ["Pending", "Running"]
        reader.close()


def test_what_database_durability_returned_is_visible_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_DURABILITY", "database")
    recorder = session.recorder()
    reader = session.reader()
    run = new_id()
    recorder.record(created(run))
    assert reader.find_run(run).state == "Pending"
    recorder.record(moved(run, "Running", "Pending"))
    assert reader.find_run(run).state == "Running"
    reader.close()
