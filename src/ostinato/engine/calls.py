"""One call of a task: its name, key, inputs and edges, and the moves of its life."""

from __future__ import annotations

import contextvars
import random
import threading
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.errors import OstinatoError, TaskTimedOut, UpstreamFailed
from ostinato.core.events import TaskMoved, TaskStarted
from ostinato.core.keys import ATOMS, MOST_ITEMS, call_name, name_value
from ostinato.core.ports import resolve as resolve_door
from ostinato.core.states import ACTIVE, SUCCESSFUL, TERMINAL
from ostinato.engine import hooks, logs, traces
from ostinato.engine.effects import Found
from ostinato.engine.futures import Future, FutureList
from ostinato.engine.marks import AllowFailure, Quote, context_tags
from ostinato.engine.scopes import Root, Scope, TaskScope, current, now_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.events import Error
    from ostinato.core.results import Result
    from ostinato.core.states import StateName
    from ostinato.engine.context import TaskRunInfo
    from ostinato.engine.tasks import Task

EDGES_MOST: Final = 1 << 10
MARKS: Final = frozenset({Future, Quote, AllowFailure})
ENDS: Final = TERMINAL | {"AwaitingRetry"}
"""States in which an attempt has ended."""
CONTAINERS: Final = frozenset({list, FutureList, tuple, set, frozenset, dict})


