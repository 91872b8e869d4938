"""Where stored values are: in the home, in another folder, or in a bucket by URL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from ostinato.core.errors import BlobMissing
from ostinato.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from ostinato.store.blobs import Stored

PART_BYTES: Final = 1 << 20


class Values(Protocol):
    """Stored values, each named by its digest."""

    def put(self, data: bytes | memoryview, digest: bytes) -> str:
        """Store bytes; give the hex digest."""

    def has(self, blob: str) -> bool:
        """Say whether a blob is there, unchecked."""

    def get(self, blob: str) -> bytes:
        """Give stored bytes, checked against their digest."""


class Outgoing(Protocol):
    """The bytes of a blob, read in parts."""

    def read(self, n_bytes: int = -1, /) -> bytes:
        """Give the next bytes; none at the end."""

    def close(self) -> None:
        """Let go."""

    def __enter__(self) -> Any: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Incoming(Protocol):
    """A blob that comes in parts."""

    blob: str
    """Its digest; "" before `finish` when it was not named."""

    def add(self, part: bytes) -> None:
        """Take in the next part."""

    def finish(self) -> bool:
        """Keep what has come; False when it is not what the digest names."""

    def close(self) -> None:
        """Let go; what was not kept is gone."""


class Place(Values, Protocol):
    """All that a home does with the stored values of a folder or a bucket."""

    @property
    def sweep_every_s(self) -> float:
        """How often unused ones are looked for."""

    @property
    def where(self) -> str:
        """Where they are, for messages."""

    def check(self) -> None:
        """Find out whether values can be stored."""

    def open(self, blob: str) -> tuple[Outgoing, int]:
        """Give stored bytes, unchecked, as a file and their number."""

    def arriving(self, blob: str = "") -> Incoming:
        """Take in a blob in parts; without its digest it is named by what comes."""

    def files(self) -> Iterator[tuple[str, Stored]]:
        """Give all blobs with what the place knows of them."""

    def delete(self, blobs: Iterable[str], before: float) -> list[str]:
        """Delete blobs that nobody has stored again since an instant (seconds); give those that went."""

    def delete_unfinished(self, before: float) -> None:
        """Delete what was begun before an instant (seconds) and never became a blob."""

    def kept(self) -> AbstractContextManager[None]:
        """Hold off every deletion."""


class Places:
    """The places that a process uses, made once each."""

    def __init__(self, home: Values) -> None:
        self._known: dict[str, Values] = {"": home}

    def at(self, storage: str) -> Values:
        """Give the place of a `result_storage=`: empty for the home, a folder, or a URL such as s3://bucket/results."""
        place = self._known.get(storage)
        if place is None:
            place = self._known[storage] = place_at(storage)
        return place


def carry(blob: str, origin: Place, goal: Place) -> int:
    """Store a value of one place in another one; give its size.

    Raises:
        BlobMissing: (blob-missing) it is not there, or damaged.
    """
    file, n_bytes = origin.open(blob)
    arriving = goal.arriving(blob)
    try:
        with file:
            while part := file.read(PART_BYTES):
                arriving.add(part)
        if not arriving.finish():
            raise BlobMissing(digest=blob, how="damaged", path=origin.where)
    finally:
        arriving.close()
    return n_bytes


def place_at(storage: str) -> Place:
    """Give the place of a folder, a file:// URL, or any URL that fsspec knows; nothing is looked at yet."""
    if "://" not in storage:
        return Blobs(storage)
    place: Place = import_module("ostinato.store.buckets").place_of(storage)  # few have one, and all pay for imports
    return place
