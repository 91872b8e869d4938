"""The two drivers that carry out a life: one blocks, one awaits. The tests have a third."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ostinato.core.ports import resolve
from ostinato.engine import hooks
from ostinato.engine.effects import Cached, Hold, Hook, Keep, Move, Recall, Run, Settle, Sleep, Store, Wait

if TYPE_CHECKING:
    from ostinato.engine.effects import Life

AT_ONCE: dict[type, Any] = {
    Move: lambda subject, effect: subject.move(effect.state, effect.message, effect.value, effect.error),
    Store: lambda subject, effect: subject.store(effect.value),
    Recall: lambda subject, _: subject.recall(),
    Cached: lambda subject, _: subject.find_cached(),
    Keep: lambda subject, effect: subject.keep_cached(effect.result),
    Settle: lambda subject, effect: subject.settle(effect.level),
}
"""Effects that need no waiting, the same for every driver."""

BLOCKING: dict[type, Any] = {
    **AT_ONCE,
    Run: lambda subject, effect: subject.run(effect.attempt),
    Wait: lambda _, effect: [future.wait() for future in effect.futures] and None,
    Hold: lambda subject, _: subject.caller and resolve("ostinato.engine.control:hold")(subject.caller),
    Sleep: lambda _, effect: time.sleep(effect.seconds),
    Hook: lambda subject, effect: hooks.call(subject, effect.name, effect.value, effect.error),
}


async def _wait_async(_: Any, effect: Wait) -> None:
    for future in effect.futures:
        if not future.done():
            await future.ended()


async def _hold_async(subject: Any, _: Hold) -> None:
    if subject.caller is not None:
        await resolve("ostinato.engine.control:hold_async")(subject.caller)


async def _sleep_async(_: Any, effect: Sleep) -> None:
    await resolve("asyncio:sleep")(effect.seconds)


AWAITING: dict[type, Any] = {
    Run: lambda subject, effect: subject.run_async(effect.attempt),
    Wait: _wait_async,
    Hold: _hold_async,
    Sleep: _sleep_async,
    Hook: lambda subject, effect: hooks.call_async(subject, effect.name, effect.value, effect.error),
}


def drive(life: Life, subject: Any) -> Any:
    """Carry out a life in this thread; give its value, raise what it raises."""
    step, answer, thrown = life.send, None, None
    try:
        while True:
            effect = step(answer)
            step = life.send
            try:
                answer = BLOCKING[type(effect)](subject, effect)
            except BaseException as error:  # noqa: BLE001 - handed to the rule, which decides
                if isinstance(error, RecursionError):
                    subject.root.note_unrecorded(subject, effect)
                step, answer, thrown = life.throw, error, error
    except StopIteration as stop:
        return stop.value
    except RuntimeError as error:
        if isinstance(thrown, StopIteration) and error.__cause__ is thrown:
            raise thrown from None  # user code raised it, and no generator lets it pass
        raise


async def drive_async(life: Life, subject: Any) -> Any:
    """Carry out a life in the running event loop."""
    step, answer = life.send, None
    try:
        while True:
            effect = step(answer)
            step = life.send
            kind = type(effect)
            try:
                if kind in AWAITING:
                    answer = await AWAITING[kind](subject, effect)
                else:
                    answer = AT_ONCE[kind](subject, effect)
            except BaseException as error:  # noqa: BLE001 - handed to the rule, which decides
                if isinstance(error, RecursionError):
                    subject.root.note_unrecorded(subject, effect)
                step, answer = life.throw, error
    except StopIteration as stop:
        return stop.value
