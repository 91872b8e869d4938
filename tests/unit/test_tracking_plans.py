"""Plans: no query of tracking reads a table of runs, values or files from end to end."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import ostinato.store
from ostinato.store import sql, tracking_search
from ostinato.store.sqlite import SqliteConnection
from ostinato.store.tracking_search import search_runs

SCHEMA = (Path(ostinato.store.__file__).parent / "schema.sql").read_text(encoding="utf-8")
BY_HAND = {"run_by_name"}
"""Asked by people only, for one name: no index has to be kept for it."""
QUERIES = sorted(set(sql.load("tracking")) - BY_HAND)


class Watched(SqliteConnection):
    """Keeps the plan of each query that is asked."""

    plans: list[list[str]]

    def execute(self, text: str, values: Any = (), /) -> sqlite3.Cursor:
        self.plans.append([row[3] for row in super().execute(f"EXPLAIN QUERY PLAN {text}", values)])
        return super().execute(text, values)


@pytest.fixture(params=["without statistics", "with statistics"])
def db(request: pytest.FixtureRequest) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    if request.param == "with statistics":
        values = [
            (f"{number:032x}", str(number % 5), "n", "finished", "active", "", "", "", "", 0, b"", "", 1, 9, 9, 9, 9)
            for number in range(300)
        ]
        db.executemany(f"INSERT INTO tracking_runs VALUES ({', '.join('?' * 17)})", values)
        db.executemany("INSERT INTO metric_points VALUES (?, 'm', ?, 0, 0.5, '', 1)", [(row[0], 1) for row in values])
        db.executescript("ANALYZE")
    return db


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_of_tracking_searches_along_an_index(db: sqlite3.Connection, name: str) -> None:
    query = sql.load("tracking")[name]
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", [None] * query.count("?"))]
    db.close()
    scanned = [step for step in plan if re.match(r"SCAN (?!json_each|experiments USING INDEX)", step)]
    assert scanned == []


@pytest.mark.parametrize("name", ["newest_runs", "points", "files", "runs_of_flow_run", "params", "tags", "metrics"])
def test_pages_come_in_the_order_of_an_index(db: sqlite3.Connection, name: str) -> None:
    query = sql.load("tracking")[name]
    plan = " / ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", [None] * query.count("?")))
    db.close()
    assert "TEMP B-TREE" not in plan.replace("LAST TERM OF ORDER BY", "") or name == "runs_of_flow_run", plan


# --- searches among many


def filled(n: int) -> Watched:
    """Give a database with so many tracking runs, each with a few metrics, a parameter and a tag."""
    db = sqlite3.connect(":memory:", factory=Watched)
    db.executescript(SCHEMA)
    draw = random.Random(1)
    ids = [f"{draw.getrandbits(128):032x}" for _ in range(n)]
    runs = [(one, "1", "n", "finished", "active", *[""] * 4, 0, b"", "", 1, at, 9, 9, 9) for at, one in enumerate(ids)]
    metrics = [(one, key, draw.random(), "", 0, 0) for one in ids for key in ("rmse", "time", "mae")]
    metrics += [(one, "same", 1.0, "", 0, 0) for one in ids]
    db.executemany(f"INSERT INTO tracking_runs VALUES ({', '.join('?' * 17)})", runs)
    db.executemany("INSERT INTO tracking_metrics VALUES (?, ?, ?, ?, ?, ?)", metrics)
    db.executemany("INSERT INTO tracking_params VALUES (?, 'depth', ?)", [(one, one[0]) for one in ids])
    db.executemany("INSERT INTO tracking_tags VALUES (?, 'phase', ?)", [(one, one[1]) for one in ids])
    db.plans = []
    return db


BOTH = "metrics.rmse < 0.5 and metrics.time < 0.5"
BY_PARAM = "SEARCH m USING INDEX tracking_params_by_value (key=? AND <expr>=?)"
BY_TAG = "SEARCH m USING INDEX tracking_tags_by_value (key=? AND <expr>=?)"
ALONG = "SEARCH m USING INDEX tracking_metrics_by_value"
AMONG_NEWEST = "CO-ROUTINE r"
NEWEST = "SEARCH r USING COVERING INDEX tracking_runs_by_experiment"


@pytest.mark.parametrize(
    ("text", "order", "first", "is_sorted"),
    [
        (BOTH, "metrics.rmse ASC", ALONG, True),
        (BOTH, "metrics.time DESC", ALONG, True),
        (BOTH, "metrics.mae DESC", ALONG, True),
        ("", "metrics.mae", ALONG, True),
        (BOTH, "", NEWEST, True),
        (BOTH, "start_time DESC", NEWEST, True),
        (BOTH, "start_time ASC", NEWEST, True),
        ("metrics.rmse < 0.02 and metrics.time < 0.5", "params.depth", ALONG, False),
        ("metrics.rmse > 0.5 and metrics.rmse < 0.52", "", ALONG, False),
        (BOTH, "params.depth", ALONG, False),
        ("params.depth = '3'", "end_time ASC", BY_PARAM, False),
        ("params.depth = '3' and metrics.rmse > 0.1", "params.depth", BY_PARAM, False),
        ("tags.phase = '3'", "params.depth", BY_TAG, False),
        ("metrics.rmse > 0.5", "metrics.same", AMONG_NEWEST, False),
    ],
)
def test_a_search_among_many_follows_an_index(
    monkeypatch: pytest.MonkeyPatch, text: str, order: str, first: str, *, is_sorted: bool
) -> None:
    monkeypatch.setattr(tracking_search, "LONG", 50)
    monkeypatch.setattr(tracking_search, "NEWEST", 25)
    db = filled(400)
    page, token = search_runs(db, ["1"], text=text, order_by=[order] if order else [], limit=5)
    assert (len(page), bool(token)) == (5, True)
    plan = db.plans[-1]
    assert plan[0].startswith(first), plan
    assert ("USE TEMP B-TREE FOR ORDER BY" not in plan) is is_sorted
    following, _ = search_runs(db, ["1"], text=text, order_by=[order] if order else [], limit=5, token=token)
    assert not set(page) & set(following)
    db.close()


def test_a_list_of_all_experiments_is_in_the_order_of_an_index() -> None:
    db = filled(40)
    page, token = search_runs(db, None, limit=5)
    search_runs(db, None, limit=5, token=token)
    for plan in db.plans:
        assert plan[0].startswith("SEARCH r USING COVERING INDEX tracking_runs_by_start (state=?"), plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
    assert "started_at<?" in db.plans[1][0], "a later page begins where the one before ended"
    assert len(page) == 5
    db.close()


@pytest.mark.parametrize("order", ["metrics.rmse", "metrics.mae DESC", "start_time DESC", ""])
def test_a_page_among_many_takes_as_many_steps_as_among_few(monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    monkeypatch.setattr(tracking_search, "LONG", 200)
    monkeypatch.setattr(tracking_search, "MANY", 400)
    steps = [steps_of(n, order) for n in (1_000, 8_000)]
    assert steps[1] < 1.5 * steps[0]


def steps_of(n: int, order: str) -> int:
    """Give how many hundreds of steps SQLite takes for a page."""
    db = filled(n)
    taken: list[int] = []
    db.set_progress_handler(lambda: taken.append(1), 100)
    search_runs(db, ["1"], text=BOTH, order_by=[order] if order else [], limit=5)
    db.set_progress_handler(None, 100)
    db.close()
    return len(taken)
