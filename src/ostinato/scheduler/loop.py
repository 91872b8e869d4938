"""The loop of the scheduler: what is done every so often, each by a command to the ledger."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import OstinatoError, StorageError
from ostinato.core.schedules import upcoming
from ostinato.store import work
from ostinato.store.commands import ticks, workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.deployments import Deployment, Timetable
    from ostinato.session.ledger import Ledger
    from ostinato.store.transaction import Tx

TURN_EVERY_S: Final = 0.25
LOOK_EVERY_S: Final = 1.0
MOST_ROUNDS: Final = 10
"""So often a schedule makes runs in one turn."""
JUMP_US: Final = 2_000_000
"""A clock that went by so much more or less than time did was set, or its machine slept."""
SILENT_S: Final = 10.0
"""A leader that has not said for so long that it is alive is deposed; it says so every second."""
LONGEST_US: Final = 60_000_000
"""A schedule is looked at again after so long at the latest."""

log: Final = logging.getLogger("ostinato.scheduler")


class Planned(msgspec.Struct):
    """When a schedule needs to be looked at again."""

    updated_at: int
    """Of its deployment, when it was looked at."""
    again_at: int


class Scheduler:
    """Keeps the runs of all schedules of a database made ahead, in a thread of its own.

    Of those on one database one leads, and the others wait until it is gone.
    """

    def __init__(
        self,
        ledger: Ledger,
        now_us: Callable[[], int] | None = None,
        steady_us: Callable[[], int] | None = None,
    ) -> None:
        """Look after a home by these clocks; the steady one, which nobody sets, tells when the other one was."""
        self._ledger = ledger
        self._now_us = now_us or ledger.now_us
        self._steady_us = steady_us or now_us or (lambda: time.monotonic_ns() // 1000)
        self._ahead = self._now_us() - self._steady_us()
        """By how much the clock was ahead of the steady one at the last turn."""
        self._planned: dict[tuple[str, str], Planned] = {}
        self._stopped = threading.Event()
        self._looked_at = self._expiry_at = 0
        self._failed = False
        """Whether the last turn could not be done: then no worker could renew its lease, perhaps."""
        self._heard: tuple[int | None, float] = (None, 0.0)
        """What the leader last said, and since when (monotonic) it has said nothing new."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up the home, then go on in a thread."""
        self.begin()
        self._thread = threading.Thread(target=self._run, name="ostinato-scheduler", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the turn that is under way."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def begin(self) -> None:
        """Decide over what came due while no server ran, and let leases go on; a server that leads has done it."""
        self._ledger.lead(ticks.begin)
        self._ledger.lead(ticks.stay_alive)

    def turn(self) -> None:
        """Do what is due now: take over from silent workers, make runs, mark late ones; nothing while another leads."""
        self._mind_the_clock()
        now = self._now_us()
        looks = not 0 <= now - self._looked_at < LOOK_EVERY_S * 1e6  # the clock may jump
        if looks or now >= self._expiry_at:
            expiry_at = self._ledger.lead(self._expire, relaxed=True)
            self._failed = False
            if expiry_at is None:
                self._stand_by(now)
                return
            self._expiry_at = expiry_at
        if looks:
            self._looked_at = now
            self._plan_all(self._ledger.lead(_look, relaxed=True) or [], now)

    def _expire(self, tx: Tx) -> int:
        """Take over from silent workers; give when the next one would be silent for too long."""
        if self._failed:
            ticks.let_leases_go_on(tx)
        workers.expire(tx)
        return workers.next_expiry(tx)

    def _stand_by(self, now: int) -> None:
        """Look again in a while, and see that the leader lives: it may have stopped with its connection open."""
        self._looked_at, self._expiry_at, self._planned = now, 1 << 62, {}
        said_at = self._ledger.do(ticks.alive_at, relaxed=True)
        if said_at != self._heard[0]:
            self._heard = (said_at, time.monotonic())
        elif time.monotonic() - self._heard[1] > SILENT_S:
            log.warning("the server that looks after schedules is not heard of; another one does from now on")
            self._ledger.depose()

    def _mind_the_clock(self) -> None:
        ahead = self._now_us() - self._steady_us()
        jump, self._ahead = ahead - self._ahead, ahead
        if abs(jump) > JUMP_US:
            log.warning("the clock went by %+.1f s beside time; leases begin anew", jump / 1e6)
            self._ledger.lead(lambda tx: ticks.follow_clock(tx, jump))

    def _run(self) -> None:
        said = ""
        while not self._stopped.wait(TURN_EVERY_S):
            try:
                self.turn()
            except Exception as error:  # without the scheduler no run would be made or taken over any more
                if repr(error) != said:  # the disk may be full for hours
                    ours = isinstance(error, OstinatoError)
                    log.warning("the scheduler could not do its turn: %s", error, exc_info=None if ours else error)
                said = repr(error)
                self._failed = True
            else:
                said = ""

    # --- schedules

    def _plan_all(self, deployments: list[Deployment], now: int) -> None:
        known = self._planned
        found: dict[tuple[str, str], Planned] = {}
        for deployment in deployments:
            for timetable in deployment.schedules:
                if deployment.paused or not timetable.active:
                    continue
                key = (deployment.id, timetable.slug)
                one = known.get(key)
                if one is None or one.updated_at != deployment.updated_at or now >= one.again_at:
                    again_at = self._again_at(timetable, now) if self._plan(deployment, timetable) else now
                    one = Planned(deployment.updated_at, again_at)
                found[key] = one
        self._planned = found

    def _plan(self, deployment: Deployment, timetable: Timetable) -> bool:
        """Make the coming runs of a schedule; say whether that was all of them."""

        def work_(tx: Tx) -> int:
            return ticks.plan(tx, deployment, timetable)

        try:
            # With `catchup=all` there may be very many after a long outage; the other schedules are not to wait.
            return any((self._ledger.lead(work_) or 0) < ticks.MOST_AHEAD for _ in range(MOST_ROUNDS))
        except StorageError:  # the next turn does it
            raise
        except OstinatoError as error:  # parameters that do not fit any more, for example
            log.warning("schedule %s of %s makes no runs: %s", timetable.slug, deployment.title, error)
            return True

    @staticmethod
    def _again_at(timetable: Timetable, now: int) -> int:
        """Give when half of the runs that were made will be due."""
        soon = upcoming(timetable.schedule, now, ticks.MOST_AHEAD - ticks.REFILL_BELOW)
        return min(soon[-1] if soon else now + LONGEST_US, now + LONGEST_US)


def _look(tx: Tx) -> list[Deployment]:
    ticks.mark_late(tx)
    ticks.stay_alive(tx)
    return work.deployments(tx.db)
