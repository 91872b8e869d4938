"""Pages of experiments: their runs as a table of chosen columns, some compared, metrics over steps, one run."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta

from ostinato.core.errors import RunNotFound
from ostinato.core.registry import Stage
from ostinato.core.tracking import TrackingStatus, sampled
from ostinato.core.tracking_views import (
    ExperimentView,
    FileView,
    InputView,
    TrackingRunView,
    experiment_view,
    file_views,
    input_views,
    tracking_run_view,
)
from ostinato.core.views import instant
from ostinato.server.doors import Ask, Limit, Ref, read_at
from ostinato.server.experiments import Most, Text, Token
from ostinato.store import logged_models, registry, tracking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostinato.core.tracking import Point, TrackingRun
    from ostinato.server.office import Shelf
    from ostinato.store.database import Connection

N_COLUMNS: Final = 6
"""Metrics, and as many parameters, that are shown when no columns are chosen."""
MOST_FIELDS: Final = 2_000
MOST_CHOSEN: Final = 40
MOST_ROWS: Final = 300
"""Differences of one kind that are told."""
MOST_COMPARED: Final = 4
N_GAPS: Final = 20
"""Stretches of a line without a finite value that are told."""
MOST_ODD: Final = 100
"""Metrics without a finite value now of which is told since when."""
N_FILES: Final = 200
NOTE: Final = "mlflow.note.content"
PACKAGES: Final = "ostinato.packages"
COMMITS: Final = ("ostinato.git_commit", "mlflow.source.git.commit")
SURROUNDINGS: Final = {"ostinato.python": "python", "ostinato.host": "host"}
OURS: Final = ("mlflow.", "ostinato.")
"""How tags begin that people did not set."""

Part = Literal["metrics", "params", "tags", "code", "data", "environment"]
Odd = Literal["nan", "inf", "-inf"]
Name = Annotated[str, QueryParameter(min_length=1, max_length=1000, description="Name or id.")]
Best = Annotated[str, QueryParameter(max_length=320, description="Such as `metrics.rmse ASC`: the first run by it.")]
Field = Annotated[str, Meta(max_length=300)]
Fields = Annotated[
    list[Field] | None, QueryParameter(max_items=MOST_CHOSEN, description="Such as `metrics.rmse` or `params.depth`.")
]
Orders = Annotated[
    list[Annotated[str, Meta(max_length=320)]] | None,
    QueryParameter(max_items=3, description="Such as `metrics.rmse ASC`."),
]
Keys = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=1000)]],
    QueryParameter(min_items=1, max_items=MOST_COMPARED, description="Metrics, by name."),
]
RunIds = Annotated[
    list[Annotated[str, Meta(max_length=64)]],
    QueryParameter(min_items=1, max_items=MOST_COMPARED, description="Tracking runs, by id."),
]


class TrackingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tracking run in the table of an experiment."""

    id: str
    name: str
    status: TrackingStatus
    started_at: datetime
    duration_s: float | None
    flow_run_id: str | None
    note: str
    values: dict[str, float | str]
    """By field; `nan`, `inf` or `-inf` where a metric is not finite."""


class ExperimentScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment: a page of its runs."""

    experiment: ExperimentView
    fields: list[str]
    """All that the runs of this page have, those first that differ."""
    columns: list[str]
    """Those that are shown."""
    best: TrackingRow | None
    items: list[TrackingRow]
    next: str | None


class DifferenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something in which runs differ."""

    part: Part
    name: str
    values: list[float | str | None]
    """Of each run; null where it has none."""


