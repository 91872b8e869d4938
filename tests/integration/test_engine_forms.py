"""Flows and tasks in every form that users write: functions, methods, async functions, generators."""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.engine_record import Record, all_runs

from ostinato import flow, get_run_context, task
from ostinato.core.errors import BadOption, KeyTaken, NotATask, ParameterInvalid, ParameterMissing, ParameterUnknown

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("home")


@task
def double(x: int) -> int:
    return 2 * x


@task()
def triple(x: int) -> int:
    return 3 * x


def test_a_bare_and_a_called_decorator_make_the_same_thing() -> None:
    @flow
    def bare_one(x: int) -> int:
        return double(x)

    @flow()
    def called_one(x: int) -> int:
        return triple(x)

    assert (bare_one(2), called_one(2)) == (4, 6)
    assert (bare_one.name, called_one.name) == ("bare-one", "called-one")
    assert [run.state for run in all_runs()] == ["Completed", "Completed"]


def test_the_function_itself_stays_reachable_and_records_nothing() -> None:
    @flow
    def whole(x: int) -> int:
        return x + 1

    assert whole.fn(1) == 2
    assert double.fn(2) == 4
    assert all_runs() == []


def test_with_options_changes_the_copy_alone() -> None:
    other = double.with_options(name="twice", tags=["a"])

    @flow(name="named")
    def first() -> int:
        return other(double(1))

    second = first.with_options(name="renamed", description="what it does")
    assert (first.name, second.name, second.description) == ("named", "renamed", "what it does")
    assert second() == 4
    record = Record()
    assert record.run.flow == "renamed"
    assert record.states() == {"double": "Completed", "twice": "Completed"}
    assert record.task("twice").tags == ("a",)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(BadOption, match="retires"):
        task(retires=3)
    with pytest.raises(BadOption, match="timeout_seconds"):
        flow(timeout_seconds=0)
    with pytest.raises(NotATask):
        task(3)  # type: ignore[call-overload]


def test_parameters_are_validated_before_the_run_exists() -> None:
    @flow
    def typed(year: int, month: int = 1) -> int:
        return year * 100 + month

    assert typed("2021", month="2") == 202102  # type: ignore[call-overload]
    with pytest.raises(ParameterInvalid):
        typed("soon")  # type: ignore[call-overload]
    with pytest.raises(ParameterMissing):
        typed()  # type: ignore[call-overload]
    with pytest.raises(ParameterUnknown):
        typed(2021, moth=2)  # type: ignore[call-overload]
    assert len(all_runs()) == 1


class Model:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @task
    def predict(self, x: int) -> int:
        return self.factor * x

    @flow
    def train(self, x: int) -> int:
        return int(self.predict(x))

    @flow(name="later-{x}", flow_run_name="run-{x}")
    async def train_later(self, x: int) -> int:
        return int(self.predict(x))

    @classmethod
    @task
    def made_by(cls, x: int) -> str:
        return f"{cls.__name__} {x}"

    @staticmethod
    @task
    def plain(x: int) -> int:
        return x + 1

    @task
    @staticmethod
    def plain_inside(x: int) -> int:
        return x + 2

    @task
    @classmethod
    def made_inside(cls, x: int) -> str:
        return f"{cls.__name__} inside {x}"

    @flow
    @staticmethod
    def flow_inside(x: int) -> int:
        return x + 3

    @classmethod
    @flow
    def flow_made_by(cls, x: int) -> str:
        return f"{cls.__name__} {x}"


def test_instance_class_and_static_methods_are_tasks_and_flows() -> None:
    model = Model(3)
    assert model.train(2) == 6
    assert Record().states() == {"predict": "Completed"}
    assert asyncio.run(model.train_later(2)) == 6
    assert Record().run.name == "run-2"
    assert Model.flow_inside(1) == 4
    assert model.flow_inside(1) == 4
    assert Model.flow_made_by(1) == "Model 1"

    @flow
    def all_forms() -> list[Any]:
        return [
            model.predict.submit(2).result(),
            model.predict.map([1, 2]).result(),
            Model.made_by(1),
            model.made_by(2),
            Model.plain(1),
            model.plain(2),
            Model.plain_inside(1),
            model.plain_inside(2),
            Model.plain_inside.submit(3).result(),
            Model.made_inside(1),
            model.made_inside(2),
        ]

    expected = [6, [3, 6], "Model 1", "Model 2", 2, 3, 3, 4, 5, "Model inside 1", "Model inside 2"]
    assert all_forms() == expected


def test_partials_and_callable_objects_are_tasks_too() -> None:
    class Adder:
        def __init__(self, n: int) -> None:
            self.n = n

        def __call__(self, x: int) -> int:
            return x + self.n

    add = task(Adder(2))
    times = task(name="times")(functools.partial(lambda a, b: a * b, 3))
    named = task(task_run_name="n-{x}", name="named")(Adder(1))

    @flow
    def whole() -> list[int]:
        return [add(1), times(2), named(1), named.submit(x=2).result()]

    assert whole() == [3, 6, 2, 3]
    assert sorted(row.name for row in Record().tasks if row.task == "named") == ["n-1", "n-2"]


