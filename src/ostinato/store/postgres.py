"""The PostgreSQL database of many homes: connections, the lock of writers, news of commits, and its schema.

One transaction writes at a time, as on SQLite: it holds an advisory lock of the schema. So the ids of blocks
grow in commit order, and what one command has read stays true until it is committed.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import errors
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper

from ostinato.core.errors import (
    DatabaseBusy,
    DatabaseCorrupt,
    DatabaseForbidden,
    DatabaseNewer,
    DatabaseTooOld,
    DatabaseUnreachable,
    DatabaseUnsuited,
    DiskFull,
    OstinatoError,
    SettingInvalid,
)
from ostinato.store import dialect
from ostinato.store.database import PATIENCE_S
from ostinato.store.sqlite import compatible, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ostinato.store.database import Cursor

OLDEST: Final = 150000
"""Server version that is needed."""
SILENT_S: Final = 15
"""A transaction whose process does nothing for so long is ended: others wait for its lock, and the feed too."""
LOOK_S: Final = 5.0
"""How often news is asked for, should a notification be lost."""

_WRITE, _LEAD, _MIGRATE = 1, 2, 3
"""Our advisory locks; the second half of each key is the hash of the schema's name."""
_SCHEMA: Final = "hashtext(current_schema())"
_CHANNEL: Final = "'ostinato_' || md5(current_schema())"
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_NEWEST: Final = "(SELECT coalesce(max(id), 0) FROM blocks)"
_TRY: Final = f"BEGIN; SELECT pg_try_advisory_xact_lock({_WRITE}, {_SCHEMA}); SELECT {_CLOCK}, {_NEWEST}"
_WAIT: Final = (
    f"BEGIN; SET LOCAL lock_timeout = '{int(PATIENCE_S * 1000)}ms';"
    f" SELECT pg_advisory_xact_lock({_WRITE}, {_SCHEMA}); SELECT {_CLOCK}, {_NEWEST}"
)
_TELL: Final = f"SELECT newest, pg_notify({_CHANNEL}, '') FROM (SELECT {_NEWEST} AS newest) AS n WHERE newest <> $1"  # noqa: S608  (our own words)
"""Whoever listens is told of new blocks, and of nothing else: the polls that this wakes commit, too."""
_DEPOSE: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid, objid, objsubid) = ($1::oid, hashtext(current_schema())::oid, 2) AND pid <> pg_backend_pid()"
)
_SETTINGS: Final = (
    f"SET idle_in_transaction_session_timeout = {SILENT_S * 1000}; SET client_min_messages = error; SET jit = off;"
    " SET max_parallel_workers_per_gather = 0; SET enable_memoize = off; SET plan_cache_mode = auto;"
    " SET default_transaction_isolation = 'read committed';"
    # Every statement has an index for what it asks. A new table has no statistics, and would be read whole.
    " SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    # Locks of a machine that is gone without a word are free within half a minute.
    " SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
)
"""Said after connecting: poolers refuse them among the words of a connection."""
_READ_ONLY: Final = "SET default_transaction_read_only = on; SET plan_cache_mode = force_custom_plan"
"""Which index of a list is best depends on what is looked for."""


