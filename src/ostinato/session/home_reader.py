"""The embedded Reader: looks at the database of a home itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ostinato.core.tracking import sampled
from ostinato.session.orphans import deliver_orphans
from ostinato.store import (
    access,
    artifacts,
    datasets,
    lineage,
    logged_models,
    logs,
    registry,
    runs,
    tracking,
    variables,
    work,
)
from ostinato.store.commands.workers import why_waiting
from ostinato.store.tracking_search import search_tracking_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.core.access import ApiKey, AuditLine, SecretInfo, User
    from ostinato.core.datasets import DataLink, DataVersion
    from ostinato.core.deployments import Deployment, Limit, Queue, QueueLoad
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
    from ostinato.core.states import StateName
    from ostinato.core.tracking import Experiment, Lifecycle, Point, TrackedFile, TrackedInput, TrackingRun
    from ostinato.core.workers import Worker
    from ostinato.session.home import Home
    from ostinato.store.database import Database


class EmbeddedReader:
    """Reads one home."""

    def __init__(self, home: Home, database: Database | None = None) -> None:
        """Open a home; with a `database` that is open already, it is only read."""
        self.home = home
        if database is None:
            home.make()
            database = home.open()
            deliver_orphans(home, database)
        self._database = database
        self._db = self._database.db
        self._blobs = home.open_blobs()

    def runs(self, query: Query, *, limit: int = 50, after: str = "") -> tuple[list[FlowRun], str]:
        return runs.runs(self._db, query, limit=limit, after=after, now=time.time_ns() // 1000)

    def find_run(self, ref: str) -> FlowRun:
        return runs.find_run(self._db, ref, self.home.folder)

    def subflow_runs(self, run_id: str) -> list[FlowRun]:
        return runs.subflow_runs(self._db, run_id)

    def task_runs(
        self, run_id: str, *, states: Sequence[StateName] = (), limit: int = 200, after: int = 0
    ) -> list[TaskRun]:
        return runs.task_runs(self._db, run_id, states=states, limit=limit, after=after)

    def counts(self, run_id: str) -> list[TaskCount]:
        return runs.counts(self._db, run_id)

    def tallies(self, run_id: str) -> list[TaskTally]:
        return runs.tallies(self._db, run_id)

    def state_counts(self) -> dict[StateName, int]:
        return runs.state_counts(self._db)

    def history(self, run_id: str) -> list[StateChange]:
        return runs.history(self._db, run_id)

    def logs(
        self, run_ids: Iterable[str], *, after: int = 0, limit: int = 1000, level: int = 0, tail: bool = False
    ) -> list[LogLine]:
        return logs.logs(self._db, run_ids, after=after, limit=limit, level=level, tail=tail)

    def artifacts(self, run_id: str) -> list[Artifact]:
        return artifacts.artifacts(self._db, run_id)

    def blob(self, blob: str) -> bytes:
        return self._blobs.get(blob)

    def recall(self, root_id: str) -> Recall:
        return runs.recall(self._database, root_id)

    def variables(self) -> list[Variable]:
        return variables.variables(self._db)

    def deployments(self) -> list[Deployment]:
        return work.deployments(self._db)

    def find_deployment(self, ref: str) -> Deployment:
        return work.find_deployment(self._db, ref)

    def queues(self) -> list[Queue]:
        return work.queues(self._db)

    def queue_loads(self) -> list[QueueLoad]:
        return work.queue_loads(self._db, time.time_ns() // 1000)

    def limits(self) -> list[Limit]:
        return work.limits(self._db, time.time_ns() // 1000)

    def workers(self) -> list[Worker]:
        return work.workers(self._db)

    def preview(self, queue: str, until: int, limit: int = 1000) -> list[FlowRun]:
        return work.preview(self._db, queue, until, limit)

    def tick_runs(
        self, deployment_id: str, slug: str, begin: int, end: int, *, limit: int = 1000, newest_first: bool = False
    ) -> list[FlowRun]:
        return work.tick_runs(self._db, deployment_id, slug, begin, end, limit=limit, newest_first=newest_first)

    def inputs(self, run_id: str) -> list[RunInput]:
        return work.inputs(self._db, run_id)

    def why_waiting(self, run_id: str) -> str:
        return why_waiting(self._db, self.find_run(run_id), time.time_ns() // 1000)

    def users(self, *, after: str = "", limit: int = 1000) -> list[User]:
        return access.users(self._db, after=after, limit=limit)

    def api_keys(self, *, user: str = "", after: str = "", limit: int = 1000) -> list[ApiKey]:
        return access.keys(self._db, user=user, after=after, limit=limit)

    def secrets(self, *, after: str = "", limit: int = 1000) -> list[SecretInfo]:
        return access.secrets(self._db, after=after, limit=limit)

    def audit(self, *, before: int = 1 << 62, limit: int = 1000) -> list[AuditLine]:
        return access.audit(self._db, before=before, limit=limit)

    def experiments(
        self, *, states: Sequence[Lifecycle] = ("active",), after: str = "", limit: int = 1000
    ) -> list[Experiment]:
        return tracking.experiments(self._db, states=states, after=after, limit=limit)

    def find_experiment(self, ref: str) -> Experiment:
        return tracking.find_experiment(self._db, ref)

    def find_tracking_run(self, ref: str) -> TrackingRun:
        return tracking.find_tracking_run(self._db, ref)

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
        db = self._db
        among = [tracking.find_experiment(db, ref).id for ref in experiments] or None
        return search_tracking_runs(
            db,
            experiments=among,
            filter=text,
            order_by=order_by,
            states=("active", "deleted") if state is None else (state,),
            limit=limit,
            after=after,
        )

    def tracking_runs_of(self, flow_run_id: str, *, limit: int = 1000) -> list[TrackingRun]:
        return tracking.runs_of_flow_run(self._db, flow_run_id, limit=limit)

    def metric_history(self, run_id: str, key: str, *, most: int = 1000) -> list[Point]:
        return sampled(list(tracking.metric_history(self._db, run_id, key)), most)

    def tracked_files(self, run_id: str, *, under: str = "", after: str = "", limit: int = 1000) -> list[TrackedFile]:
        return tracking.files(self._db, run_id, under=under, after=after, limit=limit)

    def tracked_inputs(self, run_id: str) -> list[TrackedInput]:
        return tracking.inputs(self._db, run_id)

    def datasets(self, *, name: str = "", after: str = "", limit: int = 50) -> list[DataVersion]:
        return datasets.datasets(self._db, name=name, after=after, limit=limit)

    def find_dataset(self, ref: str) -> DataVersion:
        return datasets.find_dataset(self._db, ref)

    def dataset_links(self, digest: str, *, limit: int = 100) -> list[DataLink]:
        return datasets.dataset_links(self._db, digest, limit=limit)

    def datasets_of_run(self, run_id: str, *, limit: int = 100) -> list[DataLink]:
        return datasets.datasets_of_run(self._db, run_id, limit=limit)

    def logged_model(self, model_id: str) -> LoggedModel:
        return logged_models.logged_model(self._db, model_id)

    def logged_models_of(self, run_id: str, *, name: str = "", limit: int = 1000) -> list[LoggedModel]:
        return logged_models.models_of_run(self._db, run_id, name=name, limit=limit)

    def models(self, *, after: str = "", limit: int = 1000) -> list[Model]:
        return registry.models(self._db, after=after, limit=limit)

    def find_model(self, name: str) -> Model:
        return registry.find_model(self._db, name)

    def model_versions(self, name: str, *, before: int = 1 << 62, limit: int = 1000) -> list[ModelVersion]:
        return registry.versions(self._db, name, before=before, limit=limit)

    def find_version(self, name: str, ref: str) -> ModelVersion:
        return registry.find_version(self._db, name, ref)

    def alias_steps(self, name: str, *, alias: str = "", before: int = 1 << 62, limit: int = 1000) -> list[AliasStep]:
        return registry.alias_steps(self._db, name, alias=alias, before=before, limit=limit)

    def gate_results(self, name: str, version: int, *, before: int = 1 << 62, limit: int = 1000) -> list[GateResult]:
        return registry.gate_results(self._db, name, version, before=before, limit=limit)

    def version_origin(self, name: str, version: int) -> VersionOrigin:
        return lineage.version_origin(self._db, name, version)

    def models_from_data(self, ref: str) -> list[DataModel]:
        return lineage.models_from_data(self._db, ref)

    def close(self) -> None:
        self._database.close()
