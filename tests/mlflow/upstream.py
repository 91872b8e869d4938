"""A plugin of pytest: the tests of MLflow's own repository meet Ostinato where they start a server of theirs.

`scripts/mlflow_compat` loads it. OSTINATO_COMPAT is the command that is `ostinato`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shlex
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

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
    """Put our server in the place of theirs, before the tests are imported: a process in MLflow 2, a thread in 3."""
    theirs = vars(importlib.import_module("tests.tracking.integration_test_utils"))
    theirs.update(dict.fromkeys({"_init_server", "ServerThread"} & set(theirs), server))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of what Ostinato does not have."""
    said = tomllib.loads(Path(__file__).with_name("upstream.toml").read_text(encoding="utf-8"))
    outside = re.compile("|".join(said["outside"]))
    gone = [one for one in items if outside.search(getattr(one, "originalname", one.name))]
    config.hook.pytest_deselected(items=gone)
    items[:] = [one for one in items if one not in gone]
