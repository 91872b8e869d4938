"""Inside a worker process: run one function, send what it records through the pipe."""

from __future__ import annotations

import itertools
import multiprocessing.connection
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import cloudpickle
import msgspec

from ostinato.core.events import CheckpointSaved
from ostinato.core.ports import RECORDER, resolve
from ostinato.core.records import Checkpoint
from ostinato.core.settings import Settings
from ostinato.engine import loading, logs, masks, traces
from ostinato.engine.calls import within
from ostinato.engine.memory import ELSEWHERE_FROM, Inside, remember_inside
from ostinato.engine.scopes import FlowScope, Root, TaskScope

if TYPE_CHECKING:
    from ostinato.core.events import Event
    from ostinato.engine.calls import Call

PARAMETERS_MOST = 1 << 16
"""Bytes of flow parameters that travel with each call."""

_pack = msgspec.msgpack.Encoder().encode
_pipe: Any = None


class Job(msgspec.Struct, frozen=True):
    """One call, as it travels to the worker process."""

    task: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    facts: bytes
    """A `FlowFacts`, pickled."""
    root_id: str
    root_name: str
    epoch: int
    attempt: int
    key: bytes
    no: int
    name: str
    log_prints: bool
    settings: Settings
    inside: Inside | None
    """What earlier epochs recorded of the calls that this one makes."""
    checkpoint: CheckpointSaved | Checkpoint | None
    """The newest one of this call."""
    hidden: frozenset[str]
    """Values of secrets that are covered in what is recorded."""


class FlowFacts(msgspec.Struct):
    """What a scope in the worker process needs to know of the flow run."""

    id: str
    name: str
    flow_name: str
    arguments: dict[str, Any]
    expected_at: int
    tags: tuple[str, ...]
    storage: str
    caller: None = None

    @property
    def flow(self) -> Any:
        """Stands for the flow: a name, and options without a task runner (nested submits use threads)."""
        return _Named(self.flow_name, _Options(self.storage))


class _Options(msgspec.Struct):
    result_storage: str
    task_runner: None = None


class _Named(msgspec.Struct):
    name: str
    options: _Options


def facts_of(scope: TaskScope) -> bytes:
    """Give what worker processes need to know of the flow run, pickled; large parameters stay behind."""
    flow = scope.flow
    facts = FlowFacts(flow.id, flow.name, flow.run.flow.name, {}, flow.expected_at, flow.tags, flow.storage)
    try:
        packed = cloudpickle.dumps(msgspec.structs.replace(facts, arguments=flow.parameters))
    except Exception:  # noqa: BLE001 - values of users may refuse to be pickled
        packed = b""
    return packed if 0 < len(packed) <= PARAMETERS_MOST else cloudpickle.dumps(facts)  # type: ignore[no-any-return]


def job_of(call: Call, scope: TaskScope, facts: bytes) -> Job:
    """Give the job of a call that is to run elsewhere."""
    root, memory = scope.root, scope.root.memory
    checkpoint: Any = root.checkpoints.get(call.key) or (memory.checkpoint(call.key) if memory is not None else None)
    inside = memory.inside(call.no, scope.flow.id) if memory is not None else None
    return Job(
        call.task, call.args, call.kwargs, facts, root.id, root.name, root.epoch, call.attempt, call.key, call.no,
        call.name, scope.log_prints, root.settings, inside, checkpoint, masks.hidden(),
    )  # fmt: skip


def begin(pipe: Any) -> None:
    """Prepare this worker process: it ends with its parent, and Ctrl-C is the parent's to handle."""
    global _pipe  # noqa: PLW0603 - one pipe of the process
    _pipe = pipe
    os.environ.pop(loading.VARIABLE, None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="ostinato-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def work(payload: bytes) -> bytes:
    """Run a job; give (ok, value or exception, error record, values to cover), pickled."""
    job: Job = cloudpickle.loads(payload)
    masks.hide(job.hidden)
    recorder = PipeRecorder()
    root = Root(recorder, job.settings, job.root_id, job.epoch, job.root_name)
    if job.inside is not None:
        root.memory = remember_inside(job.inside, root.values)
    if job.checkpoint is not None:
        root.checkpoints[job.key] = job.checkpoint
    flow = FlowScope(root, b"", cloudpickle.loads(job.facts), 1)
    flow.numbers = itertools.count(_first_no(job))
    scope = TaskScope(root, flow, job.key, job.no, job.name, job.task)
    scope.attempt, scope.log_prints = job.attempt, job.log_prints
    if job.log_prints:
        logs.capture_prints()
    answer: tuple[bool, Any, Any]
    try:
        value = within(scope, job.task.body, job.args, job.kwargs)
        if scope.tracking is not None:
            scope.tracking.end("Completed")
        answer = (True, value, None)
    except Exception as error:  # noqa: BLE001 - carried to the flow's process
        record = traces.describe(error, job.name, job.task.fn, job.args, job.kwargs)
        if scope.tracking is not None:
            scope.tracking.end("Failed")
        answer = (False, error, record)
    finally:
        if flow.runner is not None:
            flow.runner.close()
    return _pickled((*answer, masks.hidden()), job)


def _first_no(job: Job) -> int:
    """Give the first number for calls made here: above those that other jobs, attempts and epochs use."""
    first = ELSEWHERE_FROM + (job.no << 20) + ((job.attempt - 1) % 16 << 16)
    return max([first, *(row.no + 1 for row in job.inside[0])]) if job.inside is not None else first


def _pickled(answer: tuple[bool, Any, Any, frozenset[str]], job: Job) -> bytes:
    try:
        return bytes(cloudpickle.dumps(answer))
    except Exception as error:  # noqa: BLE001 - values and exceptions of users may refuse to be pickled
        ok, value, record, hidden = answer
        what = "its result" if ok else f"its exception {type(value).__name__}"
        refusal = TypeError(f"{what} cannot be sent from the worker process of {job.name}: {error}")
        return bytes(cloudpickle.dumps((False, refusal, record, hidden)))


class PipeRecorder:
    """The Recorder of a worker process: events go through the pipe, everything else to the home."""

    stream = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def record(self, event: Event) -> None:
        """Send one event."""
        with self._lock:
            _pipe.put(_pack([event]))

    def settle(self, level: str, timeout_s: float | None = None) -> bool:  # noqa: ARG002 - the flow's process settles
        """The flow's process settles what it gets."""
        return True

    def is_stale(self, run_id: str) -> int:  # noqa: ARG002
        """The flow's process is told, and ends this one."""
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(resolve(RECORDER)(), name)
