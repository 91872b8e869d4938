"""Pure rules of tracking: ids of experiments, what is kept, and how a long series is thinned out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.errors import TrackedValueInvalid
from ostinato.core.tracking import (
    DEFAULT_ID,
    MOST_KEY_BYTES,
    MOST_TEXT_BYTES,
    Point,
    check_experiment_name,
    check_texts,
    experiment_id,
    sampled,
    shown,
)

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300)


def series(values: list[float]) -> list[Point]:
    return [Point("m", value, step, 0) for step, value in enumerate(values)]


@given(st.text(min_size=1), st.integers(0, 5))
def test_the_id_of_an_experiment_is_digits_and_depends_on_the_name_alone(name: str, n_taken: int) -> None:
    found = experiment_id(name.encode("utf-8", "replace").decode(), n_taken)
    assert found.isdecimal()
    assert found == experiment_id(name.encode("utf-8", "replace").decode(), n_taken)
    assert len(found) == 18 or found == DEFAULT_ID


def test_only_the_default_experiment_has_the_id_nought() -> None:
    assert experiment_id("Default") == DEFAULT_ID
    assert experiment_id("Default", 1) != DEFAULT_ID
    assert experiment_id("default") != DEFAULT_ID


@given(VALUES, st.integers(4, 50))
def test_a_thinned_series_is_a_part_of_it_in_order_with_its_ends_and_extremes(values: list[float], n: int) -> None:
    points = series(values)
    found = sampled(points, n)
    assert len(found) <= max(n, min(len(points), n))
    assert [point.step for point in found] == sorted({point.step for point in found})
    assert all(points[point.step] is point for point in found)
    if points:
        assert (found[0], found[-1]) == (points[0], points[-1])
    numbers = [value for value in values if not math.isnan(value)]
    shown_numbers = [point.value for point in found if not math.isnan(point.value)]
    if numbers:
        assert (min(shown_numbers), max(shown_numbers)) == (min(numbers), max(numbers))


def test_a_short_series_stays_as_it_is() -> None:
    points = series([1.0, math.nan, 2.0])
    assert sampled(points, 4) == points


def test_a_part_without_a_number_is_shown_by_its_first_value() -> None:
    found = sampled(series([0.0, *[math.nan] * 100, 1.0]), 10)
    assert len(found) == 6
    assert all(math.isnan(point.value) for point in found[1:-1])


@pytest.mark.parametrize("name", ["a", "a/b", "ü" * 500, "with space", "x" * MOST_KEY_BYTES, "🦦"])
def test_any_text_is_a_name(name: str) -> None:
    check_experiment_name(name)
    check_texts("metric", {name: None})
    check_texts("parameter", {name: "x" * MOST_TEXT_BYTES})


@pytest.mark.parametrize("name", ["", "x" * (MOST_KEY_BYTES + 1), "ü" * 501, "a\0b", "\ud800"])
def test_what_no_database_keeps_is_no_name(name: str) -> None:
    with pytest.raises(TrackedValueInvalid):
        check_experiment_name(name)
    with pytest.raises(TrackedValueInvalid):
        check_texts("tag", {name: "value"})


def test_a_text_that_is_too_long_is_refused_and_not_repeated() -> None:
    with pytest.raises(TrackedValueInvalid, match="longer than 1,048,576 bytes") as caught:
        check_texts("parameter", {"k": "x" * (MOST_TEXT_BYTES + 1)})
    assert len(str(caught.value)) < 300
    assert len(shown("x" * 10_000)) < 100
