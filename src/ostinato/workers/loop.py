"""The loop of a worker: it polls the server, keeps its lease, and lets the supervisor do what is due.

One thread does everything but wait for answers. A poll waits at the server until there is something
to tell. When all slots are taken the poll that waits asks for no runs; as soon as one is free, a
second one does.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

import ostinato
from ostinato.core import settings as settings_of
from ostinato.core.commands import Join, Leave, Poll
from ostinato.core.errors import OstinatoError
from ostinato.core.ids import new_id
from ostinato.core.work import Answer
from ostinato.core.workers import WorkerInfo
from ostinato.workers.launcher import Launcher
from ostinato.workers.lines import AGAIN_S, Inbox, Line, NoServer, Reports, Server
from ostinato.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ostinato.core.commands import Command, Ended
    from ostinato.core.settings import Settings

LEASE_S: Final = 15.0
LEAST_SLOTS: Final = 8
LEASE_SHARE: Final = 0.9
"""When so much of the lease is over, what it holds is ended before somebody else takes it over."""
MOST_WAIT_S: Final = 20.0
"""Longest wait of a question at the server: a line that is dead without a sign is found out in the end."""
QUICK_S: Final = 0.02
"""An answer without content that comes sooner is not asked for again at once."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker does, and how long it waits."""

    name: str = ""
    """Empty: host and process."""
    queues: tuple[str, ...] = ()
    """None means all."""
    deployments: tuple[str, ...] = ()
    """Ids; none means all."""
    slots: int = 0
    """Runs at once; 0 means twice the cores, and eight at least."""
    resources: dict[str, float] = {}
    lease_s: float = LEASE_S
    once: bool = False
    """Run what is due now, then end."""
    quiet: bool = False
    """Tell of no runs."""
    drain_s: float = 30.0
    """So long runs may take to end when the worker ends."""


