"""Events: everything that happens, as values in one stream per writer.

The idempotency key of an event is (stream, seq); its position in a block gives its seq.
Instants are UTC microseconds since 1970. Fields are only ever added at the end, with a
default, so that every journal ever written stays readable.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from ostinato.core.datasets import DatasetEvent
from ostinato.core.deployments import Deployment, Queue
from ostinato.core.logged_models import LoggedModelEvent
from ostinato.core.registry import RegistryEvent
from ostinato.core.results import Result
from ostinato.core.states import StateName
from ostinato.core.tracking import TrackingEvent
from ostinato.core.workers import WorkerInfo


class Source(msgspec.Struct, frozen=True, array_like=True):
    """Where the code of a flow run is, so that `resume` can call it again."""

    file: str
    """Absolute path, or empty when the flow exists only in a notebook or a prompt."""
    function: str
    """Qualified name of the flow function in `file`."""
    directory: str
    """Working directory of the process."""
    interpreter: str
    """Path of the Python that ran it."""


class Error(msgspec.Struct, frozen=True, array_like=True):
    """An exception as recorded: what the user needs to read, without our own frames."""

    type: str
    message: str
    trace: str
    """The traceback in text, the user's frames only."""
    file: str = ""
    line: int = 0
    inputs: str = ""
    """Inputs of the failed call, shortened, secrets masked."""
    task: str = ""
    """Run name of the task that raised it first."""
    hint: str = ""


class Planned(msgspec.Struct, frozen=True, array_like=True):
    """How a run that a worker is to start came about."""

    deployment_id: str
    deployment: str
    """`flow/name`."""
    queue: str
    due_at: int
    priority: int = 0
    schedule: str = ""
    """Slug of the schedule that made it, or empty."""
    actor: str = ""
    """Who asked for it."""


