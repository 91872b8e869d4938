"""Retention by the way: what is old or unused goes now and then, without anybody asking."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from ostinato.session.orphans import segments
from ostinato.store.maintenance import DAY_US, Keep, remove_old, remove_unused_blobs
from ostinato.store.sqlite import explain

if TYPE_CHECKING:
    from ostinato.core.settings import Settings
    from ostinato.session.home import Home
    from ostinato.store.database import Database

BLOBS_EVERY_S: Final = 600.0
RUNS_EVERY_S: Final = 86_400.0
MOST_S: Final = 1.0
"""So long may the end of a process be held up by the removal of old runs and blocks."""


def keep_by(settings: Settings) -> Keep:
    """Give the instants from which on the settings keep blocks, runs and unused blobs."""
    now = time.time_ns() // 1000
    return Keep(
        blocks_from=now - int(settings.keep_blocks_days * DAY_US),
        runs_from=now - int(settings.keep_runs_days * DAY_US),
        blobs_from=now - int(settings.keep_unused_blobs_s * 1e6),
        audit_from=now - int(settings.keep_audit_days * DAY_US),
    )


def remove_old_at_times(home: Home, database: Database, settings: Settings) -> None:
    """Remove old blocks and runs, once a day."""
    if _is_time(os.path.join(home.folder, "retained"), RUNS_EVERY_S):
        try:
            remove_old(database, keep_by(settings), list(segments(home)), within_s=MOST_S)
        except sqlite3.Error as error:
            raise explain(error, home.database) from error


def sweep_blobs_at_times(home: Home, database: Database, settings: Settings) -> None:
    """Remove unused blobs, once in ten minutes, and of a bucket once a day."""
    blobs = home.open_blobs()
    mark = os.path.join(home.blobs if home.blobs == blobs.where else home.folder, "swept")
    if os.path.isdir(os.path.dirname(mark)) and _is_time(mark, blobs.sweep_every_s):
        remove_unused_blobs(database, blobs, keep_by(settings).blobs_from)


def keep_house(home: Home, settings: Settings, within_s: float) -> None:
    """Remove what is old or unused, for as long as a server that does it by the way may take."""
    database = home.open()
    try:
        remove_old(database, keep_by(settings), list(segments(home)), within_s=within_s)
        sweep_blobs_at_times(home, database, settings)
    except sqlite3.Error as error:
        raise explain(error, home.database) from error
    finally:
        database.close()


def _is_time(mark: str, every_s: float) -> bool:
    """Say whether it was last done so long ago, and note that it is done now; a new home has time."""
    is_new = not os.path.exists(mark)
    if not is_new and 0 <= time.time() - os.stat(mark).st_mtime < every_s:
        return False
    with open(mark, "w", encoding="utf-8"):
        os.utime(mark)
    return not is_new
