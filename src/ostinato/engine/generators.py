"""Generator flows and tasks: Running while they are iterated, Completed when exhausted; they run again on resume."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ostinato.core.ports import resolve
from ostinato.engine import hooks
from ostinato.engine.interrupts import terminable
from ostinato.engine.life import HOOKS, fate
from ostinato.engine.runs import state_of
from ostinato.engine.scopes import current
from ostinato.engine.values import NOT_PERSISTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

    from ostinato.engine.calls import Call
    from ostinato.engine.runs import FlowRun
    from ostinato.engine.state import State


def iterate(subject: Call | FlowRun) -> Any:
    """Give the iterator of a call of a generator function, sync or async as the function is."""
    return _iterate_async(subject) if subject.recorded.flags & 0x200 else _iterate(subject)


def _iterate(subject: Call | FlowRun) -> Generator[Any, None, Any]:
    try:
        values = subject.begin_iteration()
        hooks.call(subject, "on_running")
        while True:
            token = current.set(subject.scope)
            try:
                value = next(values)
            except StopIteration as stop:
                subject.end_iteration()
                subject.move("Completed", value=NOT_PERSISTED)
                hooks.call(subject, "on_completion")
                return stop.value
            finally:
                current.reset(token)
            yield value
    except BaseException as error:
        if _failed(subject, error):
            hooks.call(subject, HOOKS[subject.state], None, error)
        raise
    finally:
        subject.leave_iteration()


async def _iterate_async(subject: Call | FlowRun) -> AsyncIterator[Any]:
    try:
        values = subject.begin_iteration()
        await hooks.call_async(subject, "on_running")
        while True:
            token = current.set(subject.scope)
            try:
                value = await anext(values)
            except StopAsyncIteration:
                subject.end_iteration()
                subject.move("Completed", value=NOT_PERSISTED)
                await hooks.call_async(subject, "on_completion")
                return
            finally:
                current.reset(token)
            yield value
    except BaseException as error:
        if _failed(subject, error):
            await hooks.call_async(subject, HOOKS[subject.state], None, error)
        raise
    finally:
        subject.leave_iteration()


def exhaust(run: FlowRun) -> Any:
    """Iterate a flow run to its end for those who want its state alone; give that, or what to await for it."""
    return _exhaust_async(run) if run.recorded.flags & 0x200 else _exhaust(run)


def _exhaust(run: FlowRun) -> State:
    try:
        with terminable() if run.is_root else nullcontext():
            for _ in _iterate(run):
                pass
    except Exception as error:  # noqa: BLE001 - it is in the state
        return state_of(run, error)
    return state_of(run)


async def _exhaust_async(run: FlowRun) -> State:
    try:
        async for _ in _iterate_async(run):
            pass
    except Exception as error:  # noqa: BLE001 - it is in the state
        return state_of(run, error)
    return state_of(run)


def listed(fn: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Give a function that gives the list of what a generator function yields."""

    def collect(*args: Any, **kwargs: Any) -> list[Any]:
        values = fn(*args, **kwargs)
        return resolve("asyncio:run")(_collect(values)) if hasattr(values, "__anext__") else list(values)

    return collect


async def _collect(values: Any) -> list[Any]:
    return [value async for value in values]


def _failed(subject: Call | FlowRun, error: BaseException) -> bool:
    """Record how the iteration stopped; tell whether hooks are to be called (one that was left alone has none)."""
    state = fate(error)
    if state is None or subject.state != "Running":
        return False
    subject.end_iteration(error)
    subject.move(state, error=error)
    return not isinstance(error, GeneratorExit)
