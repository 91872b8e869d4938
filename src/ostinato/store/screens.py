"""Reading what the pages of flows and artifacts show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.deployments import Deployment
from ostinato.core.errors import ArtifactNotFound
from ostinato.store import sql
from ostinato.store.runs import flow_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.core.records import FlowRun
    from ostinato.core.states import StateName
    from ostinato.store.database import Connection, Cursor

LOOKED_AT: Final = 2_000
"""Artifacts that one look takes in."""
MOST_BELOW: Final = 1_000
"""Runs below one whose artifacts are shown with it."""
MOST_DEPLOYMENTS: Final = 1_000
HOUR_US: Final = 3_600_000_000
WELL: Final[tuple[StateName, ...]] = ("Completed", "Cached")
BADLY: Final[tuple[StateName, ...]] = ("Failed", "TimedOut", "Crashed")
"""How runs end well and badly; what was cancelled or skipped did neither."""

_deployment: Final = msgspec.json.Decoder(Deployment).decode
_OUTCOMES: Final = msgspec.json.encode([*WELL, *BADLY]).decode()


class ArtifactHead(msgspec.Struct, frozen=True, array_like=True):
    """An artifact and the run that made it."""

    id: int
    run_id: str
    run: str
    """Name of the run."""
    flow: str
    key: str
    kind: str
    description: str
    at: int
    blob: str
    media_type: str
    n_bytes: int
    """Size of what it holds."""
    data: bytes | None
    """What it holds; None when that was not asked for, or is too much."""


def _ask(db: Connection, name: str, *values: object) -> Cursor:
    return db.execute(sql.load("screens")[name], values)


def newest_named(db: Connection, flow: str, names: Sequence[str]) -> list[FlowRun]:
    """Give the newest run of a flow of each of some names."""
    return flow_runs(db, _ask(db, "newest_named", flow, msgspec.json.encode(names).decode()))


def flow_names(db: Connection, after: str, limit: int) -> list[str]:
    """Give names of flows after one of them."""
    return [row[0] for row in _ask(db, "flow_names", after, limit)]


def outcomes(db: Connection, flows: Sequence[str], since: int) -> dict[str, dict[StateName, int]]:
    """Give how many runs of some flows, made since an instant, ended well and badly, by state."""
    found: dict[str, dict[StateName, int]] = {flow: {} for flow in flows}
    names = msgspec.json.encode(flows).decode()
    hour = since // HOUR_US * HOUR_US
    for flow, state, n in db.execute(sql.load("overview")["counts_of_flows"], (names, hour, _OUTCOMES)):
        found[flow][state] = n
    return found


def deployments_of(db: Connection, flows: Sequence[str]) -> dict[str, list[Deployment]]:
    """Give the deployments of some flows, by flow."""
    found: dict[str, list[Deployment]] = {flow: [] for flow in flows}
    names = msgspec.json.encode(flows).decode()
    for (definition,) in _ask(db, "deployments_of_flows", names, MOST_DEPLOYMENTS):
        one = _deployment(definition)
        found[one.flow].append(one)
    return found


def newest_begun(db: Connection, flow: str) -> FlowRun | None:
    """Give the newest run of a flow that has begun."""
    return next(iter(flow_runs(db, _ask(db, "newest_begun", flow))), None)


def task_counts(db: Connection, run_id: str, limit: int) -> list[tuple[str, StateName, int, int]]:
    """Give counters of the task runs of a run: task, state, number, place of the first one; so many at most."""
    return _ask(db, "first_task_counts", run_id, limit).fetchall()


def artifacts(
    db: Connection, *, before: int, kind: str = "", name: str = "", limit: int
) -> tuple[list[ArtifactHead], int]:
    """Give artifacts before an id, the newest first, and the id before which to go on, 0 at the end.

    A page may be short, and even empty, and have more to follow: one look takes in a bounded number.
    """
    row = _ask(db, "artifact_floor", before, LOOKED_AT - 1).fetchone()
    floor = 0 if row is None else int(row[0])
    rows = _ask(db, "newest_artifacts", floor, before, kind, name.lower(), limit + 1).fetchall()
    found = [_head(row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else floor


def artifacts_of(db: Connection, run_id: str, *, limit: int, most_bytes: int) -> list[ArtifactHead]:
    """Give the newest artifacts of a run and those below it, the oldest of them first, small ones with their data."""
    ids = [row[0] for row in _ask(db, "runs_below", run_id, MOST_BELOW)]
    rows = _ask(db, "artifacts_of_runs", msgspec.json.encode(ids).decode(), limit, most_bytes)
    return [_head(row) for row in rows]


def artifact(db: Connection, number: int) -> ArtifactHead:
    """Give one artifact with all that it holds.

    Raises:
        ArtifactNotFound: (artifact-not-found).
    """
    row = _ask(db, "artifact", number).fetchone()
    if row is None:
        raise ArtifactNotFound(number=number)
    return _head(row)


def versions(db: Connection, key: str, limit: int) -> list[tuple[int, str, str, int]]:
    """Give the newest artifacts of a name: id, id and name of the run, instant."""
    return _ask(db, "artifact_versions", key, limit).fetchall()


def _head(row: Sequence[Any]) -> ArtifactHead:
    return ArtifactHead(*row)
