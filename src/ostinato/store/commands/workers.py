"""Commands of workers: join, poll, report, leave; and what happens when one is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import admission
from ostinato.core.admission import Busy, Candidate
from ostinato.core.deployments import Code
from ostinato.core.events import Audited, Error, Logged, RunAsked, RunMoved, RunReleased, WorkerJoined, WorkerLeft
from ostinato.core.states import TERMINAL
from ostinato.core.work import WORKER_GONE, Answer, Assignment, Order
from ostinato.core.workers import WorkerInfo
from ostinato.store import claims, sql, work
from ostinato.store.commands import runs as run_commands
from ostinato.store.runs import find_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostinato.core.commands import Ended, Join, Leave, Poll
    from ostinato.core.deployments import Deployment, Queue
    from ostinato.core.records import FlowRun
    from ostinato.core.work import OrderKind
    from ostinato.store.database import Connection
    from ostinato.store.transaction import Tx

EARLY_US: Final = 2_000_000
"""Runs that nothing can forbid are handed out so long before they are due."""
PAGE: Final = 64
MOST_LOOKED_AT: Final = 512
"""So many waiting runs of a queue are looked at by one poll."""
BACKOFF_S: Final = 30.0
"""Longest pause before a run that crashed again is taken up again."""

_info: Final = msgspec.json.Decoder(WorkerInfo).decode


class Row(msgspec.Struct, kw_only=True):
    """A run that a worker holds, as its end needs to know it."""

    id: str
    epoch: int
    state: Any
    asked: str
    message: str
    deployment_id: str
    root_id: str
    n_crashes: int
    worker: str = ""
    held: int = 1


def join(tx: Tx, command: Join) -> None:
    """Take note of a worker."""
    info = command.worker
    tx.append(WorkerJoined(tx.now, info), Audited(tx.now, tx.actor, "worker-joined", info.name, info.host))
    tx.wakes = True


def poll(tx: Tx, command: Poll, *, renews: bool = True) -> Answer:
    """Renew a lease; give the worker what it is to start and to stop.

    A server that looks again for a worker that waits has heard nothing new of it, and renews nothing.
    """
    row = tx.db.execute(sql.load("work")["worker"], (command.worker_id,)).fetchone()
    if row is None:
        return Answer(known=False)
    info = _info(row[0])
    if renews:
        until = tx.now + int(info.lease_s * 1e6)
        tx.db.execute(sql.load("work")["renew_lease"], (tx.now, until, info.id))
    leased = {row.id: row for row in _held(tx, info.id)}
    there = {one.run_id: one.epoch for one in command.held}
    orders = [order for row in leased.values() if row.id in there and (order := _order(tx, row)) is not None]
    orders += [
        Order(kind="stop", run_id=run_id, epoch=epoch, reason="it goes on elsewhere")
        for run_id, epoch in there.items()
        if run_id not in leased or leased[run_id].epoch != epoch
    ]
    # What was handed out by an answer that has not arrived takes room, and is handed out again.
    unheard = [row for row in leased.values() if row.id not in there]
    given = [row.id for row in unheard if row.state == "Pending"] + _lease(tx, info, command, unheard)
    return Answer(
        assignments=tuple(_assignment(tx, run_id) for run_id in given),
        orders=tuple(orders),
        next_due_ms=_next_due_ms(tx, info),
    )


def _held(tx: Tx, worker_id: str) -> list[Row]:
    found = tx.db.execute(sql.load("work")["held"], (worker_id,)).fetchall()
    return [Row(**dict(zip(Row.__struct_fields__, values, strict=False))) for values in found]


def _order(tx: Tx, row: Row) -> Order | None:
    kind: OrderKind | None = None
    if row.state == "Cancelling":
        kind = "cancel"
    elif row.state not in TERMINAL and row.asked == "pause":
        kind = "pause"
    elif row.state not in TERMINAL and row.asked == "go-on":
        kind = "go-on"
    if kind is None:
        return None
    deployment = work.deployment_by_id(tx.db, row.deployment_id)
    grace_s = deployment.cancel_grace_s if deployment is not None else 30.0
    return Order(kind=kind, run_id=row.id, epoch=row.epoch, reason=row.message, grace_s=grace_s)


def _assignment(tx: Tx, run_id: str) -> Assignment:
    run = find_run(tx.db, run_id, tx.home)
    deployment = work.deployment_by_id(tx.db, run.deployment_id)
    if deployment is None:  # it was removed just now
        source = run.source
        code = Code(kind="local", file=source.file, function=source.function, directory=source.directory)
        return Assignment(run=run, code=code, due_in_ms=0, shared_home=tx.home)
    return Assignment(
        run=run,
        code=deployment.code,
        due_in_ms=(run.due_at - tx.now) / 1000,
        env=deployment.env,
        resources=deployment.resources,
        crash_retries=deployment.crash_retries,
        shared_home=tx.home,
    )


def _next_due_ms(tx: Tx, info: WorkerInfo) -> float | None:
    """Give the time until the next run of the worker's queues could be handed out."""
    names = [queue.name for queue in _queues(tx, info)]
    wanted = msgspec.json.encode(names).decode()
    row = tx.db.execute(sql.load("work")["next_due"], (tx.now, wanted)).fetchone()
    return None if row is None else (row[0] - tx.now) / 1000


