"""The journal of one writer: an append-only file of framed blocks, synced before it counts.

A segment file `<stream>.<number>.journal` holds a header frame that names its writer, then one
frame for each block. The writer holds an OS lock on each segment while it lives; who gets that
lock knows that the writer is gone. A frame is a header with a CRC32 of its own, then the msgpack
of a Block. Reading ends at the first frame that is not whole: torn, when the file ends within a
frame that was being written (nobody was told that it is recorded), else damaged.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import zlib
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from ostinato.core.errors import DiskFull, HomeReadOnly
from ostinato.store.append import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENT_BYTES: Final = 8 << 20
SUFFIX: Final = ".journal"

Tail: TypeAlias = Literal["", "torn", "damaged"]
"""How a segment ends: after a whole frame, within one, or in garbage."""

_HEAD: Final = struct.Struct("<QIII")
"""First seq, number of events, bytes of payload, CRC32 of the payload."""
_CRC: Final = struct.Struct("<I")
"""CRC32 of the head."""
_HEADER_BYTES: Final = _HEAD.size + _CRC.size

_pack = msgspec.msgpack.Encoder().encode
_unpack_writer = msgspec.msgpack.Decoder(Writer).decode


class Frame(msgspec.Struct, frozen=True):
    """One block as it lies in a segment."""

    first_seq: int
    n_events: int
    payload: bytes

    @property
    def last_seq(self) -> int:
        """Give the seq of its last event."""
        return self.first_seq + self.n_events - 1


class Place(msgspec.Struct, frozen=True):
    """Where the payload of a block lies in a journal that is being written."""

    fd: int
    offset: int
    n_bytes: int


class Segment:
    """One file of a journal that is being written."""

    __slots__ = ("fd", "last_seq", "n_bytes", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.n_bytes = 0
        self.last_seq = 0


class Journal:
    """Writes the journal of one stream. Only one thread uses it."""

    def __init__(self, folder: str, writer: Writer) -> None:
        self.folder = folder
        self.writer = writer
        self.segments: deque[Segment] = deque()
        self._n_made = 0

    def begin(self) -> None:
        """Make sure that there is a locked segment, so that others can tell that the writer lives.

        Raises:
            DiskFull: (disk-full), HomeReadOnly: (home-read-only) it cannot be made.
        """
        if not self.segments:
            try:
                self.segments.append(self._open(b""))
            except OSError as error:
                raise explain(error, self.folder) from error

    def append(self, first_seq: int, n_events: int, payload: bytes) -> Place:
        """Write one block and sync it; give where it lies.

        Raises:
            DiskFull: (disk-full), HomeReadOnly: (home-read-only) nothing was written.
        """
        data = frame(first_seq, n_events, payload)
        try:
            if not self.segments or self.segments[-1].n_bytes >= SEGMENT_BYTES:
                self.segments.append(self._open(data))
            else:
                _write(self.segments[-1], data)
        except OSError as error:
            raise explain(error, self.segments[-1].path if self.segments else self.folder) from error
        segment = self.segments[-1]
        segment.last_seq = first_seq + n_events - 1
        return Place(segment.fd, segment.n_bytes - len(payload), len(payload))

    def load(self, place: Place) -> bytes:
        """Give the payload of a block that is not acknowledged."""
        return os.pread(place.fd, place.n_bytes, place.offset)

    def acknowledge(self, seq: int) -> None:
        """Delete segments in which every event is in the database."""
        while len(self.segments) > 1 and self.segments[0].last_seq <= seq:
            self._drop(self.segments.popleft())

    def finish(self) -> None:
        """Delete all segments: every event is in the database, and no run is left to be looked after."""
        while self.segments:
            self._drop(self.segments.popleft())

    def abandon(self) -> None:
        """Let go of the segments: who opens the home next takes them over; in a forked child the parent keeps them."""
        while self.segments:
            os.close(self.segments.popleft().fd)

    def _open(self, data: bytes) -> Segment:
        """Make the next segment: locked, and with header and first frame before others can see it by its name."""
        self._n_made += 1
        path = os.path.join(self.folder, f"{self.writer.stream}.{self._n_made:08d}{SUFFIX}")
        hidden = f"{path}.new"
        os.makedirs(self.folder, exist_ok=True)
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        segment = Segment(path, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(segment, frame(0, 0, _pack(self.writer)) + data)
            os.rename(hidden, path)
            sync_folder(self.folder)
        except OSError:
            os.close(fd)
            for left in (hidden, path):
                if os.path.exists(left):
                    os.unlink(left)
            raise
        return segment

    def _drop(self, segment: Segment) -> None:
        os.unlink(segment.path)
        os.close(segment.fd)


def frame(first_seq: int, n_events: int, payload: bytes) -> bytes:
    """Give the bytes of one frame."""
    head = _HEAD.pack(first_seq, n_events, len(payload), zlib.crc32(payload))
    return b"".join((head, _CRC.pack(zlib.crc32(head)), payload))


def read(data: bytes) -> Iterator[tuple[int, Frame]]:
    """Give the frames of a segment with the place where each ends, up to the first that is not whole."""
    at = 0
    while (header := _header(data, at)) is not None:
        first_seq, n_events, n_bytes, crc = header
        end = at + _HEADER_BYTES + n_bytes
        payload = data[at + _HEADER_BYTES : end]
        if len(payload) < n_bytes or zlib.crc32(payload) != crc:
            return
        yield end, Frame(first_seq, n_events, payload)
        at = end


def tail(data: bytes, good: int) -> Tail:
    """Say what follows the last whole frame, which ends at `good`."""
    if good == len(data):
        return ""
    if len(data) - good < _HEADER_BYTES:
        return "torn"
    header = _header(data, good)
    return "torn" if header is not None and good + _HEADER_BYTES + header[2] > len(data) else "damaged"


def _header(data: bytes, at: int) -> tuple[int, int, int, int] | None:
    head = data[at : at + _HEAD.size]
    crc = data[at + _HEAD.size : at + _HEADER_BYTES]
    if len(crc) < _CRC.size or _CRC.unpack(crc)[0] != zlib.crc32(head):
        return None
    first_seq, n_events, n_bytes, payload_crc = _HEAD.unpack(head)
    return first_seq, n_events, n_bytes, payload_crc


def read_writer(frame: Frame) -> Writer:
    """Give the writer that a header frame names."""
    return _unpack_writer(frame.payload)


def explain(error: OSError, path: str) -> Exception:
    """Give our error for one of the disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(path=path, reason=error.strerror)
    return HomeReadOnly(home=path, reason=error.strerror)


def sync_folder(folder: str) -> None:
    """Make new names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write(segment: Segment, data: bytes) -> None:
    """Add bytes to a segment and sync them: all or, after an error, none."""
    try:
        written = os.write(segment.fd, data)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _sync(segment.fd)
    except OSError:
        os.ftruncate(segment.fd, segment.n_bytes)
        os.lseek(segment.fd, segment.n_bytes, os.SEEK_SET)
        raise
    segment.n_bytes += len(data)


_sync: Final = getattr(os, "fdatasync", os.fsync)
"""Syncs the bytes of a file and what is needed to read them again."""
