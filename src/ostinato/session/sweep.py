"""Unused stored values are removed now and then, without anybody asking."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from ostinato.store.blobs import Blobs
from ostinato.store.maintenance import remove_unused_blobs

if TYPE_CHECKING:
    from ostinato.session.home import Home
    from ostinato.store.sqlite import Database

SWEEP_EVERY_S: Final = 600.0
"""Unused blobs are looked for at most so often."""


def sweep_blobs(home: Home, database: Database, keep_s: float) -> tuple[int, int]:
    """Remove unused blobs, unless that was done a moment ago; give their number and bytes."""
    mark = os.path.join(home.blobs, "swept")
    now = time.time()
    if not os.path.isdir(home.blobs) or (os.path.exists(mark) and now - os.stat(mark).st_mtime < SWEEP_EVERY_S):
        return 0, 0
    with open(mark, "w", encoding="utf-8"):
        pass
    return remove_unused_blobs(database, Blobs(home.blobs), int((now - keep_s) * 1e6))
