"""Rows as readers see them: the store gives them, the command line and the API show them.

Instants are UTC microseconds since 1970, None where it has not happened.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ostinato.core.events import Error, Source
from ostinato.core.results import Result
from ostinato.core.states import TERMINAL, StateName

SUSPENDED: Final = "suspended"
"""The message of a paused run begins so when its process has ended."""


class FlowRun(msgspec.Struct, frozen=True, kw_only=True):
    """One flow run, newest epoch."""

    id: str
    name: str
    flow: str
    state: StateName
    message: str
    epoch: int
    attempt: int
    root_id: str
    parent_id: str
    key: bytes
    no: int
    upstream: tuple[bytes, ...]
    created_at: int
    expected_at: int
    started_at: int | None
    ended_at: int | None
    parameters: bytes
    arguments: Result | None
    tags: tuple[str, ...]
    version: str
    source: Source
    stream: str
    """Stream of the process that runs (or ran) its newest epoch."""
    result: Result | None
    error: Error | None
    n_reused: int
    n_logs_dropped: int
    deployment_id: str = ""
    deployment: str = ""
    """`flow/name` of the deployment that it is a run of, or empty."""
    queue: str = ""
    """Empty for a run that no worker is to start."""
    priority: int = 0
    schedule: str = ""
    due_at: int = 0
    """When it may start; 0 for a run that no worker is to start."""
    worker: str = ""
    """Id of the worker that has, or had, its newest epoch."""
    held: bool = False
    """Whether that worker has not yet said that its process ended."""
    asked: str = ""
    """What somebody wants of its process: `pause` or `go-on`; `reuse` or `refuse` tasks whose code has changed."""
    n_crashes: int = 0
    actor: str = ""
    """Who asked for it."""

    @property
    def ended(self) -> bool:
        """Whether it is at its end; one that crashed in the hands of a worker goes on, or is let go, before long."""
        return self.state in TERMINAL and not (self.held and self.state == "Crashed")

    @property
    def suspended(self) -> bool:
        """Whether it is paused, and no process waits for that to end."""
        return self.state == "Paused" and self.message.startswith(SUSPENDED)


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One task run, newest epoch."""

    run_id: str
    no: int
    key: bytes
    task: str
    name: str
    state: StateName
    message: str
    epoch: int
    attempt: int
    ordinal: int
    parent_no: int
    upstream: tuple[bytes, ...]
    version: str
    tags: tuple[str, ...]
    group: str
    created_at: int
    started_at: int | None
    ended_at: int | None
    n_started: int
    """Calls started in the flow run when this one ended."""
    result: Result | None
    error: Error | None


class TaskBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A task run in few columns, as lists, timelines and graphs look at it."""

    no: int
    key: bytes
    task: str
    name: str
    group: str
    state: StateName
    epoch: int
    attempt: int
    message: str
    upstream: tuple[bytes, ...]
    created_at: int
    started_at: int | None
    ended_at: int | None


class TaskStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the history of a task run."""

    no: int
    at: int
    epoch: int
    attempt: int
    state: StateName
    message: str


class TaskCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many task runs of one task (or one `.map`) of a flow run are in one state: a roll-up counter."""

    task: str
    group: str
    state: StateName
    n: int
    first_no: int = 0
    """`no` of the first call of this task (or `.map`), for the order among subflows."""


class TaskTally(msgspec.Struct, frozen=True, kw_only=True):
    """What the task runs of one task (or one `.map`) that share a state and an epoch took together."""

    task: str
    group: str
    state: StateName
    epoch: int
    n: int
    longest_us: int
    total_us: int
    most_attempts: int


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One log line; `id` grows in commit order and is the cursor for following."""

    id: int
    run_id: str
    no: int
    task: str
    """Run name of the task, or empty."""
    at: int
    level: int
    logger: str
    text: str


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the history of a flow run."""

    at: int
    epoch: int
    attempt: int
    state: StateName
    previous: str
    message: str


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact."""

    id: int
    run_id: str
    no: int
    key: str
    kind: str
    description: str
    at: int
    data: bytes
    blob: str
    media_type: str


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One variable; `value` is JSON."""

    name: str
    value: bytes
    tags: tuple[str, ...]
    updated_at: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The newest checkpoint of a task key."""

    key: bytes
    version: str
    at: int
    value: Result


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """All that a resumed root run may take over: its runs (subflows too), task runs and checkpoints."""

    runs: list[FlowRun]
    tasks: list[TaskRun]
    checkpoints: list[Checkpoint]


class RunInput(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run waits, or waited, for."""

    key: str
    asked_at: int
    until: int
    """When the wait ends; 0 = never."""
    schema: bytes
    """JSON schema of the value; empty when a word to go on is enough."""
    given_at: int | None
    value: bytes | None
    """JSON."""
    actor: str
