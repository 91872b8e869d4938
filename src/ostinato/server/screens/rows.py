"""A flow run as a row or a bar of a page."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from ostinato.core.query import RUN_FIELDS, parse
from ostinato.core.states import StateName
from ostinato.core.views import instant, maybe
from ostinato.store import runs

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun
    from ostinato.server.office import Shelf


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list."""

    id: str
    name: str
    flow: str
    deployment: str | None
    state: StateName
    message: str
    expected_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    worker: str | None
    tags: tuple[str, ...]


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """A run as one bar."""

    id: str
    name: str
    state: StateName
    duration_s: float | None


def row(run: FlowRun) -> RunRow:
    """Give a run as a row."""
    return RunRow(
        id=run.id,
        name=run.name,
        flow=run.flow,
        deployment=run.deployment or None,
        state=run.state,
        message=run.message.partition("\n")[0][:300],
        expected_at=instant(run.due_at or run.expected_at),
        started_at=maybe(run.started_at),
        ended_at=maybe(run.ended_at),
        worker=run.worker or None,
        tags=run.tags,
    )


def newest(shelf: Shelf, text: str, limit: int, now: int) -> list[FlowRun]:
    """Give the newest runs that match, as far as one look goes."""
    found, _ = runs.runs(shelf.db, parse(text, RUN_FIELDS, now=now), limit=limit, after="", now=now)
    return found


def seconds(begin: int | None, end: int | None) -> float | None:
    """Give how long something took, if it has ended."""
    return (end - begin) / 1e6 if begin and end else None
