"""What `ostinato db` and `ostinato doctor` do with a home."""

from __future__ import annotations

import os
import shutil
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from ostinato.core.errors import DatabaseCorrupt, OstinatoError
from ostinato.core.settings import load, without_password
from ostinato.session.home import Home, file_system, mounts
from ostinato.session.orphans import deliver_orphans, is_locked, segments
from ostinato.session.upkeep import keep_by
from ostinato.store import sql
from ostinato.store.blobs import UNFINISHED
from ostinato.store.buckets import Bucket
from ostinato.store.journal import read, read_writer, tail
from ostinato.store.maintenance import (
    Finding,
    Removed,
    check_blobs,
    check_database,
    count_old,
    remove_old,
    remove_unused_blobs,
)
from ostinato.store.sqlite import explain, file_bytes, migrations

if TYPE_CHECKING:
    from ostinato.core.settings import Settings
    from ostinato.store.database import Connection
    from ostinato.store.places import Place


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration did."""

    found: int
    """Schema version before; 0 when the database was made."""
    now: int
    database: str
    """Its file, or the address without its password."""


class JournalFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The journal of one writer."""

    stream: str
    pid: int
    host: str
    started_at: int
    alive: bool
    """Its process lives; else it waits for somebody to deliver it."""
    n_waiting: int
    """Events that are not in the database yet."""
    n_segments: int
    n_bytes: int
    damage: str
    """What is wrong with its files, or empty."""


class HomeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What `ostinato doctor` tells of a home."""

    home: str
    database: str
    """Its file, or the address without its password."""
    file_system: str
    free_bytes: int
    schema_version: int
    """Of the database; 0 when there is none, -1 when it cannot be read."""
    known_version: int
    database_bytes: int
    """With its write-ahead log."""
    database_error: str
    n_flow_runs: int
    n_task_runs: int
    n_blocks: int
    blobs_place: str
    n_blobs: int
    """-1 where they are many to list: in a bucket."""
    blob_bytes: int
    blobs_error: str
    """Why the bucket cannot be used, or empty."""
    journals: list[JournalFacts]
    damaged: list[str]
    """Files with damaged parts of journals that were moved aside."""


def migrate(folder: str | None = None) -> Migrated:
    """Bring the database of a home up to date; an old file is kept beside it as `ostinato.db.before-N`."""
    home = _home(folder)
    with home.peeking() as (_, found, _):
        pass
    home.open().close()
    return Migrated(found=found, now=len(migrations()), database=without_password(home.database_url) or home.database)


def check(folder: str | None = None) -> list[Finding]:
    """Give everything that is wrong with a home: database, counters, streams, journal, blobs."""
    home = _home(folder)
    found: list[Finding] = []
    blobs = home.open_blobs()
    try:
        database = home.open()
        try:
            found += check_database(database)
            found += check_blobs(database.db, blobs)
            facts = _journals(home, database.db)
        finally:
            database.close()
    except (DatabaseCorrupt, sqlite3.DatabaseError) as error:
        found.append(Finding(subject="database", text=str(error)))
        facts = _journals(home, None)
    found += [Finding(subject="journal", text=journal.damage) for journal in facts if journal.damage]
    found += [Finding(subject="journal", text=f"damaged, moved aside: {path}") for path in _damaged(home)]
    return found


def vacuum(folder: str | None = None, *, dry_run: bool = False, settings: Settings | None = None) -> Removed:
    """Remove what retention allows: raw blocks, old runs (no pinned ones), unused blobs; give how much."""
    home = _home(folder)
    keep = keep_by(settings or load())
    blobs = home.open_blobs()
    database = home.open()
    try:
        if dry_run:
            n_blocks, n_roots = count_old(database, keep)
            n_blobs, n_bytes = remove_unused_blobs(database, blobs, keep.blobs_from, dry_run=True)
        else:
            deliver_orphans(home, database)
            n_blocks, n_roots = remove_old(database, keep, list(segments(home)))
            n_blobs, n_bytes = remove_unused_blobs(database, blobs, keep.blobs_from)
            blobs.delete_unfinished(keep.blobs_from / 1e6)
            _delete_unfinished_segments(home, keep.blobs_from / 1e6)
            database.tidy()
    except sqlite3.Error as error:
        raise explain(error, home.database) from error
    finally:
        database.close()
    return Removed(n_blocks=n_blocks, n_root_runs=n_roots, n_blobs=n_blobs, blob_bytes=n_bytes)


def facts(folder: str | None = None) -> HomeFacts:
    """Give the facts about a home, whatever state it is in; nothing is changed, delivered or repaired."""
    home = Home(folder or load().home)
    version, error, counts, n_bytes = -1, "", (0, 0, 0), file_bytes(home.database)
    journals: list[JournalFacts] = []
    try:
        with home.peeking() as (db, version, n_bytes):
            if version > len(migrations()):
                home.open().close()  # unless it is not for this version
            if db is not None:
                counts = db.execute(sql.load("maintenance")["table_counts"]).fetchone()
            journals = _journals(home, db)
    except (OstinatoError, sqlite3.Error) as problem:
        error = str(problem)
        journals = _journals(home, None)
    n_blobs, blob_bytes, blobs_error = _count_blobs(home.open_blobs())
    return HomeFacts(
        home=home.folder,
        database=without_password(home.database_url) or home.database,
        file_system=file_system(home.folder, mounts()),
        free_bytes=_free_bytes(home.folder),
        schema_version=version,
        known_version=len(migrations()),
        database_bytes=n_bytes,
        database_error=error,
        n_flow_runs=counts[0],
        n_task_runs=counts[1],
        n_blocks=counts[2],
        blobs_place=home.open_blobs().where,
        n_blobs=n_blobs,
        blob_bytes=blob_bytes,
        blobs_error=blobs_error,
        journals=journals,
        damaged=_damaged(home),
    )


def _count_blobs(blobs: Place) -> tuple[int, int, str]:
    if isinstance(blobs, Bucket):
        try:
            blobs.check()
        except OstinatoError as error:
            return -1, 0, str(error)
        return -1, 0, ""
    sizes = [stored.n_bytes for _, stored in blobs.files()]
    return len(sizes), sum(sizes), ""


def _home(folder: str | None) -> Home:
    home = Home(folder or load().home)
    home.make()
    return home


def _journals(home: Home, db: Connection | None) -> list[JournalFacts]:
    found = segments(home)
    acked: dict[str, int] = {}
    if db is not None:
        wanted = msgspec.json.encode(list(found)).decode()
        acked = dict(db.execute(sql.load("maintenance")["acked_seqs"], (wanted,)).fetchall())
    return [_journal(stream, paths, acked.get(stream, 0)) for stream, paths in found.items()]


def _journal(stream: str, paths: list[str], acked_seq: int) -> JournalFacts:
    pid, host, started_at, last_seq, n_bytes, damage = 0, "", 0, 0, 0, ""
    alive = False
    for path in paths:
        try:
            alive = alive or is_locked(path)
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:  # delivered meanwhile
            continue
        good = 0
        for good, frame in read(data):  # noqa: B007  (where the last good frame ends)
            if frame.n_events == 0:
                writer = read_writer(frame)
                pid, host, started_at = writer.pid, writer.host, writer.started_at
            last_seq = max(last_seq, frame.last_seq)
        n_bytes += len(data)
        if tail(data, good) == "damaged":
            damage = f"{path}: {len(data) - good} bytes at the end are damaged"
    return JournalFacts(
        stream=stream,
        pid=pid,
        host=host,
        started_at=started_at,
        alive=alive,
        n_waiting=max(last_seq - acked_seq, 0),
        n_segments=len(paths),
        n_bytes=n_bytes,
        damage=damage,
    )


def _delete_unfinished_segments(home: Home, before: float) -> None:
    """Delete what a process that died in the moment between left: it holds nothing that counts."""
    for name in os.listdir(home.journal):
        path = os.path.join(home.journal, name)
        if name.endswith(UNFINISHED) and os.stat(path).st_mtime < before and not is_locked(path):
            os.unlink(path)


def _damaged(home: Home) -> list[str]:
    if not os.path.isdir(home.damaged):
        return []
    return [os.path.join(home.damaged, name) for name in sorted(os.listdir(home.damaged))]


def _free_bytes(folder: str) -> int:
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return shutil.disk_usage(folder).free