def _queues(tx: Tx, info: WorkerInfo) -> list[Queue]:
    return [queue for queue in work.queues(tx.db) if not info.queues or queue.name in info.queues]


# --- handing out


class _Round:
    """One look of one worker over what waits."""

    def __init__(self, tx: Tx, info: WorkerInfo, command: Poll, unheard: Iterable[Row]) -> None:
        self.tx = tx
        self.info = info
        self.free = command.free
        self.left = dict(command.resources or info.resources)
        self.load = work.load(tx.db)
        self.limits = _tag_limits(tx.db, tx.now)
        self.deployments: dict[str, Deployment | None] = {}
        self.blocked: set[str] = set()
        """Deployments of which no run may start now."""
        self.given: list[str] = []
        for row in unheard:
            self.take(self.wanted(row.deployment_id))

    def deployment(self, deployment_id: str) -> Deployment | None:
        if deployment_id not in self.deployments:
            self.deployments[deployment_id] = work.deployment_by_id(self.tx.db, deployment_id)
        return self.deployments[deployment_id]

    def wanted(self, deployment_id: str) -> Mapping[str, float]:
        deployment = self.deployment(deployment_id)
        return deployment.resources if deployment is not None else {}

    def take(self, wanted: Mapping[str, float]) -> None:
        """Count a run of the worker that it does not count itself yet."""
        self.free -= 1
        for name, amount in wanted.items():
            self.left[name] = self.left.get(name, 0.0) - amount

    def look(self, queue: Queue) -> None:
        """Hand out runs of one queue while there is room."""
        looked = passed = gone = 0
        while self.free > 0 and looked < MOST_LOOKED_AT:
            blocked, full = (msgspec.json.encode(sorted(one)).decode() for one in (self.blocked, self.full_tags()))
            values = (queue.name, self.tx.now + EARLY_US, blocked, full, PAGE, passed)
            rows = self.tx.db.execute(sql.load("work")["waiting"], values).fetchall()
            for row in rows:
                verdict = self.judge(queue, row)
                if verdict == "queue":
                    return
                passed += verdict == "passed"
                gone += verdict == "gone"
                if self.free <= 0:
                    return
            looked += len(rows)
            if len(rows) < PAGE:
                return
        self.tx.wakes = self.tx.wakes or gone > 0  # so many were skipped that others wait behind them

    def full_tags(self) -> list[str]:
        return [tag for tag, slots in self.limits.items() if self.load.tags[tag] >= slots]

    def judge(self, queue: Queue, row: tuple[Any, ...]) -> str:
        """Hand out one run, or say why not: `queue`, `blocked` (its deployment), `full` (a tag), `passed`, or `gone`.

        Only what is passed would be found again by the next look.
        """
        run_id, name, deployment_id, tags, due_at, n_crashes, epoch, state = row
        if deployment_id in self.blocked:
            return "blocked"
        if self.info.deployments and deployment_id not in self.info.deployments:
            self.blocked.add(deployment_id)
            return "blocked"
        run = Candidate(
            id=run_id,
            queue=name,
            deployment_id=deployment_id,
            tags=work.tags_of(tags),
            due_at=due_at,
            n_crashes=n_crashes,
        )
        deployment = self.deployment(deployment_id)
        if due_at > self.tx.now and not admission.is_plain(deployment, queue, run.tags, self.limits):
            return "passed"
        verdict = admission.admit(run, deployment, queue, self.load, self.limits, self.tx.now)
        if verdict.what == "skip":
            self.tx.append(RunMoved(run_id, epoch, self.tx.now, "Skipped", state, verdict.reason))
            return "gone"
        if verdict.what == "cancel-others":
            self.cancel_others(deployment_id, run_id, verdict.reason)
        if verdict.what != "go":
            if verdict.scope == "deployment":
                self.blocked.add(deployment_id)
                return "blocked"
            return "queue" if verdict.scope == "queue" else "full"
        if admission.missing(self.wanted(deployment_id), self.left):
            self.blocked.add(deployment_id)
            return "blocked"
        self.give(run, epoch, state)
        return "gone"

    def give(self, run: Candidate, epoch: int, state: Any) -> None:
        moved = RunMoved(run.id, epoch, self.tx.now, "Pending", state, f"worker {self.info.name}", worker=self.info.id)
        self.tx.append(moved)
        self.take(self.wanted(run.deployment_id))
        self.load.add(Busy(id=run.id, name="", queue=run.queue, deployment_id=run.deployment_id, tags=run.tags))
        self.given.append(run.id)

    def cancel_others(self, deployment_id: str, run_id: str, reason: str) -> None:
        for other in self.load.deployments.get(deployment_id, ()):
            run = find_run(self.tx.db, other.id, self.tx.home)
            if run.id != run_id and run.state in ("Pending", "Running", "Retrying", "AwaitingRetry", "Paused"):
                self.tx.append(RunMoved(run.id, run.epoch, self.tx.now, "Cancelling", run.state, reason, run.attempt))
                self.tx.wakes = True