class Call:
    """A call of a task from a scope; the subject of `life.task_life`."""

    __slots__ = (
        "args", "attempt", "cache_key", "caller", "future", "group", "key", "kwargs", "marked", "name", "named",
        "newest", "no", "number", "ordinal", "random", "row", "scope", "state", "task", "tolerated", "upstream",
        "waits",
    )  # fmt: skip

    def __init__(self, task: Any, caller: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.task = task
        self.caller = caller
        self.args = args
        self.kwargs = kwargs
        self.upstream: dict[bytes, None] | None = None
        """Keys of producing calls, in order, each once."""
        self.waits: list[Future[Any]] | tuple[()] = ()
        self.marked = False
        """Whether an argument is quoted or may have failed."""
        self.tolerated: list[Any] | tuple[()] = ()
        """Futures that may fail."""
        self.newest = 0
        self.state = ""
        self.attempt = 1
        self.group = ""
        self.scope: TaskScope | None = None
        self.future: Future[Any] | None = None
        self.cache_key: str | None = None
        self.random: Callable[[], float] = random.random

    def prepare(self, wait_for: Any = None, group: str = "") -> Call:
        """Name the call: key, ordinal, edges, number and run name."""
        task, caller = self.task, self.caller
        caller.check(hold=not task.is_async)
        names = self.name_inputs(wait_for)
        if task.options.key is not None:
            self.key, self.ordinal, self.named = caller.claim_key(task.name, task.choose_key(self)), 0, True
        else:
            self.key, self.ordinal = caller.next_key(call_name(caller.key, task.name, names))
            self.named = False
        self.group = group
        memory = caller.root.memory
        self.row = memory.task(self.key) if memory is not None else None
        flow = caller.flow
        self.no = self.row.no if self.row is not None else flow.next_no()
        number = self.number = flow.task_number(task.name)
        self.name = task.run_name(self) if task.options.task_run_name else f"{task.name}-{self.key.hex()[:8]}-{number}"
        return self

    @classmethod
    def of_flow(cls, name: str, caller: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Give the inputs of a subflow call: named, edges noted, futures waited for and replaced by their values.

        Raises:
            UpstreamFailed: (upstream-failed) a future among the inputs failed.
        """
        caller.check(hold=False)
        call = cls(None, caller, args, kwargs)
        wait_for = kwargs.pop("wait_for", None)
        call.name = name
        call.key, call.ordinal = caller.next_key(call_name(caller.key, "flow:" + name, call.name_inputs(wait_for)))
        for future in call.waits:
            future.wait()
        failed = call.take_inputs() if call.waits else None
        if failed is not None:
            raise failed
        return call

    @classmethod
    def running(
        cls, scope: TaskScope, caller: Scope, args: tuple[Any, ...], kwargs: dict[str, Any], ordinal: int
    ) -> Call:
        """Give the call of a task that the short path has started."""
        call = cls(scope.task, caller, args, kwargs)
        call.scope, call.key, call.no, call.name = scope, scope.key, scope.no, scope.name
        call.ordinal, call.named, call.row, call.state, call.number = ordinal, False, None, "Running", 0
        return call

    @property
    def run_ref(self) -> str:
        """Public id of the task run."""
        return f"{self.caller.flow.id}/{self.no}"

    @property
    def caches(self) -> bool:
        """Whether this call holds, or looks for, a cache entry."""
        return self.cache_key is not None

    # --- inputs

    def name_inputs(self, wait_for: Any) -> list[Any]:
        """Give what names the inputs; note edges and futures on the way."""
        names = [self._name(value) for value in self.args]
        if self.kwargs:
            names.append(sorted([name, self._name(value)] for name, value in self.kwargs.items()))
        if wait_for is not None:
            self._name(list(wait_for) if isinstance(wait_for, (list, tuple, set)) else [wait_for])
        return names

    def _name(self, value: Any) -> Any:
        if type(value) in ATOMS and (type(value) is not str or len(value) <= MOST_ITEMS):
            return value
        if type(value) is Quote:
            self.marked = True
            return ["quoted", type(value.value).__name__]
        if type(value) is AllowFailure:
            self.marked = True
            self.tolerated = [*self.tolerated, value.value]
            return self._name(value.value)
        if type(value) in (list, tuple) and len(value) > MOST_ITEMS and any(isinstance(v, Future) for v in value):
            return ["many", [self._name(item) for item in value]]
        return name_value(value, self._origin)

    def _origin(self, value: object) -> tuple[bytes, int] | None:
        """Give the producer of a future or tracked value, and note the edge."""
        if isinstance(value, Future):
            self._wait([value])
            self._edge(value.key)
            return value.key, -1
        if isinstance(value, FutureList):
            self._wait(value)
            self._edge(value.key)
            return value.key, -1
        origin = self.caller.root.lineage.find(value)
        if origin is None:
            return None
        self._edge(origin.key)
        self.newest = max(self.newest, origin.epoch)
        return origin.key, origin.item

    def _wait(self, futures: list[Future[Any]]) -> None:
        if isinstance(self.waits, tuple):
            self.waits = list(futures)
        else:
            self.waits.extend(futures)

    def _edge(self, key: bytes) -> None:
        if self.upstream is None:
            self.upstream = {}
        if len(self.upstream) < EDGES_MOST:
            self.upstream[key] = None

    def take_inputs(self) -> UpstreamFailed | None:
        """Put values where futures were; give the reason when one of them failed."""
        for future in self.waits:
            error = future.failure()
            if error is not None and not any(future is one for one in self.tolerated):
                said = error.message if isinstance(error, OstinatoError) else traces.said(error)
                reason = UpstreamFailed(name=self.name, upstream=future.name, state=future.peek().name, reason=said)
                reason.__cause__ = error
                return reason
            future.seen = True
            self.newest = max(self.newest, future.epoch)
        self.args = tuple(resolve(value) for value in self.args)
        self.kwargs = {name: resolve(value) for name, value in self.kwargs.items()}
        self.waits = ()
        return None

    # --- effects

    def move(self, state: Any, message: str = "", value: Any = None, error: BaseException | None = None) -> None:
        """Record a new state; the first one makes the row."""
        if self.state in TERMINAL:  # it was stopped from outside, or has ended before
            return
        if (
            not self.state
            and state in ("Cancelled", "Crashed")
            and self.row is not None
            and self.row.state in SUCCESSFUL
        ):
            self.state = state  # not reached in this epoch: what an earlier one recorded stays
            return
        root, flow = self.caller.root, self.caller.flow
        now = now_us()
        if state == "Retrying":
            self.attempt += 1
        kept: Error | None = None
        if error is not None:
            kept = logs.note_failure(self, state, error, message)
            said = f"{kept.type}: {kept.message}" if kept.message else kept.type
            message = message or traces.why_stopped(kept) or said
        if not self.state:
            first: StateName = state if state in ("Running", "Pending", "Skipped") else "Pending"
            root.push(
                TaskStarted(
                    flow.id, root.epoch, now, self.no, self.key, self.task.name, self.name, first,
                    self.row.state if self.row is not None else "", self.ordinal, self.caller.no,
                    tuple(self.upstream or ()), self.task.version, self.task.tags + context_tags.get(), message,
                    self.group,
                )
            )  # fmt: skip
            self.state = first
        if self.scope is not None and self.scope.tracking is not None and state in ENDS:
            self.scope.tracking.end(state)
        if self.state != state:
            root.push(
                TaskMoved(
                    flow.id, root.epoch, now, self.no, state, self.state, flow.last_no, self.attempt, message,  # type: ignore[arg-type]
                    value, kept,
                )
            )  # fmt: skip
            self.state = state
        if state != "Pending":
            logs.note_move(self, state, message)

    def store(self, value: Any) -> Result | None:
        """Encode the value now, so that later changes cannot alter the record; note who made it."""
        root = self.caller.root
        if value is None:
            return None
        if type(value) not in ATOMS:
            root.lineage.remember(value, self.key, root.epoch)
        persist, storage = self.task.options.persist_result, self.caller.flow.storage
        return root.values.keep(value, persist=persist, storage=storage)

    def recall(self) -> Found | None:
        """Give what an earlier epoch recorded for this call, when it may stand."""
        memory = self.caller.root.memory
        found = memory.reuse(self) if memory is not None else None
        if found is None:
            self.caller.newest = self.caller.root.epoch
            return None
        row, value = found
        self.state = row.state
        self.caller.newest = max(self.caller.newest, row.epoch)
        if self.future is not None:
            self.future.epoch = row.epoch
        if type(value) not in ATOMS:
            self.caller.root.lineage.remember(value, self.key, row.epoch)
        return Found(value)

    def find_cached(self) -> Found | bool:
        """Look into the cache, else claim the right to fill it."""
        found: Found | bool = self.task.cache.find(self)
        return found

    def keep_cached(self, result: Any) -> None:
        """Fill the cache, or only let go of the claim."""
        self.task.cache.keep(self, result)

    @property
    def durability(self) -> str:
        """What the start and the end of the call wait for."""
        return "database" if self.task.options.effect else "relaxed"

    def settle(self, level: Any) -> None:
        """Wait for a durability level, bounded by the task's timeout.

        Raises:
            TaskTimedOut: (task-timed-out) before user code has run: the intent could not be committed in time.
        """
        timeout_s = self.task.options.timeout_seconds
        if not self.caller.root.recorder.settle(level, timeout_s) and self.state in ACTIVE:
            raise TaskTimedOut(name=self.name, timeout_s=timeout_s)

    def wants_retry(self, error: BaseException, attempt: int) -> bool:
        """Tell whether a further attempt follows."""
        if attempt > self.task.retry.retries or not isinstance(error, Exception) or isinstance(error, UpstreamFailed):
            return False
        condition = self.task.retry.condition
        return condition is None or hooks.holds(condition, self, error)

    @property
    def root(self) -> Root:
        """The execution that it belongs to."""
        return self.caller.root

    @property
    def hook_scope(self) -> Scope:
        """The scope of hooks."""
        return self.scope or self.caller

    @property
    def recorded(self) -> Task[Any, Any]:
        """What is called, for hooks."""
        return self.task  # type: ignore[no-any-return]

    def facts(self) -> TaskRunInfo:
        """Give what hooks are told of the run."""
        return resolve_door("ostinato.engine.context:task_run_of")(self)  # type: ignore[no-any-return]

    # --- running the user's function

    def enter(self, attempt: int) -> TaskScope:
        """Give a fresh scope for an attempt."""
        self.attempt = attempt
        caller = self.caller
        if attempt > 1 or self.future is not None:
            caller.check(hold=False)
        scope = self.scope = TaskScope(caller.root, caller.flow, self.key, self.no, self.name, self.task)
        scope.attempt = attempt
        scope.log_prints = caller.log_prints if self.task.options.log_prints is None else self.task.options.log_prints
        return scope

    def run(self, attempt: int) -> Any:
        """Call the function in this thread, or in one that can be left behind when there is a timeout."""
        scope = self.enter(attempt)
        runner = self.caller.flow.runner
        if self.future is not None and runner is not None and runner.elsewhere:
            return runner.invoke(self, scope)
        timeout_s = self.task.options.timeout_seconds
        if timeout_s is None:
            return within(scope, self.task.body, self.args, self.kwargs)
        return within_time(
            scope, timeout_s, self.task.body, self.args, self.kwargs, TaskTimedOut(name=self.name, timeout_s=timeout_s)
        )

    async def run_async(self, attempt: int) -> Any:
        """Await the function."""
        scope = self.enter(attempt)
        timeout_s = self.task.options.timeout_seconds
        token = current.set(scope)
        try:
            if timeout_s is None:
                return await self.task.fn(*self.args, **self.kwargs)
            return await await_within(
                timeout_s, self.task.fn(*self.args, **self.kwargs), TaskTimedOut(name=self.name, timeout_s=timeout_s)
            )
        finally:
            current.reset(token)

    # --- being iterated, when the function is a generator

    def begin_iteration(self) -> Any:
        """Wait for the inputs, record the start; give the user's generator.

        Raises:
            UpstreamFailed: (upstream-failed) a future among the inputs failed.
        """
        for future in self.waits:
            future.wait()
        reason = self.take_inputs()
        if reason is not None:
            self.move("Skipped", reason.message)
            raise reason
        self.caller.newest = self.caller.root.epoch
        self.move("Running")
        self.enter(1)
        return self.task.fn(*self.args, **self.kwargs)

    def end_iteration(self, error: BaseException | None = None) -> None:
        """Nothing is left to end."""

    def leave_iteration(self) -> None:
        """Nothing is left to let go."""


def resolve(value: Any) -> Any:
    """Give `value` with futures (in lists, tuples, dicts and sets too) replaced by their values.

    What holds none is given back as it is, so that it keeps its identity.
    """
    return _resolved(value) if _holds_marks(value, set()) else value


def _holds_marks(value: Any, seen: set[int]) -> bool:
    kind = type(value)
    if kind in MARKS:
        return True
    if kind not in CONTAINERS or id(value) in seen:
        return False
    seen.add(id(value))
    return any(_holds_marks(item, seen) for item in (value.values() if kind is dict else value))


def _resolved(value: Any) -> Any:
    kind = type(value)
    if kind is Future:
        return value.result()
    if kind is Quote:
        return value.value
    if kind is AllowFailure:
        return value.value.result(raise_on_failure=False) if isinstance(value.value, Future) else value.value
    if kind in (list, FutureList):
        return [_resolved(item) for item in value]
    if kind in (tuple, set, frozenset):
        return kind(_resolved(item) for item in value)
    if kind is dict:
        return {name: _resolved(item) for name, item in value.items()}
    return value


def within(scope: Scope, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `fn` with `scope` as the calling scope."""
    token = current.set(scope)
    try:
        return fn(*args, **kwargs)
    finally:
        current.reset(token)


def within_time(
    scope: Scope,
    timeout_s: float,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    late: BaseException,
) -> Any:
    """Call `fn` in a daemon thread; raise `late` when it takes longer, and leave the thread behind.

    The abandoned thread is counted in `Root.abandoned`; its scope is cut, so that it stops at its next
    call of a task, and what it returns late is dropped.
    """
    future: Future[Any] = Future(None, b"")

    def body() -> None:
        try:
            value = within(scope, fn, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - carried to the waiting thread
            future.settle(None, error)
        else:
            future.settle(value, None)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(body,), name=scope.name, daemon=True).start()
    if not future.wait(timeout_s):
        scope.cut = "timed out"
        scope.root.abandoned += 1
        raise late
    return future.result()


async def await_within(timeout_s: float, awaitable: Any, late: BaseException) -> Any:
    """Await with a timeout; raise `late` when it takes longer."""
    try:
        async with resolve_door("asyncio:timeout")(timeout_s) as deadline:
            return await awaitable
    except TimeoutError:
        if deadline.expired():
            raise late from None
        raise
