"""A PostgreSQL of its own: made in a folder, started on a free port, killed and started again, removed at the end.

All settings are those it comes with (fsync is on), except for address, port and socket.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDERS: Final = "/usr/lib/postgresql"
USER: Final = "postgres"
"""Who it runs as when we are root, whom it refuses."""
START_S: Final = 30.0


class Postgres:
    """One server."""

    def __init__(self, folder: Path) -> None:
        """Make it in a folder; what is there already is kept."""
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "postgres.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._user = USER if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        if self.data.exists():
            return
        command = [program("initdb"), "-D", str(self.data), "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(command, user=self._user, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    def url(self, name: str = "postgres") -> str:
        """Give the address of one of its databases."""
        return f"postgresql://bench@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        command = [program("postgres"), "-D", str(self.data), "-k", str(self.folder), "-p", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-c", "listen_addresses=127.0.0.1"],
                user=self._user, cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + START_S
        while not self.answers():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it as a power cut would: all its processes at once."""
        self._end([signal.SIGSTOP, signal.SIGKILL])

    def restart(self) -> None:
        """End it in order, cutting off all who are connected, and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # a "fast" shutdown
            self.process.wait(START_S)
            self.process = None

    def _end(self, numbers: list[int]) -> None:
        if self.process is None:
            return
        pids = [self.process.pid, *children(self.process.pid)]
        for number in numbers:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.process.wait()
        self.process = None

    def look(self, name: str = "postgres") -> Look:
        """Give a read-only connection."""
        return Look(self.url(name))


class Look:
    """A read-only connection; queries have their values as `?`, as those for SQLite have."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
        self.connection.execute("SET default_transaction_read_only = on")

    def execute(self, question: str, values: Sequence[Any] = ()) -> psycopg.Cursor[Any]:
        """Run a query."""
        return self.connection.execute(question.replace("%", "%%").replace("?", "%s"), values)

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def program(name: str) -> str:
    """Give the path of a program of the newest PostgreSQL of this machine."""
    found = sorted(Path(FOLDERS).glob(f"*/bin/{name}"), key=lambda path: float(path.parent.parent.name))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise RuntimeError(f"no {name}: apt-get install postgresql")
    return path


def children(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    return [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]


def free_port() -> int:
    """Give a port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def running(folder: Path | None = None) -> Iterator[Postgres]:
    """Give a server, ended afterwards: with an empty database of which nothing stays, or one that a folder keeps."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            made = tempfile.TemporaryDirectory(prefix="ostinato-postgres-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
        folder.mkdir(parents=True, exist_ok=True)
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
