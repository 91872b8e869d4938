"""The supervisor: which runs a worker holds, when each is to start or to be stopped, and what is reported of it."""

from __future__ import annotations

import heapq
import itertools
import signal
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.commands import Ended
from ostinato.core.work import Assignment
from ostinato.core.workers import Held
from ostinato.workers.jobs import CANCELLED, FAILED, OK, STALE, Job
from ostinato.workers.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostinato.core.work import Answer, Order
    from ostinato.workers.launcher import Launcher

MOST_TERM_S: Final = 10.0
"""A cancelled run that does not end is killed as long after SIGTERM as it had before, and so long at most."""
MOST_REMEMBERED: Final = 10_000
"""Runs that have ended: an answer that was on its way meanwhile does not start them again."""


ENDINGS: Final = {OK: "ended", FAILED: "failed", CANCELLED: "was cancelled", STALE: "goes on elsewhere"}
"""What the exit code of a process says that came to its end."""


class Charge(msgspec.Struct, eq=False):
    """A run in the hands of this worker."""

    assignment: Assignment
    process: Process | None = None
    """None until it is due."""
    done: bool = False
    """Its process has ended; that is being reported."""
    orders: set[str] = set()
    """What its process was told: `cancel`, `pause`."""

    @property
    def epoch(self) -> int:
        """The epoch that was leased."""
        return self.assignment.run.epoch


