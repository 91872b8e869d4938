"""The log of one run as the page shows it: a stretch of lines at a time, and where a text is found in all of them."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar.params import QueryParameter

from ostinato.core.views import instant
from ostinato.server.doors import MOST_INT, Ask, Limit, Ref, read_at
from ostinato.store import logs
from ostinato.store.logs import ANY_TASK, END, Wanted

if TYPE_CHECKING:
    from ostinato.core.records import LogLine
    from ostinato.server.office import Shelf

Level = Annotated[int, QueryParameter(ge=0, le=100, description="Least numeric level: 20 is INFO, 40 is ERROR.")]
Task = Annotated[
    int, QueryParameter(ge=ANY_TASK, le=MOST_INT, description="Number of a task run; 0 is the flow itself, -1 all.")
]
Before = Annotated[
    int, QueryParameter(ge=0, le=MOST_INT, description="The last lines before this id; without it those at the end.")
]
From = Annotated[
    int, QueryParameter(ge=ANY_TASK, le=MOST_INT, description="The first lines after this id; 0 is the beginning.")
]
Text = Annotated[
    str, QueryParameter(min_length=1, max_length=500, description="What is sought; capital letters are small ones.")
]


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """A log line of a run."""

    id: int
    at: datetime
    level: str
    no: int
    """Of the task run that said it; 0 for the flow itself."""
    task: str | None
    """Its name."""
    logger: str
    text: str


class LogStretch(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that follow one another, in the order in which they came."""

    items: list[LogRow]
    next: int | None = None
    """Give it as `before`, or as `after`, whichever was asked for; None at the beginning, or the end, of the log."""


class LogHits(msgspec.Struct, frozen=True, kw_only=True):
    """Where a text was found."""

    ids: list[int]
    """Of lines, the newest first."""
    next: int | None = None
    """Give it as `before` for the hits before these; None when that was all."""


@read_at("/api/ui/runs/{ref:str}/logs")
async def log_stretch(
    request: Ask,
    ref: Ref,
    level: Level = 0,
    task: Task = ANY_TASK,
    before: Before = END,
    after: From = ANY_TASK,
    limit: Limit = 500,
) -> LogStretch:
    """Give lines of the log of a run: the last ones before an id, or the first ones after one."""

    def ask(shelf: Shelf) -> LogStretch:
        wanted = Wanted(run_id=shelf.reader.find_run(ref).id, level=level, no=task)
        if after > ANY_TASK:
            found, cursor = logs.lines_after(shelf.db, wanted, after, limit)
        else:
            found, cursor = logs.lines_before(shelf.db, wanted, before, limit)
        return LogStretch(items=log_rows(found), next=cursor or None)

    return await request.look(ask)


@read_at("/api/ui/runs/{ref:str}/logs/hits")
async def log_hits(
    request: Ask,
    ref: Ref,
    text: Text,
    level: Level = 0,
    task: Task = ANY_TASK,
    before: Before = END,
    limit: Limit = 1000,
) -> LogHits:
    """Find a text in the log of a run, from the end backwards; a page may be short, and even empty."""

    def ask(shelf: Shelf) -> LogHits:
        wanted = Wanted(run_id=shelf.reader.find_run(ref).id, level=level, no=task)
        ids, cursor = logs.hits_before(shelf.db, wanted, text, before, limit)
        return LogHits(ids=ids, next=cursor or None)

    return await request.look(ask)


def log_rows(lines: list[LogLine]) -> list[LogRow]:
    """Give log lines as rows."""
    return [
        LogRow(
            id=line.id, at=instant(line.at), level=logging.getLevelName(line.level), no=line.no, task=line.task or None,
            logger=line.logger, text=line.text,
        )
        for line in lines
    ]  # fmt: skip
