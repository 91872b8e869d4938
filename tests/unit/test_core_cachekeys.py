"""Cache keys and digests by content: typed, the same in every process, honest about what they cannot hash."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.cachekeys import (
    DEFAULT,
    FLOW_PARAMETERS,
    INPUTS,
    NO_CACHE,
    NONE,
    RUN_ID,
    TASK_SOURCE,
    CachePolicy,
    NoContent,
    cache_key,
    check,
    content_digest,
)
from ostinato.core.errors import BadOption

if TYPE_CHECKING:
    from collections.abc import Callable

atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
hashable = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
values = st.recursive(
    atoms,
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(hashable, inner) | st.sets(hashable),
    max_leaves=15,
)


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Ride:
    km: float
    stops: list[str] = dataclasses.field(default_factory=list)


class Trip(msgspec.Struct):
    km: float


class Leg(NamedTuple):
    km: float


class Plain:
    rate = 0.1

    def predict(self) -> float:
        return self.rate


class Slower(Plain):
    rate = 0.2


def doubled(x: int, by: int = 2) -> int:
    return x * by


def trebled(x: int, by: int = 3) -> int:
    return x * by


def scaled_by(n: int) -> Callable[[int], int]:
    def scaled(x: int) -> int:
        return x * n

    return scaled


def typed(value: object) -> object:
    """Give a value that is equal exactly when type and content are."""
    if isinstance(value, list | tuple):
        return (type(value), tuple(typed(item) for item in value))
    if isinstance(value, set):
        return (set, frozenset(typed(item) for item in value))
    if isinstance(value, dict):
        return (dict, frozenset((typed(key), typed(item)) for key, item in value.items()))
    return (type(value), repr(value))


def key(policy: CachePolicy = INPUTS, **more: Any) -> str | None:
    given: dict[str, Any] = {"version": "v1", "arguments": {}, "run_id": "r1", "flow_parameters": {}}
    found, reason = cache_key(policy, **{**given, **more})
    assert reason == ""
    return found


# --- digests


@given(values, values)
def test_digests_are_equal_exactly_when_type_and_content_are(one: object, other: object) -> None:
    assert (content_digest(one) == content_digest(other)) == (typed(one) == typed(other))


@given(values)
def test_a_digest_has_16_bytes_and_does_not_change(value: object) -> None:
    digest = content_digest(value)
    assert len(digest) == 16
    assert digest == content_digest(value)


@given(st.dictionaries(hashable, atoms))
def test_the_order_of_a_dict_does_not_matter(value: dict[object, object]) -> None:
    assert content_digest(value) == content_digest(dict(reversed(value.items())))


@given(st.lists(values))
def test_a_shared_part_counts_like_an_equal_one(parts: list[object]) -> None:
    assert content_digest([parts, parts]) == content_digest([parts, list(parts)])


NEW_YEAR = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - values without a zone are values too
DIFFERENT: list[Any] = [
    1, 1.0, True, "1", b"1", None, 0, False, 0.0, -0.0, "", b"", 2**70, -(2**70), 1j, "\ud800",
    [], (), {}, set(), frozenset(), [1], (1,), {1}, {1: 1}, [[1]], [1, [2]], [[1], 2], ["ab"], ["a", "b"], "list",
    bytearray(b"1"), memoryview(b"1"), range(1), slice(1), ..., float("nan"), float("inf"),
    Color.RED, Color, Ride(1.0), Ride(2.0), Ride(1.0, ["a"]), Trip(1.0), Leg(1.0), Ride, Trip, Plain, Slower, int, list,
    doubled, trebled, scaled_by(2), scaled_by(3), functools.partial(doubled, 1), functools.partial(doubled, by=1), len,
    [1].append, "a".join, Color.RED.__str__,
    NEW_YEAR, NEW_YEAR.replace(fold=1), NEW_YEAR.replace(tzinfo=dt.UTC), NEW_YEAR.date(),
    NEW_YEAR.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), dt.time(1), dt.timedelta(1), dt.UTC,
    decimal.Decimal("1.0"), decimal.Decimal(1), uuid.UUID(int=1),
    pathlib.PurePosixPath("a"), pathlib.Path("a"),
    collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1), collections.Counter("aab"),
    collections.deque([1]), collections.deque([1], maxlen=3), collections.defaultdict(list),
    collections.defaultdict(int),
    re.compile("a"), re.compile("a", re.IGNORECASE),
]  # fmt: skip


def test_values_that_differ_in_type_or_content_have_different_digests() -> None:
    seen: dict[bytes, object] = {}
    for value in DIFFERENT:
        digest = content_digest(value)
        assert digest not in seen, f"{value!r} and {seen[digest]!r}"
        seen[digest] = value


def test_functions_count_by_code_defaults_and_closure() -> None:
    assert content_digest(scaled_by(2)) == content_digest(scaled_by(2))
    assert content_digest(scaled_by(2)) != content_digest(scaled_by(3))
    assert content_digest(lambda x: x in {1, 2}) != content_digest(lambda x: x in {1, 3})


def test_the_place_of_a_function_in_its_file_does_not_count() -> None:
    def made(lines: str) -> object:
        space: dict[str, Any] = {"__name__": "flows"}
        exec(f"{lines}def fit(x):\n    # says nothing\n    return x + 1", space)
        return space["fit"]

    assert content_digest(made("")) == content_digest(made("\n\n\n"))


class Bare:
    __slots__ = ()


CYCLE: list[Any] = [1]
CYCLE.append({"again": CYCLE})
DEEP: Any = 1
for _ in range(200):
    DEEP = [DEEP]


class Hostile:
    @property
    def name(self) -> str:
        raise ZeroDivisionError

    __members__ = ()


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (Bare(), "", "Bare cannot be hashed by content"),
        ([1, Bare()], "[1]", "Bare cannot be hashed by content"),
        ({"models": [Ride(1.0), (Bare(),)]}, ".models[1][0]", "Bare cannot be hashed by content"),
        ({3: Bare()}, "[3]", "Bare cannot be hashed by content"),
        (Ride(1.0, [Bare()]), ".stops[0]", "Bare cannot be hashed by content"),  # type: ignore[list-item]
        (CYCLE, "[1].again", "list contains itself"),
        (DEEP, "[0]" * 100, "list is nested deeper than 100 levels"),
        ((x for x in [1]), "", "generator cannot be hashed by content"),
        (Hostile(), "", "cannot be hashed by content (ZeroDivisionError: )"),
        (sys, "", "module cannot be hashed by content"),
    ],
)
def test_what_has_no_content_is_named_with_its_place(value: object, place: str, reason: str) -> None:
    with pytest.raises(NoContent) as caught:
        content_digest(value)
    assert caught.value.place == place
    assert reason in str(caught.value)


def test_a_doubling_structure_is_hashed_in_linear_time() -> None:
    value: Any = [0.5]
    for _ in range(80):
        value = [value, value]
    assert len(content_digest(value)) == 16


def test_pydantic_models_count_by_fields_and_secrets_by_value() -> None:
    pydantic = pytest.importorskip("pydantic")
    login = pydantic.create_model("Login", user=(str, ...), password=(pydantic.SecretStr, ...))
    assert content_digest(login(user="a", password="x")) == content_digest(login(user="a", password="x"))
    assert content_digest(login(user="a", password="x")) != content_digest(login(user="a", password="y"))


def test_attrs_classes_count_by_fields() -> None:
    attrs = pytest.importorskip("attrs")
    stop = attrs.make_class("Stop", ["name"])
    assert content_digest(stop("a")) == content_digest(stop("a"))
    assert content_digest(stop("a")) != content_digest(stop("b"))


# --- arrays and frames


def test_arrays_count_by_type_shape_and_every_byte() -> None:
    np = pytest.importorskip("numpy")
    base = np.arange(6.0).reshape(2, 3)
    assert content_digest(base) == content_digest(base.copy()) == content_digest(np.asfortranarray(base))
    assert content_digest(base) == content_digest(np.arange(12.0).reshape(2, 6)[:, :3] * 0 + base)
    last = base.copy()
    last[-1, -1] += 1e-12
    others = [
        last, base.T, base.reshape(3, 2), base.astype("f4"), base.astype(int), base.ravel(), base[:1], base[:0],
        np.array(["a", "b"]), np.array(["a", 1], dtype=object), np.array(["2021"], dtype="M8[D]"), np.array(1.0),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.ma.array([1, 2], mask=[0, 1]), np.float64(1),
        np.float32(1), np.int64(1), np.dtype("f8"), np.bool_(1),
    ]  # fmt: skip
    digests = {content_digest(value) for value in [base, *others]}
    assert len(digests) == len(others) + 1


def test_sparse_matrices_count_by_content() -> None:
    np, sparse = pytest.importorskip("numpy"), pytest.importorskip("scipy.sparse")
    one = sparse.csr_matrix(np.eye(3))
    assert content_digest(one) == content_digest(one.copy())
    assert len({content_digest(value) for value in (one, one * 2, one.tocsc(), one.tocoo(), one[:2])}) == 5


def test_frames_count_by_columns_types_index_and_every_value() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    base = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})
    assert content_digest(base) == content_digest(base.copy())
    attached = base.copy()
    attached.attrs["of"] = "today"
    others = [
        base.rename(columns={"a": "c"}), base[["b", "a"]], base.astype({"a": float}), base.iloc[:2], base.iloc[::-1],
        base.set_index("a"), base.replace("y", "z"), attached, base["a"], base["b"], base["a"].rename("c"),
        base["a"].set_axis([1, 2, 3]), base.index, base.columns, base["b"].astype("category"), pd.Series([1, 2, 3]),
        pd.Series([1, 2, 3], dtype="Int64"), pd.Series([1, 2, None], dtype="Int64"), pd.Series([True, False]),
        pd.date_range("2021", periods=3), pd.date_range("2021", periods=3, tz="UTC"), pd.Timestamp("2021"),
        pd.NaT, pd.NA,
        pd.Timedelta(1), pd.Period("2021"), pd.period_range("2021", periods=2), pd.interval_range(0, 2),
        pd.MultiIndex.from_tuples([(1, 2)]), pd.RangeIndex(4), pd.RangeIndex(0, 4, 2), pd.Categorical(["a", "b"]),
        pd.Categorical(["a", "b"], ordered=True), pd.Series(pd.to_timedelta([1, 2])), pd.Series([1j]), np.array([1]),
    ]  # fmt: skip
    digests = {content_digest(value) for value in [base, *others]}
    assert len(digests) == len(others) + 1


def test_arrow_and_polars_tables_count_by_content() -> None:
    pa = pytest.importorskip("pyarrow")
    values = [
        pa.table({"a": [1, 2]}), pa.table({"b": [1, 2]}), pa.table({"a": [1, None]}), pa.table({"a": [1.0, 2.0]}),
        pa.table({"a": ["x", "y"]}), pa.table({"a": [1, 2]}).replace_schema_metadata({"of": "today"}), pa.array([1, 2]),
        pa.array([1, 3]), pa.array([NEW_YEAR]), pa.array([NEW_YEAR.date()]), pa.array([NEW_YEAR.time()]),
        pa.array([[1]]),
        pa.array(["a"]).dictionary_encode(),
    ]  # fmt: skip
    assert len({content_digest(value) for value in values}) == len(values)
    chunked = pa.concat_tables([pa.table({"a": [0, 1]}).slice(1), pa.table({"a": [2]})])
    assert content_digest(chunked) == content_digest(values[0])


def test_polars_frames_count_by_content() -> None:
    pl = pytest.importorskip("polars")
    values = [
        pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"b": [1, 2]}), pl.DataFrame({"a": [1, None]}),
        pl.DataFrame({"a": [1.0, 2.0]}), pl.DataFrame({"a": ["x", "y"]}), pl.Series("a", [1, 2]),
        pl.Series("b", [1, 2]),
        pl.Series("a", [dt.date(2021, 1, 1)]), pl.Series("a", ["x"], dtype=pl.Categorical), pl.Series("a", [[1]]),
        pl.Series("a", [decimal.Decimal("1.1")]), pl.Series("a", [True, False]),
    ]  # fmt: skip
    assert len({content_digest(value) for value in values}) == len(values)
    chunked = pl.concat([pl.DataFrame({"a": [0, 1]})[1:], pl.DataFrame({"a": [2]})], rechunk=False)
    assert content_digest(chunked) == content_digest(values[0])


PROGRAM = """
    import collections, dataclasses, datetime as dt, enum, pathlib, functools
    from ostinato.core.cachekeys import content_digest

    class Color(enum.Enum):
        RED = "r"

    @dataclasses.dataclass
    class Ride:
        tags: set
        km: float = 1.5

    def fit(x, kinds=frozenset({"a", "b", "c"})):
        return x in {"u", "v", "w"}

    print(content_digest([
        {"b": 1, "a": {"x", "y", "z"}, ("t",): None}, Ride({"p", "q", "r"}), Color.RED, fit, Ride, Color,
        functools.partial(fit, 1), dt.datetime(2021, 1, 1, tzinfo=dt.timezone.utc), pathlib.PurePosixPath("a"), 2**70,
        collections.Counter("hello"), frozenset({"k", "l", "m", "n"}),
    ]).hex())
