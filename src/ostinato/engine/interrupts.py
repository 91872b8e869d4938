"""What ends the process of a run before its flow has ended: SIGTERM, and `suspend`.

SIGTERM while a root flow runs in the main thread: the run is recorded as Crashed, and can be resumed.
A run of a worker that is Paused stays so.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminated(SystemExit):
    """Raised in the main thread by SIGTERM; the process ends with 143 as by the signal itself."""

    reason: ClassVar[str] = ""
    """Why this process ends, when that says nothing of the code that runs."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)

    def __str__(self) -> str:
        return self.reason or "the process was told to end (SIGTERM)"


class Suspended(SystemExit):
    """Raised by `suspend`: the run is Paused, and its process ends well."""

    def __init__(self, run: str) -> None:
        super().__init__(0)
        self.run = run

    def __str__(self) -> str:
        return f"run {self.run!r} is suspended; `ostinato resume {self.run}` goes on"


def end_process(reason: str) -> None:
    """End this process as SIGTERM does, for a reason that says nothing of the code that runs."""
    Terminated.reason = reason
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into `Terminated`, unless the program handles it itself or this is no main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise(*_: Any) -> None:
    raise Terminated
