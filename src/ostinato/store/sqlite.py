"""The SQLite database of a home: connections, the advisory lock of writers, and the version of its schema."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import (
    DatabaseBusy,
    DatabaseCorrupt,
    DatabaseNewer,
    DiskFull,
    HomeReadOnly,
    OstinatoError,
)
from ostinato.store.database import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

MIGRATIONS: Final = os.path.join(os.path.dirname(__file__), "migrations")

_PRAGMAS: Final = """
PRAGMA synchronous = FULL;
PRAGMA secure_delete = OFF;
PRAGMA cache_size = -8000;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA temp_store = MEMORY;
"""

_COMPATIBLE: Final = re.compile(r"^-- Compatible with (\d+)\.$", re.MULTILINE)

_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_FULL: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def explain(error: sqlite3.Error, path: str) -> Exception:
    """Give our error for one of SQLite, or the same error when it is a mistake of ours."""
    code = _code(error)
    if code in _CORRUPT:
        return DatabaseCorrupt(path=path, reason=str(error))
    if code in _UNWRITABLE:
        return HomeReadOnly(home=os.path.dirname(path), reason=str(error))
    if code in _BUSY:
        return DatabaseBusy(path=path, waited_s=PATIENCE_S)
    if code in _FULL:
        return DiskFull(path=path, reason=str(error))
    return error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class SqliteConnection(sqlite3.Connection):
    """Runs our statements as they are."""

    def together(self) -> AbstractContextManager[object]:
        """Run the statements of a block; each is done when it returns."""
        return nullcontext()


class SqliteDatabase:
    """One connection to the database of a home, with its own hold on the lock that writers share.

    Not for use by two threads at once.
    """

    def __init__(self, path: str, *, busy_s: float = PATIENCE_S) -> None:
        """Open the database, make or migrate it if needed; later calls wait `busy_s` for a foreign program."""
        self.path = path
        self.folder = os.path.dirname(path)
        self._lock_fd = -1
        try:
            self._lock_fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not os.path.exists(path):  # only its owner may read it: parameters are in it
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.db = sqlite3.connect(
                path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False, cached_statements=512,
                factory=SqliteConnection,
            )  # fmt: skip
            self.db.executescript(_PRAGMAS)
            self.db.create_function("lower", 1, str.lower, deterministic=True)  # it knows ASCII only
            self._check_version()
            self.db.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
        except sqlite3.Error as error:
            self.close()
            raise explain(error, path) from error
        except OSError as error:
            raise HomeReadOnly(home=os.path.dirname(path), reason=error.strerror) from error
        except OstinatoError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        if hasattr(self, "db"):
            self.db.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def abandon(self) -> None:
        """Let go of what a forked child has inherited, without touching the database."""
        _INHERITED.append(self.db)
        os.close(self._lock_fd)
        self._lock_fd = -1

    # --- transactions

    def try_begin(self) -> bool:
        """Begin a write unless another process is writing."""
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
            if _code(error) in _BUSY:  # a program that knows nothing of our lock
                return False
            raise
        return True

    def commit(self) -> None:
        """Commit, and let the next process write."""
        try:
            self.db.execute("COMMIT")
        except sqlite3.Error:
            self.rollback()
            raise
        fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def rollback(self) -> None:
        """Undo, and let the next process write."""
        try:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    @contextmanager
    def writing(self, *, sync: bool = True) -> Iterator[SqliteConnection]:
        """Hold the right to write for one transaction; without `sync` a power cut may undo it.

        Raises:
            DatabaseBusy: (database-busy) another process did not let go in time.
        """
        end = time.monotonic() + PATIENCE_S
        pause_s = 0.001
        try:
            if not sync:
                self.db.execute("PRAGMA synchronous = NORMAL")
            while not self.try_begin():
                if time.monotonic() > end:
                    raise DatabaseBusy(path=self.path, waited_s=PATIENCE_S)
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, 0.01)
            try:
                yield self.db
            except BaseException:
                self.rollback()
                raise
            self.commit()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        finally:
            if not sync:
                self.db.execute("PRAGMA synchronous = FULL")

    def read_only(self) -> None:
        """Refuse to write from now on."""
        self.db.execute("PRAGMA query_only = ON")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have all reads of a block see one moment."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.execute("COMMIT")

    # --- other connections

    def news(self) -> int:
        """Give a number that changes when another connection has committed."""
        return self._pragma("data_version")

    def leads(self) -> bool:
        """Say whether this connection looks after schedules: a home has one server."""
        return True

    def depose(self) -> None:
        """Do nothing: it is ours."""

    def now_us(self) -> int:
        """Give the UTC microseconds of this machine's clock."""
        return time.time_ns() // 1000

    # --- the file

    def damage(self, limit: int) -> list[str]:
        """Give what is wrong inside the file."""
        return [str(row[0]) for row in self.db.execute(f"PRAGMA integrity_check({limit})") if row[0] != "ok"]

    def tidy(self) -> None:
        """Give freed pages back when they are many, and let the planner look at the tables again."""
        free, pages, size = (self._pragma(name) for name in ("freelist_count", "page_count", "page_size"))
        if free * size > 64 << 20 and free * 3 > pages:
            self.db.execute("VACUUM")
        self.db.execute("PRAGMA optimize")
        self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _pragma(self, name: str) -> int:
        value: int = self.db.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    # --- schema

    def _check_version(self) -> None:
        known = migrations()
        found = self.version()
        if found > len(known) and self._compatible(found) > len(known):
            raise DatabaseNewer(path=self.path, found=found, known=len(known))
        if found < len(known):
            self._migrate(known)

    def version(self) -> int:
        """Give the number of the newest migration that the database has."""
        return self._pragma("user_version")

    def _compatible(self, version: int) -> int:
        """Give how many migrations a program must know to use the database."""
        noted, oldest = divmod(self._pragma("application_id"), 1 << 16)
        return oldest if noted == version else version

    def _migrate(self, known: list[str]) -> None:
        """Bring the schema up to date; two processes that open a new home at once do it once."""
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            self.db.execute("PRAGMA journal_mode = WAL")
            found = self.version()
            if 0 < found < len(known):
                self._copy(f"{self.path}.before-{len(known)}")
            for number, file in enumerate(known[found:], start=found + 1):
                mark = (number << 16) + compatible(known[:number])
                with open(file, encoding="utf-8") as text:
                    self.db.executescript(
                        f"BEGIN IMMEDIATE;{text.read()};"
                        f"PRAGMA user_version = {number};PRAGMA application_id = {mark};COMMIT"
                    )
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _copy(self, target: str) -> None:
        copy = sqlite3.connect(target)
        try:
            self.db.backup(copy)
        finally:
            copy.close()


