"""The query grammar: what each term means, and where a wrong one fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.errors import QueryInvalid
from ostinato.core.query import RUN_FIELDS, Op, Query, Term, Value, parse, parse_duration, quote
from ostinato.core.states import ACTIVE, SUCCESSFUL, TABLE, TERMINAL, UNSUCCESSFUL

NOW = 1_795_000_000_000_000
HOUR = 3_600_000_000
DAY = 24 * HOUR


def terms(text: str) -> tuple[Term, ...]:
    return parse(text, RUN_FIELDS, now=NOW).terms


def term(text: str) -> Term:
    (only,) = terms(text)
    return only


def us(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]


def test_an_empty_query_has_no_terms() -> None:
    assert parse(" \n\t ", RUN_FIELDS) == Query()


@pytest.mark.parametrize(
    ("text", "field", "op", "values"),
    [
        ("flow:train", "flow", "in", ("train",)),
        ("FLOW:Train", "flow", "in", ("Train",)),
        ('flow:"my flow"', "flow", "in", ("my flow",)),
        (r'flow:"a \"b\" \\ c"', "flow", "in", ('a "b" \\ c',)),
        ("flow:a,b,a", "flow", "in", ("a", "b")),
        ('flow:"a,b",c', "flow", "in", ("a,b", "c")),
        ("flow:größe", "flow", "in", ("größe",)),
        ("flow:'x'", "flow", "in", ("'x'",)),
        ("tag:gpu,cpu", "tag", "in", ("gpu", "cpu")),
        ("name:quiet-otter", "name", "in", ("quiet-otter",)),
        ("id:01A2", "id", "prefix", ("01a2",)),
        ("parent:none", "parent", "none", ()),
        ("parent:01a2", "parent", "prefix", ("01a2",)),
        ("ended:none", "ended", "none", ()),
        ("attempt:2", "attempt", "in", (2,)),
        ("attempt:1,2", "attempt", "in", (1, 2)),
        ("attempt:>=2", "attempt", ">=", (2,)),
        ("epoch:<1.5", "epoch", "<", (1.5,)),
        ("attempt:-1", "attempt", "in", (-1,)),
        ("duration:>5m", "duration", ">", (300_000_000,)),
        ("duration:<=1h30m", "duration", "<=", (5_400_000_000,)),
        ("duration:<0.5s", "duration", "<", (500_000,)),
        ("duration:>=250ms", "duration", ">=", (250_000,)),
        ("since:24h", "created", ">=", (NOW - DAY,)),
        ("until:1w", "created", "<=", (NOW - 7 * DAY,)),
        ("started:>1h", "started", ">", (NOW - HOUR,)),
        ("since:now", "created", ">=", (NOW,)),
        ("otter", "", "has", ("otter",)),
        ('"quiet otter"', "", "has", ("quiet otter",)),
        ("a,b", "", "has", ("a,b",)),
        ('"flow:x"', "", "has", ("flow:x",)),
    ],
)
def test_a_term_means(text: str, field: str, op: Op, values: tuple[Value, ...]) -> None:
    assert term(text) == Term(field=field, op=op, values=values)
    assert term("-" + text) == Term(field=field, op=op, values=values, negated=True)


@pytest.mark.parametrize(
    ("text", "op", "values"),
    [
        ("until:2026-01-01", "<", (us(2026, 1, 2),)),
        ("since:2026-01-01", ">=", (us(2026, 1, 1),)),
        ("created:2026-01-01", "within", (us(2026, 1, 1), us(2026, 1, 2))),
        ("created:>2026-01-01", ">=", (us(2026, 1, 2),)),
        ("created:>=2026-01-01", ">=", (us(2026, 1, 1),)),
        ("created:<2026-01-01", "<", (us(2026, 1, 1),)),
        ("created:<=2026-01-01", "<", (us(2026, 1, 2),)),
        ("created:2026-01-01T12:30", "within", (us(2026, 1, 1, 12, 30), us(2026, 1, 1, 12, 30) + 1)),
        ("since:2026-01-01T12:30:00+02:00", ">=", (us(2026, 1, 1, 10, 30),)),
        ('since:"2026-01-01 12:30Z"', ">=", (us(2026, 1, 1, 12, 30),)),
        ("since:today", ">=", (NOW // DAY * DAY,)),
        ("until:yesterday", "<", (NOW // DAY * DAY,)),
    ],
)
def test_a_date_is_its_whole_day_and_an_instant_is_exact(text: str, op: Op, values: tuple[int, ...]) -> None:
    assert term(text) == Term(field="created", op=op, values=values)


def test_dates_without_a_zone_are_in_the_zone_of_the_caller() -> None:
    query = parse("since:2026-01-01", RUN_FIELDS, now=NOW, zone=timezone(timedelta(hours=2)))
    assert query.terms[0].values == (us(2025, 12, 31, 22),)


def test_state_names_are_read_in_any_case_and_groups_stand_for_their_states() -> None:
    assert term("state:failed").values == ("Failed",)
    assert term("state:TIMEDOUT,crashed").values == ("TimedOut", "Crashed")
    for group, members in (
        ("active", ACTIVE),
        ("ended", TERMINAL),
        ("successful", SUCCESSFUL),
        ("unsuccessful", UNSUCCESSFUL),
    ):
        assert set(term(f"state:{group}").values) == members
    assert set(term("state:active,ended").values) == set(TABLE)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("flwo:train", 1, "perhaps you mean 'flow'"),
        ("-flwo:train", 2, "perhaps you mean 'flow'"),
        ("a http://x", 3, "there is no field 'http'"),
        ("flow:a state:faild", 14, "perhaps you mean 'Failed'"),
        ("state:sched", 7, "perhaps you mean 'Scheduled'."),
        ("state:failed,crshed", 14, "perhaps you mean 'Crashed'"),
        ("flow:", 6, "needs a value"),
        ("flow: x", 6, "needs a value"),
        ("flow:a,", 8, "missing after the comma"),
        ("flow:,a", 6, "needs a value"),
        ('flow:"x', 6, "closing quote"),
        ('flow:""', 6, "quotes are empty"),
        ('flow:"x"y', 9, "a space is missing"),
        ('fl"ow', 3, "a space is missing"),
        ("-", 2, "needs a term"),
        ("a - b", 4, "needs a term"),
        ("flow:>a", 7, "cannot be compared"),
        ("state:>=failed", 9, "cannot be compared"),
        ("duration:5m", 10, "put < <= > or >="),
        ("duration:>5", 11, "no duration"),
        ("duration:>5x", 11, "no duration"),
        ("duration:>99999999999999w", 11, "no duration"),
        ("duration:>1m,2m", 14, "takes one value"),
        ("since:>2h", 8, "means >= already"),
        ("since:1h,2h", 10, "takes one value"),
        ("since:13", 7, "no instant"),
        ("since:2026-13-01", 7, "no instant"),
        ("since:9999-12-31", 7, "no instant"),
        ("attempt:two", 9, "not a number"),
        ("attempt:nan", 9, "not a number"),
        ("attempt:inf", 9, "not a number"),
        ("flow:a not state:failed", 8, "write `-state:failed`"),
        ("id:xyz", 4, "hexadecimal"),
        ("parent:none,01", 8, "stands alone"),
        ("ok y:z", 4, "there is no field 'y'"),
    ],
)
def test_a_wrong_term_names_its_column_and_what_was_meant(text: str, column: int, reason: str) -> None:
    with pytest.raises(QueryInvalid) as caught:
        terms(text)
    assert caught.value.values["column"] == column
    assert reason in caught.value.message
    assert "flow" in caught.value.hint


def test_a_quoted_none_is_a_value() -> None:
    with pytest.raises(QueryInvalid, match="hexadecimal"):
        terms('parent:"none"')


words = st.text(min_size=1).filter(lambda text: not text.isspace())


@given(words)
def test_any_text_survives_quoting(value: str) -> None:
    assert term(f"flow:{quote(value)}").values == (value,)


@given(st.lists(words, min_size=1, unique=True), st.booleans())
def test_any_list_of_texts_survives_quoting(values: list[str], negated: bool) -> None:
    written = ("-" if negated else "") + "tag:" + ",".join(map(quote, values))
    assert term(written) == Term(field="tag", op="in", values=tuple(values), negated=negated)


@given(st.text())
def test_any_text_is_a_query_or_is_refused_within_its_columns(text: str) -> None:
    try:
        parse(text, RUN_FIELDS, now=NOW)
    except QueryInvalid as error:
        column = error.values["column"]
        assert isinstance(column, int)
        assert 1 <= column <= len(text) + 1


PARTS = st.sampled_from(["flow:", "state:", "since:", "-", '"', ",", ">", "<=", " ", "a", "5m", "failed", "none", "\\"])


@given(st.lists(PARTS, max_size=12).map("".join))
def test_any_row_of_grammar_pieces_is_a_query_or_is_refused(text: str) -> None:
    try:
        found = parse(text, RUN_FIELDS, now=NOW)
    except QueryInvalid:
        return
    assert all(term.op == "none" or term.values for term in found.terms)


@given(st.lists(st.sampled_from(["flow:a", "state:failed", "since:1h", "otter", "-tag:x"])))
def test_terms_keep_their_order_and_do_not_depend_on_each_other(parts: list[str]) -> None:
    assert terms("  ".join(parts)) == tuple(term(part) for part in parts)


@given(st.integers(min_value=0, max_value=10**6), st.sampled_from([("ms", 1000), ("s", 10**6), ("d", DAY)]))
def test_a_duration_is_its_amount_times_its_unit(amount: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{amount}{unit[0]}") == amount * unit[1]
