"""Plans: no list and no query of the server's loops reads a table from end to end, with statistics or without."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ostinato.store
from ostinato.core.ids import id_bound, new_id
from ostinato.core.query import RUN_FIELDS, parse
from ostinato.store import runs, sql, walks
from ostinato.store.filters import where
from ostinato.store.sqlite import SqliteConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = (Path(ostinato.store.__file__).parent / "schema.sql").read_text(encoding="utf-8")
NOW = 1_800_000_000_000_000
DAY = 86_400_000_000

LARGE = "streams|blocks|flow_runs|flow_run_tags|run_states|task_runs|task_counts|logs|artifacts|ticks|run_keys|audit"
PARTS = "flow_runs_held|flow_runs_coming|flow_runs_waiting|flow_runs_due|flow_runs_active|flow_runs_paused"
"""Indexes that hold only what waits or runs now: a scan of one of them is no scan of the table."""

LISTS = (
    "",
    "parent:none",
    "state:failed since:24h",
    "state:ended",
    "state:active flow:train",
    "flow:train tag:gpu",
    "flow:train,score state:failed",
    "quick otter",
    "name:quick-otter",
    "tag:gpu",
    "tag:gpu,night",
    "duration:>3h",
    "attempt:>1",
    "version:v3 -tag:gpu",
    "since:50d until:45d",
    "created:2026-01-01",
    "-state:completed",
    "id:01a2",
    f"root:{'0' * 32}",
    f"parent:{'0' * 32}",
    "started:none ended:none",
    "deployment:train/nightly",
    "deployment:train/nightly,score/nightly state:crashed",
    "queue:gpu state:scheduled worker:01 schedule:main due:<24h",
)

LOOPED_ELSEWHERE = (
    ("briefs", "blocks_between"),
    ("briefs", "blocks_of_all_between"),
    ("briefs", "calls_after"),
    ("briefs", "calls_before"),
    ("briefs", "calls_in_states"),
    ("briefs", "calls_of"),
    ("briefs", "calls_of_in_states"),
    ("briefs", "last_call"),
    ("claims", "active_streams"),
    ("deployments", "deployments_after"),
    ("deployments", "newest_runs"),
    ("datasets", "data_names"),
    ("datasets", "users"),
    ("feed", "blocks_after"),
    ("feed", "first_block"),
    ("feed", "block_since"),
    ("feed", "blocks_before"),
    ("feed", "newest_of_stream"),
    ("feed", "places_of_runs"),
    ("feed", "place_of_run"),
    ("logs", "hits_before"),
    ("logs", "hits_of_letters_before"),
    ("logs", "lines_after"),
    ("logs", "lines_before"),
    ("logs", "logs_after"),
    ("logs", "look_ahead"),
    ("logs", "look_back"),
    ("logs", "newest_logs"),
    ("logs", "span"),
    ("overview", "coming"),
    ("overview", "counts_of_flows"),
    ("overview", "deployment_titles"),
    ("overview", "flows"),
    ("overview", "hours"),
    ("overview", "marks"),
    ("overview", "model_names"),
    ("overview", "newest_of_flow"),
    ("overview", "oldest_waiting"),
    ("overview", "progress"),
    ("runs", "runs_by_ids"),
    ("variables", "variables_after"),
    ("screens", "artifact"),
    ("screens", "artifact_floor"),
    ("screens", "artifact_versions"),
    ("screens", "artifacts_of_runs"),
    ("screens", "deployments_of_flows"),
    ("screens", "first_task_counts"),
    ("screens", "flow_names"),
    ("screens", "newest_artifacts"),
    ("screens", "newest_begun"),
    ("screens", "newest_named"),
    ("screens", "runs_below"),
)
"""Other queries that run for each page of a reader, or look of the server."""

LOOPED = (
    "busy",
    "deployment_by_id",
    "deployment_by_name",
    "fact",
    "future_runs_of_schedule",
    "held",
    "holders",
    "inputs",
    "known_tick",
    "late",
    "limits",
    "lost_workers",
    "missed",
    "n_planned_ahead",
    "newest_tick_runs",
    "next_due",
    "planned_until",
    "preview",
    "renew_lease",
    "run_of_key",
    "run_work",
    "running_counts",
    "slots_taken",
    "tick_runs",
    "waiting",
    "waiting_counts",
    "waiting_in_queue",
    "waiting_runs_of_deployment",
    "worker",
    "worker_info",
    "workers",
)
"""Queries of work.sql that run for each poll, look of the scheduler, command or page."""


class Watched(SqliteConnection):
    """Keeps the plan of each query that is asked."""

    plans: list[str]

    def execute(self, text: str, values: Any = (), /) -> sqlite3.Cursor:
        self.plans += [row[3] for row in super().execute(f"EXPLAIN QUERY PLAN {text}", values)]
        return super().execute(text, values)


@pytest.fixture(params=["without statistics", "with statistics"])
def db(request: pytest.FixtureRequest) -> Iterator[Watched]:
    db = sqlite3.connect(":memory:", factory=Watched)
    db.executescript(SCHEMA)
    if request.param == "with statistics":
        add_runs(db, [run_at(NOW - number * 1000, flow=f"flow-{number % 7}") for number in range(200)])
        db.executescript("ANALYZE")
    db.plans = []
    yield db
    db.close()


def run_at(at: int, **fields: Any) -> dict[str, Any]:
    """Give a row of flow_runs."""
    run_id = fields.get("id") or id_bound(at) + new_id()[12:]
    row = {
        "id": run_id, "root_id": run_id, "parent_id": "", "no": 0, "flow": "train", "name": "quiet-otter",
        "state": "Completed", "message": "", "epoch": 1, "attempt": 1, "stream": "s", "created_at": at,
        "expected_at": at, "version": "v1", "key": b"", "parameters": b"{}", "source": b"\x94\xa0\xa0\xa0\xa0",
        "n_reused": 0, "n_logs_dropped": 0,
    }  # fmt: skip
    return row | fields


def add_runs(db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    marks = ", ".join("?" * len(names))
    db.executemany(f"INSERT INTO flow_runs ({', '.join(names)}) VALUES ({marks})", [list(row.values()) for row in rows])


def scans(plan: list[str]) -> list[str]:
    """Give the steps of a plan that read a large table from end to end.

    A walk in the order of an index ends with its page; those of lists are looked at in a test of their own.
    """
    found = []
    for step in plan:
        match = re.fullmatch(rf"SCAN (?:{LARGE}|[a-z])(?: USING (?:COVERING )?INDEX (\w+))?", step)
        if match is not None and not re.fullmatch(PARTS, match[1] or ""):
            found.append(step)
    return found


@pytest.mark.parametrize(("subject", "name"), [*(("work", name) for name in LOOPED), *LOOPED_ELSEWHERE])
def test_a_query_in_a_loop_reads_no_table_from_end_to_end(db: Watched, subject: str, name: str) -> None:
    query = sql.load(subject)[name]
    n_values = max([int(number) for number in re.findall(r"\?(\d+)", query)], default=0) or query.count("?")
    plan = [row[3] for row in sqlite3.Connection.execute(db, f"EXPLAIN QUERY PLAN {query}", [None] * n_values)]
    tiny = (
        r"SCAN (?:l|p|q|soonest|workers|limits|json_each)\b"  # what comes out of lists, and of tables that stay small
    )
    assert [step for step in scans(plan) if not re.match(tiny, step)] == []


def test_the_newest_root_run_is_among_the_first_of_an_index(db: Watched) -> None:
    db.execute(sql.load("runs")["newest_root_run"], (NOW,))
    walked = [step for step in db.plans if re.match(r"(SCAN|SEARCH) flow_runs", step)]
    assert walked == [
        "SEARCH flow_runs USING INDEX sqlite_autoindex_flow_runs_1 (id=?)",
        "SCAN flow_runs USING INDEX flow_runs_roots",
    ]


@pytest.mark.parametrize("text", LISTS)
def test_a_list_of_runs_walks_along_an_index_and_sorts_nothing(db: Watched, text: str) -> None:
    db.create_function("lower", 1, str.lower, deterministic=True)
    runs.runs(db, parse(text, RUN_FIELDS, now=NOW), limit=50, after="", now=NOW)
    walked = [step for step in db.plans if step.startswith(("SCAN r", "SCAN p", "SEARCH r", "SEARCH p"))]
    assert walked
    for step in db.plans:
        assert "USING" in step or "json_each" in step or step.startswith(("LIST", "CORRELATED", "USE")), db.plans
        assert "TEMP B-TREE" not in step or text.startswith("parent:0"), db.plans  # the runs that one run called


@pytest.mark.parametrize("text", LISTS)
def test_pages_give_each_run_that_matches_once_whichever_way_they_walk(
    text: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "LOOKED_AT", 32)
    db = sqlite3.connect(":memory:", factory=SqliteConnection)
    db.create_function("lower", 1, str.lower, deterministic=True)
    db.executescript(SCHEMA)
    states = ("Completed", "Failed", "Crashed", "Running", "Scheduled")
    rows = []
    for number in range(600):
        at = NOW - number * DAY // 9
        drawn = (seed * 7919 + number * 104_729) % 1_000_003
        rows.append(
            run_at(
                at, flow=("train", "score", "load")[drawn % 3], state=states[drawn // 3 % 5],
                name=("quick-otter", "calm-crow", "quick otter")[drawn // 15 % 3], version=f"v{drawn % 5}",
                attempt=1 + (drawn % 97 == 0), started_at=at if drawn % 2 else None,
                ended_at=at + drawn * 50_000 if drawn % 4 == 1 else None,
            )
        )  # fmt: skip
        if number % 11 == 0:
            rows[-1] |= {"parent_id": "0" * 32, "root_id": "0" * 32}
    add_runs(db, rows)
    tags = [
        (tag, row["id"]) for number, row in enumerate(rows) for tag, n in (("gpu", 9), ("night", 40)) if number % n == 3
    ]
    db.executemany("INSERT INTO flow_run_tags VALUES (?, ?)", tags)
    query = parse(text, RUN_FIELDS, now=NOW)
    condition, values = where(query, NOW)
    wanted = [
        row[0] for row in db.execute(f"SELECT r.id FROM flow_runs AS r WHERE {condition} ORDER BY r.id DESC", values)
    ]
    found: list[str] = []
    cursor, n_pages = "", 0
    while n_pages == 0 or cursor:
        page, cursor = runs.runs(db, query, limit=7, after=cursor, now=NOW)
        assert len(page) <= 7
        found += [run.id for run in page]
        n_pages += 1
    assert found == wanted
    assert n_pages <= len(wanted) // 7 + 600 // 32 * 2 + 3
    db.close()


def test_a_page_looks_at_a_bounded_number_of_runs_and_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "LOOKED_AT", 100)
    db = sqlite3.connect(":memory:", factory=SqliteConnection)
    db.executescript(SCHEMA)
    rows = [run_at(NOW - number * 1000, attempt=2 if number == 950 else 1) for number in range(1000)]
    add_runs(db, rows)
    looked: list[str] = []
    db.create_function("looked", 1, looked.append)
    query = parse("attempt:2", RUN_FIELDS, now=NOW)
    page, cursor = runs.runs(db, query, limit=50, after="", now=NOW)
    assert (page, cursor) == ([], rows[99]["id"])
    n_pages = 1
    while not page:
        page, cursor = runs.runs(db, query, limit=50, after=cursor, now=NOW)
        n_pages += 1
    assert [run.id for run in page] == [rows[950]["id"]]
    assert n_pages == 10
    db.close()


def test_the_walk_that_finds_least_is_taken() -> None:
    db = sqlite3.connect(":memory:", factory=SqliteConnection)
    db.executescript(SCHEMA)
    add_runs(db, [run_at(NOW - number * 1000, state="Failed" if number == 5 else "Completed") for number in range(300)])
    for text, source in (
        ("flow:train state:failed attempt:1", "flow_runs_by_flow"),
        ("state:failed attempt:1", "flow_runs_by_state"),
        ("name:quiet-otter tag:x", "flow_runs_by_name"),
        ("parent:none", "flow_runs_roots"),
        ("attempt:1", "autoindex"),
    ):
        walk, bound = walks.choose(db, parse(text, RUN_FIELDS, now=NOW), "", walks.BEYOND)
        assert (source in walk.source, bound) == (True, ""), walk
    db.close()


def waiting_runs(seed: int) -> Iterator[dict[str, Any]]:
    """Give runs in two queues, of five priorities, some not due yet, some that no longer wait."""
    for number in range(400):
        drawn = (seed * 7919 + number * 104_729) % 1_000_003
        state = ("Scheduled", "Late", "Scheduled", "Running")[drawn % 4]
        yield run_at(
            NOW - number, state=state, queue=("default", "gpu", "")[drawn // 4 % 3], priority=drawn // 12 % 5 - 2,
            due_at=drawn // 60 % 50, deployment_id=("d1", "d2", "d3")[drawn // 3000 % 3], deployment="train/test",
            held=int(state == "Running"), worker="w" if state == "Running" else "",
        )  # fmt: skip


def test_the_most_urgent_run_that_is_due_comes_first(seed: int) -> None:
    db = sqlite3.connect(":memory:", factory=SqliteConnection)
    db.executescript(SCHEMA)
    rows = list(waiting_runs(seed))
    add_runs(db, rows)
    for queue, until, blocked in (
        ("default", 25, ()),
        ("default", 99, ("d2",)),
        ("gpu", 10, ("d1", "d3")),
        ("no", 9, ()),
    ):
        wanted = sorted(
            (-row["priority"], row["due_at"], row["id"])
            for row in rows
            if row["state"] in ("Scheduled", "Late") and row["queue"] == queue
            and row["due_at"] <= until and row["deployment_id"] not in blocked
        )  # fmt: skip
        found: list[str] = []
        while page := db.execute(
            sql.load("work")["waiting"], (queue, until, json.dumps(blocked), "[]", 16, len(found))
        ).fetchall():
            found += [row[0] for row in page]
        assert found == [run_id for _, _, run_id in wanted]
    db.close()


def test_the_next_due_run_of_some_queues_is_found(seed: int) -> None:
    db = sqlite3.connect(":memory:", factory=SqliteConnection)
    db.executescript(SCHEMA)
    rows = list(waiting_runs(seed))
    add_runs(db, rows)
    for queues, after in ((["default", "gpu"], 20), (["gpu", "no"], 40), (["no"], 0), (["default"], 50), ([], 0)):
        wanted = [
            row["due_at"]
            for row in rows
            if row["state"] in ("Scheduled", "Late") and row["queue"] in queues and row["due_at"] > after
        ]
        found = db.execute(sql.load("work")["next_due"], (after, json.dumps(queues))).fetchone()
        assert found == ((min(wanted),) if wanted else None)
    db.close()
