"""Hooks, logs, prints and the run context: what running code is told, and what it may say."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.engine_record import Record, all_runs

from ostinato import flow, get_run_context, get_run_logger, runtime, task
from ostinato.core.errors import NoContext

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunPython

pytestmark = pytest.mark.usefixtures("home")

Told = list[tuple[str, str, str, str]]


def teller(told: Told, label: str) -> Any:
    def hook(recorded: Any, run: Any, state: Any) -> None:
        told.append((label, recorded.name, state.name, run.name))
        assert run.id
        assert run.run_count >= 1

    return hook


def test_hooks_are_called_with_flow_or_task_run_and_state() -> None:
    told: Told = []
    names = ("on_running", "on_completion", "on_failure", "on_cancellation", "on_crashed")
    hooks: dict[str, Any] = {name: teller(told, name) for name in names}

    @task(**hooks, task_run_name="t-{x}")
    def work(x: int) -> int:
        if x < 0:
            raise ValueError("negative")
        return x

    @flow(**hooks, flow_run_name="f-{x}")
    def whole(x: int) -> int:
        return work(x)

    assert whole(1) == 1
    assert told == [
        ("on_running", "whole", "Running", "f-1"),
        ("on_running", "work", "Running", "t-1"),
        ("on_completion", "work", "Completed", "t-1"),
        ("on_completion", "whole", "Completed", "f-1"),
    ]
    told.clear()
    with pytest.raises(ValueError, match="negative"):
        whole(-1)
    assert [(label, name, state) for label, name, state, _ in told] == [
        ("on_running", "whole", "Running"),
        ("on_running", "work", "Running"),
        ("on_failure", "work", "Failed"),
        ("on_failure", "whole", "Failed"),
    ]


def test_a_failure_hook_sees_the_exception_and_a_completion_hook_the_value() -> None:
    seen: list[Any] = []

    @task
    def work(x: int) -> int:
        if x < 0:
            raise ValueError("negative")
        return x

    @work.on_failure
    def note_failure(_: Any, run: Any, state: Any) -> None:
        seen.append((state.message, type(state.result(raise_on_failure=False)), run.task_name))

    @work.on_completion
    def note_value(_: Any, run: Any, state: Any) -> None:
        seen.append(state.result())

    @flow
    def whole() -> None:
        work(5)
        work(-1, return_state=True)

    whole()
    assert seen == [5, ("ValueError: negative", ValueError, "work")]


def test_an_exception_in_a_hook_is_logged_and_hides_nothing() -> None:
    def bad(*_: Any) -> None:
        raise KeyError("hook")

    @task(on_completion=[bad], on_running=bad)
    def work() -> int:
        return 1

    @flow(on_completion=[bad])
    def whole() -> int:
        return work()

    assert whole() == 1
    record = Record()
    assert (record.state, record.states()) == ("Completed", {"work": "Completed"})
    assert sum("KeyError" in text and "bad" in text for text in record.texts()) == 3


def test_async_hooks_are_finished_in_sync_and_async_runs() -> None:
    told: list[str] = []

    async def hook(recorded: Any, *_: Any) -> None:
        await asyncio.sleep(0)
        told.append(recorded.name)

    @task(on_completion=[hook], name="sync_task")
    def work() -> int:
        return 1

    @task(on_completion=[hook])
    async def work_later() -> int:
        return 1

    @flow(on_completion=[hook])
    def whole() -> int:
        return work()

    @flow(on_completion=[hook])
    async def later() -> int:
        return await work_later()

    whole()
    asyncio.run(later())
    assert told == ["sync_task", "whole", "work_later", "later"]


def test_a_hook_may_log_and_ask_for_the_context() -> None:
    def hook(*_: Any) -> None:
        get_run_logger().info("in the hook of %s", get_run_context().flow_run.flow_name)

    @flow(on_running=[hook], on_completion=[hook])
    def whole() -> int:
        return 1

    assert whole() == 1
    assert Record().texts() == ["in the hook of whole"] * 2


def test_a_bad_hook_at_the_start_of_a_flow_stops_nothing() -> None:
    """Born from a bug: the note of the failure had no run to belong to, and broke the flow."""

    def bad(*_: Any) -> None:
        raise KeyError("at the start")

    @flow(on_running=bad)
    def child() -> int:
        return 1

    @flow(on_running=bad)
    def whole() -> int:
        return child()

    assert whole() == 1
    for run in all_runs():
        assert any("at the start" in text for text in Record(run.id).texts())


def test_an_async_hook_of_a_sync_flow_inside_an_event_loop_is_finished() -> None:
    told: list[str] = []

    async def hook(*_: Any) -> None:
        await asyncio.sleep(0)
        told.append(get_run_context().flow_run.flow_name)

    @flow(on_completion=hook)
    def whole() -> int:
        return 1

    async def cell() -> int:
        return whole()

    assert asyncio.run(cell()) == 1
    assert told == ["whole"]


# --- logs


def test_prints_become_lines_of_the_run_that_prints() -> None:
    @task
    def inner() -> None:
        print("from", "the", "task", sep="-")

    @task(log_prints=False)
    def silent() -> None:
        print("not kept")

    @flow
    def child() -> None:
        print("from the child")

    @flow(log_prints=True)
    def whole() -> None:
        print("from the flow", 1)
        print()
        inner()
        silent()
        child()

    whole()
    root = Record(next(run.id for run in all_runs() if run.root_id == run.id))
    by_text = {line.text: line.no for line in root.logs}
    assert by_text["from the flow 1"] == 0
    assert by_text["from-the-task"] == root.task("inner").no
    assert "not kept" not in by_text
    assert "from the child" in Record(root.subflows[0].id).texts()


def test_prints_of_one_task_alone_may_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    @task(log_prints=True)
    def loud() -> None:
        print("kept")

    @flow
    def whole() -> None:
        print("shown only")
        loud()

    whole()
    assert "kept" in Record().texts()
    assert "shown only" not in Record().texts()
    assert "shown only" in capsys.readouterr().out


def test_many_prints_and_a_huge_line_are_kept_within_bounds() -> None:
    @flow(log_prints=True)
    def whole() -> None:
        for i in range(20_000):
            print(i)
        print("ü" * (50 << 20))

    whole()
    record = Record()
    texts = record.texts()
    kept = [text for text in texts if text.isdigit()]
    assert len(kept) + record.run.n_logs_dropped >= 20_000
    (huge,) = [text for text in texts if text.startswith("ü")]
    assert len(huge) < 2 << 20
    assert "characters more" in huge
    assert record.state == "Completed"


class Helper:
    """A class that is handed a logger, as in older code."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def work(self) -> None:
        self.logger.warning("the old name, %s", "with arguments")
        self.logger.warning("the new name")
        self.logger.error("wrong")
        self.logger.debug("below the level")


