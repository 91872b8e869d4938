"""Reading log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostinato.core.records import LogLine
from ostinato.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.store.database import Connection


def logs(db: Connection, run_ids: Iterable[str], *, after: int, limit: int, level: int, tail: bool) -> list[LogLine]:
    """Give log lines with id > `after` in commit order; `tail` gives the last `limit` ones instead."""
    ids = msgspec.json.encode(list(dict.fromkeys(run_ids))).decode()
    query = sql.load("logs")["newest_logs" if tail else "logs_after"]
    found = [
        LogLine(id=number, run_id=run_id, no=no, task=task, at=at, level=line_level, logger=logger, text=text)
        for number, run_id, no, task, at, line_level, logger, text in db.execute(query, (ids, after, level, limit))
    ]
    return found[::-1] if tail else found
