"""What the lower packages ask of the upper ones: the only upward doors.

`Recorder` is how the engine records and remembers; `ostinato.session` fulfils it (embedded
today, remote when there is a server). `Reader` is how the command line looks at a home.
The default of each is an import string, resolved on first use by `resolve`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.core.access import ApiKey, AuditLine, SecretInfo, User
    from ostinato.core.commands import Command
    from ostinato.core.datasets import DataLink, DataVersion
    from ostinato.core.deployments import Deployment, Limit, Queue, QueueLoad
    from ostinato.core.events import Event
    from ostinato.core.logged_models import LoggedModel
    from ostinato.core.query import Query
    from ostinato.core.records import (
        Artifact,
        FlowRun,
        LogLine,
        Recall,
        RunInput,
        StateChange,
        TaskCount,
        TaskRun,
        TaskTally,
        Variable,
    )
    from ostinato.core.registry import AliasStep, DataModel, GateResult, Model, ModelVersion, VersionOrigin
    from ostinato.core.results import Result
    from ostinato.core.states import StateName
    from ostinato.core.tracking import Experiment, Lifecycle, Point, TrackedFile, TrackedInput, TrackingRun
    from ostinato.core.workers import Worker

R = TypeVar("R")

Durability: TypeAlias = Literal["relaxed", "disk", "database"]
"""When recording returns: at once with bounded lag, once synced to the journal, once committed."""

RECORDER = "ostinato.session:recorder"
"""Import string of a function without arguments that gives this process's Recorder."""

READER = "ostinato.session:reader"
"""Import string of a function without arguments that gives a Reader of the configured home."""


COMMANDS = "ostinato.session:commands"
"""Import string of a function without arguments that gives the Commands of the configured home or server."""

LEND = "ostinato.session.loans:lend"
TAKE_BACK = "ostinato.session.loans:take_back"
"""Import strings of what lends MLflow's client the server for a flow run (settings, id), and ends that (id)."""

SERVE = "ostinato.workers.serving:serve"
"""Import string of a function that is a worker for one deployment, in this process, until it is told to end."""


def resolve(door: str) -> Any:
    """Give the object that an import string such as `package.module:name` names."""
    module, _, name = door.partition(":")
    return getattr(importlib.import_module(module), name)


class Recorder(Protocol):
    """Records events of this process's stream, and remembers what was recorded."""

    @property
    def stream(self) -> str:
        """Id of this process's stream."""

    def record(self, event: Event) -> None:
        """Push one event; cheap; blocks only while the disk lag is beyond its bound.

        Raises:
            StorageError: (disk-full, journal-full, ...) earlier events could not be written.
        """

    def settle(self, level: Durability, timeout_s: float | None = None) -> bool:
        """Wait until everything recorded so far has reached `level`; False when time ran out."""

    def is_stale(self, run_id: str) -> int:
        """Give the newer epoch when this process was told that its epoch of the root run is old, else 0."""

    def put_blob(self, data: bytes | memoryview, digest: bytes, storage: str = "") -> str:
        """Store bytes by their BLAKE2b-128 digest, synced before it returns; give the hex digest.

        `storage` is a folder or URL; empty for the home.
        """

    def get_blob(self, blob: str, storage: str = "") -> bytes:
        """Give stored bytes, checked against their digest.

        Raises:
            BlobMissing: (blob-missing) it is not there, or damaged.
        """

    def has_blob(self, blob: str) -> bool:
        """Tell whether stored bytes are there (unchecked)."""

    def recall(self, root_id: str) -> Recall:
        """Give what is recorded of a root run and its subflows (settles to the database first)."""

    def claim(self, run_id: str, epoch: int) -> int:
        """Take up a root run in epoch + 1 for this process's stream, by compare-and-set on `epoch`.

        Raises:
            EpochTaken: (epoch-taken) somebody else took it first.
        """

    def find_cached(self, cache_key: str, now: int) -> tuple[bool, Result | None]:
        """Give (True, result) when a fresh cache entry exists at instant `now`, else (False, None)."""

    def claim_cached(self, cache_key: str, lease_s: float) -> bool:
        """Take the right to compute a cache entry; False while another process holds it."""

    def release_cached(self, cache_key: str) -> None:
        """Give that right back."""

    def find_variable(self, name: str) -> Variable | None:
        """Give a variable as last set (this process's own settings included)."""

    def find_input(self, run_id: str, key: str) -> RunInput | None:
        """Give what a pause of a run asked for, and what it got; None when it has not asked yet."""

    def find_secret(self, name: str) -> bytes | None:
        """Give the value of a secret, None when it is not set.

        Raises:
            SecretKeyMismatch: (secret-key-mismatch) it was sealed with another key.
        """