"""


def test_digests_are_the_same_in_every_process_whatever_the_hash_seed() -> None:
    found = set()
    for seed in ("0", "1", "2"):
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(ended.stdout)
    assert len(found) == 1


def test_hashing_by_content_imports_no_library() -> None:
    program = "import sys; from ostinato.core.cachekeys import content_digest as d; d([1]); d(print); d({1: 2})\n"
    program += "print(*{'numpy', 'pandas', 'pyarrow', 'polars', 'dataclasses', 'hashlib'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-S", "-c", program], env=_found_by_path(), capture_output=True, text=True, check=True
    )
    assert set(ended.stdout.split()) <= {"dataclasses"}  # msgspec itself needs it on some versions of Python


def _found_by_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


# --- policies and keys


def test_policies_compose() -> None:
    assert DEFAULT == INPUTS + TASK_SOURCE == TASK_SOURCE + INPUTS
    assert NO_CACHE == NONE
    assert INPUTS + NO_CACHE == INPUTS
    assert (DEFAULT - "debug").without == {"debug"}
    assert repr(DEFAULT - "debug") == "INPUTS + TASK_SOURCE - 'debug'"


@given(st.lists(st.sampled_from([INPUTS, TASK_SOURCE, RUN_ID, FLOW_PARAMETERS, INPUTS - "a"]), min_size=1))
def test_the_order_of_adding_does_not_matter(policies: list[CachePolicy]) -> None:
    assert functools.reduce(CachePolicy.__add__, policies) == functools.reduce(CachePolicy.__add__, reversed(policies))


def test_a_policy_looks_at_what_it_names_and_at_nothing_else() -> None:
    one = {"version": "v1", "arguments": {"x": 1}, "run_id": "r1", "flow_parameters": {"year": 2021}}
    other = {"version": "v2", "arguments": {"x": 2}, "run_id": "r2", "flow_parameters": {"year": 2022}}
    looks_at = {TASK_SOURCE: "version", INPUTS: "arguments", RUN_ID: "run_id", FLOW_PARAMETERS: "flow_parameters"}
    for policy, part in looks_at.items():
        assert key(policy, **one) != key(policy, **one | {part: other[part]})
        assert key(policy, **one) == key(policy, **other | {part: one[part]})


def test_different_policies_never_share_a_key() -> None:
    policies = [INPUTS, TASK_SOURCE, RUN_ID, FLOW_PARAMETERS, DEFAULT, INPUTS + RUN_ID, TASK_SOURCE + RUN_ID]
    assert len({key(policy, version="x", run_id="x") for policy in policies}) == len(policies)


def test_arguments_count_by_name_and_content_in_any_order() -> None:
    assert key(arguments={"a": 1, "b": [2]}) == key(arguments={"b": [2], "a": 1})
    assert key(arguments={"a": 1, "b": 2}) != key(arguments={"a": 2, "b": 1})
    assert key(arguments={"a": 1}) != key(arguments={"a": 1.0})
    assert key(arguments={"a": None}) != key(arguments={})


def test_an_argument_that_is_left_out_does_not_count_and_need_not_be_hashable() -> None:
    policy = INPUTS - "debug"
    assert key(policy, arguments={"x": 1, "debug": Bare()}) == key(policy, arguments={"x": 1, "debug": 2})


def test_an_argument_that_cannot_be_hashed_switches_the_cache_off_and_says_so() -> None:
    given: dict[str, Any] = {"version": "", "run_id": "", "flow_parameters": {"model": Bare()}}
    found, reason = cache_key(INPUTS, arguments={"x": 1, "models": [Bare()]}, **given)
    assert found is None
    assert reason == f"argument 'models'[0]: {__name__}.Bare cannot be hashed by content"
    found, reason = cache_key(FLOW_PARAMETERS, arguments={}, **given)
    assert (found, reason.partition(":")[0]) == (None, "flow parameter 'model'")


def test_no_cache_gives_no_key_and_no_complaint() -> None:
    assert cache_key(NO_CACHE, version="", arguments={"x": Bare()}, run_id="", flow_parameters={}) == (None, "")


def test_a_policy_that_leaves_out_an_unknown_argument_is_refused() -> None:
    assert check(INPUTS - "debug", ["x", "debug"], "task 'fit'") == INPUTS - "debug"
    with pytest.raises(BadOption, match="no argument 'debgu'"):
        check(INPUTS - "debgu", ["x", "debug"], "task 'fit'")
    with pytest.raises(BadOption, match="no cache policy"):
        check("inputs", ["x"], "task 'fit'")


def test_policies_combine_only_with_policies_and_names() -> None:
    with pytest.raises(TypeError):
        INPUTS + "debug"  # type: ignore[operator]
    with pytest.raises(TypeError):
        INPUTS - TASK_SOURCE  # type: ignore[operator]
