"""The user's hooks: called with (flow or task, run, state). What they raise is logged and hides nothing."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ostinato.core.ports import resolve
from ostinato.engine import logs, traces
from ostinato.engine.scopes import current, running_loop
from ostinato.engine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable


def call(subject: Any, name: str, value: Any = None, error: BaseException | None = None) -> None:
    """Call the hooks of this name in a blocking driver; an async hook is run to its end."""
    for hook, arguments in _hooks(subject, name, value, error):
        token = current.set(subject.hook_scope)
        try:
            answer = hook(*arguments)
            if hasattr(answer, "__await__"):
                _finish(answer)
        except Exception as broken:  # noqa: BLE001 - whatever a hook raises, the run's own end stands
            _note(subject, name, hook, broken)
        finally:
            current.reset(token)


async def call_async(subject: Any, name: str, value: Any = None, error: BaseException | None = None) -> None:
    """Call the hooks of this name in an event loop."""
    for hook, arguments in _hooks(subject, name, value, error):
        token = current.set(subject.hook_scope)
        try:
            answer = hook(*arguments)
            if hasattr(answer, "__await__"):
                await answer
        except Exception as broken:  # noqa: BLE001 - whatever a hook raises, the run's own end stands
            _note(subject, name, hook, broken)
        finally:
            current.reset(token)


def holds(condition: Any, subject: Any, error: BaseException) -> bool:
    """Give what `retry_condition_fn(task, run, state)` says; one that raises means no retry.

    The state holds the exception: `state.error`, and `state.result()` raises it.
    """
    state = State(name="Failed", message=traces.said(error), error=error, run_id=subject.run_ref)
    try:
        return bool(condition(subject.recorded, subject.facts(), state))
    except Exception as broken:  # noqa: BLE001 - the task's own error is the one to report
        _note(subject, "retry_condition_fn", condition, broken)
        return False


def _hooks(
    subject: Any, name: str, value: Any, error: BaseException | None
) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Give each hook with its arguments: flow or task, run, state."""
    hooks = getattr(subject.recorded.options, name)
    if not hooks:
        return []
    message = traces.said(error) if error is not None else ""
    state = State(name=subject.state, message=message, value=value, error=error, run_id=subject.run_ref)
    run = subject.facts()
    return [(hook, (subject.recorded, run, state)) for hook in hooks]


def _finish(awaitable: Any) -> None:
    """Run what an async hook gave to its end, in a thread of its own where an event loop runs already."""
    run = resolve("asyncio:run")
    if running_loop() is None:
        run(_as_coroutine(awaitable))
        return
    failures: list[Exception] = []

    def body() -> None:
        try:
            run(_as_coroutine(awaitable))
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)

    thread = threading.Thread(target=copy_context().run, args=(body,), name="ostinato-hook")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def _as_coroutine(awaitable: Any) -> None:
    await awaitable


def _note(subject: Any, name: str, hook: Any, error: BaseException) -> None:
    text = traces.describe(error, "", hook, (), {}).trace
    logs.emit(
        subject.hook_scope,
        40,
        "ostinato.hooks",
        f"Hook {name} {getattr(hook, '__name__', hook)!r} raised:\n{text}",
    )
