"""Reading what the whole home looks like: flows with their counts, what ran when, what has which name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.states import TABLE, StateName
from ostinato.store import sql
from ostinato.store.projection import HOUR_US
from ostinato.store.runs import flow_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.records import FlowRun
    from ostinato.store.database import Connection, Cursor

_STATES: Final = msgspec.json.encode(list(TABLE)).decode()


class Mark(msgspec.Struct, frozen=True):
    """When a flow run that has begun ran, without anything else of it."""

    id: str
    name: str
    flow: str
    state: StateName
    started_at: int
    ended_at: int | None


def flows(db: Connection, *, since: int, after: str, limit: int) -> list[tuple[str, dict[StateName, int]]]:
    """Give flows by name, each with how many of its runs made since an instant are in which state."""
    found: dict[str, dict[StateName, int]] = {name: {} for name in flow_names(db, after=after, limit=limit)}
    for name, state, n in _counts(db, list(found), since // HOUR_US * HOUR_US):
        found[name][state] = n
    return list(found.items())


def flow_names(db: Connection, *, after: str, limit: int) -> list[str]:
    """Give the names of flows after one of them."""
    return [row[0] for row in _ask(db, "flows", after, limit)]


def states_of_flow(db: Connection, flow: str) -> dict[StateName, int]:
    """Give how many runs of a flow are in each state."""
    return {state: n for _, state, n in _counts(db, [flow], 0)}


def _counts(db: Connection, names: Sequence[str], hour: int) -> list[tuple[str, StateName, int]]:
    return _ask(db, "counts_of_flows", _json(names), hour, _STATES).fetchall()


def hours(db: Connection, since: int) -> list[tuple[int, StateName, int]]:
    """Give how many runs made in each hour since one are in which state: hour, state, number."""
    return _ask(db, "hours", since).fetchall()


def newest_of_flow(db: Connection, flow: str, limit: int) -> list[tuple[str, str, StateName, int | None, int | None]]:
    """Give the newest runs of a flow that have begun: id, name, state, start, end; the newest first."""
    return _ask(db, "newest_of_flow", flow, limit).fetchall()


def coming(db: Connection, limit: int) -> list[FlowRun]:
    """Give the runs that are due next."""
    return flow_runs(db, _ask(db, "coming", limit))


def oldest_waiting(db: Connection, now: int) -> dict[str, int]:
    """Give, by queue, when the run that has waited longest was due."""
    return dict(_ask(db, "oldest_waiting", now).fetchall())


def marks(db: Connection, ids: Sequence[str]) -> list[Mark]:
    """Give when some flow runs that have begun ran, the newest first."""
    return [Mark(*row) for row in _ask(db, "marks", _json(ids))]


def progress(db: Connection, ids: Sequence[str]) -> dict[str, dict[StateName, int]]:
    """Give, by flow run, how many of its task runs are in each state; without task runs it is left out."""
    found: dict[str, dict[StateName, int]] = {}
    for run_id, state, n in _ask(db, "progress", _json(ids)):
        found.setdefault(run_id, {})[state] = n
    return found


def deployment_titles(db: Connection, limit: int) -> list[tuple[str, str, str]]:
    """Give the first deployments: id, flow and name."""
    return _ask(db, "deployment_titles", limit).fetchall()


def model_names(db: Connection, limit: int) -> list[str]:
    """Give the names of the first registered models."""
    return [row[0] for row in _ask(db, "model_names", limit)]


def _ask(db: Connection, name: str, *values: object) -> Cursor:
    return db.execute(sql.load("overview")[name], values)


def _json(values: Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()
