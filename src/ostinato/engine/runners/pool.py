"""The pool of one flow run: takes calls, gives futures, runs calls when their inputs are there."""

from __future__ import annotations

import contextvars
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from ostinato.core.errors import BadOption, RunCancelled
from ostinato.core.keys import call_name
from ostinato.engine.calls import Call
from ostinato.engine.drive import drive, drive_async
from ostinato.engine.futures import Future, FutureList
from ostinato.engine.life import task_life
from ostinato.engine.marks import Unmapped

if TYPE_CHECKING:
    from ostinato.engine.scopes import Scope, TaskScope
    from ostinato.engine.tasks import Task


NOTHING: Final[dict[str, Any]] = {}


class Runner(Protocol):
    """A task runner as users name it."""

    def open(self) -> Pool:
        """Give the pool for one flow run; it starts nothing before the first submit."""


class Pool:
    """Runs submitted calls in threads of its own; daemon threads, so that an abandoned one keeps nobody waiting."""

    elsewhere = False
    """Whether user code runs in another process (`invoke`)."""

    def __init__(self, n_threads: int) -> None:
        self._most = n_threads
        self._threads: list[threading.Thread] = []
        self._queue: SimpleQueue[Future[Any] | None] = SimpleQueue()
        self._idle = 0
        self._lock = threading.Lock()
        self._live: dict[int, Call] = {}
        self._loop: Any = None
        self._closed = False

    # --- taking calls

    def submit(
        self, task: Task[Any, Any], scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any], group: str = ""
    ) -> Future[Any]:
        """Give the future of a new call."""
        wait_for = kwargs.pop("wait_for", None)
        call = Call(task, scope, args, kwargs).prepare(wait_for, group)
        future = call.future = Future(call, call.key)
        future.epoch = scope.root.epoch
        scope.flow.pending.append(future)
        if scope.root.memory is None:
            call.move("Pending")
        context = contextvars.copy_context()
        if task.is_async:
            self._start_async(future, call, context)
        else:
            future.work = partial(context.run, carry, future, call)
            self._enqueue_when_ready(future, call)
        return future

    def map(
        self, task: Task[Any, Any], scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any
    ) -> FutureList[Any]:
        """Submit one call for each item of the mapped arguments."""
        names = [*(f"argument {i + 1}" for i in range(len(args))), *kwargs]
        columns = [_column(value) for value in (*args, *kwargs.values())]
        lengths = {name: len(column) for name, column in zip(names, columns, strict=True) if column is not None}
        if len(set(lengths.values())) != 1:
            reason = "the mapped arguments differ in length" if lengths else "no argument can be mapped over"
            fix = "Give lists of equal length; wrap what goes whole to every call in `unmapped(...)`."
            raise BadOption(option="map", value=lengths, where=f"task {task.name!r}", reason=reason, fix=fix)
        futures: FutureList[Any] = FutureList()
        name = call_name(scope.key, task.name, ["map"])
        futures.key = scope.next_key(name)[0]
        group, whole = futures.key.hex(), (*args, *kwargs.values())
        for row in range(next(iter(lengths.values()))):
            items = [
                _unwrap(value) if column is None else column[row] for value, column in zip(whole, columns, strict=True)
            ]
            named = dict(zip(kwargs, items[len(args) :], strict=True))
            if wait_for is not None:
                named["wait_for"] = wait_for
            futures.append(self.submit(task, scope, tuple(items[: len(args)]), named, group))
        return futures

    def invoke(self, call: Call, scope: TaskScope) -> Any:
        """Call the user's function elsewhere; only pools with `elsewhere` have it."""
        raise NotImplementedError(f"{type(self).__name__} runs {call.name} in {scope.name}")

    # --- running them

    def _enqueue_when_ready(self, future: Future[Any], call: Call) -> None:
        """Queue a call when all futures among its inputs have ended; no thread waits for them."""
        waiting = [one for one in call.waits if not one.done()]
        if not waiting:
            self._enqueue(future)
            return
        left = [len(waiting)]
        lock = threading.Lock()

        def one_ended(_: Future[Any]) -> None:
            with lock:
                left[0] -= 1
                last = left[0] == 0
            if last:
                self._enqueue(future)

        for one in waiting:
            one.add_done_callback(one_ended)

    def _enqueue(self, future: Future[Any]) -> None:
        with self._lock:
            if self._closed:
                _cancel(future)
                return
            if self._idle <= self._queue.qsize() and len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=f"ostinato-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._queue.put(future)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            future = self._queue.get()
            with self._lock:
                self._idle -= 1
            if future is None:
                return
            work = future.take_work()
            if work is not None:
                self._live[id(future)] = future.call  # type: ignore[assignment]
                work()
                self._live.pop(id(future), None)
            del future, work

    def _start_async(self, future: Future[Any], call: Call, context: contextvars.Context) -> None:
        import asyncio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = self._background_loop()
            context.run(asyncio.run_coroutine_threadsafe, carry_async(future, call), loop)
        else:
            future.loop = loop
            running = loop.create_task(carry_async(future, call), context=context)
            future.work = None
            self._live[id(running)] = call
            running.add_done_callback(lambda task: self._live.pop(id(task), None))

    def _background_loop(self) -> Any:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="ostinato-async", daemon=True).start()
        return self._loop

    # --- ending

    def cancel_queued(self) -> None:
        """Cancel the calls that have not started."""
        with self._lock:
            self._closed = True
        waiting: list[Future[Any]] = []
        while not self._queue.empty():
            future = self._queue.get_nowait()
            if future is not None:
                waiting.append(future)
        for future in waiting:
            if future.take_work() is not None:
                _cancel(future)

    def cancel_all(self) -> None:
        """Cancel queued calls, and record the running ones as Cancelled: their threads are left behind."""
        self.cancel_queued()
        for call in list(self._live.values()):
            if call.scope is not None:
                call.scope.cut = "cancelled"
            call.move("Cancelled", "the flow run was stopped")

    def close(self) -> None:
        """End the threads once the queue is empty; nobody waits for them."""
        for _ in self._threads:
            self._queue.put(None)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)


def carry(future: Future[Any], call: Call) -> None:
    """Drive the life of a call and settle its future."""
    value, error = None, None
    try:
        value = drive(task_life(call), call)
    except BaseException as raised:  # noqa: BLE001 - the future carries it to whoever looks
        error = raised
    _settle(future, call, value, error)


async def carry_async(future: Future[Any], call: Call) -> None:
    """Drive the life of an async call and settle its future."""
    value, error = None, None
    try:
        value = await drive_async(task_life(call), call)
    except BaseException as raised:  # noqa: BLE001 - the future carries it to whoever looks
        error = raised
    _settle(future, call, value, error)


def _settle(future: Future[Any], call: Call, value: Any, error: BaseException | None) -> None:
    call.args, call.kwargs, call.scope = (), NOTHING, None
    future.settle(value, error)


def _cancel(future: Future[Any]) -> None:
    call = future.call
    if call is not None:
        call.move("Cancelled", "it had not started when the flow run ended")
    future.settle(None, RunCancelled(name=future.name))


def _column(value: Any) -> list[Any] | None:
    """Give the items to map over, or None for what goes whole to every call."""
    if isinstance(value, (Unmapped, Future, str, bytes, dict)) or not hasattr(value, "__iter__"):
        return None
    return list(value)


def _unwrap(value: Any) -> Any:
    return value.value if isinstance(value, Unmapped) else value
