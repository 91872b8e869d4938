"""Futures: the outcome of a submitted task, now or later."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from ostinato.core.errors import BadOption, NotEnded
from ostinato.engine import logs
from ostinato.engine.interrupts import Terminated
from ostinato.engine.scopes import TaskScope, current, running_loop
from ostinato.engine.state import State
from ostinato.engine.traces import message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from ostinato.core.states import StateName
    from ostinato.engine.calls import Call

R = TypeVar("R")
T = TypeVar("T")


class Future(Generic[R]):
    """The outcome of one submitted call. Passing it to a task gives the task its value and makes an edge."""

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_error",
        "_gate",
        "_settled",
        "_value",
        "call",
        "epoch",
        "key",
        "loop",
        "seen",
        "task",
        "work",
    )

    def __init__(self, call: Call | None, key: bytes) -> None:
        self.call = call
        self.key = key
        self.epoch = 0
        self.seen = False
        """Whether anybody looked at the outcome; an unseen failure fails the flow."""
        self.work: Callable[[], None] | None = None
        """What a runner has queued for it; whoever takes it runs it."""
        self.loop: Any = None
        """The event loop that runs it, for async tasks submitted inside one."""
        self.task: Any = None
        """The asyncio task that runs it, for async tasks."""
        self._settled = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future[R]], None]] | tuple[()] | None = ()
        self._gate = _GATE

    @property
    def name(self) -> str:
        """Run name of the task."""
        return self.call.name if self.call is not None else ""

    @property
    def task_run_id(self) -> str:
        """Id of the task run: `<flow run id>/<no>`."""
        return self.call.run_ref if self.call is not None else ""

    @property
    def state(self) -> State:
        """The state now; looking at it counts as having seen a failure."""
        self.seen = self.seen or self._settled
        return self.peek()

    def peek(self) -> State:
        """Give the state now, without counting as a look."""
        name = self.call.state if self.call is not None else "Completed"
        return State(
            name=cast("StateName", name or "Pending"),
            value=self._value,
            error=self._error,
            message=message_of(self._error) if self._error is not None else "",
        )

    def done(self) -> bool:
        """Tell whether it has ended, well or badly."""
        return self._settled

    def failure(self) -> BaseException | None:
        """Give the exception it ended with, or None."""
        return self._error

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:  # noqa: FBT001, FBT002 - known names
        """Give the value of the task, waiting up to `timeout` seconds.

        Raises:
            TimeoutError: it has not ended in time.
            Exception: what the task raised (returned instead with `raise_on_failure=False`).
        """
        if not self._settled:
            self._help_or_wait(timeout)
        self.seen = True
        if self._error is None:
            return self._value  # type: ignore[no-any-return]
        if raise_on_failure:
            raise self._error
        return self._error  # type: ignore[return-value]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; give False when `timeout` seconds passed first."""
        if not self._settled:
            try:
                self._help_or_wait(timeout)
            except TimeoutError:
                return False
        return True

    def add_done_callback(self, fn: Callable[[Future[R]], None]) -> None:
        """Call `fn(future)` when it has ended, at once if it has."""
        with self._gate:
            if self._callbacks:
                self._callbacks.append(fn)
                return
            if self._callbacks is not None:
                self._callbacks = [fn]
                return
        self._call_back(fn)

    def take_work(self) -> Callable[[], None] | None:
        """Give the queued work once, to the first who asks."""
        with self._gate:
            work, self.work = self.work, None
        return work

    def settle(self, value: Any, error: BaseException | None) -> None:
        """Set the outcome, once; later ones are dropped (a timed-out thread may still end)."""
        with self._gate:
            callbacks, self._callbacks = self._callbacks, None
            if callbacks is None:
                return
            self._value, self._error, self._settled = value, error, True
        for fn in callbacks:
            self._call_back(fn)

    def _call_back(self, fn: Callable[[Future[R]], None]) -> None:
        try:
            fn(self)
        except Exception as error:  # noqa: BLE001 - others wait for this outcome too
            if self.call is not None:
                text = f"A done callback raised {type(error).__name__}: {error}"
                logs.emit(self.call.caller, 40, "ostinato.futures", text)

    def _help_or_wait(self, timeout: float | None) -> None:
        self.check_loop()
        if timeout is None:
            self.help()
        if self._settled:
            return
        wake = Lock()
        wake.acquire()
        self.add_done_callback(lambda _: wake.release())
        if not wake.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise NotEnded(what=f"Task {self.name!r} has", timeout_s=timeout)

    def help(self) -> None:
        """Run what is queued for this, its inputs first, in the calling thread, so that no pool is too small."""
        waiting: list[Future[Any]] = [self]
        while waiting:
            future = waiting[-1]
            inputs = future.call.waits if future.call is not None and future.work is not None else ()
            for one in inputs:
                one.check_loop()
            queued = [one for one in inputs if one.work is not None]
            if queued:
                waiting += queued
                continue
            waiting.pop()
            future.run_here()

    def run_here(self) -> None:
        """Run what is queued for this in the calling thread; what interrupts the thread is raised."""
        work = self.take_work()
        if work is not None:
            work()
            if isinstance(self._error, (KeyboardInterrupt, Terminated)):
                raise self._error

    def check_loop(self) -> None:
        """Refuse to wait in the event loop that has to run this.

        Raises:
            BadOption: (option-invalid) it has to be awaited.
        """
        if self.loop is not None and not self._settled and self.loop is running_loop():
            raise BadOption(
                option="result", value=self.name, where="an async task of this event loop",
                reason="waiting here would stop the loop that has to run it", fix="Write `await future` instead.",
            )  # fmt: skip

    async def ended(self) -> None:
        """Await the end, whatever the outcome."""
        if not self._settled:
            loop = running_loop()
            waiter = loop.create_future()
            self.add_done_callback(lambda _: loop.call_soon_threadsafe(_wake, waiter))
            await waiter

    def __await__(self) -> Generator[Any, None, R]:
        yield from self.ended().__await__()
        return self.result()

    def __repr__(self) -> str:
        return f"Future({self.name!r}, {self.peek().name})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(NOT_PICKLED)


