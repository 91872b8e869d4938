"""Stored values in a bucket, or below any other URL that fsspec knows."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from ostinato.core.errors import (
    BlobMissing,
    DiskFull,
    ExtraMissing,
    StorageForbidden,
    StorageMissing,
    StorageUnknown,
    StorageUnreachable,
)
from ostinato.core.settings import without_password
from ostinato.store.blobs import DIGEST_BYTES, Blobs, Stored, name_of
from ostinato.store.journal import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

ASIDE: Final = "unused"
"""Where blobs wait that nothing refers to, before they go."""
CHECK: Final = ".check"
"""Ends the names of what is written to find out whether it can be."""
PART_BYTES: Final = 1 << 20
PATIENCE_S: Final = 30.0
"""So long a value that is to be stored waits for a storage that does not answer."""
PAUSE_S: Final = 1.0

_FLAT: Final = frozenset("s3 s3a gs gcs az abfs abfss adl oss obs cos memory".split())
"""Protocols without folders that would have to be made."""
_AT: Final = ("LastModified", "mtime", "last_modified", "updated", "modified", "created")
"""What protocols call the instant at which a file was written."""


FILE: Final = "file://"


def place_of(url: str) -> Blobs | Bucket:
    """Give the place of a file:// URL, which is a folder, or of any URL that fsspec knows; nothing is looked at yet."""
    if url.startswith(FILE):
        return Blobs(os.path.join("/", unquote(url.removeprefix(FILE))))
    return Bucket(url)