def test_a_run_logger_may_be_handed_on_and_used_in_threads() -> None:
    @task
    def work() -> None:
        logger = get_run_logger()
        Helper(logger).work()
        thread = threading.Thread(target=lambda: logger.info("in a thread"))
        thread.start()
        thread.join()

    @flow
    def whole() -> None:
        get_run_logger().info("flow line")
        work()

    whole()
    record = Record()
    no = record.task("work").no
    lines = [(line.no, line.level, line.text) for line in record.logs]
    assert lines == [
        (0, 20, "flow line"), (no, 30, "the old name, with arguments"), (no, 30, "the new name"), (no, 40, "wrong"),
        (no, 20, "in a thread"),
    ]  # fmt: skip


def test_an_exception_is_logged_with_its_traceback() -> None:
    @flow
    def whole() -> None:
        try:
            raise ValueError("caught")
        except ValueError:
            get_run_logger().exception("it went wrong")

    whole()
    (text,) = [text for text in Record().texts() if "it went wrong" in text]
    assert "ValueError: caught" in text


def test_loggers_and_context_need_a_run() -> None:
    with pytest.raises(NoContext):
        get_run_logger()
    with pytest.raises(NoContext):
        get_run_context()
    assert runtime.flow_run.id is None
    assert runtime.task_run.name is None


