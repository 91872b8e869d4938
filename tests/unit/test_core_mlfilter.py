"""MLflow's filter grammar: what it takes, and how it says where a text fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.errors import FilterInvalid
from ostinato.core.mlfilter import EXPERIMENTS, LONGEST, RUNS, Comparison, Order, parse, parse_order


def compared(text: str) -> list[tuple[str, str, str, object]]:
    return [(one.kind, one.key, one.op, one.value) for one in parse(text, RUNS)]


def test_the_filter_of_a_staging_flow_gives_two_comparisons_of_metrics() -> None:
    text = "metrics.rmse_valid < 6.5 and metrics.inference_time < 20e-6"
    assert compared(text) == [
        ("metric", "rmse_valid", "<", 6.5),
        ("metric", "inference_time", "<", 20e-6),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.depth = '3'", ("param", "depth", "=", "3")),
        ('params."max depth" != "3"', ("param", "max depth", "!=", "3")),
        ("parameter.`a.b c` ilike '%X_'", ("param", "a.b c", "ILIKE", "%X_")),
        ("tags.mlflow.source.name LIKE 'a%'", ("tag", "mlflow.source.name", "LIKE", "a%")),
        ("tags.owner is null", ("tag", "owner", "IS NULL", None)),
        ("tags.owner IS  NOT NULL", ("tag", "owner", "IS NOT NULL", None)),
        ("attributes.status = 'FINISHED'", ("attribute", "status", "=", "FINISHED")),
        ("status != 'it''s'", ("attribute", "status", "!=", "it's")),
        ("`Run name` = 'x'", ("attribute", "run_name", "=", "x")),
        ("attr.Created >= 1700000000000", ("attribute", "start_time", ">=", 1700000000000)),
        ("run_id IN ('a', \"b\",)", ("attribute", "run_id", "IN", ("a", "b"))),
        ("run.run_id not in ('a')", ("attribute", "run_id", "NOT IN", ("a",))),
        ("datasets.digest = 'x'", ("dataset", "digest", "=", "x")),
        ("metric.Größe/μ >= -.5E+3", ("metric", "Größe/μ", ">=", -500.0)),
        ("metrics.m<>1", ("metric", "m", "!=", 1)),
        ("params.x = 'a and b'", ("param", "x", "=", "a and b")),
    ],
)
def test_one_comparison(text: str, expected: tuple[str, str, str, object]) -> None:
    assert compared(text) == [expected]


def test_nothing_is_a_filter_that_all_pass() -> None:
    assert parse("", RUNS) == parse("  \n", RUNS) == ()


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("metrics.a < 'x'", 13, "expected a number for metric 'a', not \"'x'\""),
        ("params.a = 3", 12, "expected a text in quotes for param 'a', not '3'"),
        ("metrics.a <", 12, "expected a number for metric 'a', and there is nothing more"),
        ("metrics.a < 1 or metrics.b < 2", 15, "expected AND, or the end, not 'or metrics.b < 2'"),
        ("metrics.a LIKE '1'", 11, "metric 'a' takes =, !=, <, <=, >, >=, not LIKE"),
        ("params.a < '1'", 10, "param 'a' takes =, !=, LIKE, ILIKE, NOT LIKE, NOT ILIKE, IS NULL, IS NOT NULL, not <"),
        ("foo.a = '1'", 1, "'foo' is none of metrics, params, tags, datasets, attributes"),
        ("nothing = '1'", 1, "there is no attribute 'nothing'; there are "),
        ("metrics. = 1", 10, "expected a name such as metrics.rmse, not '= 1'"),
        ("metrics.`` = 1", 9, "the name is empty"),
        ("params.a = 'x", 12, "expected a text in quotes for param 'a', not \"'x\""),
        ("run_id IN ('a'", 15, "expected a comma, or ), and there is nothing more"),
        ("run_id IN ()", 12, "expected a text in quotes, not ')'"),
        ("metrics.a = 1and metrics.b = 2", 13, "expected a number"),
    ],
)
def test_an_error_says_where(text: str, column: int, reason: str) -> None:
    with pytest.raises(FilterInvalid) as caught:
        parse(text, RUNS)
    assert caught.value.values["column"] == column
    assert reason in caught.value.message


def test_experiments_have_no_metrics() -> None:
    assert parse("name ILIKE 'taxi%' and tags.team = 'x'", EXPERIMENTS)[0].op == "ILIKE"
    with pytest.raises(FilterInvalid, match="'metrics' is none of tags, attributes"):
        parse("metrics.a = 1", EXPERIMENTS)


def test_too_long_a_filter_is_refused() -> None:
    with pytest.raises(FilterInvalid, match="longer than"):
        parse("x" * (LONGEST + 1), RUNS)
    with pytest.raises(FilterInvalid, match="more than 50"):
        parse(" and ".join(["metrics.a < 1"] * 51), RUNS)


def test_order() -> None:
    assert parse_order("metrics.rmse_valid ASC", RUNS) == Order(kind="metric", key="rmse_valid")
    assert parse_order('params."a b" desc', RUNS) == Order(kind="param", key="a b", descending=True)
    assert parse_order("start_time", RUNS) == Order(kind="attribute", key="start_time")
    for text in ("metrics.a up", "metrics.a ASC DESC", "", "nothing ASC"):
        with pytest.raises(FilterInvalid):
            parse_order(text, RUNS)


_KEYS = st.text(st.characters(exclude_characters="`", codec="utf-8"), min_size=1, max_size=20)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(key=_KEYS, value=_TEXTS, number=st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_quoted_comes_back(key: str, value: str, number: float) -> None:
    quoted = value.replace("'", "''")
    text = f"params.`{key}` = '{quoted}' AND metrics.`{key}` < {number!r}"
    assert parse(text, RUNS) == (
        Comparison(kind="param", key=key, op="=", value=value),
        Comparison(kind="metric", key=key, op="<", value=number),
    )


@given(text=st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    column = 1
    try:
        parse(text, RUNS)
    except FilterInvalid as error:
        column = int(str(error.values["column"]))
    assert 1 <= column <= len(text) + 1
