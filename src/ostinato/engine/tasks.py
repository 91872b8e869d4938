"""`@task`: a function whose calls are recorded."""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast, overload

from ostinato.core.errors import NoContext
from ostinato.core.ports import resolve as resolve_door
from ostinato.core.retry import RetryPolicy, check
from ostinato.engine import logs, traces
from ostinato.engine.calls import Call
from ostinato.engine.drive import drive, drive_async
from ostinato.engine.functions import H, RecordedFunction
from ostinato.engine.life import task_life
from ostinato.engine.marks import Unmapped
from ostinato.engine.options import TaskOptions, filled, read_options, with_changes
from ostinato.engine.plain import NO_OPTIONS, call_plain, is_plain, plain_inputs
from ostinato.engine.scopes import Scope, current, find_scope
from ostinato.engine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from ostinato.core.states import StateName
    from ostinato.engine.caching import TaskCache
    from ostinato.engine.futures import Future, FutureList
    from ostinato.engine.runners.pool import Pool, Runner

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Task(RecordedFunction[P, R]):
    """A recorded function. Calling it gives its value (a coroutine for `async def`)."""

    kind = "task"
    options: TaskOptions

    def __init__(self, fn: Callable[P, R], options: TaskOptions) -> None:
        super().__init__(fn, options, options.name or getattr(fn, "__name__", type(fn).__name__))
        self.retry: RetryPolicy = check(
            self.title,
            retries=options.retries,
            retry_delay_seconds=options.retry_delay_seconds,
            retry_jitter_factor=options.retry_jitter_factor,
            retry_condition_fn=options.retry_condition_fn,
        )
        self.caches = options.cache_policy is not None or options.cache_key_fn is not None
        self._plain = not self.is_async and not self.is_generator and is_plain(options)
        self._cache: TaskCache | None = None

    @property
    def body(self) -> Callable[..., Any]:
        """The function as a submitted call runs it: a generator function gives the list of its values."""
        return resolve_door("ostinato.engine.generators:listed")(self.fn) if self.is_generator else self.fn

    @property
    def cache(self) -> TaskCache:
        """How this task uses the cache."""
        if self._cache is None:
            self._cache = resolve_door("ostinato.engine.caching:TaskCache")(self.options)
        return self._cache

    # --- calling

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, return_state: Literal[True], wait_for: Any = None, **kwargs: Any) -> State: ...
    @overload
    def __call__(self, *args: Any, wait_for: Iterable[Any], **kwargs: Any) -> R: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scope = current.get() or find_scope()
        if scope is None:
            return resolve_door("ostinato.engine.flows:run_alone")(self, args, kwargs)
        if self._plain and scope.root.memory is None:
            inputs = plain_inputs(args, kwargs)
            if inputs is not None:
                return call_plain(self, scope, args, kwargs, inputs)
        as_state = kwargs.pop("return_state", False)
        call = Call(self, scope, args, kwargs).prepare(kwargs.pop("wait_for", None))
        if self.is_generator:
            return resolve_door("ostinato.engine.generators:iterate")(call)
        if self.is_async:
            return _state_of_async(call) if as_state else drive_async(task_life(call), call)
        return _state_of(call) if as_state else drive(task_life(call), call)

    @overload
    def submit(self, *args: Any, return_state: Literal[True], wait_for: Any = None, **kwargs: Any) -> State: ...
    @overload
    def submit(self: Task[P, Coroutine[Any, Any, T]], *args: Any, wait_for: Any = None, **kwargs: Any) -> Future[T]: ...
    @overload
    def submit(self: Task[P, T], *args: Any, wait_for: Any = None, **kwargs: Any) -> Future[T]: ...

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Start the task on the flow's task runner; give a future at once (with `return_state=True` its end)."""
        scope = _flow_scope(self, "submit")
        as_state = kwargs.pop("return_state", False)
        future = _pool(scope).submit(self, scope, args, kwargs)
        if not as_state:
            return future
        future.wait()
        return future.state

    def map(self, *args: Any, wait_for: Any = None, **kwargs: Any) -> FutureList[Any]:
        """Submit the task once for each item of its iterable arguments; `unmapped(x)` goes whole to every call.

        A future of a list is waited for and mapped over; strings, bytes and dicts are not.
        """
        scope = _flow_scope(self, "map")
        return _pool(scope).map(self, scope, args, kwargs, wait_for)

    def with_options(self, **options: Any) -> Task[P, R]:
        """Give a copy of the task with other options."""
        return Task(self.wrapped, with_changes(self.options, self.title, options))

    def _hooked(self, name: str, hook: H) -> H:
        self._plain = False
        return super()._hooked(name, hook)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        receiver = self.receiver(instance, owner)
        return self if receiver is None else BoundTask(self, receiver)

    # --- names

    def run_name(self, call: Call) -> str:
        """Give the run name from the template or function of `task_run_name=`."""
        return filled(self.options.task_run_name, self.fn, call.args, call.kwargs)

    def choose_key(self, call: Call) -> str:
        """Give the key from the template or function of `key=`."""
        return filled(self.options.key, self.fn, call.args, call.kwargs)


