"""Time zones: from an instant to the wall clock of a zone and back, across both edges of daylight saving."""

from __future__ import annotations

import importlib
from bisect import bisect_left
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from ostinato.core.errors import ScheduleInvalid, ZoneUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import tzinfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WALL: Final = EPOCH.replace(tzinfo=None)
_MICROSECOND: Final = timedelta(microseconds=1)

START: Final = datetime(2001, 1, 1)  # noqa: DTZ001, the clock of the schedule's own zone
"""Where schedules that do not say it count from: midnight of a Monday, on the clock of their zone."""

FIRST_US: Final = (datetime(1900, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND
LAST_US: Final = (datetime(9800, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND
"""No schedule names an instant outside of these."""


def named(name: str) -> tzinfo:
    """Give the zone with an IANA name such as `Europe/Berlin`.

    Raises:
        ZoneUnknown: (zone-unknown) there is no such zone; the nearest is named.
    """
    if name == "UTC":
        return UTC  # needs no zone data
    zones = importlib.import_module("zoneinfo")  # needed by few, so imported only when a zone is named
    try:
        return cast("tzinfo", zones.ZoneInfo(name))
    except (LookupError, ValueError, TypeError, OSError) as error:
        fix = _nearest(name, zones)
        raise ZoneUnknown(name=name, fix=fix) from error


def _nearest(name: object, zones: Any) -> str:
    known = zones.available_timezones()
    if not known:
        return "This machine has no time zone data: `pip install tzdata`."
    words = {zone.rpartition("/")[2].lower(): zone for zone in known} | {zone.lower(): zone for zone in known}
    wanted = str(name).strip().replace(" ", "_").lower()
    close = importlib.import_module("difflib").get_close_matches(wanted, words, n=1)
    return f'Write timezone="{words[close[0]] if close else "Europe/Berlin"}", an IANA name.'


def instant(time: datetime, zone: tzinfo) -> int:
    """Give the instant of a time: of an aware one as it is, of a naive one by the clock of `zone`.

    Raises:
        ScheduleInvalid: (schedule-invalid) it is not between the years 1900 and 9800.
    """
    aware = time if time.tzinfo is not None else time.replace(tzinfo=zone)
    try:
        at = (aware.astimezone(UTC) - EPOCH) // _MICROSECOND
    except OverflowError:
        at = LAST_US + 1
    if not FIRST_US <= at <= LAST_US:
        raise ScheduleInvalid(value=str(time), reason="it is out of range", fix="Write a year from 1900.")
    return at


def wall(instant_us: int, zone: tzinfo) -> datetime:
    """Give what the clock of a zone shows at an instant, as a naive datetime."""
    return (EPOCH + timedelta(microseconds=instant_us)).astimezone(zone).replace(tzinfo=None, fold=0)


def shown(instant_us: int, zone_name: str) -> str:
    """Give an instant as the clock of a zone shows it, with seconds only where there are some.

    Example:
        >>> shown(1_675_303_200_000_000, "Europe/Berlin")
        '2023-02-02 03:00'
    """
    at = wall(instant_us, named(zone_name))
    return at.strftime("%Y-%m-%d %H:%M:%S" if at.second or at.microsecond else "%Y-%m-%d %H:%M")


def earliest_wall(instant_us: int, zone: tzinfo) -> datetime:
    """Give the earliest that the clock of a zone shows from an instant on.

    It is what it shows now, or less when it is about to be put back over this very time.
    """
    now = (EPOCH + timedelta(microseconds=instant_us)).astimezone(zone)
    put_back = _offset(now) - _offset(now.replace(fold=1))
    return now.replace(tzinfo=None, fold=0) - max(put_back, timedelta(0))


def instants(walls: Iterable[datetime], zone: tzinfo, *, recurring: bool) -> Iterator[int]:
    """Give the instants at which the clock of a zone shows these ascending wall times.

    A time that the clock shows twice counts the first time only, and one that it skips counts at the end of
    the gap. With `recurring` (work that goes on through the day) it counts both times, and not at all.
    """
    repeated: deque[int] = deque()
    for shown in walls:
        before, after = _offset(shown.replace(tzinfo=zone)), _offset(shown.replace(tzinfo=zone, fold=1))
        if before < after and recurring:
            continue
        at = _gap_end(shown, before, after, zone) if before < after else _micros(shown, before)
        while repeated and repeated[0] <= at:
            yield repeated.popleft()
        yield at
        if before > after and recurring:
            repeated.append(_micros(shown, after))
    yield from repeated


def _gap_end(shown: datetime, before: timedelta, after: timedelta, zone: tzinfo) -> int:
    """Give the instant at which the clock is put forward over the time `shown`."""
    seconds = range(_micros(shown, after) // 1_000_000, _micros(shown, before) // 1_000_000 + 1)

    def is_over(second: int) -> bool:
        return _offset(datetime.fromtimestamp(second, zone)) == after

    return seconds[bisect_left(seconds, x=True, key=is_over)] * 1_000_000


def _offset(aware: datetime) -> timedelta:
    return cast("timedelta", aware.utcoffset())


def _micros(shown: datetime, offset: timedelta) -> int:
    return (shown - _EPOCH_WALL - offset) // _MICROSECOND
