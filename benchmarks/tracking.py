"""What does tracking cost? Values of metrics logged as fast as possible, and a training with and without tracking."""

from __future__ import annotations

import argparse
import statistics
import sys

import children
from environments import HERE, interpreter
from homes import temporary_home
from lines import Sheet, at_least, at_most

SUBJECT = str(HERE / "subjects/tracking_ostinato.py")


def run(*words: str) -> dict[str, float]:
    """Run the subject on a new home; give what it found."""
    with temporary_home() as home:
        command = [interpreter("ostinato"), SUBJECT, *words]
        return children.run(command, home.environ(), directory=str(home.folder)).data()


def measure_enqueue(sheet: Sheet, n: int) -> None:
    """Print how fast values are taken, and that none is missing."""
    found = run("enqueue", str(n))
    sheet.add("log_metric", n / found["logged_s"], "calls a second", n=n, bar=at_least(100_000))
    sheet.add("log_metric", n / found["committed_s"], "values a second until committed", n=n)
    sheet.add("log_metric", found["cpu_s"] / n * 1e6, "us CPU a value, writing included", n=n)
    sheet.add("log_metric", found["n_missing"], "values missing", n=n, bar=at_most(0))


def measure_training(sheet: Sheet, epochs: int, rounds: int) -> None:
    """Print how much more CPU a training takes with tracking than the same one without it a moment before."""
    without: list[float] = []
    more: list[float] = []
    for _ in range(rounds):
        without.append(run("train", str(epochs), "no")["cpu_s"])
        more.append(100 * (run("train", str(epochs), "yes")["cpu_s"] / without[-1] - 1))
    sheet.add("training", statistics.median(without), "s CPU without tracking", n=rounds)
    sheet.add("training", statistics.median(more), "% more CPU with tracking", n=rounds, bar=at_most(3))


def main() -> int:
    """Measure what the arguments ask for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=500_000)
    parser.add_argument("--epochs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sheet = Sheet("tracking")
    measure_enqueue(sheet, options.values)
    measure_training(sheet, options.epochs, options.rounds)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
