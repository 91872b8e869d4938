"""`pause` and `suspend`: a flow waits for a word, or for a value, from a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import msgspec

from ostinato.core.errors import InputMisfit, NoContext, PauseMisplaced, PauseTimedOut
from ostinato.core.events import InputAsked
from ostinato.core.keys import call_name
from ostinato.core.ports import resolve
from ostinato.core.records import SUSPENDED
from ostinato.engine import control
from ostinato.engine.interrupts import Suspended
from ostinato.engine.scopes import FlowScope, Scope, TaskScope, current, find_scope, now_us, running_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

SHORTEST_S: Final = 0.05
LONGEST_S: Final = 0.5
"""Between looks whether what was asked for is there."""


class _Pause:
    """One pause of a flow run: what it asks for, and what it got."""

    def __init__(self, what: str, hint: Any, key: str | None, timeout_s: float | None) -> None:
        scope = current.get() or find_scope()
        if scope is None:
            raise NoContext(what=f"{what}()")
        if isinstance(scope, TaskScope):
            raise PauseMisplaced(what=what, reason="a task runs to its end", fix="Call it in the flow.")
        scope.check(hold=False)
        self.scope: Scope = scope
        self.root = scope.root
        self.hint = hint
        self.timeout_s = timeout_s
        self.key = self._name(key)
        self.schema = b"" if hint is None else schema_of(hint)
        self.given: bytes | None = None
        """JSON."""

    def _name(self, key: str | None) -> str:
        """Give what names this pause in its run, equal in every epoch."""
        scope = self.scope
        if key is None:
            name = f"pause-{scope.ordinal_of(call_name(scope.key, 'pause', [])) + 1}"
        else:
            scope.claim_key("pause", key)
            name = key
        return f"{name}-{scope.key.hex()[:8]}" if scope.key else name

    def flows(self) -> list[FlowScope]:
        """Give the flow runs that wait, the innermost first."""
        found, scope = [], self.scope.flow
        while True:
            found.append(scope)
            if scope.parent is None:
                return found
            scope = scope.parent.flow

    def look(self) -> bool:
        """Say whether what was asked for is there."""
        found = self.root.recorder.find_input(self.root.id, self.key)
        if found is None or found.given_at is None:
            return False
        self.given = found.value or b"null"
        return True

    def is_known(self) -> bool:
        """Say whether an earlier epoch or attempt got it."""
        return self.root.memory is not None and self.look()

    def begin(self, *, suspends: bool = False) -> None:
        """Record that the flow waits, and for what."""
        now = now_us()
        until = 0 if self.timeout_s is None else now + int(self.timeout_s * 1e6)
        self.root.push(InputAsked(self.root.id, self.root.epoch, now, self.key, self.schema, until))
        waits = f"waits for {'input' if self.schema else 'a word to go on'} ({self.key})"
        for flow in self.flows():
            flow.run.move("Paused", f"{SUSPENDED}, {waits}" if suspends else waits)

    def end(self) -> None:
        """Record that the flow goes on."""
        for flow in reversed(self.flows()):
            flow.run.move("Running", "goes on")

    def waits(self) -> Iterator[float]:
        """Give the seconds between looks, until what was asked for is there.

        Raises:
            PauseTimedOut: (pause-timed-out) it did not come in time.
        """
        end_s = None if self.timeout_s is None else time.monotonic() + self.timeout_s
        wait_s = SHORTEST_S
        self.begin()
        while True:
            left_s = LONGEST_S if end_s is None else end_s - time.monotonic()
            yield max(0.0, min(wait_s, left_s))
            self.scope.check(hold=False)
            there = self.look()
            if there or left_s <= 0:
                self.end()
            if there:
                return
            if left_s <= 0:
                raise PauseTimedOut(name=self.root.name, timeout_s=self.timeout_s, key=self.key)
            wait_s = min(wait_s * 1.5, LONGEST_S)

    def unfinished(self) -> list[Any]:
        """Give the futures that a suspension lets end first."""
        flows = self.flows()
        if any(isinstance(flow.parent, TaskScope) for flow in flows):
            reason = "a task called this flow, and it would have to run again"
            raise PauseMisplaced(what="suspend", reason=reason, fix="Call the subflow from the flow, or use `pause`.")
        return [future for flow in flows for future in flow.pending]

    def suspend(self) -> Suspended:
        """Record that the run waits without a process; give what ends this one."""
        self.begin(suspends=True)
        self.root.recorder.settle("database", self.root.settings.exit_wait_s)
        return Suspended(self.root.name)

    def value(self) -> Any:
        """Give what was given, in the type that was asked for."""
        if self.hint is None:
            return None
        value = msgspec.json.decode(self.given or b"null")
        convert = resolve("ostinato.core.schema:converter")(self.hint)
        try:
            return value if convert is None else convert(value)
        except ValueError as unfit:
            hint = resolve("ostinato.core.schema:text_of")(self.hint)
            raise InputMisfit(key=self.key, hint=hint, reason=str(unfit)) from unfit


def schema_of(hint: Any) -> bytes:
    """Give the JSON schema of what is asked for; one that takes everything where JSON cannot say it."""
    schema, definitions = resolve("ostinato.core.schema:schema_of")(hint)
    return msgspec.json.encode({**schema, "$defs": definitions} if definitions else schema)


def _refuse_loop(what: str) -> None:
    if running_loop() is not None:
        reason = "it would hold up the event loop"
        raise PauseMisplaced(what=what, reason=reason, fix=f"Write `await {what}_async(...)`.")


@overload
def pause(wait_for_input: None = None, *, key: str | None = None, timeout_seconds: float | None = 3600) -> None: ...
@overload
def pause(wait_for_input: type[T], *, key: str | None = None, timeout_seconds: float | None = 3600) -> T: ...
@overload
def pause(wait_for_input: Any, *, key: str | None = None, timeout_seconds: float | None = 3600) -> Any: ...


def pause(wait_for_input: Any = None, *, key: str | None = None, timeout_seconds: float | None = 3600) -> Any:
    """Wait in a flow until somebody lets the run go on (`ostinato resume RUN`); the process stays.

    With a type to wait for, the value that comes is checked against it and returned: `ostinato resume
    RUN yes`, or NAME=VALUE words for a class with fields. When the run is resumed later, or its flow is
    retried, the same pause (by `key=`, else by its position) gives the recorded value at once.

    Raises:
        PauseTimedOut: (pause-timed-out) nobody did within `timeout_seconds` (None waits for ever).
        PauseMisplaced: (pause-misplaced) in a task, or in an event loop.
        InputMisfit: (input-misfit) the value does not fit the type.
    """
    _refuse_loop("pause")
    one = _Pause("pause", wait_for_input, key, timeout_seconds)
    if not one.is_known():
        for wait_s in one.waits():
            control.nudge.wait(wait_s)
            control.nudge.clear()
    return one.value()


@overload
async def pause_async(
    wait_for_input: None = None, *, key: str | None = None, timeout_seconds: float | None = 3600
) -> None: ...
@overload
async def pause_async(
    wait_for_input: type[T], *, key: str | None = None, timeout_seconds: float | None = 3600
) -> T: ...
@overload
async def pause_async(wait_for_input: Any, *, key: str | None = None, timeout_seconds: float | None = 3600) -> Any: ...


async def pause_async(
    wait_for_input: Any = None, *, key: str | None = None, timeout_seconds: float | None = 3600
) -> Any:
    """Wait as `pause` does, in an async flow; its other tasks go on."""
    one = _Pause("pause_async", wait_for_input, key, timeout_seconds)
    if not one.is_known():
        for wait_s in one.waits():
            await resolve("asyncio:sleep")(wait_s)
    return one.value()


@overload
def suspend(wait_for_input: None = None, *, key: str | None = None) -> None: ...
@overload
def suspend(wait_for_input: type[T], *, key: str | None = None) -> T: ...
@overload
def suspend(wait_for_input: Any, *, key: str | None = None) -> Any: ...


def suspend(wait_for_input: Any = None, *, key: str | None = None) -> Any:
    """End the process of the flow until somebody lets the run go on; what was submitted ends first.

    `ostinato resume` runs the flow again in its next epoch: completed tasks give their recorded
    results, and here it goes on with the value that was given.

    Raises:
        SystemExit: the process ends, well.
        PauseMisplaced: (pause-misplaced) in a task or below one, or in an event loop.
        InputMisfit: (input-misfit) the value does not fit the type.
    """
    _refuse_loop("suspend")
    one = _Pause("suspend", wait_for_input, key, None)
    if not one.is_known():
        for future in one.unfinished():
            future.wait()
        raise one.suspend()
    return one.value()


@overload
async def suspend_async(wait_for_input: None = None, *, key: str | None = None) -> None: ...
@overload
async def suspend_async(wait_for_input: type[T], *, key: str | None = None) -> T: ...
@overload
async def suspend_async(wait_for_input: Any, *, key: str | None = None) -> Any: ...


async def suspend_async(wait_for_input: Any = None, *, key: str | None = None) -> Any:
    """End the process as `suspend` does, in an async flow."""
    one = _Pause("suspend_async", wait_for_input, key, None)
    if not one.is_known():
        for future in one.unfinished():
            await future.ended()
        raise one.suspend()
    return one.value()
