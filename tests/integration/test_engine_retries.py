"""Retries, timeouts, caching, effects and what is kept of results."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests import homes
from tests.integration.engine_record import Record, all_runs

from ostinato import DEFAULT, INPUTS, NO_CACHE, RUN_ID, State, exponential_backoff, flow, get_run_context, task
from ostinato.core.errors import BadOption, FlowTimedOut, TaskTimedOut
from ostinato.session import reader, recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunPython

pytestmark = pytest.mark.usefixtures("home")


class Flaky:
    """Fails so many times, then gives how often it was called."""

    def __init__(self, n_failures: int) -> None:
        self.n_failures = n_failures
        self.n_calls = 0

    def __call__(self) -> int:
        self.n_calls += 1
        if self.n_calls <= self.n_failures:
            raise ConnectionError(f"failure {self.n_calls}")
        return self.n_calls


def history(task_name: str) -> list[str]:
    """Give the messages of a task's failures that were logged."""
    record = Record()
    no = record.task(task_name).no
    return [line.text for line in record.logs if line.no == no]


@pytest.mark.parametrize("delays", [None, 0, 0.001, [0.001, 0.002], lambda n: [0.001] * n, exponential_backoff(0.001)])
def test_a_task_is_tried_again_with_any_kind_of_delay(delays: Any) -> None:
    flaky = Flaky(2)

    @task(retries=2, retry_delay_seconds=delays, retry_jitter_factor=0.5)
    def fetch() -> int:
        assert get_run_context().task_run.run_count == flaky.n_calls + 1  # type: ignore[union-attr]
        return flaky()

    @flow
    def whole() -> int:
        return fetch()

    assert whole() == 3
    row = Record().task("fetch")
    assert (row.state, row.attempt) == ("Completed", 3)
    assert any("attempt 1 failed" in text for text in history("fetch"))


def test_exhausted_retries_fail_with_the_last_exception_and_its_traceback() -> None:
    flaky = Flaky(9)

    @task(retries=2)
    def fetch() -> int:
        return flaky()

    @flow
    def whole() -> int:
        return fetch()

    with pytest.raises(ConnectionError, match="failure 3"):
        whole()
    record = Record()
    assert flaky.n_calls == 3
    assert record.task("fetch").attempt == 3
    assert record.task("fetch").error is not None
    assert "failure 3" in record.run.message
    assert "Traceback" in record.task("fetch").error.trace  # type: ignore[union-attr]
    assert "ostinato/engine" not in record.task("fetch").error.trace  # type: ignore[union-attr]


def test_a_condition_decides_about_a_further_try_and_one_that_raises_means_no() -> None:
    asked: list[Any] = []

    def only_first(a_task: Any, run: Any, state: State) -> bool:
        asked.append((a_task.name, run.run_count, str(state.error)))
        return "failure 1" in state.message

    def raises(*_: Any) -> bool:
        raise KeyError("condition")

    for condition, n_calls in ((only_first, 2), (raises, 1)):
        flaky = Flaky(9)
        fetch = task(retries=5, retry_condition_fn=condition, name="fetch")(flaky)

        @flow
        def whole(one: Any) -> int:
            return int(one())

        with pytest.raises(ConnectionError):
            whole.with_options(validate_parameters=False)(fetch)
        assert flaky.n_calls == n_calls
    assert asked == [("fetch", 1, "failure 1"), ("fetch", 2, "failure 2")]


def test_an_async_task_is_tried_again() -> None:
    flaky = Flaky(1)

    @task(retries=1, retry_delay_seconds=0.001)
    async def fetch() -> int:
        return flaky()

    @flow
    async def whole() -> int:
        return await fetch()

    assert asyncio.run(whole()) == 2


def test_a_delay_function_that_gives_nonsense_fails_the_run_with_the_reason() -> None:
    @task(retries=1, retry_delay_seconds=lambda _: "soon")
    def fetch() -> int:
        raise ConnectionError

    @flow
    def whole() -> int:
        return fetch()

    with pytest.raises(BadOption, match="retry_delay_seconds"):
        whole()
    assert Record().states() == {"fetch": "Failed"}


