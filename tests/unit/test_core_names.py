"""Names of runs and flows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core import names
from ostinato.core.errors import BadOption
from ostinato.core.names import fill, flow_name, run_name


def test_a_run_name_is_an_adjective_and_an_animal() -> None:
    adjective, animal = run_name().split("-")
    assert adjective.isalpha()
    assert animal.isalpha()


@given(st.binary(min_size=1, max_size=16))
def test_equal_seeds_give_equal_names(seed: bytes) -> None:
    assert run_name(seed) == run_name(seed)


def test_there_are_many_names_and_no_word_stands_twice() -> None:
    for words in (names._FIRSTS, names._SECONDS):
        assert len(words) == len(set(words)) >= 120
        assert all(word.isascii() and word.islower() and word.isalpha() for word in words)


def test_a_hundred_runs_seldom_share_a_name() -> None:
    assert len({run_name(number.to_bytes(8, "big")) for number in range(100)}) == 100


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("ride_duration", "ride-duration"),
        ("train", "train"),
        ("_private", "private"),
        ("<lambda>", "lambda"),
        ("_", "_"),
    ],
)
def test_a_flow_is_named_after_its_function(function: str, name: str) -> None:
    assert flow_name(function) == name


def test_a_template_is_filled_from_parameters() -> None:
    assert fill("train-{year:04d}-{model}", {"year": 21, "model": "xgb"}) == "train-0021-xgb"


def test_a_template_with_an_unknown_field_names_the_known_ones() -> None:
    with pytest.raises(BadOption) as caught:
        fill("train-{month}", {"year": 2021, "model": "xgb"})
    assert caught.value.code == "option-invalid"
    assert "'month'" in caught.value.message
    assert "year, model" in caught.value.message


@pytest.mark.parametrize("template", ["train-{", "train-{}", "{year.missing}", "{year!x}", "{year:%%%}"])
def test_a_malformed_template_is_refused(template: str) -> None:
    with pytest.raises(BadOption):
        fill(template, {"year": 2021})


@given(st.text(max_size=500))
def test_a_name_from_a_template_is_one_printable_line_of_bounded_length(value: str) -> None:
    name = fill("run {value}", {"value": value})
    assert name.isprintable()
    assert len(name) <= 200
