"""What may be asked of a home, as values: one class a command, with the type of its answer.

`Commands.do` (see `ports`) carries them out, here or at the server. A refusal is one of our errors.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, Literal, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import Meta

from ostinato.core.access import ApiKey, MadeKey, Role, Scope, User
from ostinato.core.deployments import Deployment, Limit, Queue
from ostinato.core.logged_models import LoggedModel, ModelStatus
from ostinato.core.records import FlowRun
from ostinato.core.registry import GateResult, Model, ModelVersion, Policy, Stage
from ostinato.core.tracking import (
    DEFAULT_EXPERIMENT,
    Experiment,
    InputDetails,
    Lifecycle,
    Point,
    TrackingRun,
    TrackingStatus,
)
from ostinato.core.work import Answer
from ostinato.core.workers import Amount, Held, LeaseS, WorkerInfo

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """Something that is asked for; its answer has the type `R`."""


# --- deployments, queues, limits


class Deploy(Command[Deployment], frozen=True, kw_only=True, tag="deploy"):
    """Make or change the deployment of this flow and name; an empty id takes the existing one or a new one."""

    deployment: Deployment


class RemoveDeployment(Command[None], frozen=True, kw_only=True, tag="remove-deployment"):
    """Remove a deployment and its runs that have not begun."""

    deployment: str


class PauseDeployment(Command[Deployment], frozen=True, kw_only=True, tag="pause-deployment"):
    """Stop or continue the schedules of a deployment, or one of them."""

    deployment: str
    slug: str = ""
    paused: bool = True


class SetQueue(Command[Queue], frozen=True, kw_only=True, tag="set-queue"):
    """Make or change a queue."""

    queue: Queue


class RemoveQueue(Command[None], frozen=True, kw_only=True, tag="remove-queue"):
    """Remove a queue in which nothing waits."""

    name: str


class SetLimit(Command[Limit], frozen=True, kw_only=True, tag="set-limit"):
    """Make or change a limit."""

    limit: Limit


class RemoveLimit(Command[None], frozen=True, kw_only=True, tag="remove-limit"):
    """Remove a limit."""

    name: str


class TakeSlots(Command[bool], frozen=True, kw_only=True, tag="take-slots"):
    """Take slots of a limit for a holder, or renew them; False when they are taken."""

    name: str
    holder: str
    n: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    lease_s: LeaseS = 30.0
    strict: bool = False
    """Refuse when there is no such limit; else it does not hold anybody up."""


class GiveSlots(Command[None], frozen=True, kw_only=True, tag="give-slots"):
    """Give slots back."""

    name: str
    holder: str


# --- runs


class CreateRun(Command[FlowRun], frozen=True, kw_only=True, tag="create-run"):
    """Make a run of a deployment, now or later."""

    deployment: str
    """Id, or `flow/name`."""
    parameters: dict[str, Any] = {}
    name: str = ""
    tags: tuple[str, ...] = ()
    due_at: int = 0
    """0 means now."""
    expected_at: int = 0
    """The scheduled instant that the run is told; 0 means its due time."""
    queue: str = ""
    priority: int | None = None
    schedule: str = ""
    key: str = ""
    """Idempotency: a second command with this key gives the run of the first."""
    parent_id: str = ""
    """The run that asked for it, for lineage."""


class CancelRun(Command[FlowRun], frozen=True, kw_only=True, tag="cancel-run"):
    """Cancel a run: at once when no process runs it, else through its worker."""

    run: str
    reason: str = ""


class PauseRun(Command[FlowRun], frozen=True, kw_only=True, tag="pause-run"):
    """Pause a run: at once when it has not begun, else at its next task."""

    run: str


class ResumeRun(Command[FlowRun], frozen=True, kw_only=True, tag="resume-run"):
    """Let a run that is Paused, Failed, Crashed, TimedOut or Cancelled go on."""

    run: str
    input: Any = None
    """For a run that waits for input."""
    changed: Literal["rerun", "refuse", "reuse"] = "rerun"


class DeleteRun(Command[None], frozen=True, kw_only=True, tag="delete-run"):
    """Forget a run that has ended, or not begun."""

    run: str


# --- workers


class Join(Command[None], frozen=True, kw_only=True, tag="join"):
    """A worker is there."""

    worker: WorkerInfo


class Poll(Command[Answer], frozen=True, kw_only=True, tag="poll"):
    """A worker lives, holds these runs, and has room for more; renews its lease."""

    worker_id: str
    held: tuple[Held, ...] = ()
    free: int = 0
    resources: dict[str, Amount] = {}
    """What is left of its resources."""
    wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """How long the server may wait for something to tell."""


class Ended(Command[None], frozen=True, kw_only=True, tag="ended"):
    """The process of a run ended."""

    worker_id: str
    run_id: str
    epoch: int
    how: str
    """In words: `exit code 1`, `signal SIGKILL`, `it could not be started: ...`."""
    tail: str = ""
    """Its last output."""
    retry: bool = True
    """Whether another try may help."""


class Leave(Command[None], frozen=True, kw_only=True, tag="leave"):
    """A worker goes; what it holds is taken over at once."""

    worker_id: str
    reason: str = ""


# --- access


class CreateUser(Command[User], frozen=True, kw_only=True, tag="create-user"):
    """Make a user."""

    name: str
    role: Role


class SetRole(Command[User], frozen=True, kw_only=True, tag="set-role"):
    """Give a user another role; what its keys may do follows at once."""

    name: str
    role: Role


class DisableUser(Command[User], frozen=True, kw_only=True, tag="disable-user"):
    """Refuse all keys of a user, or let them hold again."""

    name: str
    disabled: bool = True


class CreateKey(Command[MadeKey], frozen=True, kw_only=True, tag="create-key"):
    """Make an API key; the answer is the only place where its text stands."""

    user: str
    role: Role | None = None
    """At most that of the user, which it has when none is named."""
    scopes: tuple[Scope, ...] = ()
    expires_at: int = 0
    """0 = never."""
    name: str = ""


class RevokeKey(Command[ApiKey], frozen=True, kw_only=True, tag="revoke-key"):
    """Let an API key hold no longer."""

    id: str


class SetSecret(Command[None], frozen=True, kw_only=True, tag="set-secret"):
    """Keep a secret; it is sealed before it is written."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"SetSecret(name={self.name!r}, value='********')"


