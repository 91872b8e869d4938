"""The real `ostinato` command in processes of its own, and a real browser over a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.browser import Visitor, launched
from tests.e2e.filled import Filled
from tests.e2e.hands import HANDS
from tests.integration.served import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from tests.e2e.hands import Hand

COMMAND = str(Path(sys.executable).with_name("ostinato"))
"""The console script of the environment that runs the tests."""

UNSET = ("NO_COLOR", "CI", "COLUMNS", "LINES", "FORCE_COLOR")


@dataclass
class Cli:
    """Calls the command on one home, in one working directory."""

    home: Path
    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """The environment of the command."""
        kept = {name: value for name, value in os.environ.items() if name not in UNSET}
        return {**kept, "OSTINATO_HOME": str(self.home), "PYTHONWARNINGS": "error", "TZ": "UTC"}

    def __call__(
        self, *args: str, code: int = 0, timeout_s: float = 50, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Give the ended command, its exit code compared."""
        ended = subprocess.run(
            [COMMAND, *args],
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert ended.returncode == code, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended

    def json(self, *args: str, code: int = 0) -> Any:
        """Give what the command printed with --json."""
        return json.loads(self(*args, "--json", code=code).stdout)

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """Start the command and let it run."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen([COMMAND, *args], cwd=self.folder, env=self.env, text=True, **pipes)
        self.started.append(process)
        return process


@pytest.fixture
def cli(home: Path, tmp_path: Path) -> Iterator[Cli]:
    """Give the command on an empty home, in an empty folder; what a test leaves running is killed."""
    folder = tmp_path / "project"
    folder.mkdir()
    command = Cli(home, folder)
    yield command
    for process in command.started:
        process.kill()
        process.communicate()


@pytest.fixture
def filled(home: Path) -> Filled:
    """Give a recorder of made-up runs on the test's home."""
    return Filled()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Give a browser to each test: as long as one is open, an event loop runs in this thread."""
    with launched() as found:
        yield found


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[Served]:
    with served(home, tmp_path) as found:
        yield found


@pytest.fixture
def hand(request: pytest.FixtureRequest) -> type[Hand]:
    """Give the hand by which visitors do things."""
    return HANDS[request.config.getoption("hand")]


@pytest.fixture
def visitor(browser: Browser, server: Served, hand: type[Hand]) -> Iterator[Visitor]:
    found = Visitor(browser, server, hand)
    yield found
    found.context.close()
    assert found.complaints == []
