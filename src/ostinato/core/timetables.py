"""Timetables of a deployment, from the ways in which calls, files and command lines write schedules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.deployments import Timetable
from ostinato.core.errors import ScheduleInvalid
from ostinato.core.query import parse_duration
from ostinato.core.schedules import Cron, Interval, RRule, convert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.schedules import Schedule

_OWN: Final = frozenset({"slug", "parameters", "active", "schedule"})
_KINDS: Final = {Cron: "cron", Interval: "interval", RRule: "rrule"}


def timetables(
    schedules: Any = None, *, cron: Any = None, interval: Any = None, rrule: Any = None, timezone: str = ""
) -> tuple[Timetable, ...]:
    """Give the timetables that these mean; each may be one value or several.

    An item of `schedules` is a schedule, what `core.schedules.convert` takes for one, or a mapping that has
    `slug`, `parameters` and `active` beside the fields of a schedule. `timezone` is for those that name none.
    Without a slug they are called `cron-1`, `cron-2`, `interval-1`, ...

    Raises:
        ScheduleInvalid: (schedule-invalid) one of them is no schedule.
    """
    written = [
        *_several(schedules),
        *({"cron": one} for one in _several(cron)),
        *({"interval": one} for one in _several(interval)),
        *({"rrule": one} for one in _several(rrule)),
    ]
    numbers: Counter[str] = Counter()
    return tuple(_timetable(one, timezone, numbers) for one in written)


def _several(value: Any) -> Iterator[Any]:
    if value is None:
        return
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        yield from value
    else:
        yield value


def _timetable(written: Any, timezone: str, numbers: Counter[str]) -> Timetable:
    own: dict[str, Any] = {}
    if isinstance(written, Mapping):
        own = {name: value for name, value in written.items() if name in _OWN}
        rest = {name: value for name, value in written.items() if name not in _OWN}
        written = _schedule_in(own.pop("schedule", None), rest)
    if isinstance(written, str):
        written = {"rrule" if "FREQ=" in written.upper() else "cron": written}
    elif isinstance(written, int | float | timedelta):
        written = {"interval": written}
    if isinstance(written, dict) and timezone:
        written.setdefault("timezone", timezone)
    schedule: Schedule = convert(written)
    kind = _KINDS[type(schedule)]
    numbers[kind] += 1
    try:
        return msgspec.convert({"slug": f"{kind}-{numbers[kind]}", "schedule": schedule, **own}, Timetable)
    except msgspec.ValidationError as error:
        fix = 'Beside the schedule write slug="...", parameters={...}, active=True.'
        raise ScheduleInvalid(value=str(schedule), reason=str(error), fix=fix) from error


def _schedule_in(schedule: Any, rest: dict[str, Any]) -> Any:
    """Give what a mapping says of the schedule itself."""
    if schedule is not None:
        if rest:
            fix = "Name the schedule by schedule=, or by the fields of one."
            raise ScheduleInvalid(value=schedule, reason=f"{next(iter(rest))!r} stands beside it", fix=fix)
        return dict(schedule) if isinstance(schedule, Mapping) else schedule
    if isinstance(rest.get("interval"), str):
        length = parse_duration(rest["interval"])
        if length is None:
            fix = "Write seconds, or 30s, 5m, 1h30m, 7d."
            raise ScheduleInvalid(value=rest["interval"], reason="it is no length of time", fix=fix)
        rest["interval"] = length / 1e6
    return rest
