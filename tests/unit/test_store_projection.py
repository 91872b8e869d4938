"""The projection, which folds many events into few statements, does what the plain rules say."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plain_store import CRASH, PlainStore, stored_rows

import ostinato.store
from ostinato.core.events import (
    ArtifactMade,
    Block,
    CacheStored,
    CheckpointSaved,
    Error,
    Event,
    Logged,
    LogsDropped,
    Planned,
    RunAsked,
    RunCreated,
    RunMoved,
    RunReleased,
    Source,
    TaskMoved,
    TaskStarted,
    VariableSet,
)
from ostinato.core.results import Result
from ostinato.core.states import TABLE, StateName
from ostinato.store import claims
from ostinato.store.append import Entry, Writer, append
from ostinato.store.sqlite import SqliteConnection
from ostinato.store.transaction import Tx

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = (Path(ostinato.store.__file__).parent / "schema.sql").read_text(encoding="utf-8")
ROOTS = ("r1", "r2")
PARENTS = {"r1": "r1", "r2": "r2", "s1": "r1", "s2": "r1"}
STATES: tuple[StateName, ...] = tuple(TABLE)
LIKELY: tuple[StateName, ...] = (
    "Pending",
    "Running",
    "Running",
    "Completed",
    "Completed",
    "Failed",
    "Paused",
    "Skipped",
)

runs = st.sampled_from(sorted(PARENTS))
epochs = st.sampled_from([1, 1, 1, 1, 2, 2, 3])
instants = st.integers(min_value=0, max_value=3 * 3_600_000_000)
numbers = st.integers(min_value=1, max_value=5)
states = st.one_of(st.sampled_from(LIKELY), st.sampled_from(STATES))
results = st.none() | st.builds(
    Result, st.just("m"), st.none(), st.sampled_from(["", "aa", "bb"]), st.just(3), st.just(b"d")
)
errors = st.none() | st.builds(Error, st.just("ValueError"), st.text(max_size=3), st.just("trace"))
keys = st.sampled_from([b"0123456789abcdef", b"fedcba9876543210"])


@st.composite
def run_created(draw: st.DrawFn) -> RunCreated:
    run = draw(runs)
    root = PARENTS[run]
    return RunCreated(
        run,
        draw(epochs),
        draw(instants),
        draw(st.sampled_from(["train", "score"])),
        f"name-{run}",
        draw(st.sampled_from(["Pending", "Scheduled", "Running"])),
        root,
        "" if root == run else root,
        b"",
        0,
        (),
        b"{}",
        draw(results),
        (),
        "v",
        Source("f.py", "f", "/", "python"),
        0,
        draw(st.none() | st.builds(Planned, st.just("d"), st.just("train/d"), st.sampled_from(["q", "p"]), instants)),
    )


events: st.SearchStrategy[Event] = st.one_of(
    run_created(),
    st.builds(RunMoved, runs, epochs, instants, states, states, st.just("m"), numbers, results, errors, numbers),
    st.builds(RunMoved, runs, epochs, instants, states, states),
    st.builds(
        RunMoved,
        *(runs, epochs, instants, states, states),
        worker=st.sampled_from([None, "", "w"]),
        due_at=st.none() | instants,
        n_crashes=st.none() | numbers,
    ),
    st.builds(RunAsked, runs, epochs, instants, st.sampled_from(["pause", "go-on", ""])),
    st.builds(RunReleased, runs, epochs, instants),
    st.builds(
        TaskStarted,
        *(runs, epochs, instants, numbers, keys, st.sampled_from(["fit", "load"]), st.just("fit-1"), states),
        *(st.one_of(st.just(""), states), st.just(0), st.just(0), st.just(()), st.just("v")),
        group=st.sampled_from(["", "g"]),
    ),
    st.builds(
        TaskMoved, runs, epochs, instants, numbers, states, states, numbers, numbers, st.just("m"), results, errors
    ),
    st.builds(TaskMoved, runs, epochs, instants, numbers, states, states),
    st.builds(Logged, runs, numbers, instants, st.just(20), st.just("user"), st.text(max_size=5)),
    st.builds(LogsDropped, runs, instants, numbers),
    st.builds(ArtifactMade, runs, numbers, instants, st.just("k"), st.just("markdown"), st.just(""), st.just(b'"x"')),
    st.builds(
        CheckpointSaved, runs, epochs, instants, keys, st.just("v"), results.filter(lambda value: value is not None)
    ),
    st.builds(CacheStored, st.sampled_from(["c1", "c2"]), instants, instants, runs, numbers, results),
    st.builds(VariableSet, st.sampled_from(["v1", "v2"]), instants, st.none() | st.just(b"1")),
)

streams = st.sampled_from(["a", "b"])
operations = st.one_of(
    st.tuples(st.just("events"), streams, st.lists(events, min_size=1, max_size=12)),
    st.tuples(st.just("events"), streams, st.lists(events, min_size=1, max_size=12)),
    st.tuples(st.just("again"), streams, st.integers(min_value=0, max_value=10)),
    st.tuples(st.just("overlap"), streams, st.lists(events, min_size=1, max_size=2)),
    st.tuples(st.just("gap"), streams, st.lists(events, min_size=1, max_size=2)),
    st.tuples(st.just("claim"), st.sampled_from(ROOTS), epochs),
    st.tuples(st.just("crash"), streams, st.booleans()),
)


class Both:
    """The store and the plain one, given the same."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None, factory=SqliteConnection)
        self.db.executescript(SCHEMA)
        self.plain = PlainStore()
        self.sent: dict[str, list[Event]] = {"a": [], "b": []}
        self.now = 10**12
        self.keeper_seq = 0

    def do(self, what: str, name: str, value: Any) -> None:
        self.now += 1
        if what == "events":
            first_seq = len(self.sent[name]) + 1
            self.sent[name] += value
            self.append(name, first_seq, value)
        elif what == "overlap":
            known = self.sent[name][-3:]
            self.sent[name] += value
            self.append(name, len(self.sent[name]) - len(value) - len(known) + 1, [*known, *value])
        elif what == "again" and self.sent[name]:
            first_seq = min(value, len(self.sent[name]) - 1) + 1
            self.append(name, first_seq, self.sent[name][first_seq - 1 :])
        elif what == "gap":
            self.append(name, len(self.sent[name]) + 2, value)
        elif what == "claim":
            self.db.execute("BEGIN")
            with self.tx() as tx:
                found = claims.claim(tx, name, value, "a")
            self.db.execute("COMMIT")
            assert (found is None) == self.plain.claim(name, value, "a", self.now)
        elif what == "pin":
            self.db.execute("INSERT INTO pins VALUES (?, 'a model') ON CONFLICT DO NOTHING", (name,))
            self.plain.pinned.add(name)
        elif what == "crash":
            self.db.execute("BEGIN")
            with self.tx() as tx:
                claims.crash_stream(tx, name, CRASH, killed=value)
            self.db.execute("COMMIT")
            self.plain.crash(name, self.now, killed=value)

    @contextmanager
    def tx(self) -> Iterator[Tx]:
        """Give a transaction that writes to a stream of its own."""
        tx = Tx(self.db, Writer("keeper", 0, "", 0), self.keeper_seq, self.now, "", "")
        yield tx
        self.keeper_seq = tx.seq

    def append(self, stream: str, first_seq: int, sent: list[Event]) -> None:
        """Append events as one block or as two, after a trip through the journal's bytes."""
        middle = len(sent) // 2
        parts = [sent[:middle], sent[middle:]] if middle and self.now % 2 else [sent]
        entries: list[Entry] = []
        for part in parts:
            start = entries[-1].last_seq + 1 if entries else first_seq
            payload = msgspec.msgpack.encode(Block(stream, start, part))
            block = msgspec.msgpack.decode(payload, type=Block)
            entries.append(Entry(start, start + len(part) - 1, payload, block.events))
        self.db.execute("BEGIN")
        done = append(self.db, Writer(stream, 1, "host", 0), entries, self.now)
        self.db.execute("COMMIT")
        assert done.gap != self.plain.append(stream, first_seq, sent)
        assert done.acked_seq == self.plain.acked.get(stream, 0)

    def compare(self) -> None:
        stored, plain = stored_rows(self.db), self.plain.rows()
        for subject, rows in plain.items():
            assert stored[subject] == rows, subject
        for stream, sent in self.sent.items():
            payloads = self.db.execute("SELECT payload FROM blocks WHERE stream = ? ORDER BY id", (stream,)).fetchall()
            blocks = [msgspec.msgpack.decode(row[0], type=Block) for row in payloads]
            kept = [event for block in blocks for event in block.events]
            assert kept == sent[: self.plain.acked.get(stream, 0)]
            assert [block.first_seq for block in blocks] == [
                1 + sum(len(block.events) for block in blocks[:at]) for at in range(len(blocks))
            ]