_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""NUL as JSON writes it."""
_NOT_LET_IN: Final = re.compile(
    r" failed: .*(password|authentication|pg_hba\.conf|permission denied|role .* does not exist)"
)
"""What is said to one who may not connect; it comes without a code."""


class _BoolDumper(Dumper):
    """Truth as 0 and 1, as the tables have it."""

    oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


class _NumericLoader(Loader):
    """Sums: whole numbers, all of them."""

    def load(self, data: Any) -> int:
        return int(bytes(data))


class PostgresConnection:
    """Runs our statements; connects again when the server was away."""

    def __init__(self, url: str, shown: str) -> None:
        self._url = url
        self._shown = shown
        self._is_read_only = False
        self.listens = False
        self.is_bound = False
        """A transaction is open: what follows belongs to this connection, and to no other."""
        self.number = 0
        """Grows with each new connection."""
        self._pg = self._connect()

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            known = conninfo_to_dict(self._url)
        except psycopg.ProgrammingError as error:
            raise SettingInvalid(
                name="database_url", value=self._shown, where="OSTINATO_DATABASE_URL", reason=str(error).strip()
            ) from error
        defaults: dict[str, Any] = {
            "connect_timeout": 5, "application_name": "ostinato", "keepalives_idle": 10, "keepalives_interval": 5,
            "keepalives_count": 3, "tcp_user_timeout": 20_000,
        }  # fmt: skip
        wanted = make_conninfo("", **{**defaults, **known, "client_encoding": "utf8"})
        try:
            pg = psycopg.connect(wanted, autocommit=True, cursor_factory=psycopg.RawCursor)
        except psycopg.Error as error:
            raise explain(error, self._shown) from error
        pg.adapters.register_dumper(int, Int8BinaryDumper)
        pg.adapters.register_dumper(bool, _BoolDumper)
        pg.adapters.register_loader("numeric", _NumericLoader)
        try:
            self._check(pg)
            pg.execute(_SETTINGS)
            if self._is_read_only:
                pg.execute(_READ_ONLY)
            if self.listens:
                self._listen(pg)
        except OstinatoError:
            pg.close()
            raise
        except psycopg.Error as error:  # it went away again
            pg.close()
            raise explain(error, self._shown) from error
        self.number += 1
        return pg

    def _check(self, pg: psycopg.Connection[Any]) -> None:
        encoding = pg.info.parameter_status("server_encoding")
        if pg.info.server_version < OLDEST:
            raise DatabaseTooOld(path=self._shown, found=pg.info.server_version // 10000, needed=OLDEST // 10000)
        if encoding != "UTF8":
            raise DatabaseUnsuited(path=self._shown, reason=f"its encoding is {encoding}, and not UTF8")
        if pg.execute("SELECT current_schema()").fetchone() == (None,):
            raise DatabaseUnsuited(path=self._shown, reason="no schema of its search_path exists")

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run a statement written for SQLite."""
        text = dialect.statement(query)
        given = [_storable(value, text) if type(value) is str else value for value in values]
        return self.run(text, given)

    def run(self, text: str, values: Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        """Run a statement written for PostgreSQL; a read outside a transaction is asked again of a new connection."""
        fresh = self._pg.closed
        if fresh:
            if self.is_bound:
                raise DatabaseUnreachable(path=self._shown, reason="the connection was lost in a transaction")
            self._pg = self._connect()
        alone = not self.in_transaction
        try:
            return self._pg.execute(text, values)
        except psycopg.Error as error:
            if self._pg.closed and alone and not fresh and text.startswith(("SELECT", "WITH", "BEGIN", "LISTEN")):
                return self.run(text, values)
            raise explain(error, self._shown) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send the statements of a block without waiting for each; the first that fails is told at its end."""
        try:
            with self._pg.pipeline():
                yield
        except psycopg.Error as error:
            raise explain(error, self._shown) from error

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, failed or not."""
        return self._pg.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
            TransactionStatus.ACTIVE,
        )

    @property
    def pg(self) -> psycopg.Connection[Any]:
        """The connection, for what is no statement."""
        return self._pg

    @property
    def is_closed(self) -> bool:
        """Whether the connection is lost; the next statement makes another one."""
        return self._pg.closed

    def heard(self) -> int:
        """Give how many notifications have come since this was last asked; nothing is waited for."""
        if self._pg.closed:
            self._pg = self._connect()
            return 1
        try:
            return sum(1 for _ in self._pg.notifies(timeout=0))
        except psycopg.Error as error:
            raise explain(error, self._shown) from error

    def listen(self) -> None:
        """Be told of commits from now on."""
        self.listens = True
        try:
            if self._pg.closed:
                self._pg = self._connect()
            else:
                self._listen(self._pg)
        except psycopg.Error as error:
            raise explain(error, self._shown) from error

    @staticmethod
    def _listen(pg: psycopg.Connection[Any]) -> None:
        (channel,) = pg.execute(f"SELECT {_CHANNEL}").fetchone() or ("",)
        pg.execute(f'LISTEN "{channel}"')

    def read_only(self) -> None:
        """Refuse to write from now on."""
        self._is_read_only = True
        self.run(_READ_ONLY)

    def close(self) -> None:
        """End the connection."""
        self._pg.close()

    def abandon(self) -> None:
        """In a forked child: nothing that it does may reach the parent's connection."""
        _INHERITED.append(self._pg)
        if not self._pg.closed:
            nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nowhere, self._pg.fileno(), inheritable=False)
            os.close(nowhere)


