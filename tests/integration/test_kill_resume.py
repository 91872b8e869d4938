"""Flows killed with SIGKILL at random moments lose nothing that was acknowledged, on every task runner."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "kill_resume.py"
N_ROUNDS = 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("runner", ["inline", "threads", "async", "processes"])
def test_a_killed_flow_keeps_what_was_acknowledged_and_finishes_after_resume(runner: str, seed: int) -> None:
    command = [sys.executable, str(SCRIPT), "--runners", runner, "--rounds", str(N_ROUNDS), "--size", "60", "--peers"]
    ended = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True, timeout=110, check=False)
    figures = {line["unit"]: line["value"] for line in map(json.loads, ended.stdout.splitlines())}
    assert ended.returncode == 0, ended.stderr
    assert figures["acknowledged tasks lost"] == 0
    assert figures["recorded twice"] == 0
    assert figures["rounds finished right"] == N_ROUNDS
    assert figures["kills"] >= N_ROUNDS