class UnsetSecret(Command[None], frozen=True, kw_only=True, tag="unset-secret"):
    """Forget a secret."""

    name: str


# --- tracking


class CreateExperiment(Command[Experiment], frozen=True, kw_only=True, tag="create-experiment"):
    """Make an experiment."""

    name: str
    artifact_root: str = ""
    """Where the files of its runs are; empty for the server's own place."""
    tags: dict[str, str] = {}
    id: str = ""
    """The id that it has elsewhere, in digits; it gets another one when that is taken."""
    created_at: int = 0
    """0 means now."""


class ChangeExperiment(Command[Experiment], frozen=True, kw_only=True, tag="change-experiment"):
    """Rename, delete or restore an experiment; its tracking runs are deleted and restored with it."""

    experiment: str
    """Id or name."""
    name: str = ""
    state: Lifecycle | None = None


class TagExperiment(Command[None], frozen=True, kw_only=True, tag="tag-experiment"):
    """Set tags of an experiment; None takes one away."""

    experiment: str
    """Id or name."""
    tags: dict[str, str | None]


class StartTracking(Command[TrackingRun], frozen=True, kw_only=True, tag="start-tracking"):
    """Begin a tracking run."""

    experiment: str = DEFAULT_EXPERIMENT
    """Id or name of one that is there; `Default` always is."""
    name: str = ""
    started_at: int = 0
    """0 means now."""
    source: str = ""
    version: str = ""
    flow_run_id: str = ""
    task_no: int = 0
    task_key: bytes = b""
    parent_id: str = ""
    epoch: int = 1
    tags: dict[str, str] = {}


class ChangeTracking(Command[TrackingRun], frozen=True, kw_only=True, tag="change-tracking"):
    """End a tracking run, or give it another status or name, delete or restore it."""

    run: str
    """Id."""
    status: TrackingStatus | None = None
    ended_at: int | None = None
    name: str = ""
    state: Lifecycle | None = None


