"""MLflow's folder of files, `mlruns`, read without MLflow and without changing it."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import msgspec
import yaml

from ostinato.core.errors import ImportUnreadable
from ostinato.core.logged_models import ModelLink, ModelMetric
from ostinato.core.tracking import Point
from ostinato.tracking.imports.database import MODEL_STATUSES, STATUSES
from ostinato.tracking.imports.material import (
    MOST_MS,
    Damaged,
    SourceExperiment,
    SourceLogged,
    SourceModel,
    SourceRun,
    SourceVersion,
    data,
    details_of,
    lifecycle,
    microseconds,
)
from ostinato.tracking.imports.places import TRASH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostinato.tracking.imports.material import SourceData

META: Final = "meta.yaml"
MODELS: Final = "models"
NO_RUNS: Final = frozenset({"tags", "datasets", "traces", MODELS})
"""Folders of an experiment that are no runs."""
STATUS_NUMBERS: Final = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
"""Counted from 1."""
LARGEST_STEP: Final = 1 << 63

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_VERSION: Final = re.compile(r"version-(\d{1,9})")

T = TypeVar("T", bound=msgspec.Struct)
Word: TypeAlias = str | int | float | None


class ExperimentMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of an experiment."""

    experiment_id: Word
    name: Word
    artifact_location: str | None = None
    lifecycle_stage: str | None = None
    creation_time: int | None = None


class RunMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a run."""

    run_id: Word = None
    run_uuid: Word = None
    run_name: Word = None
    user_id: Word = None
    status: Word = 1
    lifecycle_stage: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str | None = None


class LoggedMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a logged model."""

    model_id: str
    name: Word
    source_run_id: str | None = None
    status: int = 0
    lifecycle_stage: str | None = None
    model_type: str | None = None
    artifact_location: str | None = None
    creation_timestamp: int | None = None


class ModelMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a registered model."""

    name: Word
    description: Word = None
    creation_timestamp: int | None = None


class VersionMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a version."""

    version: Word
    source: str | None = None
    current_stage: str | None = None
    description: Word = None
    run_id: str | None = None
    run_link: str | None = None
    user_id: Word = None
    creation_timestamp: int | None = None


class LinkMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of what a run used or made."""

    source_type: str
    source_id: str
    tags: dict[str, str] = {}
    step: int = 0


class DataMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a version of data."""

    name: Word
    digest: Word
    source_type: str | None = None
    source: str | None = None
    schema: str | None = None
    profile: str | None = None


