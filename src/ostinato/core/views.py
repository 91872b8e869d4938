"""Views: records as people and programs get them from the API: plain names, aware instants, seconds, no bytes.

Names are only ever added. Values of parameters whose names say that they are secret are masked.
"""

from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.display import MASK, is_secret
from ostinato.core.states import StateName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostinato.core.access import ApiKey, AuditLine, SecretInfo, User
    from ostinato.core.deployments import Code, Deployment
    from ostinato.core.events import Error, Source
    from ostinato.core.records import Artifact, FlowRun, LogLine, RunInput, StateChange, TaskCount, TaskRun, Variable
    from ostinato.core.results import Result
    from ostinato.core.workers import Worker

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CODECS: Final = {"m": "plain", "p": "pickle", "a": "arrow"}
_LAST_US: Final = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Something as the API gives it."""


class SourceView(View, frozen=True, kw_only=True):
    """Where the code of a run is."""

    file: str
    function: str
    directory: str
    interpreter: str


class ErrorView(View, frozen=True, kw_only=True):
    """A recorded exception."""

    type: str
    message: str
    trace: str
    file: str
    line: int
    inputs: str
    task: str
    hint: str


class ResultView(View, frozen=True, kw_only=True, omit_defaults=True):
    """How a value is recorded, and the value itself when it is a small plain one."""

    kind: str
    size_bytes: int
    lost: str | None
    value: Any = None


class RunView(View, frozen=True, kw_only=True):
    """A flow run."""

    id: str
    name: str
    flow: str
    state: StateName
    ended: bool
    """False too for one that is Crashed and about to go on."""
    message: str
    epoch: int
    attempt: int
    root_id: str
    parent_id: str | None
    created_at: datetime
    expected_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    parameters: dict[str, Any]
    tags: tuple[str, ...]
    version: str
    source: SourceView
    result: ResultView | None
    error: ErrorView | None
    n_reused: int
    n_logs_dropped: int
    deployment_id: str | None
    deployment: str | None
    queue: str | None
    priority: int
    schedule: str | None
    due_at: datetime | None
    worker: str | None
    asked: str | None
    n_crashes: int
    actor: str | None


class TaskView(View, frozen=True, kw_only=True):
    """A task run."""

    run_id: str
    no: int
    key: str
    task: str
    name: str
    group: str | None
    state: StateName
    message: str
    epoch: int
    attempt: int
    parent_no: int
    upstream: tuple[str, ...]
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    tags: tuple[str, ...]
    result: ResultView | None
    error: ErrorView | None


class TaskCountView(View, frozen=True, kw_only=True):
    """How many task runs of one task (or one `.map`) are in each state."""

    task: str
    group: str | None
    total: int
    states: dict[StateName, int]


class LogView(View, frozen=True, kw_only=True):
    """A log line."""

    id: int
    at: datetime
    level: str
    run_id: str
    task: str | None
    logger: str
    text: str


class ChangeView(View, frozen=True, kw_only=True):
    """A step of the history of a run."""

    at: datetime
    epoch: int
    attempt: int
    state: StateName
    previous: str | None
    message: str


class ArtifactView(View, frozen=True, kw_only=True):
    """An artifact; an image has its blob only."""

    id: int
    run_id: str
    key: str | None
    kind: str
    description: str
    at: datetime
    data: Any
    blob: str | None
    media_type: str | None


class InputView(View, frozen=True, kw_only=True):
    """Something that a run waits, or waited, for."""

    key: str
    asked_at: datetime
    until: datetime | None
    value_schema: Any
    """JSON schema of the value; None when a word to go on is enough."""
    given_at: datetime | None
    value: Any
    actor: str | None


class VariableView(View, frozen=True, kw_only=True):
    """A variable."""

    name: str
    value: Any
    tags: tuple[str, ...]
    updated_at: datetime


class TimetableView(View, frozen=True, kw_only=True):
    """One schedule of a deployment."""

    slug: str
    schedule: dict[str, Any]
    said: str
    """The schedule in words."""
    parameters: dict[str, Any]
    active: bool


class CodeView(View, frozen=True, kw_only=True):
    """Where a worker finds the code of a flow."""

    kind: str
    file: str
    function: str
    directory: str
    location: str
    revision: str


class DeploymentView(View, frozen=True, kw_only=True):
    """A deployment."""

    id: str
    flow: str
    name: str
    title: str
    code: CodeView
    version: str
    description: str
    parameters: dict[str, Any]
    parameter_schema: dict[str, Any]
    tags: tuple[str, ...]
    queue: str | None
    priority: int
    schedules: tuple[TimetableView, ...]
    concurrency: int | None
    overlap: str
    catchup: str
    skip_if_late_s: float | None
    crash_retries: int
    cancel_grace_s: float
    env: dict[str, str]
    resources: dict[str, float]
    paused: bool
    created_at: datetime
    updated_at: datetime


class WorkerView(View, frozen=True, kw_only=True):
    """A worker."""

    id: str
    name: str
    host: str
    pid: int
    queues: tuple[str, ...]
    deployments: tuple[str, ...]
    slots: int
    n_held: int
    resources: dict[str, float]
    version: str
    joined_at: datetime
    seen_at: datetime
    lease_until: datetime
    left_at: datetime | None
    message: str


class UserView(View, frozen=True, kw_only=True):
    """A user."""

    name: str
    role: str
    disabled: bool
    created_at: datetime
    updated_at: datetime


class KeyView(View, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    user: str
    name: str | None
    role: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked: bool


class SecretView(View, frozen=True, kw_only=True):
    """A secret, without its value."""

    name: str
    updated_at: datetime
    updated_by: str


class AuditView(View, frozen=True, kw_only=True):
    """One act that the audit keeps."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str


