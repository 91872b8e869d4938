"""Retry policies: delays, jitter, and what a decorator's options are refused for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.errors import BadOption
from ostinato.core.retry import LONGEST_DELAY_S, NO_RETRIES, RetryPolicy, check, delay_s, exponential_backoff

if TYPE_CHECKING:
    from collections.abc import Callable

seconds = st.floats(min_value=0, max_value=1e6)


def never(*_: object) -> bool:
    return False


def least() -> float:
    return 0.0


def most() -> float:
    return 1.0 - 2.0**-53


def delays_of(policy: RetryPolicy, random: Callable[[], float] = least) -> list[float]:
    return [delay_s(policy, attempt, random) for attempt in range(1, policy.retries + 1)]


def test_one_number_is_the_delay_before_each_retry() -> None:
    assert delays_of(check("task 'fit'", retries=3, retry_delay_seconds=5)) == [5, 5, 5]


def test_the_last_of_a_list_repeats() -> None:
    assert delays_of(check("task 'fit'", retries=4, retry_delay_seconds=[1, 2.5])) == [1, 2.5, 2.5, 2.5]


def test_a_function_gets_the_number_of_retries() -> None:
    assert delays_of(check("task 'fit'", retries=3, retry_delay_seconds=lambda n: [n, n * 10])) == [3, 30, 30]
    assert delays_of(check("task 'fit'", retries=2, retry_delay_seconds=lambda _: 7)) == [7, 7]


def test_exponential_backoff_doubles() -> None:
    assert delays_of(check("task 'fit'", retries=4, retry_delay_seconds=exponential_backoff(10))) == [10, 20, 40, 80]


def test_ten_thousand_retries_with_backoff_overflow_nothing() -> None:
    policy = check("task 'fit'", retries=10_000, retry_delay_seconds=exponential_backoff(10))
    assert delay_s(policy, 10_000, least) == LONGEST_DELAY_S


@given(seconds, st.floats(min_value=0, max_value=10), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_jitter_never_comes_sooner_and_never_later_than_its_factor(delay: float, factor: float, drawn: float) -> None:
    policy = check("task 'fit'", retries=1, retry_delay_seconds=delay, retry_jitter_factor=factor)
    assert delay <= delay_s(policy, 1, lambda: drawn) <= delay * (1 + factor) or delay > LONGEST_DELAY_S


def test_jitter_spreads_over_its_whole_range() -> None:
    policy = check("task 'fit'", retries=1, retry_delay_seconds=10, retry_jitter_factor=0.5)
    assert delay_s(policy, 1, least) == 10
    assert delay_s(policy, 1, most) == pytest.approx(15)


def test_without_retries_there_is_one_policy_for_all() -> None:
    assert check("task 'fit'") is NO_RETRIES


def test_a_condition_is_kept() -> None:
    assert check("task 'fit'", retries=1, retry_condition_fn=never).condition is never


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": 2.0},
        {"retries": True},
        {"retries": "3"},
        {"retry_delay_seconds": -1},
        {"retry_delay_seconds": "10"},
        {"retry_delay_seconds": float("nan")},
        {"retry_delay_seconds": float("inf")},
        {"retry_delay_seconds": timedelta(seconds=3)},
        {"retry_delay_seconds": []},
        {"retry_delay_seconds": [1, -1]},
        {"retry_delay_seconds": True},
        {"retry_jitter_factor": -0.1},
        {"retry_condition_fn": "yes"},
    ],
)
def test_a_senseless_option_is_refused_with_its_name_and_a_way_out(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption) as caught:
        check("task 'fit'", **options)
    assert next(iter(options)) in caught.value.message
    assert "task 'fit'" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("given_back", [[], -1, "soon", None])
def test_a_delay_function_that_gives_nonsense_is_named(given_back: Any) -> None:
    policy = check("task 'fit'", retries=2, retry_delay_seconds=lambda _: given_back)
    with pytest.raises(BadOption, match="retry_delay_seconds"):
        delay_s(policy, 1, least)


def test_a_number_too_big_for_a_float_is_cut_like_any_long_delay() -> None:
    assert delays_of(check("task 'fit'", retries=1, retry_delay_seconds=10**400)) == [LONGEST_DELAY_S]
