"""Schedules as values: cron, interval and recurrence rule, and the instants that they name.

Instants are UTC microseconds. A schedule names the same instants whenever it is asked, so the instants after any
one of them go on where that one stopped.

Daylight saving: a job at fixed times of the day runs exactly once on every such day; a time that the clock skips
counts at the end of the gap (02:30 becomes 03:00), and one that it shows twice counts the first time. A job that
recurs through the day (a cron whose minute or hour begins with `*`) follows the clock as it stands: `*/15 * * * *`
runs every 15 minutes of real time through both changes, `0 */2 * * *` runs at every even hour that the clock shows.
"""

from __future__ import annotations

import importlib
import re
from collections import deque
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count, islice, takewhile
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import msgspec

from ostinato.core import recurrence, zones
from ostinato.core.errors import ScheduleInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

SHORTEST_S: Final = 0.1
LONGEST_S: Final = 36_525 * 86_400
LOOK_BACK_S: Final = 50 * 366 * 86_400

_DAY: Final = timedelta(days=1)
_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_CRON_FIELDS: Final = {
    "minute": ("0-59", 59),
    "hour": ("0-23", 23),
    "day-of-month": ("1-31, L (last) or LW (last weekday)", 31),
    "month": ("1-12 or JAN-DEC", 12),
    "day-of-week": ("0-7 or SUN-SAT, 1#2 (second Monday) or 1L (last Monday)", 7),
}
"""Name of each field -> what it takes, and its longest step."""
_CRON_STEP: Final = re.compile(r"/([0-9]+)")
_CRON_EMPTY_SPAN: Final = re.compile(r"\b(\w+)-\1/", re.IGNORECASE)
_FIVE_FIELDS: Final = "Write minute, hour, day of month, month and day of week, for example `0 3 2 * *`."

_DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = tuple("January February March April May June July August September October November December".split())
_NTH: Final = ("first", "second", "third", "fourth", "fifth")
_UNITS_S: Final = {"week": 604_800, "day": 86_400, "hour": 3600, "minute": 60, "second": 1}
_RULE_DAYS: Final = dict(zip(recurrence.WEEKDAYS, _DAY_NAMES, strict=True))
_RULE_UNITS: Final = dict(
    zip(recurrence.FREQUENCIES, ("year", "month", "week", "day", "hour", "minute", "second"), strict=True)
)


class Cron(msgspec.Struct, frozen=True, tag_field="kind", tag="cron", forbid_unknown_fields=True):
    """Times by the five fields of cron, or `@daily` and its like, on the clock of `timezone`.

    When both day of month and day of week are given, either is enough; with `day_or=False` both must fit.

    Example:
        >>> print(Cron("0 3 2 * *", timezone="Europe/Berlin"))
        at 03:00 on day 2 of each month, Europe/Berlin

    Raises:
        ScheduleInvalid: (schedule-invalid) a field is wrong, or no day fits.
    """

    cron: str
    timezone: str = "UTC"
    day_or: bool = True

    def __str__(self) -> str:
        return described(self)

    def __post_init__(self) -> None:
        zones.named(self.timezone)
        if not isinstance(self.cron, str):
            raise ScheduleInvalid(value=self.cron, reason="it is no text", fix=_FIVE_FIELDS)
        _check_cron(self.cron, day_or=bool(self.day_or))


class Interval(msgspec.Struct, frozen=True, tag_field="kind", tag="interval", forbid_unknown_fields=True):
    """Equal steps of time through `anchor`, before and after it.

    `interval` is a number of seconds or a timedelta, and is kept as seconds. Steps of whole days keep their time
    of the day on the clock of `timezone`; all others are real time. A naive anchor is read on that clock.

    Example:
        >>> print(Interval(timedelta(minutes=90)))
        every 90 minutes

    Raises:
        ScheduleInvalid: (schedule-invalid) the step is no length of time from 0.1 s to 100 years.
    """

    interval: float | timedelta
    anchor: datetime | None = None
    timezone: str = "UTC"

    @property
    def step(self) -> timedelta:
        """The interval as a timedelta."""
        return self.interval if isinstance(self.interval, timedelta) else timedelta(seconds=self.interval)

    def __str__(self) -> str:
        return described(self)

    def __post_init__(self) -> None:
        zones.named(self.timezone)
        _check_instant(self.anchor, "anchor", self.timezone)
        seconds: object = self.interval.total_seconds() if isinstance(self.interval, timedelta) else self.interval
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            fix = "Write seconds, or `timedelta(minutes=5)`."
            raise ScheduleInvalid(value=self.interval, reason="it is no length of time", fix=fix)
        if not SHORTEST_S <= seconds <= LONGEST_S:
            fix = "Write a number of seconds from 0.1 to 100 years."
            raise ScheduleInvalid(value=self.interval, reason="it is too short or too long", fix=fix)
        msgspec.structs.force_setattr(self, "interval", int(seconds) if float(seconds).is_integer() else seconds)


