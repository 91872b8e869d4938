"""The rules of the registry: names, where an alias goes back to, what a gate lets pass."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core import registry as r
from ostinato.core.errors import ModelInvalid, ModelUriInvalid

RUN = "0a" * 16
MODEL = "m-" + "0b" * 16


def step(version: int, how: r.Move = "set", number: int = 0) -> r.AliasStep:
    return r.AliasStep(
        id=number, at=0, name="m", alias="a", version=version, previous=0, how=how, actor="", gate_run_id="", reason=""
    )


def result(check: r.Check, *, passed: bool = True, champion: int = 0) -> r.GateResult:
    return r.GateResult(
        id=1, at=0, name="m", version=2, alias="production", check="c", digest=r.digest_of(check), passed=passed,
        detail="so", champion=champion, gate_run_id="g", actor="",
    )  # fmt: skip


def measured(value: float, *digests: str) -> r.Measured:
    return r.Measured(run_id="t", value=value, digests=frozenset(digests))


# --- names


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("models:/rides/3", ("rides", "3")),
        ("models:///rides@champion", ("rides", "@champion")),
        ("models:/a b.c/Production", ("a b.c", "Production")),
        ("models:/rides/latest", ("rides", "latest")),
    ],
)
def test_a_uri_names_a_model_and_which_version(uri: str, found: tuple[str, str]) -> None:
    assert r.split_uri(uri) == found


@pytest.mark.parametrize("uri", ["models:/rides", "models:/rides/", "models:/a/b/c", "rides/3", "models:/@x", ""])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ModelUriInvalid):
        r.split_uri(uri)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"runs:/{RUN}/model", (RUN, "")),
        (f"runs:///{RUN}/a/b", (RUN, "")),
        (f"mlflow-artifacts:/7/{RUN}/artifacts/model", (RUN, "")),
        (f"mlflow-artifacts://host:80/7/{RUN}/artifacts", (RUN, "")),
        (f"models:/{MODEL}", ("", MODEL)),
        (f"mlflow-artifacts:/7/models/{MODEL}/artifacts", ("", MODEL)),
        ("s3://bucket/7/model", ("", "")),
        ("runs:/some-run/model", ("", "")),
    ],
)
def test_a_source_says_which_run_or_logged_model_its_files_belong_to(source: str, found: tuple[str, str]) -> None:
    assert r.traced(source) == found


@given(st.text(max_size=20))
def test_an_alias_is_refused_or_kept_and_kept_again(text: str) -> None:
    try:
        alias = r.alias_of(text)
    except ModelInvalid:
        return
    assert r.alias_of(alias) == alias
    assert alias.lower() == text.lower()
    assert not alias.isdecimal()


# --- going back


def test_going_back_takes_back_what_came_after() -> None:
    history = [step(1), step(2), step(3)]
    assert r.fallen_back(history, frozenset({1, 2, 3})) == [2, 1]
    assert r.fallen_back([*history, step(2, "rollback")], frozenset({1, 2, 3})) == [1]
    assert r.fallen_back([*history, step(1, "rollback"), step(3)], frozenset({1, 2, 3})) == [1]
    assert r.fallen_back([*history, step(0, "removed"), step(3)], frozenset({1, 3})) == [1]
    assert r.fallen_back([], frozenset()) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["set", "removed", "override"])), max_size=30))
def test_going_back_again_and_again_ends(moves: list[tuple[int, Any]]) -> None:
    history = [step(version, how) for version, how in moves]
    there = frozenset(range(1, 6))
    seen = 0
    while ways := r.fallen_back(history, there):
        assert set(ways) <= there
        history.append(step(ways[0], "rollback"))
        seen += 1
        assert seen <= len(moves)


# --- gates


def test_a_check_counts_as_it_is_defined_and_against_the_champion_of_now() -> None:
    better = r.BetterThanChampion(metric="rmse")
    bound = r.MetricBound(metric="rmse", max=6.5)
    policy = r.Policy(checks={"better": better, "bound": bound})
    results = {"better": result(better, champion=1), "bound": result(bound, champion=1)}
    assert r.unmet(policy, results, 1) == []
    assert r.unmet(policy, results, 3) == ["better: compared with version 1, the champion is version 3"]
    assert r.unmet(policy, {**results, "bound": result(bound, passed=False)}, 1) == ["bound: so"]
    assert r.unmet(policy, {"better": results["better"]}, 1) == ["bound: not checked"]
    tighter = r.Policy(checks={"better": better, "bound": r.MetricBound(metric="rmse", max=6.4)})
    assert r.unmet(tighter, results, 1) == ["bound: checked by an older policy"]


@given(st.floats(allow_nan=True), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_bound_lets_pass_what_lies_within(value: float, low: float, high: float) -> None:
    passed, said = r.judge_bound("rmse", value, low, high)
    assert passed is (low <= value <= high)
    assert "rmse" in said
    assert not math.isnan(value) or not passed


def test_only_equal_data_is_compared() -> None:
    check = r.BetterThanChampion(metric="rmse")
    mine = [measured(6.4, "a", "b"), measured(6.3, "a")]
    assert r.judge_against(check, mine, [measured(6.5, "a", "b")], 1)[0]
    assert not r.judge_against(check, mine, [measured(6.2, "a")], 1)[0]
    assert not r.judge_against(check, mine, [measured(9.9, "b")], 1)[0]
    assert not r.judge_against(check, [measured(6.4)], [measured(9.9)], 1)[0]
    assert r.judge_against(check, [], [], 0)[0]


@pytest.mark.parametrize(
    ("goal", "by", "mine", "theirs", "passes"),
    [
        ("lower", 0.0, 6.4, 6.4, False),
        ("lower", 0.1, 6.25, 6.5, True),
        ("lower", 0.5, 6.25, 6.5, False),
        ("lower", -0.5, 6.75, 6.5, True),
        ("higher", 0.0, 0.9, 0.8, True),
        ("higher", 0.0, 0.8, 0.9, False),
        ("lower", 0.0, math.nan, 6.5, False),
        ("lower", 0.0, 6.4, math.nan, False),
    ],
)
def test_better_means_by_how_much_in_which_direction(
    goal: r.Goal, by: float, mine: float, theirs: float, *, passes: bool
) -> None:
    check = r.BetterThanChampion(metric="m", goal=goal, by=by)
    assert r.judge_against(check, [measured(mine, "a")], [measured(theirs, "a")], 1)[0] is passes


def test_a_policy_survives_as_json() -> None:
    checks: dict[str, r.Check] = {
        "a": r.MetricBound(metric="m", max=1.0),
        "b": r.SignatureFits(),
        "c": r.TaskPasses(task="c.py:f"),
        "d": r.Approval(by=("ann",)),
        "e": r.LatencyBound(max_s=1.0),
        "f": r.BetterThanChampion(metric="m"),
    }
    policy = r.Policy(checks=checks, aliases=("staging",))
    assert r.policy_of(msgspec.json.encode(policy).decode()) == policy
    assert len({r.digest_of(check) for check in checks.values()}) == len(checks)
    assert r.policy_of("") is None
