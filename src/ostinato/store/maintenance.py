"""Keeping a database in order: retention, unused blobs, and a check of all that must hold."""

from __future__ import annotations

import math
import time
from _blake2 import blake2b  # hashlib would load OpenSSL too
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.store import sql
from ostinato.store.blobs import DIGEST_BYTES
from ostinato.store.database import ALL
from ostinato.store.subjects import forget_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ostinato.store.blobs import Stored
    from ostinato.store.database import Connection, Database
    from ostinato.store.places import Place

DAY_US: Final = 86_400_000_000
BATCH: Final = 50
"""Most runs or blocks deleted by one transaction."""
TURN_S: Final = 0.05
"""A transaction that has deleted for so long ends, so that writers wait little."""
SHOWN: Final = 20
"""Most findings of one kind."""
PART_BYTES: Final = 1 << 20


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What retention keeps: all that is younger than these instants (UTC microseconds)."""

    blocks_from: int
    runs_from: int
    blobs_from: int
    audit_from: int


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What retention removed, or would remove."""

    n_blocks: int
    n_root_runs: int
    n_blobs: int
    blob_bytes: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should not be."""

    subject: str
    """database, counters, streams, journal, blobs."""
    text: str


# --- retention


def count_old(database: Database, keep: Keep) -> tuple[int, int]:
    """Give the number of blocks and root runs that `remove_old` would remove."""
    queries = sql.load("maintenance")
    n_blocks = database.db.execute(queries["count_old_blocks"], (keep.blocks_from,)).fetchone()[0]
    _, n_roots = database.db.execute(queries["old_root_runs"], (keep.runs_from, ALL)).fetchone()
    return int(n_blocks), int(n_roots)


def remove_old(
    database: Database, keep: Keep, journals: Sequence[str], *, within_s: float = math.inf
) -> tuple[int, int]:
    """Remove old blocks and old runs, but no pinned ones; give the number of blocks and root runs that went.

    What takes longer than `within_s` is left for the next time. `journals` are the streams that have one.
    """
    end = time.monotonic() + within_s
    n_blocks = n_roots = 0
    while time.monotonic() < end and (n := _remove_blocks(database, keep.blocks_from)):
        n_blocks += n
    while time.monotonic() < end and (n := _remove_runs(database, keep.runs_from)):
        n_roots += n
    queries = sql.load("maintenance")
    with database.writing() as db:
        now = time.time_ns() // 1000
        db.execute(queries["drop_refs_of_ended"])
        db.execute(queries["delete_expired_cache"], (now,))
        db.execute(queries["delete_expired_claims"])
        db.execute(queries["delete_unset_variables"], (keep.blocks_from,))
        db.execute(queries["delete_old_audit"], (keep.audit_from,))
        db.execute(queries["delete_left_workers"], (keep.blocks_from,))
        db.execute(queries["delete_expired_slots"], (now,))
        db.execute(queries["delete_empty_flow_counts"])
        db.execute(queries["delete_streams"], (keep.blocks_from, _json(journals)))
    return n_blocks, n_roots


def _remove_blocks(database: Database, before: int) -> int:
    with database.writing() as db:
        return db.execute(sql.load("maintenance")["delete_old_blocks"], (before, BATCH)).rowcount


def _remove_runs(database: Database, before: int) -> int:
    """Remove some root runs with all below them: as many as go quickly, at least one."""
    queries = sql.load("maintenance")
    end = time.monotonic() + TURN_S
    n_gone = 0
    with database.writing() as db:
        roots, _ = db.execute(queries["old_root_runs"], (before, BATCH)).fetchone()
        for root in msgspec.json.decode(roots):
            forget_run(db, root)
            n_gone += 1
            if time.monotonic() > end:
                break
    return n_gone


def remove_unused_blobs(database: Database, blobs: Place, before: int, *, dry_run: bool = False) -> tuple[int, int]:
    """Remove blobs that nothing refers to, if nobody stored them after an instant; give their number and bytes."""
    n_gone = n_bytes = 0
    for batch in _batches(blobs, before):
        found = database.db.execute(sql.load("maintenance")["unused_blobs"], (_json(list(batch)),))
        unused = [row[0] for row in found.fetchall()]
        gone = unused if dry_run else blobs.delete(unused, before / 1e6)
        n_gone += len(gone)
        n_bytes += sum(batch[blob].n_bytes for blob in gone)
    return n_gone, n_bytes


def _batches(blobs: Place, before: int) -> Iterator[dict[str, Stored]]:
    batch: dict[str, Stored] = {}
    for blob, stored in blobs.files():
        if stored.at_s * 1e6 < before:
            batch[blob] = stored
        if len(batch) == 500:
            yield batch
            batch = {}
    if batch:
        yield batch


# --- check


def check_database(database: Database) -> list[Finding]:
    """Give what is wrong inside the database, in the counters and in the order of the blocks."""
    queries = sql.load("maintenance")
    db = database.db
    found = [Finding(subject="database", text=text) for text in database.damage(SHOWN)]
    for run_id, task, group, state, counter, counted in db.execute(queries["wrong_task_counts"], (SHOWN,)):
        what = f"run {run_id}: task {task!r}{f' ({group})' if group else ''} in state {state}"
        found.append(Finding(subject="counters", text=f"{what}: counter {counter}, rows {counted}"))
    for flow, state, hour, counter, counted in db.execute(queries["wrong_flow_counts"], (SHOWN,)):
        what = f"flow {flow!r} in state {state}, hour {hour}" if flow else f"all flows in state {state}"
        found.append(Finding(subject="counters", text=f"{what}: counter {counter}, rows {counted}"))
    for stream, before, after in db.execute(queries["broken_streams"], (SHOWN,)):
        found.append(Finding(subject="streams", text=f"stream {stream}: after seq {before} comes {after}"))
    return found


def check_blobs(db: Connection, blobs: Place) -> list[Finding]:
    """Give blobs that are damaged, and those that are missing though something refers to them."""
    found = []
    there = set()
    for blob, _ in blobs.files():
        there.add(blob)
        if _digest(blobs, blob) != blob:
            found.append(Finding(subject="blobs", text=f"in {blobs.where}: {blob} is damaged"))
    used = [row[0] for row in db.execute(sql.load("maintenance")["used_blobs"])]
    missing = (blob for blob in used if blob not in there)
    return found + [Finding(subject="blobs", text=f"in {blobs.where}: {blob} is missing") for blob in missing]


def _digest(blobs: Place, blob: str) -> str:
    digest = blake2b(digest_size=DIGEST_BYTES)
    file, _ = blobs.open(blob)
    with file:
        while part := file.read(PART_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _json(values: Any) -> str:
    return msgspec.json.encode(values).decode()
