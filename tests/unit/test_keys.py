"""Task keys and code versions: equal in every process for the same call, different for different ones."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ostinato.core.keys import call_name, chosen_key, name_value, nth_key
from ostinato.core.versions import code_version
from ostinato.engine.plain import plain_inputs

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.frozensets(st.text(max_size=4) | st.integers(), max_size=4)
    ),
    max_leaves=12,
)


def nobody(_: object) -> None:
    """No value has a producer."""


def key_of(*values: object) -> bytes:
    return call_name(b"", "task", [name_value(value, nobody) for value in values])


def typed(value: object) -> object:
    """Give the value so that == tells types apart too."""
    if isinstance(value, dict):
        return ("dict", frozenset((typed(k), typed(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(typed(item) for item in value))
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, frozenset(typed(item) for item in value))
    return (type(value).__name__, repr(value))


@given(VALUES, VALUES)
def test_values_have_equal_names_exactly_when_they_are_equal_and_of_one_type(a: object, b: object) -> None:
    assert (key_of(a) == key_of(b)) == (typed(a) == typed(b))


@given(VALUES)
def test_a_copy_has_the_same_name(value: object) -> None:
    import copy

    assert key_of(value) == key_of(copy.deepcopy(value))


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, 1.0), (1, True), (1, "1"), (0, False), (None, "None"), (b"a", "a"), ((1,), [1]), ({1}, frozenset({1})),
     (0.0, -0.0), ("", b""), ([[]], [()]), ({"a": 1}, [("a", 1)]), (1 << 70, (1 << 70) + 1)],
)  # fmt: skip
def test_typed_inputs_differ(a: object, b: object) -> None:
    assert key_of(a) != key_of(b)


@given(st.lists(ATOMS, max_size=4), st.dictionaries(st.text(min_size=1, max_size=3), ATOMS, max_size=3))
def test_the_short_path_names_a_call_as_the_long_one_does(args: list[Any], kwargs: dict[str, Any]) -> None:
    """Born from a bug: numbers beyond 64 bits had two names, so that a resume made their calls anew."""
    plain = plain_inputs(tuple(args), kwargs)
    if plain is None:
        return
    names: list[Any] = [name_value(value, nobody) for value in args]
    if kwargs:
        names.append(sorted([name, name_value(value, nobody)] for name, value in kwargs.items()))
    assert call_name(b"k", "task", plain) == call_name(b"k", "task", names)


@given(st.lists(st.integers(0, 3), max_size=30), st.randoms(use_true_random=False))
def test_a_key_does_not_depend_on_the_order_of_unlike_calls(inputs: list[int], order: random.Random) -> None:
    """Calls with equal inputs are numbered among themselves alone: others may come before, after or between."""

    def keys(calls: list[int]) -> dict[int, list[bytes]]:
        counts: dict[bytes, int] = {}
        made: dict[int, list[bytes]] = {}
        for value in calls:
            name = key_of(value)
            made.setdefault(value, []).append(nth_key(name, counts.get(name, 0)))
            counts[name] = counts.get(name, 0) + 1
        return made

    shuffled = list(inputs)
    order.shuffle(shuffled)
    assert keys(inputs) == keys(shuffled)
    assert keys([*inputs, 9])[9] == keys([9])[9]
    every = [key for group in keys(inputs).values() for key in group]
    assert len(every) == len(set(every))


def test_chosen_keys_belong_to_their_caller_and_task() -> None:
    keys = {chosen_key(caller, task, key) for caller in (b"", b"c") for task in ("a", "b") for key in ("x", "y")}
    assert len(keys) == 8


class Foreign:
    def __init__(self, x: object) -> None:
        self.x = x


def test_foreign_values_are_named_by_type_and_a_sample() -> None:
    assert key_of(Foreign(1)) == key_of(Foreign(1)) != key_of(Foreign(2))
    assert key_of(Foreign({"a", "b", "c"})) == key_of(Foreign({"c", "b", "a"}))
    assert key_of(Foreign(print)) == key_of(Foreign(print)) != key_of(Foreign(len))
    assert key_of(lambda: 1) != key_of(1)
    assert len(key_of(list(range(100_000)))) == 16
    assert key_of(set(range(5000))) == key_of(set(range(5000)))


HASHES = """
import dataclasses, enum, sys
from ostinato.core.keys import call_name, name_value
from ostinato.core.versions import code_version

class Kind(enum.Enum):
    ONE = 1

@dataclasses.dataclass
class Config:
    names: set = dataclasses.field(default_factory=lambda: {"a", "b", "c", "d"})
    kind: Kind = Kind.ONE
    inner: object = None