class Supervisor:
    """Starts, stops and reports the runs of one worker. All in one thread."""

    def __init__(
        self,
        worker_id: str,
        slots: int,
        resources: Mapping[str, float],
        environment: Mapping[str, str],
        report: Callable[[Ended], None],
    ) -> None:
        self.worker_id = worker_id
        self._slots = slots
        self.drains = False
        """Whether it starts nothing more."""
        self.only_due = False
        """Whether it takes what is due now, and nothing else."""
        self._resources = resources
        self._environment = environment
        """What each process gets on top of the environment of this worker."""
        self._report = report
        self._charges: dict[str, Charge] = {}
        self._leaving: set[Process] = set()
        """Processes whose runs go on elsewhere; they are being killed."""
        self._past: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.launcher: Launcher
        self.tell: Callable[[str], None] = lambda _: None
        """Called with a line for each run that is begun, has ended or is let go."""

    # --- what it holds

    def held(self) -> tuple[Held, ...]:
        """Give the runs in its hands, those included whose end is not reported yet."""
        return tuple(Held(run_id, one.epoch) for run_id, one in self._charges.items())

    def free(self) -> int:
        """Give how many more runs it takes."""
        if self.drains:
            return 0
        return self._slots - sum(not one.done for one in self._charges.values()) - len(self._leaving)

    def left(self) -> dict[str, float]:
        """Give what is left of the resources."""
        left = dict(self._resources)
        for one in self._charges.values():
            for name, amount in one.assignment.resources.items() if not one.done else ():
                left[name] = left.get(name, 0.0) - amount
        return left

    @property
    def busy(self) -> int:
        """How many runs have a process, or wait for their time."""
        return sum(not one.done for one in self._charges.values())

    @property
    def idle(self) -> bool:
        """Whether nothing is left to start, to end or to report."""
        return not self._charges and not self._leaving

    # --- what the server says

    def take(self, answer: Answer) -> int:
        """Take what a poll gave; give the number of new runs."""
        new = [one for one in answer.assignments if self._is_new(one) and self._may_start(one)]
        for order in answer.orders:
            self._obey(order)
        for assignment in new:
            self._accept(assignment)
        return len(new)

    def _may_start(self, assignment: Assignment) -> bool:
        return not self.drains and not (self.only_due and assignment.due_in_ms > 0)

    def _is_new(self, assignment: Assignment) -> bool:
        run = assignment.run
        known = self._charges.get(run.id)
        return (run.id, run.epoch) not in self._past and (known is None or known.epoch < run.epoch)

    def _accept(self, assignment: Assignment) -> None:
        run = assignment.run
        if run.id in self._charges:
            self._let_go(self._charges[run.id])
        charge = self._charges[run.id] = Charge(assignment)
        wait_s = assignment.due_in_ms / 1000
        if wait_s <= 0:
            self._start(charge)
        else:
            self.launcher.warm(self._job(assignment))
            self._at(wait_s, lambda: self._start(charge))

    def _job(self, assignment: Assignment) -> Job:
        env = {**assignment.env, **self._environment}
        return Job(run=assignment.run, code=assignment.code, env=env)

    def _start(self, charge: Charge) -> None:
        if charge.done or self._charges.get(charge.assignment.run.id) is not charge:
            return
        try:
            process = charge.process = Process(self._job(charge.assignment))
        except OSError as error:  # no numbers for files are left
            self._done(charge, f"it could not be started: {error.strerror}", "")
            return
        run = charge.assignment.run
        self.tell(f"{run.name} of {run.deployment} {f'goes on in epoch {run.epoch}' if run.epoch > 1 else 'begins'}")
        self.launcher.start(process)

    # --- orders

    def _obey(self, order: Order) -> None:
        charge = self._charges.get(order.run_id)
        if charge is None or charge.epoch != order.epoch or charge.done:
            return
        if order.kind == "stop":
            self._let_go(charge)
        elif order.kind == "cancel":
            self._cancel(charge, order)
        elif charge.process is not None and order.kind not in charge.orders:
            charge.orders = (charge.orders - {"pause", "go-on"}) | {order.kind}
            charge.process.say(order.kind)

    def _cancel(self, charge: Charge, order: Order) -> None:
        """Tell user code, then the process, then end it."""
        if "cancel" in charge.orders:
            return
        charge.orders = charge.orders | {"cancel"}
        process = charge.process
        if process is None:
            self._done(charge, "it had not been started", "")
        elif not process.pid:
            self.launcher.drop(process)
        else:
            process.say(f"cancel {order.reason}")
            self._at(order.grace_s, lambda: process.kill(signal.SIGTERM))
            self._at(order.grace_s + min(order.grace_s, MOST_TERM_S), lambda: process.kill(signal.SIGKILL))

    def _let_go(self, charge: Charge) -> None:
        """End a run's process at once and without a word: it goes on elsewhere."""
        run = charge.assignment.run
        self.tell(f"{run.name} of {run.deployment} is let go, it is no run of this worker any more")
        self._forget(run.id, charge)
        process = charge.process
        if process is not None and not process.ended:
            self._leaving.add(process)
            self.launcher.drop(process)

    def end_all(self, how: str) -> None:
        """End all processes at once; what is not heard of any more goes on elsewhere."""
        for charge in list(self._charges.values()):
            if charge.process is not None:
                self.launcher.drop(charge.process)
            elif not charge.done:
                self._done(charge, how, "")

    # --- ends

    def ended(self, process: Process) -> None:
        """A process has ended."""
        self._leaving.discard(process)
        charge = self._charges.get(process.job.run.id)
        if charge is not None and charge.process is process:
            well = process.done and process.code == 0
            self.tell(_ending(process))
            self._done(charge, process.how, "" if well else process.output.tail.text())

    def _done(self, charge: Charge, how: str, tail: str) -> None:
        charge.done = True
        run = charge.assignment.run
        self._report(Ended(worker_id=self.worker_id, run_id=run.id, epoch=run.epoch, how=how, tail=tail))

    def reported(self, ended: Ended) -> None:
        """The server knows of an end."""
        charge = self._charges.get(ended.run_id)
        if charge is not None and charge.epoch == ended.epoch and charge.done:
            self._forget(ended.run_id, charge)

    def _forget(self, run_id: str, charge: Charge) -> None:
        del self._charges[run_id]
        self._past[run_id, charge.epoch] = None
        while len(self._past) > MOST_REMEMBERED:
            self._past.popitem(last=False)

    # --- time

    def _at(self, wait_s: float, work: Callable[[], Any]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + wait_s, next(self._numbers), work))

    def tick(self) -> float | None:
        """Do what is due; give the seconds until the next, None when there is nothing."""
        while self._timers:
            wait_s = self._timers[0][0] - time.monotonic()
            if wait_s > 0:
                return wait_s
            heapq.heappop(self._timers)[2]()
        return None


def _ending(process: Process) -> str:
    """Say how the process of a run ended, and after how long."""
    run = process.job.run
    word = ENDINGS.get(process.code or 0) if process.done else None
    after = f" after {time.monotonic() - process.began_s:.1f} s" if process.pid else ""
    return f"{run.name} of {run.deployment} {word or 'died'}{after}{'' if word else f': {process.how}'}"
