"""Generator tasks: Running while they are iterated, Completed when exhausted; they always run again on resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostinato.engine.life import fate
from ostinato.engine.scopes import current
from ostinato.engine.values import NOT_PERSISTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from ostinato.engine.calls import Call


def iterate(call: Call) -> Any:
    """Give the iterator of a generator task's call, sync or async as the function is."""
    return _iterate_async(call) if call.task.fn.__code__.co_flags & 0x200 else _iterate(call)


def _iterate(call: Call) -> Generator[Any, None, Any]:
    _begin(call)
    try:
        values = call.task.fn(*call.args, **call.kwargs)
        while True:
            token = current.set(call.scope)
            try:
                value = next(values)
            except StopIteration as stop:
                call.move("Completed", value=NOT_PERSISTED)
                return stop.value
            finally:
                current.reset(token)
            yield value
    except BaseException as error:
        _fail(call, error)
        raise


async def _iterate_async(call: Call) -> AsyncIterator[Any]:
    _begin(call)
    try:
        values = call.task.fn(*call.args, **call.kwargs)
        while True:
            token = current.set(call.scope)
            try:
                value = await anext(values)
            except StopAsyncIteration:
                call.move("Completed", value=NOT_PERSISTED)
                return
            finally:
                current.reset(token)
            yield value
    except BaseException as error:
        _fail(call, error)
        raise


def _begin(call: Call) -> None:
    for future in call.waits:
        future.wait()
    reason = call.take_inputs()
    if reason is not None:
        call.move("Skipped", reason.message)
        raise reason
    call.caller.newest = call.caller.root.epoch
    call.move("Running")
    call.enter(1)
    call.hook("on_running")


def _fail(call: Call, error: BaseException) -> None:
    state = fate(error)
    if state is not None and call.state == "Running":
        call.move(state, error=error)
        call.hook("on_cancellation" if state == "Cancelled" else "on_failure")