def helper(x):
    return x in {"alpha", "beta", "gamma"}

def fn(x, y={"p", "q"}, z=("a", frozenset({"b", "c"}))):
    return helper(x) and Config()

values = [Config(), Config(inner=Config()), {f"n{i}" for i in range(3000)}, Kind.ONE, Config, helper, [Config()] * 2]
print([call_name(b"", "t", [name_value(v, lambda _: None)]).hex() for v in values], code_version(fn))
"""


def test_names_and_versions_are_equal_in_processes_with_other_hash_seeds_and_as_main_or_module(tmp_path: Path) -> None:
    """Born from bugs: sets in code and classes of the file that is run had other names in the resuming process."""
    (tmp_path / "hashes.py").write_text(HASHES)
    said = {
        subprocess.run(
            [sys.executable, *how], cwd=tmp_path, env={"PYTHONHASHSEED": str(seed)}, capture_output=True, text=True,
            timeout=30, check=True,
        ).stdout
        for seed in (1, 2)
        for how in (["hashes.py"], ["-c", "import hashes"])
    }  # fmt: skip
    assert len(said) == 1, said
    assert all(said)


# --- versions


def make(source: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"__name__": "somewhere", "functools": functools, "dataclasses": dataclasses}
    exec(compile(source, "somewhere.py", "exec"), space)
    return space["fn"]  # type: ignore[no-any-return]


BASE = "def fn(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    "same",
    [
        "def fn(x):\n    # a comment\n    return x + 1\n",
        'def fn(x):\n    "A docstring."\n    return x + 1\n',
        "\n\n\ndef fn(x):\n\n    return x + 1\n",
        "def other():\n    return 5\n\ndef fn(x):\n    return x + 1\n",
    ],
)
def test_comments_docstrings_places_and_other_functions_do_not_count(same: str) -> None:
    assert code_version(make(same)) == code_version(make(BASE))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (BASE, "def fn(x):\n    return x + 2\n"),
        (BASE, "def fn(x):\n    return x - 1\n"),
        ("def fn(x, n=1):\n    return x + n\n", "def fn(x, n=2):\n    return x + n\n"),
        ("def fn(x, *, n=1):\n    return x + n\n", "def fn(x, *, n=2):\n    return x + n\n"),
        ("def h(x):\n    return x\n" + "def fn(x):\n    return h(x)\n",
         "def h(x):\n    return -x\n" + "def fn(x):\n    return h(x)\n"),
        ("class C:\n    def m(self):\n        return 1\n" + "def fn(x):\n    return C().m()\n",
         "class C:\n    def m(self):\n        return 2\n" + "def fn(x):\n    return C().m()\n"),
        ("class B:\n    def m(self):\n        return 1\nclass C(B):\n    pass\n" + "def fn(x):\n    return C().m()\n",
         "class B:\n    def m(self):\n        return 2\nclass C(B):\n    pass\n" + "def fn(x):\n    return C().m()\n"),
        ("@functools.lru_cache\ndef h(x):\n    return x\n" + "def fn(x):\n    return h(x)\n",
         "@functools.lru_cache\ndef h(x):\n    return -x\n" + "def fn(x):\n    return h(x)\n"),
        ("def outer(n):\n    def fn(x):\n        return x + n\n    return fn\nfn = outer(1)\n",
         "def outer(n):\n    def fn(x):\n        return x + n\n    return fn\nfn = outer(2)\n"),
        ("def wrap(f):\n    def inner(*a):\n        return f(*a)\n    return inner\n@wrap\ndef fn(x):\n    return 1\n",
         "def wrap(f):\n    def inner(*a):\n        return f(*a)\n    return inner\n@wrap\ndef fn(x):\n    return 2\n"),
        ("def f(x):\n    return 1\nfn = functools.partial(f, 1)\n",
         "def f(x):\n    return 2\nfn = functools.partial(f, 1)\n"),
        ("class C:\n    def __call__(self, x):\n        return 1\nfn = C()\n",
         "class C:\n    def __call__(self, x):\n        return 2\nfn = C()\n"),
    ],
)  # fmt: skip
def test_what_a_function_does_counts(one: str, two: str) -> None:
    assert code_version(make(one)) == code_version(make(one))
    assert code_version(make(one)) != code_version(make(two))


def test_functions_that_call_one_another_have_a_version() -> None:
    source = "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\nfn = odd\n"
    assert len(code_version(make(source))) == 12
    assert len(code_version(len)) == 12
