"""Reading deployments, queues, limits, workers, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.admission import Busy, Load
from ostinato.core.deployments import DEFAULT_QUEUE, Deployment, Limit, Queue, QueueLoad
from ostinato.core.errors import DeploymentAmbiguous, DeploymentNotFound
from ostinato.core.records import FlowRun, RunInput
from ostinato.core.workers import Worker, WorkerInfo
from ostinato.store import sql
from ostinato.store.runs import flow_runs

if TYPE_CHECKING:
    from ostinato.store.database import Connection, Cursor

_deployment = msgspec.json.Decoder(Deployment).decode
_queue = msgspec.json.Decoder(Queue).decode
_info = msgspec.json.Decoder(WorkerInfo).decode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode


def _ask(db: Connection, name: str, *values: object) -> Cursor:
    return db.execute(sql.load("work")[name], values)


def find_deployment(db: Connection, ref: str) -> Deployment:
    """Give a deployment by id, `flow/name`, or a name that only one has.

    Raises:
        DeploymentNotFound: (deployment-not-found), DeploymentAmbiguous: (deployment-ambiguous).
    """
    rows = _ask(db, "deployment_by_id", ref).fetchall()
    flow, sign, name = ref.rpartition("/")
    if not rows and sign:
        rows = _ask(db, "deployment_by_name", flow, name).fetchall()
    if not rows:
        rows = _ask(db, "deployments_named", ref).fetchall()
    if not rows:
        known = ", ".join(one.title for one in deployments(db)[:10]) or "none"
        raise DeploymentNotFound(name=ref, known=known)
    found = [_deployment(row[0]) for row in rows]
    if len(found) > 1:
        raise DeploymentAmbiguous(name=ref, found=", ".join(one.title for one in found[:10]))
    return found[0]


def deployment_by_id(db: Connection, deployment_id: str) -> Deployment | None:
    """Give a deployment that may be gone."""
    row = _ask(db, "deployment_by_id", deployment_id).fetchone()
    return None if row is None else _deployment(row[0])


def deployment_by_name(db: Connection, flow: str, name: str) -> Deployment | None:
    """Give the deployment of this flow and name, if there is one."""
    row = _ask(db, "deployment_by_name", flow, name).fetchone()
    return None if row is None else _deployment(row[0])


def deployments(db: Connection) -> list[Deployment]:
    """Give all deployments by flow and name."""
    return [_deployment(row[0]) for row in _ask(db, "deployments")]


def queues(db: Connection) -> list[Queue]:
    """Give all queues in the order in which workers look at them; `default` is always there."""
    found = [_queue(row[0]) for row in _ask(db, "queues")]
    if all(one.name != DEFAULT_QUEUE for one in found):
        found.append(Queue(name=DEFAULT_QUEUE))
        found.sort(key=lambda one: (-one.priority, one.name))
    return found


def queue_loads(db: Connection, now: int) -> list[QueueLoad]:
    """Give how many runs of each queue wait and run, by name."""
    waiting = {name: counts for name, *counts in _ask(db, "waiting_counts", now)}
    running = dict(_ask(db, "running_counts").fetchall())
    found = []
    for name in sorted(waiting.keys() | running.keys()):
        due, late, later = waiting.get(name, (0, 0, 0))
        found.append(QueueLoad(name=name, n_waiting=due, n_late=late, n_later=later, n_running=running.get(name, 0)))
    return found


def limits(db: Connection, now: int) -> list[Limit]:
    """Give all limits, with the slots that code has taken."""
    return [Limit(name=name, slots=slots, n_taken=taken) for name, slots, taken in _ask(db, "limits", now)]


def holders(db: Connection, now: int, limit: int) -> list[tuple[str, int, int, str, str]]:
    """Give who has slots of limits: limit, slots, end of the lease, flow run ("" outside of one), name."""
    return _ask(db, "holders", now, limit).fetchall()


def workers(db: Connection, limit: int = 200) -> list[Worker]:
    """Give workers: first those that are there, the newest first."""
    return [
        Worker(
            info=_info(info), joined_at=joined, seen_at=seen, lease_until=until, left_at=left, message=message, n_held=n
        )
        for _, info, joined, seen, until, left, message, n in _ask(db, "workers", limit)
    ]


def worker_name(db: Connection, worker_id: str) -> str:
    """Give the name of a worker that is here or was, empty when it is not known any more."""
    row = db.execute(sql.load("work")["worker_info"], (worker_id,)).fetchone()
    return "" if row is None else _info(row[0]).name


def load(db: Connection) -> Load:
    """Give what is in the hands of workers."""
    return Load(
        Busy(id=run_id, name=name, queue=queue, deployment_id=deployment, tags=tags_of(tags))
        for run_id, name, queue, deployment, tags in _ask(db, "busy")
    )


def preview(db: Connection, queue: str, until: int, limit: int) -> list[FlowRun]:
    """Give runs that wait in a queue and are due until an instant, in that order."""
    return flow_runs(db, _ask(db, "preview", queue, until, limit))


def tick_runs(
    db: Connection, deployment_id: str, slug: str, begin: int, end: int, *, limit: int, newest_first: bool
) -> list[FlowRun]:
    """Give runs of a deployment that were told an instant of a schedule from `begin` to `end`, by that instant."""
    name = "newest_tick_runs" if newest_first else "tick_runs"
    return flow_runs(db, _ask(db, name, deployment_id, slug, begin, end, limit))


def inputs(db: Connection, run_id: str) -> list[RunInput]:
    """Give what a run waits, or waited, for."""
    return [
        RunInput(key=key, asked_at=asked, until=until, schema=schema, given_at=given, value=value, actor=actor)
        for key, asked, until, schema, given, value, actor in _ask(db, "inputs", run_id)
    ]


def find_input(db: Connection, run_id: str, key: str) -> RunInput | None:
    """Give what one pause of a run asked for, and what it got."""
    return next((one for one in inputs(db, run_id) if one.key == key), None)


def tags_of(text: str | None) -> tuple[str, ...]:
    """Give tags from their column."""
    return _tags(text) if text else ()


def fact(db: Connection, name: str) -> int | None:
    """Give a fact of the servers of this home."""
    row: Any = _ask(db, "fact", name).fetchone()
    return None if row is None else int(row[0])
