"""MLflow's database in SQLite, `mlflow.db`, read without MLflow and without changing it."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from ostinato.core.errors import ImportStopped, ImportUnreadable
from ostinato.core.logged_models import ModelLink, ModelMetric
from ostinato.core.tracking import Point
from ostinato.tracking.imports.material import (
    SourceExperiment,
    SourceLogged,
    SourceModel,
    SourceRun,
    SourceVersion,
    data,
    details_of,
    lifecycle,
    microseconds,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ostinato.core.logged_models import ModelStatus
    from ostinato.core.tracking import TrackingStatus
    from ostinato.tracking.imports.material import Damaged, SourceData

BATCH: Final = 200
"""Runs whose parameters and tags are read at once."""
PATIENCE_S: Final = 20.0
"""Longest wait for MLflow's server, while that writes."""
OLDEST: Final = "2.4"
"""Version of MLflow whose database has all that is needed."""

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "experiments": ("experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time"),
    "experiment_tags": ("experiment_id", "key", "value"),
    "runs": ("run_uuid", "name", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri"),
    "params": ("run_uuid", "key", "value"),
    "tags": ("run_uuid", "key", "value"),
    "metrics": ("run_uuid", "key", "value", "timestamp", "step", "is_nan"),
    "datasets": (
        *("dataset_uuid", "name", "digest"),
        *("dataset_source_type", "dataset_source", "dataset_schema", "dataset_profile"),
    ),
    "inputs": ("input_uuid", "source_type", "source_id", "destination_type", "destination_id"),
    "input_tags": ("input_uuid", "name", "value"),
    "registered_models": ("name", "creation_time", "description"),
    "registered_model_tags": ("name", "key", "value"),
    "registered_model_aliases": ("name", "alias", "version"),
    "model_versions": ("name", "version", "creation_time", "description", "user_id", "current_stage", "source"),
    "model_version_tags": ("name", "version", "key", "value"),
}
"""Tables and columns that are read."""
BESIDE: Final = {"trace_info": "traces", "evaluation_datasets": "evaluation data sets", "webhooks": "webhooks"}
"""Tables of what Ostinato does not have."""

STATUSES: Final[dict[str, TrackingStatus]] = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
MODEL_STATUSES: Final[dict[int, ModelStatus]] = {0: "pending", 1: "pending", 2: "ready", 3: "failed"}

_WANTED: Final = "(SELECT value FROM json_each(?))"
_DATA: Final = f"""
SELECT i.destination_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema,
    d.dataset_profile
FROM inputs AS i JOIN datasets AS d ON d.dataset_uuid = i.source_id
WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN {_WANTED}
ORDER BY i.destination_id, d.name, d.digest
"""  # noqa: S608  (our own words)
_DATA_TAGS: Final = f"""
SELECT i.input_uuid, t.name, t.value FROM inputs AS i JOIN input_tags AS t ON t.input_uuid = i.input_uuid
WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN {_WANTED}
"""  # noqa: S608  (our own words)
_LINKS: Final = f"""
SELECT source_id, source_type, destination_id, coalesce(step, 0) FROM inputs
WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id IN {_WANTED} ORDER BY source_type, step, destination_id
"""  # noqa: S608  (our own words)
_POINTS: Final = """
SELECT key, value, step, timestamp, is_nan FROM metrics WHERE run_uuid = ?
ORDER BY key, step, timestamp, is_nan DESC, value
"""
_MODEL_METRICS: Final = f"""
SELECT model_id, metric_name, metric_value, metric_step, metric_timestamp_ms, run_id, dataset_name, dataset_digest
FROM logged_model_metrics WHERE model_id IN {_WANTED} ORDER BY metric_step, metric_timestamp_ms
"""  # noqa: S608  (our own words)

_encode: Final = msgspec.json.Encoder().encode


