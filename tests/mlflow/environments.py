"""Virtual environments with other people's clients, made once and kept; run as a program it makes them all.

They lie in the folder OSTINATO_TEST_ENVS, else below the folder for temporary files.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# A model that is pickled here is read there, so both sides have the same versions of what made it.
_MODELS: Final = (
    f"scikit-learn=={version('scikit-learn')}",
    f"xgboost-cpu=={version('xgboost-cpu')}",
    "lightgbm>=4,<5",
)

ENVIRONMENTS: Final[dict[str, tuple[str, ...]]] = {
    "mlflow-3": ("mlflow>=3,<4", *_MODELS),
    "mlflow-2": ("mlflow>=2,<3", "sqlalchemy<2.1", *_MODELS),  # its database knows no newer one
    "mlflow-skinny": ("mlflow-skinny>=3,<4",),
}
"""Name -> what is installed."""


def environment(name: str) -> str:
    """Give the path of the Python of an environment, made when it is missing; that takes a minute or two."""
    wanted = ENVIRONMENTS[name]
    mark = hashlib.sha256(repr((sys.version_info[:2], wanted)).encode()).hexdigest()[:8]
    folder = _root() / f"{name}-{mark}"
    python = folder / "bin" / "python"
    with _lock(folder.with_suffix(".lock")):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
            (folder / "done").touch()
    return str(python)


def _root() -> Path:
    named = os.environ.get("OSTINATO_TEST_ENVS")
    root = Path(named) if named else Path(tempfile.gettempdir(), f"ostinato-envs-{os.getuid()}")
    root.mkdir(parents=True, exist_ok=True)
    return root


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process at a time make an environment."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for one in ENVIRONMENTS:
        print(one, environment(one))
