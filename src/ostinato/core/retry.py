"""Retries: how often a run is tried again, and how long it waits before each try."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ostinato.core.errors import BadOption

if TYPE_CHECKING:
    from collections.abc import Sequence

Delays: TypeAlias = "float | tuple[float, ...] | Callable[[int], Sequence[float] | float]"

LONGEST_DELAY_S: Final = 366 * 86_400.0
"""A longer delay is shortened to this, so that no clock or lock overflows."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """When and how often to try again."""

    retries: int = 0
    """Tries after the first one."""
    delays: Delays = 0.0
    """Seconds before each retry: one number, one number a retry (the last repeats), or a function
    that gets the number of retries and gives either."""
    jitter_factor: float = 0.0
    condition: Callable[..., Any] | None = None
    """Asked before each retry; False ends the run as it failed."""


NO_RETRIES: Final = RetryPolicy()


def delay_s(policy: RetryPolicy, attempt: int, random: Callable[[], float]) -> float:
    """Give the seconds to wait before retry number `attempt` (1 = the first retry).

    With a jitter factor f the delay d becomes d * (1 + f * u), u = `random()` uniform in [0, 1):
    never sooner than asked for, at most 1 + f times later, so that many runs that failed
    together do not come back together.

    Raises:
        BadOption: (option-invalid) the user's function gave no usable delay.
    """
    delays = policy.delays
    if callable(delays):
        delays = _checked(delays(policy.retries), "retry_delay_seconds", "what the function gave")
    if isinstance(delays, tuple):
        delays = delays[min(attempt, len(delays)) - 1]
    return min(delays * (1.0 + policy.jitter_factor * random()), LONGEST_DELAY_S)


def exponential_backoff(factor: float) -> Callable[[int], list[float]]:
    """Give a delay function: `factor` seconds, then twice as long for each retry.

    Example:
        >>> exponential_backoff(10)(4)
        [10.0, 20.0, 40.0, 80.0]
    """

    def delays(retries: int) -> list[float]:
        return [min(factor * 2.0 ** min(number, 1000), LONGEST_DELAY_S) for number in range(retries)]

    _seconds(factor, "factor", "exponential_backoff")
    return delays


def check(
    where: str,
    *,
    retries: int = 0,
    retry_delay_seconds: object = None,
    retry_jitter_factor: float | None = None,
    retry_condition_fn: object = None,
) -> RetryPolicy:
    """Give the policy of a decorator's options; `where` names the flow or task in errors.

    Raises:
        BadOption: (option-invalid) an option has a value that makes no sense.
    """
    if type(retries) is not int or retries < 0:
        raise _bad("retries", retries, where, "it is no whole number from 0", "Write for example `retries=3`.")
    if retry_condition_fn is not None and not callable(retry_condition_fn):
        fix = "Pass a function that gives True when the run is to be tried again."
        raise _bad("retry_condition_fn", retry_condition_fn, where, "it is no function", fix)
    delays: Delays = 0.0
    if callable(retry_delay_seconds):
        delays = retry_delay_seconds
    elif retry_delay_seconds is not None:
        delays = _checked(retry_delay_seconds, "retry_delay_seconds", where)
    jitter = 0.0 if retry_jitter_factor is None else _seconds(retry_jitter_factor, "retry_jitter_factor", where)
    if retries == 0:
        return NO_RETRIES
    return RetryPolicy(retries, delays, jitter, retry_condition_fn)


def _checked(value: object, option: str, where: str) -> float | tuple[float, ...]:
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return _seconds(value, option, where)
    delays = tuple(_seconds(item, option, where) for item in value)
    if not delays:
        raise _bad(option, value, where, "it is empty", "Give at least one number of seconds, or leave it out.")
    return delays


def _seconds(value: object, option: str, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(min(value, LONGEST_DELAY_S))
    fix = f"Write a number from 0, for example `{option}=10`."
    if hasattr(value, "total_seconds"):
        fix = f"Write `{option}=...total_seconds()`."
    raise _bad(option, value, where, "it is no number from 0", fix)


def _bad(option: str, value: object, where: str, reason: str, fix: str) -> BadOption:
    return BadOption(option=option, value=value, where=where, reason=reason, fix=fix)
