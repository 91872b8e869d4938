"""Experiments and tracking runs over the public API."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from ostinato.core.commands import ChangeExperiment, ChangeTracking, CreateExperiment, LogBatch, TagExperiment
from ostinato.core.tracking import Lifecycle
from ostinato.core.tracking_views import (
    ExperimentView,
    FileView,
    InputView,
    PointView,
    TrackingRunView,
    experiment_view,
    file_views,
    input_views,
    point_views,
    tracking_run_view,
)
from ostinato.server.doors import After, Ask, Limit, Page, Ref, act_at, make_at, page, read_at

Text = Annotated[str, QueryParameter(max_length=1500, description="Filter, such as `metrics.rmse < 6.5`.")]
Short = Annotated[str, Meta(max_length=150)]
"""Together the parameters of a search stay below the longest address that a server takes, whatever their letters."""
Names = Annotated[list[Short] | None, QueryParameter(max_items=10, description="Names or ids; none means all.")]
Orders = Annotated[list[Short] | None, QueryParameter(max_items=5, description="Such as `metrics.rmse ASC`.")]
Token = Annotated[
    str, QueryParameter(max_length=4000, pattern="^[A-Za-z0-9_=-]*$", description="`next` of the page before.")
]
Lives = Annotated[
    Lifecycle, QueryParameter(name="state", description="Those that are there, or those that are deleted.")
]
Most = Annotated[int, QueryParameter(ge=4, le=100_000, description="Values at most: the least and greatest of parts.")]
Key = Annotated[str, QueryParameter(min_length=1, max_length=1000, description="Name of the metric.")]


class NewExperiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment that is wanted."""

    name: str
    tags: dict[str, str] = {}


class ExperimentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an experiment is to be; what is left out stays."""

    name: str = ""
    state: Lifecycle | None = None
    tags: dict[str, str | None] = {}
    """Null takes one away."""


class TrackingRunChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tracking run is to be; what is left out stays."""

    name: str = ""
    state: Lifecycle | None = None
    tags: dict[str, str | None] = {}
    """Null takes one away."""


@read_at("/api/experiments")
async def list_experiments(
    request: Ask, lives: Lives = "active", limit: Limit = 100, after: After = ""
) -> Page[ExperimentView]:
    """List experiments by name."""
    found = await request.look(lambda shelf: shelf.reader.experiments(states=(lives,), after=after, limit=limit + 1))
    return page([experiment_view(one) for one in found], limit, lambda one: one.name)


@make_at("/api/experiments")
async def create_experiment(request: Ask, data: JSONBody[NewExperiment]) -> ExperimentView:
    """Make an experiment."""
    return experiment_view(await request.do(CreateExperiment(name=data.name, tags=data.tags)))


@read_at("/api/experiments/{ref:str}")
async def show_experiment(request: Ask, ref: Ref) -> ExperimentView:
    """Give an experiment by name or id."""
    return experiment_view(await request.look(lambda shelf: shelf.reader.find_experiment(ref)))


@act_at("/api/experiments/{ref:str}")
async def change_experiment(request: Ask, ref: Ref, data: JSONBody[ExperimentChange]) -> ExperimentView:
    """Rename, delete, restore or tag an experiment; its tracking runs are deleted and restored with it."""
    if data.tags:
        await request.do(TagExperiment(experiment=ref, tags=data.tags))
    changed = await request.do(ChangeExperiment(experiment=ref, name=data.name, state=data.state))
    return experiment_view(await request.look(lambda shelf: shelf.reader.find_experiment(changed.id)))


@read_at("/api/tracking-runs")
async def search_tracking_runs(
    request: Ask,
    experiment: Names = None,
    where: Text = "",
    order_by: Orders = None,
    lives: Lives = "active",
    limit: Limit = 100,
    after: Token = "",
) -> Page[TrackingRunView]:
    """Search tracking runs by a filter in MLflow's grammar; without an order the newest come first."""
    found, following = await request.look(
        lambda shelf: shelf.reader.search_tracking_runs(
            experiment or (), text=where, order_by=order_by or (), state=lives, limit=limit, after=after
        )
    )
    return Page(items=[tracking_run_view(run) for run in found], next=following or None)


@read_at("/api/tracking-runs/{ref:str}")
async def show_tracking_run(request: Ask, ref: Ref) -> TrackingRunView:
    """Give a tracking run by id, the beginning of one, or name."""
    return tracking_run_view(await request.look(lambda shelf: shelf.reader.find_tracking_run(ref)))


@act_at("/api/tracking-runs/{ref:str}")
async def change_tracking_run(request: Ask, ref: Ref, data: JSONBody[TrackingRunChange]) -> TrackingRunView:
    """Rename, delete, restore or tag a tracking run."""
    run = await request.look(lambda shelf: shelf.reader.find_tracking_run(ref))
    if data.name or data.state is not None:
        await request.do(ChangeTracking(run=run.id, name=data.name, state=data.state))
    if data.tags:
        await request.do(LogBatch(run=run.id, tags=data.tags))
    return tracking_run_view(await request.look(lambda shelf: shelf.reader.find_tracking_run(run.id)))


@read_at("/api/tracking-runs/{ref:str}/history")
async def metric_history(request: Ask, ref: Ref, key: Key, most: Most = 1000) -> list[PointView]:
    """Give the values of a metric by step; of more than `most` the least and greatest of equal parts."""
    found = await request.look(
        lambda shelf: shelf.reader.metric_history(shelf.reader.find_tracking_run(ref).id, key, most=most)
    )
    return point_views(found)


@read_at("/api/tracking-runs/{ref:str}/files")
async def list_files(
    request: Ask,
    ref: Ref,
    under: Annotated[str, QueryParameter(max_length=1024, description="Those below this folder.")] = "",
    limit: Limit = 100,
    after: Annotated[str, QueryParameter(max_length=1024, description="`next` of the page before.")] = "",
) -> Page[FileView]:
    """List the files of a tracking run by path."""
    found = await request.look(
        lambda shelf: shelf.reader.tracked_files(
            shelf.reader.find_tracking_run(ref).id, under=under, after=after, limit=limit + 1
        )
    )
    return page(file_views(found), limit, lambda one: one.path)


@read_at("/api/tracking-runs/{ref:str}/inputs")
async def list_inputs(request: Ask, ref: Ref) -> list[InputView]:
    """List the versions of data that a tracking run used."""
    found = await request.look(lambda shelf: shelf.reader.tracked_inputs(shelf.reader.find_tracking_run(ref).id))
    return input_views(found)


@read_at("/api/runs/{run_id:str}/tracking-runs")
async def list_tracking_runs_of(request: Ask, run_id: Ref, limit: Limit = 100) -> list[TrackingRunView]:
    """List the tracking runs made in a flow run, in the order of their task runs."""
    found = await request.look(
        lambda shelf: shelf.reader.tracking_runs_of(shelf.reader.find_run(run_id).id, limit=limit)
    )
    return [tracking_run_view(run) for run in found]


HANDLERS: Final = (
    list_experiments,
    create_experiment,
    show_experiment,
    change_experiment,
    search_tracking_runs,
    show_tracking_run,
    change_tracking_run,
    metric_history,
    list_files,
    list_inputs,
    list_tracking_runs_of,
)
