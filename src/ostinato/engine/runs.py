"""One run of a flow: its identity, parameters and runner, and the moves of its life."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.errors import FlowTimedOut, UpstreamFailed
from ostinato.core.events import Logged, RunCreated, RunMoved, Source
from ostinato.core.ids import new_id
from ostinato.core.keys import ATOMS
from ostinato.core.names import run_name
from ostinato.core.ports import LEND, TAKE_BACK
from ostinato.core.ports import resolve as resolve_door
from ostinato.core.states import TERMINAL
from ostinato.engine import logs, masks, traces
from ostinato.engine.calls import ENDS, Call, await_within, resolve, within, within_time
from ostinato.engine.futures import Future
from ostinato.engine.marks import context_tags
from ostinato.engine.scopes import FlowScope, Root, Scope, current, now_us, roots
from ostinato.engine.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core import records
    from ostinato.core.events import Error
    from ostinato.core.results import Result
    from ostinato.engine.context import FlowRunInfo
    from ostinato.engine.effects import Found
    from ostinato.engine.flows import Flow


HOOKS_FROM: Final = 1 << 39
"""Calls made in a hook before the function runs have numbers from here on."""


class FlowRun:
    """A run of a flow; the subject of `life.flow_life`."""

    __slots__ = (
        "arguments",
        "attempt",
        "caller",
        "created",
        "expected_at",
        "flow",
        "id",
        "key",
        "name",
        "newest",
        "no",
        "random",
        "root",
        "row",
        "scope",
        "state",
        "tags",
        "upstream",
    )  # fmt: skip

    caches = False
    durability = "relaxed"

    def __init__(self, flow: Flow[Any, Any], root: Root, caller: Scope | None, arguments: dict[str, Any]) -> None:
        self.flow = flow
        self.root = root
        self.caller = caller
        self.arguments = arguments
        self.id = root.id
        self.name = root.name
        self.key = b""
        self.no = 0
        self.newest = 0
        self.upstream: tuple[bytes, ...] = ()
        self.tags = tuple(flow.options.tags) + context_tags.get()
        self.expected_at = now_us()
        self.attempt = 1
        self.state = "Pending"
        self.created = False
        self.row: records.FlowRun | None = None
        self.scope: FlowScope | None = None
        self.random: Callable[[], float] = random.random

    def nest(self, caller: Scope, name: str, inputs: Call) -> FlowRun:
        """Place this run below its caller: key, number, edges; take up what was recorded of it."""
        self.key, self.newest = inputs.key, inputs.newest
        self.upstream = tuple(inputs.upstream or ())
        memory = self.root.memory
        self.row = memory.run(self.key) if memory is not None else None
        self.id = self.row.id if self.row is not None else new_id()
        self.no = self.row.no if self.row is not None else caller.flow.next_no()
        self.name = self.row.name if self.row is not None else name or run_name()
        self.expected_at = self.row.expected_at if self.row is not None else caller.flow.expected_at
        return self

    @property
    def is_root(self) -> bool:
        """Whether no other run called it."""
        return self.id == self.root.id

    def create(self) -> None:
        """Record that the run exists, or that it is taken up again."""
        self.created = True
        if self.row is not None:
            if not self.is_root:
                self._moved("Pending", self.row.state)
            return
        parameters = self.flow.parameters
        shown = parameters.to_json(self.arguments) if self.arguments else b"{}"
        if masks.cover is not None:
            shown = masks.cover(shown.decode()).encode()
        exact = self.root.values.keep(self.arguments) if self.arguments else None
        self.root.push(
            RunCreated(
                self.id, self.root.epoch, now_us(), self.flow.name, self.name, "Pending", self.root.id,
                self.caller.flow.id if self.caller is not None else "", self.key, self.no, self.upstream, shown, exact,
                self.tags, self.flow.version, self.flow.source, self.expected_at,
            )
        )  # fmt: skip

    # --- effects

    def move(self, state: Any, message: str = "", value: Any = None, error: BaseException | None = None) -> None:
        """Record a new state."""
        if self.root.unrecorded and self.state not in TERMINAL:
            self.root.record_late()
        if not self.created:
            self.create()
        if state == "Retrying":
            self.attempt += 1
        kept: Error | None = None
        if error is not None:
            error = traces.root_cause(error)
            seen = getattr(error, traces.MARK, None) is not None
            kept = traces.describe(error, "", self.flow.fn, (), self.arguments)
            message = message or _why(state, kept)
            if not seen and state in ("Failed", "TimedOut") and self.scope is not None:
                text = f"Failed with parameters ({kept.inputs})\n{kept.trace}"
                self.root.push(Logged(self.id, 0, now_us(), 40, "ostinato.engine", text))
        if self.scope is not None and self.scope.tracking is not None and state in ENDS:
            self.scope.tracking.end(state)
        previous, self.state = self.state, state
        self._moved(state, previous, message, value, kept)
        self._show(previous, message)

    def _moved(
        self, state: Any, previous: Any, message: str = "", value: Any = None, error: Error | None = None
    ) -> None:
        reused = self.root.memory.n_reused if self.root.memory is not None else 0
        self.root.push(
            RunMoved(self.id, self.root.epoch, now_us(), state, previous, message, self.attempt, value, error, reused)
        )

    def _show(self, previous: str, message: str) -> None:
        if not self.root.settings.console:
            return
        state = self.state
        if state == "Paused" or (previous == "Paused" and state == "Running"):
            text = f"Paused: {message}" if state == "Paused" else "Goes on"
        elif state == "Running" and self.row is not None:
            text = f"Goes on in epoch {self.root.epoch}"
        elif state == "Running":
            text = f"Created for flow {self.flow.name!r}"
        elif state == "Retrying":
            text = f"Beginning attempt {self.attempt}"
        else:
            text = f"Finished in state {state}({message!r})" if message else f"Finished in state {state}()"
        level = (
            40 if state in ("Failed", "TimedOut", "Crashed") else 30 if state in ("Cancelled", "AwaitingRetry") else 20
        )
        logs.write(logs.line(level, f"Flow run {self.name!r} - {text}", now_us()))

    def store(self, value: Any) -> Result | None:
        """Encode the value; note that this run made it, so that a caller's tasks have an edge from it."""
        if value is None:
            return None
        if self.caller is not None and type(value) not in ATOMS:
            self.root.lineage.remember(value, self.key, self.root.epoch)
        storage = self.scope.storage if self.scope is not None else ""
        return self.root.values.keep(value, persist=self.flow.options.persist_result, storage=storage)

    def recall(self) -> Found | None:
        """Give what an earlier epoch recorded for this subflow when it may stand whole."""
        memory, row, caller = self.root.memory, self.row, self.caller
        if caller is None:
            return None
        found = memory.reuse_run(row, self.newest) if memory is not None and row is not None else None
        if found is None or row is None:
            caller.newest = self.root.epoch
            return None
        caller.newest = max(caller.newest, row.epoch)
        if type(found.value) not in ATOMS:
            self.root.lineage.remember(found.value, self.key, row.epoch)
        self.state = row.state
        return found

    def settle(self, level: Any) -> None:
        """Wait for a durability level."""
        self.root.recorder.settle(level)

    def wants_retry(self, error: BaseException, attempt: int) -> bool:
        """Tell whether a further attempt follows."""
        return attempt <= self.flow.retry.retries and isinstance(error, Exception)

    @property
    def run_ref(self) -> str:
        """Public id of the flow run."""
        return self.id

    @property
    def hook_scope(self) -> Scope:
        """The scope of hooks; before the function runs one of its own."""
        return self.scope or FlowScope(self.root, self.key, self, HOOKS_FROM)

    @property
    def recorded(self) -> Flow[Any, Any]:
        """What is called, for hooks."""
        return self.flow

    def facts(self) -> FlowRunInfo:
        """Give what hooks are told of the run."""
        return resolve_door("ostinato.engine.context:flow_run_of")(self, self.root, self.attempt)  # type: ignore[no-any-return]

    # --- running the user's function

    def enter(self, attempt: int) -> FlowScope:
        """Give a fresh scope for an attempt; from the second on, completed tasks are remembered."""
        self.attempt = attempt
        root = self.root
        if attempt > 1:
            n_reused = root.memory.n_reused if root.memory is not None else 0
            remember = resolve_door("ostinato.engine.memory:remember")
            root.memory = remember(root.recorder.recall(root.id), root.recorder, root.values)
            root.memory.n_reused = n_reused
        first_no = (root.memory.last_no(self.id) if root.memory is not None else 0) + 1
        scope = self.scope = FlowScope(root, self.key, self, first_no)
        scope.attempt = attempt
        wanted = self.flow.options.log_prints
        inherited = self.caller.log_prints if self.caller is not None else root.settings.log_prints
        scope.log_prints = inherited if wanted is None else wanted
        if scope.log_prints or self.flow.any_log_prints():
            logs.capture_prints()
        if root.settings.capture_logging:
            resolve_door("ostinato.engine.loggers:capture_logging")()
        if self.is_root:
            roots[root.id] = scope
            resolve_door(LEND)(root.settings, root.id)
        return scope

    def leave(self, scope: FlowScope) -> None:
        """Let go of what the attempt held."""
        if self.is_root:
            roots.pop(self.root.id, None)
            resolve_door(TAKE_BACK)(self.root.id)
        if scope.runner is not None:
            scope.runner.close()

    def run(self, attempt: int) -> Any:
        """Call the function, then wait for what it submitted."""
        scope = self.enter(attempt)
        timeout_s = self.flow.options.timeout_seconds
        try:
            if timeout_s is None:
                return self._body(scope)
            late = FlowTimedOut(name=self.name, timeout_s=timeout_s)
            return within_time(scope, timeout_s, lambda: self._body(scope), (), {}, late)
        except BaseException as error:
            _stop(scope, error)
            raise
        finally:
            self.leave(scope)

    def _body(self, scope: FlowScope) -> Any:
        try:
            value = within(scope, self.flow.fn, *self.flow.parameters.unbind(self.arguments))
        except Exception:
            _let_finish(scope)
            raise
        for future in scope.pending:
            future.wait()
        return _final(value, scope)

    async def run_async(self, attempt: int) -> Any:
        """Await the function, then what it submitted."""
        scope = self.enter(attempt)
        scope.awaited = resolve_door("asyncio:current_task")()
        timeout_s = self.flow.options.timeout_seconds
        try:
            body = self._body_async(scope)
            if timeout_s is None:
                return await body
            return await await_within(timeout_s, body, FlowTimedOut(name=self.name, timeout_s=timeout_s))
        except BaseException as error:
            _stop(scope, error)
            raise
        finally:
            self.leave(scope)

    async def _body_async(self, scope: FlowScope) -> Any:
        args, kwargs = self.flow.parameters.unbind(self.arguments)
        token = current.set(scope)
        try:
            value = await self.flow.fn(*args, **kwargs)
            for future in scope.pending:
                await future.ended()
        except Exception:
            if scope.runner is not None:
                scope.runner.cancel_queued(scope.pending)
            for future in scope.pending:
                await future.ended()
            raise
        finally:
            current.reset(token)
        return _final(value, scope)

    # --- being iterated, when the function is a generator

    def begin_iteration(self) -> Any:
        """Record the start; give the user's generator."""
        self.move("Running")
        self.enter(1)
        args, kwargs = self.flow.parameters.unbind(self.arguments)
        return self.flow.fn(*args, **kwargs)

    def end_iteration(self, error: BaseException | None = None) -> None:
        """Let what was submitted end, or stop it; raise a failure that nobody has looked at."""
        scope = self.scope
        if scope is None:
            return
        if error is None:
            for future in scope.pending:
                future.wait()
            _final(None, scope)
        elif isinstance(error, Exception):
            _let_finish(scope)
        else:
            _stop(scope, error)

    def leave_iteration(self) -> None:
        """Let go of what the run held."""
        if self.scope is not None:
            self.leave(self.scope)
        self.close()

    # --- the end

    def close(self) -> None:
        """At the end of a root run: wait, bounded, until all of it is in the database."""
        root = self.root
        if self.is_root and root.abandoned and self.scope is not None:
            text = f"{root.abandoned} functions of timed-out tasks were left behind; they end with the process"
            logs.emit(self.scope, 30, "ostinato.engine", text)
        if self.is_root and not root.recorder.settle("database", root.settings.exit_wait_s):
            waited = f"The database has not taken everything after {root.settings.exit_wait_s:g} s"
            text = f"{waited}; the journal keeps it for the next process."
            logs.write(logs.line(30, f"Flow run {self.name!r} - {text}", now_us()))