class LogBatch(Command[None], frozen=True, kw_only=True, tag="log-batch"):
    """Keep parameters, values of metrics and tags of a tracking run: all or none of them."""

    run: str
    params: dict[str, str] = {}
    """A parameter that has another value already is refused."""
    metrics: tuple[Point, ...] = ()
    tags: dict[str, str | None] = {}
    """None takes one away."""


class LogFile(Command[None], frozen=True, kw_only=True, tag="log-file"):
    """Name a stored value as a file of a tracking run; an empty blob takes the file away."""

    run: str
    path: str
    blob: str
    size: int = 0
    media_type: str = ""


class LogInput(Command[None], frozen=True, kw_only=True, tag="log-input"):
    """Note that a tracking run used a version of data."""

    run: str
    digest: str
    name: str
    context: str = ""
    details: InputDetails = InputDetails()


# --- registry


class CreateModel(Command[Model], frozen=True, kw_only=True, tag="create-model"):
    """Make a registered model, without a version."""

    name: str
    description: str = ""
    tags: dict[str, str] = {}


class DescribeModel(Command[Model], frozen=True, kw_only=True, tag="describe-model"):
    """Give a model another description."""

    name: str
    description: str


class RenameModel(Command[Model], frozen=True, kw_only=True, tag="rename-model"):
    """Give a model another name, with all that belongs to it."""

    name: str
    new_name: str


class RemoveModel(Command[None], frozen=True, kw_only=True, tag="remove-model"):
    """Remove a model with all its versions."""

    name: str


class TagModel(Command[None], frozen=True, kw_only=True, tag="tag-model"):
    """Set tags of a model, or of one of its versions; None takes one away."""

    name: str
    tags: dict[str, str | None]
    version: int = 0
    """0 = the model itself."""


class SetPolicy(Command[Model], frozen=True, kw_only=True, tag="set-policy"):
    """Say what versions of a model must pass before they get an alias; None gates nothing."""

    name: str
    policy: Policy | None


class CreateVersion(Command[ModelVersion], frozen=True, kw_only=True, tag="create-version"):
    """Register a version of a model; it gets the next number."""

    name: str
    source: str
    """Where its files are."""
    run_id: str = ""
    model_id: str = ""
    run_link: str = ""
    description: str = ""
    tags: dict[str, str] = {}
    flow_run_id: str = ""
    task_no: int = 0
    make_model: bool = False
    """Make the model too when it is not there."""


class DescribeVersion(Command[ModelVersion], frozen=True, kw_only=True, tag="describe-version"):
    """Give a version another description."""

    name: str
    version: int
    description: str


class RemoveVersion(Command[None], frozen=True, kw_only=True, tag="remove-version"):
    """Remove a version, and the aliases that mean it."""

    name: str
    version: int


class SetAlias(Command[ModelVersion], frozen=True, kw_only=True, tag="set-alias"):
    """Let an alias mean a version; a gated one only when the recorded checks allow it."""

    name: str
    alias: str
    version: int


class RemoveAlias(Command[None], frozen=True, kw_only=True, tag="remove-alias"):
    """Let an alias mean nothing any more."""

    name: str
    alias: str


class SetStage(Command[ModelVersion], frozen=True, kw_only=True, tag="set-stage"):
    """Give a version a stage; Staging and Production are aliases, and gated like them."""

    name: str
    version: int
    stage: Stage
    archive_existing: bool = False
    """Archive the versions that are Staging or Production now, when this one becomes it."""


class RollBack(Command[ModelVersion], frozen=True, kw_only=True, tag="roll-back"):
    """Let an alias mean a version again that had it before."""

    name: str
    alias: str
    version: int = 0
    """0 = the one before."""


class OverrideGate(Command[ModelVersion], frozen=True, kw_only=True, tag="override-gate"):
    """Let an alias mean a version whatever its checks say; who did it, and why, is kept."""

    name: str
    alias: str
    version: int
    reason: str


