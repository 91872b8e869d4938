"""The tracking functions in flows, in tasks and outside: what they record, and what stops neither them nor training."""

from __future__ import annotations

import gc
import logging
import math
import os
import threading
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ostinato
from ostinato import flow, log_metric, log_metrics, log_param, log_params, session, set_tag, start_run, task
from ostinato.core.errors import PathInvalid, TaskTimedOut, TrackedValueInvalid, TrackingRunOpen
from ostinato.core.query import Query
from ostinato.tracking import system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunPython

    from ostinato.core.ports import Reader
    from ostinato.core.tracking import TrackingRun
    from ostinato.tracking.runs import Run

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(autouse=True)
def _no_experiment_chosen() -> Iterator[None]:
    yield
    ostinato.set_experiment("")
    while (run := ostinato.active_run()) is not None:
        run.end()


def reader() -> Reader:
    assert session.recorder().settle("database", 30)
    return session.reader()


def tracked(run_id: str) -> TrackingRun:
    with_reader = reader()
    found = with_reader.find_tracking_run(run_id)
    with_reader.close()
    return found


def of_newest_flow_run() -> list[TrackingRun]:
    with_reader = reader()
    newest = with_reader.find_run("last")
    found = with_reader.tracking_runs_of(newest.id)
    with_reader.close()
    return found


def values_of(run_id: str, key: str) -> list[float]:
    with_reader = reader()
    points = with_reader.metric_history(run_id, key, most=1_000_000)
    with_reader.close()
    return [point.value for point in points]


# --- outside of flows


def test_a_run_keeps_what_is_logged(tmp_path: Path) -> None:
    with start_run("first", experiment="rides", tags={"team": "geo"}) as run:
        log_params({"lr": 0.1, "depth": 3})
        log_param("model/kind ü", "linear")
        log_metrics({"rmse": 6.5, "r2": math.nan}, step=3)
        log_metric("rmse", 7, step=2, time=datetime(2026, 1, 1, tzinfo=UTC))
        set_tag("note", "x" * 250_000)
        ostinato.set_tags({"team": None})
        ostinato.log_text("hello", "notes/a.txt")
        ostinato.log_dict({"a": [1, 2]}, "a.json")
        ostinato.log_table([{"model": "a", "rmse": 1.5}], "scores.json")
        (tmp_path / "files" / "deep").mkdir(parents=True)
        (tmp_path / "files" / "deep" / "one.bin").write_bytes(b"1" * 100_000)
        (tmp_path / "files" / "empty").touch()
        ostinato.log_artifact(tmp_path / "files")
        ostinato.log_artifacts(tmp_path / "files", "again")
    found = tracked(run.id)
    assert (found.name, found.status, found.flow_run_id) == ("first", "finished", "")
    assert found.params == {"lr": "0.1", "depth": "3", "model/kind ü": "linear"}
    assert [(one.key, one.step) for one in found.metrics] == [("r2", 3), ("rmse", 3)]
    assert found.tags["note"] == "x" * 250_000
    assert "team" not in found.tags
    with_reader = reader()
    files = {file.path: file for file in with_reader.tracked_files(run.id)}
    assert list(files) == [
        "a.json", "again/deep/one.bin", "again/empty", "files/deep/one.bin", "files/empty", "notes/a.txt",
        "scores.json",
    ]  # fmt: skip
    assert with_reader.blob(files["again/deep/one.bin"].blob) == b"1" * 100_000
    assert with_reader.blob(files["scores.json"].blob) == b'{"columns":["model","rmse"],"data":[["a",1.5]]}'
    assert files["notes/a.txt"].media_type == "text/plain"
    with_reader.close()


def test_a_run_tells_by_itself_where_it_comes_from() -> None:
    with start_run() as run:
        log_metric("m", 1)
    found = tracked(run.id)
    head = Path(__file__).resolve().parents[2] / ".git"
    assert found.tags["ostinato.python"] == ".".join(map(str, __import__("sys").version_info[:3]))
    assert found.tags["ostinato.host"] == os.uname().nodename
    assert "msgspec==" in found.tags["ostinato.packages"]
    assert found.actor
    assert found.started_at <= (found.ended_at or 0)
    assert not head.exists() or len(found.tags.get("ostinato.git_commit", "0" * 40)) == 40


