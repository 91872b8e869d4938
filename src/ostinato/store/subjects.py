"""The projections of events that change one row each: a table of statements and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.datasets import DatasetSeen, DatasetUsed
from ostinato.core.events import (
    Audited,
    DeploymentRemoved,
    DeploymentSet,
    InputAsked,
    InputGiven,
    KeySet,
    LimitSet,
    QueueSet,
    RunClaimed,
    RunDropped,
    SchedulePlanned,
    SecretSet,
    StreamLost,
    TickPlanned,
    UserSet,
    WorkerJoined,
    WorkerLeft,
)
from ostinato.store import datasets, logged_models_steps, registry_steps, sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.events import Event
    from ostinato.store.database import Connection

_json = msgspec.json.Encoder().encode

Step = tuple[str, tuple[Any, ...]]
"""A named query and its values."""


def project(db: Connection, event: Event) -> None:
    """Change the row that an event is about."""
    if isinstance(event, RunDropped):
        forget_run(db, event.run_id)
        return
    if isinstance(event, (DatasetSeen, DatasetUsed)):
        datasets.project(db, event)
        return
    subject, steps = _OF[type(event)]
    queries = sql.load(subject)
    for name, values in steps(event):
        db.execute(queries[name], values)


def forget_run(db: Connection, root_id: str) -> None:
    """Delete a root run with all below it, its counters too."""
    queries = sql.load("maintenance")
    ids = db.execute(queries["runs_below"], (_json([root_id]).decode(),)).fetchone()[0]
    db.execute(queries["uncount_runs"], (ids,))
    for query in OF_RUNS:
        db.execute(queries[query], (ids,))


OF_RUNS: Final = (
    "delete_task_runs",
    "delete_task_counts",
    "delete_run_states",
    "delete_run_tags",
    "delete_run_inputs",
    "delete_run_datasets",
    "delete_run_keys",
    "delete_run_ticks",
    "delete_logs",
    "delete_artifacts",
    "delete_checkpoints",
    "delete_blob_refs",
    "delete_flow_runs",
)
"""What goes with flow runs (a JSON array of ids), in order."""


def _deployment_set(event: DeploymentSet) -> list[Step]:
    one = event.deployment
    return [("put_deployment", (one.id, one.flow, one.name, _json(one), event.at))]


def _deployment_removed(event: DeploymentRemoved) -> list[Step]:
    return [(name, (event.id,)) for name in ("delete_deployment", "delete_schedules", "delete_ticks")]


def _queue_set(event: QueueSet) -> list[Step]:
    if event.queue is None:
        return [("delete_queue", (event.name,))]
    return [("put_queue", (event.name, event.queue.priority, _json(event.queue)))]


def _limit_set(event: LimitSet) -> list[Step]:
    if event.slots is None:
        return [("delete_limit", (event.name,))]
    return [("put_limit", (event.name, event.slots))]


def _worker_joined(event: WorkerJoined) -> list[Step]:
    one = event.worker
    until = event.at + int(one.lease_s * 1e6)
    return [("put_worker", (one.id, one.name, _json(one), event.at, event.at, until))]


def _key_set(event: KeySet) -> list[Step]:
    scopes = _json(event.scopes).decode()
    revoked_at = event.at if event.revoked else None
    values = (event.id, event.user, event.name, event.role, scopes, event.hash, event.at, event.expires_at, revoked_at)
    return [("put_key", values)]


STEPS: Final[dict[type, Callable[[Any], list[Step]]]] = {
    TickPlanned: lambda e: [("put_tick", (e.deployment_id, e.slug, e.due_at, e.run_id))],
    SchedulePlanned: lambda e: [("put_schedule", (e.deployment_id, e.slug, e.until))],
    DeploymentSet: _deployment_set,
    DeploymentRemoved: _deployment_removed,
    QueueSet: _queue_set,
    LimitSet: _limit_set,
    WorkerJoined: _worker_joined,
    WorkerLeft: lambda e: [("end_worker", (e.at, e.message, e.id))],
    UserSet: lambda e: [("put_user", (e.name, e.role, int(e.disabled), e.at, e.at))],
    KeySet: _key_set,
    SecretSet: lambda e: [("put_secret", (e.name, e.sealed, e.actor, e.at))],
    Audited: lambda e: [("add_audit", (e.at, e.actor, e.action, e.subject, e.detail))],
    InputAsked: lambda e: [("put_input", (e.run_id, e.key, e.at, e.until, e.schema))],
    InputGiven: lambda e: [("give_input", (e.at, e.value, e.actor, e.run_id, e.key))],
    # These two are noted for who follows the feed: who writes them has changed the tables already.
    RunClaimed: lambda _: [],
    StreamLost: lambda _: [],
}

_OF: Final = {
    kind: (subject, steps)
    for subject, table in {
        "subjects": STEPS,
        "logged_models": logged_models_steps.STEPS,
        "registry": registry_steps.STEPS,
    }.items()
    for kind, steps in table.items()
}
"""Event -> subject of its queries, and its steps."""
