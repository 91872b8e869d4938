"""`allow_failure`, `quote`, `unmapped` and `tags`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.engine_record import Record

from ostinato import Future, allow_failure, flow, quote, tags, task, unmapped

pytestmark = pytest.mark.usefixtures("home")


@task
def fail() -> int:
    raise ValueError("broken")


@task
def show(value: Any) -> str:
    return repr(value)


@task
def add(left: int, right: int) -> int:
    return left + right


@task
def numbers() -> list[int]:
    return [1, 2, 3]


def test_a_task_may_take_a_failure_for_a_value() -> None:
    @flow
    def cleaning() -> str:
        return show.submit(allow_failure(fail.submit())).result()

    assert cleaning() == "ValueError('broken')"


def test_a_quoted_argument_is_handed_over_unseen() -> None:
    taken: list[Any] = []

    @task
    def take(value: Any) -> None:
        taken.append(value)

    @flow
    def handing() -> Future[int]:
        future = add.submit(1, 2)
        take(quote([future]))
        take([future])
        return future

    assert handing.with_options(validate_parameters=False)() == 3  # type: ignore[comparison-overlap]
    (quoted,), (seen,) = taken
    assert isinstance(quoted, Future)
    assert seen == 3


def test_tags_of_a_block_reach_the_runs_that_start_in_it() -> None:
    @flow(tags=["own"])
    def tagged() -> None:
        with tags("night"):
            add(1, 2)
        add(3, 4)

    with tags("gpu", "slow"):
        run_id = tagged(return_state=True).run_id
    record = Record(run_id)
    assert set(record.run.tags) == {"own", "gpu", "slow"}
    assert [set(row.tags) for row in record.tasks] == [{"gpu", "slow", "night"}, {"gpu", "slow"}]


def test_a_future_of_a_list_is_mapped_over_and_is_an_edge() -> None:
    @flow
    def mapping() -> list[int]:
        return add.map(numbers.submit(), unmapped(10)).result()

    state = mapping(return_state=True)
    assert state.result() == [11, 12, 13]
    first, *mapped = Record(state.run_id).tasks
    assert all(row.upstream == (first.key,) for row in mapped)
