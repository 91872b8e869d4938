"""Zygotes as their worker sees them: started by exec, asked for processes, heard of."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.workers import jobs
from ostinato.workers.processes import Output

if TYPE_CHECKING:
    from ostinato.workers.jobs import Job, Word
    from ostinato.workers.processes import Process

MODULE: Final = "ostinato.workers.zygote"

_json: Final = msgspec.json.Encoder().encode


def key_of(job: Job) -> bytes:
    """Name what a zygote must have in common with a run: its code and environment."""
    return hashlib.blake2b(_json([job.code, sorted(job.env.items())]), digest_size=16).digest()


class Zygote:
    """One zygote."""

    def __init__(self, key: bytes, job: Job) -> None:
        self.key = key
        self.title = f"{job.code.function} in {job.code.file}"
        self.ready = False
        self.waiting: list[Process] = []
        """Processes that are to be forked once it is ready."""
        self.forked: dict[int, Process] = {}
        self.used_s = time.monotonic()
        self.silent = False
        """Whether it says nothing any more: it ends, or has ended."""
        self.output = Output()
        self._n_asked = 0
        self.control, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.popen = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", MODULE, str(there.fileno()), _json(job.code).decode(), job.run.deployment],
            env={**os.environ, **job.env}, stdin=subprocess.DEVNULL,
            stdout=self.output.there, stderr=self.output.there,
            pass_fds=[there.fileno()], start_new_session=True,
        )  # fmt: skip
        there.close()
        os.close(self.output.there)

    @property
    def busy(self) -> bool:
        """Whether a process waits for it, or lives below it."""
        return bool(self.waiting or self.forked)

    def fork(self, process: Process) -> None:
        """Ask for a process, now or when it is ready."""
        self.used_s = time.monotonic()
        if not self.ready:
            self.waiting.append(process)
            return
        self._n_asked += 1
        self.forked[self._n_asked] = process
        try:
            socket.send_fds(self.control, [jobs.packet(jobs.Fork(self._n_asked))], process.ends())
        except OSError:  # it died just now, and its end is about to be noticed
            return
        process.hand_over()

    def begin(self) -> None:
        """It is ready: ask for the processes that waited."""
        self.ready = True
        waiting, self.waiting = self.waiting, []
        for process in waiting:
            self.fork(process)

    def listen(self) -> Word | None:
        """Take in one word; None when it is gone."""
        try:
            data = self.control.recv(jobs.PACKET_MOST)
        except OSError:
            return None
        return jobs.read_word(data) if data else None

    def hang_up(self) -> None:
        """Tell it that it is not needed any more."""
        with suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        if not self.ready and not self.silent:  # it loads its code, and would hear of it afterwards
            self.popen.kill()

    def close(self) -> None:
        """Let go of its pipes."""
        self.control.close()
        os.close(self.output.fd)
