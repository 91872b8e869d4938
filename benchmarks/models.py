"""What does it take to log a small model, requirements inferred? By us, and by MLflow's client."""

from __future__ import annotations

import argparse
import sys

import children
from environments import HERE, interpreter
from homes import temporary_home
from lines import Bar, Sheet, at_most


def measure(sheet: Sheet, system: str, how: str, command: list[str], n: int, bar: Bar | None) -> None:
    """Print how long the first call and one of the others take, in a process of its own."""
    with temporary_home() as home:
        found = children.run(command, home.environ(), directory=str(home.folder)).data()
    sheet.add(f"log_model, {how}", found["first_s"], "s the first time", system=system, n=1, bar=bar)
    sheet.add(f"log_model, {how}", found["again_s"], "s each of the others", system=system, n=n - 1, bar=bar)


def main() -> int:
    """Measure what the arguments ask for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--peers", nargs="*", default=["mlflow"], choices=["mlflow"])
    options = parser.parse_args()
    sheet = Sheet("models")
    for how, bar in (("pickle", at_most(0.3)), ("skops", None)):
        command = [interpreter("ostinato"), str(HERE / "subjects/models_ostinato.py"), str(options.calls), how]
        measure(sheet, "ostinato", how, command, options.calls, bar)
    for peer in options.peers:
        command = [interpreter(peer), str(HERE / "subjects/models_mlflow.py"), str(options.calls)]
        measure(sheet, peer, "as it does best", command, options.calls, None)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
