"""A plugin of pytest: the tests of MLflow's own repository meet Ostinato where they start a server of theirs.

`scripts/mlflow_compat` loads it. OSTINATO_COMPAT is the command that is `ostinato`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S: Final = 30.0


@contextlib.contextmanager
def server(*_: Any, **__: Any) -> Iterator[str]:
    """Give the address of an Ostinato server on a home of its own, with its token in it."""
    with tempfile.TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW_"))}
        command = [*shlex.split(os.environ["OSTINATO_COMPAT"]), "server", "--port", "0"]
        with subprocess.Popen(command, env={**kept, "OSTINATO_HOME": home}, stdout=subprocess.DEVNULL) as process:
            try:
                card = _card(Path(home, "server.json"))
                yield card["url"].replace("http://", f"http://ostinato:{card['token']}@")
            finally:
                process.terminate()


def _card(path: Path) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.02)
    return json.loads(path.read_text(encoding="utf-8"))


def pytest_configure() -> None:
    """Put our server in the place of theirs, before the tests are imported."""
    vars(importlib.import_module("tests.tracking.integration_test_utils"))["_init_server"] = server
