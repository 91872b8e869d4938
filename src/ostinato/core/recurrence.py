"""Recurrence rules of iCalendar (RFC 5545): checked, and the wall times that they name."""

from __future__ import annotations

import importlib
import math
import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core import zones
from ostinato.core.errors import ScheduleInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_COUNT: Final = 10_000
MOST_TIMES_A_DAY: Final = 1440

FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WITHIN_A_DAY: Final = {"HOURLY", "MINUTELY", "SECONDLY"}
_STEPS_S: Final = {"WEEKLY": 604_800, "DAILY": 86_400, "HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_NUMBERS: Final = {
    "INTERVAL": (1, 1_000_000),
    "COUNT": (1, MOST_COUNT),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
_DAYS: Final = {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,7}")
_DAY: Final = re.compile(r"([+-]?[1-9][0-9]?)?(MO|TU|WE|TH|FR|SA|SU)")
_STAMP: Final = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")
_START_LINE: Final = re.compile(r"\s*DTSTART(?:;TZID=(?P<zone>[^:;]+))?:(?P<stamp>\S+)", re.IGNORECASE)
_EXAMPLE: Final = "Write for example `FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9`."


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A recurrence rule taken apart, on the clock of `zone`."""

    parts: dict[str, str]
    zone: tzinfo
    start: datetime
    count: int | None
    until: datetime | None
    interval: int

    @property
    def frequency(self) -> str:
        """One of FREQUENCIES."""
        return self.parts["FREQ"]

    def instants(self, after_us: int) -> Iterator[int]:
        """Give all instants after `after_us`, and perhaps some before it."""
        walls = self.walls(zones.earliest_wall(after_us, self.zone))
        return zones.instants(walls, self.zone, recurring=self.frequency in _WITHIN_A_DAY)

    def walls(self, from_wall: datetime) -> Iterator[datetime]:
        """Give all wall times from `from_wall` on, and perhaps some before it."""
        start = self.start if self.count else self._start_near(from_wall)
        return islice(_wall_times(self.parts, start, self.until), self.count)

    def _start_near(self, from_wall: datetime) -> datetime:
        """Give the last start up to a wall time that leaves the times from there on as they are.

        Any whole number of intervals after the start will do; so a rule that began long ago costs nothing.
        """
        if from_wall <= self.start:
            return self.start
        if (unit_s := _STEPS_S.get(self.frequency)) is not None:
            step = timedelta(seconds=unit_s * self.interval)
            return self.start + (from_wall - self.start) // step * step
        step_months = self.interval * (12 if self.frequency == "YEARLY" else 1)
        since = (from_wall.year - self.start.year) * 12 + from_wall.month - self.start.month
        for months in range(since // step_months * step_months, 0, -step_months):
            year, month = divmod(self.start.year * 12 + self.start.month - 1 + months, 12)
            try:
                moved = self.start.replace(year=year, month=month + 1)
            except ValueError:  # that month has no such day
                continue
            if moved <= from_wall:
                return moved
        return self.start


@lru_cache(maxsize=512)
def parsed(rule: str, timezone: str, start: datetime | None) -> Rule:
    """Give a rule with an optional DTSTART line taken apart; it begins at `start` when it has none.

    Raises:
        ScheduleInvalid: (schedule-invalid) a part is wrong, or no time fits.
    """
    zone = zones.named(timezone)
    text, begin = _taken_start(rule, zone, timezone, start)
    parts = _parts(rule, text)
    until = _wall(parts["UNTIL"], zone, time.max) if "UNTIL" in parts else None
    if "COUNT" in parts and "UNTIL" in parts:
        raise ScheduleInvalid(value=rule, reason="it has both COUNT and UNTIL", fix="Keep one of them.")
    if "COUNT" in parts and begin is None:
        raise ScheduleInvalid(value=rule, reason="COUNT does not say from when on", fix="Add start=datetime(...).")
    begin = (begin or zones.START).replace(microsecond=0)
    if parts["FREQ"] in _WITHIN_A_DAY and not any(name.startswith("BY") for name in parts):
        begin = zones.wall(zones.instant(begin, zone), UTC)
        until = until and zones.wall(zones.instant(until, zone), UTC)
        zone = UTC
    found = Rule(
        parts=parts,
        zone=zone,
        start=begin,
        count=int(parts["COUNT"]) if "COUNT" in parts else None,
        until=until,
        interval=int(parts.get("INTERVAL", 1)),
    )
    try:
        some_day = {name: given for name, given in parts.items() if name in _DAYS}
        first = next(_wall_times({"FREQ": "YEARLY", **some_day}, zones.START), None)  # cheap, whatever the frequency
        first = first and next(found.walls(begin), None)
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise ScheduleInvalid(value=rule, reason=str(error), fix=_EXAMPLE) from error
    if first is None:
        raise ScheduleInvalid(value=rule, reason="no time fits it", fix=_EXAMPLE)
    return found


def _wall_times(parts: dict[str, str], start: datetime, until: datetime | None = None) -> Iterator[datetime]:
    text = ";".join(f"{name}={given}" for name, given in parts.items() if name not in {"COUNT", "UNTIL"})
    rule = importlib.import_module("dateutil.rrule").rrulestr(text, dtstart=start)
    return iter(rule if until is None else rule.replace(until=until))


def _taken_start(rule: str, zone: tzinfo, timezone: str, start: datetime | None) -> tuple[str, datetime | None]:
    """Give the rule without its DTSTART line, and the wall time of its start."""
    found = _START_LINE.match(rule)
    if found is None:
        return rule, start and zones.wall(zones.instant(start, zone), zone)
    if start is not None:
        raise ScheduleInvalid(value=rule, reason="it has both DTSTART and `start`", fix="Keep one of them.")
    if found["zone"] not in {None, timezone}:
        reason = f"DTSTART is in {found['zone']}, but `timezone` is {timezone}"
        raise ScheduleInvalid(value=rule, reason=reason, fix=f'Write timezone="{found["zone"]}".')
    return rule[found.end() :], _wall(found["stamp"].upper(), zone, time.min)


def _parts(rule: str, text: str) -> dict[str, str]:
    """Give the parts of a rule by name, each checked by itself."""
    parts: dict[str, str] = {}
    for pair in text.strip().upper().removeprefix("RRULE:").strip(";").split(";"):
        name, equals, given = pair.partition("=")
        if not equals or name in parts:
            reason = f"{pair!r} is there twice" if equals else f"{pair!r} is no part NAME=VALUE"
            raise ScheduleInvalid(value=rule, reason=reason, fix=_EXAMPLE)
        parts[name] = given
        if (fix := _fault(name, given)) is not None:
            raise ScheduleInvalid(value=rule, reason=f"{pair!r} is no part of a rule", fix=fix)
    if "FREQ" not in parts:
        raise ScheduleInvalid(value=rule, reason="FREQ is missing", fix=_EXAMPLE)
    if parts["FREQ"] not in {"YEARLY", "MONTHLY"} and any(map(str.isdigit, parts.get("BYDAY", ""))):
        fix = "Use FREQ=MONTHLY or FREQ=YEARLY, or leave the number out."
        raise ScheduleInvalid(value=rule, reason="BYDAY counts weekdays of a month or a year", fix=fix)
    times = math.prod(len(set(parts.get(name, "").split(","))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if parts["FREQ"] in _WITHIN_A_DAY:
        if "BYSETPOS" in parts:  # would be looked for in each of the periods, one after the other
            fix = "Name the times by BYHOUR, BYMINUTE and BYSECOND."
            raise ScheduleInvalid(value=rule, reason="BYSETPOS needs periods of a day or more", fix=fix)
    elif times > MOST_TIMES_A_DAY:
        fix = "Use FREQ=MINUTELY or FREQ=SECONDLY."
        raise ScheduleInvalid(value=rule, reason=f"it names more than {MOST_TIMES_A_DAY} times a day", fix=fix)
    return parts


def _fault(name: str, given: str) -> str | None:
    """Give what to write instead of a part that is wrong."""
    values = given.split(",")
    if name == "FREQ":
        return None if given in FREQUENCIES else f"FREQ is one of {', '.join(FREQUENCIES)}."
    if name == "UNTIL":
        return None if _STAMP.fullmatch(given) else "Write for example `UNTIL=20261231T235959`."
    if name == "WKST":
        return None if given in WEEKDAYS else f"WKST is one of {', '.join(WEEKDAYS)}."
    if name == "BYDAY":
        return None if all(map(_DAY.fullmatch, values)) else "Write for example `BYDAY=MO,WE`, or `BYDAY=-1FR`."
    if name not in _NUMBERS:
        return f"Parts are FREQ, UNTIL, WKST, BYDAY, {', '.join(_NUMBERS)}."
    low, high = _NUMBERS[name]
    several = len(values) == 1 or name.startswith("BY")
    fits = all(_NUMBER.fullmatch(value) and low <= int(value) <= high for value in values)
    if several and fits and (low >= 0 or all(map(int, values))):
        return None
    return f"{name} takes whole numbers from {low} to {high}{' except 0' if low < 0 else ''}."


def _wall(stamp: str, zone: tzinfo, time_of_day: time) -> datetime:
    """Give a time such as `20260101T090000` on the clock of a zone; to a date alone goes `time_of_day`."""
    try:
        if not _STAMP.fullmatch(stamp):
            raise ValueError(stamp)
        shown = datetime.fromisoformat(stamp.removesuffix("Z"))
    except ValueError as error:
        fix = "Write for example `20260101T090000`, with a Z for UTC."
        raise ScheduleInvalid(value=stamp, reason="there is no such time", fix=fix) from error
    if "T" not in stamp:
        shown = datetime.combine(shown, time_of_day)
    at = zones.instant(shown, UTC if stamp.endswith("Z") else zone)
    return zones.wall(at, zone) if stamp.endswith("Z") else shown
