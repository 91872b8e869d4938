"""Submitted tasks: futures, maps, runners, and what becomes of failures that nobody looked at."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from tests.integration.engine_record import Record

from ostinato import (
    ConcurrentTaskRunner,
    Future,
    SequentialTaskRunner,
    State,
    ThreadRunner,
    as_completed,
    flow,
    task,
    unmapped,
    wait,
)
from ostinato.core.errors import BadOption, NoContext, UpstreamFailed

pytestmark = pytest.mark.usefixtures("home")


@task
def double(x: int) -> int:
    return 2 * x


@task
def total(xs: Any) -> Any:
    return sum(xs)


@task
def broken(x: int = 0) -> int:
    raise ValueError(f"no {x}")


@task
async def later(x: int) -> int:
    await asyncio.sleep(0.001)
    return x + 1


def test_a_future_gives_result_state_and_identity() -> None:
    @flow
    def whole() -> int:
        future = double.submit(2)
        assert isinstance(future, Future)
        assert future.result() == 4
        assert future.done()
        assert future.wait(timeout=0)
        assert future.state.is_completed()
        assert future.state.result() == 4
        assert future.name.startswith("double-")
        assert future.task_run_id.endswith("/1")
        return future.result(timeout=1)

    assert whole() == 4


def test_submit_and_map_need_a_flow() -> None:
    with pytest.raises(NoContext):
        double.submit(1)


def test_waiting_with_a_timeout_gives_up_in_time() -> None:
    gate = threading.Event()

    @task
    def slow() -> int:
        gate.wait(20)
        return 1

    @flow(task_runner=ThreadRunner(max_workers=4))
    def whole() -> int:
        future = slow.submit()
        assert future.wait(0.01) is False
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        quick = double.submit(1)
        done, not_done = wait([quick, future], timeout=0.5)
        assert (done, not_done) == ([quick], [future])
        with pytest.raises(TimeoutError):
            list(as_completed([future], timeout=0.01))
        futures = slow.map([])
        assert futures.result() == []
        gate.set()
        return future.result()

    assert whole() == 1


def test_as_completed_gives_the_quickest_first_and_each_once() -> None:
    gate = threading.Event()

    @task
    def slow() -> str:
        gate.wait(20)
        return "slow"

    @flow
    def whole() -> list[Any]:
        seen = []
        for future in as_completed([slow.submit(), double.submit(1)]):  # type: ignore[arg-type, var-annotated]
            seen.append(future.result())
            gate.set()
        return seen

    assert whole() == [2, "slow"]


def test_a_failure_is_raised_or_given_as_asked() -> None:
    @flow
    def whole() -> str:
        future = broken.submit(1)
        with pytest.raises(ValueError, match="no 1"):
            future.result()
        given = future.result(raise_on_failure=False)
        assert future.state.is_failed()
        listed = broken.map([2, 3]).result(raise_on_failure=False)
        return f"{given} {[str(one) for one in listed]}"

    assert whole() == "no 1 ['no 2', 'no 3']"
    assert Record().state == "Completed"


def test_return_state_gives_the_state_of_a_failure() -> None:
    @flow
    def whole() -> list[str]:
        states = [broken(1, return_state=True), double(1, return_state=True), broken.submit(1, return_state=True)]
        assert all(isinstance(state, State) for state in states)
        return [state.name for state in states]

    @flow
    def fails() -> None:
        broken()

    assert whole() == ["Failed", "Completed", "Failed"]
    state = fails(return_state=True)
    assert (state.name, str(state.result(raise_on_failure=False))) == ("Failed", "no 0")


def test_a_failure_that_nobody_looked_at_fails_the_flow_with_the_real_exception() -> None:
    @flow
    def whole() -> int:
        first = broken.submit(7)
        double.submit(first)
        return 1

    with pytest.raises(ValueError, match="no 7"):
        whole()
    record = Record()
    assert record.state == "Failed"
    assert "ValueError: no 7" in record.run.message
    assert record.states() == {"broken": "Failed", "double": "Skipped"}
    assert record.task("broken").name in record.task("double").message
    assert "no 7" in record.task("double").message


def test_a_direct_call_with_a_failed_future_is_skipped_and_says_which() -> None:
    @flow
    def whole() -> int:
        return double(broken.submit(7))  # type: ignore[call-overload, no-any-return]

    with pytest.raises(UpstreamFailed, match="no 7"):
        whole()
    assert Record().states() == {"broken": "Failed", "double": "Skipped"}


def test_futures_inside_collections_are_resolved_and_are_edges() -> None:
    @task
    def look(value: Any) -> Any:
        return value

    @flow
    def whole() -> Any:
        a, b, c = double.submit(1), double.submit(2), double.submit(3)
        return look([a, {"b": b, "n": (1, c)}, {"x"}])

    assert whole() == [2, {"b": 4, "n": (1, 6)}, {"x"}]
    record = Record()
    assert set(record.task("look").upstream) == {row.key for row in record.tasks if row.task == "double"}


def test_a_long_list_of_futures_is_resolved() -> None:
    @flow
    def whole() -> int:
        return int(total(double.map(range(3000)))) + int(total(list(double.map(range(3000)))))

    assert whole() == 2 * 3000 * 2999


def test_wait_for_is_an_edge_without_data() -> None:
    seen: list[str] = []

    @task
    def first() -> None:
        time.sleep(0.02)
        seen.append("first")

    @task
    def second() -> None:
        seen.append("second")

    @flow
    def whole() -> None:
        future = first.submit()
        second.submit(wait_for=[future])
        second(wait_for=future)  # type: ignore[call-overload]

    whole()
    record = Record()
    assert seen == ["first", "second", "second"]
    key = record.task("first").key
    assert [row.upstream for row in record.tasks if row.task == "second"] == [(key,), (key,)]


def test_map_maps_lists_and_leaves_the_rest_whole() -> None:
    @task
    def join(a: int, b: Any, c: str = "", d: Any = None) -> tuple[Any, ...]:
        return (a, b, c, d)

    @flow
    def whole() -> list[Any]:
        return join.map([1, 2], unmapped([9]), c="xy", d=(x for x in (5, 6))).result()

    assert whole() == [(1, [9], "xy", 5), (2, [9], "xy", 6)]

    @flow
    def bad() -> None:
        join.map([1, 2], [1])

    with pytest.raises(BadOption, match="differ in length"):
        bad()


def test_a_map_over_a_map_has_its_edges_one_by_one() -> None:
    @flow
    def whole() -> list[int]:
        return double.map(double.map([1, 2, 3])).result()

    assert whole() == [4, 8, 12]
    rows = Record().tasks
    assert [row.upstream for row in rows[3:]] == [(row.key,) for row in rows[:3]]
    assert len({row.group for row in rows}) == 2


def test_a_map_of_ten_thousand_is_counted_exactly() -> None:
    @flow
    def whole() -> int:
        return sum(double.map(range(10_000)).result())

    assert whole() == 10_000 * 9_999
    record = Record()
    assert len(record.tasks) == 10_000
    assert record.counters() == {("double", "Completed"): 10_000} == record.counted()
    assert len({row.key for row in record.tasks}) == 10_000
    assert len({row.no for row in record.tasks}) == 10_000


def test_ten_thousand_tasks_may_wait_for_one() -> None:
    @flow
    def whole() -> int:
        gate = double.submit(1)
        return sum(double.map(range(5_000), wait_for=[gate]).result())

    assert whole() == 5_000 * 4_999


def test_a_chain_of_submitted_tasks_has_no_longest_length() -> None:
    @task
    def plus(x: Any) -> int:
        return int(x) + 1

    @flow
    def whole() -> int:
        gate = threading.Event()

        @task
        def first() -> int:
            gate.wait(20)
            return 0

        future: Any = first.submit()
        for _ in range(2000):
            future = plus.submit(future)
        gate.set()
        return future.result()  # type: ignore[no-any-return]

    assert whole() == 2000


@pytest.mark.parametrize("n", [1, 2])
def test_nested_submits_never_wait_for_one_another(n: int) -> None:
    @task
    def leaf(x: Any) -> int:
        return int(x)

    @task
    def inner(x: int) -> int:
        chained = leaf.submit(leaf.submit(x))
        return chained.result() + sum(f.result() for f in as_completed([leaf.submit(10), leaf.submit(20)]))

    @task
    def outer(x: int) -> int:
        return sum(inner.map([x, x + 1]).result())

    @flow(task_runner=ThreadRunner(max_workers=n))
    def whole() -> int:
        return sum(outer.map([1, 2, 3]).result())

    assert whole() == 15 + 12 * 15


def test_a_done_callback_may_look_at_other_futures_and_may_raise() -> None:
    seen: list[int] = []

    @flow(task_runner=ThreadRunner(max_workers=1))
    def whole() -> int:
        gate = threading.Event()

        @task
        def held() -> int:
            gate.wait(20)
            return 5

        first, second = held.submit(), double.submit(4)

        def fail(_: Future[int]) -> None:
            raise ValueError("a bad callback")

        first.add_done_callback(fail)
        first.add_done_callback(lambda _: seen.append(second.result()))
        third = double.submit(first)
        gate.set()
        return third.result()

    assert whole() == 10
    assert seen == [8]
    assert any("a bad callback" in text for text in Record().texts())


@pytest.mark.parametrize("runner", [SequentialTaskRunner(), SequentialTaskRunner])
def test_a_sequential_runner_runs_one_at_a_time_async_tasks_too(runner: Any) -> None:
    running: list[int] = []
    most: list[int] = []

    def note() -> None:
        most.append(len(running))

    @task
    def sync_one(x: int) -> int:
        running.append(x)
        note()
        running.remove(x)
        return x

    @task
    async def async_one(x: int) -> int:
        running.append(x)
        await asyncio.sleep(0.005)
        note()
        running.remove(x)
        return x

    @flow(task_runner=runner)
    def whole() -> list[Any]:
        return [*sync_one.map([1, 2]), *async_one.map([3, 4]), sync_one.submit(5)]

    @flow(task_runner=runner)
    async def whole_later() -> list[Any]:
        return [await future for future in async_one.map([3, 4])]

    assert whole() == [1, 2, 3, 4, 5]
    assert asyncio.run(whole_later()) == [3, 4]
    assert max(most) == 1


def test_a_subflow_of_a_sequential_flow_runs_its_own_tasks_concurrently() -> None:
    meet = threading.Barrier(2, timeout=20)

    @task
    def together() -> int:
        meet.wait()
        return 1

    @flow
    def child() -> list[Any]:
        return [together.submit(), together.submit()]

    @flow(task_runner=SequentialTaskRunner())
    def parent() -> list[Any]:
        return child()

    assert parent() == [1, 1]
    assert ConcurrentTaskRunner is ThreadRunner


def test_async_tasks_submitted_by_sync_code_run_concurrently() -> None:
    @task
    async def meets(event: Any, other: Any) -> int:
        event.set()
        await asyncio.wait_for(other.wait(), 10)
        return 1

    @flow
    def whole() -> int:
        one, two = asyncio.Event(), asyncio.Event()
        return sum(future.result() for future in [meets.submit(one, two), meets.submit(two, one)])

    assert whole() == 2


def test_a_sync_task_inside_an_async_one_may_submit_async_tasks() -> None:
    @task
    def middle() -> int:
        return later.submit(1).result()

    @task
    async def outer() -> int:
        return middle()

    @flow
    def whole() -> int:
        return outer.submit().result()

    assert whole() == 2


def test_waiting_for_an_async_task_inside_its_own_loop_is_refused() -> None:
    @flow
    async def whole() -> int:
        future = later.submit(1)
        with pytest.raises(BadOption, match="await"):
            future.result()
        with pytest.raises(BadOption, match="await"):
            double.submit(future).result()
        return await future

    assert asyncio.run(whole()) == 2


def test_a_flow_returns_futures_and_states_as_their_values() -> None:
    @flow
    def many() -> dict[str, Any]:
        return {"a": double.submit(1), "b": [double.submit(2)]}

    @flow
    def state() -> Any:
        return double(3, return_state=True)

    @flow
    def bad_state() -> Any:
        return broken(3, return_state=True)

    assert many() == {"a": 2, "b": [4]}
    assert state() == 6
    with pytest.raises(ValueError, match="no 3"):
        bad_state()


def test_after_a_failure_nothing_more_starts_and_what_runs_may_end() -> None:
    gate = threading.Event()
    ran: list[str] = []

    @task
    def held() -> int:
        gate.wait(20)
        ran.append("held")
        return 1

    @task
    def after(x: Any) -> int:
        ran.append("after")
        return 1

    @flow(task_runner=ThreadRunner(max_workers=1))
    def whole() -> None:
        future = held.submit()
        after.submit(after.submit(future))
        double.submit(1)
        while future.state.name != "Running":
            time.sleep(0.001)
        threading.Timer(0.05, gate.set).start()
        raise KeyError("body")

    with pytest.raises(KeyError):
        whole()
    record = Record()
    assert ran == ["held"]
    assert record.states() == {"held": "Completed", "after": "Cancelled", "after#2": "Cancelled", "double": "Cancelled"}
    assert record.counters() == record.counted()


def test_a_failed_async_flow_lets_what_runs_end() -> None:
    @flow
    async def whole() -> None:
        later.submit(1)
        double.submit(2)
        await asyncio.sleep(0)
        raise KeyError("body")

    with pytest.raises(KeyError):
        asyncio.run(whole())
    assert set(Record().states().values()) <= {"Completed", "Cancelled"}


def test_gathered_calls_are_told_apart_by_ordinal() -> None:
    @flow
    async def whole() -> list[int]:
        return await asyncio.gather(*(later(1) for _ in range(5)))

    assert asyncio.run(whole()) == [2] * 5
    assert sorted(row.ordinal for row in Record().tasks) == [0, 1, 2, 3, 4]
