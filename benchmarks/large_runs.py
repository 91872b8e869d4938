"""A home with a few runs of many parts: tasks that depend on one another, mapped tasks, log lines.

Written through the real append and projection, like `large_home.py`. Each run has ended.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from large_home import run_id_at

from ostinato.core.events import Block, Logged, RunCreated, RunMoved, Source, TaskMoved, TaskStarted
from ostinato.core.results import Result
from ostinato.store.append import Entry, Writer, append
from ostinato.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ostinato.core.events import Event

EVENTS_A_COMMIT: Final = 20_000
NEEDLE: Final = "needle"
"""A word that stands in a few of the log lines."""
N_NEEDLES: Final = 5
SECOND_US: Final = 1_000_000

_SOURCE: Final = Source("/srv/flows/pipelines/daily.py", "daily", "/srv/flows", "/usr/bin/python3")
_RESULT: Final = Result("m", b"\x01", "", 1, b"d" * 16)
_pack: Final = msgspec.msgpack.Encoder().encode


def make(folder: Path, n_tasks: int, n_mapped: int, n_lines: int) -> dict[str, str]:
    """Make the home; give the ids of its runs: `tasks`, `mapped` and `lines`."""
    (folder / "journal").mkdir(parents=True)
    database = SqliteDatabase(str(folder / "ostinato.db"))
    now = time.time_ns() // 1000
    made: dict[str, str] = {}
    kinds = {"tasks": (dependent, n_tasks), "mapped": (mapped, n_mapped), "lines": (lines, n_lines)}
    for number, (name, (parts, n)) in enumerate(kinds.items()):
        at = now - (number + 2) * 600 * SECOND_US
        made[name] = run_id_at(at, number)
        writer = Writer(f"{number + 1:032x}", 1, "host", at)
        for first, some in _commits(_whole(made[name], name, at, parts(made[name], at, n))):
            last = first + len(some) - 1
            with database.writing(sync=False) as db:
                append(db, writer, [Entry(first, last, _pack(Block(writer.stream, first, some)), some)], at)
    database.tidy()
    database.close()
    return made


def _whole(run_id: str, name: str, at: int, parts: Iterable[Event]) -> Iterator[Event]:
    """Give the events of a run with these parts."""
    yield RunCreated(
        run_id, 1, at, name, f"many-{name}", "Pending", run_id, "", b"", 0, (), b"{}", None, (), "v1", _SOURCE, at
    )
    yield RunMoved(run_id, 1, at, "Running", "Pending")
    yield from parts
    yield RunMoved(run_id, 1, at + 300 * SECOND_US, "Completed", "Running", "", 1, _RESULT)


def _commits(events: Iterable[Event]) -> Iterator[tuple[int, list[Event]]]:
    """Give events in pieces, each with the number of its first."""
    some: list[Event] = []
    first = 1
    for event in events:
        some.append(event)
        if len(some) == EVENTS_A_COMMIT:
            yield first, some
            first, some = first + len(some), []
    if some:
        yield first, some


def dependent(run_id: str, at: int, n: int) -> Iterator[Event]:
    """Give tasks of which each takes what two earlier ones gave; some fifty go on at once."""
    for no in range(1, n + 1):
        needed = {no // 2, no * 7 % (no - 1) + 1} if no > 2 else {no - 1}
        upstream = tuple(_key(one) for one in sorted(needed) if one)
        yield _started(run_id, at + no * SECOND_US // 5, no, f"step_{no:04}", upstream)
        yield _ended(run_id, at + no * SECOND_US // 5 + 10 * SECOND_US, no)


def mapped(run_id: str, at: int, n: int) -> Iterator[Event]:
    """Give one task, very many that a `.map` makes of what it gave, and one that takes what they gave."""
    group = _key(n + 9).hex()
    yield _started(run_id, at, 1, "load")
    yield _ended(run_id, at + 1_000, 1)
    for no in range(2, n + 2):
        yield _started(run_id, at + no * 1_000, no, "score", (_key(1),), group)
        yield _ended(run_id, at + no * 1_000 + 900, no)
    yield _started(run_id, at + 200 * SECOND_US, n + 2, "fit", (bytes.fromhex(group),))
    yield _ended(run_id, at + 201 * SECOND_US, n + 2)


def lines(run_id: str, at: int, n: int) -> Iterator[Event]:
    """Give log lines, the word that is looked for in a few of them."""
    for number in range(n):
        word = f" {NEEDLE}" if number % (n // N_NEEDLES) == n // N_NEEDLES // 2 else ""
        text = f"epoch {number // 100} batch {number % 100}: loss {1 / (number + 1):.6f}, rate 0.001{word}"
        yield Logged(run_id, 0, at + number * 2_000, 20, "ostinato.run", text)


def _key(no: int) -> bytes:
    return no.to_bytes(16, "big")


def _started(
    run_id: str, at: int, no: int, task: str, upstream: tuple[bytes, ...] = (), group: str = ""
) -> TaskStarted:
    return TaskStarted(
        run_id, 1, at, no, _key(no), task, f"{task}-665e7535-{no}", "Running", "", 0, 0, upstream, "abcdef0123456789",
        (), "", group,
    )  # fmt: skip


def _ended(run_id: str, at: int, no: int) -> TaskMoved:
    return TaskMoved(run_id, 1, at, no, "Completed", "Running", no, 1, "", _RESULT)
