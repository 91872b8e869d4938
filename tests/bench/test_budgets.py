"""Numbers that must not slip: CPU time and counts only, never wall time, with bounds wide enough for a busy machine.

The goals themselves, and the peers, are in `benchmarks/`; a bound here is two to three times its goal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def figures(script: str, *arguments: str) -> dict[tuple[str, str, int], float]:
    """Give the figures of a benchmark by name, unit and number of calls; it may miss its bars."""
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments, "--peers"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    assert ended.stdout, ended.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in ended.stdout.splitlines()]
    return {(line["name"], line["unit"], line["n"]): line["value"] for line in lines}


def subject(home: Path, way: str, n: int, repeats: int) -> dict[str, float]:
    """Give what N calls in one way cost, from a process of its own."""
    found: dict[str, float] = json.loads(
        subprocess.run(
            [sys.executable, str(BENCHMARKS / "subjects/tasks_ostinato.py"), way, str(n), str(repeats)],
            env={**os.environ, "OSTINATO_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=110,
            check=True,
        ).stdout.splitlines()[-1]
    )
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("way", "n", "bound_us"),
    [
        ("direct", 5_000, 100),
        ("direct_value", 5_000, 150),
        ("submit", 2_000, 150),
        ("submit_result", 1_000, 400),
        ("map", 2_000, 200),
        ("async_await", 2_000, 130),
        ("async_gather", 2_000, 130),
        ("subflows", 200, 3_000),
    ],
)
def test_a_call_costs_microseconds_of_cpu(home: Path, way: str, n: int, bound_us: float) -> None:
    assert subject(home, way, n, repeats=3)["cpu_s"] / n * 1e6 <= bound_us


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("way", "bound_kib"), [("direct", 1.5), ("map", 4)])
def test_memory_does_not_grow_with_each_call(home: Path, way: str, bound_kib: float) -> None:
    n = 20_000
    assert subject(home, way, n, repeats=1)["rss_growth_mb"] * 1024 / n <= bound_kib


@pytest.mark.timeout(120)
def test_the_cost_of_a_call_stays_when_there_are_many(tmp_path: Path) -> None:
    few, many = (
        subject(tmp_path / str(n), "direct", n, repeats)["cpu_s"] / n for n, repeats in ((1_000, 5), (30_000, 1))
    )
    assert many <= 2 * few


@pytest.mark.timeout(120)
def test_the_first_flow_is_quick_and_loads_little() -> None:
    found = figures("imports.py", "--rounds", "3")
    assert found["import and first no-op flow", "ms CPU over bare Python", 0] <= 250
    assert found["import and first no-op flow", "modules over bare Python", 0] <= 250
    assert found["ostinato version", "ms CPU", 0] <= 400
