"""The folder of a home: its paths, whether it may be one, and its database."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import ExtraMissing, HomeOnNetwork, HomeReadOnly
from ostinato.core.settings import load, without_password
from ostinato.store.database import PATIENCE_S
from ostinato.store.places import place_at
from ostinato.store.sqlite import SqliteDatabase, file_bytes, schema_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.core.settings import Settings
    from ostinato.store.database import Connection, Database
    from ostinato.store.places import Place
    from ostinato.store.postgres import PostgresDatabase

NETWORK_KINDS: Final = frozenset(
    "9p acfs afs beegfs ceph cifs coda davfs fuse.ceph fuse.cephfs fuse.gcsfuse fuse.glusterfs fuse.rclone"
    " fuse.s3fs fuse.sshfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs3 nfs4 ocfs2 pvfs2 smb2 smb3 smbfs".split()
)
"""File systems of other machines. Local disks of virtual machines (virtiofs) are none of them."""

MOUNTS: Final = "/proc/self/mounts"


class Home:
    """Names what lies in a home."""

    def __init__(self, folder: str, database_url: str | None = None, blobs_url: str | None = None) -> None:
        """Take a folder; database and stored values are in it unless there are URLs, by default the settings'."""
        self.folder = folder
        self.database = os.path.join(folder, "ostinato.db")
        """The file, which is there when the database has no URL."""
        self._url = database_url
        self._blobs_url = blobs_url
        self.journal = os.path.join(folder, "journal")
        self.damaged = os.path.join(self.journal, "damaged")
        self.blobs = os.path.join(folder, "blobs")
        """The folder of stored values, where they have no URL."""
        self.server_card = os.path.join(folder, "server.json")
        """Where the server that runs on it can be found."""
        self.sessions = os.path.join(folder, "sessions.json")
        """Browsers that are let in."""
        self.server_lock = os.path.join(folder, "server.lock")
        """Locked by that server while it lives."""

    @property
    def database_url(self) -> str:
        """The address of the PostgreSQL database; empty when the database is the file."""
        if self._url is None:
            self._url = self._settings().database_url
        return self._url

    @property
    def blobs_url(self) -> str:
        """The folder or URL of stored values; empty when they are in the home."""
        if self._blobs_url is None:
            self._blobs_url = self._settings().blobs_url
        return self._blobs_url

    @property
    def blobs_place(self) -> str:
        """Where stored values are, in words that are the same for all who share them."""
        return without_password(self.blobs_url) or f"{socket.gethostname()}:{os.path.realpath(self.blobs)}"

    def open_blobs(self) -> Place:
        """Give the place of its stored values; nothing is looked at yet."""
        url = self.blobs_url
        if "://" not in url:
            url = os.path.join(self.folder, os.path.expanduser(url)) if url else self.blobs
        return place_at(url)

    def _settings(self) -> Settings:
        return load({**os.environ, "OSTINATO_HOME": self.folder})

    def open(self, *, busy_s: float = PATIENCE_S) -> Database:
        """Give a connection to its database, made or migrated if needed; it waits `busy_s` for a foreign program."""
        return self._postgres() if self.database_url else SqliteDatabase(self.database, busy_s=busy_s)

    def _postgres(self, *, migrates: bool = True) -> PostgresDatabase:
        try:
            from ostinato.store.postgres import PostgresDatabase
        except ModuleNotFoundError as error:
            raise ExtraMissing(what="a PostgreSQL database", package="psycopg", extra="postgres") from error
        return PostgresDatabase(self.database_url, self.folder, migrates=migrates)

    def open_to_read(self) -> Database:
        """Give a connection that cannot write."""
        database = self.open()
        database.read_only()
        return database

    @contextmanager
    def peeking(self) -> Iterator[tuple[Connection | None, int, int]]:
        """Give a connection that makes, migrates and writes nothing; the schema version, and the bytes on disk.

        Where there is no database yet, there is no connection, and the version is 0.
        """
        if self.database_url:
            with closing(self._postgres(migrates=False)) as database:
                database.read_only()
                version = database.version()
                yield database.db if version else None, version, database.n_bytes()
            return
        version = schema_version(self.database)
        if not version:
            yield None, 0, 0
            return
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            yield db, version, file_bytes(self.database)

    def make(self) -> None:
        """Make the folder if it is missing, and refuse one that cannot be a home.

        Raises:
            HomeReadOnly: (home-read-only) it cannot be made.
            HomeOnNetwork: (home-on-network-disk) locks and syncs cannot be trusted there.
        """
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            os.makedirs(self.journal, exist_ok=True)
        except OSError as error:
            raise HomeReadOnly(home=self.folder, reason=error.strerror) from error
        kind = file_system(self.folder, mounts())
        if kind in NETWORK_KINDS:
            raise HomeOnNetwork(home=self.folder, kind=kind)


def file_system(folder: str, mounts: str) -> str:
    """Give the kind of file system that a folder is on, by the text of /proc/self/mounts; "" when unknown."""
    path = os.path.realpath(folder)
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= best:
            best, kind = len(point), fields[2]
    return kind


def mounts() -> str:
    """Give the text of the table of mounts, empty where there is none."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:  # no Linux: nothing is known, and nothing is refused
        return ""
