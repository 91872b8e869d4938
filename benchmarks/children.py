"""Child processes: run one to its end and tell what it cost."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TICKS = os.sysconf("SC_CLK_TCK")
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


@dataclass(frozen=True)
class Cost:
    """What a child and its descendants cost, and what the child printed."""

    wall_s: float
    cpu_s: float
    output: str

    def data(self) -> dict[str, Any]:
        """Give the JSON object in the last line of the output."""
        found: dict[str, Any] = json.loads(self.output.rstrip().rpartition("\n")[2])
        return found


class ChildFailed(Exception):
    """A child ended with another code than 0."""


def run(command: Sequence[str], environ: Mapping[str, str], *, directory: str, timeout_s: float = 900) -> Cost:
    """Run a command to its end, its orphans too, and give its cost.

    Raises:
        ChildFailed: it ended with another code than 0, or after `timeout_s`.
    """
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        child = subprocess.Popen(command, env=environ, cwd=directory, stdout=out, stderr=err, start_new_session=True)
        watchdog = threading.Timer(timeout_s, os.killpg, (child.pid, signal.SIGKILL))
        watchdog.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            wall_s = time.perf_counter() - started
        finally:
            watchdog.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        cpu_s = usage.ru_utime + usage.ru_stime + _reap(child.pid)
        output, errors = _text(out), _text(err)
    if child.returncode != 0:
        message = f"{' '.join(command)} ended with {child.returncode}:\n{output[-2000:]}\n{errors[-4000:]}"
        raise ChildFailed(message)
    return Cost(wall_s, cpu_s, output)


def _reap(session: int) -> float:
    """Wait for descendants that outlived the child (a subreaper inherits them); give their CPU seconds."""
    cpu_s = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-session, 0)
        except ChildProcessError:
            return cpu_s
        cpu_s += usage.ru_utime + usage.ru_stime


def _text(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode(errors="replace")
    return text


def median_costs(costs: Sequence[Cost]) -> tuple[float, float]:
    """Give median wall and median CPU seconds."""
    return statistics.median(cost.wall_s for cost in costs), statistics.median(cost.cpu_s for cost in costs)


def descendants(pid: int) -> list[int]:
    """Give the process ids below a process, as /proc shows them now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for known in found:
        found.extend(child for child, parent in parents.items() if parent == known)
    return found[1:]


def tree_cpu_s(pid: int) -> float:
    """Give the CPU seconds so far of a process, its living descendants, and those it waited for."""
    ticks = 0
    for member in (pid, *descendants(pid)):
        if fields := _stat(member):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def tree_pss_mb(pid: int) -> float:
    """Give the memory of a process and its living descendants, what they share divided among them."""
    kib = 0
    for member in (pid, *descendants(pid)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
    return kib * 1024 / 1e6


def _stat(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat after the command (state first), or none when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def is_alive(pid: int) -> bool:
    """Tell whether a process runs: it exists and is no zombie."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"
