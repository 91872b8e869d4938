"""Where stored values are: in the home, in another folder, or in a bucket by URL."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, Protocol

from ostinato.core.errors import BlobMissing, ExtraMissing
from ostinato.store.blobs import Blobs, name_of


class Place(Protocol):
    """A place for stored values, each named by its digest."""

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Store bytes; give the hex digest."""

    def has(self, blob: str) -> bool:
        """Say whether a blob is there, unchecked."""

    def get(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest."""


class Places:
    """The places that a process uses, made once each."""

    def __init__(self, home: Place) -> None:
        self._known: dict[str, Place] = {"": home}

    def at(self, storage: str) -> Place:
        """Give the place of a `result_storage=`: empty for the home, a folder, or a URL such as s3://bucket/results.

        Raises:
            ExtraMissing: (extra-missing) the URL needs a package that is not installed.
        """
        place = self._known.get(storage)
        if place is None:
            place = self._known[storage] = Bucket(storage) if "://" in storage else Blobs(storage)
        return place


class Bucket:
    """Stored values below a URL that fsspec understands. Nothing there is ever deleted by Ostinato."""

    def __init__(self, url: str) -> None:
        try:
            fsspec = import_module("fsspec")
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            package = error.name or "fsspec"
            raise ExtraMissing(what=f"result_storage={url!r}", package=package, extra="storage") from error
        self._url: Final = url

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Store bytes; object stores show an object only when it is whole."""
        blob = digest.hex()
        if not self.has(blob):
            self._files.makedirs(f"{self._root}/{blob[:2]}", exist_ok=True)
            self._files.pipe_file(self._path(blob), bytes(data))
        return blob

    def has(self, blob: str) -> bool:
        """Say whether a blob is there, unchecked."""
        return bool(self._files.exists(self._path(blob)))

    def get(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest.

        Raises:
            BlobMissing: (blob-missing) it is not there, or damaged.
        """
        try:
            data: bytes = self._files.cat_file(self._path(blob))
        except FileNotFoundError as error:
            raise BlobMissing(digest=blob, how="missing", path=self._url) from error
        if name_of(data) != blob:
            raise BlobMissing(digest=blob, how="damaged", path=self._url)
        return data

    def _path(self, blob: str) -> str:
        return f"{self._root}/{blob[:2]}/{blob}"
