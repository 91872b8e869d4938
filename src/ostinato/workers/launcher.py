"""Starting processes for runs: forked from a warm zygote of their code where that is possible, else afresh."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ostinato.workers import jobs
from ostinato.workers.jobs import DEAF, Ended, Failed, Ready, Stale, Started, Unfit
from ostinato.workers.zygotes import Zygote, key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ostinato.workers.jobs import Job
    from ostinato.workers.processes import Process

IDLE_S: Final = 600.0
"""A zygote that forked nothing for so long ends."""
REACH_S: Final = 2.0
"""A forked process that has not reached user code after so long is taken for stuck, and started afresh."""
UNFIT_S: Final = 600.0
"""After so long it is tried again whether code can be forked."""
LOOK_S: Final = 0.1
"""Pause between looks at what no selector tells of."""


class Launcher:
    """Starts processes, and tells when they have ended. All in the thread of its selector."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        ended: Callable[[Process], None],
        tell: Callable[[str], None],
        most_zygotes: int = 4,
    ) -> None:
        self._selector = selector
        self._ended = ended
        self._tell = tell
        self._most = most_zygotes
        self._zygotes: dict[bytes, Zygote] = {}
        self._leaving: list[Zygote] = []
        """No processes are asked of them any more."""
        self._unfit: dict[bytes, float] = {}
        """Code that cannot be forked, and until when that is believed."""
        self._told: set[str] = set()
        self._fresh: dict[Process, subprocess.Popen[bytes]] = {}
        """Processes that were started afresh."""

    # --- asked by the supervisor

    def warm(self, job: Job) -> None:
        """Let a zygote for a job that comes soon load its code."""
        with suppress(OSError):  # it is told when the job is due
            if self._can_fork(job):
                self._zygote(job)

    def start(self, process: Process) -> None:
        """Start a process for its job."""
        self._listen(process)
        try:
            if self._can_fork(process.job):
                self._zygote(process.job).fork(process)
            else:
                self._spawn(process)
        except OSError as error:
            self._not_started(process, error)

    def drop(self, process: Process) -> None:
        """Give up a process that waits to be started; one that is started is killed."""
        for zygote in self._all():
            if process in zygote.waiting:
                zygote.waiting.remove(process)
                self._end(process, "it had not been started")
                if not zygote.waiting and not zygote.ready:  # its code may load for ever
                    self._retire(zygote)
                    zygote.popen.kill()
                return
        process.dropped = True
        process.kill(signal.SIGKILL)

    def tick(self) -> float | None:
        """Look after what takes its time; give the seconds until the next look, None when there is nothing."""
        now_s = time.monotonic()
        for zygote in self._all():
            self._free_stuck(zygote, now_s)
        self._retire_idle(now_s)
        for zygote in list(self._leaving):
            if zygote.popen.poll() is not None:
                self._gone(zygote)
        looks = [] if hasattr(os, "pidfd_open") else list(self._fresh)
        for process in looks:
            self._look_at(process)
        waits = (
            bool(looks)
            or any(zygote.silent for zygote in self._leaving)
            or any(not process.reached for zygote in self._all() for process in zygote.forked.values())
        )
        return LOOK_S if waits else IDLE_S if self._zygotes else None

    def close(self) -> None:
        """End all zygotes and processes at once."""
        for process in list(self._fresh):
            process.kill(signal.SIGKILL)
            self._reap(process)
        for zygote in self._all():
            for process in zygote.forked.values():
                process.kill(signal.SIGKILL)
            zygote.popen.kill()
            self._gone(zygote)

    # --- zygotes

    def _all(self) -> list[Zygote]:
        return [*self._zygotes.values(), *self._leaving]

    def _can_fork(self, job: Job) -> bool:
        if not sys.platform.startswith("linux") or self._most == 0:
            return False
        until_s = self._unfit.get(key_of(job))
        return until_s is None or until_s < time.monotonic()

    def _zygote(self, job: Job) -> Zygote:
        key = key_of(job)
        zygote = self._zygotes.get(key)
        if zygote is None:
            zygote = self._zygotes[key] = Zygote(key, job)
            self._selector.register(zygote.control, selectors.EVENT_READ, lambda: self._hear(zygote))
            self._selector.register(zygote.output.fd, selectors.EVENT_READ, lambda: self._read(zygote.output))
        return zygote

    def _retire(self, zygote: Zygote) -> None:
        """Ask nothing of a zygote any more; it ends when its last process has."""
        if self._zygotes.get(zygote.key) is zygote:
            del self._zygotes[zygote.key]
            self._leaving.append(zygote)
            if not zygote.forked:
                zygote.hang_up()

    def _retire_idle(self, now_s: float) -> None:
        """Let go of zygotes that nobody has used for long, and of those that are too many."""
        idle = sorted((one for one in self._zygotes.values() if not one.busy), key=lambda one: one.used_s)
        for zygote in idle:
            if len(self._zygotes) > self._most or now_s - zygote.used_s > IDLE_S:
                self._retire(zygote)

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def _hear(self, zygote: Zygote) -> None:
        """Take in a word of a zygote."""
        word = zygote.listen()
        if word is None:
            zygote.silent = True
            self._retire(zygote)
            self._forget(zygote.control)
            if zygote.popen.poll() is not None:
                self._gone(zygote)
        elif isinstance(word, Ready):
            zygote.begin()
        elif isinstance(word, Unfit):
            self._retire(zygote)
            self._do_without(zygote, word.reason)
        elif isinstance(word, Stale):
            self._retire(zygote)
            process = zygote.forked.pop(word.number)
            if process.dropped:
                self._end(process, "it had not been started")
            else:
                self._again(process)
        elif isinstance(word, Failed):
            self._end(zygote.forked.pop(word.number), f"it could not be started: {word.reason}")
        elif isinstance(word, Started):
            process = zygote.forked[word.number]
            process.started(word.pid)
            if process.dropped:  # before it was there
                process.kill(signal.SIGKILL)
        else:
            self._forked_ended(zygote, word)

    def _do_without(self, zygote: Zygote, reason: str) -> None:
        """Start the processes afresh that a zygote cannot fork."""
        self._unfit[zygote.key] = time.monotonic() + UNFIT_S
        self._tell_once(f"{zygote.title}: each run gets a fresh process, since {reason}.")
        waiting, zygote.waiting = zygote.waiting, []
        for process in waiting:
            self._spawn(process)

    def _forked_ended(self, zygote: Zygote, word: Ended) -> None:
        process = zygote.forked.pop(word.number)
        process.output.tail.before = zygote.output.tail
        process.listen()
        if process.stuck and not process.reached:
            self._tell_once(
                f"{zygote.title}: a forked process did not reach its code within {REACH_S:g} s; started afresh."
            )
            self._unfit[zygote.key] = time.monotonic() + UNFIT_S
            self._again(process)
            return
        self._end(process, jobs.ending(word.status), os.waitstatus_to_exitcode(word.status))

    def _free_stuck(self, zygote: Zygote, now_s: float) -> None:
        for process in zygote.forked.values():
            if process.pid and not process.reached and not process.stuck and now_s - process.began_s > REACH_S:
                process.stuck = True
                process.kill(signal.SIGKILL)

    def _gone(self, zygote: Zygote) -> None:
        """A zygote has ended; so do the processes that it would have started, and those that it forked."""
        if zygote in self._leaving:
            self._leaving.remove(zygote)
        status = zygote.popen.wait()
        zygote.output.read()
        if status == DEAF:
            self._do_without(zygote, "its module closes files that are not its own when it is imported")
        how = f"exit code {status}" if status >= 0 else jobs.ending(-status)
        self._forget(zygote.control, zygote.output.fd)
        zygote.close()
        for process in (*zygote.waiting, *zygote.forked.values()):
            process.output.tail.before = zygote.output.tail
            process.kill(signal.SIGKILL)
            self._end(process, f"the process that had loaded its code ended: {how}")
        zygote.waiting, zygote.forked = [], {}

    # --- processes

    def _again(self, process: Process) -> None:
        """Start a process that has not begun once more."""
        self._forget(process.control, process.output.fd)
        process.renew()
        self.start(process)

    def _spawn(self, process: Process) -> None:
        job, control, output = process.ends()
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "ostinato.workers.child", str(job), str(control)],
                env={**os.environ, **process.job.env}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=[job, control], start_new_session=True,
            )  # fmt: skip
        except OSError as error:  # no memory, or no numbers for processes and files are left
            self._not_started(process, error)
            return
        process.hand_over()
        process.started(popen.pid)
        self._fresh[process] = popen
        if hasattr(os, "pidfd_open"):
            process.pidfd = os.pidfd_open(popen.pid)
            self._selector.register(process.pidfd, selectors.EVENT_READ, lambda: self._look_at(process))

    def _not_started(self, process: Process, error: OSError) -> None:
        self._end(process, f"it could not be started: {error.strerror}")

    def _look_at(self, process: Process) -> None:
        """See whether a process that was started afresh has ended."""
        popen = self._fresh[process]
        if hasattr(os, "waitid"):  # its number is not given anew while it is not waited for
            if os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return
        elif popen.poll() is None:
            return
        process.kill(signal.SIGKILL)  # what it left behind goes with it
        self._reap(process)

    def _reap(self, process: Process) -> None:
        code = self._fresh.pop(process).wait()
        self._end(process, f"exit code {code}" if code >= 0 else jobs.ending(-code), code)

    def _listen(self, process: Process) -> None:
        def hear() -> None:
            if not process.listen():
                self._forget(process.control)

        self._selector.register(process.control, selectors.EVENT_READ, hear)
        self._selector.register(process.output.fd, selectors.EVENT_READ, lambda: self._read(process.output))

    def _read(self, output: Any) -> None:
        if not output.read():
            self._forget(output.fd)

    def _end(self, process: Process, how: str, code: int | None = None) -> None:
        self._forget(process.control, process.output.fd, process.pidfd)
        process.end(how, code)
        process.close()
        self._ended(process)

    def _forget(self, *files: Any) -> None:
        for file in files:
            with suppress(KeyError, ValueError):
                self._selector.unregister(file)
