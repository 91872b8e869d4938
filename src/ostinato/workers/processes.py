"""The process of one run as its worker sees it: the way to speak to it, its last output, and how it ended."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ostinato.workers import jobs

if TYPE_CHECKING:
    import signal

    from ostinato.workers.jobs import Job

TAIL_BYTES: Final = 64 << 10
READ_BYTES: Final = 64 << 10
MOST_READS: Final = 16
"""Reads in a row from one process: the others wait for their turn."""


class Tail:
    """The last output of a process."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.before: Tail | None = None
        """What was written while its code was loaded, in the process that it was forked from."""

    def add(self, data: bytes) -> None:
        """Take in what was written."""
        self._bytes += data
        if len(self._bytes) > 2 * TAIL_BYTES:
            del self._bytes[:-TAIL_BYTES]

    def data(self) -> bytes:
        """Give what is kept."""
        return (self.before.data() if self.before is not None else b"") + bytes(self._bytes)

    def text(self) -> str:
        """Give the last 64 KiB, from the beginning of a line."""
        data = self.data()
        if len(data) > TAIL_BYTES:
            data = data[-TAIL_BYTES:]
            data = data.partition(b"\n")[2] or data
        return data.decode(errors="replace")


class Output:
    """The end of a pipe from which the output of a process is read."""

    def __init__(self) -> None:
        self.fd, self.there = os.pipe()
        os.set_blocking(self.fd, False)
        self.tail = Tail()

    def read(self) -> bool:
        """Take in what is there; False when the last writer has closed it."""
        for _ in range(MOST_READS):
            try:
                data = os.read(self.fd, READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.tail.add(data)
        return True


class Process:
    """One run on its way: asked for, started, ended."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.pid = 0
        """0 until it is started."""
        self.began_s = 0.0
        """Monotonic instant at which it was started."""
        self.reached = False
        """Whether it has said that user code begins."""
        self.done = False
        """Whether it has said that its run has come to an end of any kind."""
        self.dropped = False
        """Whether nobody wants it any more."""
        self.stuck = False
        """Whether it was killed since it did not say so in time."""
        self.pidfd = -1
        """By which the end of a process is seen that was started afresh."""
        self.ended = False
        self.how = ""
        self.code: int | None = None
        """Exit code (negative: signal) once it has ended; None when it never was there."""
        self._open()

    # --- its ends of the pipes

    def _open(self) -> None:
        self.output = Output()
        self.control, self._control_there = socket.socketpair()
        self.control.setblocking(False)
        self._job_fd = jobs.write_job(self.job)
        self._kept = b""

    def ends(self) -> list[int]:
        """Give the file descriptors that it needs: job, control socket, output."""
        return [self._job_fd, self._control_there.fileno(), self.output.there]

    def hand_over(self) -> None:
        """Close its ends here, now that it has them."""
        if self._job_fd >= 0:
            os.close(self._job_fd)
            self._control_there.close()
            os.close(self.output.there)
            self._job_fd = -1

    def close(self) -> None:
        """Let go of all pipes."""
        self.hand_over()
        self.control.close()
        os.close(self.output.fd)
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def renew(self) -> None:
        """Make it ready to be started once more."""
        self.close()
        self.pid = 0
        self._open()

    # --- talk

    def say(self, line: str) -> None:
        """Send a line; a process that does not listen any more misses it."""
        with suppress(OSError):
            self.control.send(line.replace("\n", " ").encode()[: jobs.LINE_MOST] + b"\n")

    def listen(self) -> bool:
        """Take in what it says; False when it will say nothing more."""
        try:
            data = self.control.recv(jobs.LINE_MOST)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._kept = (self._kept + data).split(b"\n")
        self.reached = self.reached or jobs.REACHED.strip() in lines
        self.done = self.done or jobs.DONE.strip() in lines
        return bool(data)

    def kill(self, sign: signal.Signals) -> None:
        """Send a signal to it and to all that it started in its session."""
        if self.pid and not self.ended:
            try:
                os.killpg(self.pid, sign)
            except ProcessLookupError:  # it has not made its session yet
                with suppress(ProcessLookupError):
                    os.kill(self.pid, sign)

    def started(self, pid: int) -> None:
        """Note that it is there."""
        self.pid = pid
        self.began_s = time.monotonic()

    def end(self, how: str, code: int | None = None) -> None:
        """Note that it has ended; take in its last words."""
        self.output.read()
        self.listen()
        if self.reached and not self.done and code == 0:
            how = "exit code 0 before its flow had ended"
        self.ended, self.how, self.code = True, how, code
