"""What a supervisor tells this process: cancel, pause, go on.

A worker's child calls `install`; whatever listens to the worker (any thread) calls `cancel`, `pause`
and `go_on`. Who runs flows by hand needs none of it: Ctrl-C cancels.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.events import RunAsked
from ostinato.engine.scopes import Root, now_us, roots, running_loop

if TYPE_CHECKING:
    from ostinato.engine.scopes import Scope

SIGNAL: Final = signal.SIGURG
"""Brings a cancellation into the main thread; one that does nothing to a process without a handler."""


class Cancelled(KeyboardInterrupt):
    """Raised in the main thread, and at the next call of a task in any, when the run is cancelled: by whom and why.

    Out of an async flow that was waiting comes `asyncio.CancelledError` with the same message.
    """


class _Told:
    """What this process was told."""

    def __init__(self) -> None:
        self.reason = ""
        self.delivered = False
        self.lock = threading.Lock()
        """Held while a pause begins or ends."""
        self.gate = threading.Event()
        """Open unless the process is to pause."""
        self.held: list[Any] = []
        """Flow runs that wait at a call, and were recorded as Paused for that."""
        self.waiters: list[tuple[Any, Any]] = []
        """Event loops and the futures in them that wait for the gate."""
        self.gate.set()

    def open(self, asked: str) -> None:
        """Let go on who waits, to find out what is asked now; the lock is held."""
        Root.asked = asked
        self.gate.set()
        waiters, self.waiters = self.waiters, []
        for loop, waiter in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, waiter)


_told = _Told()

nudge: Final = threading.Event()
"""Set when a flow that waits for input should look."""


def install() -> None:
    """Let this process be told; called in its main thread, before the flow runs there."""
    global _told  # noqa: PLW0603 - one of the process
    _told = _Told()
    Root.asked = ""
    Root.is_supervised = True
    signal.signal(SIGNAL, _deliver)


def cancel(reason: str) -> None:
    """Stop the flow: `Cancelled` in the main thread, no further calls in any; a second one changes nothing."""
    with _told.lock:
        if Root.asked == "cancel":
            return
        _told.reason = reason
        _told.open("cancel")
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, SIGNAL)


def pause() -> None:
    """Let the flow wait at its next call of a task or subflow; calls that run go on to their end."""
    with _told.lock:
        if not Root.asked:
            Root.asked = "pause"
            _told.gate.clear()


def go_on() -> None:
    """Let a flow go on that was paused, and look what it has got when it waits for input."""
    nudge.set()
    with _told.lock:
        if Root.asked != "pause":
            return
        held, _told.held = _told.held, []
        for run in held:
            run.move("Running", "goes on")
        if not held:  # it had reached no call yet
            for scope in list(roots.values()):
                scope.root.push(RunAsked(scope.id, scope.root.epoch, now_us(), ""))
        _told.open("")


def hold(caller: Scope) -> None:
    """Wait while the flow is to pause.

    Raises:
        Cancelled: it is to stop.
    """
    while Root.asked == "pause":
        _note_pause(caller)
        _told.gate.wait()
    _refuse()


Root.hold = staticmethod(hold)


async def hold_async(caller: Scope) -> None:
    """Wait, in an event loop, while the flow is to pause.

    Raises:
        Cancelled: it is to stop.
    """
    loop = running_loop()
    while Root.asked == "pause":
        _note_pause(caller)
        waiter = loop.create_future()
        with _told.lock:
            if Root.asked == "pause":
                _told.waiters.append((loop, waiter))
            else:
                waiter.set_result(None)
        await waiter
    _refuse()


def _refuse() -> None:
    if Root.asked == "cancel":
        raise Cancelled(_told.reason)


def _note_pause(caller: Scope) -> None:
    """Record once that the run of the caller waits."""
    with _told.lock:
        scope = roots.get(caller.root.id)
        if scope is not None and Root.asked == "pause" and scope.run.state in ("Running", "Retrying"):
            scope.run.move("Paused", "paused at a call of a task")
            _told.held.append(scope.run)


def _wake(waiter: Any) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _deliver(*_: Any) -> None:
    """Stop what the main thread does, once: its code by an exception, an event loop that waits by cancelling tasks."""
    if _told.delivered or Root.asked != "cancel":
        return
    _told.delivered = True
    loop = running_loop()
    if loop is None or sys.modules["asyncio"].current_task(loop) is not None:
        raise Cancelled(_told.reason)
    # Between the steps of tasks an exception could take one of them off the loop for good.
    tasks = [scope.awaited for scope in roots.values() if scope.awaited is not None]
    for task in tasks or sys.modules["asyncio"].all_tasks(loop):
        loop.call_soon_threadsafe(task.cancel, _told.reason)
