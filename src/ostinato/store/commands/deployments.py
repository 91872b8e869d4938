"""Commands over deployments, queues and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ostinato.core.deployments import DEFAULT_QUEUE, MOST_PRIORITY, SCHEDULED_TAG, Queue, fault_of, queue_for
from ostinato.core.errors import BadOption, DeploymentInvalid, LimitNotFound, QueueInUse, QueueNotFound
from ostinato.core.events import (
    Audited,
    DeploymentRemoved,
    DeploymentSet,
    LimitSet,
    QueueSet,
    RunDropped,
    RunMoved,
)
from ostinato.core.ids import new_id
from ostinato.core.ports import resolve
from ostinato.store import sql, work

if TYPE_CHECKING:
    from ostinato.core.commands import (
        Deploy,
        GiveSlots,
        PauseDeployment,
        RemoveDeployment,
        RemoveLimit,
        RemoveQueue,
        SetLimit,
        SetQueue,
        TakeSlots,
    )
    from ostinato.core.deployments import Deployment, Limit
    from ostinato.store.transaction import Tx


def deploy(tx: Tx, command: Deploy) -> Deployment:
    """Make or change a deployment; schedules that changed are planned anew."""
    wanted = command.deployment
    fault = fault_of(wanted) or _misfit(wanted)
    if fault is not None:
        reason, fix = fault
        raise DeploymentInvalid(name=wanted.title, reason=reason, fix=fix)
    old = work.deployment_by_name(tx.db, wanted.flow, wanted.name)
    made = replace(
        wanted,
        id=old.id if old is not None else new_id(),
        created_at=old.created_at if old is not None else tx.now,
        updated_at=tx.now,
    )
    if made.queue:
        make_queue(tx, made.queue)
    if old is not None:
        _drop_changed(tx, old, made)
    tx.append(
        DeploymentSet(tx.now, made, tx.actor),
        Audited(tx.now, tx.actor, "deploy", made.title, f"version {made.version}"),
    )
    tx.wakes = True
    return made


def _misfit(one: Deployment) -> tuple[str, str] | None:
    """Say which parameters do not fit the schema of the flow: what a run may still add is no fault of the others."""
    schema = one.parameter_schema
    if not schema:
        return None
    error = resolve("ostinato.core.validation:schema_error")(schema)
    if error:
        return f"its parameter schema is none: {error}", "Give that of the flow's parameters, or leave it out."
    first_error = resolve("ostinato.core.validation:first_error")
    error = first_error(
        {name: part for name, part in schema.items() if name != "required"}, one.parameters, "parameter"
    )
    if error:
        return f"its parameters do not fit the flow: {error}", "Mend that parameter."
    for each in one.schedules:
        error = first_error(schema, {**one.parameters, **each.parameters}, "parameter")
        if error:
            fix = "Give parameters to the schedule, or to the deployment."
            return f"its schedule {each.slug!r} would make runs whose parameters do not fit: {error}", fix
    return None


def make_queue(tx: Tx, name: str) -> None:
    """Make the queue that a deployment names, when it is not there."""
    if tx.db.execute(sql.load("work")["queue"], (name,)).fetchone() is None:
        tx.append(QueueSet(name, tx.now, Queue(name=name), tx.actor))


def _drop_changed(tx: Tx, old: Deployment, new: Deployment) -> None:
    """Forget runs that schedules have made ahead and would make otherwise now."""
    kept = {one.slug: one for one in new.schedules}
    same_runs = _run_facts(old) == _run_facts(new)
    for one in old.schedules:
        if same_runs and not new.paused and kept.get(one.slug) == one:
            continue
        _forget_schedule(tx, old.id, one.slug)


def _run_facts(one: Deployment) -> tuple[object, ...]:
    """Give what a run keeps of its deployment from the time when it was made."""
    return one.parameters, one.tags, one.queue, one.priority, one.version


def _forget_schedule(tx: Tx, deployment_id: str, slug: str) -> None:
    queries = sql.load("work")
    ids = tx.db.execute(queries["future_runs_of_schedule"], (deployment_id, slug, tx.now)).fetchall()
    tx.append(*(RunDropped(run_id, tx.now, tx.actor) for (run_id,) in ids))
    tx.db.execute(queries["forget_schedule"], (deployment_id, slug))


def _withdraw(tx: Tx, deployment_id: str, slug: str, message: str) -> None:
    """Cancel what a worker has been given before it is due; an empty slug means all of the deployment."""
    values = (deployment_id, tx.now, slug, slug)
    found = tx.db.execute(sql.load("work")["given_early"], values).fetchall()
    tx.append(
        *(
            RunMoved(run_id, epoch, tx.now, "Cancelling", "Pending", message, attempt, actor=tx.actor)
            for run_id, epoch, attempt in found
        )
    )


def remove_deployment(tx: Tx, command: RemoveDeployment) -> None:
    """Remove a deployment, and the runs that have not begun."""
    one = work.find_deployment(tx.db, command.deployment)
    ids = tx.db.execute(sql.load("work")["waiting_runs_of_deployment"], (one.id,)).fetchall()
    _withdraw(tx, one.id, "", "its deployment was removed before it was due")
    tx.append(
        *(RunDropped(run_id, tx.now, tx.actor) for (run_id,) in ids),
        DeploymentRemoved(one.id, tx.now, tx.actor),
        Audited(tx.now, tx.actor, "remove-deployment", one.title),
    )
    tx.wakes = True


def pause_deployment(tx: Tx, command: PauseDeployment) -> Deployment:
    """Stop or continue all schedules of a deployment, or one."""
    one = work.find_deployment(tx.db, command.deployment)
    if command.slug:
        if all(each.slug != command.slug for each in one.schedules):
            known = ", ".join(each.slug for each in one.schedules) or "none"
            raise DeploymentInvalid(
                name=one.title, reason=f"it has no schedule {command.slug!r}", fix=f"Its schedules: {known}."
            )
        schedules = tuple(
            replace(each, active=not command.paused) if each.slug == command.slug else each for each in one.schedules
        )
        changed = replace(one, schedules=schedules, updated_at=tx.now)
    else:
        changed = replace(one, paused=command.paused, updated_at=tx.now)
    for each in one.schedules:
        if command.slug in ("", each.slug):
            _forget_schedule(tx, one.id, each.slug)
            if command.paused:
                _withdraw(tx, one.id, each.slug, "its schedule was paused before it was due")
    what = "pause-schedule" if command.paused else "continue-schedule"
    tx.append(DeploymentSet(tx.now, changed, tx.actor), Audited(tx.now, tx.actor, what, one.title, command.slug))
    tx.wakes = True
    return changed


def set_queue(tx: Tx, command: SetQueue) -> Queue:
    """Make or change a queue."""
    queue, before = command.queue, work.queues(tx.db)
    _check_name(queue.name, "a queue")
    if abs(queue.priority) > MOST_PRIORITY:
        fix = f"Write a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}."
        raise BadOption(option="priority", value=queue.priority, where="a queue", reason="it is too large", fix=fix)
    tx.append(QueueSet(queue.name, tx.now, queue, tx.actor), Audited(tx.now, tx.actor, "set-queue", queue.name))
    _plan_for_queues(tx, before)
    tx.wakes = True
    return queue


def _check_name(name: str, where: str) -> None:
    if not name.strip() or not name.isprintable():
        fix = "Use letters, digits, - and _."
        raise BadOption(option="name", value=name, where=where, reason="it is no printable text", fix=fix)


def _plan_for_queues(tx: Tx, before: list[Queue]) -> None:
    """Let the runs that schedules have made ahead be made anew, in the queue that takes them now."""
    after = work.queues(tx.db)
    for one in work.deployments(tx.db):
        tags = (*one.tags, SCHEDULED_TAG)
        if one.schedules and queue_for(one, tags, before) != queue_for(one, tags, after):
            for each in one.schedules:
                _forget_schedule(tx, one.id, each.slug)
            tx.append(DeploymentSet(tx.now, replace(one, updated_at=tx.now), tx.actor))


def remove_queue(tx: Tx, command: RemoveQueue) -> None:
    """Remove a queue in which nothing waits but what schedules can make anew elsewhere."""
    before = work.queues(tx.db)
    known = [one.name for one in before]
    if command.name not in known or command.name == DEFAULT_QUEUE:
        raise QueueNotFound(name=command.name, known=", ".join(known))
    tx.append(QueueSet(command.name, tx.now, None, tx.actor), Audited(tx.now, tx.actor, "remove-queue", command.name))
    _plan_for_queues(tx, before)
    (n,) = tx.db.execute(sql.load("work")["waiting_in_queue"], (command.name,)).fetchone()
    if n:
        raise QueueInUse(name=command.name, waiting="1 run waits" if n == 1 else f"{n} runs wait")


def set_limit(tx: Tx, command: SetLimit) -> Limit:
    """Make or change a limit."""
    one = command.limit
    _check_name(one.name, "a limit")
    tx.append(
        LimitSet(one.name, tx.now, one.slots, tx.actor),
        Audited(tx.now, tx.actor, "set-limit", one.name, f"{one.slots} slots"),
    )
    tx.wakes = True
    return next(each for each in work.limits(tx.db, tx.now) if each.name == one.name)


def remove_limit(tx: Tx, command: RemoveLimit) -> None:
    """Remove a limit."""
    known = [one.name for one in work.limits(tx.db, tx.now)]
    if command.name not in known:
        raise LimitNotFound(name=command.name, known=", ".join(known) or "none")
    tx.append(LimitSet(command.name, tx.now, None, tx.actor), Audited(tx.now, tx.actor, "remove-limit", command.name))
    tx.wakes = True


def take_slots(tx: Tx, command: TakeSlots) -> bool:
    """Take slots of a limit under a lease, or renew it; without a limit of that name nothing is held up."""
    queries = sql.load("work")
    row = tx.db.execute(queries["slots_of"], (command.name,)).fetchone()
    if row is None:
        if command.strict:
            known = ", ".join(one.name for one in work.limits(tx.db, tx.now)) or "none"
            raise LimitNotFound(name=command.name, known=known)
        return True
    (taken,) = tx.db.execute(queries["slots_taken"], (command.name, command.holder, tx.now)).fetchone()
    if taken + command.n > row[0]:
        return False
    until = tx.now + int(command.lease_s * 1e6)
    tx.db.execute(queries["take_slots"], (command.name, command.holder, command.n, until))
    return True


def give_slots(tx: Tx, command: GiveSlots) -> None:
    """Give slots back."""
    tx.db.execute(sql.load("work")["give_slots"], (command.name, command.holder))
