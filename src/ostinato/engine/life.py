"""The life of a task run and of a flow run: one rule each, as a generator of effects without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostinato.core.errors import FlowTimedOut, RunCancelled, StaleEpoch, TaskTimedOut
from ostinato.core.retry import delay_s
from ostinato.core.states import TABLE, TERMINAL
from ostinato.engine.effects import Cached, Found, Hold, Hook, Keep, Life, Move, Recall, Run, Settle, Sleep, Store, Wait
from ostinato.engine.interrupts import Suspended, Terminated
from ostinato.engine.scopes import Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.retry import RetryPolicy
    from ostinato.core.states import StateName
    from ostinato.engine.calls import Call
    from ostinato.engine.runs import FlowRun

CACHE_POLL_S: Final = 0.02
CACHE_WAIT_S: Final = 60.0

HOOKS: Final[dict[str, str]] = {
    "Running": "on_running",
    "Completed": "on_completion",
    "Failed": "on_failure",
    "TimedOut": "on_failure",
    "Crashed": "on_crashed",
    "Cancelled": "on_cancellation",
}


def task_life(call: Call) -> Life:
    """The rule of one call of a task; returns the value, raises what the task raised."""
    return _to_its_end(call, _task_life(call))


def flow_life(run: FlowRun) -> Life:
    """The rule of one flow run; returns the value of the flow, raises what the flow raised."""
    return _to_its_end(run, _flow_life(run))


def _to_its_end(subject: Call | FlowRun, life: Life) -> Life:
    """Whatever stops a life, and wherever it was: the end is recorded and a claim is let go."""
    try:
        return (yield from life)
    except GeneratorExit:  # nobody drives this life any more
        raise
    except BaseException as error:
        state = fate(error)
        if state == "Crashed" and subject.state == "Paused" and Root.is_supervised:  # it waits without a process now
            raise
        if state is not None and subject.state not in TERMINAL:
            state = _reachable(state, subject.state)
            yield from _recorded(subject, state, error)
            if subject.caches:
                yield Keep()
            if subject.durability != "relaxed":
                yield Settle(subject.durability)
            yield Hook(HOOKS[state], error=error)
        raise


def _recorded(subject: Call | FlowRun, state: StateName, error: BaseException) -> Life:
    """Record an end, also when a second Ctrl-C comes while that is done."""
    try:
        yield Move(state, error=error)
    except KeyboardInterrupt:
        if subject.state not in TERMINAL:
            yield Move(state, error=error)
        raise


def _task_life(call: Call) -> Life:
    if call.waits or call.marked:
        yield Wait(call.waits)
        reason = call.take_inputs()
        if reason is not None:
            yield Move("Skipped", message=reason.message)
            raise reason
    found = yield Recall()
    if found is None and call.task.caches:
        found = yield from _cached()
    if found is not None:
        return found.value
    if Root.asked:
        yield Hold()
    yield Move("Running")
    if call.task.options.effect:
        yield Settle("database")
    return (yield from _attempts(call, call.task.retry, call.random))


def _flow_life(run: FlowRun) -> Life:
    found = yield Recall()
    if found is not None:
        return found.value
    if Root.asked:
        yield Hold()
    yield Move("Running")
    return (yield from _attempts(run, run.flow.retry, run.random))


def _attempts(subject: Call | FlowRun, retry: RetryPolicy, random: Callable[[], float]) -> Life:
    attempt = 1
    yield Hook("on_running")
    while True:
        try:
            value = yield Run(attempt)
            break
        except BaseException as error:
            if fate(error) not in {"Failed", "TimedOut"} or not subject.wants_retry(error, attempt):
                raise
            wait_s = delay_s(retry, attempt, random)
            yield Move("AwaitingRetry", message=f"attempt {attempt} failed, next in {wait_s:g} s", error=error)
        yield Sleep(wait_s)
        if Root.asked:
            yield Hold()
        attempt += 1
        yield Move("Retrying")
        if subject.durability != "relaxed":
            yield Settle(subject.durability)
    result = yield Store(value)
    yield Move("Completed", value=result)
    if subject.caches:
        yield Keep(result)
    if subject.durability != "relaxed":
        yield Settle(subject.durability)
    yield Hook("on_completion", value)
    return value


def _reachable(wanted: StateName, current: str) -> StateName:
    """Give the end that the table allows: what fails before it runs, or while it waits for a retry, Crashed."""
    return wanted if wanted in TABLE[current or "Pending"] else "Crashed"  # type: ignore[index]


def _cached() -> Life:
    """Give `Found` when the cache has the result; None when this call must make it (and holds the claim)."""
    waited = 0.0
    while True:
        answer = yield Cached()
        if isinstance(answer, Found):
            return answer
        if answer is True or waited >= CACHE_WAIT_S:
            return None
        yield Sleep(CACHE_POLL_S)
        waited += CACHE_POLL_S


def fate(error: BaseException) -> StateName | None:
    """Give the state in which an exception ends a run; None when nothing is recorded: it goes on later, elsewhere."""
    if isinstance(error, (StaleEpoch, Suspended)):
        return None
    if isinstance(error, (KeyboardInterrupt, GeneratorExit, RunCancelled)) or type(error).__name__ == "CancelledError":
        return "Cancelled"
    if isinstance(error, Terminated):  # the second step of a cancellation, or of somebody who ends the process
        return "Cancelled" if Root.asked == "cancel" else "Crashed"
    if isinstance(error, (TaskTimedOut, FlowTimedOut)):
        return "TimedOut"
    return "Failed"
