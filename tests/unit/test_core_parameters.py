"""Parameters: binding as Python binds, values by type hints, errors that name file and line, JSON for readers."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import inspect
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Optional, TypedDict, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.errors import (
    ArgumentsMisfit,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnknown,
    UsageError,
)
from ostinato.core.parameters import Parameters, read_parameters

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]

NEW_YEAR = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - what a user writes without a zone
Year = NewType("Year", int)


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Foreign:
    pass


@dataclasses.dataclass
class Ride:
    km: float
    at: dt.datetime | None = None


class Trip(msgspec.Struct):
    km: float


class Stop(TypedDict):
    name: str


def of(fn: Callable[..., Any]) -> Parameters:
    return read_parameters(fn, "train")


def hinted(hint: object) -> Parameters:
    def train(value: object) -> None: ...

    train.__annotations__ = {"value": hint}
    return of(train)


def valid(hint: object, value: object) -> Any:
    return hinted(hint).validate({"value": value})["value"]


# --- binding


def plain(a: Any, b: Any = 2) -> Any:
    return a, b


def only(a: Any, /, b: Any, *, c: Any = 3) -> Any:
    return a, b, c


def rest(a: Any, *more: Any, c: Any = 3) -> Any:
    return a, more, c


def others(a: Any, /, b: Any = 2, **more: Any) -> Any:
    return a, b, more


def everything(a: Any, /, b: Any = 2, *items: Any, c: Any, d: Any = 4, **more: Any) -> Any:
    return a, b, items, c, d, more


def nothing() -> None:
    return None


class Thing:
    def method(self, a: Any, b: Any = 2) -> Any:
        return a, b

    @classmethod
    def of_class(cls, a: Any) -> Any:
        return a

    @staticmethod
    def of_none(a: Any) -> Any:
        return a

    def __call__(self, a: Any, *, b: Any = 2) -> Any:
        return a, b


@functools.wraps(plain)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return plain(*args, **kwargs)


FUNCTIONS: list[Callable[..., Any]] = [
    plain,
    only,
    rest,
    others,
    everything,
    nothing,
    Thing().method,
    Thing.of_class,
    Thing.of_none,
    Thing(),
    wrapped,
    functools.partial(everything, 1, c=5),
]


@given(
    st.sampled_from(FUNCTIONS),
    st.lists(st.integers(), max_size=4).map(tuple),
    st.dictionaries(st.sampled_from("abcdez"), st.integers(), max_size=4),
)
def test_a_call_is_bound_exactly_as_python_binds_it(fn: Any, args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    try:
        given_back = fn(*args, **kwargs)
    except TypeError:
        with pytest.raises((ParameterUnknown, ParameterMissing, ArgumentsMisfit)):
            of(fn).bind(args, kwargs)
        return
    expected = inspect.signature(fn).bind(*args, **kwargs)
    expected.apply_defaults()
    bound = of(fn).bind(args, kwargs)
    assert bound == expected.arguments
    assert list(bound) == list(expected.arguments)
    again_args, again_kwargs = of(fn).unbind(bound)
    assert fn(*again_args, **again_kwargs) == given_back


def test_a_wrong_name_is_refused_with_the_nearest_one() -> None:
    def train(year: int, month: int = 1) -> None: ...

    with pytest.raises(ParameterUnknown) as caught:
        of(train).bind((2021,), {"mnth": 2})
    assert caught.value.message == "Flow 'train' has no parameter 'mnth'; it has: year, month."
    assert caught.value.hint == "Did you mean `month`?"


def test_a_missing_parameter_is_named_with_its_type_and_place() -> None:
    def train(year: int) -> None: ...

    with pytest.raises(ParameterMissing) as caught:
        of(train).bind((), {})
    assert caught.value.message == "Flow 'train' needs parameter 'year' (int)."
    assert f"{__file__}:{train.__code__.co_firstlineno}" in caught.value.hint


@pytest.mark.parametrize(
    ("fn", "args", "kwargs", "reason"),
    [
        (plain, (1, 2, 3), {}, "takes 2 positional arguments, 3 were given"),
        (plain, (1,), {"a": 2}, "'a' is given by position and by name"),
        (only, (), {"a": 1, "b": 2}, "'a' can be given by position only"),
    ],
)
def test_arguments_that_python_would_refuse_are_refused_with_the_declaration(
    fn: Any, args: Any, kwargs: Any, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        of(fn).bind(args, kwargs)
    assert reason in caught.value.message
    assert __file__ in caught.value.hint


# --- values by type hints


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, "2021", 2021),
        (int, 2021.0, 2021),
        (float, 1, 1.0),
        (float, "1.5", 1.5),
        (bool, "true", True),
        (bool, "no", False),
        (bool, 1, True),
        (str, "2021", "2021"),
        (dt.datetime, "2021-01-01", NEW_YEAR),
        (dt.datetime, "2021-01-01T00:00", NEW_YEAR),
        (dt.datetime, "2021-01-01T00:00:00Z", NEW_YEAR.replace(tzinfo=dt.UTC)),
        (dt.datetime, NEW_YEAR, NEW_YEAR),
        (dt.date, "2021-01-01", dt.date(2021, 1, 1)),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (uuid.UUID, str(uuid.UUID(int=1)), uuid.UUID(int=1)),
        (Path, "a/b", Path("a/b")),
        (Color, 1, Color.RED),
        (Color, "1", Color.RED),
        (Color, "BLUE", Color.BLUE),
        (Color, Color.BLUE, Color.BLUE),
        (Literal["a", "b"], "a", "a"),
        (Literal[1, 2], "2", 2),
        (int | None, None, None),
        (Optional[int], "5", 5),  # noqa: UP045 - the old spelling
        (Union[int, str], "5", "5"),  # noqa: UP007 - the old spelling
        (int | float, "5", 5),
        (dt.datetime | None, "2021-01-01", NEW_YEAR),
        (Foreign | int, "5", 5),
        (list[int], ["1", 2], [1, 2]),
        (list[int], (1, 2), [1, 2]),
        (list[dt.datetime], ["2021-01-01"], [NEW_YEAR]),
        (list[Path | None], ["a", None], [Path("a"), None]),
        (set[int], ["1", 1], {1}),
        (tuple[int, str], ["1", "a"], (1, "a")),
        (tuple[int, ...], ["1", "2"], (1, 2)),
        (tuple[dt.datetime, int], ["2021-01-01", "2"], (NEW_YEAR, 2)),
        (dict[str, int], {"a": "1"}, {"a": 1}),
        (dict[str, dt.datetime], {"a": "2021-01-01"}, {"a": NEW_YEAR}),
        (Sequence[int], ("1",), [1]),
        (Ride, {"km": "1.5"}, Ride(1.5)),
        (list[Ride], [{"km": 1}], [Ride(1.0)]),
        (Trip, {"km": 1}, Trip(1.0)),
        (Stop, {"name": "a"}, {"name": "a"}),
        (Annotated[int, msgspec.Meta(ge=1)], "1", 1),
        (Year, "2021", 2021),
        (Callable[[int], int], abs, abs),
        (type[Foreign], Foreign, Foreign),
        (Any, "x", "x"),
        (object, 5, 5),
    ],
)
def test_a_value_becomes_what_its_hint_asks_for(hint: object, value: object, expected: object) -> None:
    found = valid(hint, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "reason"),
    [
        (int, "2021x", "expected `int`, got `str`"),
        (int, 1.5, "expected `int`, got `float`"),
        (str, 5, "expected `str`, got `int`"),
        (bool, "perhaps", "expected `bool`"),
        (dt.datetime, "yesterday", "such as `2021-01-31T10:00`"),
        (Color, "GREEN", "expected one of 1, 'b'"),
        (Literal["a", "b"], "c", "'c'"),
        (int | None, "x", "expected `int | None`, got `str`"),
        (Foreign, 5, "expected `Foreign`, got `int`"),
        (list[Foreign], [Foreign(), 5], "expected `Foreign`, got `int` at [1]"),
        (list[list[int]], [[1], [2, "x"]], "expected `int`, got `str` at [1][1]"),
        (dict[str, int], {"a": "x"}, "expected `int`, got `str` at ['a']"),
        (dict[str, int], [1], "expected `dict[str, int]`, got `list`"),
        (tuple[int, str], [1], "expected 2 values, got 1"),
        (list[int], 5, "expected `list[int]`, got `int`"),
        (Ride, {"km": "far"}, "expected `float`, got `str` at km"),
        (Ride, {}, "missing required field `km`"),
        (Annotated[int, msgspec.Meta(ge=1)], 0, "expected `int` >= 1"),
        (Callable[[int], int], 5, "expected `Callable[[int], int]`"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_reason(hint: object, value: object, reason: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        valid(hint, value)
    assert reason in caught.value.message
    assert "'value'" in caught.value.message
    assert __file__ in caught.value.hint


def test_an_instance_is_passed_on_as_it_is() -> None:
    for hint, value in ((Foreign, Foreign()), (Ride, Ride(1.0)), (list, [1]), (Foreign | None, Foreign()), (dict, {})):
        assert valid(hint, value) is value


def test_numbers_of_numpy_are_numbers_and_arrays_are_checked_by_class() -> None:
    np = pytest.importorskip("numpy")
    assert valid(int, np.int64(5)) == 5
    assert type(valid(int, np.int64(5))) is int
    assert valid(list[int], [np.int64(5)]) == [5]
    array = np.zeros(3)
    assert valid(np.ndarray, array) is array
    assert valid(np.ndarray[Any, Any], array) is array
    with pytest.raises(ParameterInvalid, match="expected `ndarray`, got `list`"):
        valid(np.ndarray, [1])


def test_hints_are_resolved_inside_functions_and_unknown_ones_are_passed_over() -> None:
    class Local(msgspec.Struct):
        x: int

    def train(a: Local, b: Unknown, c: int) -> None: ...

    keep = Local

    def with_cell(a: Local) -> object:
        return keep, Local

    assert of(with_cell).validate({"a": {"x": 1}}) == {"a": Local(1)}
    assert of(train).validate({"a": {"x": 1}, "b": "anything", "c": "5"})["c"] == 5


def test_rest_and_others_are_validated_item_by_item() -> None:
    def train(*days: int, **rates: float) -> None: ...

    parameters = of(train)
    assert parameters.validate(parameters.bind(("1", 2), {"a": "0.5"})) == {"days": (1, 2), "rates": {"a": 0.5}}
    with pytest.raises(ParameterInvalid, match=r"'b'.*expected `float`"):
        parameters.validate(parameters.bind((), {"b": "x"}))


def test_a_default_is_taken_as_it_is() -> None:
    def train(year: int = None, path: str = 5) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    parameters = of(train)
    assert parameters.validate(parameters.bind((), {})) == {"year": None, "path": 5}


def test_without_hints_the_arguments_are_not_even_copied() -> None:
    arguments = {"a": 1, "b": 2}
    assert of(plain).validate(arguments) is not None
    assert of(lambda a, b: (a, b)).validate(arguments) is arguments


def test_the_given_arguments_are_not_changed() -> None:
    arguments: dict[str, object] = {"value": "5"}
    assert hinted(int).validate(arguments) == {"value": 5}
    assert arguments == {"value": "5"}


def test_a_secret_is_in_no_error() -> None:
    def train(password: int, hf_token: int) -> None: ...

    for name in ("password", "hf_token"):
        with pytest.raises(ParameterInvalid) as caught:
            of(train).validate({name: "hunter2"})
        assert "hunter2" not in f"{caught.value} {caught.value.values} {caught.value.__cause__}"


def test_a_huge_wrong_value_makes_a_short_error() -> None:
    with pytest.raises(ParameterInvalid) as caught:
        valid(int, "x" * 10**6)
    assert len(str(caught.value)) < 500


@given(st.sampled_from([int, float, bool, str, dt.datetime, list[int], int | None, Color, Ride]), st.from_type(object))
def test_any_value_for_any_hint_is_valid_or_refused_with_our_own_error(hint: object, value: object) -> None:
    with contextlib.suppress(ParameterInvalid):
        valid(hint, value)


def test_pydantic_models_are_validated_by_themselves() -> None:
    pydantic = pytest.importorskip("pydantic")
    Model: Any = pydantic.create_model("Model", year=(int, ...))  # noqa: N806 - a class
    assert valid(Model, {"year": "2021"}) == Model(year=2021)
    assert valid(list[Model], [{"year": "2021"}]) == [Model(year=2021)]
    assert valid(Model | None, None) is None
    model = Model(year=1)
    assert valid(Model, model) is model
    with pytest.raises(ParameterInvalid, match=r"valid integer.* at year"):
        valid(Model, {"year": "x"})
    bounded = Annotated[int, pydantic.Field(gt=3)]
    assert valid(bounded, "5") == 5
    with pytest.raises(ParameterInvalid, match="greater than 3"):
        valid(bounded, 3)
    assert valid(Model | Foreign, {"year": 1}) == Model(year=1)
    assert valid(pydantic.SecretStr, "x").get_secret_value() == "x"


# --- texts of a command line


@pytest.mark.parametrize(
    ("hint", "text", "expected"),
    [
        (int, "5", 5),
        (str, "5", "5"),
        (str | None, "null", None),
        (str | None, "5", "5"),
        (int | str, "5", 5),
        (int | str, "five", "five"),
        (str | list[int], "5", "5"),
        (str | list[int], "[5]", [5]),
        (bool, "false", False),
        (bool, "yes", True),
        (float, "1e-3", 0.001),
        (list[str], '["a"]', ["a"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dt.date, "2021-01-01", dt.date(2021, 1, 1)),
        (dt.datetime | None, "2021-01-01", NEW_YEAR),
        (dt.datetime | None, "None", None),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (Color, "RED", Color.RED),
        (Color, "1", Color.RED),
        (Literal["1", "2"], "1", "1"),
        (Literal[1, 2], "1", 1),
        (Path, "5", Path("5")),
        (Ride, '{"km": 1}', Ride(1.0)),
        (Any, "[1]", [1]),
        (Any, "plain", "plain"),
        (Annotated[str, "a name"], "5", "5"),
    ],
)
def test_a_text_of_the_command_line_means_what_the_hint_asks_for(hint: object, text: str, expected: object) -> None:
    parameters = hinted(hint)
    found = parameters.validate(parameters.bind((), parameters.parse({"value": text})))["value"]
    assert found == expected
    assert type(found) is type(expected)


def test_without_a_hint_the_default_tells_what_a_text_means() -> None:
    def train(year=2021, name="a", free=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return year, name, free

    assert of(train).parse({"year": "5", "name": "5", "free": "5"}) == {"year": 5, "name": "5", "free": 5}


def test_an_unknown_name_on_the_command_line_is_refused_unless_there_are_others() -> None:
    with pytest.raises(ParameterUnknown):
        of(plain).parse({"z": "1"})
    assert of(others).parse({"z": "1"}) == {"z": 1}
    with pytest.raises(ArgumentsMisfit):
        of(only).parse({"a": "1"})


# --- for readers


def test_the_schema_says_types_defaults_and_descriptions() -> None:
    def train(  # noqa: D417 - few users describe all of them
        year: int, rates: list[float], mode: Literal["a", "b"] = "a", at: dt.datetime | None = None, password: str = "x"
    ) -> None:
        """Train.

        Args:
            year: The year
                of the rides.
            mode (str): How.
        """

    assert of(train).json_schema() == {
        "title": "train",
        "type": "object",
        "properties": {
            "year": {"title": "Year", "type": "integer", "description": "The year of the rides."},
            "rates": {"title": "Rates", "type": "array", "items": {"type": "number"}},
            "mode": {"title": "Mode", "enum": ["a", "b"], "default": "a", "description": "How."},
            "at": {
                "title": "At",
                "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
                "default": None,
            },
            "password": {"title": "Password", "type": "string", "format": "password", "writeOnly": True},
        },
        "required": ["year", "rates"],
        "additionalProperties": False,
    }


def test_the_schema_refers_to_definitions_of_nested_types() -> None:
    def train(ride: Ride, trips: list[Trip] | None = None) -> None: ...

    schema = of(train).json_schema()
    assert schema["properties"]["ride"] == {"title": "Ride", "$ref": "#/$defs/Ride"}
    assert set(schema["$defs"]) == {"Ride", "Trip"}


def test_the_schema_is_json_for_any_hint_and_default() -> None:
    def train(
        a: Foreign,
        b: Callable[[int], int] = abs,
        c: Path = Path("x"),
        d: Color = Color.BLUE,
        e: Foreign | int = 5,
        f: object = object(),
        *more: int,
        **others: float,
    ) -> None: ...

    schema = of(train).json_schema()
    json.dumps(schema)
    properties = schema["properties"]
    assert properties["a"] == {"title": "A"}
    assert properties["c"] == {"title": "C", "type": "string", "format": "path", "default": "x"}
    assert properties["d"] == {"title": "D", "enum": [1, "b"], "default": "b"}
    assert properties["more"] == {"title": "More", "type": "array", "items": {"type": "integer"}, "default": []}
    assert schema["additionalProperties"] == {"type": "number"}


def test_the_schema_of_a_pydantic_model_is_its_own() -> None:
    pydantic = pytest.importorskip("pydantic")
    Inner: Any = pydantic.create_model("Inner", x=(int, ...))  # noqa: N806 - a class
    Model: Any = pydantic.create_model("Model", inner=(Inner, ...))  # noqa: N806 - a class
    schema = hinted(Model).json_schema()
    assert schema["properties"]["value"]["properties"] == {"inner": {"$ref": "#/$defs/Inner"}}
    assert schema["$defs"]["Inner"]["properties"]["x"]["type"] == "integer"


def test_arguments_are_shown_as_json() -> None:
    shown = json.loads(of(plain).to_json({"a": [1, NEW_YEAR], "b": {"ride": Ride(1.0), "c": Color.RED}}))
    assert shown == {"a": [1, "2021-01-01 00:00:00"], "b": {"ride": {"km": 1.0, "at": None}, "c": "Color.RED"}}
    assert of(nothing).to_json({}) == b"{}"


def test_a_flow_takes_its_hints_from_the_function_that_it_wraps() -> None:
    def train(year: int) -> int:
        """Train.

        Args:
            year: The year.
        """
        return year

    @functools.wraps(train)
    def outer(*args: Any, **kwargs: Any) -> int:
        return train(*args, **kwargs)

    parameters = of(outer)
    assert parameters.validate(parameters.bind(("5",), {})) == {"year": 5}
    assert parameters.json_schema()["properties"]["year"]["description"] == "The year."


def test_mappings_and_iterables_are_taken_by_their_class() -> None:
    items = iter([1])
    assert valid(Iterable[int], items) is items
    assert valid(Mapping[str, int], {"a": "1"}) == {"a": 1}


def test_some_parameters_are_checked_without_the_others() -> None:
    def train(n: int, day: dt.date | None = None, **options: float) -> None: ...

    parameters = read_parameters(train, "train")
    assert parameters.check_some({}) == {}
    assert parameters.check_some({"day": "2023-01-02", "rate": "0.5"}) == {"day": dt.date(2023, 1, 2), "rate": 0.5}
    with pytest.raises(ParameterInvalid, match="'n'"):
        parameters.check_some({"n": "many"})
    with pytest.raises(ParameterUnknown, match="'m'"):
        read_parameters(lambda n: n, "train").check_some({"m": 1})


def test_parameters_given_by_name_find_their_way_into_keyword_arguments() -> None:
    def train(n: int, **options: float) -> None: ...

    parameters = read_parameters(train, "train")
    assert parameters.adapt({"n": 1, "rate": 0.5}) == {"n": 1, "options": {"rate": 0.5}}
    assert parameters.adapt({"n": 1, "options": {"rate": 0.5}}) == {"n": 1, "options": {"rate": 0.5}}
