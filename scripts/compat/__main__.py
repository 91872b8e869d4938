"""Runs the tests of a checkout of MLflow, and compares what fails with what is expected to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from tests.mlflow.environments import ENVIRONMENTS, environment

ROOT: Final = Path(__file__).resolve().parents[2]
PLUGIN: Final = ROOT / "tests" / "mlflow"
EXPECTED: Final = PLUGIN / "upstream.toml"
FILES: Final = ("tests/tracking/test_rest_tracking.py", "tests/tracking/test_model_registry.py")
LEAST_SHARE: Final = 0.85

_VERSION: Final = re.compile(r'^VERSION = "(\d+\.\d+\.\d+)', re.MULTILINE)
_RESULT: Final = re.compile(r"^(PASSED|FAILED|ERROR) (\S+?::(\w+).*?)(?: - .*)?$", re.MULTILINE)


def main(checkout: Path, words: list[str]) -> int:
    """Run the tests; give the exit code. `words` go to pytest."""
    expected = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))
    said = run(checkout, words)
    found = _RESULT.findall(said)
    results = {case: outcome for outcome, case, _ in found}
    names = {case: name for _, case, name in found}
    counted = {one for one in results if not any(re.search(word, names[one]) for word in expected["outside"])}
    passed = {one for one in counted if results[one] == "PASSED"}
    surprising = sorted(one for one in counted - passed if names[one] not in expected["fails"])
    mended = sorted({names[one] for one in passed} & set(expected["fails"]))
    share = len(passed) / max(len(counted), 1)
    print(f"{len(passed)} of {len(counted)} cases pass ({share:.0%}); {len(results) - len(counted)} are outside")
    for one in surprising:
        print(f"failed, and is not expected to: {one}")
    for one in mended:
        print(f"passes, and is expected to fail: {one}")
    if not results:
        print(said[-3000:])
    return 0 if counted and not surprising and share >= LEAST_SHARE else 1


def run(checkout: Path, words: list[str]) -> str:
    """Give what pytest says of the tests, run by the MLflow of that version."""
    found = _VERSION.search((checkout / "mlflow" / "version.py").read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{checkout} is no checkout of MLflow")
    name = f"upstream-{found[1]}"
    ENVIRONMENTS[name] = (f"mlflow=={found[1]}", "pytest<9", "pytest-timeout", "pytest-asyncio", "sqlalchemy<2.1")
    command = [environment(name), "-m", "pytest", "-p", "upstream", "-p", "no:cacheprovider", "-rA", "-q", "--tb=no"]
    env = {
        **os.environ,
        "OSTINATO_COMPAT": f"{sys.executable} -m ostinato.cli",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "PYTHONPATH": os.pathsep.join([str(checkout), str(PLUGIN)]),
    }
    done = subprocess.run(
        [*command, "--color=no", *words, *FILES], cwd=checkout, env=env, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: scripts/mlflow_compat CHECKOUT [WORDS OF PYTEST]")
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