_GATE = Lock()
NOT_PICKLED: Final = "a Future cannot be pickled; pass `future.result()` instead"


def _wake(waiter: Any) -> None:
    if not waiter.done():
        waiter.set_result(None)


class FutureList(list[Future[R]]):
    """The futures of one `.map`, in the order of its items."""

    key: bytes = b""

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> list[R]:  # noqa: FBT001, FBT002
        """Give all values in order; raises the first failure."""
        end = None if timeout is None else time.monotonic() + timeout
        return [f.result(None if end is None else end - time.monotonic(), raise_on_failure) for f in self]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all have ended; False when time ran out."""
        return not wait(self, timeout).not_done


class Done(tuple[list[Future[Any]], list[Future[Any]]]):
    """What `wait` gives: (done, not_done)."""

    __slots__ = ()

    @property
    def done(self) -> list[Future[Any]]:
        """Those that have ended."""
        return self[0]

    @property
    def not_done(self) -> list[Future[Any]]:
        """Those that have not."""
        return self[1]


def wait(futures: Iterable[Future[Any]], timeout: float | None = None) -> Done:
    """Wait until all futures have ended or `timeout` seconds passed; give (done, not_done)."""
    waiting = list(futures)
    end = None if timeout is None else time.monotonic() + timeout
    for future in waiting:
        if not future.wait(None if end is None else max(0.0, end - time.monotonic())):
            break
    return Done(([f for f in waiting if f.done()], [f for f in waiting if not f.done()]))


def as_completed(futures: Iterable[Future[T]], timeout: float | None = None) -> Iterator[Future[T]]:
    """Give each future as it ends.

    Raises:
        TimeoutError: not all ended within `timeout` seconds.
    """
    waiting = list(futures)
    ended: SimpleQueue[Future[T]] = SimpleQueue()
    for future in waiting:
        future.add_done_callback(ended.put)
    end = None if timeout is None else time.monotonic() + timeout
    in_task = isinstance(current.get(), TaskScope)
    for _ in waiting:
        queued = [one for one in waiting if one.work is not None] if in_task and ended.empty() else []
        if queued and timeout is None:
            queued[0].help()  # this thread may be the only one of its pool
        try:
            yield ended.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
        except Empty:
            raise NotEnded(
                what=f"{sum(not f.done() for f in waiting)} of {len(waiting)} tasks have", timeout_s=timeout
            ) from None