class MlflowFolder:
    """The folder of one MLflow, as a source."""

    def __init__(self, path: str) -> None:
        """Take a folder.

        Raises:
            ImportUnreadable: (import-unreadable) it is none of MLflow's.
        """
        self.path = path
        self.folder = os.path.abspath(path)
        self._places: dict[str, str] = {}
        """Folders of experiments by id, and of runs by id."""
        if not any(True for _ in self._experiment_folders()) and not os.path.isdir(os.path.join(self.folder, MODELS)):
            reason, fix = "no folder in it is an experiment of MLflow", "Name the folder mlruns, or the file mlflow.db."
            if os.path.isfile(os.path.join(self.folder, "mlflow.db")):
                fix = f"Name the database in it: {os.path.join(path, 'mlflow.db')}"
            elif os.path.isdir(os.path.join(self.folder, "mlruns")):
                fix = f"Name the folder in it: {os.path.join(path, 'mlruns')}"
            raise ImportUnreadable(path=path, reason=reason, fix=fix)

    def _experiment_folders(self) -> Iterator[str]:
        for parent in (self.folder, os.path.join(self.folder, TRASH)):
            for name in _folders(parent):
                place = os.path.join(parent, name)
                if name.isdecimal() or os.path.isfile(os.path.join(place, META)):
                    yield place

    # --- experiments and runs

    def experiments(self) -> Iterator[SourceExperiment | Damaged]:
        """Give all experiments, those that are deleted too."""
        for place in self._experiment_folders():
            meta = _meta(place, ExperimentMeta, "experiment")
            if isinstance(meta, Damaged):
                yield meta
                continue
            self._places[str(meta.experiment_id)] = place
            yield SourceExperiment(
                id=str(meta.experiment_id),
                name=_text(meta.name),
                state=lifecycle(meta.lifecycle_stage),
                location=meta.artifact_location or "",
                created_at=microseconds(meta.creation_time),
                tags=_texts(place, "tags"),
            )

    def runs(self, experiment_id: str) -> Iterator[SourceRun | Damaged]:
        """Give the runs of an experiment."""
        above = self._places[experiment_id]
        for name in _folders(above):
            place = os.path.join(above, name)
            if name in NO_RUNS or not (_RUN_ID.fullmatch(name) or os.path.isfile(os.path.join(place, META))):
                continue
            meta = _meta(place, RunMeta, "run")
            if isinstance(meta, Damaged):
                yield meta
                continue
            run_id = _text(meta.run_id) or _text(meta.run_uuid) or name
            self._places[run_id] = place
            status = meta.status
            if isinstance(status, int):
                status = STATUS_NUMBERS[status - 1] if 0 < status <= len(STATUS_NUMBERS) else ""
            tags = _texts(place, "tags")
            yield SourceRun(
                id=run_id,
                name=_text(meta.run_name) or tags.get("mlflow.runName", ""),
                user=_text(meta.user_id),
                status=STATUSES.get(str(status), "running"),
                state=lifecycle(meta.lifecycle_stage),
                started_at=microseconds(meta.start_time),
                ended_at=None if meta.end_time is None else microseconds(meta.end_time),
                location=meta.artifact_uri or "",
                params=_texts(place, "params"),
                tags=tags,
                data=tuple(_data_of(place, os.path.join(above, "datasets"))),
                models=tuple(_models_of(place)),
                points_mark=" ".join(f"{key}:{os.path.getsize(file)}" for key, file in _files(place, "metrics")),
            )

    def points(self, run_id: str, tell: Callable[[str], None]) -> Iterator[Point]:
        """Give all values of the metrics of a run."""
        for key, file in _files(self._places[run_id], "metrics"):
            found = []
            for line in _lines(file):
                words = line.split()
                point = _point(key, words) if len(words) in (2, 3, 5) else None
                if point is None:
                    tell(f"run {run_id}: a line of the metric {key!r} cannot be read: {line[:60]!r}")
                else:
                    found.append(point)
            yield from sorted(found, key=_rank)

    # --- models

    def logged_models(self, experiment_id: str) -> Iterator[SourceLogged | Damaged]:
        """Give the logged models of an experiment."""
        above = os.path.join(self._places[experiment_id], MODELS)
        for name in _folders(above):
            place = os.path.join(above, name)
            meta = _meta(place, LoggedMeta, "logged model")
            if isinstance(meta, Damaged):
                yield meta
                continue
            yield SourceLogged(
                id=meta.model_id,
                run_id=meta.source_run_id or "",
                name=_text(meta.name),
                status=MODEL_STATUSES.get(meta.status, "failed"),
                state=lifecycle(meta.lifecycle_stage),
                model_type=meta.model_type or "",
                location=meta.artifact_location or "",
                created_at=microseconds(meta.creation_timestamp),
                params=_texts(place, "params"),
                tags=_texts(place, "tags"),
                metrics=tuple(_model_metrics(place)),
            )

    def models(self) -> Iterator[SourceModel | Damaged]:
        """Give all registered models by name."""
        above = os.path.join(self.folder, MODELS)
        for name in _folders(above):
            place = os.path.join(above, name)
            meta = _meta(place, ModelMeta, "registered model")
            if isinstance(meta, Damaged):
                yield meta
                continue
            versions: list[SourceVersion] = []
            for part in _folders(place):
                if not _VERSION.fullmatch(part):
                    continue
                found = _version(os.path.join(place, part))
                if isinstance(found, Damaged):
                    yield found
                else:
                    versions.append(found)
            aliases = _texts(place, "aliases")
            yield SourceModel(
                name=_text(meta.name),
                description=_text(meta.description),
                tags=_texts(place, "tags"),
                aliases={alias: int(number) for alias, number in aliases.items() if number.strip().isdecimal()},
                created_at=microseconds(meta.creation_timestamp),
                versions=tuple(sorted(versions, key=lambda one: one.version)),
            )

    def beside(self) -> dict[str, int]:
        """Give what else is there, and how much of it."""
        n_traces = sum(len(_folders(os.path.join(place, "traces"))) for place in self._experiment_folders())
        return {"traces": n_traces} if n_traces else {}

    def close(self) -> None:
        """Let go of nothing."""


# --- single files


