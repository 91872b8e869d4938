"""Views of experiments and tracking runs: as the API, `--json` and `search_runs` give them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ostinato.core.tracking import Lifecycle, TrackingStatus
from ostinato.core.views import instant, maybe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.tracking import Experiment, Point, TrackedFile, TrackedInput, TrackingRun


class ExperimentView(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment."""

    id: str
    name: str
    state: Lifecycle
    created_at: datetime
    updated_at: datetime
    tags: dict[str, str]


class TrackingRunView(msgspec.Struct, frozen=True, kw_only=True):
    """A tracking run with the newest value of each metric."""

    id: str
    name: str
    experiment_id: str
    status: TrackingStatus
    state: Lifecycle
    user: str
    source: str
    version: str
    flow_run_id: str | None
    task_run_id: str | None
    parent_id: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    params: dict[str, str]
    metrics: dict[str, float]
    """In JSON null where it is not finite."""
    tags: dict[str, str]


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a metric."""

    step: int
    at: datetime
    value: float | str
    """`nan`, `inf` or `-inf` where it is not finite."""


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a tracking run."""

    path: str
    size_bytes: int
    media_type: str
    digest: str
    """BLAKE2b-128 of its content; `/api/blobs/DIGEST` gives it."""
    at: datetime


class InputView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data that a tracking run used."""

    digest: str
    name: str
    context: str
    at: datetime


def experiment_view(one: Experiment) -> ExperimentView:
    """Give an experiment as it is shown."""
    return ExperimentView(
        id=one.id,
        name=one.name,
        state=one.state,
        created_at=instant(one.created_at),
        updated_at=instant(one.updated_at),
        tags=one.tags,
    )


def tracking_run_view(run: TrackingRun) -> TrackingRunView:
    """Give a tracking run as it is shown."""
    return TrackingRunView(
        id=run.id,
        name=run.name,
        experiment_id=run.experiment_id,
        status=run.status,
        state=run.state,
        user=run.actor,
        source=run.source,
        version=run.version,
        flow_run_id=run.flow_run_id or None,
        task_run_id=f"{run.flow_run_id}/{run.task_no}" if run.flow_run_id and run.task_no else None,
        parent_id=run.parent_id or None,
        started_at=instant(run.started_at),
        ended_at=maybe(run.ended_at),
        duration_s=None if run.ended_at is None else (run.ended_at - run.started_at) / 1e6,
        params=run.params,
        metrics={one.key: one.value for one in run.metrics},
        tags=run.tags,
    )


def point_views(points: Iterable[Point]) -> list[PointView]:
    """Give values of a metric as they are shown."""
    return [
        PointView(
            step=point.step,
            at=instant(point.at),
            value=point.value if math.isfinite(point.value) else str(point.value),
        )
        for point in points
    ]


def file_views(files: Iterable[TrackedFile]) -> list[FileView]:
    """Give files as they are shown."""
    return [
        FileView(path=one.path, size_bytes=one.size, media_type=one.media_type, digest=one.blob, at=instant(one.at))
        for one in files
    ]


def input_views(inputs: Iterable[TrackedInput]) -> list[InputView]:
    """Give versions of data as they are shown."""
    return [InputView(digest=one.digest, name=one.name, context=one.context, at=instant(one.at)) for one in inputs]
