"""Jobs: what the process of a run is told, and how worker, zygote and process speak to each other.

A job travels in a file without a name, since it may be larger than a pipe holds. On the control
socket of its process lines go both ways: `reached` and `done` upwards, `cancel REASON`, `pause`, `go-on` downwards.
Between worker and zygote packets travel: `Fork` (with three file descriptors) one way, the others back.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ostinato.core.deployments import Code
from ostinato.core.ports import resolve
from ostinato.core.records import FlowRun

if TYPE_CHECKING:
    import socket

REACHED: Final = b"reached\n"
DONE: Final = b"done\n"
LINE_MOST: Final = 4096
PACKET_MOST: Final = 1 << 16
OK, FAILED, CANCELLED, STALE, BROKEN = 0, 1, 3, 4, 70
"""Exit codes of the process of a run; the states of runs are recorded, these are for people."""
DEAF: Final = 71
"""Exit code of a zygote that cannot speak to its worker any more."""

_pack: Final = msgspec.msgpack.Encoder().encode


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run for one process."""

    run: FlowRun
    code: Code
    env: dict[str, str] = {}
    """What the deployment sets; on top of it the worker's own."""


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """Asks a zygote for a process. Comes with the file descriptors of job, control socket and output."""

    number: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The zygote has loaded the code; it forks from now on."""


class Unfit(msgspec.Struct, frozen=True, tag="unfit"):
    """This code cannot be forked: each run needs a fresh process."""

    reason: str


class Stale(msgspec.Struct, frozen=True, tag="stale"):
    """The code has changed since it was loaded; the zygote ends, and these requests were not carried out."""

    number: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A process could not be forked."""

    number: int
    reason: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """A process was forked."""

    number: int
    pid: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A forked process has ended."""

    number: int
    status: int
    """As `os.waitpid` gives it."""


Word: TypeAlias = Ready | Unfit | Stale | Failed | Started | Ended
"""What a zygote says."""

_job: Final = msgspec.msgpack.Decoder(Job).decode
read_fork: Final = msgspec.msgpack.Decoder(Fork).decode
read_word: Final = msgspec.msgpack.Decoder(Word).decode
read_code: Final = msgspec.json.Decoder(Code).decode


def packet(word: Fork | Word) -> bytes:
    """Give what travels between worker and zygote."""
    return _pack(word)


def say(there: socket.socket, word: Word) -> None:
    """Send one word to the worker."""
    there.send(packet(word))


def write_job(job: Job) -> int:
    """Give the file descriptor of a nameless file that holds a job."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("ostinato-job")
    else:
        fd, path = resolve("tempfile:mkstemp")()
        os.unlink(path)
    data = memoryview(_pack(job))
    while data:
        data = data[os.write(fd, data) :]
    return int(fd)


def read_job(fd: int) -> Job:
    """Give the job in a file descriptor, and close that."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        return _job(file.read())


def ending(status: int) -> str:
    """Say how a process ended, by its status: `exit code 1`, `signal SIGKILL`."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    signals: Any = resolve("signal:Signals")
    try:
        return f"signal {signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"signal {-code}"
