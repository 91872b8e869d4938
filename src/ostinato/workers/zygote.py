"""Zygotes: processes that have loaded the code of a deployment once, and are forked for each of its runs.

`python -m ostinato.workers.zygote CONTROL CODE DEPLOYMENT`. A zygote never runs a flow. It ends with its
worker, and so do the processes that it forked.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ostinato import session
from ostinato.engine.takeup import warm_up
from ostinato.engine.traces import LIBRARY_FOLDER, OWN_FOLDER
from ostinato.workers import child, jobs

if TYPE_CHECKING:
    from ostinato.core.deployments import Code
    from ostinato.workers.child import Loaded

LAST_S: Final = child.LAST_S + 1.0
"""So long the processes of a worker that is gone may take to end by themselves."""


class Zygote:
    """Forks a process for each request of the worker, and tells how it ended."""

    def __init__(self, control: socket.socket, loaded: Loaded, sources: Sources) -> None:
        self._control = control
        self._loaded = loaded
        self._sources = sources
        self._numbers: dict[int, int] = {}
        """Of the forked processes that live, by pid."""
        self._is_stale = False
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)

    def serve(self) -> None:
        """Fork until the worker is gone, or the code has changed and the last process has ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        while self._numbers or not self._is_stale:
            ready, _, _ = select.select([self._control.fileno(), self._wake_r], [], [])
            if self._wake_r in ready:
                self._hush()
                self._reap()
            if self._control.fileno() in ready and not self._take():
                self._end_all()
                return

    def _take(self) -> bool:
        """Carry out one request; False when the worker is gone."""
        data, fds, _, _ = socket.recv_fds(self._control, jobs.PACKET_MOST, 3)
        if not data:
            return False
        request = jobs.read_fork(data)
        self._is_stale = self._is_stale or self._sources.have_changed()
        if self._is_stale:
            for fd in fds:
                os.close(fd)
            jobs.say(self._control, jobs.Stale(request.number))
        else:
            self._fork(request.number, *fds)
            self._is_stale = self._loaded.error is not None  # the next one may have more luck
        return True

    def _fork(self, number: int, job: int, control: int, output: int) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads: only native ones are left
                pid = os.fork()
        except OSError as error:
            jobs.say(self._control, jobs.Failed(number, str(error.strerror)))
        else:
            if pid == 0:
                child.end(lambda: self._begin(job, control, output))
            self._numbers[pid] = number
            jobs.say(self._control, jobs.Started(number, pid))
        for fd in (job, control, output):
            os.close(fd)

    def _begin(self, job: int, control: int, output: int) -> int:
        """In the forked process: leave the zygote behind, and run."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (self._wake_r, self._wake_w):
            os.close(fd)
        self._control.close()
        child.cut_loose(output)
        supervision = child.Supervision(socket.socket(fileno=control))
        return child.carry_out(jobs.read_job(job), self._loaded, supervision)

    def _hush(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_r, 4096)

    def _reap(self) -> None:
        for pid, number in list(self._numbers.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            # What it left behind goes with it; its number is not given anew while it is not waited for.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            del self._numbers[pid]
            with suppress(OSError):
                jobs.say(self._control, jobs.Ended(number, status))

    def _end_all(self) -> None:
        """The worker is gone: let the processes end, as they do when they see that, and kill those that do not."""
        end_s = time.monotonic() + LAST_S
        while self._numbers:
            if time.monotonic() > end_s:
                for pid in self._numbers:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)
            select.select([self._wake_r], [], [], 0.1)
            self._hush()
            self._reap()


class Sources:
    """The files that a flow was loaded from, as they were then."""

    def __init__(self, folders: list[str]) -> None:
        kept = tuple(os.path.join(os.path.realpath(folder), "") for folder in folders if folder)
        self._stamps: dict[str, tuple[int, int, int]] = {}
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or "site-packages" in file or file.startswith((OWN_FOLDER, LIBRARY_FOLDER)):
                continue
            if os.path.realpath(file).startswith(kept):
                self._stamps[file] = _stamp(file)

    def have_changed(self) -> bool:
        """Say whether one of the files is another one now."""
        return any(_stamp(file) != stamp for file, stamp in self._stamps.items())


def _stamp(file: str) -> tuple[int, int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0, 0)
    return found.st_mtime_ns, found.st_size, found.st_ino


def why_unfit() -> str:
    """Say why a process that has loaded its code cannot be forked, or ""."""
    others = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
    users = [name for name in others if not name.startswith("ostinato-")]
    if users:
        return f"its module starts threads when it is imported ({', '.join(users[:3])})"
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - the only form that does not raise
        return "its module leaves an event loop running when it is imported"
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda") and torch.cuda.is_initialized():
        return "its module uses CUDA when it is imported"
    return ""


def serve(control: socket.socket, code: Code, deployment: str) -> None:
    """Load the code, say whether it can be forked, and fork."""
    loaded = child.load(code, deployment)
    if loaded.flow is not None:
        with suppress(Exception):  # each run finds it again, and tells
            warm_up(loaded.flow)
    reason = "" if loaded.error is not None else why_unfit()
    if reason:
        jobs.say(control, jobs.Unfit(reason))
        return
    sources = Sources([loaded.code.directory, os.path.dirname(loaded.code.file), os.getcwd()])
    gc.collect()
    gc.freeze()
    try:
        jobs.say(control, jobs.Ready())
    except OSError:  # its module closed it
        os._exit(jobs.DEAF)
    Zygote(control, loaded, sources).serve()


def main() -> None:
    """Be a zygote: the arguments are control socket, code as JSON, and name of the deployment."""
    control = socket.socket(fileno=int(sys.argv[1]))
    child.begin()
    session.prepare()  # what every process needs is loaded once
    serve(control, jobs.read_code(sys.argv[2]), sys.argv[3])
    os._exit(0)  # what the user's module left behind is not waited for


if __name__ == "__main__":
    main()
