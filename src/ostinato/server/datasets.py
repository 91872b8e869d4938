"""Versions of data over the public API: list, look at, compare, and who used them."""

from __future__ import annotations

from typing import Annotated, Final

from litestar.params import QueryParameter

from ostinato.core.data_views import (
    DatasetView,
    DifferenceView,
    LinkView,
    ProfiledView,
    dataset_view,
    difference_view,
    link_view,
    profiled_view,
)
from ostinato.core.datasets import difference
from ostinato.server.doors import After, Ask, Limit, Page, Ref, read_at

Name = Annotated[str, QueryParameter(max_length=200, description="Those of this name.")]


@read_at("/api/datasets")
async def list_datasets(request: Ask, name: Name = "", limit: Limit = 50, after: After = "") -> Page[DatasetView]:
    """List versions of data, the newest first."""
    found = await request.look(lambda shelf: shelf.reader.datasets(name=name, after=after, limit=limit + 1))
    more = found[limit - 1].place if len(found) > limit else None
    return Page(items=[dataset_view(one) for one in found[:limit]], next=more)


@read_at("/api/datasets/{ref:str}")
async def show_dataset(request: Ask, ref: Ref) -> ProfiledView:
    """Give a version of data by digest, unique beginning of one, or name (the newest), with its profile."""
    return profiled_view(await request.look(lambda shelf: shelf.reader.find_dataset(ref)))


@read_at("/api/datasets/{ref:str}/links")
async def list_dataset_links(request: Ask, ref: Ref, limit: Limit = 100) -> list[LinkView]:
    """List the flow runs, task runs and tracking runs that used a version of data, the newest first."""
    found = await request.look(
        lambda shelf: shelf.reader.dataset_links(shelf.reader.find_dataset(ref).digest, limit=limit)
    )
    return [link_view(one) for one in found]


@read_at("/api/datasets/{ref:str}/diff/{other:str}")
async def compare_datasets(request: Ask, ref: Ref, other: Ref) -> DifferenceView:
    """Give how a version of data (`other`) differs from another one: columns, rows, drift of each column."""
    found = await request.look(
        lambda shelf: difference(shelf.reader.find_dataset(ref), shelf.reader.find_dataset(other))
    )
    return difference_view(found)


@read_at("/api/runs/{ref:str}/datasets")
async def list_run_datasets(request: Ask, ref: Ref) -> list[LinkView]:
    """List the versions of data that a run read, and its subflow runs when it is the outermost one."""
    found = await request.look(lambda shelf: shelf.reader.datasets_of_run(shelf.reader.find_run(ref).id))
    return [link_view(one) for one in found]


HANDLERS: Final = (list_datasets, show_dataset, list_dataset_links, compare_datasets, list_run_datasets)
