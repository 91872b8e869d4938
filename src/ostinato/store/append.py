"""Appending blocks of events: the one way in. Blocks and projection go in by one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.events import Block, Event
from ostinato.store import sql
from ostinato.store.projection import Fold, Row, RunHead, TaskHead
from ostinato.store.subjects import project
from ostinato.store.tracking_fold import TrackingFold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ostinato.store.database import Connection, WriteConnection

MOST_ROWS: Final = 64
"""Rows written by one statement: below the least limit of variables (32,766) for every query here."""

_pack_block = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode
_run_heads = msgspec.json.Decoder(list[RunHead]).decode
_task_heads = msgspec.json.Decoder(list[TaskHead]).decode


class Entry(msgspec.Struct, frozen=True):
    """One block as it is appended."""

    first_seq: int
    last_seq: int
    payload: bytes
    """The msgpack of the Block."""
    events: list[Event]


class Writer(msgspec.Struct, frozen=True):
    """Who writes a stream."""

    stream: str
    pid: int
    host: str
    started_at: int


class Appended(msgspec.Struct, frozen=True):
    """What became of an append."""

    acked_seq: int
    """All events up to this one are in the database."""
    gap: bool = False
    """Events that follow acked_seq are missing and must be sent; blocks after them were not written."""
    stale: dict[str, int] = {}
    """Root runs of which old events came, with their newer epoch."""


def append(db: WriteConnection, writer: Writer, entries: Sequence[Entry], now: int) -> Appended:
    """Write blocks of one stream, in the transaction that the caller has begun.

    Blocks that are known are left out, of one that is partly known the rest goes in.
    """
    together = _without_gap(entries)
    gap = len(together) < len(entries)
    queries = sql.load("append")
    last = together[-1].last_seq
    if db.execute(queries["advance_stream"], (last, writer.stream, together[0].first_seq - 1)).rowcount != 1:
        db.execute(queries["add_stream"], (writer.stream, writer.pid, writer.host, writer.started_at))
        acked = acked_seq(db, writer.stream)
        together = [rest for entry in together if (rest := _after(entry, acked, writer.stream))]
        if not together or together[0].first_seq != acked + 1:
            return Appended(acked_seq=acked, gap=gap or bool(together))
        db.execute(queries["advance_stream"], (last, writer.stream, acked))
    fold = Fold(_Database(db), writer.stream)
    fold.add(together[0].events if len(together) == 1 else [event for entry in together for event in entry.events])
    blocks: Row = []
    for entry in together:
        blocks += (writer.stream, entry.first_seq, entry.last_seq, now, entry.payload)
    with db.together():
        _put(db, "add_blocks", 5, blocks)
        _write(db, fold)
    _write_apart(db, fold)
    return Appended(acked_seq=last, gap=gap, stale=fold.stale)


def _without_gap(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Give the first blocks, as far as each begins where the one before ends."""
    for number in range(1, len(entries)):
        if entries[number].first_seq != entries[number - 1].last_seq + 1:
            return entries[:number]
    return entries


def acked_seq(db: Connection, stream: str) -> int:
    """Give the seq of the last event of a stream that is in the database, 0 when there is none."""
    row = db.execute(sql.load("append")["known_stream"], (stream,)).fetchone()
    return 0 if row is None else int(row[0])


def _after(entry: Entry, acked: int, stream: str) -> Entry | None:
    """Give the part of a block that follows what is acknowledged."""
    if entry.last_seq <= acked:
        return None
    if entry.first_seq > acked:
        return entry
    events = entry.events[acked + 1 - entry.first_seq :]
    payload = _pack_block(Block(stream, acked + 1, events))
    return Entry(acked + 1, entry.last_seq, payload, events)


class _Database:
    """The database as the fold sees it; each look-up is one row of JSON, since rows cost a turn of the GIL each."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.queries = sql.load("append")

    def runs(self, ids: Iterable[str]) -> list[RunHead]:
        wanted = _json(list(ids)).decode()
        return _run_heads(self.db.execute(self.queries["run_heads"], (wanted,)).fetchone()[0])

    def tasks(self, run_id: str, nos: Iterable[int]) -> list[TaskHead]:
        wanted = _json(list(nos)).decode()
        return _task_heads(self.db.execute(self.queries["task_heads"], (run_id, wanted)).fetchone()[0])


def _write(db: Connection, fold: Fold) -> None:
    queries = sql.load("append")
    puts, moves, counters = fold.task_rows()
    _put(db, "put_runs", 37, fold.run_rows())
    for move in fold.run_moves():
        db.execute(queries["move_run"], move)
    for place in fold.run_places():
        db.execute(queries["place_run"], place)
    _put(db, "put_tasks", 21, puts)
    _put(db, "move_tasks", 11, moves)
    _put(db, "add_task_counts", 6, counters)
    _put(db, "add_flow_counts", 4, fold.flow_counts())
    _put(db, "put_run_tags", 2, fold.tags)
    _put(db, "add_run_states", 7, fold.states)
    _put(db, "add_logs", 6, fold.logs)
    for run in fold.runs.values():
        if run.n_logs_dropped:
            db.execute(queries["count_dropped_logs"], (run.n_logs_dropped, run.id))
    _put(db, "add_artifacts", 9, fold.artifacts)
    for root_id in fold.ended_well:
        db.execute(queries["drop_checkpoints"], (root_id,))
        db.execute(queries["drop_blob_refs"], (root_id,))
    _put(db, "add_blob_refs", 2, fold.blob_refs())
    for row in fold.variables:
        db.execute(queries["put_variable"], row)
    for row in fold.checkpoints():
        db.execute(queries["put_checkpoint"], row)
    for row in fold.cached:
        db.execute(queries["put_cached"], row)
        db.execute(queries["end_cache_claim"], (row[0], fold.stream))


def _write_apart(db: Connection, fold: Fold) -> None:
    """Write what has to look at what is there."""
    if fold.tracking:
        tracking = TrackingFold(db)
        tracking.add(fold.tracking)
        tracking.write(lambda name, width, values: _put(db, name, width, values, "tracking"))
    for state, run_id, ended_at in fold.ended_badly():
        status = "killed" if state == "Cancelled" else "failed"
        db.execute(sql.load("tracking")["end_runs_of"], (status, ended_at, ended_at, _json([run_id]).decode()))
    for event in fold.others:  # a logged model names its tracking run, and may have been made with it
        project(db, event)


def _put(db: Connection, name: str, width: int, values: Row, subject: str = "append") -> None:
    """Write rows of so many columns in few statements: the sizes are powers of two, so that each is prepared once."""
    left = len(values) // width
    at = 0
    query = sql.load(subject)[name] if left else ""
    while left:
        n_rows = MOST_ROWS if left >= MOST_ROWS else 1 << (left.bit_length() - 1)
        part = values[at : at + n_rows * width] if n_rows * width < len(values) else values
        db.execute(sql.rows(query, n_rows), part)
        at += n_rows * width
        left -= n_rows
