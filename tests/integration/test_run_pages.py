"""Pages of a run's log and task runs: bounded looks that leave nothing out, on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e.filled import Filled

from ostinato.core.graphs import graph_of
from ostinato.session.home import Home
from ostinato.store import briefs, logs, runs
from ostinato.store.logs import END, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.records import LogLine
    from ostinato.core.states import StateName
    from ostinato.store.database import Connection

GROUP = "ab" * 16


@pytest.fixture
def db(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Give a home with a run whose lines lie among those of another one, looked at a few at a time."""
    filled = Filled()
    other, run = filled.run("other"), filled.run("long")
    filled.tasks(run, "load", {"Completed": 1})
    filled.tasks(run, "score", {"Completed": 40, "Failed": 3, "Skipped": 20}, group=GROUP)
    filled.tasks(run, "sum", {"Completed": 2})
    for number in range(60):
        level = 40 if number % 20 == 7 else 20
        filled.logs(run, [(number % 3, level, f"line {number}: 100% of Größe")])
        filled.logs(other, [(0, 20, "line 7 of another run")])
    filled.close()
    database = Home(str(home)).open_to_read()
    monkeypatch.setattr(logs, "LOOKED_AT", 9)
    monkeypatch.setattr(logs, "SOUGHT", 9)
    monkeypatch.setattr(briefs, "LOOKED_AT", 10)
    yield database.db
    database.close()


def run_of(db: Connection) -> str:
    return runs.find_run(db, "long", "").id


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.text.split(":")[0].removeprefix("line ")) for line in lines]


@pytest.mark.parametrize(("level", "no", "expected"), [
    (0, -1, list(range(60))),
    (40, -1, [7, 27, 47]),
    (0, 2, list(range(2, 60, 3))),
    (40, 2, [47]),
    (50, -1, []),
])  # fmt: skip
def test_pages_of_a_log_go_forwards_and_backwards_over_the_same_lines(
    db: Connection, level: int, no: int, expected: list[int]
) -> None:
    wanted = Wanted(run_id=run_of(db), level=level, no=no)
    forwards: list[int] = []
    after, more = 0, True
    while more:
        page, after = logs.lines_after(db, wanted, after, 4)
        assert len(page) <= 4
        forwards += numbers(page)
        more = after > 0
    backwards: list[int] = []
    before, more = END, True
    while more:
        page, before = logs.lines_before(db, wanted, before, 4)
        backwards = numbers(page) + backwards
        more = before > 0
    assert forwards == backwards == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("LINE 3", [3, *range(30, 40)]), ("100%", list(range(60))), ("1%0", []), ("gRÖSSE", []), ("GRÖße", list(range(60))),
    ("_", []),
])  # fmt: skip
def test_a_text_is_found_in_all_lines_whatever_its_letters(db: Connection, text: str, expected: list[int]) -> None:
    wanted = Wanted(run_id=run_of(db))
    lines = {line.id: line for line in logs.lines_after(db, wanted, 0, 1000)[0]}
    found: list[int] = []
    before, more = END, True
    while more:
        ids, before = logs.hits_before(db, wanted, text, before, 5)
        assert ids == sorted(ids, reverse=True)
        found = [*reversed(ids), *found]
        more = before > 0
    assert numbers([lines[one] for one in found]) == expected
    first, last = logs.span(db, wanted.run_id)
    assert (first, last) == (min(lines), max(lines))
    assert logs.span(db, "nobody") == (0, 0)


def test_pages_of_task_runs_give_each_once_by_task_and_state(db: Connection) -> None:
    run = run_of(db)
    cases: tuple[tuple[str, str, tuple[StateName, ...], int], ...] = (
        ("", "", (), 66), ("score", GROUP, (), 63), ("score", GROUP, ("Failed",), 3), ("sum", "", (), 2),
        ("", "", ("Skipped", "Failed"), 23), ("score", "", (), 0),
    )  # fmt: skip
    for task, group, states, n in cases:
        found: list[int] = []
        after, more = 0, True
        while more:
            page, after = briefs.briefs(db, run, task=task, group=group, states=states, after=after, limit=4)
            found += [one.no for one in page]
            more = after > 0
        assert len(found) == n
        assert found == sorted(set(found))


def test_a_graph_of_many_task_runs_is_drawn_from_few_of_them(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(briefs, "FIRST_GRAPHED", 5)
    monkeypatch.setattr(briefs, "LAST_GRAPHED", 1)
    run = run_of(db)
    counts = runs.counts(db, run)
    tasks, whole = briefs.graphed(db, run, counts)
    assert [one.no for one in tasks] == [1, 2, 3, 4, 5, 65, 66]
    assert whole  # what was not looked at is mapped
    found = graph_of(tasks, counts, [])
    assert [(node.name, node.n) for node in found.nodes] == [("load-1", 1), ("score", 63), ("sum-65", 1), ("sum-66", 1)]


def test_the_calls_before_a_task_run_are_found_by_their_keys(db: Connection) -> None:
    run = run_of(db)
    wanted = [(60).to_bytes(16, "big"), bytes.fromhex(GROUP), b"?" * 16]
    found = briefs.calls_before(db, run, 66, wanted)
    assert {key: one.name for key, one in found.items()} == {wanted[0]: "score-60", wanted[1]: "score-64"}
    assert briefs.calls_before(db, run, 66, []) == {}


def test_the_steps_of_task_runs_are_those_that_their_writer_told(db: Connection) -> None:
    run = runs.find_run(db, "long", "")
    steps, whole = briefs.steps(db, run.stream, run.id, 0, END, {42})
    assert whole
    assert [(step.no, step.state, step.attempt) for step in steps] == [(42, "Running", 1), (42, "Failed", 1)]
    assert briefs.steps(db, run.stream, run.id, 0, 1, {42}) == ([], True)
    assert briefs.steps(db, "a later one", run.id, 0, END, {42}) == (steps, True)
