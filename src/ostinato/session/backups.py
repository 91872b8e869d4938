"""A home as one archive file, and back."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import BackupElsewhere, BadOption, BlobMissing, DatabaseBusy, DatabaseCorrupt, DatabaseNewer
from ostinato.core.settings import load
from ostinato.session.home import Home
from ostinato.session.orphans import crash_stream, deliver_orphans, is_locked, segments
from ostinato.store import sql
from ostinato.store.blobs import Blobs, name_of
from ostinato.store.journal import explain as explain_disk
from ostinato.store.journal import sync_folder
from ostinato.store.places import carry
from ostinato.store.sqlite import SqliteDatabase, explain, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.store.places import Place

MANIFEST: Final = "manifest.json"
DATABASE: Final = "ostinato.db"

_MEMBER: Final = re.compile(r"manifest\.json|ostinato\.db|blobs/([0-9a-f]{2})/(\1[0-9a-f]{30})")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    format: int
    schema_version: int
    made_at: int
    n_blobs: int


def backup(target: str, folder: str | None = None) -> Manifest:
    """Write database and stored values of a home into one tar file, while others go on writing.

    Raises:
        BadOption: (option-invalid) the target exists.
        BackupElsewhere: (backup-elsewhere) the database is not in the home.
        DiskFull: (disk-full) no room for it; nothing is left behind.
    """
    home = _home(folder)
    if os.path.exists(target):
        raise BadOption(
            option="TARGET", value=target, where="`ostinato db backup`", reason="it exists", fix="Name a new file."
        )
    partial = f"{target}.partial"
    database = SqliteDatabase(home.database)
    blobs = home.open_blobs()
    try:
        deliver_orphans(home, database)
        with blobs.kept(), tempfile.TemporaryDirectory(dir=home.folder, prefix="backup-") as scratch:
            copy = os.path.join(scratch, DATABASE)
            used = _copy(database, copy, blobs)
            manifest = Manifest(
                format=1, schema_version=len(migrations()), made_at=time.time_ns() // 1000, n_blobs=len(used)
            )
            with open(os.path.join(scratch, MANIFEST), "wb") as file:
                file.write(msgspec.json.encode(manifest))
            with open(partial, "wb") as out:
                with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                    tar.add(os.path.join(scratch, MANIFEST), MANIFEST)
                    tar.add(copy, DATABASE)
                    for blob in used:
                        _add(tar, blobs, blob)
                out.flush()
                os.fsync(out.fileno())
            os.rename(partial, target)
            sync_folder(os.path.dirname(os.path.abspath(target)))
    except OSError as error:
        raise explain_disk(error, target) from error
    except sqlite3.Error as error:
        raise explain(error, home.database) from error
    finally:
        database.close()
        if os.path.exists(partial):
            os.unlink(partial)
    return manifest


def restore(archive: str, folder: str | None = None, *, replace: bool = False) -> Manifest:
    """Make a home from an archive; one that has a database is left alone unless `replace`, which keeps it beside.

    Raises:
        BadOption: (option-invalid) no such archive, a damaged one, or the home has a database.
        DatabaseBusy: (database-busy) a process is using the home.
        DatabaseNewer: (database-newer) the archive comes from a newer Ostinato.
    """
    home = _home(folder)
    if os.path.exists(home.database) and not replace:
        raise _refuse(
            archive, f"{home.folder} has a database", "Name an empty home, or add --replace to move its database aside."
        )
    with tempfile.TemporaryDirectory(dir=home.folder, prefix="restore-") as scratch:
        manifest = _unpack(archive, scratch)
        _check(archive, scratch, manifest)
        with alone(home):
            _put_in_place(home, scratch)
    with closing(home.open()) as database:
        for (stream,) in database.db.execute(sql.load("claims")["active_streams"]).fetchall():
            crash_stream(database, stream, "its process wrote to the home that was backed up", killed=True)
    return manifest


def _home(folder: str | None) -> Home:
    home = Home(folder or load().home)
    if home.database_url:
        raise BackupElsewhere(home=home.folder)
    home.make()
    return home


def _copy(database: SqliteDatabase, path: str, blobs: Place) -> list[str]:
    """Copy the database as it is at one moment; give the blobs that it refers to and that exist."""
    copy = sqlite3.connect(path)
    try:
        database.db.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        used = [row[0] for row in copy.execute(sql.load("maintenance")["used_blobs"]).fetchall()]
    finally:
        copy.close()
    return sorted(blob for blob in used if blobs.has(blob))


def _add(tar: tarfile.TarFile, blobs: Place, blob: str) -> None:
    member = tarfile.TarInfo(f"blobs/{blob[:2]}/{blob}")
    file, member.size = blobs.open(blob)
    with file:
        tar.addfile(member, file)


def _unpack(archive: str, scratch: str) -> Manifest:
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if not member.isfile() or not _MEMBER.fullmatch(member.name):
                    raise _refuse(archive, f"it holds {member.name!r}", "Name an archive of `ostinato db backup`.")
                path = os.path.join(scratch, *member.name.split("/"))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                content = tar.extractfile(member)
                if content is not None:
                    with content, open(path, "wb") as out:
                        shutil.copyfileobj(content, out, 1 << 20)
                        out.flush()
                        os.fsync(out.fileno())
        with open(os.path.join(scratch, MANIFEST), "rb") as file:
            return msgspec.json.decode(file.read(), type=Manifest)
    except FileNotFoundError as error:
        reason = "there is no such file" if error.filename == archive else "its manifest is missing"
        raise _refuse(archive, reason, "Name an archive of `ostinato db backup`.") from error
    except (tarfile.TarError, msgspec.DecodeError, EOFError) as error:
        raise _refuse(archive, f"it is damaged ({error})", "Use an older backup.") from error
    except OSError as error:
        raise explain_disk(error, scratch) from error


def _check(archive: str, scratch: str, manifest: Manifest) -> None:
    if manifest.schema_version > len(migrations()):
        raise DatabaseNewer(path=archive, found=manifest.schema_version, known=len(migrations()))
    path = os.path.join(scratch, DATABASE)
    try:
        db = sqlite3.connect(path)
        try:
            answer = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            db.close()
    except sqlite3.Error as error:
        raise explain(error, archive) from error
    if answer != "ok":
        raise DatabaseCorrupt(path=archive, reason=answer)
    blobs = Blobs(os.path.join(scratch, "blobs"))
    n_blobs = 0
    for blob, _ in blobs.files():
        n_blobs += 1
        with open(blobs.path(blob), "rb") as file:
            if name_of(file.read()) != blob:
                raise BlobMissing(digest=blob, how="damaged", path=archive)
    if n_blobs != manifest.n_blobs:
        raise _refuse(archive, f"it has {n_blobs} of {manifest.n_blobs} stored values", "Use an older backup.")


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Hold the right to write, while no process has a journal in the home."""
    if os.path.exists(home.database):
        with suppress(DatabaseCorrupt, DatabaseNewer):  # what is restored replaces that one
            database = home.open()
            try:
                deliver_orphans(home, database)
            finally:
                database.close()
    fd = os.open(f"{home.database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if any(is_locked(path) for paths in segments(home).values() for path in paths):
            raise DatabaseBusy(path=home.database, waited_s=0)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DatabaseBusy(path=home.database, waited_s=0) from error
        yield
    finally:
        os.close(fd)


def _put_in_place(home: Home, scratch: str) -> None:
    """Move what was unpacked into the home; an old database stays beside it as `ostinato.db.replaced-...`."""
    aside = f"{home.database}.replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    for end in ("", "-wal", "-shm"):  # an old log beside a new database would ruin it
        if os.path.exists(home.database + end):
            os.rename(home.database + end, aside + end)
    unpacked, goal = Blobs(os.path.join(scratch, "blobs")), home.open_blobs()
    for blob, _ in unpacked.files():
        if not isinstance(goal, Blobs) or goal.folder != home.blobs:
            carry(blob, unpacked, goal)
            continue
        os.makedirs(os.path.dirname(goal.path(blob)), exist_ok=True)
        os.replace(unpacked.path(blob), goal.path(blob))
        sync_folder(os.path.dirname(goal.path(blob)))
    os.rename(os.path.join(scratch, DATABASE), home.database)
    sync_folder(home.folder)


def _refuse(archive: str, reason: str, fix: str) -> BadOption:
    return BadOption(option="ARCHIVE", value=archive, where="`ostinato db restore`", reason=reason, fix=fix)
