"""Reading deployments as lists show them: a page of them, and what ran of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostinato.core.deployments import Deployment
from ostinato.store import sql
from ostinato.store.runs import flow_runs

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun
    from ostinato.store.database import Connection

_deployment = msgspec.json.Decoder(Deployment).decode


def deployments(db: Connection, *, after: str, limit: int) -> list[Deployment]:
    """Give deployments by flow and name, those that come after `flow/name`."""
    flow, _, name = after.rpartition("/")
    rows = db.execute(sql.load("deployments")["deployments_after"], (flow, name, limit))
    return [_deployment(row[0]) for row in rows]


def newest_runs(db: Connection, title: str, limit: int) -> list[FlowRun]:
    """Give the newest runs of the deployment `flow/name` that have begun, or should have."""
    return flow_runs(db, db.execute(sql.load("deployments")["newest_runs"], (title, limit)))