def test_a_metric_without_a_step_has_the_next_one() -> None:
    with start_run() as run:
        for value in (3.0, 2.0, 1.0):
            log_metric("loss", value)
        log_metric("loss", 9, step=1)
    with_reader = reader()
    assert [point.step for point in with_reader.metric_history(run.id, "loss")] == [0, 1, 1, 2]
    with_reader.close()


def test_values_from_many_threads_are_kept_each_once() -> None:
    def log(run: Run) -> None:
        for value in range(2_000):
            run.log_metric("m", value)

    with start_run() as run:
        threads = [threading.Thread(target=log, args=(run,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(values_of(run.id, "m")) == sorted(list(range(2_000)) * 8)


def test_a_run_in_a_run_knows_the_one_around_it() -> None:
    with start_run("outer", experiment="trials") as outer:
        with pytest.raises(TrackingRunOpen):
            start_run()
        with start_run("inner", nested=True) as inner:
            log_param("where", "inner")
        log_param("where", "outer")
    assert (tracked(inner.id).parent_id, tracked(inner.id).params) == (outer.id, {"where": "inner"})
    assert tracked(outer.id).params == {"where": "outer"}
    assert tracked(outer.id).experiment_id == tracked(inner.id).experiment_id


def test_a_block_that_raises_ends_its_run_as_failed() -> None:
    with pytest.raises(ZeroDivisionError), start_run() as run:
        _ = 1 / 0
    assert tracked(run.id).status == "failed"


def test_another_value_of_a_parameter_is_told_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), start_run() as run:
        log_param("lr", 1)
        log_param("lr", 1)
        assert not caplog.messages
        log_param("lr", 2)
    assert "keeps its first value" in caplog.text
    assert tracked(run.id).params == {"lr": "1"}


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with start_run() as run:
        refused: list[Any] = [
            lambda: log_metric("m", "many"),  # type: ignore[arg-type]
            lambda: log_metric("m", 1, step=2.5),  # type: ignore[arg-type]
            lambda: log_metric("m", 1, step=1 << 63),
            lambda: log_metric("", 1),
            lambda: log_params({3: 1}),  # type: ignore[dict-item]
            lambda: log_metric(None, 1),  # type: ignore[arg-type]
            lambda: log_param("k" * 5_000, 1),
            lambda: log_param("k", "x" * (2 << 20)),
            lambda: set_tag("a\0b", 1),
            lambda: ostinato.log_figure(object(), "a.png"),
            lambda: start_run("a\0b", nested=True),
            lambda: start_run(experiment=" ", nested=True),
            lambda: start_run(tags={"": 1}, nested=True),
        ]
        for call in refused:
            with pytest.raises(TrackedValueInvalid):
                call()
        for path in ("../out.txt", "/etc/passwd", "a/../../b"):
            with pytest.raises(PathInvalid):
                ostinato.log_text("x", path)
        with pytest.raises(FileNotFoundError):
            ostinato.log_artifact(tmp_path / "none")
        log_metric("m", 1.5)
    assert values_of(run.id, "m") == [1.5]


def test_a_program_without_start_run_has_a_run_of_its_own_that_ends_with_it(run_python: RunPython) -> None:
    run_python("import ostinato; ostinato.log_metric('m', 1); ostinato.set_experiment('x')")
    run_python("import ostinato; ostinato.log_metric('m', 1); raise SystemExit(0)")
    run_python("import ostinato; ostinato.log_metric('m', 1); ostinato.start_run('open', nested=True); 1 / 0", code=1)
    with_reader = session.reader()
    assert [one.name for one in with_reader.experiments()] == ["Default"]
    with_reader.close()
    from ostinato.session.home import Home
    from ostinato.store.tracking import newest_runs

    database = Home(os.environ["OSTINATO_HOME"]).open()
    found = newest_runs(database.db, "0")
    database.close()
    assert [run.status for run in found] == ["failed", "failed", "finished", "finished"]
    assert found[0].source.endswith("program_3.py")


def test_a_forked_process_logs_into_the_run_too() -> None:
    with start_run() as run:
        log_metric("m", 0)
        pid = os.fork()
        if pid == 0:
            try:
                run.log_metric("m", 1, step=1)
                run.flush()
                session.close()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    assert values_of(run.id, "m") == [0, 1]


def test_a_forked_process_flushes_what_it_logs_by_itself() -> None:
    with start_run() as run:
        log_metric("m", 0)  # it waits for others while the process forks
        pid = os.fork()
        if pid == 0:
            try:
                run.log_metric("m", 1, step=1)
                time.sleep(1.0)
                session.close()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    assert values_of(run.id, "m") == [0, 1]


def test_runs_that_have_ended_are_not_held() -> None:
    with start_run("last") as last:
        pass
    held = weakref.ref(last)
    del last
    for _ in range(2):
        with start_run():
            pass
    gc.collect()
    assert held() is None


def test_training_goes_on_where_nothing_can_be_recorded(run_python: RunPython) -> None:
    ended = run_python(
        """
        import ostinato
        with ostinato.start_run() as run:
            ostinato.log_params({"lr": 1})
            for value in range(10_000):
                ostinato.log_metric("m", value)
            ostinato.log_text("x", "a.txt")
        print("trained")
        """,
        env={"OSTINATO_HOME": "/proc/nowhere"},
    )
    assert ended.stdout == "trained\n"
    assert ended.stderr.count("what it logs is lost") == 1


def test_system_metrics_are_logged_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "EVERY_S", 0.02)
    with start_run(system_metrics=True) as run:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            sum(range(1_000))
    found = {one.key: one.value for one in tracked(run.id).metrics}
    assert found["system/mean_cpu_percent"] > 0
    assert set(found) >= {"system/cpu_percent", "system/memory_mb", "system/machine_free_mb", "system/machine_load"}
    assert not [thread for thread in threading.enumerate() if thread.name == "ostinato-system-metrics"]


# --- in flows


@task
def fit(rate: float) -> float:
    log_param("rate", rate)
    log_metric("loss", rate * 2)
    if rate > 1:
        raise ValueError(rate)
    return rate


@flow
def train(*rates: float) -> None:
    for future in [fit.submit(rate) for rate in rates]:
        future.wait()


def test_each_task_has_its_own_run_which_ends_as_the_task_does() -> None:
    with pytest.raises(ValueError, match="2"):
        train(0.5, 2.0, 0.25)
    found = of_newest_flow_run()
    assert [(run.params["rate"], run.status) for run in found] == [
        ("0.5", "finished"),
        ("2.0", "failed"),
        ("0.25", "finished"),
    ]
    with_reader = reader()
    tasks = {one.no: one.name for one in with_reader.task_runs(found[0].flow_run_id)}
    assert [run.name for run in found] == [tasks[run.task_no] for run in found]
    assert with_reader.find_experiment("train").id == found[0].experiment_id
    assert found[0].source == __file__
    assert found[0].version == with_reader.find_run("last").version
    with_reader.close()


def test_a_run_of_the_flow_takes_what_tasks_log_within_it() -> None:
    @flow
    def search() -> None:
        for rate in (0.1, 0.2):
            with start_run(f"trial-{rate}", experiment="search at noon"):
                fit(rate)
        log_metric("trials", 2)

    search()
    found = {run.name: run for run in of_newest_flow_run()}
    assert {name: run.params for name, run in found.items() if name[:5] == "trial"} == {
        "trial-0.1": {"rate": "0.1"},
        "trial-0.2": {"rate": "0.2"},
    }
    own = next(run for name, run in found.items() if name[:5] != "trial")
    assert (own.metrics[0].key, own.status, own.task_no) == ("trials", "finished", 0)


def test_the_own_run_of_a_task_began_when_the_task_did() -> None:
    @task
    def slow() -> None:
        time.sleep(0.2)
        log_metric("m", 1)

    @flow
    def wait() -> None:
        slow()

    wait()
    (run,) = of_newest_flow_run()
    assert run.ended_at is not None
    assert run.ended_at - run.started_at >= 200_000


def test_a_run_that_a_task_leaves_open_ends_with_it() -> None:
    @task
    def forgetful() -> None:
        start_run("forgotten")
        log_metric("m", 1)

    @flow
    def once() -> bool:
        forgetful()
        return ostinato.active_run() is None

    assert once()
    assert [(run.name, run.status) for run in of_newest_flow_run()] == [("forgotten", "finished")]


def test_a_retried_task_goes_on_with_its_run() -> None:
    attempts = []

    @task(retries=1)
    def unsteady() -> None:
        attempts.append(1)
        log_metric("attempt", len(attempts))
        with start_run("trial"):
            log_param("n", 1)
        if len(attempts) == 1:
            raise OSError

    @flow
    def once() -> None:
        unsteady()

    once()
    own, trial = sorted(of_newest_flow_run(), key=lambda run: run.name == "trial")
    assert (own.status, values_of(own.id, "attempt")) == ("finished", [1, 2])
    assert (trial.status, trial.params) == ("finished", {"n": "1"})


def test_a_function_that_was_left_behind_does_not_begin_its_run_anew() -> None:
    late = threading.Event()

    @task(timeout_seconds=0.2)
    def slow() -> None:
        log_metric("m", 1)
        time.sleep(0.5)
        log_metric("m", 2)
        late.set()

    @flow
    def once() -> None:
        slow.submit().wait()
        assert late.wait(10)

    with pytest.raises(TaskTimedOut):
        once()
    time.sleep(0.7)  # until the values that wait are recorded
    (run,) = of_newest_flow_run()
    assert (run.status, values_of(run.id, "m")) == ("failed", [1, 2])


def test_tasks_in_other_processes_are_tracked(run_python: RunPython) -> None:
    run_python(
        """
        from ostinato import ProcessRunner, flow, log_metric, task

        @task
        def fit(rate):
            log_metric("loss", rate)

        @flow(task_runner=ProcessRunner(max_workers=2))
        def train():
            for future in fit.map([1.0, 2.0]):
                future.result()

        if __name__ == "__main__":
            train()
        """
    )
    found = of_newest_flow_run()
    assert [(run.status, run.metrics[0].value) for run in found] == [("finished", 1.0), ("finished", 2.0)]


def test_a_resumed_task_goes_on_with_the_run_of_the_killed_one(run_python: RunPython, tmp_path: Path) -> None:
    program = """
        import os, pathlib
        from ostinato import flow, log_metric, log_param, task
        from ostinato.session import recorder

        @task
        def fit():
            log_param("lr", 1)
            log_metric("loss", 5.0, step=0)
            if not pathlib.Path("again").exists():
                pathlib.Path("again").touch()
                import time; time.sleep(1.0)
                recorder().settle("database")
                os.kill(os.getpid(), 9)
            log_metric("loss", 4.0, step=1)

        @flow
        def train():
            fit()

        if __name__ == "__main__":
            train()
        """
    run_python(program, code=-9)
    with_reader = session.reader()
    crashed = with_reader.runs(Query())[0][0]
    (before,) = with_reader.tracking_runs_of(crashed.id)
    with_reader.close()
    (tmp_path / "resume.py").write_text("from ostinato.cli.main import main; main()")
    run_python(tmp_path / "resume.py", "resume", crashed.id)
    (after,) = of_newest_flow_run()
    assert (after.id, after.status, after.epoch) == (before.id, "finished", 2)
    assert values_of(after.id, "loss") == [5.0, 5.0, 4.0]