class RRule(msgspec.Struct, frozen=True, tag_field="kind", tag="rrule", forbid_unknown_fields=True):
    """Times by one recurrence rule of iCalendar (RFC 5545), on the clock of `timezone`.

    `start`, or a DTSTART line before the rule, is where it begins; a naive one is read on that clock. COUNT needs
    it. HOURLY, MINUTELY and SECONDLY rules without BY parts are real time.

    Example:
        >>> print(RRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR"))
        every 2 weeks on Monday and Friday, UTC

    Raises:
        ScheduleInvalid: (schedule-invalid) a part is wrong, or no time fits.
    """

    rrule: str
    timezone: str = "UTC"
    start: datetime | None = None

    def __str__(self) -> str:
        return described(self)

    def __post_init__(self) -> None:
        zones.named(self.timezone)
        _check_instant(self.start, "start", self.timezone)
        if not isinstance(self.rrule, str):
            raise ScheduleInvalid(value=self.rrule, reason="it is no text", fix='Write for example "FREQ=DAILY".')
        recurrence.parsed(self.rrule, self.timezone, self.start)


Schedule: TypeAlias = Cron | Interval | RRule


def convert(value: object) -> Schedule:
    """Give the schedule that a value from a file or a command line means.

    A text is a cron, or a rule when it holds `FREQ=`; a number or a timedelta is an interval; a mapping has the
    fields of one kind, and `kind` may be left out.

    Raises:
        ScheduleInvalid: (schedule-invalid) it means none.
    """
    match value:
        case Cron() | Interval() | RRule():
            return value
        case str():
            return RRule(value) if "FREQ=" in value.upper() else Cron(value)
        case int() | float() | timedelta():
            return Interval(value)
        case dict():
            kinds = [kind for kind in ("cron", "interval", "rrule") if kind in value]
            tagged = {"kind": kinds[0], **value} if len(kinds) == 1 else value
            try:
                return cast("Schedule", msgspec.convert(tagged, Schedule))
            except msgspec.ValidationError as error:
                reason = str(error)
        case _:
            reason = "it is no schedule"
    fix = 'Write for example Cron("0 3 2 * *"), or { cron = "0 3 2 * *" } in a file.'
    raise ScheduleInvalid(value=value, reason=reason, fix=fix)


def upcoming(schedule: Schedule, after_us: int, limit: int, until_us: int | None = None) -> list[int]:
    """Give up to `limit` instants after `after_us` in order, none later than `until_us`."""
    last = zones.LAST_US if until_us is None else min(until_us, zones.LAST_US)
    return list(islice(takewhile(lambda at: at <= last, _after(schedule, after_us)), limit))


def latest(schedule: Schedule, before_us: int) -> int | None:
    """Give the newest instant at or before `before_us`, None when there is none in the 50 years before it."""
    found = recent(schedule, before_us, 1, before_us - LOOK_BACK_S * 1_000_000)
    return found[0] if found else None


def recent(schedule: Schedule, before_us: int, limit: int, since_us: int) -> list[int]:
    """Give the newest instants from `since_us` to `before_us` in order, at most `limit`."""
    back_s = 60
    while True:
        after_us = max(since_us - 1, before_us - back_s * 1_000_000)
        newest = deque(takewhile(lambda at: at <= before_us, _after(schedule, after_us)), maxlen=limit)
        if len(newest) == limit or after_us < since_us:
            return list(newest)
        back_s *= 8


def _after(schedule: Schedule, after_us: int) -> Iterator[int]:
    after = max(after_us, zones.FIRST_US)
    if after >= zones.LAST_US:
        return
    zone = zones.named(schedule.timezone)
    match schedule:
        case Cron():
            found = _cron_instants(schedule, after, zone)
        case Interval():
            found = _interval_instants(schedule, after, zone)
        case RRule():
            found = _rule(schedule).instants(after)
    for at in found:
        if at > after:
            after = at
            yield at


