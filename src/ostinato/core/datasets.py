"""Versions of data: their events, their profiles, and how two of them differ.

A version is named by the hash of its content. Its profile counts each column over cells that are fixed: those of
another part of the data, counted over the same cells, are added to it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate, pairwise
from math import inf, log, sqrt
from typing import Final, Literal, TypeAlias

import msgspec

N_BINS: Final = 128
"""Quantile bins of a column of numbers; as many categories of one of words are counted apart."""
N_GROUPS: Final = 10
"""Parts of about equal weight that the stability index of numbers compares."""
LEAST_SHARE: Final = 1e-4
"""What the stability index takes for the share of a part in which nothing is."""
OUTER: Final = 0.01
"""Share of the values at either end that a histogram does not widen itself for."""

LinkKind: TypeAlias = Literal["flow-run", "task-run", "tracking-run"]


class Field(msgspec.Struct, frozen=True, array_like=True):
    """A column: its name and its type, in Arrow's words."""

    name: str
    type: str


# --- profiles


class Numbers(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """Counts and moments of a column of numbers; instants count as UTC microseconds, infinities as beyond all edges."""

    name: str
    n: int
    """Rows, those without a value too."""
    n_missing: int
    edges: tuple[float, ...]
    """Ascending values of the data, at its quantiles."""
    counts: tuple[int, ...]
    """Below the first edge, at it, between it and the second, at the second, ..., above the last: 2 * n_edges + 1."""
    n_finite: int
    """Values that are no infinities: what the moments are of."""
    mean: float = 0.0
    squares: float = 0.0
    """Sum of their squared distances from the mean."""
    least: float = inf
    most: float = -inf

    @property
    def deviation(self) -> float:
        """Standard deviation; 0 without values."""
        return sqrt(self.squares / self.n_finite) if self.n_finite else 0.0

    @property
    def median(self) -> float:
        """Least edge below which, or at which, lies half of the values; 0 without edges."""
        up_to = list(accumulate(self.counts))[1::2]
        return self.edges[min(bisect_left(up_to, sum(self.counts) / 2), len(up_to) - 1)] if up_to else 0.0


class Categories(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """Counts of a column of words: the most frequent ones apart, the others together."""

    name: str
    n: int
    """Rows, those without a value too."""
    n_missing: int
    values: tuple[str, ...]
    counts: tuple[int, ...]
    n_other: int


ColumnProfile: TypeAlias = Numbers | Categories


class Profile(msgspec.Struct, frozen=True, array_like=True):
    """What is in a table, column by column."""

    n_rows: int
    columns: tuple[ColumnProfile, ...]


def merged(one: Profile, other: Profile) -> Profile:
    """Give the profile of two parts of the data that were counted over the same cells.

    Raises:
        ValueError: their columns or cells differ.
    """
    columns = tuple(_added(a, b) for a, b in zip(one.columns, other.columns, strict=True))
    return Profile(one.n_rows + other.n_rows, columns)


def _added(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    n, n_missing = a.n + b.n, a.n_missing + b.n_missing
    if isinstance(a, Numbers) and isinstance(b, Numbers) and (a.name, a.edges) == (b.name, b.edges):
        weight = max(a.n_finite + b.n_finite, 1)
        apart = b.mean - a.mean
        return Numbers(
            a.name,
            n,
            n_missing,
            a.edges,
            tuple(map(sum, zip(a.counts, b.counts, strict=True))),
            a.n_finite + b.n_finite,
            # Chan, Golub, LeVeque (1979), equation 2.1.
            (a.mean * a.n_finite + b.mean * b.n_finite) / weight,
            a.squares + b.squares + apart * apart * a.n_finite * b.n_finite / weight,
            min(a.least, b.least),
            max(a.most, b.most),
        )
    if isinstance(a, Categories) and isinstance(b, Categories) and (a.name, a.values) == (b.name, b.values):
        counts = tuple(map(sum, zip(a.counts, b.counts, strict=True)))
        return Categories(a.name, n, n_missing, a.values, counts, a.n_other + b.n_other)
    message = f"the cells of column {a.name!r} differ from those of {b.name!r}"
    raise ValueError(message)


def histogram(column: Numbers, n_bars: int) -> tuple[float | None, float | None, list[float]]:
    """Give begin, end and counts of bars of equal width; between two edges values count as spread evenly.

    The outer hundredths are in the first and the last bar, so that a single far value does not hide the others.

    Example:
        >>> column = Numbers("x", 4, 0, (0.0, 10.0), (0, 1, 2, 1, 0), 4)
        >>> histogram(column, 2)
        (0.0, 10.0, [2.0, 2.0])
    """
    total = sum(column.counts)
    if not (column.edges and total):
        return None, None, []
    up_to = list(accumulate(column.counts))[1::2]
    last = len(up_to) - 1
    begin, end = (column.edges[min(bisect_left(up_to, total * part), last)] for part in (OUTER, 1 - OUTER))
    width = (end - begin) / n_bars
    if not 0 < width < inf:
        return begin, end, [float(total)]
    cuts = [_below(column, begin + width * number) for number in range(1, n_bars)]
    return begin, end, [b - a for a, b in pairwise((0.0, *cuts, float(total)))]


# --- how two versions differ


def stability_index(reference: ColumnProfile, other: ColumnProfile) -> float | None:
    """Give the population stability index of the values of a column; None when there is nothing to compare.

    Missing values do not count: their share is told apart. About 0.1 is usually called a change, 0.25 a large one.

    Source: Siddiqi, Credit Risk Scorecards (2006), chapter 11.
    """
    if isinstance(reference, Numbers) and isinstance(other, Numbers):
        shares = _shares_of_numbers(reference, other)
    elif isinstance(reference, Categories) and isinstance(other, Categories):
        shares = _shares_of_categories(reference, other)
    else:
        return None
    if shares is None:
        return None
    floored = ((max(p, LEAST_SHARE), max(q, LEAST_SHARE)) for p, q in shares)
    return sum((q - p) * log(q / p) for p, q in floored)


Shares: TypeAlias = "list[tuple[float, float]] | None"
"""Of each part of the values: the share in the reference and in the other."""


def _shares_of_numbers(reference: Numbers, other: Numbers) -> Shares:
    if not (reference.n_finite and other.n_finite):
        return None
    bounds = _bounds(reference)
    if bounds:
        parts = [[_below(one, bound) for bound in bounds] for one in (reference, other)]
    else:  # all values of the reference are one
        (value,) = reference.edges[:1]
        parts = [[_below(one, value), _up_to(one, value)] for one in (reference, other)]
    shares = [
        [(b - a) / sum(one.counts) for a, b in pairwise((0.0, *cut, float(sum(one.counts))))]
        for one, cut in zip((reference, other), parts, strict=True)
    ]
    return list(zip(*shares, strict=True))


def _bounds(column: Numbers) -> list[float]:
    """Give the edges at which parts of about equal weight begin."""
    up_to = list(accumulate(column.counts))[1::2]
    found = {bisect_left(up_to, up_to[-1] * number / N_GROUPS) for number in range(1, N_GROUPS)}
    edges = [column.edges[at] for at in sorted(found)]
    return [edge for edge in edges if 0 < _below(column, edge) < up_to[-1]]


def _up_to(column: Numbers, value: float) -> float:
    """Give how many values are at most this; between two edges they count as spread evenly."""
    edges, counts = column.edges, column.counts
    at = bisect_left(edges, value)
    if at < len(edges) and edges[at] == value:
        return float(sum(counts[: 2 * at + 2]))
    return _below(column, value)


def _below(column: Numbers, value: float) -> float:
    """Give how many values are less than this."""
    edges, counts = column.edges, column.counts
    at = bisect_left(edges, value)
    below = float(sum(counts[: 2 * at]))
    if at == 0 or at == len(edges):
        return below + (counts[0] if at == 0 else 0)
    return below + counts[2 * at] * (value - edges[at - 1]) / (edges[at] - edges[at - 1])


def _shares_of_categories(reference: Categories, other: Categories) -> Shares:
    n_reference, n_other = (one.n - one.n_missing for one in (reference, other))
    if not (n_reference and n_other):
        return None
    counted = dict(zip(other.values, other.counts, strict=True))
    shares = [
        (count / n_reference, counted.get(value, 0) / n_other)
        for value, count in zip(reference.values, reference.counts, strict=True)
    ]
    rest = 1 - sum(share for _, share in shares)
    return [*shares, (reference.n_other / n_reference, max(rest, 0.0))] if reference.n_other or rest > 0 else shares


class Retyped(msgspec.Struct, frozen=True, kw_only=True):
    """A column whose type is another."""

    name: str
    before: str
    after: str


class ColumnChange(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of a column that both versions have differ."""

    name: str
    psi: float | None
    """Population stability index of the values; None when there are none, or of another kind."""
    missing_before: float
    """Share of the rows without a value."""
    missing_after: float
    mean_before: float | None
    """None where the values are no numbers."""
    mean_after: float | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How a version of data differs from an earlier one."""

    before: str
    """Digest."""
    after: str
    n_rows_before: int | None
    n_rows_after: int | None
    added: tuple[Field, ...]
    removed: tuple[Field, ...]
    retyped: tuple[Retyped, ...]
    columns: tuple[ColumnChange, ...]
    """In the order of the earlier version."""


def difference(before: DataVersion, after: DataVersion) -> Difference:
    """Give how one version of data differs from another."""
    old, new = ({field.name: field for field in one.schema} for one in (before, after))
    return Difference(
        before=before.digest,
        after=after.digest,
        n_rows_before=before.n_rows,
        n_rows_after=after.n_rows,
        added=tuple(field for name, field in new.items() if name not in old),
        removed=tuple(field for name, field in old.items() if name not in new),
        retyped=tuple(
            Retyped(name=name, before=field.type, after=new[name].type)
            for name, field in old.items()
            if name in new and new[name].type != field.type
        ),
        columns=_changes(before.profile, after.profile),
    )


def _changes(before: Profile | None, after: Profile | None) -> tuple[ColumnChange, ...]:
    if before is None or after is None:
        return ()
    new = {column.name: column for column in after.columns}
    return tuple(_change(column, new[column.name]) for column in before.columns if column.name in new)


def _change(before: ColumnProfile, after: ColumnProfile) -> ColumnChange:
    return ColumnChange(
        name=before.name,
        psi=stability_index(before, after),
        missing_before=before.n_missing / max(before.n, 1),
        missing_after=after.n_missing / max(after.n, 1),
        mean_before=_mean(before),
        mean_after=_mean(after),
    )


def _mean(column: ColumnProfile) -> float | None:
    return column.mean if isinstance(column, Numbers) and column.n_finite else None


# --- events


class DatasetSeen(msgspec.Struct, frozen=True, array_like=True, tag="ds"):
    """There is a version of data; nothing happens when one of this digest is known."""

    digest: str
    at: int
    name: str
    source: str
    """Path it was read from; empty for a table in memory."""
    schema: tuple[Field, ...]
    n_rows: int | None
    """None when it is no table."""
    n_bytes: int
    profile: Profile | None
    actor: str = ""


class DatasetUsed(msgspec.Struct, frozen=True, array_like=True, tag="du"):
    """A run read a version of data."""

    digest: str
    at: int
    name: str
    """As this run calls it."""
    flow_run_id: str
    root_id: str
    """The outermost run of that run."""
    task_no: int
    """0 in the body of the flow."""
    context: str = ""
    """What for: training, validation, ..."""


DatasetEvent: TypeAlias = DatasetSeen | DatasetUsed


# --- what reading gives


class DataVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of data."""

    digest: str
    """BLAKE2b-128 of the content, hex."""
    name: str
    """As it was first called."""
    source: str
    schema: tuple[Field, ...]
    n_rows: int | None
    n_bytes: int
    created_at: int
    profile: Profile | None = None
    """Left out in lists."""

    @property
    def place(self) -> str:
        """Where it stands in lists."""
        return f"{self.created_at}/{self.digest}"


class DataLink(msgspec.Struct, frozen=True, kw_only=True):
    """Who used a version of data."""

    digest: str
    kind: LinkKind
    ref: str
    """Id of the run; of a task run `<flow run>/<number>`."""
    name: str
    context: str
    at: int