def test_a_sync_generator_task_runs_while_it_is_iterated() -> None:
    @task
    def count(n: int) -> Iterator[int]:
        for i in range(n):
            yield double(i)

    @flow
    def whole() -> list[int]:
        return list(count(3))

    assert whole() == [0, 2, 4]
    record = Record()
    assert record.states() == {"count": "Completed", "double": "Completed", "double#2": "Completed",
                               "double#3": "Completed"}  # fmt: skip
    assert all(row.parent_no == record.task("count").no for row in record.tasks if row.task == "double")


def test_a_generator_task_left_half_way_is_cancelled_and_one_that_fails_failed() -> None:
    @task
    def endless() -> Iterator[int]:
        while True:
            yield 1

    @task
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("half way")

    @flow
    def leaves() -> int:
        for x in endless():
            gc.collect()
            return x
        return 0

    @flow
    def fails() -> list[int]:
        return list(broken())

    assert leaves() == 1
    gc.collect()
    assert Record().states() == {"endless": "Cancelled"}
    with pytest.raises(ValueError, match="half way"):
        fails()
    assert Record().states() == {"broken": "Failed"}


def test_an_async_generator_task_runs_while_it_is_iterated() -> None:
    @task
    async def count(n: int) -> AsyncIterator[int]:
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    @flow
    async def whole() -> list[int]:
        return [x async for x in count(3)]

    assert asyncio.run(whole()) == [0, 1, 2]
    assert Record().states() == {"count": "Completed"}


def test_a_submitted_generator_task_gives_the_list_of_its_values() -> None:
    @task
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    @task
    async def count_later(n: int) -> AsyncIterator[int]:
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    @flow
    def whole() -> list[list[int]]:
        return [count.submit(3).result(), count_later.submit(2).result()]  # type: ignore[list-item]

    assert whole() == [[0, 1, 2], [0, 1]]
    assert Record().states() == {"count": "Completed", "count_later": "Completed"}


def test_a_generator_flow_is_running_until_it_is_exhausted() -> None:
    @flow
    def numbers(n: int) -> Iterator[int]:
        for i in range(n):
            yield double(i)

    seen = []
    for x in numbers(2):
        seen.append(x)
        assert Record().state == "Running"
    assert seen == [0, 2]
    record = Record()
    assert record.state == "Completed"
    assert record.states() == {"double": "Completed", "double#2": "Completed"}


def test_an_async_generator_flow_is_running_until_it_is_exhausted() -> None:
    @flow
    async def numbers(n: int) -> AsyncIterator[int]:
        for i in range(n):
            await asyncio.sleep(0)
            yield double(i)

    async def consume() -> list[int]:
        return [x async for x in numbers(2)]

    assert asyncio.run(consume()) == [0, 2]
    assert Record().state == "Completed"


def test_the_state_of_a_generator_flow_is_that_of_its_end() -> None:
    @flow
    def numbers(n: int) -> Iterator[int]:
        for i in range(n):
            yield double(i)
        if n > 2:
            raise ValueError(n)

    @flow
    async def later() -> AsyncIterator[int]:
        yield double(1)

    assert numbers(2, return_state=True).is_completed()
    state = numbers(3, return_state=True)
    assert (state.name, state.message) == ("Failed", "ValueError: 3")
    assert Record().states() == {"double": "Completed", "double#2": "Completed", "double#3": "Completed"}
    assert asyncio.run(later(return_state=True)).is_completed()  # type: ignore[arg-type]  # what to await


def test_async_functions_give_awaitables_and_sync_ones_values() -> None:
    @task
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @flow
    async def whole() -> tuple[int, int, list[int]]:
        return await later(1), double(2), await asyncio.gather(*(later(i) for i in range(3)))

    assert asyncio.run(whole()) == (2, 4, [1, 2, 3])
    assert list(Record().states().values()) == ["Completed"] * 5


def test_flows_work_inside_a_running_event_loop() -> None:
    """As in a notebook: sync flows block, async ones are awaited, both may submit async tasks."""

    @task
    async def later(x: int) -> int:
        await asyncio.sleep(0.01)
        return x + 1

    @flow
    def blocking() -> int:
        return later.submit(1).result() + double.submit(1).result()

    @flow
    def leaves_them() -> list[Any]:
        return [later.submit(i) for i in range(3)]

    @flow
    async def awaiting() -> int:
        first = later.submit(1)
        second = double.submit(first)
        return await second + await first

    async def cell() -> tuple[int, list[int], int]:
        return blocking(), leaves_them(), await awaiting()

    assert asyncio.run(cell()) == (4, [1, 2, 3], 6)
    assert {run.state for run in all_runs()} == {"Completed"}


