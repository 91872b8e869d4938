"""What tests see of the database of a home, and how they change and hold it, whichever database it is."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def rows(home: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Give what a statement finds, as another process would see it."""
    with contextlib.closing(Home(str(home)).open_to_read()) as database:
        return list(database.db.execute(query, values).fetchall())


def change(home: Path, query: str, *values: Any) -> int:
    """Carry out a statement behind everybody's back; give the number of rows that it hit."""
    with contextlib.closing(Home(str(home)).open()) as database, database.writing() as db:
        return db.execute(query, values).rowcount


@contextlib.contextmanager
def held(home: Path) -> Iterator[None]:
    """Let nobody write: on SQLite as a program does that knows nothing of our lock."""
    if Home(str(home)).database_url:
        with contextlib.closing(Home(str(home)).open()) as database:
            assert database.try_begin()
            yield
            database.rollback()
        return
    with contextlib.closing(sqlite3.connect(home / "ostinato.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")
