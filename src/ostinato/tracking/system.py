"""System metrics: how much processor and memory this process takes, logged every 10 seconds while a run lasts."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ostinato.tracking.runs import Run

EVERY_S: Final = 10.0
PREFIX: Final = "system/"
_MEGABYTE: Final = 1e6


class Sample(msgspec.Struct, frozen=True):
    """One look at this process and its machine."""

    at_s: float
    """Monotonic."""
    process_s: float
    """Processor time that the process has taken."""
    memory_bytes: int
    """Resident, 0 where it is not known."""
    free_bytes: int
    """Memory that the machine has left, 0 where it is not known."""


def watch(run: Run) -> None:
    """Log the metrics of this process into a run until it ends."""
    ended = threading.Event()

    def look() -> None:
        before = sample()
        while not ended.wait(EVERY_S):
            before = _log(run, before)

    first = sample()
    thread = threading.Thread(target=look, name="ostinato-system-metrics", daemon=True)

    def end() -> None:
        ended.set()
        thread.join()
        _log(run, first, "mean_")

    run.at_end(end)
    thread.start()


def sample() -> Sample:
    """Look now."""
    return Sample(time.monotonic(), time.process_time(), _kilobytes("/proc/self/status", "VmRSS:"), _free())


def _log(run: Run, before: Sample, what: str = "") -> Sample:
    now = sample()
    passed_s = max(now.at_s - before.at_s, 1e-9)
    run.log_metric(f"{PREFIX}{what}cpu_percent", 100 * (now.process_s - before.process_s) / passed_s)
    if now.memory_bytes and not what:
        run.log_metric(f"{PREFIX}memory_mb", now.memory_bytes / _MEGABYTE)
        run.log_metric(f"{PREFIX}machine_free_mb", now.free_bytes / _MEGABYTE)
        run.log_metric(f"{PREFIX}machine_load", os.getloadavg()[0])
    return now


def _free() -> int:
    return _kilobytes("/proc/meminfo", "MemAvailable:")


def _kilobytes(file: str, name: str) -> int:
    """Give a number of bytes that a file of /proc tells, 0 where there is none."""
    try:
        with open(file, encoding="ascii", errors="replace") as opened:
            for line in opened:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
