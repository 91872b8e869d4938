"""Backfills: the instants of a schedule in a range of dates, and what is still to be done for each."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from ostinato.core import zones
from ostinato.core.errors import BadOption, ParametersMisfit, ScheduleInvalid
from ostinato.core.records import FlowRun
from ostinato.core.schedules import upcoming
from ostinato.core.states import SUCCESSFUL
from ostinato.core.validation import first_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.core.ports import Reader
    from ostinato.core.schedules import Schedule

TAG: Final = "backfill"
"""Every run that a backfill makes has it."""

MOST_INSTANTS: Final = 10_000
_PAGE: Final = 1000

Mode: TypeAlias = Literal["once", "missing", "again"]
"""`once`: each instant once with this code and these parameters; `missing`: only where nothing has completed;
`again`: each anew."""

Todo: TypeAlias = Literal["make", "watch", "keep"]

_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIX: Final = "Write a month, a date or a time: 2023-02, 2023-02-01, 2023-02-01T03:00, 2023-02-01T03:00+01:00."


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill runs at each instant."""

    deployment_id: str
    slug: str
    """The schedule."""
    version: str
    """Of the code."""
    parameters: dict[str, Any]
    mode: Mode = "once"

    def is_same(self, run: FlowRun) -> bool:
        """Say whether a run has this code and these parameters."""
        packed = run.arguments.data if run.arguments is not None else b"\x80"
        return run.version == self.version and packed is not None and msgspec.msgpack.decode(packed) == self.parameters


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One instant of a backfill."""

    at: int
    todo: Todo
    run: FlowRun | None = None
    """The run that is watched or kept."""
    key: str = ""
    """Idempotency key of the run to make: who asks twice, or from two places, gets one run."""


def timetable_of(one: Deployment, slug: str) -> Timetable:
    """Give the schedule of a deployment that has this slug; an empty one means the only one there is.

    Raises:
        BadOption: (option-invalid) there is no such schedule, or there are several.
    """
    found = [each for each in one.schedules if slug in ("", each.slug)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(each.slug for each in one.schedules)
    if not known:
        reason, fix = "it has no schedule", f"Give it one: `ostinato deploy FILE:FLOW --name {one.name} --cron ...`."
    else:
        reason = "there is no such schedule" if slug else "it has several schedules"
        fix = f"Its schedules: {known}."
    raise BadOption(option="--schedule", value=slug, where=one.title, reason=reason, fix=fix)


def work_of(one: Deployment, timetable: Timetable, given: dict[str, Any], mode: Mode) -> Work:
    """Give what runs at each instant, with parameters on top of those of the schedule.

    Raises:
        ParametersMisfit: (parameters-misfit) said before anything is made.
    """
    parameters = {**one.parameters, **timetable.parameters, **given}
    misfit = first_error(one.parameter_schema, parameters, "parameter") if one.parameter_schema else ""
    if misfit:
        raise ParametersMisfit(deployment=one.title, reason=misfit)
    return Work(deployment_id=one.id, slug=timetable.slug, version=one.version, parameters=parameters, mode=mode)


def span(begin: str, end: str, zone_name: str) -> tuple[int, int]:
    """Give the first and last microsecond from one date to another; both days, or months, are in it.

    What says no zone is read on the clock of `zone_name`.

    Raises:
        BadOption: (option-invalid) one is no date, or they are the wrong way round.
    """
    first, _ = _bounds("--from", begin, zone_name)
    _, last = _bounds("--to", end, zone_name)
    if last < first:
        reason = f"it is before --from {begin}"
        raise BadOption(option="--to", value=end, where="a backfill", reason=reason, fix="Swap the two.")
    return first, last


def _bounds(option: str, text: str, zone_name: str) -> tuple[int, int]:
    """Give the first and last microsecond of a month, a date or an instant."""
    zone = zones.named(zone_name)
    try:
        if _MONTH.fullmatch(text):
            start = datetime.fromisoformat(f"{text}-01")
            following = start + timedelta(days=monthrange(start.year, start.month)[1])
        else:
            start = datetime.fromisoformat(text)
            following = start + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise BadOption(option=option, value=text, where="a backfill", reason="it is no date", fix=_FIX) from error
    is_day = _MONTH.fullmatch(text) or _DATE.fullmatch(text)
    try:
        first = zones.instant(start, zone)
        return first, zones.instant(following, zone) - 1 if is_day else first
    except ScheduleInvalid as error:
        reason, fix = "no schedule reaches so far", "Write a year from 1900 to 9799."
        raise BadOption(option=option, value=text, where="a backfill", reason=reason, fix=fix) from error


def instants(schedule: Schedule, begin: int, end: int) -> list[int]:
    """Give the instants of a schedule from `begin` to `end`.

    Raises:
        BadOption: (option-invalid) there are more than MOST_INSTANTS.
    """
    found = upcoming(schedule, begin - 1, MOST_INSTANTS + 1, until_us=end)
    if len(found) > MOST_INSTANTS:
        reason = f"the schedule names more than {MOST_INSTANTS:,} instants in it"
        fix = "Backfill a shorter range, and the next one after it."
        raise BadOption(option="--to", value="", where="a backfill", reason=reason, fix=fix)
    return found


def planned(reader: Reader, schedule: Schedule, work: Work, begin: int, end: int) -> list[Cell]:
    """Give what is to be done for each instant of a schedule from `begin` to `end`.

    Raises:
        BadOption: (option-invalid) there are more than MOST_INSTANTS.
    """
    found = instants(schedule, begin, end)
    if not found:
        return []
    runs: dict[int, list[FlowRun]] = {}
    for run in _runs_of(reader, work, found[0], found[-1]):
        runs.setdefault(run.expected_at, []).append(run)
    return [decide(at, runs.get(at, []), work) for at in found]


def _runs_of(reader: Reader, work: Work, begin: int, end: int) -> list[FlowRun]:
    found: dict[str, FlowRun] = {}
    while True:
        page = reader.tick_runs(work.deployment_id, work.slug, begin, end, limit=_PAGE)
        found.update((run.id, run) for run in page)
        if len(page) < _PAGE:
            return list(found.values())
        begin = max(page[-1].expected_at, begin + 1)


def decide(at: int, runs: Sequence[FlowRun], work: Work) -> Cell:
    """Say what is to be done at an instant. `runs` are all that its schedule, and backfills, have made for it."""
    ours = [run for run in runs if TAG in run.tags]
    looked_at = runs if work.mode == "missing" else [run for run in ours if work.is_same(run)]
    done = _newest(run for run in looked_at if run.state in SUCCESSFUL)
    going = _newest(run for run in looked_at if not run.ended)
    if done is not None and work.mode != "again":
        return Cell(at=at, todo="keep", run=done)
    if going is not None:
        return Cell(at=at, todo="watch", run=going)
    return Cell(at=at, todo="make", key=key(at, _newest(ours), work))


def key(at: int, after: FlowRun | None, work: Work) -> str:
    """Give the idempotency key of the run at an instant, or of the one after another run that did not do."""
    text = f"backfill:{work.deployment_id}:{work.slug}:{at}"
    return text if after is None else f"{text}:{after.id}"


def _newest(runs: Iterable[FlowRun]) -> FlowRun | None:
    return max(runs, key=lambda run: run.id, default=None)