def state_of(run: FlowRun, error: Exception | None = None, *, value: Any = None) -> State:
    """Give the state of a run that has ended, as users see it."""
    message = traces.said(error) if error is not None else ""
    return State(name=run.state, message=message, value=value, error=error, run_id=run.id)  # type: ignore[arg-type]


def _final(value: Any, scope: FlowScope) -> Any:
    """Give the flow's value: futures and states in it resolved; raise a failure that nobody has looked at."""
    if isinstance(value, State):
        return value.result()
    if isinstance(value, (Future, list, tuple, dict)):
        value = resolve(value)
    unseen = [error for f in scope.pending if not f.seen and (error := f.failure()) is not None]
    if unseen:
        raise next((error for error in unseen if not isinstance(error, UpstreamFailed)), unseen[0])
    return value


def _let_finish(scope: FlowScope) -> None:
    """After a failure: start nothing more, but let what runs end, so that a retry finds its results."""
    if scope.runner is not None:
        scope.runner.cancel_queued(scope.pending)
    for future in scope.pending:
        future.wait()


def _stop(scope: FlowScope, error: BaseException) -> None:
    """After a cancellation or timeout: start nothing more and wait for nothing."""
    if isinstance(error, Exception) and not isinstance(error, FlowTimedOut):
        return
    scope.cut = "timed out" if isinstance(error, FlowTimedOut) else "cancelled"
    if scope.runner is not None:
        scope.runner.cancel_all(scope.pending)


def _why(state: str, kept: Error) -> str:
    """Give in one line why a run ended badly."""
    said = f"{kept.type}: {kept.message}" if kept.message else kept.type
    if state in ("Cancelled", "Crashed"):
        return traces.why_stopped(kept) or said
    return f"Task {kept.task!r} failed: {said}" if kept.task else said


def source_of(fn: Callable[..., Any]) -> Source:
    """Give where a flow function is, for resume; an empty file when it lives only in this process."""
    code = getattr(fn, "__code__", None)
    file = os.path.abspath(code.co_filename) if code is not None else ""
    if not os.path.isfile(file):
        file = ""
    try:
        directory = os.getcwd()
    except FileNotFoundError:  # it was removed under us
        directory = ""
    return Source(file, getattr(fn, "__qualname__", ""), directory, sys.executable)
