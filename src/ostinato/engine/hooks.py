"""The user's hooks: called with (flow or task, run, state). What they raise is logged and hides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostinato.core.ports import resolve
from ostinato.engine import logs, traces
from ostinato.engine.scopes import current

if TYPE_CHECKING:
    from collections.abc import Sequence


def call(subject: Any, name: str, hooks: Sequence[Any]) -> None:
    """Call hooks in a blocking driver; an async hook is run to its end."""
    for hook in hooks:
        token = current.set(subject.scope or subject.caller)
        try:
            answer = hook(*subject.hook_arguments())
            if hasattr(answer, "__await__"):
                resolve("asyncio:run")(_finish(answer))
        except Exception as error:  # noqa: BLE001 - whatever a hook raises, the run's own end stands
            _note(subject, name, hook, error)
        finally:
            current.reset(token)


async def call_async(subject: Any, name: str, hooks: Sequence[Any]) -> None:
    """Call hooks in an event loop."""
    for hook in hooks:
        token = current.set(subject.scope or subject.caller)
        try:
            answer = hook(*subject.hook_arguments())
            if hasattr(answer, "__await__"):
                await answer
        except Exception as error:  # noqa: BLE001 - whatever a hook raises, the run's own end stands
            _note(subject, name, hook, error)
        finally:
            current.reset(token)


def holds(condition: Any, subject: Any, error: BaseException) -> bool:
    """Give what `retry_condition_fn` says; one that raises means no retry."""
    try:
        return bool(condition(*subject.hook_arguments(error)))
    except Exception as broken:  # noqa: BLE001 - the task's own error is the one to report
        _note(subject, "retry_condition_fn", condition, broken)
        return False


async def _finish(awaitable: Any) -> None:
    await awaitable


def _note(subject: Any, name: str, hook: Any, error: BaseException) -> None:
    text = traces.describe(error, "", hook, (), {}).trace
    logs.emit(
        subject.scope or subject.caller,
        40,
        "ostinato.hooks",
        f"Hook {name} {getattr(hook, '__name__', hook)!r} raised:\n{text}",
    )
