"""Values as people read them: bounded, one line, JSON, secrets masked."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json
import sys
from pathlib import PurePosixPath
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.display import MASK, as_json, foreign, is_secret, shorten
from ostinato.core.docstrings import descriptions


@dataclasses.dataclass
class Login:
    user: str
    password: str | None = None


class Model:
    pass


class Hostile:
    @property
    def shape(self) -> object:
        raise ZeroDivisionError


def shown(value: object) -> Any:
    return json.loads(as_json({"x": value}))["x"]


@pytest.mark.parametrize(
    "name",
    ["password", "db_passwd", "api_key", "apikey", "API_KEY", "client_secret", "token", "hf_token", "authToken"],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["max_tokens", "tokenizer", "n_tokens", "key", "passenger_count", "year"])
def test_names_of_ordinary_things_are_left_alone(name: str) -> None:
    assert not is_secret(name)


def test_secrets_are_masked_at_any_depth() -> None:
    value = {"deep": [{"password": "hunter2", "user": "a"}], "login": Login("a", "hunter2")}
    assert shown(value) == {
        "deep": [{"password": MASK, "user": "a"}],
        "login": {"user": "a", "password": MASK},
    }
    assert "hunter2" not in shorten(value)


def test_a_secret_that_is_not_set_is_shown_as_not_set() -> None:
    assert shown(Login("a")) == {"user": "a", "password": None}


def test_the_password_of_an_address_is_masked() -> None:
    assert shown("postgresql://me:hunter2@host/db") == f"postgresql://me:{MASK}@host/db"


def test_pydantic_secrets_are_masked() -> None:
    pydantic = pytest.importorskip("pydantic")
    assert shown(pydantic.SecretStr("hunter2")) == MASK


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (2**70, str(2**70)),
        (float("nan"), "nan"),
        (b"ab", "b'ab'"),
        (b"x" * 1000, "bytes(1,000)"),
        ((1, 2), [1, 2]),
        ({1: 2}, {"1": 2}),
        (dt.date(2021, 1, 1), "2021-01-01"),
        (decimal.Decimal("1.10"), "1.10"),
        (PurePosixPath("a/b"), "a/b"),
        (Model(), "Model"),
        (Model, "Model"),
        (len, "len"),
        (Hostile(), "Hostile"),
        ("\ud800", "\\ud800"),
    ],
)
def test_each_kind_of_value_has_a_readable_form(value: object, expected: object) -> None:
    assert shown(value) == expected


def test_frames_and_arrays_are_shown_by_type_and_size() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert foreign(pd.DataFrame({"a": [1, 2], "b": [3, 4]})) == "DataFrame(2 x 2)"
    assert foreign(np.zeros((3, 4))) == "ndarray(3 x 4, float64)"
    assert foreign(pd.Series([1.0])) == "Series(1, float64)"


def test_large_values_are_cut_and_say_so() -> None:
    assert shown(list(range(1000)))[-1] == "… 900 more"
    assert shown({str(number): 1 for number in range(1000)})["…"] == "900 more"
    assert shown("x" * 5000).endswith("(5,000 characters)")
    assert len(as_json({"x": [[[list(range(100))] * 100] * 100] * 100})) < 200_000


def test_a_value_inside_itself_is_shown_to_a_depth() -> None:
    value: list[Any] = []
    value.append(value)
    assert "…" in json.dumps(shown(value), ensure_ascii=False)
    assert len(shorten(value)) <= 80


@given(st.recursive(st.from_type(object), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_anything_is_shown_as_json_and_as_one_short_line(value: object) -> None:
    msgspec.json.decode(as_json({"x": value}))
    line = shorten(value)
    assert len(line) <= 80
    assert "\n" not in line


def test_a_text_is_shortened_with_its_quotes() -> None:
    assert shorten("abc") == "'abc'"
    assert shorten("a\nb") == "'a\\nb'"
    assert shorten(5) == "5"
    assert shorten([1, "a"]) == "[1, 'a']"


def test_showing_values_needs_no_library() -> None:
    assert "pandas" not in vars(sys.modules["ostinato.core.display"])


GOOGLE = """Train a model.

    More words: and more.

    Args:
        year: The year
            of the rides.
        *months (list[int]): The months.

        rate: The rate.

    Returns:
        model: The model.
    """
NUMPY = """Train a model.

    Parameters
    ----------
    year : int
        The year
        of the rides.
    months, rate : list of int
        The rest.

    Returns
    -------
    model
        The model.
    """
SPHINX = """Train a model.

    :param year: The year
        of the rides.
    :param int rate: The rate.
    :returns: The model.
    """


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (GOOGLE, {"year": "The year of the rides.", "months": "The months.", "rate": "The rate."}),
        (NUMPY, {"year": "The year of the rides.", "months": "The rest.", "rate": "The rest."}),
        (SPHINX, {"year": "The year of the rides.", "rate": "The rate."}),
        ("Train a model.", {}),
        ("Args:", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_descriptions_are_read_from_the_three_styles(docstring: str | None, expected: dict[str, str]) -> None:
    assert descriptions(docstring) == expected


@given(st.text(st.sampled_from("Args:Parameters-\n :param xyz()*,"), max_size=200))
def test_any_docstring_is_read_without_an_error(docstring: str) -> None:
    assert isinstance(descriptions(docstring), dict)
