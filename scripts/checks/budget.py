"""What a user waits for: the CPU time and the modules of the first flow, and the time of `ostinato version`.

CPU time is the difference of medians between a program that runs one flow that does nothing, in an existing home, and
bare Python. Others may use the machine too, and what they do slows us down: so the best of a few measurements counts,
and for `ostinato version` the best of several starts; and times fail only half as much again above their goal. The
goals themselves are judged by `benchmarks/imports.py` on an idle machine; the number of modules is exact everywhere.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 7
TRIES = 3
CPU_MS = 100
MODULES = 250
VERSION_MS = 200
SLOWNESS = 1.5
"""How much slower than the machine of the goals one may be that runs this check."""

FIRST_FLOW = """\
from ostinato import flow, task


@flow
def nothing():
    pass


nothing()
"""
COUNT = "import sys\nprint(len(sys.modules))\n"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process took."""

    cpu_ms: float
    wall_ms: float
    output: str


def violations(root: Path, note: Callable[[str], None]) -> Iterator[str]:
    """Give a sentence for each budget that is exceeded; the figures are noted."""
    cpu_ms = math.inf
    with tempfile.TemporaryDirectory(prefix="ostinato-budget-") as name:
        folder = Path(name)
        first, bare = folder / "first.py", folder / "bare.py"
        first.write_text(FIRST_FLOW + COUNT, encoding="utf-8")
        bare.write_text(COUNT, encoding="utf-8")
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "OSTINATO_HOME": str(folder / "home"),
            "OSTINATO_CONSOLE": "false",
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),  # compiled once here, as an installed package is
        }
        _run([sys.executable, str(first)], root, environment)  # makes the home and the bytecode
        commands = ([sys.executable, str(first)], [sys.executable, str(bare)])
        for _ in range(TRIES):
            pairs = [[_run(command, root, environment) for command in commands] for _ in range(ROUNDS)]
            cpu_ms = min(cpu_ms, _median_cpu(pairs, 0) - _median_cpu(pairs, 1))
            if cpu_ms <= CPU_MS:
                break
        version_ms = min(_run([_command(), "version"], root, environment).wall_ms for _ in range(ROUNDS))
    n_modules = int(pairs[0][0].output) - int(pairs[0][1].output)
    note(f"first flow {cpu_ms:.0f} ms CPU and {n_modules} modules above bare Python; version {version_ms:.0f} ms")
    if cpu_ms > CPU_MS * SLOWNESS:
        yield f"the first flow takes {cpu_ms:.0f} ms CPU above bare Python (budget {CPU_MS}); see python -X importtime"
    if n_modules > MODULES:
        yield f"the first flow loads {n_modules} modules above bare Python (budget {MODULES})"
    if version_ms > VERSION_MS * SLOWNESS:
        yield f"`ostinato version` takes {version_ms:.0f} ms (budget {VERSION_MS})"


def _median_cpu(pairs: list[list[Cost]], which: int) -> float:
    return statistics.median(pair[which].cpu_ms for pair in pairs)


def _command() -> str:
    return str(Path(sys.executable).parent / "ostinato")


def _run(command: list[str], root: Path, environment: dict[str, str]) -> Cost:
    begin = time.perf_counter()
    with subprocess.Popen(
        command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_ms = (time.perf_counter() - begin) * 1000
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Cost(cpu_ms=(usage.ru_utime + usage.ru_stime) * 1000, wall_ms=wall_ms, output=output.strip())
