"""Experiments and tracking runs as MLflow's clients read them: milliseconds, capitals, lists of keys and values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ostinato.core.logged_models import LoggedModel, ModelLink
    from ostinato.core.tracking import Experiment, Latest, Point, TrackedInput, TrackingRun, TrackingStatus

ROOT: Final = "mlflow-artifacts:/"
"""Where files are that the server itself keeps."""
RUN_NAME: Final = "mlflow.runName"
USER: Final = "mlflow.user"
PARENT: Final = "mlflow.parentRunId"
SOURCE: Final = "mlflow.source.name"
COMMIT: Final = "mlflow.source.git.commit"
CONTEXT: Final = "mlflow.data.context"

STATUSES: Final[dict[str, TrackingStatus]] = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}


class KeyValue(msgspec.Struct, frozen=True):
    """A tag or a parameter."""

    key: str
    value: str = ""


class Metric(msgspec.Struct, frozen=True):
    """One value of a metric."""

    key: str
    value: float | str
    """NaN and the infinities are texts, as JSON has no numbers for them."""
    timestamp: int
    step: int = 0
    run_id: str | UnsetType = UNSET


class ExperimentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    creation_time: int
    last_update_time: int
    tags: list[KeyValue]


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is."""

    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | UnsetType = UNSET
    artifact_uri: str
    lifecycle_stage: str


class RunData(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has logged."""

    metrics: list[Metric]
    params: list[KeyValue]
    tags: list[KeyValue]


Short: TypeAlias = Annotated[str, Meta(max_length=1 << 16)]
Long: TypeAlias = Annotated[str, Meta(max_length=1 << 20)]


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data."""

    name: str
    digest: str
    source_type: Short = ""
    source: Short = ""
    schema: Long = ""
    profile: Long = ""


class DatasetInput(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data that a run used, and what for."""

    dataset: Dataset
    tags: tuple[KeyValue, ...] = ()


class ModelInput(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that a run used."""

    model_id: str


class RunInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a run used."""

    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelInput] = []


class ModelOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that a run made."""

    model_id: str
    step: int = 0


class RunOutputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a run made."""

    model_outputs: list[ModelOutput] = []


class RunMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    info: RunInfo
    data: RunData
    inputs: RunInputs = RunInputs()
    outputs: RunOutputs = RunOutputs()


def experiment_message(one: Experiment) -> ExperimentMessage:
    """Give an experiment."""
    return ExperimentMessage(
        experiment_id=one.id,
        name=one.name,
        artifact_location=one.artifact_root or f"{ROOT}{one.id}",
        lifecycle_stage=one.state,
        creation_time=one.created_at // 1000,
        last_update_time=one.updated_at // 1000,
        tags=pairs(one.tags),
    )


def run_info(run: TrackingRun, artifact_root: str) -> RunInfo:
    """Give what a run is; `artifact_root` is that of its experiment."""
    return RunInfo(
        run_id=run.id,
        run_uuid=run.id,
        run_name=run.name,
        experiment_id=run.experiment_id,
        user_id=run.tags.get(USER, run.actor),
        status=run.status.upper(),
        start_time=run.started_at // 1000,
        end_time=UNSET if run.ended_at is None else run.ended_at // 1000,
        artifact_uri=f"{artifact_root or f'{ROOT}{run.experiment_id}'}/{run.id}/artifacts",
        lifecycle_stage=run.state,
    )


def model_root(artifact_root: str, model: LoggedModel) -> str:
    """Give where the files of a logged model are; `artifact_root` is that of its experiment."""
    return f"{artifact_root or f'{ROOT}{model.experiment_id}'}/models/{model.id}/artifacts"


def run_message(
    run: TrackingRun, artifact_root: str, inputs: Iterable[TrackedInput] = (), models: Sequence[ModelLink] = ()
) -> RunMessage:
    """Give a run with what it has logged; what MLflow keeps in tags and we in fields of their own is a tag again."""
    tags = dict(run.tags)
    for key, value in ((RUN_NAME, run.name), (PARENT, run.parent_id), (SOURCE, run.source), (COMMIT, run.version)):
        if value:
            tags.setdefault(key, value)
    return RunMessage(
        info=run_info(run, artifact_root),
        data=RunData(metrics=[latest_message(one) for one in run.metrics], params=pairs(run.params), tags=pairs(tags)),
        inputs=RunInputs(
            dataset_inputs=[input_message(one) for one in inputs],
            model_inputs=[ModelInput(model_id=one.id) for one in models if one.role == "input"],
        ),
        outputs=RunOutputs(
            model_outputs=[ModelOutput(model_id=one.id, step=one.step) for one in models if one.role == "output"]
        ),
    )


def input_message(one: TrackedInput) -> DatasetInput:
    """Give a version of data that was used."""
    said = one.details
    tags = said.tags | ({CONTEXT: one.context} if one.context else {})
    return DatasetInput(
        dataset=Dataset(
            name=one.name,
            digest=one.digest,
            source_type=said.source_type,
            source=said.source,
            schema=said.schema,
            profile=said.profile,
        ),
        tags=tuple(KeyValue(key, tags[key]) for key in sorted(tags)),
    )


def latest_message(one: Latest) -> Metric:
    """Give the newest value of a metric."""
    return Metric(one.key, _number(one.value), one.at // 1000, one.step)


def point_message(one: Point, run_id: str = "") -> Metric:
    """Give one value of a metric, with its run when it is named."""
    return Metric(one.key, _number(one.value), one.at // 1000, one.step, run_id or UNSET)


def pairs(texts: Mapping[str, str]) -> list[KeyValue]:
    """Give texts by key as a list."""
    return [KeyValue(key, value) for key, value in texts.items()]


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