def _meta(place: str, kind: type[T], what: str) -> T | Damaged:
    """Give what the file of a folder says."""
    name = f"{what} {os.path.basename(place)}"
    try:
        with open(os.path.join(place, META), "rb") as file:
            said = yaml.load(file.read(), Loader=_LOADER)  # noqa: S506 - it is a safe one
        return msgspec.convert(said, kind, strict=False)
    except FileNotFoundError:
        return Damaged(what=name, reason=f"it has no {META}")
    except (OSError, ValueError, RecursionError, yaml.YAMLError, msgspec.ValidationError) as error:
        return Damaged(what=name, reason=f"its {META} cannot be read: {' '.join(str(error).split())}")


def _version(place: str) -> SourceVersion | Damaged:
    meta = _meta(place, VersionMeta, f"version of {os.path.basename(os.path.dirname(place))},")
    if isinstance(meta, Damaged):
        return meta
    return SourceVersion(
        version=int(place.rpartition("-")[2]),
        source=meta.source or "",
        stage=meta.current_stage or "None",
        description=_text(meta.description),
        run_id=meta.run_id or "",
        run_link=meta.run_link or "",
        user=_text(meta.user_id),
        tags=_texts(place, "tags"),
        created_at=microseconds(meta.creation_timestamp),
    )


def _data_of(run: str, above: str) -> Iterator[SourceData]:
    """Give the versions of data that a run used."""
    for used in _links_of(run, "inputs"):
        if used.source_type != "DATASET":
            continue
        found = _meta(os.path.join(above, os.path.basename(used.source_id)), DataMeta, "data set")
        if not isinstance(found, Damaged):
            details = details_of(found.source_type, found.source, found.schema, found.profile, used.tags)
            yield data(_text(found.name), _text(found.digest), details)


def _models_of(run: str) -> Iterator[ModelLink]:
    """Give the logged models that a run used and made."""
    for used in _links_of(run, "inputs"):
        if used.source_type == "MODEL":
            yield ModelLink(id=used.source_id, role="input", step=0)
    for made in _links_of(run, "outputs"):
        yield ModelLink(id=made.source_id, role="output", step=made.step)


def _links_of(run: str, part: str) -> Iterator[LinkMeta]:
    """Give what the files in a part of a run's folder say; those that cannot be read are left out."""
    place = os.path.join(run, part)
    for name in _folders(place):
        found = _meta(os.path.join(place, name), LinkMeta, part)
        if not isinstance(found, Damaged):
            yield found


def _model_metrics(place: str) -> Iterator[ModelMetric]:
    """Give the values of the metrics of a logged model; lines that cannot be read are left out."""
    for key, file in _files(place, "metrics"):
        for line in _lines(file):
            words = line.split()
            point = _point(key, words[:3]) if len(words) in (4, 6) else None
            if point is not None:
                run_id, dataset, digest = (*words[3:], "", "")[:3]
                yield ModelMetric(
                    key=key,
                    value=point.value,
                    step=point.step,
                    at=point.at,
                    run_id=run_id,
                    dataset=dataset,
                    digest=digest,
                )


def _point(key: str, words: list[str]) -> Point | None:
    """Give the value that the words of a line tell: instant, value, step; None when they tell none."""
    try:
        at, value = int(words[0]), float(words[1])
        step = int(words[2]) if len(words) == 3 else 0
    except ValueError:
        return None
    if not -MOST_MS < at < MOST_MS or not -LARGEST_STEP <= step < LARGEST_STEP:
        return None
    return Point(key, value, step, microseconds(at))


def _rank(point: Point) -> tuple[int, int, bool, float]:
    is_number = not math.isnan(point.value)
    return point.step, point.at, is_number, point.value if is_number else 0.0


def _folders(place: str) -> list[str]:
    try:
        with os.scandir(place) as found:
            return sorted(one.name for one in found if one.is_dir() and one.name != TRASH)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _files(place: str, part: str) -> Iterator[tuple[str, str]]:
    """Give the files of a part of a folder by their names, in which `/` parts folders."""
    top = os.path.join(place, part)
    for where, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            if os.path.islink(path):  # it might lead anywhere
                continue
            yield os.path.relpath(path, top).replace(os.sep, "/"), path


def _texts(place: str, part: str) -> dict[str, str]:
    return {key: _read(path) for key, path in _files(place, part)}


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def _lines(path: str) -> list[str]:
    return [line for line in _read(path).splitlines() if line.strip()]


def _text(word: Any) -> str:
    return "" if word is None else str(word)
