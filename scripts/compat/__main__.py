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
_RESULT: Final = re.compile(r"^(PASSED|FAILED|ERROR)\b.*? (tests/\S+?::(\w+).*?)(?: - .*)?$", re.MULTILINE)
_OUTSIDE: Final = re.compile(r"(\d+) deselected")


def main(checkout: Path, words: list[str]) -> int:
    """Run the tests; give the exit code. `words` go to pytest."""
    version = version_of(checkout)
    expected = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))
    fails = expected["fails"]["all"] | expected["fails"].get(version.partition(".")[0], {})
    said = run(checkout, version, words)
    found = _RESULT.findall(said)
    results = {case: outcome for outcome, case, _ in found}
    names = {case: name for _, case, name in found}
    passed = {one for one in results if results[one] == "PASSED"}
    surprising = sorted(one for one in results.keys() - passed if names[one] not in fails)
    mended = sorted({names[one] for one in passed} & set(fails))
    share = len(passed) / max(len(results), 1)
    outside = _OUTSIDE.search(said)
    print(f"{len(passed)} of {len(results)} cases pass ({share:.0%}); {outside[1] if outside else 0} are outside")
    for one in surprising:
        print(f"failed, and is not expected to: {one}")
    for one in mended:
        print(f"passes, and is expected to fail: {one}")
    if not passed:
        print(said[-3000:])
    return 0 if results and not surprising and share >= LEAST_SHARE else 1


def version_of(checkout: Path) -> str:
    """Give the version that a checkout says it is, without what follows the three numbers."""
    file = checkout / "mlflow" / "version.py"
    found = _VERSION.search(file.read_text(encoding="utf-8")) if file.exists() else None
    if found is None:
        raise SystemExit(f"{checkout} is no checkout of MLflow")
    return found[1]


def run(checkout: Path, version: str, words: list[str]) -> str:
    """Give what pytest says of the tests, run by the checkout's MLflow among what its last release needs."""
    name = f"upstream-{version}"
    needed = f"mlflow>={version.partition('.')[0]},<={version}"
    ENVIRONMENTS[name] = (needed, "pytest<9", "pytest-timeout", "pytest-asyncio", "sqlalchemy<2.1")
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
