"""A PostgreSQL server for tests: the Debian package when it is missing, a folder of its own, a free port.

The tests of one session share a server, which the first that needs it starts; each home has a schema of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

USER: Final = "ostinato"
NAME: Final = "ostinato"
OLDEST: Final = 15
"""Major version that Ostinato needs."""
ALIVE: Final = "alive"
"""The file of a session that is locked while it lives."""
SCHEMA: Final = "ostinato_test"
"""How the name of each test's schema begins; connections to it have the same name."""

_NEEDED: Final = f"These tests need PostgreSQL {OLDEST} or newer: apt-get install postgresql"
_UNPRIVILEGED: Final = "postgres"
"""Runs the server when the tests run as root, which PostgreSQL refuses."""
_QUICK: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
"""For a server that nobody kills: its data need not outlive it."""


class Server:
    """A PostgreSQL server in a folder of its own."""

    def __init__(self, folder: Path, *, port: int = 0, quick: bool = False, password: str = "") -> None:
        """Name it; `quick` gives up what only matters when the server is killed. Without password it trusts all."""
        self.folder = folder
        self.port = port or free_port()
        self.password = password
        self._quick = quick

    @property
    def data(self) -> Path:
        """Its tables and its log of writes."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "server.log"

    def make(self, *words: str) -> None:
        """Make its folder; `words` are options of initdb."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if user() is not None:
            shutil.chown(self.folder, _UNPRIVILEGED, _UNPRIVILEGED)
        options = ("--no-sync", "--no-locale", f"--username={USER}", f"--pgdata={self.data}")
        more = ("--encoding=UTF8", *words)
        if self.password:
            (self.folder / "password").write_text(self.password, encoding="utf-8")
            more = ("--auth=scram-sha-256", f"--pwfile={self.folder / 'password'}", *more)
        made = subprocess.run(
            [str(programs() / "initdb"), *options, *more],
            user=user(), cwd="/", env=_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout + made.stderr

    def start(self, *settings: str) -> None:
        """Start it; it takes connections when this returns."""
        chosen = [
            "listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self.folder}",
            "max_connections=300", "shared_buffers=64MB", "log_min_messages=warning",
            *(_QUICK if self._quick else ()), *settings,
        ]  # fmt: skip
        words = " ".join(f"-c {one}" for one in chosen)
        started = self._control("start", "--log", str(self.log), "--options", words)
        assert started == 0, self.said

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not been stopped."""
        return (self.data / "postmaster.pid").exists()

    def stop(self, how: str = "fast") -> None:
        """End it, by default with its connections cut off; `immediate` ends it as a crash would."""
        if self.is_running:
            assert self._control("stop", "--mode", how) == 0, self.said

    def url(self, name: str = NAME, *, user: str = USER, password: str | None = None, **options: str) -> str:
        """Give the address of a database; options are words of libpq."""
        password = self.password if password is None else password
        who = f"{user}:{quote(password, safe='')}" if password else user
        more = "&".join(f"{word}={quote(value, safe='')}" for word, value in options.items())
        return f"postgresql://{who}@127.0.0.1:{self.port}/{name}{f'?{more}' if more else ''}"

    def run(self, *statements: str, name: str = NAME) -> list[tuple[Any, ...]]:
        """Carry out statements one after the other, as the one who may do everything; give the rows of the last."""
        rows = []
        with psycopg.connect(self.url(name), autocommit=True) as pg:
            for statement in statements:
                told = pg.execute(statement.encode())
                rows = told.fetchall() if told.description else []
        return rows

    def _control(self, *words: str) -> int:
        """Give the exit code of pg_ctl; what it starts goes on without us."""
        command = [str(programs() / "pg_ctl"), "--pgdata", str(self.data), "--silent", "--wait", *words]
        return subprocess.run(
            command, user=user(), cwd="/", env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, check=False,
        ).returncode  # fmt: skip


@contextlib.contextmanager
def running(*, password: str = "", settings: tuple[str, ...] = ()) -> Iterator[Server]:
    """Give a server that may be killed: what it has committed is on disk. It has ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ostinato-postgres-"))
    server = Server(folder, password=password)
    try:
        server.make()
        server.start(*settings)
        server.run(f"CREATE DATABASE {NAME}", name="postgres")
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def shared(folder: Path) -> Server:
    """Give the server that the tests of a session share, whichever of their processes starts it."""
    folder.mkdir(parents=True, exist_ok=True)
    port = folder / "port"
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if port.exists():
            return Server(_open_to_all(folder), port=int(port.read_text()))
        server = Server(_open_to_all(folder), quick=True)
        _end_with_session(server, folder / ALIVE)
        server.make()
        server.start()
        server.run(f"CREATE DATABASE {NAME}", name="postgres")
        port.write_text(str(server.port))
        return server


def _end_with_session(server: Server, alive: Path) -> None:
    """Have the server end when nobody holds the lock of a file any more, however that came about."""
    program = f"kill -QUIT $(head -n 1 {server.data}/postmaster.pid); sleep 1; rm -rf {server.folder}"
    subprocess.run(
        ["setsid", "--fork", "flock", str(alive), "sh", "-c", program],
        cwd="/", env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip


def stop_shared(folder: Path) -> None:
    """End the server that tests shared, if there is one."""
    if (folder / "port").exists():
        server = Server(_open_to_all(folder), port=int((folder / "port").read_text(encoding="utf-8")))
        server.stop("immediate")
        shutil.rmtree(server.folder, ignore_errors=True)


@contextlib.contextmanager
def schema(server: Server) -> Iterator[str]:
    """Give the address of a new schema; it is dropped afterwards, with the connections that are left."""
    one = f"{SCHEMA}_{uuid.uuid4().hex[:12]}"
    server.run(f"CREATE SCHEMA {one}")
    try:
        yield server.url(options=f"-csearch_path={one}", application_name=one)
    finally:
        server.run(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{one}'",
            f"DROP SCHEMA {one} CASCADE",
        )


def choose(home: Path, url: str) -> None:
    """Have a home use a database; every process that opens it reads the same file."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "ostinato.toml").write_text(f'database_url = "{url}"\n', encoding="utf-8")


def programs() -> Path:
    """Give the folder of PostgreSQL's programs; the package is installed when it is missing."""
    found = _programs()
    if found is None:
        assert os.geteuid() == 0, _NEEDED
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", "--quiet", *words], env=environment, check=True, capture_output=True)
        found = _programs()
    assert found is not None, _NEEDED
    return found


def free_port() -> int:
    """Give a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _programs() -> Path | None:
    folders = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    newest = max(folders, default=0)
    return folders[newest] if newest >= OLDEST else None


def _open_to_all(folder: Path) -> Path:
    """Give a folder that the one who runs the server can enter, whatever the session's folder allows."""
    return Path(tempfile.gettempdir()) / f"{folder.parent.name}-{folder.name}"


def user() -> str | None:
    """Give the name of the one who runs the server, unless that is we ourselves."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _environment() -> dict[str, str]:
    """Give an environment without marks of a test, and without settings of another database."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
