"""The codec: values come back equal, or the record says why they do not."""

from __future__ import annotations

import math
import pickle
import sys
import threading
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.codec import decode, digest, encode, lost_result
from ostinato.core.errors import ResultLost
from ostinato.core.results import INLINE_BYTES, Result

LIMIT = 1 << 20

atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
anything = st.recursive(
    atoms | st.text(st.characters(exclude_categories=())) | st.decimals(allow_nan=False) | st.datetimes(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers())
    ),
    max_leaves=20,
)


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


class Unwilling:
    def __reduce__(self) -> Any:
        raise ZeroDivisionError("not today")


class Forgetful:
    def __reduce__(self) -> Any:
        return (pickle.loads, (b"nonsense",))


def kept(value: object) -> tuple[Result, bytes | None]:
    result, data = encode(value, LIMIT)
    assert result is not None
    assert result.lost == ""
    return result, data


def there_and_back(value: object) -> Any:
    result, data = encode(value, LIMIT)
    return decode(result, data)


@given(anything)
def test_a_value_comes_back_equal_and_of_the_same_type(value: object) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -0.0, 2**63, 2**64, -(2**63) - 1, 10**100, "\ud800", True, 1, 1.0]
)
def test_an_odd_atom_comes_back_exactly(value: float | str) -> None:
    back = there_and_back(value)
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_none_needs_no_result() -> None:
    assert encode(None, LIMIT) == (None, None)
    assert decode(None) is None


def test_atoms_are_msgpack_and_the_rest_is_pickled() -> None:
    assert [kept(value)[0].codec for value in (1, 1.5, "a", b"a", True)] == ["m"] * 5
    assert [kept(value)[0].codec for value in ([1], {"a": 1}, Point(1), 2**70)] == ["p"] * 4


def test_a_subclass_of_an_atom_keeps_its_class() -> None:
    assert type(there_and_back(Text("a"))) is Text


class Text(str):
    __slots__ = ()


def test_a_small_value_is_inline_and_a_larger_one_goes_into_a_blob() -> None:
    small, nothing = kept(b"x" * 1000)
    assert (small.blob, nothing) == ("", None)
    large, data = kept(b"x" * (INLINE_BYTES + 1))
    assert large.data is None
    assert data is not None
    assert large.size == len(data)
    assert large.blob == digest(data).hex() == blake2b(data, digest_size=16).hexdigest()
    assert large.digest.hex() == large.blob


@given(st.integers(min_value=INLINE_BYTES - 10, max_value=INLINE_BYTES + 10))
def test_exactly_the_values_above_the_inline_size_have_a_blob(size: int) -> None:
    result, data = kept(bytes(size))
    assert (data is not None) == (result.size > INLINE_BYTES)


def test_a_later_change_of_the_value_does_not_change_the_record() -> None:
    value = {"scores": [1, 2]}
    result, data = encode(value, LIMIT)
    value["scores"].append(3)
    assert decode(result, data) == {"scores": [1, 2]}


@pytest.mark.parametrize("value", [b"x" * 5000, list(range(5000)), Point(10**5000)])
def test_a_value_above_the_limit_is_lost_with_size_limit_and_a_way_out(value: object) -> None:
    result, data = encode(value, 1000)
    assert result is not None
    assert (result.lost, result.data, result.blob, data) == ("too-large", None, "", None)
    assert result.size > 1000
    assert "1,000 bytes" in result.note
    assert "OSTINATO_RESULT_LIMIT_MB" in result.note


def test_a_lost_value_has_the_size_and_digest_it_would_have_had() -> None:
    value = [b"x" * 3000, b"y" * 3000]
    lost, _ = encode(value, 1000)
    whole, data = kept(value)
    assert lost is not None
    assert data is None
    assert (lost.size, lost.digest) == (whole.size, whole.digest)


