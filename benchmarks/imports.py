"""What does it cost to begin? Import and first no-op flow, CPU and modules over bare Python; `ostinato version`."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import children
from environments import HERE, clean_environ, interpreter
from homes import temporary_home
from lines import Bar, Sheet, at_most

Sample = tuple[float, float, int]
"""CPU ms, wall ms and modules of one start."""


def start(system: str, subject: str, environ: dict[str, str], directory: str) -> Sample:
    """Run a subject once."""
    command = [interpreter(system), str(HERE / "subjects" / f"{subject}.py")]
    cost = children.run(command, environ, directory=directory)
    return cost.cpu_s * 1e3, cost.wall_s * 1e3, int(cost.output.split()[-1])


def over_bare(system: str, subject: str, environ: dict[str, str], directory: str, rounds: int) -> Sample:
    """Give the medians of a subject over bare Python of the same environment, run in turns, warm."""
    start(system, subject, environ, directory)  # writes the bytecode, makes the home
    pairs = [
        (start(system, "bare", environ, directory), start(system, subject, environ, directory)) for _ in range(rounds)
    ]
    cpu_ms, wall_ms, modules = (statistics.median(pair[1][i] - pair[0][i] for pair in pairs) for i in range(3))
    return cpu_ms, wall_ms, int(modules)


def add(
    sheet: Sheet, name: str, sample: Sample, system: str, cpu: Bar | None = None, modules: Bar | None = None
) -> None:
    """Print one sample as three figures."""
    sheet.add(name, sample[0], "ms CPU over bare Python", system=system, bar=cpu)
    sheet.add(name, sample[1], "ms wall over bare Python", system=system)
    sheet.add(name, sample[2], "modules over bare Python", system=system, bar=modules)


def measure_version(sheet: Sheet, rounds: int) -> None:
    """Print what `ostinato version` takes, whole."""
    script = str(Path(interpreter("ostinato")).with_name("ostinato"))
    with temporary_home() as home:
        run = [children.run([script, "version"], home.environ(), directory=str(home.folder)) for _ in range(rounds + 1)]
    wall_s, cpu_s = children.median_costs(run[1:])
    sheet.add("ostinato version", wall_s * 1e3, "ms wall", bar=at_most(200))
    sheet.add("ostinato version", cpu_s * 1e3, "ms CPU", bar=at_most(200))


def main() -> int:
    """Measure what the arguments ask for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--peers", nargs="*", default=["prefect", "dbos"], choices=["prefect", "dbos"])
    options = parser.parse_args()
    sheet = Sheet("imports")
    with temporary_home() as home:
        here = str(home.folder)
        ours = over_bare("ostinato", "import_ostinato", home.environ(), here, options.rounds)
        first = over_bare("ostinato", "first_flow_ostinato", home.environ(), here, options.rounds)
    add(sheet, "import of flow and task", ours, "ostinato")
    add(sheet, "import and first no-op flow", first, "ostinato", at_most(100), at_most(250))
    measure_version(sheet, options.rounds)
    for system in options.peers:
        with tempfile.TemporaryDirectory() as folder:
            environ = clean_environ(PREFECT_HOME=folder)
            theirs = over_bare(system, f"import_{system}", environ, folder, max(options.rounds // 2, 1))
        add(sheet, "import of flow and task", theirs, system)
        sheet.ratio("import of flow and task", ours[0], theirs[0], against=f"{system} (CPU)")
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
