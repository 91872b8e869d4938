"""Seeded simulation of journal and store: the process dies at every step, the disk does what disks do.

A writer journals blocks and commits some of them; then it dies. Its newest segment may end in a
torn write, in garbage, or not at all. Whoever opens the home next must find:
what was acknowledged is in the database, nothing is there twice, what the journal kept is
delivered, counters equal rows, and the runs of the dead writer are Crashed.
"""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tests.unit.plain_store import PlainStore, stored_rows

from ostinato.core.events import Block, Event, Logged, RunCreated, RunMoved, Source, TaskMoved, TaskStarted
from ostinato.session.home import Home
from ostinato.session.orphans import deliver_orphans
from ostinato.store.append import Entry, Writer, append
from ostinato.store.journal import Journal, frame
from ostinato.store.maintenance import check_database
from ostinato.store.sqlite import SqliteDatabase

KEY = b"0123456789abcdef"


def test_nothing_acknowledged_is_lost_wherever_the_writer_dies(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    steps = _script(random)
    for number in range(len(steps) + 1):
        for damage in random.sample(DAMAGES, 3):
            world = World(tmp_path / f"{number}-{damage.__name__}", random)
            for step in steps[:number]:
                world.do(step)
            world.die()
            damage(world)
            world.recover()
            world.check()
            shutil.rmtree(world.home.folder)


def test_a_delivery_that_dies_is_done_again_without_harm(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    steps = _script(random)
    world = World(tmp_path / "home", random)
    for step in steps[: len(steps) // 2]:
        world.do(step)
    world.die()
    kept = tmp_path / "journal"
    shutil.copytree(world.home.journal, kept)
    world.recover()
    shutil.rmtree(world.home.journal)
    shutil.copytree(kept, world.home.journal)  # the deliverer died before it could delete the segments
    world.recover()
    world.check()


# --- the world


class World:
    """A home, one writer, and what must be found after its death."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.random = random
        self.home = Home(str(folder))
        self.home.make()
        self.writer = Writer("5" * 32, 1234, "here", 7)
        self.journal = Journal(self.home.journal, self.writer)
        self.database = SqliteDatabase(self.home.database)
        self.journaled: list[Entry] = []
        """All blocks, in order."""
        self.waiting: list[Entry] = []
        self.acked_seq = 0
        self.must_have_seq = 0
        """Events that have to be in the database in the end."""
        self.may_be_damaged = False

    def do(self, step: tuple[str, Any]) -> None:
        what, value = step
        if what == "journal":
            first_seq = self.journaled[-1].last_seq + 1 if self.journaled else 1
            payload = msgspec.msgpack.encode(Block(self.writer.stream, first_seq, value))
            self.journal.append(first_seq, len(value), payload)
            entry = Entry(first_seq, first_seq + len(value) - 1, payload, value)
            self.journaled.append(entry)
            self.waiting.append(entry)
            self.must_have_seq = entry.last_seq
        elif self.waiting:
            now, self.waiting = self.waiting[:value], self.waiting[value:]
            place = self.journaled.index(now[0])
            now = [*self.journaled[max(place - self.random.randrange(3), 0) : place], *now]  # known ones are sent again
            with self.database.writing() as db:
                done = append(db, self.writer, now, 7)
                early = append(db, self.writer, self.waiting[1:], 7) if self.waiting[1:] else None  # out of order
            assert (done.acked_seq, done.gap) == (now[-1].last_seq, False)
            assert early is None or (early.acked_seq, early.gap) == (done.acked_seq, True)
            self.acked_seq = done.acked_seq
            if what == "acknowledge":
                self.journal.acknowledge(self.acked_seq)

    def die(self) -> None:
        """Let go of locks and connections, as the kernel does; write nothing more."""
        self.journal.abandon()
        self.database.db.close()
        os.close(self.database._lock_fd)

    def newest_segment(self) -> Path | None:
        return max(Path(self.home.journal).glob("*.journal"), default=None)

    def recover(self) -> None:
        self.database = SqliteDatabase(self.home.database)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if self.may_be_damaged else "error")
            deliver_orphans(self.home, self.database)
            assert deliver_orphans(self.home, self.database) == []  # nothing is left to do

    def check(self) -> None:
        db = self.database.db
        assert check_database(self.database) == []
        events = [event for entry in self.journaled for event in entry.events]
        stored = stored_rows(db)
        acked = stored["acked"].get(self.writer.stream, 0)
        assert self.must_have_seq <= acked <= len(events)
        assert acked >= self.acked_seq
        blocks = [
            msgspec.msgpack.decode(row[0], type=Block)
            for row in db.execute("SELECT payload FROM blocks WHERE stream = ? ORDER BY id", (self.writer.stream,))
        ]
        assert [event for block in blocks for event in block.events] == events[:acked]  # none twice, dense
        plain = PlainStore()
        plain.append(self.writer.stream, 1, events[:acked])
        if self.journaled:
            plain.crash(self.writer.stream, 0, killed=True)
        rows = plain.rows()
        for subject in ("task_counts", "flow_counts", "logs"):
            assert stored[subject] == rows[subject], subject
        for subject in ("tasks", "runs"):
            states = {key: row[2] for key, row in stored[subject].items()}
            assert states == {key: row[2] for key, row in rows[subject].items()}, subject
        assert [path.name for path in Path(self.home.journal).iterdir() if path.name != "damaged"] == []
        self.database.close()


# --- what a disk does to a segment


def nothing(world: World) -> None:
    """All that was synced is there."""


def torn_write(world: World) -> None:
    """The process died in the middle of writing a block that it had not synced: no damage, just an end."""
    path = world.newest_segment()
    if path is not None:
        next_seq = world.journaled[-1].last_seq + 1
        data = frame(next_seq, 1, world.random.randbytes(80))
        path.write_bytes(path.read_bytes() + data[: world.random.randrange(1, len(data))])


def garbage(world: World) -> None:
    """What follows the last block is none."""
    path = world.newest_segment()
    if path is not None:
        path.write_bytes(path.read_bytes() + world.random.randbytes(world.random.randrange(1, 200)))
        world.may_be_damaged = True


def lost_tail(world: World) -> None:
    """The newest block was not synced, and is gone in part."""
    path = world.newest_segment()
    if path is not None and world.waiting:
        lost = world.waiting[-1]
        path.write_bytes(path.read_bytes()[: -world.random.randrange(1, len(lost.payload))])
        world.must_have_seq = lost.first_seq - 1


def flipped_bit(world: World) -> None:
    """A bit of the newest block is wrong; the CRC tells."""
    path = world.newest_segment()
    if path is not None and world.waiting:
        lost = world.waiting[-1]
        data = bytearray(path.read_bytes())
        data[-world.random.randrange(1, len(lost.payload))] ^= 1 << world.random.randrange(8)
        path.write_bytes(data)
        world.must_have_seq = lost.first_seq - 1
        world.may_be_damaged = True


def zeroes(world: World) -> None:
    """The file system kept the length and not the bytes."""
    path = world.newest_segment()
    if path is not None:
        path.write_bytes(path.read_bytes() + bytes(world.random.randrange(1, 5000)))
        world.may_be_damaged = True


DAMAGES = [nothing, torn_write, lost_tail, flipped_bit, garbage, zeroes]


# --- what a flow records


def _script(random: Random) -> list[tuple[str, Any]]:
    """Give journal and commit steps over the events of one flow run with a subflow."""
    events = _events(random)
    steps: list[tuple[str, Any]] = []
    while events:
        size = random.randint(1, 6)
        part, events = events[:size], events[size:]
        steps.append(("journal", part))
        if random.random() < 0.4:
            steps.append((random.choice(("commit", "acknowledge")), random.randint(1, 3)))
    return steps


def _events(random: Random) -> list[Event]:
    source = Source("flow.py", "train", "/", "python")

    def created(run: str, parent: str) -> RunCreated:
        return RunCreated(
            run, 1, 10, "train", run, "Pending", "root", parent, b"", 0, (), b"{}", None, (), "v", source, 0
        )

    events: list[Event] = [created("root", ""), RunMoved("root", 1, 11, "Running", "Pending")]
    for no in range(1, 15):
        run = "root"
        if no == 7:
            events += [created("sub", "root"), RunMoved("sub", 1, 12, "Running", "Pending")]
        if 7 <= no < 11:
            run = "sub"
        events.append(TaskStarted(run, 1, 20 + no, no, KEY, "fit", f"fit-{no}", "Running", "", 0, 0, (), "v"))
        if random.random() < 0.5:
            events.append(Logged(run, no, 21 + no, 20, "user", f"line {no}"))
        if random.random() < 0.8:
            events.append(TaskMoved(run, 1, 22 + no, no, random.choice(("Completed", "Failed")), "Running", no))
    events.append(RunMoved("sub", 1, 90, "Completed", "Running"))
    if random.random() < 0.5:
        events.append(RunMoved("root", 1, 99, "Completed", "Running"))
    return events


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment is small here, so that there are several."""
    monkeypatch.setattr("ostinato.store.journal.SEGMENT_BYTES", 700)
