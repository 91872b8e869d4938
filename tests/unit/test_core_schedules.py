"""Schedules: the instants they name, through both changes of the clock, and what they are refused for."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from dateutil.rrule import rrulestr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostinato.core.errors import ScheduleInvalid
from ostinato.core.schedules import Cron, Interval, RRule, Schedule, convert, described, latest, recent, upcoming

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CHANGES = (
    ("Europe/Berlin", "2024-03-31T01:00Z"),
    ("Europe/Berlin", "2024-10-27T01:00Z"),
    ("America/New_York", "2024-03-10T07:00Z"),
    ("America/New_York", "2024-11-03T06:00Z"),
    ("Australia/Lord_Howe", "2024-10-05T15:30Z"),
    ("Australia/Lord_Howe", "2024-04-06T15:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00Z"),
    ("Asia/Kathmandu", "2024-05-05T00:00Z"),
    ("UTC", "2024-05-05T00:00Z"),
)
"""Zones and instants at which their clock is put forward or back, and two at which nothing happens."""


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * SECOND)


def shown(instants: list[int], zone: str = "UTC") -> list[str]:
    """Give instants as the clock of a zone shows them, with its offset."""
    return [datetime.fromtimestamp(at / SECOND, ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for at in instants]


def between(schedule: Schedule, first: str, last: str) -> list[int]:
    return upcoming(schedule, us(first) - 1, 100_000, us(last))


# --- an independent reading of cron: look at every minute


def values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        start, end = (low, high) if first == "*" else (int(first), int(last or (high if step else first)))
        found.update(range(start, end + 1, int(step or 1)))
    return found


def matcher(expression: str) -> Callable[[datetime], bool]:
    minute, hour, dom, month, dow = expression.split()
    minutes, hours, days, months = values(minute, 0, 59), values(hour, 0, 23), values(dom, 1, 31), values(month, 1, 12)
    weekdays = {value % 7 for value in values(dow, 0, 7)}
    either = not dom.startswith("*") and not dow.startswith("*")

    def matches(wall: datetime) -> bool:
        if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
            return False
        fits = wall.day in days, wall.isoweekday() % 7 in weekdays
        return any(fits) if either else all(fits)

    return matches


def by_every_minute(expression: str, zone: str, first: int, last: int) -> list[int]:
    """Give the instants of a cron by looking at the clock of its zone in every minute."""
    matches = matcher(expression)
    minute, hour, *_ = expression.split()
    recurring = minute.startswith("*") or hour.startswith("*")
    found: list[int] = []
    seen: datetime | None = None
    for at in range(first // MINUTE * MINUTE - 2 * HOUR, last + 1, MINUTE):
        clock = datetime.fromtimestamp(at // SECOND, ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        new = [clock]
        if not recurring and seen is not None:  # what no minute before has shown, the skipped ones too
            new = [seen + timedelta(minutes=one) for one in range(1, (clock - seen) // timedelta(minutes=1) + 1)]
        if any(map(matches, new)) and at >= first:
            found.append(at)
        seen = clock if seen is None else max(seen, clock)
    return found


def field_of(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    single = number.map(str)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    star_step = st.integers(1, max(2, high // 2)).map(lambda step: f"*/{step}")
    span_step = st.tuples(st.integers(low, high - 1), st.integers(1, 7)).map(lambda two: f"{two[0]}-{high}/{two[1]}")
    some = st.lists(single | span, min_size=2, max_size=3).map(",".join)
    return st.just("*") | single | span | star_step | span_step | some


crons = st.tuples(
    field_of(0, 59), field_of(0, 23), st.just("*") | field_of(1, 28), st.just("*"), st.just("*") | field_of(0, 6)
).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(crons, st.sampled_from(CHANGES), st.integers(0, 2 * 24 * 60))
@example("*/15 2 * * *", ("Australia/Lord_Howe", "2024-04-06T15:00Z"), 0)
@example("0 */2 * * *", ("Australia/Lord_Howe", "2024-04-06T15:00Z"), 0)
@example("30 2,3 * * *", ("Europe/Berlin", "2024-03-31T01:00Z"), 0)
@example("0-59/20 0-4 * * *", ("America/Sao_Paulo", "2018-11-04T03:00Z"), 0)
@example("* 0 * * 0", ("America/Sao_Paulo", "2018-11-04T03:00Z"), 0)
def test_a_cron_names_what_a_look_at_the_clock_in_every_minute_gives(
    expression: str, change: tuple[str, str], minutes: int
) -> None:
    zone, at = change
    first = us(at) - DAY + minutes * MINUTE
    last = us(at) + DAY
    found = upcoming(Cron(expression, timezone=zone), first - 1, 10_000, last)
    assert found == by_every_minute(expression, zone, first, last)


# --- the changes of the clock


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        ("Europe/Berlin", "30 2", ["03-30 02:30+0100", "03-31 03:00+0200", "04-01 02:30+0200"]),
        ("America/New_York", "30 2", ["03-09 02:30-0500", "03-10 03:00-0400", "03-11 02:30-0400"]),
        ("Australia/Lord_Howe", "15 2", ["10-05 02:15+1030", "10-06 02:30+1100", "10-07 02:15+1100"]),
        ("America/Sao_Paulo", "0 0", ["11-03 00:00-0300", "11-04 01:00-0200", "11-05 00:00-0200"]),
    ],
)
def test_a_daily_job_at_a_time_that_the_clock_skips_runs_once_when_the_gap_ends(
    zone: str, wall: str, expected: list[str]
) -> None:
    (change,) = [at for name, at in CHANGES if name == zone and at.startswith(("2024-03", "2024-10-05", "2018-11"))]
    found = upcoming(Cron(f"{wall} * * *", timezone=zone), us(change) - 36 * HOUR, 3)
    assert shown(found, zone) == expected


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        ("Europe/Berlin", "30 2", ["10-26 02:30+0200", "10-27 02:30+0200", "10-28 02:30+0100"]),
        ("America/New_York", "30 1", ["11-02 01:30-0400", "11-03 01:30-0400", "11-04 01:30-0500"]),
        ("Australia/Lord_Howe", "45 1", ["04-06 01:45+1100", "04-07 01:45+1100", "04-08 01:45+1030"]),
        ("America/Sao_Paulo", "30 23", ["02-16 23:30-0200", "02-17 23:30-0200", "02-18 23:30-0300"]),
    ],
)
def test_a_daily_job_at_a_time_that_the_clock_shows_twice_runs_the_first_time_only(
    zone: str, wall: str, expected: list[str]
) -> None:
    starts = ("2024-10-27", "2024-11", "2024-04", "2018-02")
    (change,) = [at for name, at in CHANGES if name == zone and at.startswith(starts)]
    found = upcoming(Cron(f"{wall} * * *", timezone=zone), us(change) - 36 * HOUR, 3)
    assert shown(found, zone) == expected


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(("expression", "step"), [("*/15 * * * *", 15 * MINUTE), ("*/5 * * * *", 5 * MINUTE)])
def test_a_job_of_every_few_minutes_keeps_real_time_through_both_changes(
    zone: str, change: str, expression: str, step: int
) -> None:
    found = upcoming(Cron(expression, timezone=zone), us(change) - 6 * HOUR, 12 * HOUR // step)
    assert {after - before for before, after in pairwise(found)} == {step}


@pytest.mark.parametrize(("zone", "change"), [one for one in CHANGES if one[0] != "Australia/Lord_Howe"])
def test_an_hourly_job_keeps_real_time_through_both_changes(zone: str, change: str) -> None:
    found = upcoming(Cron("@hourly", timezone=zone), us(change) - 6 * HOUR, 12)
    assert {after - before for before, after in pairwise(found)} == {HOUR}


def test_an_hourly_job_follows_full_hours_where_the_clock_moves_by_half_an_hour() -> None:
    forward = upcoming(Cron("0 * * * *", timezone="Australia/Lord_Howe"), us("2024-10-05T14:00Z"), 3)
    assert shown(forward, "Australia/Lord_Howe") == ["10-06 01:00+1030", "10-06 03:00+1100", "10-06 04:00+1100"]
    back = upcoming(Cron("0 * * * *", timezone="Australia/Lord_Howe"), us("2024-04-06T13:30Z"), 3)
    assert shown(back, "Australia/Lord_Howe") == ["04-07 01:00+1100", "04-07 02:00+1030", "04-07 03:00+1030"]


def test_a_rare_recurring_job_runs_in_the_repeated_hour_before_the_next_year() -> None:
    found = upcoming(Cron("*/30 2 27 10 *", timezone="Europe/Berlin"), us("2024-10-26T12:00Z"), 5)
    assert shown(found, "Europe/Berlin") == [
        "10-27 02:00+0200",
        "10-27 02:30+0200",
        "10-27 02:00+0100",
        "10-27 02:30+0100",
        "10-27 02:00+0100",
    ]


def test_a_daily_job_runs_on_the_day_that_a_zone_left_out() -> None:
    found = between(Cron("0 12 * * *", timezone="Pacific/Apia"), "2011-12-29T00:00Z", "2011-12-31T12:00Z")
    assert shown(found, "Pacific/Apia") == ["12-29 12:00-1000", "12-31 00:00+1400", "12-31 12:00+1400"]


# --- intervals


def test_an_interval_counts_from_its_anchor_in_both_directions() -> None:
    schedule = Interval(timedelta(minutes=40), anchor=datetime(2024, 5, 5, 10, 10, tzinfo=UTC))
    assert shown(upcoming(schedule, us("2024-05-05T09:00Z"), 4)) == [
        "05-05 09:30+0000",
        "05-05 10:10+0000",
        "05-05 10:50+0000",
        "05-05 11:30+0000",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Africa/Monrovia", "Asia/Kathmandu"])
def test_an_hourly_interval_without_anchor_runs_at_full_hours_of_its_zone(zone: str) -> None:
    (at,) = upcoming(Interval(3600, timezone=zone), us("2024-05-05T09:01Z"), 1)
    assert shown([at], zone)[0][8:11] == ":00"


def test_an_interval_of_whole_days_keeps_its_time_of_the_day() -> None:
    daily = Interval(86_400, anchor=datetime(2024, 1, 1, 2, 30), timezone="Europe/Berlin")  # noqa: DTZ001
    assert shown(upcoming(daily, us("2024-03-29T12:00Z"), 3), "Europe/Berlin") == [
        "03-30 02:30+0100",
        "03-31 03:00+0200",
        "04-01 02:30+0200",
    ]
    assert shown(upcoming(daily, us("2024-10-26T12:00Z"), 2), "Europe/Berlin") == [
        "10-27 02:30+0200",
        "10-28 02:30+0100",
    ]


def test_an_interval_of_hours_is_real_time() -> None:
    found = upcoming(Interval(timedelta(hours=6), timezone="Europe/Berlin"), us("2024-03-30T12:00Z"), 8)
    assert {after - before for before, after in pairwise(found)} == {6 * HOUR}


def test_a_weekly_interval_without_anchor_runs_at_midnight_of_monday() -> None:
    (at,) = upcoming(Interval(timedelta(weeks=1), timezone="America/New_York"), us("2024-05-05T00:00Z"), 1)
    assert datetime.fromtimestamp(at / SECOND, ZoneInfo("America/New_York")).strftime("%a %H:%M") == "Mon 00:00"


def test_an_interval_may_be_a_tenth_of_a_second() -> None:
    start = us("2024-05-05T00:00Z")
    assert upcoming(Interval(0.1), start, 3) == [start + 100_000, start + 200_000, start + 300_000]


def test_an_interval_is_kept_as_seconds() -> None:
    assert Interval(timedelta(minutes=5)) == Interval(300) == Interval(300.0)
    assert msgspec.json.decode(msgspec.json.encode(Interval(timedelta(minutes=5))))["interval"] == 300


# --- recurrence rules


def test_a_rule_follows_the_clock_of_its_zone() -> None:
    rule = RRule("FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=30", timezone="Europe/Berlin")
    assert shown(upcoming(rule, us("2024-03-20T00:00Z"), 3), "Europe/Berlin") == [
        "03-24 02:30+0100",
        "03-31 03:00+0200",
        "04-07 02:30+0200",
    ]


def test_a_rule_with_a_count_ends() -> None:
    rule = RRule("FREQ=DAILY;COUNT=3", start=datetime(2024, 5, 5, 9, tzinfo=UTC))
    assert shown(upcoming(rule, us("2024-01-01T00:00Z"), 10)) == [
        "05-05 09:00+0000",
        "05-06 09:00+0000",
        "05-07 09:00+0000",
    ]
    assert upcoming(rule, us("2024-05-07T09:00Z"), 10) == []
    assert latest(rule, us("2030-01-01T00:00Z")) == us("2024-05-07T09:00Z")


@pytest.mark.parametrize("until", ["20240507T090000Z", "20240507T110000", "20240507"])
def test_a_rule_ends_with_its_last_time(until: str) -> None:
    rule = RRule(f"DTSTART:20240505T110000\nRRULE:FREQ=DAILY;UNTIL={until}", timezone="Europe/Berlin")
    assert shown(upcoming(rule, us("2024-05-06T00:00Z"), 10)) == ["05-06 09:00+0000", "05-07 09:00+0000"]


def test_an_hourly_rule_without_more_is_real_time_and_its_count_exact() -> None:
    rule = RRule("FREQ=HOURLY;INTERVAL=2;COUNT=5", "Europe/Berlin", datetime(2024, 10, 26, 23, tzinfo=UTC))
    found = upcoming(rule, us("2024-10-26T00:00Z"), 10)
    assert [at - found[0] for at in found] == [0, 2 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("FREQ=SECONDLY;INTERVAL=7", "2001-09-01T00:00:03"),
        ("FREQ=MINUTELY;INTERVAL=7;BYHOUR=3", "2001-01-01T00:00:03"),
        ("FREQ=HOURLY;INTERVAL=5;BYMINUTE=0,20", "2001-01-01T00:40"),
        ("FREQ=DAILY;INTERVAL=3", "2001-01-01T10:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "2001-01-03T10:00"),
        ("FREQ=WEEKLY;INTERVAL=3", "2001-01-03T10:00"),
        ("FREQ=MONTHLY;INTERVAL=5", "2001-01-31T10:00"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR;BYSETPOS=1", "2001-01-30T10:00"),
        ("FREQ=YEARLY", "2000-02-29T10:00"),
        ("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=20;BYDAY=MO", "2001-12-30T10:00"),
    ],
)
def test_a_rule_that_began_long_ago_keeps_its_phase(text: str, start: str) -> None:
    """The instants of a rule are asked for from near the moment; they must be those counted from its start."""
    reference = rrulestr(text, dtstart=datetime.fromisoformat(start))
    after = datetime.fromisoformat("2001-09-09T01:46:40")
    expected = [int(wall.replace(tzinfo=UTC).timestamp()) * SECOND for wall in reference.xafter(after, count=12)]
    schedule = RRule(text, start=datetime.fromisoformat(start).replace(tzinfo=UTC))
    assert upcoming(schedule, us("2001-09-09T01:46:40Z"), 12) == expected


# --- what holds for all schedules

schedules: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(Cron, crons, st.sampled_from([zone for zone, _ in CHANGES])),
    st.builds(
        Interval,
        st.sampled_from([0.1, 0.7, 1, 59, 3600, 5400, 86_400, 3 * 86_400, 90_000]),
        st.none() | st.datetimes(datetime(1999, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
        st.sampled_from([zone for zone, _ in CHANGES]),
    ),
    st.builds(
        RRule,
        st.sampled_from(
            [
                "FREQ=DAILY",
                "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30",
                "FREQ=WEEKLY;BYDAY=SA,SU;BYHOUR=0,2",
                "FREQ=MONTHLY;BYDAY=1SU,-1SU;BYHOUR=2;BYMINUTE=15",
                "FREQ=HOURLY;INTERVAL=2",
                "FREQ=HOURLY;BYMINUTE=0,30",
                "FREQ=MINUTELY;INTERVAL=20;BYHOUR=0,1,2,3",
            ]
        ),
        st.sampled_from([zone for zone, _ in CHANGES]),
    ),
)


@settings(max_examples=150, deadline=None)
@given(schedules, st.sampled_from(CHANGES), st.integers(-DAY, DAY), st.integers(0, 29))
def test_instants_are_ordered_unique_later_and_go_on_where_they_stopped(
    schedule: Schedule, change: tuple[str, str], offset: int, index: int
) -> None:
    after = us(change[1]) + offset
    found = upcoming(schedule, after, 30)
    assert len(found) == 30
    assert found == sorted(set(found))
    assert found[0] > after
    assert upcoming(schedule, found[index], 29 - index) == found[index + 1 :]
    assert upcoming(schedule, found[index] - 1, 30 - index) == found[index:]
    assert upcoming(schedule, after, 30, until_us=found[index]) == found[: index + 1]
    assert latest(schedule, found[index]) == found[index]
    assert recent(schedule, found[index], 40, found[0]) == found[: index + 1]
    assert recent(schedule, found[index], 2, found[0]) == found[: index + 1][-2:]
    if index:
        assert latest(schedule, found[index] - 1) == found[index - 1]


@pytest.mark.parametrize("schedule", [Cron("* * * * *"), Interval(0.1), RRule("FREQ=SECONDLY"), Cron("0 0 29 2 *")])
def test_the_ends_of_time_are_no_error(schedule: Schedule) -> None:
    assert len(upcoming(schedule, -(10**18), 3)) == 3
    assert upcoming(schedule, 10**18, 3) == []
    assert upcoming(schedule, us("9799-12-31T23:59:59.999Z"), 3, 10**18) in ([], [us("9800-01-01T00:00Z")])
    assert upcoming(schedule, 0, 0) == []


def test_latest_gives_nothing_before_the_first_instant() -> None:
    rule = RRule("FREQ=DAILY", start=datetime(2024, 5, 5, 9, tzinfo=UTC))
    assert latest(rule, us("2024-05-05T08:59Z")) is None
    assert latest(rule, us("2024-05-05T09:00Z")) == us("2024-05-05T09:00Z")


def test_a_day_of_the_month_and_a_day_of_the_week_are_joined_as_asked() -> None:
    either = between(Cron("0 0 13 * FRI"), "2024-09-01T00:00Z", "2024-09-30T00:00Z")
    assert [at[:5] for at in shown(either)] == ["09-06", "09-13", "09-20", "09-27"]
    both = upcoming(Cron("0 0 13 * FRI", day_or=False), us("2024-01-01T00:00Z"), 2)
    assert [at[:5] for at in shown(both)] == ["09-13", "12-13"]


# --- values


@pytest.mark.parametrize(
    "schedule",
    [
        Cron("0 3 2 * *", timezone="Europe/Berlin", day_or=False),
        Interval(timedelta(days=1), anchor=datetime(2024, 1, 1, tzinfo=UTC), timezone="Asia/Tokyo"),
        Interval(0.5),
        RRule("FREQ=DAILY", timezone="Asia/Tokyo", start=datetime(2024, 1, 1, 9)),  # noqa: DTZ001
    ],
)
def test_a_schedule_survives_json_and_msgpack(schedule: Schedule) -> None:
    kind: Any = Schedule
    assert msgspec.json.decode(msgspec.json.encode(schedule), type=kind) == schedule
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(schedule), type=kind) == schedule
    assert convert(msgspec.to_builtins(schedule)) == schedule
    assert hash(schedule) == hash(convert(msgspec.to_builtins(schedule)))


@pytest.mark.parametrize(
    ("value", "schedule"),
    [
        ("0 3 2 * *", Cron("0 3 2 * *")),
        ("@daily", Cron("@daily")),
        ("FREQ=DAILY", RRule("FREQ=DAILY")),
        (60, Interval(60)),
        (timedelta(hours=1), Interval(3600)),
        ({"cron": "0 3 2 * *", "timezone": "Europe/Berlin"}, Cron("0 3 2 * *", "Europe/Berlin")),
        ({"interval": 60, "anchor": datetime(2024, 1, 1)}, Interval(60, datetime(2024, 1, 1))),  # noqa: DTZ001
        ({"kind": "rrule", "rrule": "FREQ=DAILY"}, RRule("FREQ=DAILY")),
        (Cron("@daily"), Cron("@daily")),
    ],
)
def test_plain_values_mean_schedules(value: object, schedule: Schedule) -> None:
    assert convert(value) == schedule


def test_a_nickname_is_its_five_fields() -> None:
    after = us("2024-05-05T00:30Z")
    assert upcoming(Cron("@Monthly"), after, 5) == upcoming(Cron("0 0 1 * *"), after, 5)


# --- bad input


@pytest.mark.parametrize(
    ("expression", "reason", "hint"),
    [
        ("61 * * * *", "'61' is no valid minute", "0-59"),
        ("* 24 * * *", "'24' is no valid hour", "0-23"),
        ("* * 0 * *", "'0' is no valid day-of-month", "1-31"),
        ("* * * FOO *", "'FOO' is no valid month", "JAN-DEC"),
        ("* * * * 8", "'8' is no valid day-of-week", "SUN-SAT"),
        ("0 0 ? * *", "'?' is no valid day-of-month", "`*` for any"),
        ("*/0 * * * *", "'*/0' is no valid minute", "0-59"),
        ("5-1 * * * *", "'5-1' is no valid minute", "0-59"),
        ("5-5/2 * * * *", "'5-5/2' steps through one value", "by itself"),
        ("*/90 * * * *", "'*/90' steps over the end", "Interval"),
        (f"{'9' * 5000} * * * *", "is no valid minute", "0-59"),
        ("* * * *", "it has 4 fields instead of 5", "minute, hour"),
        ("", "it has 0 fields instead of 5", "minute, hour"),
        ("0 0 3 2 * *", "it has 6 fields instead of 5", "Interval"),
        ("@reboot", "there is no such name", "@daily"),
        ("0 0 30 2 *", "there is no such day", "Mend"),
        ("0 0 31 4,6,9,11 *", "there is no such day", "Mend"),
        ("0 0 */30 2 MON#5", "there is no such day", "Mend"),
        (5, "it is no text", "minute, hour"),
        (["* * * * *"], "it is no text", "minute, hour"),
        (None, "it is no text", "minute, hour"),
    ],
)
def test_a_wrong_cron_is_refused_by_name(expression: Any, reason: str, hint: str) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        Cron(expression)
    assert caught.value.code == "schedule-invalid"
    assert reason in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("zone", "nearest"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berln", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe", "Europe/"),
        ("../../etc/passwd", "/"),
        ("", "Europe/Berlin"),
        (5, "Europe/Berlin"),
        (["UTC"], "UTC"),
    ],
)
@pytest.mark.parametrize("kind", [Cron, Interval, RRule])
def test_an_unknown_zone_is_refused_with_the_nearest(kind: Any, zone: Any, nearest: str) -> None:
    value = {Cron: "@daily", Interval: 60, RRule: "FREQ=DAILY"}[kind]
    with pytest.raises(ScheduleInvalid, match="There is no time zone") as caught:
        kind(value, timezone=zone)
    assert nearest in caught.value.hint


@pytest.mark.parametrize(
    "interval", [0, -1, 0.05, float("nan"), float("inf"), 10**12, timedelta(0), True, "60", None, [60]]
)
def test_a_wrong_interval_is_refused(interval: Any) -> None:
    with pytest.raises(ScheduleInvalid):
        Interval(interval)


@pytest.mark.parametrize("anchor", ["2024-01-01", 5, datetime(1, 1, 1), datetime(9999, 12, 31)])  # noqa: DTZ001
def test_a_wrong_anchor_or_start_is_refused(anchor: Any) -> None:
    with pytest.raises(ScheduleInvalid):
        Interval(60, anchor=anchor, timezone="Europe/Berlin")
    with pytest.raises(ScheduleInvalid):
        RRule("FREQ=DAILY", start=anchor, timezone="Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no part NAME=VALUE"),
        ("daily", "is no part NAME=VALUE"),
        ("BYDAY=MO", "FREQ is missing"),
        ("FREQ=FORTNIGHTLY", "'FREQ=FORTNIGHTLY' is no part"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;INTERVAL=0", "'INTERVAL=0' is no part"),
        ("FREQ=DAILY;INTERVAL=1,2", "'INTERVAL=1,2' is no part"),
        ("FREQ=DAILY;COUNT=2000000", "'COUNT=2000000' is no part"),
        ("FREQ=DAILY;COUNT=5", "COUNT does not say from when on"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20300101", "both COUNT and UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "'UNTIL=TOMORROW' is no part"),
        ("FREQ=DAILY;UNTIL=20241399", "there is no such time"),
        ("FREQ=DAILY;UNTIL=20000101", "no time fits it"),
        ("FREQ=DAILY;BYDAY=XX", "'BYDAY=XX' is no part"),
        ("FREQ=DAILY;BYHOUR=24", "'BYHOUR=24' is no part"),
        ("FREQ=DAILY;BYMONTHDAY=0", "'BYMONTHDAY=0' is no part"),
        ("FREQ=DAILY;WKST=8", "'WKST=8' is no part"),
        ("FREQ=DAILY;BYDAY=1MO", "BYDAY counts weekdays of a month or a year"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU", "no time fits it"),
        ("FREQ=DAILY;X=1", "'X=1' is no part"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no time fits it"),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "no time fits it"),
        ("FREQ=HOURLY;INTERVAL=2;BYHOUR=1", "empty"),
        ("FREQ=SECONDLY;BYSETPOS=2", "BYSETPOS needs periods of a day"),
        (
            f"FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))};BYMINUTE={','.join(map(str, range(60)))};BYSECOND=0,30",
            "more than 1440 times a day",
        ),
        ("DTSTART:x\nFREQ=DAILY", "there is no such time"),
        ("DTSTART;TZID=Asia/Tokyo:20240101T000000\nFREQ=DAILY", "DTSTART is in Asia/Tokyo"),
        ("RRULE:FREQ=DAILY\nEXDATE:20240101", "is no part"),
        (5, "it is no text"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(text: Any, reason: str) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        RRule(text)
    assert reason in caught.value.message
    assert caught.value.hint


def test_two_starts_are_refused() -> None:
    with pytest.raises(ScheduleInvalid, match="both DTSTART and `start`"):
        RRule("DTSTART:20240101\nFREQ=DAILY", start=datetime(2024, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "value",
    [
        {"cron": "61 * * * *"},
        {"cron": 5},
        {"cron": "@daily", "zone": "UTC"},
        {"cron": "@daily", "interval": 5},
        {"kind": "cron"},
        {"kind": "moon", "cron": "@daily"},
        {},
        None,
        True,
        b"@daily",
    ],
)
def test_wrong_plain_values_are_refused(value: object) -> None:
    with pytest.raises(ScheduleInvalid):
        convert(value)


def test_a_wrong_schedule_is_refused_when_it_is_decoded() -> None:
    kind: Any = Schedule
    with pytest.raises(ScheduleInvalid, match="no valid minute"):
        msgspec.json.decode(b'{"kind": "cron", "cron": "61 * * * *"}', type=kind)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789*/-,L#W?MONJA @", max_size=24) | st.text(max_size=12))
def test_any_text_is_a_cron_or_refused(text: str) -> None:
    try:
        schedule = Cron(text)
    except ScheduleInvalid:
        return
    assert upcoming(schedule, us("2024-05-05T00:00Z"), 1)


# --- words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Cron("0 3 2 * *", "Europe/Berlin"), "at 03:00 on day 2 of each month, Europe/Berlin"),
        (Cron("* * * * *"), "every minute, UTC"),
        (Cron("*/5 * * * *"), "every 5 minutes, UTC"),
        (Cron("0 * * * *"), "every hour, UTC"),
        (Cron("10 */6 * * *"), "every 6 hours at minute 10, UTC"),
        (Cron("@daily"), "at 00:00 each day, UTC"),
        (Cron("0 3,15 * * *"), "at 03:00 and 15:00 each day, UTC"),
        (Cron("0 9-17 * * MON-FRI"), "every hour from 09:00 to 17:00 on weekdays, UTC"),
        (Cron("30 2 * * 7"), "at 02:30 on Sunday, UTC"),
        (Cron("0 0 L * *"), "at 00:00 on the last day of each month, UTC"),
        (Cron("0 0 LW * *"), "at 00:00 on the last weekday of each month, UTC"),
        (Cron("0 0 * * 1#2"), "at 00:00 on the second Monday of each month, UTC"),
        (Cron("0 0 * * 0L"), "at 00:00 on the last Sunday of each month, UTC"),
        (Cron("0 0 1,15 1,7 *"), "at 00:00 on days 1 and 15 of January and July, UTC"),
        (Cron("0 5 * 2 *"), "at 05:00 each day of February, UTC"),
        (Cron("0 5 * 2 1"), "at 05:00 on Monday in February, UTC"),
        (Cron("0 0 13 * 5"), "cron 0 0 13 * 5, UTC"),
        (Cron("*/7 3 * * *"), "cron */7 3 * * *, UTC"),
        (Interval(1), "every second"),
        (Interval(0.5), "every 0.5 seconds"),
        (Interval(5400, timezone="Asia/Tokyo"), "every 90 minutes, Asia/Tokyo"),
        (
            Interval(timedelta(weeks=2), anchor=datetime(2024, 1, 1, 9, tzinfo=UTC)),
            "every 2 weeks counted from 2024-01-01 09:00:00",
        ),
        (RRule("FREQ=MONTHLY;INTERVAL=3"), "every 3 months, UTC"),
        (RRule("FREQ=DAILY;COUNT=9", start=datetime(2024, 1, 1, tzinfo=UTC)), "every day, 9 in all, UTC"),
        (RRule("FREQ=DAILY;BYHOUR=9"), "rule FREQ=DAILY;BYHOUR=9, UTC"),
    ],
)
def test_a_schedule_is_described_in_words(schedule: Schedule, words: str) -> None:
    assert described(schedule) == str(schedule) == words


@settings(max_examples=200, deadline=None)
@given(schedules)
def test_every_schedule_has_words(schedule: Schedule) -> None:
    assert described(schedule)


# --- costs


@pytest.mark.parametrize(
    ("schedule", "limit", "budget_s"),
    [
        (Cron("* * * * *"), 10_000, 1.0),
        (Cron("* * * * *", "Europe/Berlin"), 10_000, 1.0),
        (RRule("FREQ=SECONDLY"), 10_000, 1.0),
        (Cron("0 3 2 * *", "Europe/Berlin"), 100, 0.1),
        (Interval(0.1), 100, 0.1),
    ],
)
def test_many_instants_cost_little(schedule: Schedule, limit: int, budget_s: float) -> None:
    """CPU time, with room for a busy machine: an idle one needs a tenth of it or less."""
    began = time.process_time()
    assert len(upcoming(schedule, us("2026-05-05T05:05Z"), limit)) == limit
    assert time.process_time() - began < budget_s


def test_the_names_of_schedules_load_no_parser_until_one_is_made() -> None:
    code = "import sys, ostinato; ostinato.Cron, ostinato.Interval, ostinato.RRule; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"cronsim", "dateutil", "zoneinfo"} & set(loaded)
