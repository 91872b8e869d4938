"""A temporary home of Ostinato, and a look at its database from outside: read-only, plain SQL, none of our code.

The database is the file in the home, or a PostgreSQL that `postgres.py` has started.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import postgres
from environments import clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator


class Home:
    """One home."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.url = url
        """Of its database; empty when that is the file."""
        self.path = folder / "home"
        self.database = self.path / "ostinato.db"

    def environ(self, **settings: str) -> dict[str, str]:
        """Give the environment of a process on this home."""
        return clean_environ(OSTINATO_HOME=str(self.path), OSTINATO_DATABASE_URL=self.url, **settings)

    def has_tables(self) -> bool:
        """Tell whether the database is there and has its tables."""
        there = "SELECT count(*) FROM sqlite_master WHERE name = 'task_runs'"
        if self.url:
            there = "SELECT count(to_regclass('task_runs'))"
        elif not self.database.exists():
            return False
        with contextlib.closing(self.look()) as database:
            return bool(database.execute(there).fetchone()[0])

    def look(self) -> Any:
        """Give a read-only connection; each query sees what is committed when it starts."""
        if self.url:
            return postgres.Look(self.url)
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, isolation_level=None, timeout=30)
        connection.execute("PRAGMA query_only = ON")
        return connection


@contextlib.contextmanager
def temporary_home(*, on_postgres: bool = False) -> Iterator[Home]:
    """Give a home that does not exist yet, on a PostgreSQL of its own if wanted; both are removed at the end."""
    if on_postgres:
        with postgres.running() as server, temporary_home() as home:
            home.url = server.url()
            yield home
        return
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-", ignore_cleanup_errors=True) as folder:
        yield Home(Path(folder))
