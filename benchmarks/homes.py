"""A temporary home of Ostinato, and a look at its database from outside: read-only, plain SQL, none of our code."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from environments import clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator


class Home:
    """One home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "home"
        self.database = self.path / "ostinato.db"

    def environ(self, **settings: str) -> dict[str, str]:
        """Give the environment of a process on this home."""
        return clean_environ(OSTINATO_HOME=str(self.path), **settings)

    def has_tables(self) -> bool:
        """Tell whether the database is there and has its tables."""
        if not self.database.exists():
            return False
        with contextlib.closing(self.look()) as database:
            return bool(database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'task_runs'").fetchone()[0])

    def look(self) -> sqlite3.Connection:
        """Give a read-only connection; each query sees what is committed when it starts."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, isolation_level=None, timeout=30)
        connection.execute("PRAGMA query_only = ON")
        return connection


@contextlib.contextmanager
def temporary_home() -> Iterator[Home]:
    """Give a home that does not exist yet; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
        yield Home(Path(folder))
