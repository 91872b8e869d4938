"""The table of faults: whatever dies or is stopped, nothing acknowledged is lost, and the run ends with its result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "faults.py"
N_ROUNDS = 2
LEASE_S = 3


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "kind",
    [
        "flow process",
        "worker",
        "server",
        "worker and flow process",
        "stopped worker",
        "stopped worker and flow process",
    ],
)
def test_a_run_survives_what_dies_and_ends_with_its_result(kind: str, seed: int, database: str) -> None:
    command = [sys.executable, str(SCRIPT), "--kinds", kind, "--rounds", str(N_ROUNDS), "--seed", str(seed)]
    command += ["--postgres"] if database else []
    ended = subprocess.run(command, capture_output=True, text=True, timeout=140, check=False)
    figures = {line["unit"]: line["value"] for line in map(json.loads, ended.stdout.splitlines())}
    assert ended.returncode == 0, ended.stderr
    assert figures["acknowledged tasks lost"] == 0
    assert figures["recorded twice"] == 0
    assert figures["rounds finished right"] == N_ROUNDS
    assert figures["s until the run goes on, at most"] <= LEASE_S + 2
    assert figures["tasks acknowledged before the fault"] >= N_ROUNDS
