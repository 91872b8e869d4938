"""The pool of one flow run: takes calls, gives futures, runs calls when their inputs are there."""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
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
from ostinato.engine.scopes import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        self._n_open = 0
        """Calls that are queued or running: each has a thread, up to the bound."""
        self._lock = threading.Lock()
        self._live: dict[int, Future[Any]] = {}
        """What is running now."""
        self._loops: list[Any] = []
        """Event loops in threads of their own, for async calls of sync callers."""
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
            future.work = partial(context.run, self._carry, future, call)
            self._enqueue_when_ready(future, call)
        return future

    def map(
        self, task: Task[Any, Any], scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any], wait_for: Any
    ) -> FutureList[Any]:
        """Submit one call for each item of the mapped arguments; a future among them is waited for, and mapped over."""
        produced = [value for value in (*args, *kwargs.values()) if isinstance(value, Future)]
        if produced:
            args = tuple(value.result() if isinstance(value, Future) else value for value in args)
            kwargs = {name: value.result() if isinstance(value, Future) else value for name, value in kwargs.items()}
            given = [] if wait_for is None else wait_for if isinstance(wait_for, (list, tuple, set)) else [wait_for]
            wait_for = [*given, *produced]
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
            if not self._closed:
                self._n_open += 1
                if self._n_open > len(self._threads) < self._most:
                    thread = threading.Thread(target=self._work, name=f"ostinato-{len(self._threads)}", daemon=True)
                    self._threads.append(thread)
                    thread.start()
                self._queue.put(future)
                return
        _cancel(future)  # outside the lock: calls that wait for this one come here from inside it

    def _work(self) -> None:
        while True:
            future = self._queue.get()
            if future is None:
                return
            work = future.take_work()
            if work is not None:
                work()
            del future, work
            with self._lock:
                self._n_open -= 1

    def _start_async(self, future: Future[Any], call: Call, context: contextvars.Context) -> None:
        """Run an async call in the caller's event loop when the caller is async, else in one in a thread of its own."""
        running = running_loop()
        if self._closed:
            _cancel(future)
        elif running is not None and _is_async(call.caller):
            future.loop = running
            future.task = running.create_task(self._carry_async(future, call), context=context)
        else:
            loop = self._background_loop(running)
            context.run(loop.call_soon_threadsafe, self._begin_async, loop, future, call)

    def _begin_async(self, loop: Any, future: Future[Any], call: Call) -> None:
        future.task = loop.create_task(self._carry_async(future, call))

    def _background_loop(self, running: Any) -> Any:
        """Give an event loop that may be waited for: not the one that the caller is holding up."""
        import asyncio

        with self._lock:
            if not self._loops or running in self._loops:
                self._loops.append(asyncio.new_event_loop())
                threading.Thread(target=_serve, args=(self._loops[-1],), name="ostinato-async", daemon=True).start()
            return self._loops[-1]

    def _carry(self, future: Future[Any], call: Call) -> None:
        """Drive the life of a call and settle its future."""
        value, error = None, None
        self._live[id(future)] = future
        try:
            value = drive(task_life(call), call)
        except BaseException as raised:  # noqa: BLE001 - the future carries it to whoever looks
            error = raised
        self._live.pop(id(future), None)
        _settle(future, call, value, error)

    async def _carry_async(self, future: Future[Any], call: Call) -> None:
        """Drive the life of an async call and settle its future."""
        value, error = None, None
        self._live[id(future)] = future
        try:
            value = await drive_async(task_life(call), call)
        except BaseException as raised:  # noqa: BLE001 - the future carries it to whoever looks
            error = raised
        self._live.pop(id(future), None)
        _settle(future, call, value, error)

    # --- ending

    def cancel_queued(self, pending: Sequence[Future[Any]]) -> None:
        """Cancel those of these calls that have not started, and all that would start later."""
        with self._lock:
            self._closed = True
        for future in pending:
            if future.take_work() is not None:
                _cancel(future)

    def cancel_all(self, pending: Sequence[Future[Any]]) -> None:
        """Cancel queued calls, and record the running ones as Cancelled: their threads are left behind."""
        self.cancel_queued(pending)
        for future in list(self._live.values()):
            call = future.call
            if call is None:
                continue
            if call.scope is not None:
                call.scope.cut = "cancelled"
            call.move("Cancelled", "the flow run was stopped")
            if future.task is not None:
                _call_in(future.task.get_loop(), future.task.cancel)

    def close(self) -> None:
        """End the threads once the queue is empty; nobody waits for them."""
        with self._lock:
            self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for loop in self._loops:
            _call_in(loop, loop.stop)


def _serve(loop: Any) -> None:
    """Run an event loop in this thread until it is stopped; cancel what is left in it."""
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _call_in(loop: Any, fn: Callable[[], Any]) -> None:
    """Call a function in the thread of an event loop, unless that has ended."""
    if not loop.is_closed():
        with suppress(RuntimeError):  # it ended just now
            loop.call_soon_threadsafe(fn)


def _is_async(caller: Any) -> bool:
    """Tell whether the calling flow or task is an async function."""
    recorded = getattr(caller, "task", None) or caller.run.flow
    return bool(getattr(recorded, "is_async", False))


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
    if isinstance(value, (Unmapped, str, bytes, dict)) or not hasattr(value, "__iter__"):
        return None
    return list(value)


def _unwrap(value: Any) -> Any:
    return value.value if isinstance(value, Unmapped) else value
