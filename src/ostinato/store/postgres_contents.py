"""All rows of a PostgreSQL database: read by a cursor of the server, written by COPY."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg

from ostinato.store.contents import tables_of
from ostinato.store.postgres import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ostinato.store.contents import Row, Table
    from ostinato.store.postgres import PostgresDatabase

AT_ONCE: Final = 5000
"""Rows that the server sends together."""

_OURS: Final = (
    "FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'ostinato_schema'"
)
_COLUMNS: Final = f'SELECT table_name, column_name {_OURS} ORDER BY table_name COLLATE "C", column_name COLLATE "C"'
_TYPES: Final = f"SELECT column_name, udt_name {_OURS} AND table_name = $1"
_KEY: Final = (
    "SELECT a.attname FROM pg_index AS i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (no, place)"
    " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.no"
    " WHERE i.indisprimary AND i.indrelid = to_regclass(quote_ident($1)) ORDER BY k.place"
)
_INDEXES: Final = (
    "SELECT i.indexname, i.indexdef FROM pg_indexes AS i WHERE i.schemaname = current_schema()"
    " AND i.tablename <> 'ostinato_schema' AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c"
    " WHERE c.connamespace = current_schema()::regnamespace AND c.conname = i.indexname)"
)
_COUNTERS: Final = (
    f"SELECT table_name, pg_get_serial_sequence(quote_ident(table_name), column_name) {_OURS} AND is_identity = 'YES'"
)


class PostgresContents:
    """The rows of the tables of a schema."""

    takes_nul = False

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database
        self._db = database.db

    def tables(self) -> list[Table]:
        """Give all tables, in order of their names."""
        return tables_of(self._db.run(_COLUMNS).fetchall())

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one moment in all that a block reads."""
        with self._explained(), self.database.snapshot():
            self._be_patient()
            yield

    def rows(self, table: Table) -> Iterator[Row]:
        """Give all rows of a table, a few at a time."""
        key = ", ".join(f'"{name}"' for (name,) in self._db.run(_KEY, (table.name,)).fetchall())
        cursor = psycopg.RawServerCursor(self._db.pg, f"copy_{table.name}")
        cursor.itersize = AT_ONCE
        with cursor:
            order = f" ORDER BY {key}" if key else ""
            cursor.execute(f'SELECT {table.quoted} FROM "{table.name}"{order}'.encode())  # noqa: S608 - names of ours
            yield from cursor

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Write all that a block writes, or nothing; indexes are made after it."""
        with self._explained(), self.database.writing():
            self._be_patient()
            self._db.run("SET LOCAL maintenance_work_mem = '256MB'")
            indexes = self._db.run(_INDEXES).fetchall()
            for name, _ in indexes:
                self._db.run(f'DROP INDEX "{name}"')
            yield
            for _, statement in indexes:
                self._db.run(statement)

    def load(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows to a table."""
        types = dict(self._db.run(_TYPES, (table.name,)).fetchall())
        statement = f'COPY "{table.name}" ({table.quoted}) FROM STDIN (FORMAT BINARY)'
        with self._db.pg.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types([types[column] for column in table.columns])
            for row in rows:
                copy.write_row(row)

    def counters(self) -> dict[str, int]:
        """Give the highest id that each table with ids has ever had."""
        found = {}
        for table, sequence in self._db.run(_COUNTERS).fetchall():
            last, is_used = self._db.run(f"SELECT last_value, is_called FROM {sequence}").fetchone() or (0, False)  # noqa: S608 - a name of ours
            if is_used:
                found[table] = last
        return found

    def set_counter(self, table: str, highest: int) -> None:
        """Have the next id of a table be higher."""
        sequence = dict(self._db.run(_COUNTERS).fetchall())[table]
        self._db.run("SELECT setval($1::regclass, $2)", (sequence, highest))

    def _be_patient(self) -> None:
        """Take the time that the other side needs."""
        self._db.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        self._db.run("SET LOCAL lock_timeout = 0")
        self._db.run("SET LOCAL enable_seqscan = on")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise explain(error, self.database.path) from error
