"""The workers page: who is here, what the queues hold, what waits and why, and who holds the slots of limits."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.views import WorkerView, instant, maybe, worker_view
from ostinato.server.doors import Ask, read_at
from ostinato.server.queues import QueueView, queue_views
from ostinato.server.screens.rows import RunRow, row
from ostinato.store import work

if TYPE_CHECKING:
    from ostinato.core.admission import Busy
    from ostinato.core.deployments import Limit
    from ostinato.server.office import Shelf

N_GONE: Final = 10
N_WAITING: Final = 20
N_OF_QUEUE: Final = 10
"""Runs of one queue that are told to wait."""
N_HOLDERS: Final = 200
OF_TAG: Final = "tag:"
"""How the limit of runs with a tag begins."""


class HolderRow(msgspec.Struct, frozen=True, kw_only=True):
    """Who has slots of a limit."""

    run_id: str | None
    name: str
    n: int
    until: datetime | None
    """End of the lease; null while a worker has the run."""


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """A limit, and who has its slots."""

    name: str
    slots: int
    n_taken: int
    holders: list[HolderRow]


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is due and does not run."""

    run: RunRow
    queue: str
    why: str
    """Empty when nothing keeps it: a worker takes it next."""


class WorkersScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The workers page."""

    now: datetime
    workers: list[WorkerView]
    gone: list[WorkerView]
    """Those that left last."""
    queues: list[QueueView]
    limits: list[LimitRow]
    waiting: list[WaitingRow]
    """The first of each queue."""


@read_at("/api/ui/workers")
async def workers_screen(request: Ask) -> WorkersScreen:
    """Give the workers page."""
    return await request.look(_workers)


def _workers(shelf: Shelf) -> WorkersScreen:
    now = time.time_ns() // 1000
    found = shelf.reader.workers()
    gone = sorted((one for one in found if one.left_at), key=lambda one: one.left_at or 0, reverse=True)
    queues = queue_views(shelf)
    return WorkersScreen(
        now=instant(now),
        workers=[worker_view(one) for one in found if not one.left_at],
        gone=[worker_view(one) for one in gone[:N_GONE]],
        queues=queues,
        limits=_limits(shelf, now),
        waiting=_waiting(shelf, [one.name for one in queues if one.n_waiting], now),
    )


def _waiting(shelf: Shelf, queues: list[str], now: int) -> list[WaitingRow]:
    found: list[WaitingRow] = []
    for name in queues:
        left = min(N_OF_QUEUE, N_WAITING - len(found))
        if left <= 0:
            break
        found += [
            WaitingRow(run=row(run), queue=name, why=shelf.reader.why_waiting(run.id))
            for run in shelf.reader.preview(name, now, left)
        ]
    return found


def _limits(shelf: Shelf, now: int) -> list[LimitRow]:
    limits = shelf.reader.limits()
    if not limits:
        return []
    held: dict[str, list[HolderRow]] = {}
    for name, n, until, run_id, run in work.holders(shelf.db, now, N_HOLDERS):
        holder = HolderRow(run_id=run_id or None, name=run, n=n, until=maybe(until))
        held.setdefault(name, []).append(holder)
    busy = [run for runs in work.load(shelf.db).deployments.values() for run in runs]
    return [_limit(one, held.get(one.name, []), busy) for one in limits]


def _limit(one: Limit, holders: list[HolderRow], busy: list[Busy]) -> LimitRow:
    if not one.name.startswith(OF_TAG):
        return LimitRow(name=one.name, slots=one.slots, n_taken=one.n_taken, holders=holders)
    tag = one.name.removeprefix(OF_TAG)
    tagged = [HolderRow(run_id=run.id, name=run.name, n=1, until=None) for run in busy if tag in run.tags]
    return LimitRow(name=one.name, slots=one.slots, n_taken=len(tagged), holders=tagged[:N_HOLDERS])


HANDLERS: Final = (workers_screen,)
