"""What running code may ask: who am I, when was I due, what did I keep."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.errors import NoContext, ResultLost
from ostinato.core.events import CheckpointSaved
from ostinato.core.results import Result
from ostinato.engine.scopes import Root, Scope, TaskScope, find_scope, now_us

if TYPE_CHECKING:
    from ostinato.engine.calls import Call

NOTHING = Result("m", b"\xc0", "", 1, b"")
"""The record of a checkpoint that is None."""


class FlowRunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The flow run of the calling code."""

    id: str
    name: str
    flow_name: str
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    expected_start_time: datetime
    """The scheduled instant (UTC), not the clock; for an ad-hoc run the instant of its creation."""
    run_count: int
    """Attempt, from 1."""
    epoch: int
    parent_flow_run_id: str
    root_flow_run_id: str


class TaskRunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The task run of the calling code."""

    id: str
    name: str
    task_name: str
    tags: tuple[str, ...]
    run_count: int
    key: str


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """What `get_run_context()` gives."""

    flow_run: FlowRunInfo
    task_run: TaskRunInfo | None
    scope: Any

    @property
    def idempotency_key(self) -> str:
        """Equal for all attempts and epochs of this call: hand it to what must happen once."""
        return f"{self.scope.root.id}-{self.scope.key.hex()}" if self.scope.key else self.flow_run.id

    def checkpoint(self, obj: object) -> None:
        """Keep progress of the task, so that the next attempt, or a resume, goes on from it.

        Synced before it returns. It is given back as long as the code of the task is the same.

        Raises:
            NoContext: (no-run-context) not inside a task.
            ResultLost: (result-lost) the object cannot be kept.
        """
        scope = self._task_scope("checkpoint")
        root = scope.root
        value = root.values.keep(obj, storage=scope.flow.storage)
        if value is not None and value.lost:
            raise ResultLost(name=scope.name, reason=value.note, fix="Keep something smaller that can be pickled.")
        saved = CheckpointSaved(root.id, root.epoch, now_us(), scope.key, scope.task.version, value or NOTHING)
        root.push(saved)
        root.recorder.settle("disk")
        root.checkpoints[scope.key] = saved

    def restore(self, default: Any = None) -> Any:
        """Give the newest checkpoint of this call, or `default`."""
        scope = self._task_scope("restore")
        root = scope.root
        saved: Any = root.checkpoints.get(scope.key)
        if saved is None and root.memory is not None:
            saved = root.memory.checkpoint(scope.key)
        if saved is None or saved.version != scope.task.version:
            return default
        found, value = root.values.value(saved.value)
        return value if found else default

    def _task_scope(self, what: str) -> TaskScope:
        if not isinstance(self.scope, TaskScope):
            raise NoContext(what=f"ctx.{what}() (it belongs to a task)")
        return self.scope


def get_run_context() -> RunContext:
    """Give the context of the running flow or task.

    Raises:
        NoContext: (no-run-context) called outside a run.
    """
    scope = find_scope()
    if scope is None:
        raise NoContext(what="get_run_context()")
    return RunContext(flow_run=flow_run_info(scope), task_run=task_run_info(scope), scope=scope)


def flow_run_info(scope: Scope) -> FlowRunInfo:
    """Give the facts of the flow run of a scope."""
    return flow_run_of(scope.flow.run, scope.root, scope.flow.attempt)


def flow_run_of(run: Any, root: Root, attempt: int) -> FlowRunInfo:
    """Give the facts of a flow run."""
    return FlowRunInfo(
        id=run.id,
        name=run.name,
        flow_name=run.flow.name,
        parameters=dict(run.arguments),
        tags=run.tags,
        expected_start_time=datetime.fromtimestamp(run.expected_at / 1e6, UTC),
        run_count=attempt,
        epoch=root.epoch,
        parent_flow_run_id=run.caller.flow.id if run.caller is not None else "",
        root_flow_run_id=root.id,
    )


def task_run_of(call: Call) -> TaskRunInfo:
    """Give the facts of the task run of a call."""
    return TaskRunInfo(
        id=call.run_ref,
        name=call.name,
        task_name=call.task.name,
        tags=call.task.tags,
        run_count=call.attempt,
        key=call.key.hex(),
    )


def task_run_info(scope: Scope) -> TaskRunInfo | None:
    """Give the facts of the task run of a scope, None in the body of a flow."""
    if not isinstance(scope, TaskScope):
        return None
    return TaskRunInfo(
        id=f"{scope.flow.id}/{scope.no}",
        name=scope.name,
        task_name=scope.task.name,
        tags=scope.task.tags,
        run_count=scope.attempt,
        key=scope.key.hex(),
    )
