"""Does a schedule keep its time? A run every second for two minutes: how late its first line is, and is none missing?

The flow notes its due instant and the time of its first statement. The first seconds are left out, in which the worker
loads the flow's file for the first time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import fleets
from homes import temporary_home
from lines import Sheet, at_most

from ostinato.core.deployments import Timetable
from ostinato.core.schedules import Interval

if TYPE_CHECKING:
    from pathlib import Path

WARM_S = 4


def errors_ms(file: Path, first_us: int, last_us: int) -> dict[int, list[float]]:
    """Give, for each due instant noted, how late the first lines for it came."""
    found: dict[int, list[float]] = {}
    for line in file.read_text().splitlines():
        due, at = map(int, line.split())
        if first_us <= due < last_us:
            found.setdefault(due, []).append(at / 1e6 - due / 1e3)
    return found


def main() -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    sheet = Sheet("schedule_error")
    n = options.seconds
    with temporary_home() as home, fleets.fleet_on(home) as fleet:
        file = home.folder / "ticks.txt"
        file.touch()
        fleet.server()
        fleet.worker()
        begin_s = int(time.time()) + WARM_S
        every = Timetable(slug="every-second", schedule=Interval(1.0))
        fleet.deploy(fleets.subject("instant_ostinato.py"), "tick", parameters={"file": str(file)}, schedules=(every,))
        time.sleep(begin_s + n + 1 - time.time())
        found = errors_ms(file, begin_s * 1_000_000, (begin_s + n) * 1_000_000)
        query = "SELECT expected_at FROM flow_runs WHERE expected_at >= ? AND expected_at < ?"
        made = Counter(at for (at,) in fleet.ask(query, begin_s * 1_000_000, (begin_s + n) * 1_000_000))
    late = [abs(error) for errors in found.values() for error in errors]
    if not late:
        return fleets.fail("no run has begun")
    signed = [error for errors in found.values() for error in errors]
    sheet.add("every second", statistics.median(late), "ms from due to first line, median", n=n)
    sheet.add(
        "every second", fleets.share(late, 0.95), "ms from due to first line, 95 %", n=n, bar=at_most(40),
        earliest=min(signed), latest=max(signed),
    )  # fmt: skip
    sheet.add("every second", n - len(found), "due instants without a run", n=n, bar=at_most(0))
    n_twice = sum(len(errors) > 1 for errors in found.values()) + sum(runs > 1 for runs in made.values())
    sheet.add("every second", n_twice, "due instants with two runs", n=n, bar=at_most(0))
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
