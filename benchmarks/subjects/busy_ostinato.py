"""Run flows whose tasks hold the GIL for 1 ms each, in turns with the bare loop; print what the tasks add as JSON.

Two ways to tell what the tasks add: CPU of the flow less CPU of the bare loop (all that the work suffers, and the
noise of two seconds of work), and CPU that is not the work's own (quiet, but blind for what slows the work down).
Arguments: N, rounds, stamps file. The instant (monotonic, ns) at which each call has ended is kept in the stamps
file, 8 bytes a call, so that a watcher in another process can tell how far the database is behind.
"""

from __future__ import annotations

import json
import mmap
import statistics
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato import flow, task

if TYPE_CHECKING:
    from collections.abc import Callable

WORK_S = 1e-3


def burn(n_steps: int) -> int:
    """Count in pure Python."""
    total = 0
    for i in range(n_steps):
        total += i
    return total


def work(n_steps: int) -> int:
    """Hold the GIL, and keep count of the CPU time that the work itself took."""
    started = time.thread_time()
    total = burn(n_steps)
    spent_s[0] += time.thread_time() - started
    return total


recorded_work = task(work)
spent_s = [0.0]


class Stamps:
    """The file of instants, one after the other."""

    def __init__(self, path: str) -> None:
        with Path(path).open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.n = 0

    def put(self) -> None:
        """Keep the instant of now."""
        struct.pack_into("<q", self.map, self.n * 8, time.monotonic_ns())
        self.n += 1

    def loop(self, n: int, called: Callable[[int], int], n_steps: int, *, keep: bool) -> None:
        """Call something N times and stamp each call; without `keep` the stamps are written over."""
        first = self.n
        for _ in range(n):
            called(n_steps)
            self.put()
            if not keep:
                self.n = first


def calibrate() -> int:
    """Give the number of steps that takes 1 ms of CPU here."""
    n_steps = 20_000
    for _ in range(5):
        samples = []
        for _ in range(20):
            started = time.thread_time()
            burn(n_steps)
            samples.append(time.thread_time() - started)
        n_steps = round(n_steps * WORK_S / statistics.median(samples))
    return n_steps


def main() -> None:
    """Measure bare loop, empty flow and full flow in turns."""
    n, rounds, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    # The bare loop writes the same stamps elsewhere: in memory that nobody watches.
    stamps, bare = Stamps(path), Stamps(path)
    bare.map = mmap.mmap(-1, 8)
    n_steps = calibrate()

    @flow
    def busy(n: int) -> None:
        """Call N tasks."""
        stamps.loop(n, recorded_work, n_steps, keep=True)

    def cost(called: Callable[[], object]) -> tuple[float, float, float]:
        """Give CPU, wall, and CPU outside of the work, in microseconds a task."""
        spent_s[0] = 0.0
        wall, cpu = time.perf_counter(), time.process_time()
        called()
        time.sleep(0.1)  # the threads come to rest
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return cpu / n * 1e6, wall / n * 1e6, (cpu - spent_s[0]) / n * 1e6

    busy(1)
    rounds_us: list[tuple[float, ...]] = []
    for _ in range(rounds):
        without = cost(lambda: bare.loop(n, work, n_steps, keep=False))
        empty = cost(lambda: busy(0))
        full = cost(lambda: busy(n))
        rounds_us.append(tuple(full[i] - empty[i] - without[i] for i in range(3)))
    added = [statistics.median(one[i] for one in rounds_us) for i in range(3)]
    found = {"cpu_us": added[0], "wall_us": added[1], "outside_us": added[2], "work_us": without[0]}
    print(json.dumps(found | {"rounds_us": [round(one[0], 1) for one in rounds_us]}))


if __name__ == "__main__":
    main()