class Worker:
    """One worker, from its start to its end."""

    def __init__(self, options: Options, settings: Settings, tell: Callable[[str], None]) -> None:
        self.options = options
        self._tell = tell
        self.info = _info(options)
        self._server = Server(settings)
        self._inbox = Inbox()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._inbox.fd, selectors.EVENT_READ, self._inbox.empty)
        reports = self._reports = Reports(self._server, self._inbox, self._hear_reported)
        self.supervisor = Supervisor(
            self.info.id,
            self.info.slots,
            options.resources,
            _environment(settings),
            reports.tell,
        )
        self.supervisor.only_due = options.once
        if not options.quiet:
            self.supervisor.tell = tell
        self.launcher = self.supervisor.launcher = Launcher(
            self._selector, self.supervisor.ended, tell, settings.zygotes
        )
        self._lines = [Line(f"poll-{n}", self._server, self._inbox, self._hear) for n in (1, 2)]
        self._joined = False
        self._told_waiting = False
        self._again_s = 0.0
        """Monotonic instant before which nothing is asked."""
        self._renewed_s = time.monotonic()
        """When the last question was sent by which the lease was renewed."""
        self._ends_s: float | None = None
        """When a worker that drains goes at the latest."""
        self._nothing_left = False
        """Whether the last poll with all slots free gave no run."""

    # --- its life

    def run(self) -> None:
        """Work until a signal comes, or with `once` until nothing is due."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        before = signal.set_wakeup_fd(self._inbox.bell, warn_on_full_buffer=False)
        try:
            while not self._is_over():
                found = self._selector.select(self._tick())
                self._watch_lease()  # first: the process may have been stopped meanwhile
                for key, _ in found:
                    if self._selector.get_map().get(key.fd) is key:  # else an earlier one of them let go of it
                        key.data()
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._leave()

    def stop(self) -> None:
        """Start nothing more, and end when what runs has ended, or the time for that is over; twice: at once."""
        now_s = time.monotonic()
        if self._ends_s is not None:
            self._ends_s = now_s
            return
        self._ends_s = now_s + self.options.drain_s
        self.supervisor.drains = True
        n_runs = self.supervisor.busy
        if n_runs:
            self._tell(f"Ends when {n_runs} run{'s' * (n_runs > 1)} ended, within {self.options.drain_s:g} s.")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as `signal` calls it
        self._inbox.leave(self.stop)

    def _is_over(self) -> bool:
        if self._ends_s is not None:
            return self.supervisor.idle or time.monotonic() >= self._ends_s
        return self.options.once and self._nothing_left and self.supervisor.idle

    def _leave(self) -> None:
        self._reports.close()
        for line in self._lines:
            line.close()
        self.launcher.close()
        if self._joined:
            try:
                self._server.do(Leave(worker_id=self.info.id, reason=f"worker {self.info.name} was stopped"))
            except (NoServer, OstinatoError):  # its lease runs out
                self._tell("The server could not be told that this worker ends.")
        self._server.close()
        self._selector.close()

    # --- what is due

    def _tick(self) -> float:
        """Do what is due; give the seconds until something else is."""
        self._watch_lease()
        waits = [self.supervisor.tick(), self.launcher.tick(), self._ask()]
        if self._ends_s is not None:
            waits.append(self._ends_s - time.monotonic())
        if self.supervisor.busy:
            waits.append(max(self._lease_ends_s() - time.monotonic(), AGAIN_S))
        return max(min(wait_s for wait_s in (*waits, self.info.lease_s) if wait_s is not None), 0.0)

    def _lease_ends_s(self) -> float:
        return self._renewed_s + LEASE_SHARE * self.info.lease_s

    def _watch_lease(self) -> None:
        """End what another worker is about to take over."""
        if self.supervisor.busy and time.monotonic() > self._lease_ends_s() and self._server.lives():
            self._tell(f"No answer for {LEASE_SHARE * self.info.lease_s:g} s: the runs go on elsewhere.")
            self.supervisor.end_all("its worker could not renew its lease")
            self._renewed_s = time.monotonic()

    # --- asking

    def _ask(self) -> float | None:
        """Ask the server what there is to ask; give the seconds until it may be asked again."""
        now_s = time.monotonic()
        asking = [line.asked for line in self._lines if line.asked is not None]
        line = next((line for line in self._lines if line.asked is None), None)
        if line is None:
            return None
        if now_s < self._again_s:
            return self._again_s - now_s
        if not self._joined:
            if not asking:
                line.ask(Join(worker=self.info))
            return None
        poll = self._poll()
        if not asking or (poll.free > 0 and not any(_asks_for(one, poll) for one in asking)):
            line.ask(poll)
        return None

    def _poll(self) -> Poll:
        supervisor = self.supervisor
        wait_s = 0.0 if self.options.once and supervisor.idle else min(self.info.lease_s / 3, MOST_WAIT_S)
        return Poll(
            worker_id=self.info.id,
            held=supervisor.held(),
            free=max(supervisor.free(), 0),
            resources=supervisor.left(),
            wait_s=wait_s,
        )

    def _hear(self, line: Line, answer: Any) -> None:
        """Take in an answer, or an error."""
        asked, line.asked = line.asked, None
        if isinstance(answer, NoServer):
            self._miss(str(answer))
        elif isinstance(answer, Exception):
            raise answer
        elif isinstance(answer, Answer) and isinstance(asked, Poll):
            self._hear_poll(line, asked, answer)
        else:
            self._joined, self._told_waiting = True, False
            self._renewed_s = max(self._renewed_s, line.sent_s)
            self._tell(f"Worker {self.info.name} works for {self._server.place}: {_described(self.info)}.")

    def _hear_poll(self, line: Line, asked: Poll, answer: Answer) -> None:
        if not answer.known:
            self._joined = False
            return
        if self._told_waiting:
            self._told_waiting = False
            self._tell("The server is back.")
        took_s = time.monotonic() - line.sent_s
        self._renewed_s = max(self._renewed_s, line.sent_s)
        if took_s > LEASE_SHARE * self.info.lease_s:
            answer = replace(answer, assignments=())  # perhaps they went to another one since
        n_new = self.supervisor.take(answer)
        if asked.free == self.info.slots and not asked.held:  # else it had no room for what there is, perhaps
            self._nothing_left = n_new == 0
        if n_new == 0 and answer.assignments and (self.supervisor.drains or self.supervisor.only_due):
            self._again_s = time.monotonic() + AGAIN_S  # what it does not want is offered again at once
        elif took_s < QUICK_S and asked.wait_s and not answer.assignments and not answer.orders:
            self._again_s = time.monotonic() + QUICK_S

    def _hear_reported(self, ended: Ended) -> None:
        self.supervisor.reported(ended)

    def _miss(self, reason: str) -> None:
        """Nobody answered. A server that is gone takes nothing over, and the next one lets leases begin anew."""
        now_s = time.monotonic()
        self._again_s = now_s + AGAIN_S
        if not self._server.lives():
            self._renewed_s = now_s
        if not self._told_waiting:
            self._told_waiting = True
            gone = not self._server.lives()
            start = " `ostinato up` starts one with a worker, `ostinato server` one without." if gone else ""
            self._tell(f"Waits for a server: {reason.rstrip('.')}.{start}")


def _asks_for(asked: Command[Any], poll: Poll) -> bool:
    """Say whether a question that waits for its answer will get what a new one would ask for."""
    return isinstance(asked, Poll) and asked.free > 0 and asked.resources == poll.resources


def _info(options: Options) -> WorkerInfo:
    host = os.uname().nodename
    return WorkerInfo(
        id=new_id(),
        name=options.name or f"{host}-{os.getpid()}",
        host=host,
        pid=os.getpid(),
        queues=options.queues,
        deployments=options.deployments,
        slots=options.slots or max(2 * (os.cpu_count() or 1), LEAST_SLOTS),
        resources=options.resources,
        version=ostinato.__version__,
        lease_s=options.lease_s,
    )


def _environment(settings: Settings) -> dict[str, str]:
    """Give what processes of runs get on top of the environment of the worker."""
    given = {"OSTINATO_HOME": settings.home, "OSTINATO_CONSOLE": "false"}
    if settings.api_url:  # it may stand in a file that they do not see
        given |= {"OSTINATO_API_URL": settings.api_url, "OSTINATO_API_KEY": settings.api_key}
    return given


def _described(info: WorkerInfo) -> str:
    queues = f"queue{'s' * (len(info.queues) > 1)} {', '.join(info.queues)}" if info.queues else "all queues"
    resources = "".join(f", {name}={amount:g}" for name, amount in info.resources.items())
    return f"{queues}, {info.slots} runs at once{resources}"


def work(options: Options, tell: Callable[[str], None] | None = None) -> None:
    """Be a worker, in the main thread, until a signal comes."""

    def write(text: str) -> None:
        sys.stderr.write(f"ostinato worker: {text}\n")

    Worker(options, settings_of.load(), tell or write).run()
