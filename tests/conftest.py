"""What every test may use: a home of its own on one store or both, real interpreter processes, a printed seed.

With `--store both` what works on a home runs on SQLite and on PostgreSQL, which the session starts itself.
No test ever sees the home of the person who runs it, and none may leave a process behind:
the session ends red when one does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import hypothesis
import pytest
from tests import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
MARK = "OSTINATO_TEST_SESSION"
"""Environment variable by which every process that a test started can be found."""
SHARED = "OSTINATO_TEST_FOLDER"
"""Environment variable with the folder that all test processes of a session share."""
STORES = ("sqlite", "postgresql")
TWICE = ("integration", "e2e")
"""Folders of tests that run on each store that is chosen, when they have a home. Those of contract always do; the
others speak of rules, pages and budgets, and those of them that are about PostgreSQL ask for it."""
ONCE = frozenset({"test_ride_duration.py", "test_ride_scoring.py"})
"""Not these: what an example computes takes minutes, and is the same on each store."""
ONLY_SQLITE = "only_sqlite"
"""Mark of tests that are about the file of SQLite, or that no store has a part in."""

hypothesis.settings.register_profile("ostinato", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ostinato")


class RunPython(Protocol):
    """Runs a Python program in a real interpreter process on the test's home."""

    def __call__(
        self,
        program: str | Path,
        *args: str,
        timeout_s: float = 50,
        code: int | None = 0,
        warnings: str = "error",
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Give the ended process with its text output; `code=None` accepts any exit code."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose the store, and the hand of those who visit the web interface."""
    parser.addoption("--store", choices=[*STORES, "both"], default="sqlite", help="database that tests run on")
    parser.addoption("--hand", choices=["keyboard", "mouse"], default="keyboard", help="what journeys are made by")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests off the real home, and give Hypothesis the seed of the session."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell started us in its background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", f"{ONLY_SQLITE}(reason): runs on SQLite, whatever the store is")
    config.stash[_LEFT] = []
    config.stash[_STASH] = Path(tempfile.mkdtemp(prefix="ostinato-tests-"))
    if SHARED not in os.environ:
        shared = config.stash[_STASH] / "shared"
        shared.mkdir()
        os.environ[SHARED] = str(shared)
        config.stash[_ALIVE] = (shared / postgres.ALIVE).open("w")
        fcntl.flock(config.stash[_ALIVE], fcntl.LOCK_EX)
    os.environ[MARK] = uuid.uuid4().hex
    os.environ["OSTINATO_HOME"] = str(config.stash[_STASH] / "home-of-no-test")
    if config.getoption("hypothesis_seed", default=None) is None:
        hypothesis.core.global_force_seed = _session_seed(config)  # type: ignore[assignment]  # declared None there


def pytest_report_header(config: pytest.Config) -> str:
    """Print how to run the same random choices again."""
    number = _session_seed(config)
    return f"seed: {number} (the same again: scripts/test -p randomly --randomly-seed={number})"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the session red when a test left a process behind; of several test processes each looks after its own."""
    told: list[str] = session.config.stash[_LEFT]
    if session.config.getoption("numprocesses", None) is None or hasattr(session.config, "workerinput"):
        for pid, command in _processes_left(patience_s=3.0).items():
            told.append(f"A test left process {pid} behind: {command}")
            os.kill(pid, signal.SIGKILL)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = told
    elif told:
        sys.stderr.write("\n" + "\n".join(told) + "\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a test process found at its end."""
    node.config.stash[_LEFT] += getattr(node, "workeroutput", {}).get("left", [])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the session wrote, and end the database that its processes shared."""
    if _ALIVE in config.stash:
        postgres.stop_shared(Path(os.environ.pop(SHARED)))
        config.stash[_ALIVE].close()
    shutil.rmtree(config.stash[_STASH], ignore_errors=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that have a home on the stores that were chosen; the contract suite always on both."""
    if "database" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("store")
    path = metafunc.definition.path
    folder = path.relative_to(ROOT / "tests").parts[0]
    if folder == "contract":
        chosen = "both"
    elif folder not in TWICE or path.name in ONCE:
        chosen = "sqlite"
    if metafunc.definition.get_closest_marker(ONLY_SQLITE) is not None:
        chosen = "sqlite"
    if chosen != "sqlite":
        metafunc.parametrize("database", STORES if chosen == "both" else [chosen], indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> postgres.Server:
    """Give the PostgreSQL server that all tests share."""
    return postgres.shared(Path(os.environ[SHARED]))


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the address of an empty PostgreSQL database; nothing for SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    with postgres.schema(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str) -> Iterator[Path]:
    """Give an empty home, exported as OSTINATO_HOME; this process lets go of it after the test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OSTINATO_HOME", str(folder))
    if database:
        postgres.choose(folder, database)
    _close_session()
    yield folder
    _close_session()


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Give a number that follows from the session's seed and the test's name; shown when the test fails."""
    name: str = request.node.nodeid
    number = _session_seed(request.config) ^ zlib.crc32(name.encode())
    print(f"seed of this test: {number}")
    return number


@pytest.fixture
def run_python(home: Path, tmp_path: Path) -> RunPython:
    """Run code (a string, kept as a file) or a file in a real interpreter, warnings being errors."""
    n_files = 0

    def run(
        program: str | Path,
        *args: str,
        timeout_s: float = 50,
        code: int | None = 0,
        warnings: str = "error",
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        nonlocal n_files
        if isinstance(program, str):
            n_files += 1
            file = tmp_path / f"program_{n_files}.py"
            file.write_text(textwrap.dedent(program), encoding="utf-8")
        else:
            file = program
        ended = subprocess.run(
            [sys.executable, "-W", warnings, str(file), *args],
            cwd=tmp_path,
            env={**os.environ, "OSTINATO_HOME": str(home), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if code is not None:
            assert ended.returncode == code, f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended

    return run


_STASH = pytest.StashKey[Path]()
_LEFT = pytest.StashKey[list[str]]()
_ALIVE = pytest.StashKey[IO[str]]()
"""The lock by which others see that the session lives."""


def _session_seed(config: pytest.Config) -> int:
    return int(config.getoption("randomly_seed"))


def _close_session() -> None:
    session = sys.modules.get("ostinato.session")
    if session is not None:
        session.close()


def _processes_left(patience_s: float) -> dict[int, str]:
    end = time.monotonic() + patience_s
    while (found := _marked_processes()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _marked_processes() -> dict[int, str]:
    """Give living processes of this session other than this one (Linux; empty elsewhere)."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found