class Bucket:
    """Stored values below a URL. Safe for many threads and processes at once, and after a fork.

    Nothing can hold off a sweep here, so what is unused is first moved aside, and goes at a later sweep if it is
    unused still; whoever asks for it meanwhile gets it back.
    """

    sweep_every_s: Final = 86_400.0
    """How often unused ones are looked for: each time all names are listed."""

    def __init__(self, url: str) -> None:
        self._url: Final = url
        self.where: Final = without_password(url)
        """Where they are, for messages."""
        self._opened: tuple[int, Any, str] = (-1, None, "")

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Store bytes; give the hex digest. What is there is written again: so it is young, and whole.

        Raises:
            StorageUnreachable: (storage-unreachable) not even after a while.
        """
        blob, whole = digest.hex(), bytes(data)
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._files() as (files, root):
                    path = _path(root, blob)
                    self._make_folder(files, path)
                    files.pipe_file(path, whole)
            except StorageUnreachable:  # the result of long work is worth a wait
                if time.monotonic() > end_s:
                    raise
                time.sleep(PAUSE_S)
            else:
                return blob

    def has(self, blob: str) -> bool:
        """Say whether a blob is there, unchecked."""
        with self._files() as (files, root):
            return bool(files.exists(_path(root, blob))) or self._give_back(files, root, blob)

    def get(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest.

        Raises:
            BlobMissing: (blob-missing) it is not there, or damaged.
        """
        with self._files() as (files, root):
            try:
                data: bytes = files.cat_file(_path(root, blob))
            except FileNotFoundError as error:
                if not self._give_back(files, root, blob):
                    raise BlobMissing(digest=blob, how="missing", path=self.where) from error
                data = files.cat_file(_path(root, blob))
        if name_of(data) != blob:
            raise BlobMissing(digest=blob, how="damaged", path=self.where)
        return data

    def open(self, blob: str) -> tuple[StoredFile, int]:
        """Give stored bytes, unchecked, as a file and their number.

        Raises:
            BlobMissing: (blob-missing) it is not there.
        """
        for place in (_path, _aside):
            with self._files() as (files, root), contextlib.suppress(FileNotFoundError):
                file: Any = files.open(place(root, blob), "rb", block_size=PART_BYTES, cache_type="readahead")
                n_bytes: int = file.seek(0, os.SEEK_END)
                file.seek(0)
                return StoredFile(self, file), n_bytes
        raise BlobMissing(digest=blob, how="missing", path=self.where)

    def arriving(self, blob: str = "") -> ArrivingFile:
        """Take in a blob in parts; without its digest it is named by what comes."""
        return ArrivingFile(self, blob)

    def put_file(self, path: str, blob: str) -> None:
        """Store the bytes of a local file."""
        with self._files() as (files, root):
            target = _path(root, blob)
            self._make_folder(files, target)
            files.put_file(path, target)

    def files(self) -> Iterator[tuple[str, Stored]]:
        """Give all blobs with what the place knows of them, those that wait aside too."""
        for shelf in self._shelves():
            with self._files() as (files, _):
                found = files.find(shelf, detail=True)
            for path, info in found.items():
                name = path.rpartition("/")[2]
                if len(name) == 2 * DIGEST_BYTES:
                    yield name, Stored(n_bytes=int(info["size"] or 0), at_s=_stored_at(info))

    def _shelves(self) -> list[str]:
        with self._files() as (files, root), contextlib.suppress(FileNotFoundError):
            return [path for path in sorted(files.ls(root, detail=False)) if not path.endswith(CHECK)]
        return []

    def delete(self, blobs: Iterable[str], before: float) -> list[str]:
        """Move blobs aside that nobody has stored again since an instant (seconds); give those that went for good."""
        gone = []
        for blob in blobs:
            with self._files() as (files, root):
                path, aside = _path(root, blob), _aside(root, blob)
                at = _changed_at(files, path)
                if at is None:
                    at = _changed_at(files, aside)
                    if at is not None and at < before:
                        files.rm_file(aside)
                        gone.append(blob)
                elif at < before:
                    self._make_folder(files, aside)
                    files.cp_file(path, aside)
                    files.rm_file(path)
        return gone

    def delete_unfinished(self, before: float) -> None:
        """Do nothing: a bucket shows whole objects only."""

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Hold off every deletion: what goes meanwhile is set aside, and can still be read."""
        yield

    def check(self) -> None:
        """Write, read and remove a small object.

        Raises:
            StorageMissing: (storage-missing), StorageForbidden: (storage-forbidden),
            StorageUnreachable: (storage-unreachable), StorageUnknown: (storage-unknown),
            ExtraMissing: (extra-missing) it cannot be used.
        """
        said = f"{os.getpid()} {time.time_ns()}".encode()
        with self._files() as (files, root):
            path = f"{root}/{name_of(said)}{CHECK}"
            self._make_folder(files, path)
            files.pipe_file(path, said)
            if files.cat_file(path) != said:
                raise StorageUnreachable(url=self.where, reason="it gives other bytes than it was given")
            files.rm_file(path)

    def _give_back(self, files: Any, root: str, blob: str) -> bool:
        """Put a blob that waited aside in its place again."""
        try:
            files.cp_file(_aside(root, blob), _path(root, blob))
        except FileNotFoundError:
            return False
        return True

    def _make_folder(self, files: Any, path: str) -> None:
        if self._url.partition("://")[0] not in _FLAT:
            files.makedirs(path.rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _files(self) -> Iterator[tuple[Any, str]]:
        """Give the file system and our root in it."""
        with self.explained():
            pid, files, root = self._opened
            if pid != os.getpid():  # connections do not outlive a fork
                files, root = self._connect()
                self._opened = (os.getpid(), files, root)
            yield files, root

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Make errors of ours of the troubles of a file system."""
        try:
            yield
        except (BlobMissing, DiskFull, ExtraMissing, StorageUnknown, StorageUnreachable):
            raise
        except PermissionError as error:
            raise StorageForbidden(url=self.where, reason=_reason(error)) from error
        except FileNotFoundError as error:
            raise StorageMissing(url=self.where, reason=_reason(error)) from error
        except Exception as error:  # each protocol has classes of its own
            if "Credentials" in type(error).__name__:
                raise StorageForbidden(url=self.where, reason=_reason(error)) from error
            raise StorageUnreachable(url=self.where, reason=_reason(error)) from error

    def _connect(self) -> tuple[Any, str]:
        try:
            fsspec = import_module("fsspec")
            files, root = fsspec.core.url_to_fs(self._url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            if error.name == "fsspec" or self._url.startswith(("s3:", "s3a:")):
                what = f"storage at {self.where}"
                raise ExtraMissing(what=what, package=error.name or "s3fs", extra="storage") from error
            raise StorageUnknown(url=self.where, reason=_reason(error)) from error
        except ValueError as error:
            raise StorageUnknown(url=self.where, reason=_reason(error)) from error
        return files, root.rstrip("/")


class StoredFile:
    """The bytes of a blob, read in parts."""

    def __init__(self, bucket: Bucket, file: Any) -> None:
        self._bucket = bucket
        self._file = file

    def read(self, n_bytes: int = -1) -> bytes:
        """Give the next bytes; none at the end."""
        with self._bucket.explained():
            data: bytes = self._file.read(n_bytes)
            return data

    def close(self) -> None:
        """Let go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class ArrivingFile:
    """A blob that comes in parts, for a bucket: a local file until it is whole, so that nothing else gets there."""

    def __init__(self, bucket: Bucket, blob: str) -> None:
        self.blob = blob
        self._bucket = bucket
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        try:
            self._file = tempfile.NamedTemporaryFile(prefix="ostinato-")  # noqa: SIM115 - until `close`
        except OSError as error:
            raise explain(error, tempfile.gettempdir()) from error

    def add(self, part: bytes) -> None:
        """Take in the next part."""
        self._digest.update(part)
        try:
            self._file.write(part)
        except OSError as error:
            raise explain(error, self._file.name) from error

    def finish(self) -> bool:
        """Keep what has come; False when it is not what the digest names."""
        digest = self._digest.hexdigest()
        if self.blob not in ("", digest):
            return False
        self.blob = digest
        try:
            self._file.flush()
        except OSError as error:
            raise explain(error, self._file.name) from error
        self._bucket.put_file(self._file.name, self.blob)
        return True

    def close(self) -> None:
        """Let go; what was not kept is gone."""
        with contextlib.suppress(OSError):  # a full disk: what the buffer holds cannot be written
            self._file.close()


def _path(root: str, blob: str) -> str:
    return f"{root}/{blob[:2]}/{blob}"


def _aside(root: str, blob: str) -> str:
    return f"{root}/{ASIDE}/{blob}"


def _changed_at(files: Any, path: str) -> float | None:
    try:
        return _stored_at(files.info(path))
    except FileNotFoundError:
        return None


def _stored_at(info: dict[str, Any]) -> float:
    """Give when a file was written, in seconds; one that does not say is never old."""
    found = next((info[key] for key in _AT if info.get(key) is not None), math.inf)
    return found.timestamp() if isinstance(found, datetime) else float(found)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
