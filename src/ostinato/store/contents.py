"""All rows of a database: read in one go, written in one go, and summed; here those of SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ostinato.store.sqlite import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from ostinato.store.database import Database
    from ostinato.store.sqlite import SqliteDatabase

Row = tuple[Any, ...]
FACTS: Final = "facts"
"""The one table that may have rows in a database that holds nothing: servers write it as long as they live."""

_pack: Final = msgspec.msgpack.Encoder().encode


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table and its columns, in order of their names."""

    name: str
    columns: tuple[str, ...]

    @property
    def quoted(self) -> str:
        """The columns as they stand in a statement."""
        return ", ".join(f'"{column}"' for column in self.columns)


class Tally:
    """The number of rows, and the sum of their hashes, which their order does not change."""

    def __init__(self) -> None:
        self.n_rows = 0
        self._sum = 0

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Give rows on, counted."""
        for row in rows:
            self.n_rows += 1
            self._sum += int.from_bytes(blake2b(_pack(row), digest_size=8).digest())
            yield row

    @property
    def checksum(self) -> str:
        """Sixteen hexadecimal digits."""
        return f"{self._sum % (1 << 64):016x}"


class Contents(Protocol):
    """What is copied of a database."""

    @property
    def database(self) -> Database:
        """Whose rows they are."""

    @property
    def takes_nul(self) -> bool:
        """Whether its texts may have NUL in them."""

    def tables(self) -> list[Table]:
        """Give all tables, in order of their names."""

    def reading(self) -> AbstractContextManager[None]:
        """See one moment in all that a block reads."""

    def rows(self, table: Table) -> Iterator[Row]:
        """Give all rows of a table, a few at a time."""

    def loading(self) -> AbstractContextManager[None]:
        """Write all that a block writes, or nothing; indexes are made after it."""

    def load(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows to a table."""

    def counters(self) -> dict[str, int]:
        """Give the highest id that each table with ids has ever had."""

    def set_counter(self, table: str, highest: int) -> None:
        """Have the next id of a table be higher."""


def is_empty(contents: Contents) -> bool:
    """Say whether a database holds nothing."""
    db = contents.database.db
    names = (table.name for table in contents.tables() if table.name != FACTS)
    return not any(db.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for name in names)  # noqa: S608 - ours


class SqliteContents:
    """The rows of a database file."""

    takes_nul = True

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self._db = database.db

    def tables(self) -> list[Table]:
        """Give all tables, in order of their names."""
        found = self._db.execute(
            "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c"
            " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.name"
        )
        return tables_of(found.fetchall())

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one moment in all that a block reads."""
        with self._explained(), self.database.snapshot():
            yield

    def rows(self, table: Table) -> Iterator[Row]:
        """Give all rows of a table, a few at a time."""
        return iter(self._db.execute(f'SELECT {table.quoted} FROM "{table.name}"'))  # noqa: S608 - names of ours

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Write all that a block writes, or nothing; indexes are made after it. The file is nobody else's yet."""
        with self._explained():
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                indexes = self._db.execute(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
                ).fetchall()
                for name, _ in indexes:
                    self._db.execute(f'DROP INDEX "{name}"')
                yield
                for _, statement in indexes:
                    self._db.execute(statement)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def load(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows to a table."""
        marks = ", ".join("?" * len(table.columns))
        self._db.executemany(f'INSERT INTO "{table.name}" ({table.quoted}) VALUES ({marks})', rows)  # noqa: S608 - ours

    def counters(self) -> dict[str, int]:
        """Give the highest id that each table with ids has ever had."""
        return dict(self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())

    def set_counter(self, table: str, highest: int) -> None:
        """Have the next id of a table be higher."""
        self._db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, highest))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self.database.path) from error


def tables_of(pairs: Iterable[Row]) -> list[Table]:
    """Give tables from their names with those of their columns."""
    found: dict[str, list[str]] = {}
    for name, column in pairs:
        found.setdefault(name, []).append(column)
    return [Table(name=name, columns=tuple(columns)) for name, columns in found.items()]
