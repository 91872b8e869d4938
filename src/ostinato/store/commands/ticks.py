"""Commands of the scheduler: make the runs of schedules, mark late ones, decide after an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostinato.core.commands import CreateRun
from ostinato.core.deployments import LATE_US, SCHEDULED_TAG
from ostinato.core.events import RunMoved, SchedulePlanned, TickPlanned
from ostinato.core.schedules import latest, upcoming
from ostinato.store import sql, work
from ostinato.store.commands.runs import planned

if TYPE_CHECKING:
    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.core.events import Event
    from ostinato.store.transaction import Tx

MOST_AHEAD: Final = 100
"""Runs that one schedule has waiting at most."""
REFILL_BELOW: Final = 50
AHEAD_US: Final = 100 * 86_400_000_000
"""Runs are made for due times until so far ahead."""
ALIVE: Final = "alive_at"


def plan(tx: Tx, deployment: Deployment, timetable: Timetable) -> int:
    """Make the coming runs of a schedule when few are left; give how many were made."""
    current = work.deployment_by_id(tx.db, deployment.id)
    if current is None or current.updated_at != deployment.updated_at:  # it was changed since it was read
        return 0
    queries = sql.load("work")
    values = (deployment.id, timetable.slug)
    (n_ahead,) = tx.db.execute(queries["n_planned_ahead"], (*values, tx.now)).fetchone()
    if n_ahead >= REFILL_BELOW:
        return 0
    row = tx.db.execute(queries["planned_until"], values).fetchone()
    begin = tx.now if row is None else max(row[0], _made_up_from(deployment, timetable, tx.now))
    instants = upcoming(timetable.schedule, begin, MOST_AHEAD - n_ahead, until_us=tx.now + AHEAD_US)
    if not instants and row is not None:
        return 0
    made = [event for due_at in instants for event in _tick(tx, deployment, timetable, due_at)]
    tx.append(*made, SchedulePlanned(*values, instants[-1] if instants else begin, tx.now))
    tx.wakes = tx.wakes or bool(made)
    return len(instants)


def _made_up_from(deployment: Deployment, timetable: Timetable, now: int) -> int:
    """Give the instant before which no due time that has passed is made up for."""
    if deployment.catchup == "all":
        return 0
    if deployment.catchup == "none":
        return now
    newest = latest(timetable.schedule, now)
    return now if newest is None else newest - 1


def _tick(tx: Tx, deployment: Deployment, timetable: Timetable, due_at: int) -> list[Event]:
    known = tx.db.execute(sql.load("work")["known_tick"], (deployment.id, timetable.slug, due_at)).fetchone()
    if known is not None:
        return []
    command = CreateRun(
        deployment=deployment.id,
        parameters=timetable.parameters,
        tags=(SCHEDULED_TAG,),
        due_at=due_at,
        schedule=timetable.slug,
    )
    event = planned(tx, deployment, command)
    return [event, TickPlanned(deployment.id, timetable.slug, due_at, event.run_id, tx.now)]


def mark_late(tx: Tx) -> int:
    """Mark runs that nobody began in time; give their number."""
    found = tx.db.execute(sql.load("work")["late"], (tx.now - LATE_US,)).fetchall()
    tx.append(*(RunMoved(run_id, epoch, tx.now, "Late", "Scheduled") for run_id, epoch in found))
    return len(found)


def begin(tx: Tx) -> int:
    """A server starts: leases go on, and of the runs that came due without one `catchup` drops what is too much.

    Gives the microseconds for which no server was alive.
    """
    said_at = alive_at(tx)
    let_leases_go_on(tx)
    if said_at is None:
        return 0
    for deployment in work.deployments(tx.db):
        for timetable in deployment.schedules:
            _drop_missed(tx, deployment, timetable, said_at)
    return tx.now - said_at


def let_leases_go_on(tx: Tx) -> None:
    """Give each worker a whole lease: for a time none of them could renew it."""
    tx.db.execute(sql.load("work")["extend_leases"], (tx.now,))


def _drop_missed(tx: Tx, deployment: Deployment, timetable: Timetable, alive_at: int) -> None:
    rows = tx.db.execute(sql.load("work")["missed"], (deployment.id, timetable.slug, alive_at, tx.now)).fetchall()
    begin = _made_up_from(deployment, timetable, tx.now)
    reason = f"no server ran when it was due (catchup={deployment.catchup})"
    tx.append(
        *(
            RunMoved(run_id, epoch, tx.now, "Skipped", state, reason)
            for due_at, run_id, epoch, state in rows
            if due_at <= begin
        )
    )


def follow_clock(tx: Tx, jump_us: int) -> None:
    """The clock was set, or the machine slept: leases begin anew, and what came due meanwhile came without a server."""
    tx.db.execute(sql.load("work")["renew_leases"], (tx.now,))
    tx.db.execute(sql.load("work")["move_slots"], (jump_us,))
    begin(tx)
    tx.wakes = True


def alive_at(tx: Tx) -> int | None:
    """Give when a server last said that it is alive."""
    return work.fact(tx.db, ALIVE)


def stay_alive(tx: Tx) -> None:
    """Note that a server is alive."""
    tx.db.execute(sql.load("work")["put_fact"], (ALIVE, tx.now))