def test_an_interrupt_while_a_task_waits_for_its_retry_cancels_it() -> None:
    def interrupt(_: int) -> float:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), 2)).start()
        return 30

    @task(retries=1, retry_delay_seconds=interrupt)
    def fetch() -> int:
        raise ConnectionError

    @flow
    def whole() -> int:
        return fetch()

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        whole()
    assert time.monotonic() - begun < 5
    record = Record()
    assert (record.state, record.states()) == ("Cancelled", {"fetch": "Cancelled"})


def test_a_user_exception_of_any_kind_reaches_the_caller_as_it_is() -> None:
    class Odd(BaseException):
        pass

    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    for error in (StopIteration(3), Odd("odd"), Broken(), SystemExit(4), AssertionError("a"), TimeoutError("mine")):

        @task(retries=0, log_prints=True)
        def raises(one: Any = error) -> None:
            raise one

        @flow
        def whole() -> None:
            raises()

        with pytest.raises(type(error)) as caught:
            whole()
        assert caught.value is error
        record = Record()
        assert (record.state, record.states()) == ("Failed", {"raises": "Failed"})


def test_a_flow_that_is_tried_again_reuses_completed_tasks_in_the_same_epoch() -> None:
    ran: list[str] = []
    flaky = Flaky(1)

    @task
    def load() -> list[int]:
        ran.append("load")
        return [1, 2]

    @task
    def fit(xs: list[int]) -> int:
        ran.append("fit")
        return flaky() + sum(xs)

    @flow
    def child() -> int:
        ran.append("child")
        return fit(load())

    @flow(retries=2, retry_delay_seconds=0.001)
    def whole() -> int:
        return child() + fit.submit(load()).result()

    assert whole() == 2 + 3 + 3 + 3
    record = Record()
    assert (record.state, record.run.epoch, record.run.attempt) == ("Completed", 1, 2)
    assert ran == ["child", "load", "fit", "child", "fit", "load", "fit"]
    (sub,) = record.subflows
    assert sub.state == "Completed"
    inner = Record(sub.id)
    assert inner.states() == {"load": "Completed", "fit": "Completed"}
    assert inner.counters() == inner.counted()
    assert record.counters() == record.counted()
    assert [change.state for change in record.history] == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip


def test_what_a_lost_result_feeds_runs_again_when_a_flow_is_tried_again() -> None:
    ran: list[str] = []
    flaky = Flaky(1)

    @task(persist_result=False)
    def draw() -> list[int]:
        ran.append("draw")
        return [len(ran)]

    @task
    def use(xs: list[int]) -> int:
        ran.append("use")
        return xs[0]

    @flow(retries=1)
    def whole() -> tuple[int, int]:
        xs = draw()
        used = use(xs)
        flaky()
        return xs[0], used

    drawn, used = whole()
    assert drawn == used
    assert ran == ["draw", "use", "draw", "use"]


def test_a_sync_task_past_its_timeout_is_timed_out_and_its_late_result_dropped() -> None:
    gate = threading.Event()
    ended = threading.Event()

    @task(timeout_seconds=0.05)
    def slow() -> int:
        gate.wait(20)
        ended.set()
        return 1

    @flow
    def whole() -> str:
        direct = slow(return_state=True)
        submitted = slow.submit(return_state=True)
        return f"{direct.name} {submitted.name}"

    assert whole() == "TimedOut TimedOut"
    gate.set()
    ended.wait(20)
    record = Record()
    assert record.state == "Completed"
    assert set(record.states().values()) == {"TimedOut"}
    assert all(row.result is None for row in record.tasks)
    assert any("2 functions of timed-out tasks were left behind" in text for text in record.texts())


def test_context_variables_of_the_user_reach_a_task_with_a_timeout() -> None:
    import contextvars

    mine = contextvars.ContextVar("mine", default=0)

    @task(timeout_seconds=5)
    def look() -> int:
        return mine.get()

    @flow
    def whole() -> list[int]:
        mine.set(7)
        return [look(), look.submit().result()]

    assert whole() == [7, 7]