# --- from records


def instant(at: int) -> datetime:
    """Give an instant as an aware datetime; one beyond the calendar is its end."""
    return EPOCH + timedelta(microseconds=max(0, min(at, _LAST_US)))


def maybe(at: int | None) -> datetime | None:
    """Give an instant that may be missing; 0 is missing too."""
    return instant(at) if at else None


def microseconds(at: datetime | None) -> int:
    """Give an aware datetime as an instant, 0 when there is none."""
    return 0 if at is None else max(0, (at - EPOCH) // timedelta(microseconds=1))


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values with the secret ones covered."""
    return {name: MASK if is_secret(name) else value for name, value in values.items()}


def run_view(run: FlowRun) -> RunView:
    """Give a flow run."""
    return RunView(
        id=run.id,
        name=run.name,
        flow=run.flow,
        state=run.state,
        ended=run.ended,
        message=run.message,
        epoch=run.epoch,
        attempt=run.attempt,
        root_id=run.root_id,
        parent_id=run.parent_id or None,
        created_at=instant(run.created_at),
        expected_at=instant(run.expected_at),
        started_at=maybe(run.started_at),
        ended_at=maybe(run.ended_at),
        duration_s=_seconds(run.started_at, run.ended_at),
        parameters=parameters_of(run),
        tags=run.tags,
        version=run.version,
        source=source_view(run.source),
        result=result_view(run.result),
        error=error_view(run.error),
        n_reused=run.n_reused,
        n_logs_dropped=run.n_logs_dropped,
        deployment_id=run.deployment_id or None,
        deployment=run.deployment or None,
        queue=run.queue or None,
        priority=run.priority,
        schedule=run.schedule or None,
        due_at=maybe(run.due_at),
        worker=run.worker or None,
        asked=run.asked or None,
        n_crashes=run.n_crashes,
        actor=run.actor or None,
    )


def task_view(task: TaskRun) -> TaskView:
    """Give a task run."""
    return TaskView(
        run_id=task.run_id,
        no=task.no,
        key=task.key.hex(),
        task=task.task,
        name=task.name,
        group=task.group or None,
        state=task.state,
        message=task.message,
        epoch=task.epoch,
        attempt=task.attempt,
        parent_no=task.parent_no,
        upstream=tuple(key.hex() for key in task.upstream),
        started_at=maybe(task.started_at),
        ended_at=maybe(task.ended_at),
        duration_s=_seconds(task.started_at, task.ended_at),
        tags=task.tags,
        result=result_view(task.result),
        error=error_view(task.error),
    )


def count_views(counts: Iterable[TaskCount]) -> list[TaskCountView]:
    """Give the tasks of a run, each with how many task runs are in each state."""
    rows: dict[tuple[str, str], dict[StateName, int]] = {}
    for count in counts:
        rows.setdefault((count.task, count.group), {})[count.state] = count.n
    return [
        TaskCountView(task=task, group=group or None, total=sum(states.values()), states=states)
        for (task, group), states in rows.items()
    ]


def log_view(line: LogLine) -> LogView:
    """Give a log line."""
    return LogView(
        id=line.id,
        at=instant(line.at),
        level=logging.getLevelName(line.level),
        run_id=line.run_id,
        task=line.task or None,
        logger=line.logger,
        text=line.text,
    )


def change_view(change: StateChange) -> ChangeView:
    """Give a step of the history."""
    return ChangeView(
        at=instant(change.at),
        epoch=change.epoch,
        attempt=change.attempt,
        state=change.state,
        previous=change.previous or None,
        message=change.message,
    )


def artifact_view(artifact: Artifact) -> ArtifactView:
    """Give an artifact."""
    return ArtifactView(
        id=artifact.id,
        run_id=artifact.run_id,
        key=artifact.key or None,
        kind=artifact.kind,
        description=artifact.description,
        at=instant(artifact.at),
        data=json_or_text(artifact.data),
        blob=artifact.blob or None,
        media_type=artifact.media_type or None,
    )


def input_view(one: RunInput) -> InputView:
    """Give what a run waits, or waited, for."""
    return InputView(
        key=one.key,
        asked_at=instant(one.asked_at),
        until=maybe(one.until),
        value_schema=json_or_text(one.schema),
        given_at=maybe(one.given_at),
        value=json_or_text(one.value or b""),
        actor=one.actor or None,
    )


def variable_view(one: Variable) -> VariableView:
    """Give a variable."""
    return VariableView(name=one.name, value=json_or_text(one.value), tags=one.tags, updated_at=instant(one.updated_at))


def deployment_view(one: Deployment) -> DeploymentView:
    """Give a deployment; environment variables and parameters whose names say so are covered."""
    return DeploymentView(
        id=one.id,
        flow=one.flow,
        name=one.name,
        title=one.title,
        code=code_view(one.code),
        version=one.version,
        description=one.description,
        parameters=masked(one.parameters),
        parameter_schema=one.parameter_schema,
        tags=one.tags,
        queue=one.queue or None,
        priority=one.priority,
        schedules=tuple(
            TimetableView(
                slug=each.slug,
                schedule=msgspec.to_builtins(each.schedule),
                said=str(each.schedule),
                parameters=masked(each.parameters),
                active=each.active,
            )
            for each in one.schedules
        ),
        concurrency=one.concurrency,
        overlap=one.overlap,
        catchup=one.catchup,
        skip_if_late_s=one.skip_if_late_s,
        crash_retries=one.crash_retries,
        cancel_grace_s=one.cancel_grace_s,
        env=masked(one.env),
        resources=one.resources,
        paused=one.paused,
        created_at=instant(one.created_at),
        updated_at=instant(one.updated_at),
    )


def code_view(code: Code) -> CodeView:
    """Give where code is."""
    return CodeView(**msgspec.structs.asdict(code))


def worker_view(one: Worker) -> WorkerView:
    """Give a worker."""
    info = one.info
    return WorkerView(
        id=info.id,
        name=info.name,
        host=info.host,
        pid=info.pid,
        queues=info.queues,
        deployments=info.deployments,
        slots=info.slots,
        n_held=one.n_held,
        resources=info.resources,
        version=info.version,
        joined_at=instant(one.joined_at),
        seen_at=instant(one.seen_at),
        lease_until=instant(one.lease_until),
        left_at=maybe(one.left_at),
        message=one.message,
    )


def user_view(one: User) -> UserView:
    """Give a user."""
    return UserView(
        name=one.name,
        role=one.role,
        disabled=one.disabled,
        created_at=instant(one.created_at),
        updated_at=instant(one.updated_at),
    )


def key_view(one: ApiKey) -> KeyView:
    """Give an API key."""
    return KeyView(
        id=one.id,
        user=one.user,
        name=one.name or None,
        role=one.role,
        scopes=one.scopes,
        created_at=instant(one.created_at),
        expires_at=maybe(one.expires_at),
        last_used_at=maybe(one.last_used_at),
        revoked=one.revoked,
    )


def secret_view(one: SecretInfo) -> SecretView:
    """Give what is told of a secret."""
    return SecretView(name=one.name, updated_at=instant(one.updated_at), updated_by=one.updated_by)


def audit_view(one: AuditLine) -> AuditView:
    """Give an act."""
    return AuditView(
        id=one.id, at=instant(one.at), actor=one.actor, action=one.action, subject=one.subject, detail=one.detail
    )


def source_view(source: Source) -> SourceView:
    """Give where the code of a run is."""
    return SourceView(**msgspec.structs.asdict(source))


def error_view(error: Error | None) -> ErrorView | None:
    """Give a recorded exception."""
    return None if error is None else ErrorView(**msgspec.structs.asdict(error))


def result_view(result: Result | None) -> ResultView | None:
    """Give how a value is recorded; numbers that JSON does not have become text."""
    if result is None:
        return None
    view = ResultView(kind=CODECS[result.codec], size_bytes=result.size, lost=result.lost or None)
    if result.codec != "m" or result.data is None:
        return view
    return msgspec.structs.replace(view, value=plain(msgspec.msgpack.decode(result.data)))


def plain(value: Any) -> Any:
    """Give a decoded value as JSON can hold it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def parameters_of(run: FlowRun) -> dict[str, Any]:
    """Give the parameters of a run by name."""
    found = json_or_text(run.parameters) if run.parameters else {}
    return found if isinstance(found, dict) else {"value": found}


def json_or_text(data: bytes) -> Any:
    """Give what JSON bytes hold, None for none, and what is no JSON as text."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")


def _seconds(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1_000_000