def test_standard_logging_is_captured_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_CAPTURE_LOGGING", "true")

    @flow
    def whole() -> None:
        logging.getLogger("somebody.else").warning("said elsewhere")

    whole()
    assert "said elsewhere" in Record().texts()


# --- context


def test_the_context_and_runtime_tell_who_runs() -> None:
    seen: dict[str, Any] = {}

    @task(tags=["t"])
    def work(x: int) -> None:
        context = get_run_context()
        assert context.task_run is not None
        seen["task"] = (context.task_run.name, context.task_run.task_name, context.task_run.tags)
        assert (runtime.task_run.name, runtime.task_run.run_count) == (context.task_run.name, 1)
        assert runtime.flow_run.name == context.flow_run.name

    @flow(tags=["f"])
    def whole(x: int, y: str = "b") -> None:
        context = get_run_context()
        seen["flow"] = (context.flow_run.flow_name, dict(context.flow_run.parameters), context.flow_run.tags)
        seen["due"] = context.flow_run.expected_start_time
        assert context.task_run is None
        assert runtime.flow_run.parameters == {"x": 1, "y": "b"}
        work(x)

    begun = datetime.now(UTC)
    whole(1)
    record = Record()
    assert seen["flow"] == ("whole", {"x": 1, "y": "b"}, ("f",))
    assert seen["task"] == (record.task("work").name, "work", ("t",))
    assert abs((seen["due"] - begun).total_seconds()) < 5
    assert record.run.tags == ("f",)


def test_a_thread_without_context_belongs_to_the_only_running_flow() -> None:
    @task
    def work(x: int) -> int:
        return x + 1

    found: list[int] = []

    @flow
    def whole() -> None:
        thread = threading.Thread(target=lambda: found.append(work(1)))
        thread.start()
        thread.join()

    whole()
    assert found == [2]
    assert Record().states() == {"work": "Completed"}


def test_a_thread_without_context_and_flow_makes_a_run_of_its_own_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @task
    def work(x: int) -> int:
        return x + 1

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(work(1)))
    thread.start()
    thread.join()
    assert found == [2]
    assert "without context" in capsys.readouterr().err
    assert Record().run.flow == "work"


def test_the_console_tells_the_run_in_the_known_format(run_python: RunPython) -> None:
    program = """
        from ostinato import flow, task, get_run_logger

        @task
        def apply_model():
            get_run_logger().warn("careful")

        @flow
        def score():
            apply_model()

        score()
    """
    said = run_python(program, env={"OSTINATO_CONSOLE": "true"}).stderr
    assert re.search(
        r"^\d\d:\d\d:\d\d\.\d{3} \| WARNING \| Task run 'apply_model-[0-9a-f]{8}-0' - careful$", said, re.MULTILINE
    )
    assert re.search(r"INFO    \| Flow run '[a-z]+-[a-z]+' - .*'score'", said)
    assert re.search(r"Task run 'apply_model-[0-9a-f]{8}-0' - Finished in state Completed\(\)", said)


def test_a_clock_that_jumps_back_stops_nobody(run_python: RunPython, home: Path) -> None:
    program = """
        import time
        from ostinato import flow, task

        real, jump = time.time_ns, [0]
        time.time_ns = lambda: real() - jump[0]

        @task(retries=1)
        def work(x):
            jump[0] += 3_600_000_000_000
            return x

        @flow
        def whole():
            for i in range(50):
                work(i)
            return sum(work.map(range(50)).result())

        assert whole() == 1225
    """
    run_python(program, timeout_s=20)
    record = Record(home=home)
    assert record.state == "Completed"
    assert record.counters() == {("work", "Completed"): 100} == record.counted()