def test_a_timeout_is_tried_again_and_a_timed_out_thread_starts_nothing_more() -> None:
    gate = threading.Event()
    over = threading.Event()
    ran: list[int] = []

    @task
    def inner() -> None:
        ran.append(1)

    @task(timeout_seconds=0.05, retries=1)
    def slow() -> int:
        if get_run_context().task_run.run_count == 1:  # type: ignore[union-attr]
            gate.wait(20)
            try:
                inner()
            finally:
                over.set()
        return 1

    @flow
    def whole() -> int:
        return slow()

    assert whole() == 1
    gate.set()
    over.wait(20)
    assert ran == []
    assert Record().task("slow").attempt == 2


def test_async_tasks_and_flows_past_their_timeout_are_timed_out() -> None:
    @task(timeout_seconds=0.02)
    async def slow() -> None:
        await asyncio.sleep(30)

    @flow
    async def whole() -> str:
        state = await slow(return_state=True)  # type: ignore[misc]
        return str(state.name)

    @flow(timeout_seconds=0.05)
    async def too_slow() -> None:
        await asyncio.sleep(30)

    assert asyncio.run(whole()) == "TimedOut"
    with pytest.raises(FlowTimedOut):
        asyncio.run(too_slow())
    assert Record().state == "TimedOut"


def test_a_sync_flow_past_its_timeout_is_timed_out_with_all_that_runs_in_it() -> None:
    gate = threading.Event()

    @task
    def slow() -> None:
        gate.wait(20)

    @flow(timeout_seconds=0.2)
    def direct() -> None:
        slow()

    @flow(timeout_seconds=0.2)
    def submitted() -> None:
        slow.submit()
        slow.submit().result()

    for one in (direct, submitted):
        with pytest.raises(FlowTimedOut):
            one()
        record = Record()
        assert record.state == "TimedOut"
        left = {"Running"} if one is direct else {"Cancelled"}  # a thread left behind still runs, and says so
        assert set(record.states().values()) == left, one.name
    gate.set()


def test_the_process_does_not_wait_for_a_timed_out_thread(run_python: RunPython, home: Path) -> None:
    program = """
        import time
        from ostinato import flow, task

        @task(timeout_seconds=0.1)
        def endless():
            time.sleep(120)

        @flow
        def whole():
            endless()

        whole()
    """
    begun = time.monotonic()
    ended = run_python(program, code=1)
    assert time.monotonic() - begun < 10
    assert "task-timed-out" in ended.stderr
    record = Record(home=home)
    assert (record.state, record.states()) == ("TimedOut", {"endless": "TimedOut"})


# --- caching


def test_equal_inputs_share_a_result_in_one_run_and_the_next() -> None:
    ran: list[Any] = []

    @task(cache_policy=DEFAULT)
    def slow(x: Any, y: int = 1) -> list[Any]:
        ran.append(x)
        return [x]

    @flow
    def whole() -> list[Any]:
        return [slow(1), slow(1), slow(x=1, y=1), slow(2), slow({"a": [1]}), slow({"a": [1]}), slow(1.0), slow(True)]

    assert whole() == [[1], [1], [1], [2], [{"a": [1]}], [{"a": [1]}], [1.0], [True]]
    assert ran == [1, 2, {"a": [1]}, 1.0, True]
    whole()
    assert len(ran) == 5
    assert set(Record().states().values()) == {"Cached"}


def test_policies_compose_and_refresh_makes_anew() -> None:
    ran: list[int] = []

    def body(x: int, debug: bool = False) -> int:
        ran.append(x)
        return len(ran)

    per_run = task(cache_policy=INPUTS + RUN_ID, name="per_run")(body)
    without = task(cache_policy=INPUTS - "debug", name="without")(body)
    never = task(cache_policy=NO_CACHE, name="never")(body)
    anew = without.with_options(refresh_cache=True)

    @flow
    def whole() -> list[int]:
        return [
            per_run(1), per_run(1), without(1), without(1, debug=True), never(1), never(1), anew(1), without(1),
        ]  # fmt: skip

    assert whole() == [1, 1, 2, 2, 3, 4, 5, 5]
    assert whole() == [6, 6, 5, 5, 7, 8, 9, 9]