class ComparisonScreen(msgspec.Struct, frozen=True, kw_only=True):
    """Some tracking runs beside one another."""

    runs: list[TrackingRow]
    rows: list[DifferenceRow]
    n_equal: int
    """Parameters, metrics, tags and facts that are the same in all of them."""
    n_left_out: int
    metrics: list[str]
    """Those that one of them has."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Values that are not finite, of one kind, one after the other."""

    value: Odd
    step: int
    """Of the first of them."""
    after_s: float
    """Seconds from the begin of the run to the first of them."""
    last_step: int
    goes_on: bool
    """Whether no other value follows."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric of one run did."""

    run_id: str
    key: str
    started_at: datetime
    points: list[tuple[int, float, float]]
    """Step, seconds since the run began, value: the finite ones."""
    gaps: list[Gap]
    """Where it is not finite, the first ones."""
    n_odd: int
    """Values that are not finite."""


class SeriesScreen(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics of some runs did, run by run."""

    lines: list[Line]


class LoggedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a tracking run logged."""

    id: str
    name: str
    flavor: str
    size_bytes: int


class RegisteredRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a registered model that a tracking run made."""

    name: str
    version: int
    stage: Stage
    aliases: tuple[str, ...]


class TrackingScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One tracking run."""

    run: TrackingRunView
    metrics: dict[str, float | str]
    odd_since: dict[str, int]
    """Metrics that are not finite now, with the step since which they have had no finite value."""
    experiment: str
    flow_run: str
    """Name of the flow run in which it was made; empty when that is gone."""
    task_run: str
    parent: str
    """Name of the tracking run around it."""
    files: list[FileView]
    more_files: bool
    inputs: list[InputView]
    models: list[LoggedRow]
    versions: list[RegisteredRow]


@read_at("/api/ui/tracking-runs")
async def experiment_screen(
    request: Ask,
    experiment: Name,
    where: Text = "",
    order_by: Orders = None,
    columns: Fields = None,
    axes: Fields = None,
    best: Best = "",
    limit: Limit = 100,
    after: Token = "",
) -> ExperimentScreen:
    """Give a page of the runs of an experiment with the values of some columns, and of `axes` besides."""

    def ask(shelf: Shelf) -> ExperimentScreen:
        one = shelf.reader.find_experiment(experiment)
        runs, following = shelf.reader.search_tracking_runs(
            (one.id,), text=where, order_by=order_by or (), limit=limit, after=after
        )
        first: list[TrackingRun] = []
        if best:
            first, _ = shelf.reader.search_tracking_runs((one.id,), text=where, order_by=(best,), limit=1)
        fields = fields_of(runs)
        chosen = columns or _default(fields)
        wanted = {*chosen, *(axes or ())}
        return ExperimentScreen(
            experiment=experiment_view(one),
            fields=fields[:MOST_FIELDS],
            columns=chosen,
            best=_row(first[0], wanted) if first else None,
            items=[_row(run, wanted) for run in runs],
            next=following or None,
        )

    return await request.look(ask)


@read_at("/api/ui/comparison")
async def comparison_screen(request: Ask, run: RunIds) -> ComparisonScreen:
    """Give what differs between some tracking runs: parameters, metrics, tags, code, data and environment."""

    def ask(shelf: Shelf) -> ComparisonScreen:
        runs = [shelf.reader.find_tracking_run(ref) for ref in run]
        rows, n_equal, n_left_out = _differences(shelf, runs)
        return ComparisonScreen(
            runs=[_row(one, ()) for one in runs],
            rows=rows,
            n_equal=n_equal,
            n_left_out=n_left_out,
            metrics=sorted({metric.key for one in runs for metric in one.metrics})[:MOST_FIELDS],
        )

    return await request.look(ask)


@read_at("/api/ui/series")
async def series_screen(request: Ask, run: RunIds, key: Keys, most: Most = 600) -> SeriesScreen:
    """Give the values of metrics of some runs by step; of more than `most` the least and greatest of equal parts."""

    def ask(shelf: Shelf) -> SeriesScreen:
        runs = [shelf.reader.find_tracking_run(ref) for ref in run]
        return SeriesScreen(lines=[_line(shelf, one, name, most) for one in runs for name in key])

    return await request.look(ask)


@read_at("/api/ui/tracking-runs/{ref:str}")
async def tracking_screen(request: Ask, ref: Ref) -> TrackingScreen:
    """Give the page of a tracking run, by id, the beginning of one, or name."""
    return await request.look(lambda shelf: _tracking(shelf, ref))


def told(run: TrackingRun) -> dict[str, float | str]:
    """Give the newest values of a run's metrics, as words where they are not finite."""
    return {one.key: one.value if math.isfinite(one.value) else str(one.value) for one in run.metrics}


def odd_since(db: Connection, run: TrackingRun) -> dict[str, int]:
    """Give the metrics of a run that are not finite now, with the step since which they have had no finite value."""
    odd = [one for one in run.metrics if not math.isfinite(one.value)][:MOST_ODD]
    return {one.key: tracking.odd_since(db, run.id, one.key, one.step) for one in odd}


# --- the table


def fields_of(runs: Iterable[TrackingRun]) -> list[str]:
    """Give all fields of runs, those first that differ: what is equal everywhere tells nothing."""
    found: dict[str, set[float | str]] = {}
    for run in runs:
        for part, values in (("metrics", told(run)), ("params", run.params), ("tags", _own_tags(run))):
            for key, value in values.items():
                found.setdefault(f"{part}.{key}", set()).add(value)
    return sorted(found, key=lambda name: (name.partition(".")[0], len(found[name]) == 1, name))


def _own_tags(run: TrackingRun) -> dict[str, str]:
    """Give the tags that people have set."""
    return {key: value for key, value in run.tags.items() if not key.startswith(OURS)}


def _default(fields: list[str]) -> list[str]:
    metrics, params = ([one for one in fields if one.startswith(part)] for part in ("metrics.", "params."))
    return [*metrics[:N_COLUMNS], *params[:N_COLUMNS]]


def _row(run: TrackingRun, wanted: Iterable[str]) -> TrackingRow:
    parts: dict[str, Mapping[str, float | str]] = {"params": run.params, "tags": run.tags}
    if wanted:
        parts["metrics"] = told(run)
    values: dict[str, float | str] = {}
    for field in wanted:
        part, _, key = field.partition(".")
        value = parts.get(part, {}).get(key)
        if value is not None:
            values[field] = value
    return TrackingRow(
        id=run.id,
        name=run.name,
        status=run.status,
        started_at=instant(run.started_at),
        duration_s=None if run.ended_at is None else (run.ended_at - run.started_at) / 1e6,
        flow_run_id=run.flow_run_id or None,
        note=run.tags.get(NOTE, "").partition("\n")[0][:200],
        values=values,
    )


# --- what differs


def _differences(shelf: Shelf, runs: list[TrackingRun]) -> tuple[list[DifferenceRow], int, int]:
    """Give what differs, how much is equal, and how many differences are left out."""
    parts: list[tuple[Part, list[dict[str, float | str]]]] = [
        ("metrics", [told(run) for run in runs]),
        ("params", [dict(run.params) for run in runs]),
        ("tags", [dict(_own_tags(run)) for run in runs]),
        ("code", [_code(run) for run in runs]),
        ("data", [_data(shelf, run) for run in runs]),
        ("environment", [_environment(run) for run in runs]),
    ]
    found: list[DifferenceRow] = []
    n_equal = n_left_out = 0
    for part, sides in parts:
        names = dict.fromkeys(name for side in sides for name in side)
        rows = [
            DifferenceRow(part=part, name=name, values=[side.get(name) for side in sides]) for name in sorted(names)
        ]
        differing = [row for row in rows if any(value != row.values[0] for value in row.values)]
        n_equal += len(rows) - len(differing)
        n_left_out += max(0, len(differing) - MOST_ROWS)
        found += differing[:MOST_ROWS]
    return found, n_equal, n_left_out


def _code(run: TrackingRun) -> dict[str, float | str]:
    commit = next((run.tags[name] for name in COMMITS if run.tags.get(name)), "")
    facts = {"version": run.version, "commit": commit, "file": run.source}
    return {name: value for name, value in facts.items() if value}


def _data(shelf: Shelf, run: TrackingRun) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for one in shelf.reader.tracked_inputs(run.id):
        name = f"{one.name} ({one.context})" if one.context else one.name
        found[name] = f"{found[name]}, {one.digest}" if name in found else one.digest
    return found


def _environment(run: TrackingRun) -> dict[str, float | str]:
    found: dict[str, float | str] = {word: run.tags[tag] for tag, word in SURROUNDINGS.items() if run.tags.get(tag)}
    for package in run.tags.get(PACKAGES, "").split():
        name, _, version = package.partition("==")
        found[name] = version
    return found


# --- metrics over steps, and one run


def _line(shelf: Shelf, run: TrackingRun, key: str, most: int) -> Line:
    history = list(tracking.metric_history(shelf.db, run.id, key))
    finite = [point for point in history if math.isfinite(point.value)]
    return Line(
        run_id=run.id,
        key=key,
        started_at=instant(run.started_at),
        points=[(point.step, (point.at - run.started_at) / 1e6, point.value) for point in sampled(finite, most)],
        gaps=_gaps(history, run.started_at)[:N_GAPS] if len(finite) < len(history) else [],
        n_odd=len(history) - len(finite),
    )


def _gaps(history: list[Point], begin: int) -> list[Gap]:
    parts = [(value, list(points)) for value, points in groupby(history, lambda point: _odd(point.value))]
    return [
        Gap(
            value=value,
            step=points[0].step,
            after_s=(points[0].at - begin) / 1e6,
            last_step=points[-1].step,
            goes_on=points[-1] is history[-1],
        )
        for value, points in parts
        if value is not None
    ]


def _odd(value: float) -> Odd | None:
    """Give the word for a value that is not finite."""
    if math.isfinite(value):
        return None
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _tracking(shelf: Shelf, ref: str) -> TrackingScreen:
    run = shelf.reader.find_tracking_run(ref)
    db = shelf.db
    experiment = tracking.experiment(db, run.experiment_id)
    parent = tracking.tracking_run(db, run.parent_id) if run.parent_id else None
    files = shelf.reader.tracked_files(run.id, limit=N_FILES + 1)
    return TrackingScreen(
        run=tracking_run_view(run),
        metrics=told(run),
        odd_since=odd_since(db, run),
        experiment=experiment.name if experiment is not None else "",
        flow_run=_flow_run(shelf, run.flow_run_id),
        task_run=_task_run(shelf, run),
        parent=parent.name if parent is not None else "",
        files=file_views(files[:N_FILES]),
        more_files=len(files) > N_FILES,
        inputs=input_views(shelf.reader.tracked_inputs(run.id)),
        models=[
            LoggedRow(id=one.id, name=one.name, flavor=one.flavor, size_bytes=one.size)
            for one in logged_models.models_of_run(db, run.id, limit=N_FILES)
        ],
        versions=[
            RegisteredRow(name=one.name, version=one.version, stage=one.stage, aliases=one.aliases)
            for one in registry.versions_of_run(db, run.id, limit=N_FILES)
        ],
    )


def _flow_run(shelf: Shelf, run_id: str) -> str:
    """Give the name of a flow run, "" when it is gone."""
    if not run_id:
        return ""
    try:
        return shelf.reader.find_run(run_id).name
    except RunNotFound:
        return ""


def _task_run(shelf: Shelf, run: TrackingRun) -> str:
    if not (run.flow_run_id and run.task_no):
        return ""
    found = shelf.reader.task_runs(run.flow_run_id, limit=1, after=run.task_no - 1)
    return found[0].name if found and found[0].no == run.task_no else ""


HANDLERS: Final = (experiment_screen, comparison_screen, series_screen, tracking_screen)