class RunCreated(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """A flow run exists (state Pending or Scheduled)."""

    run_id: str
    epoch: int
    at: int
    flow: str
    name: str
    state: StateName
    root_id: str
    """The outermost run; equal to `run_id` for a run that is no subflow."""
    parent_id: str
    """The calling flow run, or empty."""
    key: bytes
    """Call key in the parent (16 bytes), or empty."""
    no: int
    """Position among the calls of the parent run; 0 for a root run."""
    upstream: tuple[bytes, ...]
    parameters: bytes
    """JSON object, secrets masked for reading."""
    arguments: Result | None
    """The exact arguments, for resume. None when the flow takes none."""
    tags: tuple[str, ...]
    version: str
    source: Source
    expected_at: int
    planned: Planned | None = None


class RunMoved(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """A flow run changed its state."""

    run_id: str
    epoch: int
    at: int
    state: StateName
    previous: StateName
    message: str = ""
    attempt: int = 1
    result: Result | None = None
    error: Error | None = None
    n_reused: int = 0
    """Task runs taken over from earlier epochs or attempts so far."""
    worker: str | None = None
    """Id of the worker that holds the run from now on; None leaves it as it is."""
    due_at: int | None = None
    """When the run is to start; None leaves it as it is."""
    n_crashes: int | None = None
    """How often its process or worker has died; None leaves it as it is."""
    actor: str = ""


class TaskStarted(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """A task run exists: submitted (Pending), running, or settled at once (Cached, Skipped)."""

    run_id: str
    epoch: int
    at: int
    no: int
    """Position among the calls of the flow run, from 1, dense; the row's key with `run_id`."""
    key: bytes
    """Task key, 16 bytes, equal in every epoch for the same call."""
    task: str
    name: str
    """Run name, such as `fit-665e7535-0`."""
    state: StateName
    previous: str
    """State of the same row in an earlier epoch, or empty for a new row."""
    ordinal: int
    """0 for the first call with these inputs in its parent, 1 for the next, ..."""
    parent_no: int
    """`no` of the calling task run, or 0."""
    upstream: tuple[bytes, ...]
    """Keys of the calls (tasks or subflows) whose results went in, or that were waited for."""
    version: str
    """Hash of the task's code."""
    tags: tuple[str, ...] = ()
    message: str = ""
    group: str = ""
    """Set for calls made by `.map`: one line in the terminal and the UI."""


class TaskMoved(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """A task run changed its state."""

    run_id: str
    epoch: int
    at: int
    no: int
    state: StateName
    previous: StateName
    n_started: int = 0
    """Calls started in the flow run by now: a clock without clocks, for the overlap rule."""
    attempt: int = 1
    message: str = ""
    result: Result | None = None
    error: Error | None = None


class Logged(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    """One log line of a run. Under pressure log lines may be dropped and counted, states never."""

    run_id: str
    no: int
    """Task run, or 0 for a line of the flow itself."""
    at: int
    level: int
    """Numeric level of `logging`."""
    logger: str
    text: str


class LogsDropped(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """So many log lines of a run were dropped."""

    run_id: str
    at: int
    n_dropped: int


class ArtifactMade(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """A run made or updated an artifact: markdown, table, link, image or page of HTML."""

    run_id: str
    no: int
    at: int
    key: str
    """Name by which versions of it form a series; empty for a single one."""
    kind: str
    description: str
    data: bytes
    """UTF-8 JSON (markdown: string; table: {columns, rows}; link: {url, text}); others: see `blob`."""
    blob: str = ""
    media_type: str = ""


class CheckpointSaved(msgspec.Struct, frozen=True, array_like=True, tag="k"):
    """A task kept its progress; the newest one is given back by `ctx.restore()`."""

    run_id: str
    epoch: int
    at: int
    key: bytes
    version: str
    value: Result


class CacheStored(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A result may be used again by calls with the same cache key."""

    cache_key: str
    at: int
    expires_at: int
    """0 = never."""
    run_id: str
    no: int
    result: Result | None


class VariableSet(msgspec.Struct, frozen=True, array_like=True, tag="v"):
    """A variable was set, or unset when `value` is None."""

    name: str
    at: int
    value: bytes | None
    """JSON."""
    tags: tuple[str, ...] = ()


# --- what servers write: who runs what, when and where


class RunAsked(msgspec.Struct, frozen=True, array_like=True, tag="q"):
    """Somebody wants a running run to pause or to go on; its process will do it."""

    run_id: str
    epoch: int
    at: int
    asked: str
    """`pause`, `go-on`, or empty when it is done.

    Of a run that is resumed, `reuse` or `refuse`: what it is to do about tasks whose code has changed.
    """
    actor: str = ""


class RunReleased(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """The process of a run has ended: its worker holds it no more."""

    run_id: str
    epoch: int
    at: int


class RunDropped(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """A run, its subflows and all that belongs to them are forgotten."""

    run_id: str
    at: int
    actor: str = ""


class RunClaimed(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """A process took up a root run in this epoch; what was active below it is Crashed."""

    run_id: str
    epoch: int
    at: int
    stream: str


class StreamLost(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """A writer is gone; the runs that it left active are Crashed."""

    stream: str
    at: int
    message: str
    runs: tuple[str, ...]


class TickPlanned(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """A schedule has made its run for a due time; for each due time there is one."""

    deployment_id: str
    slug: str
    due_at: int
    run_id: str
    at: int


class SchedulePlanned(msgspec.Struct, frozen=True, array_like=True, tag="h"):
    """All due times of a schedule up to this one are planned."""

    deployment_id: str
    slug: str
    until: int
    at: int


class DeploymentSet(msgspec.Struct, frozen=True, array_like=True, tag="D"):
    """A deployment was made or changed."""

    at: int
    deployment: Deployment
    actor: str = ""


class DeploymentRemoved(msgspec.Struct, frozen=True, array_like=True, tag="E"):
    """A deployment was removed."""

    id: str
    at: int
    actor: str = ""


class QueueSet(msgspec.Struct, frozen=True, array_like=True, tag="Q"):
    """A queue was made or changed, or removed when `queue` is None."""

    name: str
    at: int
    queue: Queue | None
    actor: str = ""


class LimitSet(msgspec.Struct, frozen=True, array_like=True, tag="L"):
    """A limit was made or changed, or removed when `slots` is None."""

    name: str
    at: int
    slots: int | None
    actor: str = ""


class WorkerJoined(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """A worker is there."""

    at: int
    worker: WorkerInfo


class WorkerLeft(msgspec.Struct, frozen=True, array_like=True, tag="y"):
    """A worker is gone."""

    id: str
    at: int
    message: str


class UserSet(msgspec.Struct, frozen=True, array_like=True, tag="U"):
    """A user was made or changed."""

    name: str
    at: int
    actor: str
    role: str
    disabled: bool = False


class KeySet(msgspec.Struct, frozen=True, array_like=True, tag="K"):
    """An API key was made or revoked; only the hash of its secret is kept."""

    id: str
    at: int
    actor: str
    user: str
    name: str
    role: str
    scopes: tuple[str, ...]
    hash: bytes
    expires_at: int
    """0 = never."""
    revoked: bool = False


class SecretSet(msgspec.Struct, frozen=True, array_like=True, tag="S"):
    """A secret was set, or unset when `sealed` is None; only its encrypted form is kept."""

    name: str
    at: int
    actor: str
    sealed: bytes | None


class InputAsked(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """A run waits for a word, or for a value."""

    run_id: str
    epoch: int
    at: int
    key: str
    """Names the pause in its run: equal in every epoch."""
    schema: bytes
    """JSON schema of the value; empty when no value is asked for."""
    until: int
    """When the wait ends; 0 = never."""


class InputGiven(msgspec.Struct, frozen=True, array_like=True, tag="j"):
    """Somebody gave what a run waited for."""

    run_id: str
    at: int
    key: str
    value: bytes
    """JSON."""
    actor: str = ""


class Audited(msgspec.Struct, frozen=True, array_like=True, tag="A"):
    """Somebody did something that changes who may do what, or how the system runs."""

    at: int
    actor: str
    action: str
    subject: str
    detail: str = ""


Event: TypeAlias = (
    RunCreated
    | RunMoved
    | TaskStarted
    | TaskMoved
    | Logged
    | LogsDropped
    | ArtifactMade
    | CheckpointSaved
    | CacheStored
    | VariableSet
    | RunAsked
    | RunReleased
    | RunDropped
    | RunClaimed
    | StreamLost
    | TickPlanned
    | SchedulePlanned
    | DeploymentSet
    | DeploymentRemoved
    | QueueSet
    | LimitSet
    | WorkerJoined
    | WorkerLeft
    | UserSet
    | KeySet
    | SecretSet
    | InputAsked
    | InputGiven
    | Audited
    | TrackingEvent
    | LoggedModelEvent
    | DatasetEvent
    | RegistryEvent
)


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Events of one stream, seq `first_seq` onwards: the unit of journal, shipping and commit."""

    stream: str
    first_seq: int
    """seq of the first event; the first event of a stream has seq 1."""
    events: list[Event]
    version: int = 1
