"""Backfills: which instants of a schedule lie in a range of dates, and what is to be done for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.backfill import MOST_INSTANTS, TAG, Mode, Work, decide, instants, span
from ostinato.core.codec import digest
from ostinato.core.errors import BadOption
from ostinato.core.events import Source
from ostinato.core.records import FlowRun
from ostinato.core.results import Result
from ostinato.core.schedules import Cron, Interval
from ostinato.core.states import SUCCESSFUL, TABLE, TERMINAL

if TYPE_CHECKING:
    from ostinato.core.states import StateName

MONTHLY = Cron("0 3 2 * *")
AT = 1_675_306_800_000_000
DAY_US = 86_400_000_000


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def shown(found: list[int]) -> list[str]:
    return [f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d %H:%M}" for at in found]


def work(mode: Mode = "once", version: str = "v1", **parameters: Any) -> Work:
    return Work(deployment_id="d1", slug="cron-1", version=version, parameters=parameters, mode=mode)


def run(
    run_id: str,
    state: StateName,
    *,
    tags: tuple[str, ...] = (TAG,),
    version: str = "v1",
    parameters: dict[str, Any] | None = None,
) -> FlowRun:
    packed = msgspec.msgpack.encode(parameters) if parameters else b""
    arguments = Result("m", packed, "", len(packed), digest(packed)) if packed else None
    return FlowRun(
        id=run_id, name=run_id, flow="score", state=state, message="", epoch=1, attempt=1, root_id=run_id,
        parent_id="", key=b"", no=0, upstream=(), created_at=AT, expected_at=AT, started_at=None, ended_at=None,
        parameters=b"{}", arguments=arguments, tags=tags, version=version, source=Source("", "", "", ""), stream="",
        result=None, error=None, n_reused=0, n_logs_dropped=0,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2023-02-01", "2023-05-31", ["2023-02-02", "2023-03-02", "2023-04-02", "2023-05-02"]),
        ("2023-02", "2023-05", ["2023-02-02", "2023-03-02", "2023-04-02", "2023-05-02"]),
        ("2023-02-02", "2023-03-02", ["2023-02-02", "2023-03-02"]),
        ("2023-02-03", "2023-03-01", []),
        ("2023-02-02T03:00", "2023-02-02T03:00", ["2023-02-02"]),
        ("2023-02-02T03:01", "2023-03-02T02:59", []),
        ("2023-02-02T04:00+01:00", "2023-02-02T04:00+01:00", ["2023-02-02"]),
        ("2023-12", "2024-01", ["2023-12-02", "2024-01-02"]),
    ],
)
def test_both_ends_of_a_range_are_in_it(begin: str, end: str, expected: list[str]) -> None:
    assert shown(instants(MONTHLY, *span(begin, end, "UTC"))) == [f"{day} 03:00" for day in expected]


def test_dates_are_read_on_the_clock_of_the_schedule() -> None:
    first, last = span("2023-02-02", "2023-02-02", "America/New_York")
    assert first == us("2023-02-02T05:00+00:00")
    assert last == us("2023-02-03T05:00+00:00") - 1
    nightly = Cron("30 23 * * *", timezone="America/New_York")
    assert shown(instants(nightly, first, last)) == ["2023-02-03 04:30"]


@pytest.mark.parametrize(("day", "hours"), [("2023-03-26", 23), ("2023-10-29", 25), ("2023-06-01", 24)])
def test_a_day_on_which_the_clock_changes_is_as_long_as_it_is(day: str, hours: int) -> None:
    first, last = span(day, day, "Europe/Berlin")
    assert last + 1 - first == hours * 3_600_000_000
    assert len(instants(Interval(3600), first, last)) == hours


@pytest.mark.parametrize("text", ["2023-2", "2023", "yesterday", "", "2023-02-30", "2023-13", "9999-12-31"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadOption) as refused:
        span("2023-01-01", text, "UTC")
    assert "--to" in str(refused.value)


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(BadOption, match="it is before --from 2023-05"):
        span("2023-05", "2023-02", "UTC")


def test_a_range_with_too_many_instants_is_refused() -> None:
    begin = us("2023-01-01T00:00+00:00")
    assert len(instants(Interval(1), begin, begin + (MOST_INSTANTS - 1) * 1_000_000)) == MOST_INSTANTS
    with pytest.raises(BadOption, match="more than 10,000 instants"):
        instants(Interval(1), begin, begin + MOST_INSTANTS * 1_000_000)


@given(st.dates(datetime(2000, 1, 1).date(), datetime(2050, 1, 1).date()), st.integers(0, 200))  # noqa: DTZ001
def test_ranges_that_follow_one_another_have_each_instant_once(start: Any, days: int) -> None:
    middle, end = start + timedelta(days=days), start + timedelta(days=2 * days + 1)
    daily = Cron("30 2 * * *", timezone="Europe/Berlin")
    parts = [
        at
        for begin, last in ((start, middle), (middle + timedelta(days=1), end))
        for at in instants(daily, *span(str(begin), str(last), "Europe/Berlin"))
    ]
    assert parts == instants(daily, *span(str(start), str(end), "Europe/Berlin"))
    assert len(parts) == (end - start).days + 1


# ------------------------------------------------------------------------------------------- what is to be done


def test_an_instant_without_a_run_gets_one() -> None:
    cell = decide(AT, [], work())
    assert (cell.todo, cell.run, cell.key) == ("make", None, f"backfill:d1:cron-1:{AT}")


def test_what_an_earlier_backfill_completed_is_kept() -> None:
    cell = decide(AT, [run("a", "Completed")], work())
    assert cell.todo == "keep"
    assert cell.run is not None
    assert cell.run.id == "a"


def test_what_still_goes_on_is_watched() -> None:
    cell = decide(AT, [run("a", "Failed"), run("b", "Running")], work())
    assert cell.todo == "watch"
    assert cell.run is not None
    assert cell.run.id == "b"


@pytest.mark.parametrize("state", sorted(TERMINAL - SUCCESSFUL))
def test_what_did_not_complete_is_made_anew_with_another_key(state: StateName) -> None:
    first, second = decide(AT, [], work()), decide(AT, [run("a", state)], work())
    third = decide(AT, [run("a", state), run("b", state)], work())
    assert [first.todo, second.todo, third.todo] == ["make"] * 3
    assert len({first.key, second.key, third.key}) == 3


def test_other_code_or_other_parameters_are_run_anew() -> None:
    done = [run("a", "Completed", parameters={"n": 1})]
    assert decide(AT, done, work(n=1)).todo == "keep"
    assert decide(AT, done, work(n=2)).todo == "make"
    assert decide(AT, done, work()).todo == "make"
    assert decide(AT, done, work(version="v2", n=1)).todo == "make"


def test_the_order_of_parameters_does_not_matter() -> None:
    done = [run("a", "Completed", parameters={"n": 1, "label": "x"})]
    assert decide(AT, done, work(label="x", n=1)).todo == "keep"


def test_what_the_schedule_ran_counts_only_for_missing() -> None:
    scheduled = [run("a", "Completed", tags=("auto-scheduled",), version="v0")]
    assert decide(AT, scheduled, work()).todo == "make"
    assert decide(AT, scheduled, work("missing")).todo == "keep"


def test_only_missing_takes_what_was_completed_by_other_code() -> None:
    assert decide(AT, [run("a", "Completed", version="v0")], work("missing", version="v1")).todo == "keep"
    assert decide(AT, [run("a", "Failed", version="v0")], work("missing")).todo == "make"
    assert decide(AT, [run("a", "Running", tags=())], work("missing")).todo == "watch"


def test_again_runs_what_was_completed_but_not_beside_itself() -> None:
    assert decide(AT, [run("a", "Completed")], work("again")).todo == "make"
    assert decide(AT, [run("a", "Completed"), run("b", "Running")], work("again")).todo == "watch"


@given(st.lists(st.sampled_from(sorted(TABLE)), max_size=6), st.sampled_from(["once", "missing", "again"]))
def test_two_looks_at_the_same_runs_decide_alike_and_no_key_is_used_twice(states: list[StateName], mode: Mode) -> None:
    runs = [run(f"{number:02}", state) for number, state in enumerate(states)]
    cell = decide(AT, runs, work(mode))
    assert decide(AT, runs[::-1], work(mode)) == cell
    if cell.todo == "make":
        keys = {decide(AT, runs[:n], work("again")).key for n in range(len(runs))}
        assert cell.key not in keys - {""}
    else:
        assert cell.run in runs
