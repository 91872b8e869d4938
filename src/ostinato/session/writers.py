"""The process that writes a stream: whether it lives on this host, and how it is stopped."""

from __future__ import annotations

import os
import signal

from ostinato.session.home import Home
from ostinato.session.orphans import is_locked, segments

SLACK_S = 2.0
"""The kernel counts the start of a process in hundredths of a second, and its own start in seconds."""


def lives_here(home: str, stream: str, pid: int, host: str, began_at: int) -> bool:
    """Say for sure whether this process of this host writes the stream: it holds the journal, or was there before it.

    `began_at` is when the stream began; a process that has got the number since then is another one.
    """
    if host != os.uname().nodename:
        return False
    paths = segments(Home(home)).get(stream)
    if paths:
        return any(is_locked(path) for path in paths)
    started_s = _started_s(pid)
    return started_s is not None and started_s <= began_at / 1e6 + SLACK_S


def stop_signal(pid: int) -> signal.Signals:
    """Give the signal that stops a process: SIGINT, or SIGTERM when it ignores that, as jobs of scripts do."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            ignored = next(int(line.split()[1], 16) for line in file if line.startswith("SigIgn:"))
    except (OSError, StopIteration, ValueError):
        return signal.SIGINT
    return signal.SIGTERM if ignored >> (signal.SIGINT - 1) & 1 else signal.SIGINT


def _started_s(pid: int) -> float | None:
    """Give when a process began, in seconds since 1970; None when there is none, or nobody can tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="utf-8") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")
