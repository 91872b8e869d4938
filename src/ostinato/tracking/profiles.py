"""Profiles of tables: what is in each column, counted over cells that the data itself gives, or another profile.

All rows of a table in memory give the cells; of a longer one every k-th row does, and then all rows are counted.
"""

from __future__ import annotations

from functools import reduce
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.datasets import N_BINS, Categories, Numbers, Profile, merged
from ostinato.tracking.fingerprints import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostinato.core.datasets import ColumnProfile

MOST_SAMPLED: Final = 1 << 20
"""Rows that give the cells."""
MOST_COLUMNS: Final = 1000
"""Columns of a table that are counted."""
MOST_CHARS: Final = 200
"""Longer words are no categories of their own."""


def profile(table: Any, like: Profile | None = None) -> Profile:
    """Give the profile of a table of pyarrow, over the cells of `like` for the columns that it has."""
    known = {column.name: column for column in like.columns} if like is not None else {}
    pairs = list(zip(table.column_names, table.columns, strict=True))[:MOST_COLUMNS]
    return Profile(table.num_rows, tuple(_column(name, values, known.get(name)) for name, values in pairs))


def profile_parts(parts: Callable[[], Iterable[Any]], n_rows: int) -> Profile:
    """Give the profile of a table of so many rows that comes in parts, as often as it is asked for."""
    if n_rows <= MOST_SAMPLED:
        return profile(import_module("pyarrow").concat_tables(parts()))
    cells = profile(_sample(parts(), ceil(n_rows / MOST_SAMPLED)))
    return reduce(merged, (profile(part, cells) for part in parts()))


def _sample(parts: Iterable[Any], every: int) -> Any:
    """Give every k-th row."""
    arrow: Any = import_module("pyarrow")
    numpy: Any = import_module("numpy")
    taken, at = [], 0
    for part in parts:
        taken.append(part.take(arrow.array(numpy.arange(-at % every, part.num_rows, every))))
        at += part.num_rows
    return arrow.concat_tables(taken)


def _column(name: str, values: Any, like: ColumnProfile | None) -> ColumnProfile:
    arrow: Any = import_module("pyarrow")
    doubles = _doubles(arrow, values)
    if doubles is not None:
        return _numbers(name, doubles, len(values), like.edges if isinstance(like, Numbers) else None)
    return _categories(name, values, like if isinstance(like, Categories) else None)


# --- numbers


def _doubles(arrow: Any, values: Any) -> Any:
    """Give the values of a column of numbers or instants that are there, None of another column."""
    kind, types = values.type, arrow.types
    if types.is_date(kind) or types.is_timestamp(kind):
        values = values.cast(arrow.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(arrow.int64())
    elif types.is_duration(kind):
        values = values.cast(arrow.duration("us"), safe=False).cast(arrow.int64())
    elif types.is_time(kind):
        values = values.cast(arrow.time64("us"), safe=False).cast(arrow.int64())
    elif types.is_decimal(kind):
        values = values.cast(arrow.float64())
    elif not (types.is_integer(kind) or types.is_floating(kind)):
        return None
    if values.null_count:
        values = values.drop_null()
    return values.to_numpy().astype("float64", copy=False)


def _numbers(name: str, values: Any, n: int, edges: Any) -> Numbers:
    numpy: Any = import_module("numpy")
    values = numpy.sort(values)
    values = values[: numpy.searchsorted(values, numpy.inf, "right")]  # NaN comes last
    begin, end = numpy.searchsorted(values, -numpy.inf, "right"), numpy.searchsorted(values, numpy.inf, "left")
    finite = values[begin:end]
    if edges is None:
        edges = _quantiles(numpy, finite)
    bounds = numpy.empty(2 * len(edges) + 2, "int64")
    bounds[0], bounds[-1] = 0, len(values)
    bounds[1:-1:2] = numpy.searchsorted(values, edges, "left")
    bounds[2:-1:2] = numpy.searchsorted(values, edges, "right")
    counts = tuple(numpy.diff(bounds).tolist())
    if not len(finite):
        return Numbers(name, n, n - len(values), tuple(edges), counts, 0)
    with numpy.errstate(over="ignore", invalid="ignore"):  # of the largest doubles
        mean = finite.mean()
        apart = finite - mean
        squares = apart @ apart
    moments = (len(finite), float(mean), float(squares), float(finite[0]), float(finite[-1]))
    return Numbers(name, n, n - len(values), tuple(map(float, edges)), counts, *moments)


def _quantiles(numpy: Any, ascending: Any) -> Any:
    """Give values at even ranks, the least and the greatest too; all values when they are few."""
    if not len(ascending):
        return ascending
    begins = numpy.flatnonzero(ascending[1:] != ascending[:-1])
    if len(begins) < N_BINS:
        return ascending[numpy.concatenate(([0], begins + 1))]
    ranks = numpy.rint(numpy.linspace(0, len(ascending) - 1, N_BINS + 1)).astype("int64")
    return numpy.unique(ascending[ranks])


# --- words


def _categories(name: str, values: Any, like: Categories | None) -> Categories:
    arrow: Any = import_module("pyarrow")
    types = arrow.types
    n, n_missing = len(values), values.null_count
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if types.is_boolean(values.type):
        values = values.cast(arrow.string())
    if type_name(values.type) != "string":
        return Categories(name, n, n_missing, (), (), n - n_missing)
    counted = values.value_counts()
    if like is None:
        found = _most_frequent(arrow, counted)
    else:
        among = arrow.compute.is_in(counted.field("values"), arrow.array(like.values, values.type))
        there = {one["values"]: one["counts"] for one in counted.filter(among).to_pylist()}
        found = [(value, there.get(value, 0)) for value in like.values]
    kept = tuple(count for _, count in found)
    return Categories(name, n, n_missing, tuple(value for value, _ in found), kept, n - n_missing - sum(kept))


def _most_frequent(arrow: Any, counted: Any) -> list[tuple[str, int]]:
    """Give the most frequent words, of equally frequent ones the first in their order."""
    compute: Any = import_module("pyarrow.compute")
    lengths = compute.fill_null(compute.utf8_length(counted.field("values")), MOST_CHARS + 1)
    words = counted.filter(compute.less_equal(lengths, MOST_CHARS))
    table = arrow.table({"value": words.field("values"), "count": words.field("counts")})
    order = compute.select_k_unstable(table, N_BINS, [("count", "descending"), ("value", "ascending")])
    return [(one["value"], one["count"]) for one in table.take(order).to_pylist()]
