"""A home or a PostgreSQL database, copied whole into another one."""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import BlobMissing, CopyDiffers, CopyRefused
from ostinato.core.settings import load, without_password
from ostinato.session.backups import alone
from ostinato.session.discovery import is_held
from ostinato.session.home import Home
from ostinato.session.orphans import deliver_orphans, is_locked, segments
from ostinato.store import sql
from ostinato.store.commands.places import SILENT_US
from ostinato.store.contents import FACTS, SqliteContents, Tally, is_empty
from ostinato.store.journal import sync_folder
from ostinato.store.places import carry, place_at
from ostinato.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ostinato.store.contents import Contents, Row
    from ostinato.store.database import Database
    from ostinato.store.places import Place

SCHEMES: Final = ("postgresql://", "postgres://")
ENDINGS: Final = ("", "-wal", "-shm", ".lock")
"""Of the files that belong to a database file."""


class CopiedTable(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied of a table, and is the same on both sides."""

    name: str
    n_rows: int
    checksum: str
    """Sum of the hashes of all rows, in hexadecimal."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied."""

    source: str
    target: str
    tables: list[CopiedTable]
    n_rows: int
    n_texts_changed: int
    """Texts with NUL in them, which PostgreSQL cannot keep: it has U+FFFD in its place."""
    blobs_place: str
    n_blobs: int
    """Stored values that were not there before."""
    blob_bytes: int
    blobs_missing: list[str]
    """Stored values that something refers to and the source has not, or damaged."""
    n_secrets: int
    """They open only with the key of the source: `secret.key`, or OSTINATO_SECRET_KEY."""
    took_s: float


def copy(source: str, target: str, *, blobs_from: str = "", blobs_to: str = "") -> Copied:
    """Copy a home, or a PostgreSQL database, into another one that is empty: all of it, or nothing.

    Raises:
        CopyRefused: (copy-refused) there is no source, it is in use, or the target is not empty.
        CopyDiffers: (copy-differs) what was written is not what was read.
    """
    begun_s = time.monotonic()
    source_home, target_home = _home(source), _home(target)
    said = (without_password(source), without_password(target))
    _check_source(source_home, said, target_home)
    origin = _place(source_home, blobs_from)
    goal = _place(target_home, blobs_to)
    with closing(source_home.open()) as opened:
        deliver_orphans(source_home, opened)
        _refuse_if_served(opened, said, "the source")
        before = _contents(opened)
        with _written(target_home, said) as after, before.reading():
            if before.tables() != after.tables():
                raise CopyRefused(
                    source=said[0], target=said[1], reason="their tables differ", fix="Use one version of Ostinato."
                )
            n_blobs, n_bytes, missing = _copy_blobs(opened, origin, goal)
            tables, n_changed = _copy_tables(before, after, said[1])
            secrets = opened.db.execute(sql.load("copies")["count_secrets"]).fetchone()[0]
    return Copied(
        source=said[0],
        target=said[1],
        tables=tables,
        n_rows=sum(table.n_rows for table in tables),
        n_texts_changed=n_changed,
        blobs_place=goal.where,
        n_blobs=n_blobs,
        blob_bytes=n_bytes,
        blobs_missing=missing,
        n_secrets=secrets,
        took_s=round(time.monotonic() - begun_s, 3),
    )


# --- the two sides


def _home(named: str) -> Home:
    """Give the home of a side; that of a URL is the configured one."""
    if named.startswith(SCHEMES):
        return Home(load().home, database_url=named)
    folder = os.path.abspath(os.path.expanduser(named))
    in_file = load({"OSTINATO_HOME": folder}, folder)
    return Home(folder, database_url="", blobs_url=in_file.blobs_url)


def _place(home: Home, named: str) -> Place:
    return place_at(named) if named else home.open_blobs()


def _contents(database: Database) -> Contents:
    if isinstance(database, SqliteDatabase):
        return SqliteContents(database)
    from ostinato.store.postgres import PostgresDatabase
    from ostinato.store.postgres_contents import PostgresContents

    if not isinstance(database, PostgresDatabase):
        raise TypeError(database)
    return PostgresContents(database)


def _check_source(home: Home, said: tuple[str, str], target: Home) -> None:
    reason, fix = "", ""
    same_url = home.database_url == target.database_url
    if same_url and (home.database_url or os.path.realpath(home.folder) == os.path.realpath(target.folder)):
        reason, fix = "both are the same", "Name another target."
    elif not home.database_url and not os.path.exists(home.database):
        reason, fix = f"there is no {home.database}", "Name the folder of a home, or a postgresql:// URL."
    elif not home.database_url and is_held(home):
        reason, fix = "a server runs on it", "End the server, copy, and start it on the copy."
    elif any(is_locked(path) for paths in segments(home).values() for path in paths):
        reason, fix = "a process writes to it", "Wait for its end; `ostinato doctor` names it."
    if reason:
        raise CopyRefused(source=said[0], target=said[1], reason=reason, fix=fix)


def _refuse_if_served(database: Database, said: tuple[str, str], side: str) -> None:
    """Refuse a database whose server, wherever it is, was alive a moment ago."""
    seen = [row[1] for row in database.db.execute(sql.load("places")["held_places"])]
    if any(database.now_us() - seen_at < SILENT_US for seen_at in seen):
        fix = f"End its servers, wait {SILENT_US // 1_000_000} s for one that was killed, then copy."
        raise CopyRefused(source=said[0], target=said[1], reason=f"a server of {side} lives", fix=fix)


@contextmanager
def _written(home: Home, said: tuple[str, str]) -> Iterator[Contents]:
    """Give an empty database to be filled; nothing of it is left when that fails."""
    if home.database_url:
        with closing(home.open()) as database:
            contents = _contents(database)
            _need_empty(contents, said)
            _refuse_if_served(database, said, "the target")
            with contents.loading():
                yield contents
        return
    home.make()
    with alone(home):
        if os.path.exists(home.database):
            with closing(home.open()) as database:
                _need_empty(_contents(database), said)
        hidden = f"{home.database}.copying"
        _remove(hidden)
        try:
            with closing(SqliteDatabase(hidden)) as database:
                contents = SqliteContents(database)
                with contents.loading():
                    yield contents
            _sync(hidden)
            _remove(home.database, but=".lock")
            os.rename(hidden, home.database)
            sync_folder(home.folder)
        finally:
            _remove(hidden)


def _need_empty(contents: Contents, said: tuple[str, str]) -> None:
    if not is_empty(contents):
        fix = "Name an empty folder, or a schema without our tables."
        raise CopyRefused(source=said[0], target=said[1], reason="the target is not empty", fix=fix)


def _remove(path: str, but: str = "none") -> None:
    for ending in ENDINGS:
        if ending != but and os.path.exists(path + ending):
            os.unlink(path + ending)


def _sync(path: str) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


# --- what is copied


def _copy_blobs(source: Database, origin: Place, goal: Place) -> tuple[int, int, list[str]]:
    """Copy the stored values that something refers to; give their number, bytes, and those that were missing."""
    if origin.where == goal.where:
        return 0, 0, []
    n_blobs = n_bytes = 0
    missing = []
    for (blob,) in source.db.execute(sql.load("maintenance")["used_blobs"]).fetchall():
        if goal.has(blob):
            continue
        try:
            n_bytes += carry(blob, origin, goal)
            n_blobs += 1
        except BlobMissing:
            missing.append(blob)
    return n_blobs, n_bytes, missing


def _copy_tables(before: Contents, after: Contents, target: str) -> tuple[list[CopiedTable], int]:
    """Copy all rows, then read what was written; give the tables, and how many texts had to be changed."""
    copied, n_changed = [], 0
    for table in before.tables():
        mender = _Mender()
        rows = before.rows(table) if after.takes_nul else mender.mended(before.rows(table))
        read, written = Tally(), Tally()
        if table.name == FACTS:
            after.database.db.execute("DELETE FROM facts")
        after.load(table, read.counted(rows))
        _exhaust(written.counted(after.rows(table)))
        if (read.n_rows, read.checksum) != (written.n_rows, written.checksum):
            raise CopyDiffers(target=target, tables=table.name)
        copied.append(CopiedTable(name=table.name, n_rows=read.n_rows, checksum=read.checksum))
        n_changed += mender.n_changed
    for name, highest in before.counters().items():
        after.set_counter(name, highest)
    return copied, n_changed


class _Mender:
    """Takes NUL out of texts, as the store of PostgreSQL does."""

    def __init__(self) -> None:
        self.n_changed = 0

    def mended(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield tuple(map(self._mend, row)) if any(type(one) is str and "\0" in one for one in row) else row

    def _mend(self, value: object) -> object:
        if not isinstance(value, str) or "\0" not in value:
            return value
        self.n_changed += 1
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _exhaust(rows: Iterator[Row]) -> None:
    for _ in rows:
        pass