@settings(max_examples=200)
@given(st.lists(operations, max_size=10))
def test_the_store_holds_what_the_plain_rules_give(script: list[tuple[str, str, Any]]) -> None:
    both = Both()
    for what, name, value in script:
        both.do(what, name, value)
    both.compare()
    both.db.close()


def test_the_store_holds_what_the_plain_rules_give_of_likely_histories(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        both = Both()
        for _ in range(25):
            both.do(*_likely(both.plain, random))
        both.compare()
        both.db.close()


def _likely(plain: PlainStore, random: Random) -> tuple[str, str, Any]:
    """Give an operation that mostly fits what there is: right epochs, allowed moves, known rows."""
    stream = random.choice("ab")
    what = random.choices(("events", "overlap", "again", "gap", "claim", "crash", "pin"), (30, 2, 2, 1, 4, 1, 1))[0]
    if what == "again":
        return what, stream, random.randrange(20)
    if what == "claim":
        root = random.choice(ROOTS)
        epoch = plain.runs[root]["epoch"] if root in plain.runs else 1
        return what, root, epoch + (random.random() < 0.2)
    if what == "pin":
        return what, random.choice(ROOTS), None
    if what == "crash":
        return what, stream, random.random() < 0.5
    return what, stream, [_likely_event(plain, random) for _ in range(random.randint(1, 12))]


def _likely_event(plain: PlainStore, random: Random) -> Event:
    run = random.choice(sorted(PARENTS))
    root = plain.runs.get(PARENTS[run])
    epoch = max((root["epoch"] if root else 1) + random.choices((0, -1, 1), (20, 2, 1))[0], 1)
    at = random.randrange(10)
    no = random.randint(1, 12)
    result = random.choice(
        (None, Result("m", b"1", "", 1, b"d"), Result("p", None, random.choice(("aa", "bb")), 9, b"d"))
    )
    row = plain.runs.get(run, {})
    task = plain.tasks.get((run, no), {})
    kind = random.choices(range(8), (2 if row else 20, 6, 12, 24, 2, 2, 2, 2))[0]
    if kind == 0:
        parent = "" if PARENTS[run] == run else PARENTS[run]
        source = Source("f.py", "f", "/", "python")
        return RunCreated(
            *(run, epoch, at, "train", "name", "Pending", PARENTS[run], parent, b"", 0, (), b"{}", result),
            *((), "v", source, at),
        )
    if kind == 1:
        state = _likely_state(row, random)
        return RunMoved(run, epoch, at, state, row.get("state", "Pending"), "m", 1, result, None, random.randrange(3))
    if kind == 2:
        first: StateName = random.choice(("Pending", "Running", "Skipped"))
        previous = random.choice((task.get("state", ""), ""))
        return TaskStarted(run, epoch, at, no, b"0123456789abcdef", "fit", "fit-1", first, previous, 0, 0, (), "v")
    if kind == 3:
        return TaskMoved(
            run, epoch, at, no, _likely_state(task, random), task.get("state", "Pending"), no, 1, "", result
        )
    if kind == 4:
        value = result or Result("m", b"1", "", 1, b"d")
        return CheckpointSaved(run, epoch, at, b"0123456789abcdef", "v", value)
    if kind == 5:
        return CacheStored(random.choice("cd"), at, 0, run, no, result)
    if kind == 6:
        return VariableSet(random.choice("vw"), at, random.choice((b"1", b"2", None)))
    return LogsDropped(run, at, 2)


def _likely_state(row: dict[str, Any], random: Random) -> StateName:
    allowed: tuple[StateName, ...] = TABLE[row.get("state", "Pending")] or ("Pending",)
    if "Completed" in allowed and random.random() < 0.4:
        return "Completed"
    return random.choice(allowed if random.random() < 0.8 else STATES)
