"""Versions of data as people and programs get them from the API: plain names, aware instants."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from ostinato.core.datasets import ColumnChange, Difference, LinkKind, Numbers, Retyped
from ostinato.core.views import instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.datasets import ColumnProfile, DataLink, DataVersion, Field


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its name and its type, in Arrow's words."""

    name: str
    type: str


class ColumnView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in a column: counts over bins of numbers, or of the most frequent words."""

    name: str
    n: int
    n_missing: int
    mean: float | None = None
    deviation: float | None = None
    least: float | None = None
    median: float | None = None
    most: float | None = None
    edges: tuple[float, ...] = ()
    """Values at the quantiles of a column of numbers."""
    values: tuple[str, ...] = ()
    """The most frequent words."""
    counts: tuple[int, ...] = ()
    """Of words: of each. Of numbers: below the first edge, at it, between it and the second, ..., above the last."""
    n_other: int = 0
    """Words that are not counted apart."""


class DatasetView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data."""

    digest: str
    name: str
    source: str | None
    n_rows: int | None
    n_bytes: int
    created_at: datetime
    schema: tuple[FieldView, ...]


class ProfiledView(DatasetView, frozen=True, kw_only=True):
    """A version of data, with what is in its columns."""

    columns: tuple[ColumnView, ...]


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A run that used a version of data."""

    kind: LinkKind
    ref: str
    digest: str
    name: str
    context: str | None
    at: datetime


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """How a version of data differs from an earlier one."""

    before: str
    after: str
    n_rows_before: int | None
    n_rows_after: int | None
    added: tuple[FieldView, ...]
    removed: tuple[FieldView, ...]
    retyped: tuple[Retyped, ...]
    columns: tuple[ColumnChange, ...]


def dataset_view(one: DataVersion) -> DatasetView:
    """Give a version of data."""
    return DatasetView(
        digest=one.digest,
        name=one.name,
        source=one.source or None,
        n_rows=one.n_rows,
        n_bytes=one.n_bytes,
        created_at=instant(one.created_at),
        schema=_fields(one.schema),
    )


def profiled_view(one: DataVersion) -> ProfiledView:
    """Give a version of data with its profile."""
    plain = dataset_view(one)
    columns = () if one.profile is None else tuple(map(_column, one.profile.columns))
    return ProfiledView(**{name: getattr(plain, name) for name in plain.__struct_fields__}, columns=columns)


def link_view(one: DataLink) -> LinkView:
    """Give a run that used a version of data."""
    return LinkView(
        kind=one.kind, ref=one.ref, digest=one.digest, name=one.name, context=one.context or None, at=instant(one.at)
    )


def difference_view(one: Difference) -> DifferenceView:
    """Give how two versions of data differ."""
    return DifferenceView(
        before=one.before,
        after=one.after,
        n_rows_before=one.n_rows_before,
        n_rows_after=one.n_rows_after,
        added=_fields(one.added),
        removed=_fields(one.removed),
        retyped=one.retyped,
        columns=one.columns,
    )


def _fields(fields: Iterable[Field]) -> tuple[FieldView, ...]:
    return tuple(FieldView(name=field.name, type=field.type) for field in fields)


def _column(one: ColumnProfile) -> ColumnView:
    if isinstance(one, Numbers):
        return ColumnView(
            name=one.name,
            n=one.n,
            n_missing=one.n_missing,
            mean=_told(one, one.mean),
            deviation=_told(one, one.deviation),
            least=_told(one, one.least),
            median=_told(one, one.median),
            most=_told(one, one.most),
            edges=one.edges,
            counts=one.counts,
        )
    return ColumnView(
        name=one.name, n=one.n, n_missing=one.n_missing, values=one.values, counts=one.counts, n_other=one.n_other
    )


def _told(column: Numbers, moment: float) -> float | None:
    return moment if column.n_finite and isfinite(moment) else None