def _lease(tx: Tx, info: WorkerInfo, command: Poll, unheard: Iterable[Row]) -> list[str]:
    """Hand out runs that may start; give their ids."""
    if command.free <= 0:
        return []
    round_ = _Round(tx, info, command, unheard)
    for queue in _queues(tx, info):
        round_.look(queue)
    return round_.given


def _tag_limits(db: Connection, now: int) -> dict[str, int]:
    return {one.name.removeprefix("tag:"): one.slots for one in work.limits(db, now) if one.name.startswith("tag:")}


# --- ends


def ended(tx: Tx, command: Ended) -> None:
    """Settle a run whose process has ended."""
    row = _row(tx, command.run_id)
    if row is None or row.worker != command.worker_id or row.epoch != command.epoch or not row.held:
        return
    settle(tx, row, command.how, command.tail, retry=command.retry)


def leave(tx: Tx, command: Leave) -> None:
    """A worker goes; what it still holds is taken over at once."""
    _lose(tx, command.worker_id, command.reason or "it was stopped")


def expire(tx: Tx) -> int:
    """Take over the runs of workers whose lease is over; give the number of such workers."""
    lost = tx.db.execute(sql.load("work")["lost_workers"], (tx.now,)).fetchall()
    for worker_id, name, info in lost:
        _lose(tx, worker_id, f"worker {name} was not heard of for {_info(info).lease_s:g} s")
    return len(lost)


def next_expiry(tx: Tx) -> int:
    """Give when the first lease will be over; 2**62 when there is none."""
    (until,) = tx.db.execute(sql.load("work")["first_lease"]).fetchone()
    return 1 << 62 if until is None else int(until)


def _lose(tx: Tx, worker_id: str, reason: str) -> None:
    held = _held(tx, worker_id)
    said = f"{reason}; it held {len(held)} run{'s' * (len(held) > 1)}" if held else reason
    tx.append(WorkerLeft(worker_id, tx.now, said), Audited(tx.now, tx.actor, "worker-left", worker_id, said))
    for row in held:
        if row.state == "Pending":  # it has not begun, so nothing has crashed
            tx.append(run_commands.again(tx, row, reason, due_at=None, n_crashes=row.n_crashes))
        else:
            settle(tx, row, reason, "", retry=True)
    tx.wakes = True


def _row(tx: Tx, run_id: str) -> Row | None:
    values = tx.db.execute(sql.load("work")["run_work"], (run_id,)).fetchone()
    return None if values is None else Row(**dict(zip(Row.__struct_fields__, values, strict=True)))