def test_a_cached_result_expires() -> None:
    ran: list[int] = []

    @task(cache_policy=INPUTS, cache_expiration=dt.timedelta(milliseconds=150))
    def slow(x: int) -> int:
        ran.append(x)
        return x

    @flow
    def whole() -> None:
        slow(1)
        slow(1)
        time.sleep(0.2)
        slow(1)

    whole()
    assert ran == [1, 1]


def test_a_key_function_decides_and_may_switch_the_cache_off() -> None:
    ran: list[int] = []

    @task(cache_key_fn=lambda context, arguments: None if arguments["x"] < 0 else f"mod-{arguments['x'] % 2}")
    def slow(x: int) -> int:
        ran.append(x)
        return x

    @task(cache_key_fn=lambda *_: 1 / 0)
    def bad(x: int) -> int:
        return x

    @flow
    def whole() -> list[int]:
        return [slow(1), slow(3), slow(2), slow(-1), slow(-1)]

    @flow
    def fails() -> int:
        return bad(1)

    assert whole() == [1, 1, 2, -1, -1]
    assert ran == [1, 2, -1, -1]
    with pytest.raises(ZeroDivisionError):
        fails()
    assert Record().states() == {"bad": "Failed"}


def test_an_input_that_cannot_be_hashed_switches_the_cache_off_and_says_so() -> None:
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def slow(x: Any) -> int:
        ran.append(1)
        return 1

    @flow
    def whole() -> None:
        slow(threading.Lock())
        slow(threading.Lock())

    whole()
    record = Record()
    assert len(ran) == 2
    assert set(record.states().values()) == {"Completed"}
    assert any("'slow' is not cached" in text and "'x'" in text for text in record.texts())


def test_changed_code_is_not_served_from_the_cache() -> None:
    def make(n: int) -> Any:
        if n == 1:

            @task(name="versioned", cache_policy=DEFAULT)
            def one(x: int) -> int:
                return x + 1

            return one

        @task(name="versioned", cache_policy=DEFAULT)
        def two(x: int) -> int:
            return x + 2

        return two

    @flow(validate_parameters=False)
    def whole(which: Any) -> int:
        return int(which(1))

    assert [whole(make(1)), whole(make(2)), whole(make(1))] == [2, 3, 2]


def test_callers_at_once_make_a_value_once_and_a_failing_maker_lets_the_next_one_in() -> None:
    ran: list[int] = []

    @task(cache_policy=INPUTS)
    def slow(x: int) -> int:
        ran.append(x)
        time.sleep(0.05)
        if x == 2 and ran.count(2) == 1:
            raise ValueError("first maker")
        return x

    @flow
    def whole() -> list[Any]:
        futures = [slow.submit(1) for _ in range(6)] + [slow.submit(2) for _ in range(3)]
        return [future.result(raise_on_failure=False) for future in futures]

    found = whole()
    assert found[:6] == [1] * 6
    assert sorted(map(str, found[6:])) == ["2", "2", "first maker"]
    assert (ran.count(1), ran.count(2)) == (1, 2)


