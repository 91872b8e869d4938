"""The interpreters that the benchmarks run: Ostinato's is this one, each peer has a virtual environment of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ENVS = Path(os.environ.get("OSTINATO_BENCH_ENVS", HERE / ".envs"))
"""Where the peers are installed, once; set OSTINATO_BENCH_ENVS to share them between checkouts."""

PEERS = ("prefect", "dbos", "mlflow")
SETTINGS = ("OSTINATO_", "PREFECT_", "DBOS_", "MLFLOW_", "PYTHON")
MARKS = ("OSTINATO_TEST_SESSION", "OSTINATO_CI_RUN")
"""By these the tests find processes that were left behind."""


def interpreter(system: str) -> str:
    """Give the Python of `ostinato`, `prefect`, `dbos` or `mlflow`; a peer is installed on first use."""
    if system == "ostinato":
        return sys.executable
    lock = HERE / "peers" / f"{system}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = ENVS / system
    mark = folder / "installed.sha256"
    python = folder / "bin" / "python"
    if not mark.exists() or mark.read_text() != digest:
        _install(folder, python, lock)
        mark.write_text(digest)
    return str(python)


def _install(folder: Path, python: Path, lock: Path) -> None:
    sys.stderr.write(f"installing {lock.stem} into {folder}\n")
    venv.create(folder, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "install", "-qq", "--no-deps", "--requirement", str(lock)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def clean_environ(**settings: str) -> dict[str, str]:
    """Give this process's environment without settings of any measured system, plus `settings`."""
    kept = {name: value for name, value in os.environ.items() if name in MARKS or not name.startswith(SETTINGS)}
    return kept | settings


def main() -> None:
    """Install all peers."""
    for system in PEERS:
        sys.stdout.write(f"{system}: {interpreter(system)}\n")


if __name__ == "__main__":
    main()