def test_tasks_call_tasks_and_flows_call_flows() -> None:
    @task
    def outer(x: int) -> int:
        return double(x) + 1

    @flow
    def inner_flow(x: int) -> list[int]:
        return [outer(x)]

    @task
    def total(xs: list[int]) -> int:
        return sum(xs)

    @flow
    def whole() -> int:
        found = inner_flow(2)
        return total(found) + total(found)

    assert whole() == 10
    record = Record()
    (sub,) = record.subflows
    assert (sub.flow, sub.state, sub.parent_id) == ("inner-flow", "Completed", record.run.id)
    assert sub.expected_at == record.run.expected_at
    assert [row.upstream for row in record.tasks] == [(sub.key,), (sub.key,)]
    inner = Record(sub.id)
    assert inner.task("double").parent_no == inner.task("outer").no
    assert len({row.no for row in record.tasks} | {sub.no}) == 3


def test_a_subflow_inherits_the_scheduled_instant() -> None:
    seen = []

    @flow
    def child() -> None:
        seen.append(get_run_context().flow_run.expected_start_time)

    @flow
    def parent() -> None:
        seen.append(get_run_context().flow_run.expected_start_time)
        child()

    parent()
    assert seen[0] == seen[1]
    assert seen[0].utcoffset().total_seconds() == 0  # type: ignore[union-attr]


def test_a_task_outside_a_flow_is_a_run_of_its_own() -> None:
    @task(log_prints=True)
    def alone(x: int) -> int:
        print("alone says", x)
        return x

    @task
    async def alone_later(x: int) -> int:
        return x

    assert alone(3) == 3
    record = Record()
    assert (record.run.flow, record.states()) == ("alone", {"alone": "Completed"})
    assert "alone says 3" in record.texts()
    assert asyncio.run(alone_later(4)) == 4


def test_chosen_keys_are_templates_or_functions_and_never_taken_twice() -> None:
    @task(key="part-{x}")
    def part(x: int, y: int = 0) -> int:
        return x

    @task(key=lambda x: f"f{x}")
    def by_function(x: int) -> int:
        return x

    @task(key="default-{y}")
    def with_default(x: int, y: int = 7) -> int:
        return y

    @flow
    def good() -> list[int]:
        return [part(1), part(2), by_function(1), by_function(2), with_default(1)]

    @flow
    def bad() -> list[int]:
        return [part(1), part(1, 2)]

    @flow
    def bad_map() -> list[int]:
        return part.map([1, 1]).result()

    assert good() == [1, 2, 1, 2, 7]
    for one in (bad, bad_map):
        with pytest.raises(KeyTaken):
            one()
        assert Record().state == "Failed"


def test_run_names_come_from_templates_and_functions() -> None:
    @task(task_run_name="load-{year}-{month}")
    def load(year: int, month: int = 1) -> int:
        return year

    @task(task_run_name=lambda: "always")
    def always(x: int) -> int:
        return x

    @flow(flow_run_name="train-{year}", name="Ünïcode ✓ 名前")
    def train(year: int = 2021) -> int:
        always(1)
        return load(year)

    train()
    record = Record()
    assert (record.run.name, record.run.flow) == ("train-2021", "Ünïcode ✓ 名前")
    assert [row.name for row in record.tasks] == ["always", "load-2021-1"]


def test_a_run_name_that_cannot_be_made_fails_the_run_with_the_reason() -> None:
    @task(task_run_name="{nothing}")
    def load(x: int) -> int:
        return x

    @flow
    def whole() -> int:
        return load(1)

    with pytest.raises(BadOption, match="nothing"):
        whole()
    assert Record().state == "Failed"


def test_a_deep_and_unicode_name_is_recorded_whole() -> None:
    name = "ß" * 300

    @flow(name=name)
    def whole() -> None:
        double.with_options(name=name)(1)

    whole()
    record = Record()
    assert record.run.flow == name
    assert record.tasks[0].task == name


def test_recursion_of_subflows_fails_and_leaves_nothing_running() -> None:
    @flow
    def deeper(n: int) -> int:
        return deeper(n + 1)

    with pytest.raises(RecursionError):
        deeper(0)
    states = {run.state for run in all_runs()}
    assert states == {"Failed"}


def test_recursion_of_tasks_fails_and_leaves_nothing_running() -> None:
    @task
    def deeper(n: int) -> int:
        return deeper(n + 1)

    @flow
    def whole() -> int:
        return deeper(0)

    with pytest.raises(RecursionError):
        whole()
    assert set(Record().states().values()) == {"Failed"}


def test_a_flow_called_while_a_file_is_loaded_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ostinato.engine.loading import load_file

    file = tmp_path / "called_at_load.py"
    file.write_text(
        "import asyncio\n"
        "from ostinato import flow, task\n"
        "@flow\ndef one():\n    return 1\n"
        "@flow\nasync def later():\n    return 1\n"
        "@task\ndef lonely():\n    return 1\n"
        "value = one()\nawaited = asyncio.run(later())\nalone = lonely()\n"
    )
    module = load_file(str(file))
    assert (module.value, module.awaited, module.alone) == (None, None, None)
    said = capsys.readouterr().err
    assert "'one' is called at module level" in said
    assert "'later' is called at module level" in said
    assert all_runs() == []
