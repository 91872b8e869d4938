"""Reading what the whole home looks like: flows with their counts, how late queues are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.states import TABLE, StateName
from ostinato.store import sql
from ostinato.store.projection import HOUR_US
from ostinato.store.runs import flow_runs

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun
    from ostinato.store.database import Connection

_STATES: Final = msgspec.json.encode(list(TABLE)).decode()


def flows(db: Connection, *, since: int, after: str, limit: int) -> list[tuple[str, dict[StateName, int]]]:
    """Give flows by name, each with how many of its runs made since an instant are in which state."""
    queries = sql.load("overview")
    hour = since // HOUR_US * HOUR_US
    found: dict[str, dict[StateName, int]] = {row[0]: {} for row in db.execute(queries["flows"], (after, limit))}
    wanted = msgspec.json.encode(list(found)).decode()
    for name, state, n in db.execute(queries["counts_of_flows"], (wanted, hour, _STATES)):
        found[name][state] = n
    return list(found.items())


def hours(db: Connection, since: int) -> list[tuple[int, StateName, int]]:
    """Give how many runs made in each hour since one are in which state: hour, state, number."""
    return db.execute(sql.load("overview")["hours"], (since,)).fetchall()


def newest_of_flow(db: Connection, flow: str, limit: int) -> list[tuple[str, str, StateName, int | None, int | None]]:
    """Give the newest runs of a flow that have begun: id, name, state, start, end; the newest first."""
    return db.execute(sql.load("overview")["newest_of_flow"], (flow, limit)).fetchall()


def coming(db: Connection, limit: int) -> list[FlowRun]:
    """Give the runs that are due next."""
    return flow_runs(db, db.execute(sql.load("overview")["coming"], (limit,)))


def oldest_waiting(db: Connection, now: int) -> dict[str, int]:
    """Give, by queue, when the run that has waited longest was due."""
    return dict(db.execute(sql.load("overview")["oldest_waiting"], (now,)).fetchall())
