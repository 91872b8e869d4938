"""Inside the process of a run: it cuts loose from what it was forked from, loads its code, runs, and ends.

`python -m ostinato.workers.child JOB CONTROL` is a process started afresh; a zygote forks the others.
"""

from __future__ import annotations

import atexit
import os
import random
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato import session
from ostinato.core.deployments import Code
from ostinato.core.errors import StaleEpoch, StorageError
from ostinato.core.states import SUCCESSFUL
from ostinato.core.work import WORKER_GONE
from ostinato.engine import control
from ostinato.engine.interrupts import end_process
from ostinato.engine.loading import find_flow, load_file
from ostinato.engine.takeup import refuse, take_up
from ostinato.workers import jobs
from ostinato.workers.code import prepare
from ostinato.workers.jobs import BROKEN, CANCELLED, FAILED, OK, STALE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.workers.jobs import Job

LAST_S: Final = 5.0
"""So long after SIGTERM a process whose worker is gone may live."""


class Loaded(msgspec.Struct, frozen=True):
    """The flow of a run, or why there is none."""

    code: Code
    """Where it lies on this machine."""
    flow: Any = None
    error: BaseException | None = None


def load(code: Code, deployment: str) -> Loaded:
    """Load the flow that a piece of code names, in its working directory."""
    here = code
    try:
        here = prepare(code, deployment)
        if here.directory:
            os.chdir(here.directory)
        sys.argv = [here.file]
        module = load_file(here.file)
        sys.modules["__main__"] = module  # results pickled by `python flow.py` name their classes as `__main__.X`
        return Loaded(here, find_flow(module, here.function, here.file))
    except BaseException as error:  # noqa: BLE001 - whatever the user's module raises belongs to the run
        return Loaded(here, error=error)


def carry_out(job: Job, loaded: Loaded, supervision: Supervision) -> int:
    """Bring the run of a job to its end; give the exit code of the process."""
    session.be_watched()
    control.install()
    supervision.start()
    supervision.say(jobs.REACHED)
    if isinstance(loaded.error, StorageError):  # no fault of the code: another try may go well
        raise loaded.error
    try:
        state = take_up(job.run, loaded.flow) if loaded.error is None else refuse(job.run, loaded.error)
    except StaleEpoch:
        return STALE
    except KeyboardInterrupt:
        return CANCELLED
    finally:
        supervision.say(jobs.DONE)
    return OK if state.name in SUCCESSFUL else FAILED


def end(work: Callable[[], int]) -> None:
    """Do the work, and end the process as Python does, without taking the interpreter down piece by piece."""
    code = BROKEN
    try:
        code = work()
    except SystemExit as error:  # `Terminated` and `Suspended` as well
        code = error.code if isinstance(error.code, int) else FAILED
    except BaseException:  # noqa: BLE001 - told in the last output
        sys.excepthook(*sys.exc_info())
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - joins what the user started
        atexit._run_exitfuncs()  # noqa: SLF001 - of the user's, and the session's
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(code)


def begin() -> None:
    """Make an interpreter that was just started ready for user code: signals as usual, output line by line."""
    for sign, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(sign) == signal.SIG_IGN:  # inherited from a shell that put the worker in the background
            signal.signal(sign, usual)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def cut_loose(output: int) -> None:
    """Make a forked process one of its own: session, output, signals, random numbers."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    reseed()


def reseed() -> None:
    """Let the process draw random numbers of its own."""
    random.seed()
    for name, function in (("numpy.random", "seed"), ("torch", "seed")):
        module = sys.modules.get(name)
        if module is not None:
            getattr(module, function)()


class Supervision:
    """The line to the worker: its words, and its end, are heard."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._place = os.fstat(line.fileno()).st_ino

    def start(self) -> None:
        """Listen in a thread."""
        threading.Thread(target=self._listen, name="ostinato-supervision", daemon=True).start()

    def say(self, line: bytes) -> None:
        """Send a line to the worker, unless user code closed the way."""
        if self._is_ours():
            with suppress(OSError):
                self._line.send(line)

    def _listen(self) -> None:
        kept = b""
        while self._is_ours():
            try:
                data = self._line.recv(jobs.LINE_MOST)
            except OSError:  # user code closed it
                return
            if not data:
                self._end()
                return
            *lines, kept = (kept + data).split(b"\n")
            for line in lines:
                self._obey(line.decode())

    def _is_ours(self) -> bool:
        """Say whether user code has not closed the socket, and perhaps opened another thing under its number."""
        try:
            return os.fstat(self._line.fileno()).st_ino == self._place
        except OSError:
            return False

    @staticmethod
    def _obey(line: str) -> None:
        word, _, reason = line.partition(" ")
        if word == "cancel":
            control.cancel(reason)
        elif word == "pause":
            control.pause()
        elif word == "go-on":
            control.go_on()

    @staticmethod
    def _end() -> None:
        """The worker is gone: so is this process, one way or the other."""
        end_process(WORKER_GONE)
        time.sleep(LAST_S)
        os._exit(BROKEN)


def main() -> None:
    """Run one job in a fresh process: the arguments are the file descriptors of job and control socket."""
    job = jobs.read_job(int(sys.argv[1]))
    supervision = Supervision(socket.socket(fileno=int(sys.argv[2])))
    begin()
    end(lambda: carry_out(job, load(job.code, job.run.deployment), supervision))


if __name__ == "__main__":
    main()
