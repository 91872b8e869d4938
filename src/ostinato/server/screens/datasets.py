"""Pages of data: the names of data, and one version with what is in it, who used it, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ostinato.core.data_views import DatasetView, dataset_view, profiled_view
from ostinato.core.datasets import Numbers, histogram
from ostinato.core.errors import DatasetNotFound
from ostinato.core.registry import Stage
from ostinato.core.views import instant, maybe
from ostinato.server.doors import After, Ask, Limit, Ref, page, read_at
from ostinato.store import datasets, lineage, registry

if TYPE_CHECKING:
    from ostinato.core.data_views import ColumnView
    from ostinato.core.datasets import ColumnProfile, DataVersion
    from ostinato.server.office import Shelf
    from ostinato.store.database import Connection

N_BARS: Final = 24
MOST_COLUMNS: Final = 300
N_USERS: Final = 100
N_MODELS: Final = 100


class NameRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name of data, with the version that was last called so."""

    name: str
    n_versions: int
    """At most 1,000 are counted."""
    digest: str
    source: str | None
    n_rows: int | None
    n_bytes: int | None
    at: datetime | None
    """When it was last called so."""


class NamesScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The names of data."""

    items: list[NameRow]
    next: str | None


class ColumnRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a column, small enough to be drawn."""

    name: str
    type: str
    n: int
    n_missing: int
    mean: float | None = None
    deviation: float | None = None
    least: float | None = None
    median: float | None = None
    most: float | None = None
    begin: float | None = None
    """Where the first bar begins; null for words."""
    end: float | None = None
    bars: list[float] = []
    """Rows in each bar: of numbers in parts of equal width, of words of each of the most frequent ones."""
    words: list[str] = []
    n_other: int = 0


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run that used a version of data."""

    kind: Literal["flow-run", "tracking-run"]
    run_id: str
    name: str
    """Empty when the run is gone."""
    where: str
    """Its flow, or its experiment."""
    context: str
    at: datetime


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model that the data went into."""

    name: str
    version: int
    stage: Stage
    aliases: tuple[str, ...]
    context: str
    run_id: str
    """Tracking run that made it."""
    flow_run_id: str
    """Flow run that registered it."""
    via: Literal["tracking-run", "flow-run"]


class DatasetScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One version of data."""

    digest: str
    version: DatasetView | None
    """Null for data that only a client of MLflow has seen, and named."""
    columns: list[ColumnRow]
    n_columns: int
    has_profile: bool
    users: list[UserRow]
    models: list[ModelRow]


@read_at("/api/ui/datasets")
async def names_screen(request: Ask, limit: Limit = 100, after: After = "") -> NamesScreen:
    """Give the names of data, each with its newest version."""

    def ask(shelf: Shelf) -> NamesScreen:
        rows = datasets.names(shelf.db, after=after, limit=limit + 1)
        found = page([_name(*row) for row in rows], limit, lambda one: one.name)
        return NamesScreen(items=found.items, next=found.next)

    return await request.look(ask)


@read_at("/api/ui/datasets/{ref:str}")
async def dataset_screen(request: Ask, ref: Ref) -> DatasetScreen:
    """Give the page of a version of data, by digest, unique beginning of one, or name."""
    return await request.look(lambda shelf: _dataset(shelf.db, ref))


def _name(
    name: str, n: int, digest: str, source: str | None, n_rows: int | None, n_bytes: int | None, at: int | None
) -> NameRow:
    return NameRow(
        name=name, n_versions=n, digest=digest, source=source or None, n_rows=n_rows, n_bytes=n_bytes, at=maybe(at)
    )


def _dataset(db: Connection, ref: str) -> DatasetScreen:
    version: DataVersion | None = None
    try:
        version = datasets.find_dataset(db, ref)
    except DatasetNotFound:
        if not datasets.users(db, ref, limit=1):
            raise
    digest = ref if version is None else version.digest
    columns = () if version is None or version.profile is None else version.profile.columns
    return DatasetScreen(
        digest=digest,
        version=None if version is None else dataset_view(version),
        columns=_columns(version) if version is not None else [],
        n_columns=max(len(columns), len(version.schema) if version is not None else 0),
        has_profile=version is not None and version.profile is not None,
        users=[
            UserRow(kind=kind, run_id=run_id, name=name, where=where, context=context, at=instant(at))
            for kind, run_id, name, where, context, at in datasets.users(db, digest, limit=N_USERS)
        ],
        models=_models(db, digest),
    )


def _columns(version: DataVersion) -> list[ColumnRow]:
    """Give the first columns with their profiles, or with their types alone."""
    types = {field.name: field.type for field in version.schema}
    if version.profile is None:
        return [ColumnRow(name=name, type=kind, n=0, n_missing=0) for name, kind in list(types.items())[:MOST_COLUMNS]]
    pairs = zip(profiled_view(version).columns, version.profile.columns, strict=True)
    return [_column(view, column, types.get(view.name, "")) for view, column in list(pairs)[:MOST_COLUMNS]]


def _column(view: ColumnView, column: ColumnProfile, kind: str) -> ColumnRow:
    if isinstance(column, Numbers):
        begin, end, bars = histogram(column, N_BARS)
        return ColumnRow(
            name=view.name, type=kind, n=view.n, n_missing=view.n_missing, mean=view.mean, deviation=view.deviation,
            least=view.least, median=view.median, most=view.most, begin=begin, end=end, bars=bars,
        )  # fmt: skip
    rest = sum(view.counts[N_BARS:])
    return ColumnRow(
        name=view.name, type=kind, n=view.n, n_missing=view.n_missing, n_other=view.n_other + rest,
        bars=[float(count) for count in view.counts[:N_BARS]], words=list(view.values[:N_BARS]),
    )  # fmt: skip


def _models(db: Connection, digest: str) -> list[ModelRow]:
    try:
        found = lineage.models_from_data(db, digest)[:N_MODELS]
    except DatasetNotFound:
        return []
    known = {
        (one.name, one.version): one for one in registry.some_versions(db, [(one.name, one.version) for one in found])
    }
    rows = []
    for one in found:
        version = known.get((one.name, one.version))
        rows.append(
            ModelRow(
                name=one.name,
                version=one.version,
                stage=one.stage,
                aliases=version.aliases if version is not None else (),
                context=one.context,
                run_id=one.run_id,
                flow_run_id=version.flow_run_id if version is not None else "",
                via=one.via,
            )
        )
    return rows


HANDLERS: Final = (names_screen, dataset_screen)