class PostgresDatabase:
    """One connection to a PostgreSQL database. Not for use by two threads at once."""

    def __init__(self, url: str, folder: str, *, migrates: bool = True) -> None:
        """Connect; make or migrate the tables if needed. `folder` is the home, for messages."""
        self.path = shown(url)
        self.folder = folder
        self.db = PostgresConnection(url, self.path)
        self._ahead_us = 0
        """By how much the database's clock is ahead of ours."""
        self._newest = -1
        """The newest block when we last looked, or committed."""
        self._n_news = 0
        self._look_at = 0.0
        self._led_by = -1
        """The connection that has the lock of the leader."""
        try:
            if migrates:
                self._check_version()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()

    def abandon(self) -> None:
        """Let go of what a forked child has inherited, without touching the database."""
        self.db.abandon()

    # --- transactions

    def try_begin(self) -> bool:
        """Begin a write unless somebody else is writing."""
        cursor = self.db.run(_TRY)
        cursor.nextset()
        if cursor.fetchone() != (True,):
            self.rollback()
            return False
        self._begun(cursor)
        return True

    def _begun(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.nextset()
        self.db.is_bound = True
        clock, newest = cursor.fetchone()  # type: ignore[misc]  # the statement gives one row
        self._ahead_us = clock - time.time_ns() // 1000
        if newest != self._newest:
            self._n_news += self._newest >= 0
            self._newest = newest

    def commit(self) -> None:
        """Commit, and let the next one write; whoever listens is told."""
        try:
            row: Any = self.db.run(_TELL, (self._newest,)).fetchone()
            self.db.run("COMMIT")
        except BaseException:
            self.rollback()
            raise
        self.db.is_bound = False
        if row is not None:
            self._newest = row[0]

    def rollback(self) -> None:
        """Undo, and let the next one write."""
        self.db.is_bound = False
        if not self.db.is_closed and self.db.in_transaction:
            with suppress(DatabaseUnreachable):  # a lost connection has undone it
                self.db.run("ROLLBACK")

    @contextmanager
    def writing(self, *, sync: bool = True) -> Iterator[PostgresConnection]:
        """Hold the right to write for one transaction; without `sync` a power cut may undo it.

        Raises:
            DatabaseBusy: (database-busy) somebody else did not let go in time.
            DatabaseUnreachable: (database-unreachable) the connection is lost; what became of a commit is unknown.
        """
        try:
            cursor = self.db.run(_WAIT if sync else f"{_WAIT}; SET LOCAL synchronous_commit = off")
            cursor.nextset()
            cursor.nextset()
            self._begun(cursor)
            yield self.db
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def read_only(self) -> None:
        """Refuse to write from now on, and be told of what others write."""
        self.db.read_only()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have all reads of a block see one moment."""
        self.db.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self.rollback()

    # --- other connections

    def news(self) -> int:
        """Give a number that changes when another connection has committed."""
        if self.db.in_transaction:
            return self._n_news
        if not self.db.listens:
            self.db.listen()
        self._n_news += self.db.heard()
        if time.monotonic() > self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            row: Any = self.db.run(f"SELECT {_NEWEST}").fetchone()
            self._n_news += row[0] != self._newest
            self._newest = row[0]
        return self._n_news

    def leads(self) -> bool:
        """Say whether this connection is the one that looks after schedules; it stays so while it lives."""
        if self._led_by == self.db.number and not self.db.is_closed:
            return True
        row: Any = self.db.run(f"SELECT pg_try_advisory_lock({_LEAD}, {_SCHEMA})").fetchone()
        self._led_by = self.db.number if row[0] else -1
        return bool(row[0])

    def depose(self) -> None:
        """End the connection that looks after schedules, whoever has it."""
        self.db.run(_DEPOSE, (_LEAD,))

    def now_us(self) -> int:
        """Give the UTC microseconds of the database's clock, as far as it is known."""
        return time.time_ns() // 1000 + self._ahead_us

    # --- the tables

    def n_bytes(self) -> int:
        """Give the room that the tables of the schema take."""
        row: Any = self.db.run(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        ).fetchone()
        return int(row[0])

    def damage(self, limit: int) -> list[str]:  # noqa: ARG002 - its server looks after that
        """Give nothing: PostgreSQL has tools of its own (`pg_amcheck`)."""
        return []

    def tidy(self) -> None:
        """Have the planner look at the tables again; PostgreSQL gives room back by itself."""
        self.db.run("ANALYZE")

    def version(self) -> int:
        """Give the number of the newest migration that the database has."""
        # Not by to_regclass: what it has not found once it may not find either when another has made it meanwhile.
        there: Any = self.db.run(
            "SELECT count(*) FROM pg_class WHERE relname = 'ostinato_schema'"
            " AND relnamespace = current_schema()::regnamespace"
        ).fetchone()
        if not there[0]:
            return 0
        row: Any = self.db.run("SELECT coalesce(max(version), 0) FROM ostinato_schema").fetchone()
        return int(row[0])

    def _check_version(self) -> None:
        known = migrations()
        found = self.version()
        if found < len(known):
            self._migrate(known)
        elif found > len(known) and self._compatible(found) > len(known):
            raise DatabaseNewer(path=self.path, found=found, known=len(known))

    def _compatible(self, version: int) -> int:
        """Give how many migrations a program must know to use the database."""
        row: Any = self.db.run("SELECT compatible FROM ostinato_schema WHERE version = $1", (version,)).fetchone()
        return int(row[0])

    def _migrate(self, known: list[str]) -> None:
        """Bring the tables up to date, all or nothing; two that open a new database at once do it once."""
        self.db.run("BEGIN")
        try:
            self.db.run(f"SELECT pg_advisory_xact_lock({_MIGRATE}, {_SCHEMA})")
            found = self.version()
            if not found:
                self.db.run(
                    "CREATE TABLE IF NOT EXISTS ostinato_schema"
                    " (version BIGINT NOT NULL PRIMARY KEY, compatible BIGINT NOT NULL)"
                )
            for number, file in enumerate(known[found:], start=found + 1):
                with open(file, encoding="utf-8") as text:
                    self.db.run(dialect.tables(text.read()))
                self.db.run(
                    "INSERT INTO ostinato_schema (version, compatible) VALUES ($1, $2)",
                    (number, compatible(known[:number])),
                )
            self.db.run("COMMIT")
        finally:
            self.rollback()


def shown(url: str) -> str:
    """Give an address as it may be shown: without its password."""
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the database at OSTINATO_DATABASE_URL"
    host, port = known.get("host") or "localhost", known.get("port")
    user = f"{known['user']}@" if known.get("user") else ""
    return f"postgresql://{user}{host}{f':{port}' if port else ''}/{known.get('dbname') or ''}"


def explain(error: psycopg.Error, path: str) -> Exception:
    """Give our error for one of PostgreSQL, or the same error when it is a mistake of ours."""
    reason = str(error).strip().partition("\n")[0].rstrip(".?")
    match error:
        case errors.DiskFull():
            return DiskFull(path=path, reason=reason)
        case (
            errors.LockNotAvailable()
            | errors.DeadlockDetected()
            | errors.QueryCanceled()
            | errors.SerializationFailure()
        ):
            return DatabaseBusy(path=path, waited_s=PATIENCE_S)
        case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction() | errors.InvalidPassword():
            return DatabaseForbidden(path=path, reason=reason)
        case errors.DataCorrupted() | errors.IndexCorrupted():
            return DatabaseCorrupt(path=path, reason=reason)
        case psycopg.OperationalError() if error.sqlstate is None and _NOT_LET_IN.search(reason):
            return DatabaseForbidden(path=path, reason=reason)
        case psycopg.OperationalError() | psycopg.InterfaceError() | errors.IdleInTransactionSessionTimeout():
            return DatabaseUnreachable(path=path, reason=reason)
        case _:
            return error


def _storable(text: str, statement: str) -> str:
    """Give text as PostgreSQL takes it: it knows no NUL, in a list that it reads as JSON neither."""
    if "\0" in text:
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if "\\u0000" in text and "::json" in statement:
        return _NUL.sub(r"\1\\ufffd", text)
    return text


_INHERITED: Final[list[psycopg.Connection[Any]]] = []
"""Connections of the parent process: one that is collected in a forked child would speak to the server."""