class RecordCheck(Command[GateResult], frozen=True, kw_only=True, tag="record-check"):
    """Record what a check of the policy gives; what recorded values decide is decided by who keeps them."""

    name: str
    version: int
    alias: str
    check: str
    gate_run_id: str
    """The flow run that checks."""
    passed: bool = True
    """What a task or the comparison of signatures gave; not heard where recorded values decide."""
    detail: str = ""


class ImportedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model as it is elsewhere."""

    version: int
    source: str
    stage: Stage = "None"
    description: str = ""
    run_id: str = ""
    model_id: str = ""
    run_link: str = ""
    actor: str = ""
    tags: dict[str, str] = {}
    created_at: int = 0


class ImportModel(Command[Model], frozen=True, kw_only=True, tag="import-model"):
    """Take over a registered model from elsewhere, or the newer versions of one that was taken over before.

    Stages and aliases come with the model. Of one that is here already they stay as they are: they move here.
    """

    name: str
    description: str = ""
    tags: dict[str, str] = {}
    created_at: int = 0
    versions: tuple[ImportedVersion, ...] = ()
    """By number; those whose number has been given here are left out."""
    last_version: int = 0
    """Highest number ever given, that of a removed version too."""
    aliases: dict[str, int] = {}


# --- logged models


class CreateLoggedModel(Command[LoggedModel], frozen=True, kw_only=True, tag="create-logged-model"):
    """Make a logged model whose files are to come; it is pending."""

    experiment: str = DEFAULT_EXPERIMENT
    """Id or name; not heard when a tracking run is named."""
    run: str = ""
    """Id of the tracking run that makes it, or empty."""
    name: str = ""
    model_type: str = ""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class ChangeLoggedModel(Command[LoggedModel], frozen=True, kw_only=True, tag="change-logged-model"):
    """Say that a logged model is ready or has failed; delete or restore it."""

    model: str
    """Id."""
    status: ModelStatus | None = None
    state: Lifecycle | None = None


class TagLoggedModel(Command[LoggedModel], frozen=True, kw_only=True, tag="tag-logged-model"):
    """Set tags of a logged model; None takes one away."""

    model: str
    tags: dict[str, str | None]


class LogModelParams(Command[None], frozen=True, kw_only=True, tag="log-model-params"):
    """Keep parameters of a logged model; one that has another value already is refused."""

    model: str
    params: dict[str, str]


class LogModelMetrics(Command[None], frozen=True, kw_only=True, tag="log-model-metrics"):
    """Keep values of metrics of a logged model."""

    model: str
    run: str
    """Id of the tracking run in which they were measured."""
    metrics: tuple[Point, ...]
    dataset: str = ""
    """Name of the data that they were measured on."""
    digest: str = ""


AnyCommand: TypeAlias = (
    Deploy
    | RemoveDeployment
    | PauseDeployment
    | SetQueue
    | RemoveQueue
    | SetLimit
    | RemoveLimit
    | TakeSlots
    | GiveSlots
    | CreateRun
    | CancelRun
    | PauseRun
    | ResumeRun
    | DeleteRun
    | Join
    | Poll
    | Ended
    | Leave
    | CreateUser
    | SetRole
    | DisableUser
    | CreateKey
    | RevokeKey
    | SetSecret
    | UnsetSecret
    | CreateExperiment
    | ChangeExperiment
    | TagExperiment
    | StartTracking
    | ChangeTracking
    | LogBatch
    | LogFile
    | LogInput
    | CreateLoggedModel
    | ChangeLoggedModel
    | TagLoggedModel
    | LogModelParams
    | LogModelMetrics
    | CreateModel
    | ImportModel
    | DescribeModel
    | RenameModel
    | RemoveModel
    | TagModel
    | SetPolicy
    | CreateVersion
    | DescribeVersion
    | RemoveVersion
    | SetAlias
    | RemoveAlias
    | SetStage
    | RollBack
    | OverrideGate
    | RecordCheck
)

ALL: Final[tuple[type[Command[Any]], ...]] = get_args(AnyCommand)


def answer_type(command: type[Command[Any]]) -> Any:
    """Give the type of the answer to a command."""
    return get_args(command.__orig_bases__[0])[0]  # type: ignore[attr-defined]
