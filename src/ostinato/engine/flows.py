"""`@flow`: a function whose runs are recorded."""

from __future__ import annotations

import threading
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from ostinato.core import settings as settings_of
from ostinato.core.ids import new_id
from ostinato.core.names import flow_name
from ostinato.core.parameters import read_parameters
from ostinato.core.ports import RECORDER, resolve
from ostinato.core.retry import check
from ostinato.engine import loading, logs, traces
from ostinato.engine.calls import Call
from ostinato.engine.drive import drive, drive_async
from ostinato.engine.functions import RecordedFunction, known
from ostinato.engine.interrupts import terminable
from ostinato.engine.life import flow_life
from ostinato.engine.options import FlowOptions, filled, read_options, with_changes
from ostinato.engine.runs import FlowRun, source_of, state_of
from ostinato.engine.scopes import Root, Scope, current, now_us
from ostinato.engine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from ostinato.core.deployments import Deployment
    from ostinato.core.events import Source
    from ostinato.core.parameters import Parameters
    from ostinato.engine.deploy import DeployOptions
    from ostinato.engine.tasks import Task

P = ParamSpec("P")
R = TypeVar("R")


class Flow(RecordedFunction[P, R]):
    """A recorded function. Calling it runs it and gives its value (a coroutine for `async def`)."""

    kind = "flow"
    options: FlowOptions

    def __init__(self, fn: Callable[P, R], options: FlowOptions) -> None:
        super().__init__(fn, options, options.name or flow_name(getattr(fn, "__name__", type(fn).__name__)))
        self.retry = check(self.title, retries=options.retries, retry_delay_seconds=options.retry_delay_seconds)
        self._parameters: Parameters | None = None
        self._source: Source | None = None

    @property
    def parameters(self) -> Parameters:
        """The parameters of the function: names, types, defaults."""
        if self._parameters is None:
            self._parameters = read_parameters(self.fn, self.name)
        return self._parameters

    @property
    def source(self) -> Source:
        """File, function, directory and interpreter, for resume."""
        if self._source is None:
            self._source = source_of(self.fn)
        return self._source

    def stand_for(self, fn: Callable[..., Any]) -> None:
        """Show `fn` as the code of the runs."""
        self._source = source_of(fn)

    def any_log_prints(self) -> bool:
        """Whether a task of this process wants its prints logged."""
        return any(one.options.log_prints for one in known.values())

    # --- calling

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, return_state: Literal[True], **kwargs: Any) -> State: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scope = current.get()  # unlike a task, a flow called in a thread without context is a run of its own
        if scope is None and loading.is_loading():
            loading.warn_of_call(self.name)
            return _nothing() if self.is_async else None
        as_state = bool(kwargs.pop("return_state", False))
        run = _begin(self, scope, args, kwargs)
        if self.is_generator:
            return resolve(f"ostinato.engine.generators:{'exhaust' if as_state else 'iterate'}")(run)
        return _run_async(run, as_state=as_state) if self.is_async else _run(run, as_state=as_state)

    def with_options(self, **options: Any) -> Flow[P, R]:
        """Give a copy of the flow with other options."""
        return Flow(self.wrapped, with_changes(self.options, self.title, options))

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Give the parameters as a run would get them: defaults filled in, values coerced by their type hints.

        Raises:
            UsageError: (parameter-unknown, parameter-missing, parameter-invalid) they do not fit.
        """
        return self.parameters.validate(self.parameters.bind((), parameters))

    def deploy(self, name: str, **options: Unpack[DeployOptions]) -> Deployment:
        """Make, or change, a deployment of this flow, so that workers can run it.

        Options: schedules, or cron, interval, rrule, with timezone; parameters, tags, queue, priority,
        concurrency, overlap (allow, queue, skip, cancel-previous), catchup (none, latest, all), skip_if_late,
        crash_retries, cancel_grace, env, resources, description, version, code (local, snapshot, git), storage,
        paused. An option that is left out has its default again; but what was paused stays so.

        Raises:
            BadOption: (option-invalid), DeploymentInvalid: (deployment-invalid) an option makes no sense, or
                workers could not find the flow.
            ScheduleInvalid: (schedule-invalid).
            UsageError: (parameter-unknown, parameter-invalid, not-literal) the parameters do not fit.
        """
        return resolve("ostinato.engine.deploy:deploy")(self, name, options)  # type: ignore[no-any-return]

    def serve(
        self, name: str = "", *, limit: int = 0, pause_on_shutdown: bool = True, **options: Unpack[DeployOptions]
    ) -> None:
        """Deploy this flow, and be a worker for that deployment alone until Ctrl-C; a server has to run.

        `limit` is how many runs it has at once (0: twice the cores, and eight at least). At the end the schedules
        are paused, unless `pause_on_shutdown=False`. The options are those of `deploy`.

        Raises:
            ServerNeeded: (server-needed) none runs.
        """
        resolve("ostinato.engine.deploy:serve")(
            self, name or self.name, options, limit, pause_on_shutdown=pause_on_shutdown
        )

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        receiver = self.receiver(instance, owner)
        if receiver is None:
            return self
        return Flow(MethodType(self.fn, receiver), with_changes(self.options, self.title, {"name": self.name}))


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(**options: Any) -> Callable[[Callable[P, R]], Flow[P, R]]: ...


def flow(fn: Any = None, /, **options: Any) -> Any:
    """Make a flow of a function: bare (`@flow`) or with options (`@flow(name="train", retries=1)`).

    Options: name, description, version, flow_run_name, retries, retry_delay_seconds, timeout_seconds,
    task_runner, log_prints, persist_result, result_storage, validate_parameters, tags, on_running,
    on_completion, on_failure, on_crashed, on_cancellation.

    Raises:
        BadOption: (option-invalid) an option is unknown or has a wrong value.
        NotATask: (not-a-task) it stands on something that cannot be called.
    """
    if fn is not None:
        return Flow(fn, _NO_OPTIONS)
    made = read_options(FlowOptions, "@flow", options)
    return lambda function: Flow(function, made)


_NO_OPTIONS = FlowOptions()


async def _nothing() -> None:
    """What awaiting an async flow gives while its file is loaded."""


def _begin(flow: Flow[Any, Any], scope: Scope | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FlowRun:
    """Give the new run of a call, parameters bound and validated, nothing recorded yet."""
    inputs = None
    if scope is not None:
        inputs = Call.of_flow(flow.name, scope, args, kwargs)
        args, kwargs = inputs.args, inputs.kwargs
    arguments = flow.parameters.bind(args, kwargs)
    if flow.options.validate_parameters:
        arguments = flow.parameters.validate(arguments)
    name = filled(flow.options.flow_run_name, flow.fn, (), arguments) if flow.options.flow_run_name else ""
    if scope is None or inputs is None:
        root = Root(resolve(RECORDER)(), settings_of.load(), new_id(), 1, name)
        return FlowRun(flow, root, None, arguments)
    return FlowRun(flow, scope.root, scope, arguments).nest(scope, name, inputs)


def carry_on(run: FlowRun) -> State:
    """Drive a run that was taken up again to its end; give its state."""
    if run.flow.is_generator:
        outcome = resolve("ostinato.engine.generators:exhaust")(run)
    else:
        outcome = _run_async(run, as_state=True) if run.flow.is_async else _run(run, as_state=True)
    return outcome if isinstance(outcome, State) else resolve("asyncio:run")(outcome)


def _run(run: FlowRun, *, as_state: bool) -> Any:
    try:
        if run.is_root:
            with terminable():
                value = drive(flow_life(run), run)
        else:
            value = drive(flow_life(run), run)
    except BaseException as error:
        run.close()
        if as_state and isinstance(error, Exception):
            return state_of(run, error)
        if run.is_root:
            traces.trim(error)
        raise
    run.close()
    return state_of(run, value=value) if as_state else value


async def _run_async(run: FlowRun, *, as_state: bool) -> Any:
    try:
        value = await drive_async(flow_life(run), run)
    except BaseException as error:
        run.close()
        if as_state and isinstance(error, Exception):
            return state_of(run, error)
        if run.is_root:
            traces.trim(error)
        raise
    run.close()
    return state_of(run, value=value) if as_state else value


def run_alone(task: Task[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a task called outside any flow as the only call of a run of its own."""
    if threading.current_thread() is not threading.main_thread():
        text = f"Task {task.name!r} was called from a thread without context: it becomes a run of its own."
        logs.write(logs.line(30, text, now_us()))

    def alone() -> Any:
        return task(*args, **kwargs)

    async def alone_async() -> Any:
        return await task(*args, **kwargs)

    lone: Flow[Any, Any] = Flow(alone_async if task.is_async else alone, FlowOptions(name=task.name))
    lone.stand_for(task.fn)
    return lone()
