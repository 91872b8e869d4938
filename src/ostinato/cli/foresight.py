"""Runs that are to come: those that wait already, and those that schedules will make."""

from __future__ import annotations

import heapq
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ostinato.core.deployments import LATE_US, SCHEDULED_TAG, queue_for
from ostinato.core.schedules import upcoming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.core.ports import Reader

_HOUR_US: Final = 3_600_000_000
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Coming(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One run that is to come; without an id it is not made yet."""

    due_at: int
    id: str = ""
    name: str = ""
    deployment: str = ""
    schedule: str = ""
    state: str = ""
    late: bool = False


def coming_runs(reader: Reader, queue: str, until: int, limit: int, now: int) -> list[Coming]:
    """Give up to `limit` runs that wait in a queue, or will, until an instant: the earliest first."""
    made = [
        Coming(
            due_at=run.due_at,
            id=run.id,
            name=run.name,
            deployment=run.deployment,
            schedule=run.schedule,
            state=run.state,
            late=run.state == "Late" or run.due_at < now - LATE_US,
        )
        for run in reader.preview(queue, until, limit)
    ]
    queues = reader.queues()
    for one in reader.deployments():
        if not one.paused and queue_for(one, (*one.tags, SCHEDULED_TAG), queues) == queue:
            for timetable in one.schedules:
                made += _unmade(reader, one, timetable, until, limit, now)
    return heapq.nsmallest(limit, made)


def _unmade(
    reader: Reader, one: Deployment, timetable: Timetable, until: int, limit: int, now: int
) -> Iterator[Coming]:
    """Give what a schedule will make: its instants for which there is no run."""
    if not timetable.active:
        return
    known = {run.due_at for run in reader.tick_runs(one.id, timetable.slug, now, until, limit=limit)}
    for at in upcoming(timetable.schedule, now, limit, until_us=until):
        if at not in known:
            yield Coming(due_at=at, deployment=one.title, schedule=timetable.slug)


def end_of_view(hours: float, until: str | None, now: int) -> int:
    """Give the instant up to which is looked: that of a date (its whole day) or time, or some hours from now."""
    if until is None:
        return now + int(hours * _HOUR_US)
    try:
        at = datetime.fromisoformat(until)
        at = at + timedelta(days=1) if _DATE.fullmatch(until) else at
        return int(at.astimezone().timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        message = f"{until!r} is no date or time; write for example 2026-12-31."
        raise click.BadParameter(message, param_hint="--until") from error
