"""Reading log lines: of several runs in commit order, and of one run by pages, which are searched as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.records import LogLine
from ostinato.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.store.database import Connection

LOOKED_AT: Final = 50_000
"""Lines that one page looks at when only some of them are wanted."""
SOUGHT: Final = 200_000
"""Lines that one look for a text looks through."""
END: Final = 1 << 62
"""After every line."""
ANY_TASK: Final = -1

_LONGEST_LIKE: Final = 1000


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of a run are wanted."""

    run_id: str
    level: int = 0
    """The least one."""
    no: int = ANY_TASK
    """Of this task run; 0 for what the flow itself said."""

    @property
    def all(self) -> bool:
        """Whether no line is left out."""
        return self.level <= 0 and self.no < 0


def logs(db: Connection, run_ids: Iterable[str], *, after: int, limit: int, level: int, tail: bool) -> list[LogLine]:
    """Give log lines with id > `after` in commit order; `tail` gives the last `limit` ones instead."""
    ids = msgspec.json.encode(list(dict.fromkeys(run_ids))).decode()
    query = sql.load("logs")["newest_logs" if tail else "logs_after"]
    found = [_line(row) for row in db.execute(query, (ids, after, level, limit))]
    return found[::-1] if tail else found


def lines_after(db: Connection, wanted: Wanted, after: int, limit: int) -> tuple[list[LogLine], int]:
    """Give lines that follow an id, in commit order, and after which id to go on: 0 when that was all.

    A page may be short, and even empty, while there is more.
    """
    upto, more = (END, False) if wanted.all else _bound(db, "look_ahead", wanted, after, END, LOOKED_AT)
    values = (wanted.run_id, after, upto, wanted.level, wanted.no, limit + 1)
    found = [_line(row) for row in db.execute(sql.load("logs")["lines_after"], values)]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    return found, upto if more else 0


def lines_before(db: Connection, wanted: Wanted, before: int, limit: int) -> tuple[list[LogLine], int]:
    """Give the last lines before an id, in commit order, and before which id to go on: 0 when that was all."""
    low, more = (0, False) if wanted.all else _bound(db, "look_back", wanted, before, 0, LOOKED_AT)
    values = (wanted.run_id, before, low, wanted.level, wanted.no, limit + 1)
    found = [_line(row) for row in db.execute(sql.load("logs")["lines_before"], values)]
    if len(found) > limit:
        return found[limit - 1 :: -1], found[limit - 1].id
    return found[::-1], low if more else 0


def hits_before(db: Connection, wanted: Wanted, text: str, before: int, limit: int) -> tuple[list[int], int]:
    """Give the ids of the last lines before an id that have a text in them, the newest first.

    Capital letters and small ones are the same. The second value says before which id to go on: 0 when that was all.
    """
    low, more = _bound(db, "look_back", wanted, before, 0, SOUGHT)
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_LIKE:
        name, sought = "hits_before", f"%{_escaped(text)}%"
    else:  # LIKE knows ASCII only
        name, sought = "hits_of_letters_before", text.lower()
    values = (wanted.run_id, before, low, wanted.level, wanted.no, sought, limit + 1)
    found = [row[0] for row in db.execute(sql.load("logs")[name], values)]
    if len(found) > limit:
        return found[:limit], found[limit - 1]
    return found, low if more else 0


def span(db: Connection, run_id: str) -> tuple[int, int]:
    """Give the first and the last id of the lines of a run, zeros when it has none."""
    first, last = db.execute(sql.load("logs")["span"], (run_id,)).fetchone()
    return first or 0, last or 0


def _bound(db: Connection, query: str, wanted: Wanted, begin: int, otherwise: int, most: int) -> tuple[int, bool]:
    """Give the line where a look ends, and whether there may be more behind it."""
    first, last = span(db, wanted.run_id)
    if last - first < most:
        return otherwise, False
    n_lines, end = db.execute(sql.load("logs")[query], (wanted.run_id, begin, most)).fetchone()
    return (end, True) if n_lines == most else (otherwise, False)


def _escaped(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return text


def _line(row: Sequence[Any]) -> LogLine:
    number, run_id, no, task, at, level, logger, text = row
    return LogLine(id=number, run_id=run_id, no=no, task=task, at=at, level=level, logger=logger, text=text)