class Commands(Protocol):
    """Carries out commands: at the server of the home when one runs, else in this process."""

    def do(self, command: Command[R]) -> R:
        """Give the answer of a command; raises the error by which it was refused."""

    def close(self) -> None:
        """Let go of the home."""


class Reader(Protocol):
    """Reads one home. Lists are keyset-paged: `after` is the cursor given with the page before."""

    def runs(self, query: Query, *, limit: int = 50, after: str = "") -> tuple[list[FlowRun], str]:
        """Give root runs and subflows that match, newest first, and the cursor of the next page (or "").

        What is rare is looked for page by page: one may be short, or empty, and have a cursor.
        """

    def find_run(self, ref: str) -> FlowRun:
        """Give a run by id, unique id prefix (4+ characters), name (newest), or `last`.

        Raises:
            RunNotFound: (run-not-found).
            RunAmbiguous: (run-ambiguous) a prefix fits several runs.
        """

    def subflow_runs(self, run_id: str) -> list[FlowRun]:
        """Give the direct subflow runs of a run, in call order."""

    def task_runs(
        self, run_id: str, *, states: Sequence[StateName] = (), limit: int = 200, after: int = 0
    ) -> list[TaskRun]:
        """Give task runs of a flow run with `no` > `after`, in call order."""

    def counts(self, run_id: str) -> list[TaskCount]:
        """Give the roll-up counters of a flow run's task runs, in order of first call."""

    def tallies(self, run_id: str) -> list[TaskTally]:
        """Give epochs, durations and attempts of a flow run's task runs by task, `.map` and state; reads every row."""

    def state_counts(self) -> dict[StateName, int]:
        """Give how many flow runs are in each state, from roll-up counters."""

    def history(self, run_id: str) -> list[StateChange]:
        """Give the state changes of a flow run, oldest first."""

    def logs(
        self, run_ids: Iterable[str], *, after: int = 0, limit: int = 1000, level: int = 0, tail: bool = False
    ) -> list[LogLine]:
        """Give log lines with id > `after` in commit order; `tail` gives the last `limit` ones instead."""

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Give the artifacts of a flow run and its subflows, oldest first."""

    def blob(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest."""

    def recall(self, root_id: str) -> Recall:
        """Give all that a resume of this root run may take over."""

    def variables(self) -> list[Variable]:
        """Give all variables by name."""

    def deployments(self) -> list[Deployment]:
        """Give all deployments by flow and name."""

    def find_deployment(self, ref: str) -> Deployment:
        """Give a deployment by id, `flow/name`, or a name that only one has."""

    def queues(self) -> list[Queue]:
        """Give all queues in the order in which workers look at them."""

    def queue_loads(self) -> list[QueueLoad]:
        """Give how many runs of each queue wait and run; a queue without any may be left out."""

    def limits(self) -> list[Limit]:
        """Give all limits, with the slots that code has taken."""

    def workers(self) -> list[Worker]:
        """Give workers: first those that are there, the newest first."""

    def preview(self, queue: str, until: int, limit: int = 1000) -> list[FlowRun]:
        """Give runs that wait in a queue and are due until an instant, in that order."""

    def tick_runs(
        self, deployment_id: str, slug: str, begin: int, end: int, *, limit: int = 1000, newest_first: bool = False
    ) -> list[FlowRun]:
        """Give runs of a deployment that were told an instant of a schedule from `begin` to `end`, by that instant."""

    def inputs(self, run_id: str) -> list[RunInput]:
        """Give what a run waits, or waited, for."""

    def why_waiting(self, run_id: str) -> str:
        """Say in one line why a run that is due does not run, "" when nothing keeps it."""

    def users(self, *, after: str = "", limit: int = 1000) -> list[User]:
        """Give users by name."""

    def api_keys(self, *, user: str = "", after: str = "", limit: int = 1000) -> list[ApiKey]:
        """Give API keys by id, those of one user when it is named."""

    def secrets(self, *, after: str = "", limit: int = 1000) -> list[SecretInfo]:
        """Give the names of secrets, when they were set and by whom."""

    def audit(self, *, before: int = 1 << 62, limit: int = 1000) -> list[AuditLine]:
        """Give who did what, newest first, with id < `before`."""

    def experiments(
        self, *, states: Sequence[Lifecycle] = ("active",), after: str = "", limit: int = 1000
    ) -> list[Experiment]:
        """Give experiments by name."""

    def find_experiment(self, ref: str) -> Experiment:
        """Give an experiment by name or id.

        Raises:
            ExperimentNotFound: (experiment-not-found).
        """

    def find_tracking_run(self, ref: str) -> TrackingRun:
        """Give a tracking run by id, unique id prefix (4+ characters) or name (the newest).

        Raises:
            TrackingRunNotFound: (tracking-run-not-found).
            TrackingRunAmbiguous: (tracking-run-ambiguous) a prefix fits several.
        """

    def search_tracking_runs(
        self,
        experiments: Sequence[str] = (),
        *,
        text: str = "",
        order_by: Sequence[str] = (),
        state: Lifecycle | None = "active",
        limit: int = 100,
        after: str = "",
    ) -> tuple[list[TrackingRun], str]:
        """Give tracking runs of experiments (names or ids; all when none is named), and the cursor of the next page.

        `text` is a filter in MLflow's grammar, `order_by` such as `metrics.rmse ASC`; else the newest come first.

        Raises:
            ExperimentNotFound: (experiment-not-found).
            FilterInvalid: (filter-invalid) filter or order cannot be read.
        """

    def tracking_runs_of(self, flow_run_id: str, *, limit: int = 1000) -> list[TrackingRun]:
        """Give the tracking runs made in a flow run, in the order of their task runs."""

    def metric_history(self, run_id: str, key: str, *, most: int = 1000) -> list[Point]:
        """Give the values of a metric by step and instant: all, or those that show its course best when they are more.

        Of each of equal parts the least and the greatest are given.
        """

    def tracked_files(self, run_id: str, *, under: str = "", after: str = "", limit: int = 1000) -> list[TrackedFile]:
        """Give the files of a tracking run by path, those below a folder when it is named."""

    def tracked_inputs(self, run_id: str) -> list[TrackedInput]:
        """Give the versions of data that a tracking run used."""

    def logged_model(self, model_id: str) -> LoggedModel:
        """Give a logged model, deleted or not.

        Raises:
            LoggedModelNotFound: (logged-model-not-found).
        """

    def logged_models_of(self, run_id: str, *, name: str = "", limit: int = 1000) -> list[LoggedModel]:
        """Give the logged models of a tracking run, the newest first; those of a name when it is given."""

    def datasets(self, *, name: str = "", after: str = "", limit: int = 50) -> list[DataVersion]:
        """Give versions of data without their profiles, newest first; those of a name when it is given.

        `after` is the `place` of the one before.
        """

    def find_dataset(self, ref: str) -> DataVersion:
        """Give a version of data by digest, unique beginning of one (4+ characters) or name (the newest).

        Raises:
            DatasetNotFound: (dataset-not-found).
            DatasetAmbiguous: (dataset-ambiguous) several digests begin so.
        """

    def dataset_links(self, digest: str, *, limit: int = 100) -> list[DataLink]:
        """Give the flow runs, task runs and tracking runs that used a version of data, the newest first."""

    def datasets_of_run(self, run_id: str, *, limit: int = 100) -> list[DataLink]:
        """Give the versions of data that a flow run read, and its subflow runs when it is the outermost one."""

    def models(self, *, after: str = "", limit: int = 1000) -> list[Model]:
        """Give registered models by name."""

    def find_model(self, name: str) -> Model:
        """Give a registered model.

        Raises:
            ModelNotFound: (model-not-found).
        """

    def model_versions(self, name: str, *, before: int = 1 << 62, limit: int = 1000) -> list[ModelVersion]:
        """Give the versions of a model below a number, newest first."""

    def find_version(self, name: str, ref: str) -> ModelVersion:
        """Give a version of a model by its number, by an alias as `@alias`, by its stage, or the `latest`.

        Raises:
            ModelNotFound: (model-not-found), ModelVersionNotFound: (model-version-not-found),
                AliasNotFound: (alias-not-found), StageEmpty: (stage-empty).
        """

    def alias_steps(self, name: str, *, alias: str = "", before: int = 1 << 62, limit: int = 1000) -> list[AliasStep]:
        """Give how the aliases of a model moved, or one of them, newest first, with id < `before`."""

    def gate_results(self, name: str, version: int, *, before: int = 1 << 62, limit: int = 1000) -> list[GateResult]:
        """Give what checks of a version gave, newest first, with id < `before`."""

    def version_origin(self, name: str, version: int) -> VersionOrigin:
        """Give where a version of a model comes from: tracking run, task run, flow run, code and data."""

    def models_from_data(self, ref: str) -> list[DataModel]:
        """Give the versions of models that a version of data went into, by name and version.

        `ref` is its digest, a unique beginning of it, or its name (the newest).

        Raises:
            DatasetNotFound: (dataset-not-found), DatasetAmbiguous: (dataset-ambiguous).
        """

    def close(self) -> None:
        """Let go of the home."""
