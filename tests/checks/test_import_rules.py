"""The rules about imports refuse what they should, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from checks import cycles, doors, hidden_imports

if TYPE_CHECKING:
    from tests.checks.conftest import Tree

DOORS = "\n".join(f"DOOR_{number} = {door!r}" for number, door in enumerate(doors.DOORS))


def test_two_modules_that_import_one_another_are_a_cycle(tree: Tree) -> None:
    to_a = "from ostinato.core import a"
    root = tree(core__a="from ostinato.core import b", core__b=to_a, core__c="import ostinato.core.a")
    found = list(cycles.violations(root))
    assert found[0] == "ostinato.core.a -> ostinato.core.b import one another:"
    assert not any("core.c" in line for line in found)


def test_an_import_hidden_in_a_function_closes_a_cycle(tree: Tree) -> None:
    root = tree(core__a="from ostinato.core.b import x", core__b="def f():\n    from ostinato.core.a import y")
    assert any("core.b:2" in line and "hidden" in line for line in cycles.violations(root))


def test_an_import_string_closes_a_cycle(tree: Tree) -> None:
    root = tree(core__a="from ostinato.core.b import x", core__b="import_module('ostinato.core.a')")
    assert any("string" in line for line in cycles.violations(root))


@pytest.mark.parametrize(
    "line",
    [
        "if TYPE_CHECKING:\n    from ostinato.core.a import y",
        "log = logging.getLogger('ostinato.core.a')",
        "name = 'ostinato.core.nowhere'",
        "from os import path",
    ],
)
def test_what_loads_nothing_closes_no_cycle(tree: Tree, line: str) -> None:
    root = tree(core__a="from ostinato.core.b import x", core__b=line)
    assert list(cycles.violations(root)) == []


def test_a_knot_of_three_is_found_once() -> None:
    edges = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("ad"), "d": frozenset("e"), "e": frozenset[str]()}
    assert cycles.knots(edges) == [["a", "b", "c"]]


def test_the_listed_doors_are_open_and_no_other_upward_string(tree: Tree) -> None:
    root = tree(
        core__ports=DOORS,
        session__init="",
        session__loans="",
        session__recorder="",
        workers__serving="",
        core__states="WAY = 'ostinato.session:other'",
        engine__flows="import_module('ostinato.core.states')",
    )
    found = list(doors.violations(root))
    assert len(found) == 1
    assert "src/ostinato/core/states.py:1" in found[0]


def test_a_listed_door_that_is_gone_is_said(tree: Tree) -> None:
    gone = "ostinato.session:reader"
    root = tree(
        core__ports=DOORS.replace(gone, "ostinato.session:recorder"),
        session__init="",
        session__loans="",
        workers__serving="",
    )
    assert list(doors.violations(root)) == [
        f"scripts/checks/doors.py lists {gone!r}, which ostinato.core.ports does not open"
    ]


def test_an_import_in_a_function_is_refused_except_where_it_may_be(tree: Tree) -> None:
    body = "def f():\n    import json\n"
    root = tree(core__a=body, engine__runners__pool=body, session__writer=body, sessions=body, core__b="import json")
    assert [line.partition(" ")[0] for line in hidden_imports.violations(root)] == [
        "src/ostinato/core/a.py:2",
        "src/ostinato/sessions.py:2",
    ]


def test_an_import_in_a_method_of_a_class_is_hidden_too(tree: Tree) -> None:
    root = tree(core__a="class A:\n    def f(self):\n        if self:\n            from os import path\n")
    assert len(list(hidden_imports.violations(root))) == 1
