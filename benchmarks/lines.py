"""Figures as JSON lines: value, unit, bar, whether the bar is met, and the load of the machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass, field
from typing import Literal

Sense = Literal["at most", "at least"]


@dataclass(frozen=True)
class Bar:
    """What a figure must reach."""

    limit: float
    sense: Sense

    def holds(self, value: float) -> bool:
        """Tell whether a figure meets the bar."""
        return value <= self.limit if self.sense == "at most" else value >= self.limit


def at_most(limit: float) -> Bar:
    """Give a bar that a figure must not exceed."""
    return Bar(limit, "at most")


def at_least(limit: float) -> Bar:
    """Give a bar that a figure must reach."""
    return Bar(limit, "at least")


@dataclass
class Sheet:
    """The figures of one benchmark; each is printed as it comes."""

    bench: str
    n_missed: int = field(default=0, init=False)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        system: str = "ostinato",
        n: int = 0,
        bar: Bar | None = None,
        **more: object,
    ) -> None:
        """Print one figure. `n` is the number of calls it was measured over, 0 where that means nothing."""
        ok = None if bar is None else bar.holds(value)
        self.n_missed += ok is False
        line = {
            "bench": self.bench,
            "name": name,
            "system": system,
            "n": n,
            "value": round(value, 3),
            "unit": unit,
            "bar": None if bar is None else bar.limit,
            "sense": None if bar is None else bar.sense,
            "ok": ok,
            "load1": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            **more,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def ratio(self, name: str, ours: float, theirs: float, *, against: str, bar: Bar | None = None, n: int = 0) -> None:
        """Print how many times less than a peer we need, both measured in this run."""
        self.add(name, theirs / ours if ours > 0 else float("inf"), f"times less than {against}", n=n, bar=bar)

    @property
    def exit_code(self) -> int:
        """0 when every bar was met, else 1."""
        return 1 if self.n_missed else 0
