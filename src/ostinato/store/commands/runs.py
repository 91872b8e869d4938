"""Commands over runs that workers start: make, cancel, pause, go on, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import codec
from ostinato.core.deployments import queue_for
from ostinato.core.display import MASK, is_secret
from ostinato.core.errors import ControlRefused, ParametersMisfit, QueueNotFound
from ostinato.core.events import (
    InputGiven,
    Planned,
    RunAsked,
    RunCreated,
    RunDropped,
    RunMoved,
    RunReleased,
    Source,
)
from ostinato.core.ids import new_id
from ostinato.core.inputs import answerers, user_of
from ostinato.core.names import run_name
from ostinato.core.ports import resolve
from ostinato.core.results import Result
from ostinato.core.states import SUCCESSFUL, TABLE, TERMINAL
from ostinato.store import claims, sql, work
from ostinato.store.commands.deployments import make_queue
from ostinato.store.runs import find_run

if TYPE_CHECKING:
    from ostinato.core.commands import CancelRun, CreateRun, DeleteRun, PauseRun, ResumeRun
    from ostinato.core.deployments import Deployment
    from ostinato.core.records import FlowRun
    from ostinato.store.transaction import Tx

_json: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode


def create_run(tx: Tx, command: CreateRun) -> FlowRun:
    """Make a run of a deployment; with a known key give the run that has it."""
    if command.key:
        known = tx.db.execute(sql.load("work")["run_of_key"], (command.key,)).fetchone()
        if known is not None:
            return find_run(tx.db, known[0], tx.home)
    deployment = work.find_deployment(tx.db, command.deployment)
    event = planned(tx, deployment, command)
    tx.append(event)
    if command.key:
        tx.db.execute(sql.load("work")["put_run_key"], (command.key, event.run_id, tx.now))
    tx.wakes = True
    return find_run(tx.db, event.run_id, tx.home)


def planned(tx: Tx, deployment: Deployment, command: CreateRun) -> RunCreated:
    """Give the event that makes a run of a deployment.

    Raises:
        ParametersMisfit: (parameters-misfit) they do not fit the schema of the flow's parameters.
        QueueNotFound: (queue-not-found) the one that was asked for is not there.
    """
    queues = work.queues(tx.db)
    if command.queue and all(one.name != command.queue for one in queues):
        raise QueueNotFound(name=command.queue, known=", ".join(one.name for one in queues))
    parameters = {**deployment.parameters, **command.parameters}
    check_parameters(deployment, parameters)
    tags = tuple(dict.fromkeys((*deployment.tags, *command.tags)))
    due_at = command.due_at or tx.now
    priority = deployment.priority if command.priority is None else command.priority
    queue = command.queue or queue_for(deployment, tags, queues)
    make_queue(tx, queue)  # somebody may have removed that of the deployment meanwhile
    code, run_id = deployment.code, new_id()
    here = code.kind == "local"
    return RunCreated(
        run_id, 1, tx.now, deployment.flow, command.name or run_name(), "Scheduled", run_id, command.parent_id, b"", 0,
        (), _json({name: MASK if is_secret(name) else value for name, value in parameters.items()}),
        exactly(parameters), tags, deployment.version,
        Source(code.file if here else "", code.function, code.directory if here else "", ""),
        command.expected_at or due_at,
        Planned(deployment.id, deployment.title, queue, due_at, priority, command.schedule, tx.actor),
    )  # fmt: skip


def exactly(parameters: dict[str, Any]) -> Result | None:
    """Give parameters as the process of the run gets them."""
    if not parameters:
        return None
    data = _pack(parameters)
    return Result("m", data, "", len(data), codec.digest(data))


def check_parameters(deployment: Deployment, parameters: dict[str, Any]) -> None:
    """Refuse parameters that do not fit the schema that the deployment has of its flow."""
    if not deployment.parameter_schema:
        return
    error = resolve("ostinato.core.validation:first_error")(deployment.parameter_schema, parameters, "parameter")
    if error:
        raise ParametersMisfit(deployment=deployment.title, reason=error)


def cancel_run(tx: Tx, command: CancelRun) -> FlowRun:
    """Cancel a run that no process runs; of another one ask its worker."""
    run = _root(tx, command.run, "cancelled")
    if run.state in TERMINAL and not run.ended:  # it would be taken up again
        tx.db.execute(sql.load("work")["give_slots_of_run"], (run.id,))
        tx.append(RunReleased(run.id, run.epoch, tx.now))
        return find_run(tx.db, run.id, tx.home)
    if run.state in TERMINAL:
        raise ControlRefused(run=run.name, what="cancelled", reason=f"it is {run.state}", fix="Nothing to do.")
    if not run.queue and not run.suspended:
        raise _not_of_worker(tx, run, "cancelled")
    message = f"cancelled by {tx.actor}" + (f": {command.reason}" if command.reason else "")
    wanted = "Cancelling" if run.held else "Cancelled"
    if wanted in TABLE[run.state]:  # else it is being cancelled already
        if wanted == "Cancelled":
            claims.crash_below(tx.db, run.id, message, tx.now)
        tx.append(_move(tx, run, wanted, message))
    tx.wakes = True
    return find_run(tx.db, run.id, tx.home)


def pause_run(tx: Tx, command: PauseRun) -> FlowRun:
    """Pause a run that has not begun; of another one ask its process."""
    run = _of_worker(tx, command.run, "paused")
    if not run.held and "Paused" in TABLE[run.state]:
        tx.append(_move(tx, run, "Paused", f"paused by {tx.actor}"))
    elif run.held and run.state in ("Pending", "Running", "Retrying", "AwaitingRetry"):
        tx.append(RunAsked(run.id, run.epoch, tx.now, "pause", tx.actor))
    else:
        raise ControlRefused(run=run.name, what="paused", reason=f"it is {run.state}", fix="Nothing to do.")
    tx.wakes = True
    return find_run(tx.db, run.id, tx.home)


def resume_run(tx: Tx, command: ResumeRun) -> FlowRun:
    """Let a run go on: in its process when it is paused there, else on a worker, in its next epoch.

    To a run that no worker runs only its input is given: its process waits for that, or is begun by who asks.
    """
    run = _root(tx, command.run, "resumed")
    given = _give(tx, run, command.input)
    is_there = run.held and (run.state == "Paused" or run.asked == "pause")
    if not run.queue:
        if not given:
            raise _not_of_worker(tx, run, "resumed")
    elif run.state in ("Scheduled", "Late"):
        fix = "`ostinato show RUN` says why, `ostinato worker` starts one."
        raise ControlRefused(run=run.name, what="resumed", reason="it waits for a worker", fix=fix)
    elif not is_there and ((run.held and run.state != "Crashed") or run.state in (*SUCCESSFUL, "Skipped")):
        fix = f"`ostinato show {run.name}` shows its history."
        raise ControlRefused(run=run.name, what="resumed", reason=f"it is {run.state}", fix=fix)
    elif command.input is not None and not given:
        fix = f"`ostinato show {run.name}` shows what it waits for; somebody may have given it already."
        raise ControlRefused(run=run.name, what="resumed", reason="it waits for no input", fix=fix)
    elif is_there:
        tx.append(RunAsked(run.id, run.epoch, tx.now, "go-on", tx.actor))
    else:
        claims.crash_below(tx.db, run.id, f"epoch {run.epoch + 1} of its root run began", tx.now)
        tx.append(again(tx, run, f"resumed by {tx.actor}", due_at=tx.now, n_crashes=0))
        if command.changed != "rerun":
            tx.append(RunAsked(run.id, run.epoch + 1, tx.now, command.changed, tx.actor))
    tx.wakes = True
    return find_run(tx.db, run.id, tx.home)


def _give(tx: Tx, run: FlowRun, value: Any) -> bool:
    """Give a run the input that it waits for; say whether it waits for any."""
    if run.state != "Paused":
        return False
    waiting = [one for one in work.inputs(tx.db, run.id) if one.given_at is None]
    if not waiting:
        return False
    newest = waiting[-1]  # of earlier ones the time has run out
    _check_answerer(tx, run, answerers(newest.schema))
    check_input(run, newest.schema, value)
    tx.append(InputGiven(run.id, tx.now, newest.key, _json(value), tx.actor))
    return True


def _check_answerer(tx: Tx, run: FlowRun, asked: tuple[str, ...]) -> None:
    """Refuse the answer of one who is not asked; the run waits on for those who are."""
    user = user_of(tx.actor)
    if asked and user not in asked:
        reason = f"it asks {', '.join(asked)}, and you are {user}"
        fix = f"With a key of theirs: `OSTINATO_API_KEY=... ostinato resume {run.name} VALUE`; it waits on."
        raise ControlRefused(run=run.name, what="resumed", reason=reason, fix=fix)


def again(tx: Tx, run: Any, message: str, *, due_at: int | None, n_crashes: int) -> RunMoved:
    """Give the event by which a run waits for a worker in its next epoch."""
    return RunMoved(
        run.id,
        run.epoch + 1,
        tx.now,
        "Scheduled",
        run.state,
        message,
        1,
        None,
        None,
        0,
        "",
        due_at,
        n_crashes,
        tx.actor,
    )


def check_input(run: FlowRun, schema: bytes, value: Any) -> None:
    """Refuse a value that does not fit what a run waits for."""
    if not schema:
        return
    error = resolve("ostinato.core.validation:first_error")(msgspec.json.decode(schema), value)
    if error:
        fix = f"`ostinato resume {run.name} NAME=VALUE ...`; `ostinato show {run.name}` shows what it waits for."
        raise ControlRefused(run=run.name, what="resumed", reason=f"its input does not fit: {error}", fix=fix)


def delete_run(tx: Tx, command: DeleteRun) -> None:
    """Forget a run that nobody runs."""
    run = find_run(tx.db, command.run, tx.home)
    if run.parent_id and run.root_id != run.id:
        raise ControlRefused(run=run.name, what="deleted", reason="it is a subflow", fix="Delete its root run.")
    if run.held or (run.state not in TERMINAL and not run.queue and not run.suspended):
        raise ControlRefused(run=run.name, what="deleted", reason=f"it is {run.state}", fix="Cancel it first.")
    tx.append(RunDropped(run.id, tx.now, tx.actor))


def _of_worker(tx: Tx, ref: str, what: str) -> FlowRun:
    """Give a root run that workers run."""
    run = _root(tx, ref, what)
    if not run.queue:
        raise _not_of_worker(tx, run, what)
    return run


def _root(tx: Tx, ref: str, what: str) -> FlowRun:
    run = find_run(tx.db, ref, tx.home)
    if run.root_id != run.id:
        root = find_run(tx.db, run.root_id, tx.home)
        fix = f"Name its root run: {root.name}."
        raise ControlRefused(run=run.name, what=what, reason="it is a subflow", fix=fix)
    return run


def _not_of_worker(tx: Tx, run: FlowRun, what: str) -> ControlRefused:
    """Give the refusal for a run that was started by hand."""
    if run.state in TERMINAL or run.suspended:
        fix = f"`ostinato resume {run.name}` on the host of its code goes on."
        return ControlRefused(run=run.name, what=what, reason=f"it is {run.state}, and no worker runs it", fix=fix)
    found = tx.db.execute(sql.load("append")["writer_of_stream"], (run.stream,)).fetchone()
    pid, host, began_at = found or (0, "an unknown host", 0)
    reason = f"no worker runs it, but process {pid} on {host}"
    fix = f"On that host: `ostinato cancel {run.name}`, or Ctrl-C."
    facts = {"stream": run.stream, "pid": pid, "host": host, "began_at": began_at}
    return ControlRefused(run=run.name, what=what, reason=reason, fix=fix, **facts)


def _move(tx: Tx, run: FlowRun, state: Any, message: str) -> RunMoved:
    return RunMoved(run.id, run.epoch, tx.now, state, run.state, message, run.attempt, actor=tx.actor)