def test_a_value_far_above_the_limit_is_not_held_in_memory_twice() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    value = [bytes(1 << 20)] * 1 + [bytearray(4 << 20) for _ in range(8)]
    tracemalloc.start()
    try:
        encode(value, 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


@pytest.mark.parametrize("value", [lambda: 1, threading.Lock(), (x for x in [1]), Unwilling(), [Unwilling()]])
def test_a_value_that_cannot_be_pickled_is_lost_and_the_note_names_type_and_reason(value: object) -> None:
    result, data = encode(value, LIMIT)
    assert result is not None
    assert (result.lost, data) == ("unpicklable", None)
    assert type(value).__qualname__ in result.note
    assert "Error" in result.note


def test_endless_nesting_is_unpicklable_and_no_crash() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    result, _ = encode(value, LIMIT)
    assert result is not None
    assert result.lost == "unpicklable"
    assert "RecursionError" in result.note


@pytest.mark.parametrize("lost", ["too-large", "unpicklable", "not-persisted", "dropped"])
def test_a_lost_value_is_asked_for_in_vain_and_the_error_says_what_to_do(lost: Any) -> None:
    with pytest.raises(ResultLost) as caught:
        decode(lost_result(lost, "it was 70 MiB"), task="fit-1")
    assert "fit-1" in caught.value.message
    assert "70 MiB" in caught.value.message
    assert caught.value.hint


def test_a_blob_that_is_not_given_is_a_lost_result() -> None:
    result, _ = kept(b"x" * (INLINE_BYTES + 1))
    with pytest.raises(ResultLost, match=result.blob):
        decode(result)


def test_a_value_whose_class_is_gone_is_a_lost_result_that_names_the_reason() -> None:
    result, data = kept(Forgetful())
    with pytest.raises(ResultLost, match="UnpicklingError"):
        decode(result, data)


@given(anything)
def test_a_digest_names_the_encoded_bytes(value: object) -> None:
    result, data = encode(value, LIMIT)
    if result is not None and result.digest:
        encoded = result.data if data is None else data
        assert encoded is not None
        assert result.digest == digest(encoded)


# --- tables


def frames() -> dict[str, Any]:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    return {
        "numbers": pd.DataFrame({"a": np.arange(1000.0), "b": np.arange(1000)}),
        "missing": pd.DataFrame({"a": [1.0, None], "when": pd.to_datetime(["2021-01-01", None])}),
        "text": pd.DataFrame({"a": ["x", "y", None]}),
        "mixed": pd.DataFrame({"a": pd.Series(["x", 1, None], dtype=object)}),
        "categories": pd.DataFrame({"a": pd.Categorical(["x", "y", "x"], ordered=True)}),
        "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
        "zones": pd.DataFrame({"a": pd.date_range("2021", periods=3, tz="Europe/Berlin")}),
        "dates index": pd.DataFrame({"a": [1, 2, 3]}, index=pd.date_range("2021", periods=3)),
        "named index": pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="k")),
        "range index": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(5, 9, 2, name="r")),
        "two levels": pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])),
        "numbered columns": pd.DataFrame({0: [1], 1: [2]}),
        "twin columns": pd.DataFrame([[1, 2]], columns=["a", "a"]),
        "big endian": pd.DataFrame({"a": np.array([1, 2], dtype=">f8")}),
        "small floats": pd.DataFrame({"a": np.array([1, 2], dtype="f2")}),
        "no rows": pd.DataFrame({"a": np.array([], dtype="f8")}),
        "nothing": pd.DataFrame(),
        "no columns": pd.DataFrame(index=[1, 2]),
        "lists": pd.DataFrame({"a": [[1], [2, 3]]}),
        "complex": pd.DataFrame({"a": [1j]}),
    }


FRAMES = (
    "numbers, missing, text, mixed, categories, nullable, zones, dates index, named index, range index, two levels, "
    "numbered columns, twin columns, big endian, small floats, no rows, nothing, no columns, lists, complex"
)


@pytest.mark.parametrize("name", FRAMES.split(", "))
def test_a_pandas_frame_comes_back_exactly(name: str) -> None:
    frame = frames()[name]
    testing = pytest.importorskip("pandas.testing")
    back = there_and_back(frame)
    testing.assert_frame_equal(back, frame, check_exact=True, check_index_type="exact", check_column_type="exact")
    assert [type(column) for column in back.columns] == [type(column) for column in frame.columns]


def test_a_plain_frame_is_kept_as_arrow_and_an_odd_one_as_pickle() -> None:
    assert kept(frames()["numbers"])[0].codec == "a"
    assert kept(frames()["mixed"])[0].codec == "p"


def test_what_is_attached_to_a_frame_is_kept() -> None:
    frame = frames()["numbers"]
    frame.attrs["source"] = ("a", 1)
    assert there_and_back(frame).attrs == {"source": ("a", 1)}


def test_a_frame_that_comes_back_may_be_changed() -> None:
    back = there_and_back(frames()["numbers"])
    back.iloc[0, 0] = 7.0
    assert back.iloc[0, 0] == 7.0


def test_a_frame_with_a_class_of_its_own_keeps_it() -> None:
    pandas = pytest.importorskip("pandas")
    module = sys.modules[__name__]
    module.Rides = type("Rides", (pandas.DataFrame,), {"__module__": __name__})  # type: ignore[attr-defined]
    try:
        assert type(there_and_back(module.Rides({"a": [1]}))).__name__ == "Rides"
    finally:
        del module.Rides


def test_a_large_frame_is_lost_like_any_large_value() -> None:
    result, data = encode(frames()["numbers"], 1000)
    assert result is not None
    assert (result.lost, data) == ("too-large", None)


def test_an_arrow_table_comes_back_with_its_metadata() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": [1, None], "b": ["x", "y"]}).replace_schema_metadata({b"made": b"today"})
    result, data = kept(table)
    assert result.codec == "a"
    assert decode(result, data).equals(table, check_metadata=True)


def test_a_polars_frame_comes_back_exactly() -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    for frame in (
        polars.DataFrame({"a": [1, None], "b": ["x", None]}),
        polars.DataFrame({"a": polars.Series(["x", "y"], dtype=polars.Enum(["x", "y"]))}),
        polars.DataFrame({"a": [[1], [2, 3]]}),
        polars.DataFrame(),
    ):
        back = there_and_back(frame)
        assert back.schema == frame.schema
        assert back.equals(frame)


def test_no_library_is_imported_for_a_value_that_only_looks_like_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pyarrow", raising=False)
    assert kept(DataFrame())[0].codec == "p"
    assert "pyarrow" not in sys.modules


class DataFrame:
    """Somebody's own class of that name."""
