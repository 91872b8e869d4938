"""What does a task cost while Python is busy? 1 ms of pure Python a task starves the writer thread for the GIL.

Two figures: the CPU that a task adds to the bare loop, and how far the database is behind. The second is watched
from this process all along: the longest time for which a call that had ended was not in the database yet.
"""

from __future__ import annotations

import argparse
import contextlib
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING

import children
from environments import HERE, interpreter
from homes import temporary_home
from lines import Sheet, at_most

if TYPE_CHECKING:
    from pathlib import Path

    from homes import Home

EVERY_S = 0.01
COMMITTED = "SELECT coalesce(sum(n), 0) FROM task_counts WHERE state = 'Completed'"
ROWS = "SELECT count(*) FROM task_runs WHERE state = 'Completed'"


class Watcher(threading.Thread):
    """Compares, again and again, the calls that have ended with the rows in the database."""

    def __init__(self, home: Home, stamps: Path) -> None:
        super().__init__(daemon=True)
        self.home = home
        self.stamps = stamps
        self.lags_ms: list[float] = []
        self.done = threading.Event()

    def run(self) -> None:
        """Watch until told to stop."""
        while not self.home.has_tables() and not self.done.wait(EVERY_S):
            pass
        with self.stamps.open("rb") as file, contextlib.closing(self.home.look()) as database:
            while not self.done.wait(EVERY_S):
                now = time.monotonic_ns()
                (n_committed,) = database.execute(COMMITTED).fetchone()
                file.seek(n_committed * 8)
                (ended,) = struct.unpack("<q", file.read(8))
                self.lags_ms.append((now - ended) / 1e6 if 0 < ended < now else 0.0)

    def count_rows(self) -> int:
        """Give the number of Completed task runs."""
        with contextlib.closing(self.home.look()) as database:
            return int(database.execute(ROWS).fetchone()[0])


def main() -> int:
    """Run the subject and watch it; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sheet = Sheet("busy")
    n, rounds = options.size, options.rounds
    with temporary_home() as home:
        stamps = home.folder / "stamps"
        stamps.write_bytes(bytes(8 * (n * rounds + 2)))
        watcher = Watcher(home, stamps)
        watcher.start()
        command = [interpreter("ostinato"), str(HERE / "subjects/busy_ostinato.py"), str(n), str(rounds), str(stamps)]
        found = children.run(command, home.environ(), directory=str(home.folder)).data()
        watcher.done.set()
        watcher.join()
        missing = n * rounds + 1 - watcher.count_rows()
    details = {name: found[name] for name in ("work_us", "rounds_us")}
    sheet.add("1 ms of work", found["cpu_us"], "us CPU added a task", n=n, bar=at_most(100), **details)
    sheet.add("1 ms of work", found["outside_us"], "us CPU outside the work a task", n=n)
    sheet.add("1 ms of work", found["wall_us"], "us wall added a task", n=n)
    sheet.add("1 ms of work", max(watcher.lags_ms), "ms database lag at most", n=n, bar=at_most(500))
    sheet.add("1 ms of work", len(watcher.lags_ms), "looks at the database", n=n)
    sheet.add("1 ms of work", missing, "rows missing at the end", n=n, bar=at_most(0))
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
