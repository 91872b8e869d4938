"""Snapshots: the files of a project as one archive that is equal for equal content."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import SnapshotTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_FILES: Final = 20_000
_NAMED: Final = 5
"""So many of the largest files are named when a snapshot is too large."""


def pack(root: str, names: Iterable[str], limit_bytes: int) -> bytes:
    """Give the archive of files below a root; times, owners and the order of `names` do not count.

    Raises:
        SnapshotTooLarge: (snapshot-too-large) they are too many or too large.
    """
    names = sorted(set(names))
    sizes = {name: os.path.getsize(os.path.join(root, name)) for name in names}
    if sum(sizes.values()) > limit_bytes or len(names) > MOST_FILES:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_NAMED]
        raise SnapshotTooLarge(
            root=root,
            n=len(names),
            size_mb=f"{sum(sizes.values()) / 1e6:.1f}",
            limit_mb=f"{limit_bytes / 1e6:.1f}",
            largest=", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest),
        )
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                data = file.read()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def unpack(data: bytes, folder: str) -> None:
    """Write the files of an archive into a folder.

    Raises:
        ValueError: it is no such archive, or one of its files would lie outside.
    """
    root = os.path.realpath(folder)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for info in archive:
                path = os.path.realpath(os.path.join(root, info.name))
                file = archive.extractfile(info) if info.isreg() else None
                if file is None or not path.startswith(root + os.sep):
                    message = f"{info.name!r} is no file of a snapshot"
                    raise ValueError(message)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as out:
                    out.write(file.read())
                os.chmod(path, info.mode)
    except tarfile.TarError as error:
        message = f"it is no archive: {error}"
        raise ValueError(message) from error