def settle(tx: Tx, row: Row, how: str, tail: str, *, retry: bool) -> None:
    """A run has no process any more: it has ended, is Paused without one, is Cancelled, or crashed."""
    tx.wakes = True
    released = RunReleased(row.id, row.epoch, tx.now)
    tx.db.execute(sql.load("work")["give_slots_of_run"], (row.id,))
    if row.state == "Cancelling":
        claims.crash_below(tx.db, row.root_id, row.message, tx.now)
        tx.append(RunMoved(row.id, row.epoch, tx.now, "Cancelled", row.state, row.message), released)
        return
    if row.state == "Paused" and row.asked == "go-on":  # it was resumed while its process ended
        tx.append(run_commands.again(tx, row, "resumed", due_at=tx.now, n_crashes=row.n_crashes))
        return
    if row.state == "Paused" or (row.state in TERMINAL and row.state != "Crashed"):
        if tail and row.state in ("Failed", "TimedOut"):
            tx.append(Logged(row.id, 0, tx.now, 20, "ostinato.worker", f"Last output:\n{tail}"))
        tx.append(released)
        return
    if row.state != "Crashed":
        if tail:
            tx.append(Logged(row.id, 0, tx.now, 40, "ostinato.worker", f"Last output before the end:\n{tail}"))
        claims.crash_below(tx.db, row.root_id, how, tx.now)
        error = Error("ProcessEnded", how, tail)
        tx.append(RunMoved(row.id, row.epoch, tx.now, "Crashed", row.state, how, error=error))
        row.state = "Crashed"
    deployment = work.deployment_by_id(tx.db, row.deployment_id)
    if retry and deployment is not None and row.n_crashes < deployment.crash_retries:
        wait_s = min(2.0 ** min(row.n_crashes, 10) - 1, BACKOFF_S)  # at once the first time
        n = row.n_crashes + 1
        message = f"taken up again ({n} of {deployment.crash_retries}): {how}"
        due_at = tx.now + int(wait_s * 1e6)
        tx.append(run_commands.again(tx, row, message, due_at=due_at, n_crashes=n))
        if row.asked in ("reuse", "refuse"):
            tx.append(RunAsked(row.id, row.epoch + 1, tx.now, row.asked))
    else:
        tx.append(released)


def why_waiting(db: Connection, run: FlowRun, now: int) -> str:
    """Say in one line why a run does not run, or will not for long."""
    if run.held and not run.ended:
        return _why_held(db, run, now)
    if run.state not in ("Scheduled", "Late") or run.due_at > now:
        return ""
    queue = next((one for one in work.queues(db) if one.name == run.queue), None)
    if queue is None:
        return f"queue {run.queue!r} is gone"
    candidate = Candidate(id=run.id, queue=run.queue, deployment_id=run.deployment_id, tags=run.tags, due_at=run.due_at)
    deployment = work.deployment_by_id(db, run.deployment_id)
    verdict = admission.admit(candidate, deployment, queue, work.load(db), _tag_limits(db, now), now)
    if verdict.what != "go":
        return verdict.reason
    serving = [one for one in work.workers(db) if one.left_at is None and _serves(one.info, run)]
    if not serving:
        return f"no worker serves queue {run.queue!r}; start one: `ostinato worker --queue {run.queue}`"
    wanted = deployment.resources if deployment is not None else {}
    short = [admission.missing(wanted, one.info.resources) for one in serving]
    if all(short):
        return short[0]
    return "all workers are busy" if all(one.n_held >= one.info.slots for one in serving) else ""


def _why_held(db: Connection, run: FlowRun, now: int) -> str:
    """Say what becomes of a run whose worker is silent, or whose process ended as it should not."""
    deployment = work.deployment_by_id(db, run.deployment_id)
    most = deployment.crash_retries if deployment is not None else 0
    worker = next((one for one in work.workers(db) if one.info.id == run.worker), None)
    is_gone = run.message == WORKER_GONE
    if worker is not None and (is_gone or worker.is_silent(now)):
        left_s = max(worker.lease_until - now, 0) / 1e6
        goes_on = run.state == "Pending" or run.n_crashes < most
        fate = {"Cancelling": "is cancelled", "Paused": "stays paused"}.get(
            run.state, "goes on elsewhere" if goes_on else "is given up"
        )
        return f"worker {worker.info.name} is {'gone' if is_gone else 'silent'}; it {fate} within {left_s:.0f} s"
    if run.state != "Crashed":
        return ""
    if run.n_crashes < most:
        return f"its process ended; it goes on (try {run.n_crashes + 1} of {most})"
    return "its process ended; it has no tries left"


def _serves(info: WorkerInfo, run: FlowRun) -> bool:
    fits = not info.deployments or run.deployment_id in info.deployments
    return fits and (not info.queues or run.queue in info.queues)