def schema_version(path: str) -> int:
    """Give the number of the newest migration that a database file has; 0 when there is no database.

    Raises:
        DatabaseCorrupt: (database-corrupt) it is none.
    """
    if not os.path.exists(path):
        return 0
    try:
        db = sqlite3.connect(path, timeout=PATIENCE_S)
        try:
            found: int = db.execute("PRAGMA user_version").fetchone()[0]
            return found
        finally:
            db.close()
    except sqlite3.Error as error:
        raise explain(error, path) from error


def file_bytes(path: str) -> int:
    """Give the bytes of a database file with its write-ahead log."""
    files = (f"{path}{end}" for end in ("", "-wal", "-shm"))
    return sum(os.path.getsize(file) for file in files if os.path.exists(file))


def migrations() -> list[str]:
    """Give the files of all migrations, in order."""
    return [os.path.join(MIGRATIONS, name) for name in sorted(os.listdir(MIGRATIONS)) if name.endswith(".sql")]


def compatible(files: list[str]) -> int:
    """Give how many of these migrations a program must know to use a database that has them all.

    One that only adds what older programs need not know says so in a line `-- Compatible with N.`
    """
    oldest = 0
    for number, file in enumerate(files, start=1):
        with open(file, encoding="utf-8") as text:
            said = _COMPATIBLE.search(text.read())
        oldest = max(oldest, int(said[1]) if said else number)
    return oldest


_INHERITED: Final[list[sqlite3.Connection]] = []
"""Connections of the parent process: closing them in a forked child could hurt the parent."""
