"""Versions of data: profiles add up, the stability index is what its formula says, differences are named."""

from __future__ import annotations

from math import log

import pytest

from ostinato.core.datasets import (
    Categories,
    ColumnProfile,
    DataVersion,
    Field,
    Numbers,
    Profile,
    difference,
    histogram,
    merged,
    stability_index,
)


def numbers(
    edges: tuple[float, ...], counts: tuple[int, ...], *, name: str = "x", n_missing: int = 0, mean: float = 0.0
) -> Numbers:
    n = sum(counts)
    return Numbers(name, n + n_missing, n_missing, edges, counts, n, mean)


def words(counts: dict[str, int], *, n_other: int = 0, n_missing: int = 0) -> Categories:
    n = sum(counts.values()) + n_other + n_missing
    return Categories("word", n, n_missing, tuple(counts), tuple(counts.values()), n_other)


def version(digest: str, schema: tuple[Field, ...], *columns: ColumnProfile, n_rows: int = 10) -> DataVersion:
    return DataVersion(
        digest=digest,
        name="rides",
        source="",
        schema=schema,
        n_rows=n_rows,
        n_bytes=1,
        created_at=0,
        profile=Profile(n_rows, columns),
    )


def test_two_parts_counted_over_the_same_cells_add_up() -> None:
    one = Numbers("x", 4, 1, (1.0, 3.0), (0, 1, 1, 1, 0), 3, 2.0, 2.0, 1.0, 3.0)  # 1, 2, 3
    two = Numbers("x", 2, 0, (1.0, 3.0), (0, 0, 0, 0, 2), 2, 5.0, 2.0, 4.0, 6.0)  # 4, 6
    both = merged(Profile(4, (one,)), Profile(2, (two,)))
    assert both.n_rows == 6
    (column,) = both.columns
    assert isinstance(column, Numbers)
    assert (column.n, column.n_missing, column.counts) == (6, 1, (0, 1, 1, 1, 2))
    assert column.mean == pytest.approx(3.2)
    assert column.squares == pytest.approx(sum((x - 3.2) ** 2 for x in (1, 2, 3, 4, 6)))
    assert (column.least, column.most) == (1.0, 6.0)


def test_parts_counted_over_other_cells_do_not() -> None:
    one, two = (Profile(2, (numbers(edges, (0, 1, 0, 1, 0)),)) for edges in ((1.0, 2.0), (1.0, 3.0)))
    with pytest.raises(ValueError, match="cells of column 'x' differ"):
        merged(one, two)


def test_the_index_of_categories_is_the_sum_over_their_shares() -> None:
    index = stability_index(words({"a": 50, "b": 50}), words({"a": 80, "b": 20}))
    assert index == pytest.approx((0.8 - 0.5) * log(0.8 / 0.5) + (0.2 - 0.5) * log(0.2 / 0.5))


def test_a_category_that_is_new_counts_among_the_others() -> None:
    index = stability_index(words({"a": 100}), words({"a": 50, "c": 50}))
    assert index == pytest.approx((0.5 - 1) * log(0.5) + (0.5 - 1e-4) * log(0.5 / 1e-4))


def test_the_index_of_numbers_compares_the_same_intervals_whatever_the_edges() -> None:
    reference = numbers((0.0, 5.0, 10.0), (0, 0, 50, 0, 50, 0, 0))
    other = numbers((0.0, 2.5, 10.0), (0, 0, 50, 0, 50, 0, 0))  # a third of the upper half lies below 5
    share = 0.5 + 0.5 * 2.5 / 7.5
    expected = (share - 0.5) * log(share / 0.5) + ((1 - share) - 0.5) * log((1 - share) / 0.5)
    assert stability_index(reference, other) == pytest.approx(expected)


def test_a_constant_that_becomes_another_is_seen() -> None:
    index = stability_index(numbers((7.0,), (0, 100, 0)), numbers((8.0,), (0, 100, 0)))
    assert index is not None
    assert index > 1


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        (numbers((), (0,)), numbers((1.0,), (0, 1, 0))),
        (numbers((1.0,), (0, 1, 0)), numbers((), (5,))),
        (words({}), words({"a": 1})),
        (words({"a": 1}), numbers((1.0,), (0, 1, 0))),
    ],
)
def test_without_values_or_with_another_kind_there_is_no_index(reference: ColumnProfile, other: ColumnProfile) -> None:
    if isinstance(other, Numbers) and not other.edges:
        other = Numbers("x", 5, 0, (), (5,), 0)  # infinities only
    assert stability_index(reference, other) is None


def test_equal_columns_have_an_index_of_zero() -> None:
    column = numbers((0.0, 1.0, 2.0), (0, 10, 20, 30, 5, 1, 0))
    assert stability_index(column, column) == pytest.approx(0)


def test_a_difference_names_columns_that_came_went_and_changed() -> None:
    before = version(
        "a", (Field("miles", "double"), Field("fee", "double"), Field("zone", "int64")), numbers((1.0,), (0, 8, 0))
    )
    after = version(
        "b",
        (Field("miles", "double"), Field("zone", "int32"), Field("airport", "double")),
        numbers((1.0,), (0, 6, 0), n_missing=2),
        n_rows=8,
    )
    found = difference(before, after)
    assert [one.name for one in found.added] == ["airport"]
    assert [one.name for one in found.removed] == ["fee"]
    assert [(one.name, one.before, one.after) for one in found.retyped] == [("zone", "int64", "int32")]
    assert (found.n_rows_before, found.n_rows_after) == (10, 8)
    (change,) = found.columns
    assert (change.name, change.psi, change.missing_before, change.missing_after) == ("x", 0, 0, 0.25)


def test_a_histogram_has_every_row_and_is_not_widened_by_one_far_value() -> None:
    column = numbers((0.0, 5.0, 10.0, 1e6), (0, 100, 300, 100, 300, 199, 0, 1, 0))
    begin, end, bars = histogram(column, 4)
    assert (begin, end) == (0.0, 10.0)
    assert sum(bars) == 1000
    assert bars == [250.0, 150.0, 250.0, 350.0]
    assert histogram(numbers((2.0,), (0, 7, 0)), 4) == (2.0, 2.0, [7.0])
    assert histogram(numbers((), (0,)), 4) == (None, None, [])
    huge = numbers((-1.7e308, 1.7e308), (0, 5, 0, 5, 0))
    assert histogram(huge, 4) == (-1.7e308, 1.7e308, [10.0])