class MlflowDatabase:
    """The database of one MLflow, as a source."""

    def __init__(self, path: str) -> None:
        """Open it for reading.

        Raises:
            ImportUnreadable: (import-unreadable) it is none, or of a version that is not known here.
        """
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        address = f"file:{quote(os.path.abspath(path))}?mode=ro"
        try:
            self._db = sqlite3.connect(address, uri=True, timeout=PATIENCE_S, check_same_thread=False)
            self._db.text_factory = lambda text: text.decode("utf-8", "replace")
            self._tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            self._check()
        except sqlite3.Error as error:
            fix = "Name the file mlflow.db, or the folder mlruns, of MLflow."
            raise ImportUnreadable(path=path, reason=f"SQLite says: {error}", fix=fix) from error
        self._has_workspaces = "workspace" in self._columns("experiments")
        self._has_models = "step" in self._columns("inputs")

    def _check(self) -> None:
        if not {"experiments", "runs"} <= self._tables:
            fix = "Name the file mlflow.db, or the folder mlruns, of MLflow."
            raise ImportUnreadable(path=self.path, reason="it has no tables of MLflow", fix=fix)
        for table, needed in NEEDED.items():
            missing = [name for name in needed if name not in self._columns(table)]
            if missing:
                reason = (
                    f"its schema is {self._revision()}, which has no {table}.{missing[0]};"
                    f" MLflow {OLDEST} and newer have it"
                )
                fix = f"On a copy of it, run MLflow's own `mlflow db upgrade sqlite:///{self.path}`, then import that."
                raise ImportUnreadable(path=self.path, reason=reason, fix=fix)

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}

    def _revision(self) -> str:
        """Give the number of the schema, as MLflow counts."""
        if "alembic_version" not in self._tables:
            return "of no number"
        row = self._db.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row is not None else "of no number"

    # --- what there is

    def experiments(self) -> Iterator[SourceExperiment | Damaged]:
        """Give all experiments, those that are deleted too."""
        tags = self._texts("SELECT experiment_id, key, value FROM experiment_tags")
        where = " WHERE workspace = 'default'" if self._has_workspaces else ""
        query = (
            "SELECT experiment_id, name, lifecycle_stage, artifact_location, creation_time"  # noqa: S608  (our own words)
            f" FROM experiments{where} ORDER BY experiment_id"
        )
        for experiment_id, name, stage, location, made_at in self._ask(query):
            yield SourceExperiment(
                id=str(experiment_id),
                name=name,
                state=lifecycle(stage),
                location=location or "",
                created_at=microseconds(made_at),
                tags=tags.get(experiment_id, {}),
            )

    def runs(self, experiment_id: str) -> Iterator[SourceRun | Damaged]:
        """Give the runs of an experiment, the oldest first."""
        query = "SELECT run_uuid FROM runs WHERE experiment_id = ? ORDER BY start_time, run_uuid"
        ids = [run_id for (run_id,) in self._ask(query, experiment_id)]
        for begin in range(0, len(ids), BATCH):
            yield from self._batch(ids[begin : begin + BATCH])

    def _batch(self, ids: Sequence[str]) -> Iterator[SourceRun]:
        wanted = _encode(ids).decode()
        params = self._texts(f"SELECT run_uuid, key, value FROM params WHERE run_uuid IN {_WANTED}", wanted)  # noqa: S608  (our own words)
        tags = self._texts(f"SELECT run_uuid, key, value FROM tags WHERE run_uuid IN {_WANTED}", wanted)  # noqa: S608  (our own words)
        marks = {
            run_id: f"{n} {newest} {step}"
            for run_id, n, newest, step in self._ask(
                "SELECT run_uuid, count(*), max(timestamp), max(step) FROM metrics"  # noqa: S608  (our own words)
                f" WHERE run_uuid IN {_WANTED} GROUP BY run_uuid",
                wanted,
            )
        }
        used: dict[str, list[SourceData]] = {}
        data_tags = self._texts(_DATA_TAGS, wanted)
        for run_id, input_id, name, digest, kind, source, schema, profile in self._ask(_DATA, wanted):
            details = details_of(kind, source, schema, profile, data_tags.get(input_id, {}))
            used.setdefault(run_id, []).append(data(name, digest, details))
        links: dict[str, list[ModelLink]] = {}
        for run_id, kind, model_id, step in self._ask(_LINKS, wanted) if self._has_models else ():
            link = ModelLink(id=model_id, role="input" if kind == "RUN_INPUT" else "output", step=step)
            links.setdefault(run_id, []).append(link)
        query = (
            "SELECT run_uuid, name, user_id, status, lifecycle_stage, start_time, end_time, artifact_uri"  # noqa: S608  (our own words)
            f" FROM runs WHERE run_uuid IN {_WANTED} ORDER BY start_time, run_uuid"
        )
        for run_id, name, user, status, stage, begun_at, ended_at, location in self._ask(query, wanted):
            yield SourceRun(
                id=run_id,
                name=name or "",
                user=user or "",
                status=STATUSES.get(status, "running"),
                state=lifecycle(stage),
                started_at=microseconds(begun_at),
                ended_at=None if ended_at is None else microseconds(ended_at),
                location=location or "",
                params=params.get(run_id, {}),
                tags=tags.get(run_id, {}),
                data=tuple(used.get(run_id, ())),
                models=tuple(links.get(run_id, ())),
                points_mark=marks.get(run_id, ""),
            )

    def points(self, run_id: str, tell: Callable[[str], None]) -> Iterator[Point]:  # noqa: ARG002 - all can be read
        """Give all values of the metrics of a run."""
        for key, value, step, at, is_nan in self._ask(_POINTS, run_id):
            yield Point(key, number(value, is_nan=bool(is_nan)), step, microseconds(at))

    def logged_models(self, experiment_id: str) -> Iterator[SourceLogged | Damaged]:
        """Give the logged models of an experiment; MLflow 2 has none."""
        if "logged_models" not in self._tables:
            return
        query = "SELECT model_id FROM logged_models WHERE experiment_id = ? ORDER BY creation_timestamp_ms, model_id"
        ids = [model_id for (model_id,) in self._ask(query, experiment_id)]
        for begin in range(0, len(ids), BATCH):
            yield from self._logged(_encode(ids[begin : begin + BATCH]).decode())

    def _logged(self, wanted: str) -> Iterator[SourceLogged]:
        among = f"WHERE model_id IN {_WANTED}"
        params = self._texts(f"SELECT model_id, param_key, param_value FROM logged_model_params {among}", wanted)  # noqa: S608  (our own words)
        tags = self._texts(f"SELECT model_id, tag_key, tag_value FROM logged_model_tags {among}", wanted)  # noqa: S608  (our own words)
        metrics: dict[str, list[ModelMetric]] = {}
        for model_id, key, value, step, at, run_id, dataset, digest in self._ask(_MODEL_METRICS, wanted):
            one = ModelMetric(
                key=key,
                value=number(value),
                step=step,
                at=microseconds(at),
                run_id=run_id,
                dataset=dataset or "",
                digest=digest or "",
            )
            metrics.setdefault(model_id, []).append(one)
        query = (
            "SELECT model_id, source_run_id, name, status, lifecycle_stage, model_type, artifact_location,"  # noqa: S608  (our own words)
            f" creation_timestamp_ms FROM logged_models {among} ORDER BY creation_timestamp_ms, model_id"
        )
        for model_id, run_id, name, status, stage, kind, location, made_at in self._ask(query, wanted):
            yield SourceLogged(
                id=model_id,
                run_id=run_id or "",
                name=name,
                status=MODEL_STATUSES.get(status, "failed"),
                state=lifecycle(stage),
                model_type=kind or "",
                location=location,
                created_at=microseconds(made_at),
                params=params.get(model_id, {}),
                tags=tags.get(model_id, {}),
                metrics=tuple(metrics.get(model_id, ())),
            )

    def models(self) -> Iterator[SourceModel | Damaged]:
        """Give all registered models by name."""
        own = "workspace = 'default' AND " if self._has_workspaces else ""
        query = f"SELECT name, description, creation_time FROM registered_models WHERE {own}name > ? ORDER BY name"  # noqa: S608  (our own words)
        for name, description, made_at in self._ask(query, ""):
            of_it = f"WHERE {own}name = ?"
            aliases = dict(self._ask(f"SELECT alias, version FROM registered_model_aliases {of_it}", name))  # noqa: S608  (our own words)
            yield SourceModel(
                name=name,
                description=description or "",
                tags=self._texts(f"SELECT name, key, value FROM registered_model_tags {of_it}", name).get(name, {}),  # noqa: S608  (our own words)
                aliases={alias: int(version) for alias, version in aliases.items()},
                created_at=microseconds(made_at),
                versions=tuple(self._versions(name, of_it)),
            )

    def _versions(self, name: str, of_it: str) -> Iterator[SourceVersion]:
        tags = self._texts(f"SELECT version, key, value FROM model_version_tags {of_it}", name)  # noqa: S608  (our own words)
        query = (
            "SELECT version, source, current_stage, description, run_id, run_link, user_id, creation_time"  # noqa: S608  (our own words)
            f" FROM model_versions {of_it} ORDER BY version"
        )
        for version, source, stage, description, run_id, run_link, user, made_at in self._ask(query, name):
            yield SourceVersion(
                version=version,
                source=source or "",
                stage=stage or "None",
                description=description or "",
                run_id=run_id or "",
                run_link=run_link or "",
                user=user or "",
                tags=tags.get(version, {}),
                created_at=microseconds(made_at),
            )

    def beside(self) -> dict[str, int]:
        """Give what else is there, and how much of it."""
        found = {}
        for table, what in BESIDE.items():
            if table in self._tables:
                found[what] = int(self._ask(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608  (our own words)
        if self._has_workspaces:
            query = "SELECT count(*) FROM experiments WHERE workspace <> 'default'"
            found["experiments of other workspaces"] = int(self._ask(query)[0][0])
        return {what: n for what, n in found.items() if n}

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    # --- rows

    def _ask(self, query: str, *values: object) -> list[Any]:
        """Give the rows of a query. All at once, so that MLflow's server can write again."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise ImportStopped(path=self.path, reason=f"SQLite says: {error}") from error

    def _texts(self, query: str, *values: object) -> dict[Any, dict[str, str]]:
        """Give texts by key, by what they belong to."""
        found: dict[Any, dict[str, str]] = {}
        for owner, key, value in self._ask(query, *values):
            found.setdefault(owner, {})[key] = "" if value is None else str(value)
        return found