def _check_instant(value: object, name: str, timezone: str) -> None:
    if isinstance(value, datetime):
        zones.instant(value, zones.named(timezone))
    elif value is not None:
        fix = f"Write {name}=datetime(2026, 1, 1, 9)."
        raise ScheduleInvalid(value=value, reason=f"{name} is no datetime", fix=fix)


# --- cron


def _simulation(expression: str, wall: datetime, *, day_or: bool) -> Any:
    """Give the iterator of cronsim over wall times after `wall`; without a zone, for `zones` knows better."""
    expression = _NICKNAMES.get(expression.strip().lower(), expression)
    simulation = importlib.import_module("cronsim").CronSim(expression, wall)
    if not day_or:
        simulation.day_and = True
    return simulation


def _cron_instants(schedule: Cron, after: int, zone: tzinfo) -> Iterator[int]:
    simulation = _simulation(schedule.cron, zones.earliest_wall(after, zone), day_or=schedule.day_or)
    _, minute, hour, *_ = simulation.parts
    return zones.instants(simulation, zone, recurring=minute.startswith("*") or hour.startswith("*"))


@lru_cache(maxsize=512)
def _check_cron(expression: str, *, day_or: bool) -> None:
    fields = _NICKNAMES.get(expression.strip().lower(), expression).split()
    if fields and fields[0].startswith("@"):
        fix = f"Names are {', '.join(_NICKNAMES)}."
        raise ScheduleInvalid(value=expression, reason="there is no such name", fix=fix)
    if len(fields) != len(_CRON_FIELDS):
        seconds = " For seconds use Interval." if len(fields) == len(_CRON_FIELDS) + 1 else ""
        reason = f"it has {len(fields)} field{'s' * (len(fields) != 1)} instead of 5"
        raise ScheduleInvalid(value=expression, reason=reason, fix=_FIVE_FIELDS + seconds)
    for index, (name, (values, longest)) in enumerate(_CRON_FIELDS.items()):
        alone = ["*"] * len(_CRON_FIELDS)
        alone[index] = fields[index]
        try:
            _simulation(" ".join(alone), zones.START, day_or=True)
        except (importlib.import_module("cronsim").CronSimError, ValueError) as error:
            reason = f"{fields[index]!r} is no valid {name}"
            raise ScheduleInvalid(value=expression, reason=reason, fix=f"It takes {values}; `*` for any.") from error
        if _CRON_EMPTY_SPAN.search(fields[index]):  # cronsim reads 5-5/2 as 5-59/2
            fix = "Write the one value by itself."
            raise ScheduleInvalid(value=expression, reason=f"{fields[index]!r} steps through one value", fix=fix)
        if any(int(step) > longest for step in _CRON_STEP.findall(fields[index])):
            reason = f"{fields[index]!r} steps over the end of the {name} field"
            fix = "For longer steps use Interval, for example Interval(timedelta(minutes=90))."
            raise ScheduleInvalid(value=expression, reason=reason, fix=fix)
    try:
        next(_simulation(expression, zones.START, day_or=day_or))
    except (importlib.import_module("cronsim").CronSimError, StopIteration) as error:
        fix = "Mend the day of month, the month or the day of week."
        raise ScheduleInvalid(value=expression, reason="there is no such day in any year", fix=fix) from error


# --- interval


