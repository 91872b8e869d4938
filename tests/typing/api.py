"""User code that only the type checker reads: decorators keep signatures, and futures know their values."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_type

from ostinato import (
    dataset,
    flow,
    get_run_logger,
    load_model,
    log_metric,
    log_model,
    log_params,
    search_runs,
    start_run,
    task,
    unmapped,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any


@task
def bare(n: int, *, name: str = "") -> str:
    return name * n


@task(retries=3, retry_delay_seconds=[1, 2, 4])
def called(n: int) -> float:
    return n / 2


@task
async def bare_async(n: int) -> str:
    return str(n)


@task(timeout_seconds=5)
async def called_async(n: int) -> list[int]:
    return [n]


@flow
def sync_flow(n: int = 3, *, word: str = "a") -> float:
    assert_type(bare(n, name=word), str)
    assert_type(called(n), float)
    assert_type(bare.submit(n).result(), str)
    assert_type(called.submit(n).result(), float)
    halves: list[float] = [future.result() for future in called.map([1, 2, 3])]
    words: list[str] = bare.map(halves, name=unmapped(word)).result()
    assert_type(bare_async.submit(n).result(), str)
    half: float = called(n, return_state=True).result()
    assert_type(bare.fn(n), str)
    assert_type(bare.with_options(retries=2)(n), str)
    get_run_logger().info("half of %d is %f", n, half)
    return called(n) + half + len(words)


@flow(name="async", retries=1)
async def async_flow(n: int) -> list[int]:
    assert_type(await bare_async(n), str)
    first, second = await asyncio.gather(called_async(n), called_async(n + 1))
    assert_type(await called_async.submit(n), list[int])
    return first + second


def plain_code() -> None:
    assert_type(sync_flow(), float)
    assert_type(sync_flow(2, word="b"), float)
    assert_type(sync_flow.fn(2), float)
    assert_type(sync_flow(2, return_state=True).is_completed(), bool)
    assert_type(asyncio.run(async_flow(1)), list[int])
    waiting: Coroutine[Any, Any, list[int]] = async_flow(1)
    waiting.close()
    made = sync_flow.deploy("nightly", cron="@daily", timezone="Europe/Berlin", parameters={"n": 3}, overlap="skip")
    assert_type(made.title, str)


def tracked_code() -> None:
    with start_run("first", experiment="rides", tags={"n": 1}) as run:
        assert_type(run.id, str)
        log_metric("rmse", 7, step=1)
        log_params({"rate": 0.1, "kind": "linear"})
    found = search_runs("metrics.rmse < 6.5", experiments="rides", order_by=["metrics.rmse ASC"])
    assert_type(found[0].metrics, dict[str, float])
    assert_type(found[0].params["kind"], str)
    info = log_model(len, "length", example=["a"], params={"kind": 1}, how="pickle")
    assert_type(info.uri, str)
    load_model(info.uri).predict("b")


def data_code() -> None:
    rides = dataset({"miles": [1.2, 3.66]}, name="rides", context="training")
    assert_type(rides.digest, str)
    assert_type(rides.n_rows, int | None)
    rides.frame("polars")


def wrong_code() -> None:
    """Each line is wrong, and the type checker must say so (an unneeded `ignore` is an error)."""
    bare("three")  # type: ignore[call-overload]
    called()  # type: ignore[call-overload]
    sync_flow(word=1)  # type: ignore[call-overload]
    sync_flow.deploy("nightly", crn="@daily")  # type: ignore[call-arg]
    sync_flow.deploy("nightly", overlap="never")  # type: ignore[arg-type]
    log_metric("rmse", "seven")  # type: ignore[arg-type]
    start_run(1)  # type: ignore[arg-type]
    log_model(len, how="json")  # type: ignore[arg-type]
    search_runs(output="csv")  # type: ignore[call-overload]
    dataset([], name="rides").frame("arrow")  # type: ignore[arg-type]
    word: int = bare(1)  # type: ignore[assignment]
    assert word