class BoundTask:
    """A task reached through an instance: the instance is its first argument."""

    def __init__(self, task: Task[Any, Any], instance: Any) -> None:
        self.task, self.instance = task, instance
        self.fn = MethodType(task.fn, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.task(self.instance, *args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start the task on the flow's task runner."""
        return self.task.submit(self.instance, *args, **kwargs)  # type: ignore[no-any-return]

    def map(self, *args: Any, **kwargs: Any) -> FutureList[Any]:
        """Submit once for each item."""
        return self.task.map(Unmapped(self.instance), *args, **kwargs)

    def with_options(self, **options: Any) -> BoundTask:
        """Give a copy with other options."""
        return BoundTask(self.task.with_options(**options), self.instance)


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Any) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(fn: Any = None, /, **options: Any) -> Any:
    """Make a task of a function: bare (`@task`) or with options (`@task(retries=3, retry_delay_seconds=5)`).

    Options: name, description, version, tags, task_run_name, retries, retry_delay_seconds (number, list
    or callable), retry_jitter_factor, retry_condition_fn, timeout_seconds, cache_key_fn, cache_policy,
    cache_expiration, refresh_cache, persist_result, log_prints, key, effect, on_running,
    on_completion, on_failure, on_crashed, on_cancellation.

    Raises:
        BadOption: (option-invalid) an option is unknown or has a wrong value.
        NotATask: (not-a-task) it stands on something that cannot be called.
    """
    if fn is not None:
        return Task(fn, NO_OPTIONS)
    made = read_options(TaskOptions, "@task", options)
    return lambda function: Task(function, made)


def _flow_scope(task: Task[Any, Any], what: str) -> Scope:
    scope = current.get() or find_scope()
    if scope is None:
        raise NoContext(what=f"{task.name}.{what}(...)")
    return scope


def _pool(scope: Scope) -> Pool:
    """Give the pool of the flow run, opened at its first submit."""
    flow = scope.flow
    if flow.runner is None:
        chosen = flow.run.flow.options.task_runner
        if chosen is None:
            chosen = resolve_door("ostinato.engine.runners.threads:ThreadRunner")
        runner: Runner = chosen() if isinstance(chosen, type) else chosen
        logs.emit(flow, 20, "ostinato.flow_runs", f"Using task runner {type(runner).__name__!r}")
        flow.runner = runner.open()
    return flow.runner  # type: ignore[no-any-return]


def _state_of(call: Call) -> State:
    """Drive a call and give its state instead of its value."""
    try:
        value = drive(task_life(call), call)
    except Exception as error:  # noqa: BLE001 - the state carries it
        return _state(call, None, error)
    return _state(call, value, None)


async def _state_of_async(call: Call) -> State:
    try:
        value = await drive_async(task_life(call), call)
    except Exception as error:  # noqa: BLE001 - the state carries it
        return _state(call, None, error)
    return _state(call, value, None)


def _state(call: Call, value: Any, error: Exception | None) -> State:
    message = traces.said(error) if error is not None else ""
    return State(name=cast("StateName", call.state), message=message, value=value, error=error, run_id=call.run_ref)