def _interval_instants(schedule: Interval, after: int, zone: tzinfo) -> Iterator[int]:
    step = schedule.step
    anchor = zones.instant(schedule.anchor or zones.START, zone)
    if step % _DAY:
        micros = step // timedelta(microseconds=1)
        return count(anchor + ((after - anchor) // micros + 1) * micros, micros)
    first = zones.wall(anchor, zone)
    first += (zones.earliest_wall(after, zone) - first) // step * step
    return zones.instants((first + number * step for number in count()), zone, recurring=False)


# --- recurrence rule


def _rule(schedule: RRule) -> recurrence.Rule:
    return recurrence.parsed(schedule.rrule, schedule.timezone, schedule.start)


# --- in words


def described(schedule: Schedule) -> str:
    """Give a schedule in words, and as its text where words would be no help.

    Example:
        >>> described(Cron("*/15 9-17 * * MON-FRI"))
        'every 15 minutes from 09:00 to 17:59 on weekdays, UTC'
    """
    match schedule:
        case Cron():
            words = _cron_words(schedule) or f"cron {schedule.cron}"
        case RRule():
            words = _rule_words(_rule(schedule)) or f"rule {schedule.rrule}"
        case Interval():
            words = _interval_words(schedule)
            if schedule.timezone == "UTC":
                return words
    return f"{words}, {schedule.timezone}"


def _interval_words(schedule: Interval) -> str:
    step = schedule.step.total_seconds()
    unit, unit_s = next(((unit, size) for unit, size in _UNITS_S.items() if step % size == 0), ("second", 1))
    words = _every(step / unit_s, unit)
    return words if schedule.anchor is None else f"{words} counted from {schedule.anchor:%Y-%m-%d %H:%M:%S}"


def _rule_words(rule: recurrence.Rule) -> str | None:
    if rule.parts.keys() - {"FREQ", "INTERVAL", "WKST", "BYDAY", "COUNT"}:
        return None
    days = [_RULE_DAYS.get(day) for day in rule.parts.get("BYDAY", "").split(",") if day]
    if None in days:
        return None
    words = _every(rule.interval, _RULE_UNITS[rule.frequency])
    if days:
        words += f" on {_joined(days)}"
    return f"{words}, {rule.count} in all" if rule.count else words


def _cron_words(schedule: Cron) -> str | None:
    parsed = _simulation(schedule.cron, zones.START, day_or=schedule.day_or)
    times = _time_words(sorted(parsed.minutes), sorted(parsed.hours))
    days = _day_words(parsed)
    if times is None or days is None:
        return None
    return f"{times} {days or 'each day'}" if times.startswith("at") else f"{times} {days}".strip()


def _time_words(minutes: list[int], hours: list[int]) -> str | None:
    if len(minutes) * len(hours) <= 3:
        return f"at {_joined([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    every_hour = len(hours) == 24
    in_a_row = hours == list(range(hours[0], hours[-1] + 1))
    if len(minutes) == 1:
        (minute,) = minutes
        if (step := _even_step(hours, 24)) is not None:
            return _every(step, "hour") + (f" at minute {minute}" if minute else "")
        if in_a_row:
            return f"every hour from {hours[0]:02}:{minute:02} to {hours[-1]:02}:{minute:02}"
        return f"at {_joined([f'{hour:02}:{minute:02}' for hour in hours])}"
    if (step := _even_step(minutes, 60)) is not None and in_a_row:
        return _every(step, "minute") + ("" if every_hour else f" from {hours[0]:02}:00 to {hours[-1]:02}:59")
    return f"every hour at minutes {_joined(minutes)}" if every_hour and len(minutes) <= 4 else None


def _day_words(parsed: Any) -> str | None:
    """Give the words for the days of a parsed cron, empty for all of them, None when there are no good ones."""
    all_months = len(parsed.months) == 12
    months = "each month" if all_months else _joined([_MONTHS[month - 1] for month in sorted(parsed.months)])
    days, weekdays = parsed.days, {day for day in parsed.weekdays if isinstance(day, int)}
    if len(days) < 31:
        if len({day % 7 for day in weekdays}) < 7:
            return None
        if days == {parsed.LAST}:
            return f"on the last day of {months}"
        if days == {parsed.LAST_WEEKDAY}:
            return f"on the last weekday of {months}"
        if len(days) > 4 or min(days) < 0:
            return None
        return f"on {'day' if len(days) == 1 else 'days'} {_joined(sorted(days))} of {months}"
    if len(weekdays) < len(parsed.weekdays):
        if len(parsed.weekdays) > 1:
            return None
        ((day, nth),) = parsed.weekdays
        which = "last" if nth == parsed.LAST else _NTH[nth - 1]
        return f"on the {which} {_DAY_NAMES[(day - 1) % 7]} of {months}"
    since_monday = sorted({(day - 1) % 7 for day in weekdays})
    if len(since_monday) == 7:
        return "" if all_months else f"each day of {months}"
    names = "weekdays" if since_monday == [0, 1, 2, 3, 4] else _joined([_DAY_NAMES[day] for day in since_monday])
    return f"on {names}" if all_months else f"on {names} in {months}"


def _even_step(values: list[int], whole: int) -> int | None:
    """Give n when the values are 0, n, 2n, ... all the way round."""
    step = whole // len(values)
    return step if values == list(range(0, whole, step)) and whole % step == 0 else None


def _every(number: float, unit: str) -> str:
    return f"every {unit}" if number == 1 else f"every {number:.10g} {unit}s"


def _joined(values: list[Any]) -> str:
    *most, last = (str(value) for value in values)
    return f"{', '.join(most)} and {last}" if most else last
