"""Stored values by content: a file for each, named by the BLAKE2b-128 of its bytes."""

from __future__ import annotations

import fcntl
import itertools
import os
from _blake2 import blake2b  # hashlib would load OpenSSL too
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import BlobMissing
from ostinato.store.journal import explain, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO


DIGEST_BYTES: Final = 16
UNFINISHED: Final = ".new"
"""Ends the names of files that are being written; one whose process died stays until retention runs."""

NAMELESS: Final = "new"
"""Folder of those whose digest is not known yet."""

_numbers = itertools.count()


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What a place knows of a blob."""

    n_bytes: int
    at_s: float
    """When it was last stored, in seconds."""


class Blobs:
    """Stored values in a folder. Safe for many threads and processes at once."""

    sweep_every_s: Final = 600.0
    """How often unused ones are looked for."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @property
    def where(self) -> str:
        """Where they are, for messages."""
        return self.folder

    def path(self, blob: str) -> str:
        """Give the file of a blob."""
        return os.path.join(self.folder, blob[:2], blob)

    def check(self) -> None:
        """Make the folder if it is missing, and write a file in it.

        Raises:
            DiskFull: (disk-full), HomeReadOnly: (home-read-only) it cannot be used.
        """
        try:
            os.makedirs(self.folder, exist_ok=True)
            with self._lock(fcntl.LOCK_SH):
                pass
        except OSError as error:
            raise explain(error, self.folder) from error

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Store bytes, synced before it returns; give the hex digest.

        Raises:
            DiskFull: (disk-full), HomeReadOnly: (home-read-only) it is not stored.
        """
        blob = digest.hex()
        path = self.path(blob)
        folder = os.path.dirname(path)
        try:
            os.makedirs(folder, exist_ok=True)
            with self._lock(fcntl.LOCK_SH):
                if os.path.exists(path):
                    os.utime(path)  # young again: the sweep of unused blobs leaves it alone
                    return blob
                self._write(path, data)
            sync_folder(folder)
        except OSError as error:
            raise explain(error, path) from error
        return blob

    def has(self, blob: str) -> bool:
        """Say whether a blob is there, unchecked."""
        return os.path.exists(self.path(blob))

    def get(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest.

        Raises:
            BlobMissing: (blob-missing) it is not there, or damaged.
        """
        path = self.path(blob)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise BlobMissing(digest=blob, how="missing", path=path) from error
        if name_of(data) != blob:
            self._set_aside(path)
            raise BlobMissing(digest=blob, how="damaged", path=path)
        return data

    def open(self, blob: str) -> tuple[BinaryIO, int]:
        """Give stored bytes, unchecked, as a file and their number.

        Raises:
            BlobMissing: (blob-missing) it is not there.
        """
        path = self.path(blob)
        try:
            file = open(path, "rb")  # noqa: SIM115 - the caller closes it
        except OSError as error:
            raise BlobMissing(digest=blob, how="missing", path=path) from error
        return file, os.fstat(file.fileno()).st_size

    def arriving(self, blob: str = "") -> Arriving:
        """Take in a blob in parts; without its digest it is named by what comes."""
        return Arriving(self, blob)

    def files(self) -> Iterator[tuple[str, Stored]]:
        """Give all blobs with what the file system knows of them."""
        for shelf in _entries(self.folder):
            if shelf.is_dir():
                for entry in _entries(shelf.path):
                    if len(entry.name) == 2 * DIGEST_BYTES:
                        stat = entry.stat()
                        yield entry.name, Stored(n_bytes=stat.st_size, at_s=stat.st_mtime)

    def delete(self, blobs: Iterable[str], before: float) -> list[str]:
        """Delete blobs that nobody has stored again since an instant (seconds); give those that went."""
        gone: list[str] = []
        if not os.path.isdir(self.folder):
            return gone
        with self._lock(fcntl.LOCK_EX):
            for blob in blobs:
                path = self.path(blob)
                if os.path.exists(path) and os.stat(path).st_mtime < before:
                    os.unlink(path)
                    gone.append(blob)
        return gone

    def delete_unfinished(self, before: float) -> None:
        """Delete files that were begun before an instant (seconds) and never became a blob."""
        for shelf in _entries(self.folder):
            if shelf.is_dir():
                for entry in _entries(shelf.path):
                    if entry.name.endswith(UNFINISHED) and entry.stat().st_mtime < before:
                        os.unlink(entry.path)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Hold off every deletion."""
        os.makedirs(self.folder, exist_ok=True)
        with self._lock(fcntl.LOCK_SH):
            yield

    def _set_aside(self, path: str) -> None:
        """Make room for the right bytes, should they be stored again."""
        try:
            os.replace(path, f"{path}.damaged")
        except OSError:  # a home that cannot be written: it stays, and each reader finds the damage anew
            return

    def _write(self, path: str, data: bytes | memoryview) -> None:
        hidden = f"{path}.{os.getpid()}.{next(_numbers)}{UNFINISHED}"
        try:
            with open(hidden, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(hidden, path)
        except OSError:
            if os.path.exists(hidden):
                os.unlink(hidden)
            raise

    @contextmanager
    def _lock(self, how: int) -> Iterator[None]:
        """Hold off the sweep (shared), or everybody (exclusive)."""
        fd = os.open(os.path.join(self.folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, how)
            yield
        finally:
            os.close(fd)


class Arriving:
    """A blob that comes in parts: kept by `finish` when all of it has come, and by nothing else."""

    def __init__(self, blobs: Blobs, blob: str) -> None:
        self.blob = blob
        self._blobs = blobs
        self._path = blobs.path(blob) if blob else os.path.join(blobs.folder, NAMELESS, "blob")
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        self._hidden = f"{self._path}.{os.getpid()}.{next(_numbers)}{UNFINISHED}"
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = open(self._hidden, "xb")  # noqa: SIM115 - until `close`
        except OSError as error:
            raise explain(error, self._path) from error

    def add(self, part: bytes) -> None:
        """Take in the next part."""
        self._digest.update(part)
        try:
            self._file.write(part)
        except OSError as error:
            raise explain(error, self._path) from error

    def finish(self) -> bool:
        """Keep what has come, synced; False when it is not what the digest names."""
        digest = self._digest.hexdigest()
        if self.blob not in ("", digest):
            return False
        self.blob, self._path = digest, self._blobs.path(digest)
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file.flush()
            os.fsync(self._file.fileno())
            with self._blobs.kept():
                os.rename(self._hidden, self._path)
            sync_folder(os.path.dirname(self._path))
        except OSError as error:
            raise explain(error, self._path) from error
        return True

    def close(self) -> None:
        """Let go; what was not kept is gone."""
        with suppress(OSError):  # a full disk: what the buffer holds cannot be written
            self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._hidden)


def name_of(data: bytes | memoryview) -> str:
    """Give the hex digest that names bytes."""
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