def test_two_processes_at_once_make_a_value_once(run_python: RunPython, home: Path, tmp_path: Path) -> None:
    program = tmp_path / "twice.py"
    program.write_text(
        "import sys, time\n"
        "from ostinato import INPUTS, flow, task\n"
        "@task(cache_policy=INPUTS)\n"
        "def slow(x):\n"
        "    open('made.txt', 'a').write('x')\n"
        "    time.sleep(0.8)\n"
        "    return [x]\n"
        "@flow\n"
        "def whole():\n"
        "    return slow(1)\n"
        "assert whole() == [1]\n"
    )
    threads = [threading.Thread(target=run_python, args=(program,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "made.txt").read_text() == "x"
    states = [Record(run.id, home=home).tasks[0].state for run in all_runs(home)]
    assert sorted(states) == ["Cached", "Cached", "Completed"]


# --- effects and durability


def states_in_database(home: Path) -> list[tuple[str, str]]:
    """Look into the database as another process would."""
    return homes.rows(home, "SELECT task, state FROM task_runs ORDER BY no")


def test_an_effect_is_committed_before_and_after_user_code(home: Path) -> None:
    seen: list[Any] = []

    @task(effect=True)
    def send(x: int) -> None:
        seen.append(states_in_database(home))

    @task
    def plain() -> None:
        seen.append(states_in_database(home))

    @flow
    def whole() -> None:
        send(1)
        seen.append(states_in_database(home))
        send.submit(2).result()

    whole()
    assert seen == [
        [("send", "Running")],
        [("send", "Completed")],
        [("send", "Completed"), ("send", "Running")],
    ]


def test_the_idempotency_key_is_the_same_for_all_attempts_and_differs_between_calls() -> None:
    keys: list[str] = []

    @task(retries=1)
    def send(x: int) -> None:
        keys.append(get_run_context().idempotency_key)
        if len(keys) == 1:
            raise ConnectionError

    @flow
    def whole() -> None:
        send(1)
        send(2)

    whole()
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("level", ["relaxed", "disk", "database"])
def test_each_durability_records_the_same(level: str, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("OSTINATO_DURABILITY", level)
    seen: list[Any] = []

    @task
    def one(x: int) -> int:
        if level == "database":
            seen.append(states_in_database(home)[-1])
        return x

    @flow
    def whole() -> int:
        return one(1) + one.submit(2).result()

    assert whole() == 3
    assert Record().states() == {"one": "Completed", "one#2": "Completed"}
    assert level != "database" or [state for _, state in seen] == ["Running", "Running"]


# --- results


def test_results_that_cannot_be_kept_are_marked_and_still_reach_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_RESULT_LIMIT_MB", "1")

    @task
    def large() -> bytes:
        return b"x" * (1 << 21)

    @task
    def lock() -> Any:
        return threading.Lock()

    @task(persist_result=False)
    def secret() -> str:
        return "hidden"

    @flow
    def whole() -> int:
        lock()
        return len(large()) + len(secret())

    assert whole() == (1 << 21) + 6
    record = Record()
    lost = {row.task: row.result.lost for row in record.tasks if row.result is not None}
    assert lost == {"large": "too-large", "lock": "unpicklable", "secret": "not-persisted"}


def test_a_result_changed_after_return_is_recorded_as_it_was() -> None:
    from ostinato.core.codec import decode

    @task
    def make() -> list[int]:
        return [1, 2, 3]

    @task
    def blob() -> list[bytes]:
        return [b"y" * 100_000]

    @flow
    def whole() -> int:
        xs, ys = make(), blob()
        xs.append(4)
        ys.clear()
        return len(xs)

    assert whole() == 4
    record = Record()
    assert decode(record.task("make").result) == [1, 2, 3]
    result = record.task("blob").result
    assert result is not None
    assert len(result.blob) == 32
    assert decode(record.task("make").result, None) == [1, 2, 3]


def test_atoms_of_all_kinds_come_back(home: Path) -> None:
    from ostinato.core.codec import decode

    values: list[Any] = [None, True, 1 << 80, -5, 1.5, float("inf"), "ü\udc80", "", b"\x00", (1, [2]), {"a": {1}}]

    @task
    def give(i: int) -> Any:
        return values[i]

    @flow
    def whole() -> None:
        for i in range(len(values)):
            give(i)

    whole()
    assert [decode(row.result) for row in Record().tasks] == values


def test_a_flow_result_is_recorded(home: Path) -> None:
    from ostinato.core.codec import decode

    @flow
    def whole() -> dict[str, int]:
        return {"rmse": 7}

    @flow(persist_result=False)
    def hidden() -> int:
        return 1

    whole()
    assert decode(Record().run.result) == {"rmse": 7}
    hidden()
    assert Record().run.result.lost == "not-persisted"  # type: ignore[union-attr]
    looking = reader()
    looking.close()
    recorder().settle("database")


def test_a_timeout_of_an_effect_bounds_the_wait_for_the_database(home: Path) -> None:
    ran: list[int] = []

    @task(effect=True, timeout_seconds=0.3)
    def send() -> None:
        ran.append(1)

    @task
    def warm() -> None:
        """Open everything."""

    @flow
    def whole() -> str:
        warm()
        recorder().settle("database")
        with homes.held(home):
            return str(send(return_state=True).name)

    assert whole() == "TimedOut"
    assert ran == []
    with pytest.raises(TaskTimedOut):
        raise TaskTimedOut(name="x", timeout_s=1)
