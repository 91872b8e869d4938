"""Plans: no query of tracking reads a table of runs, values or files from end to end."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

import ostinato.store
from ostinato.store import sql

SCHEMA = (Path(ostinato.store.__file__).parent / "schema.sql").read_text(encoding="utf-8")
BY_HAND = {"run_by_name"}
"""Asked by people only, for one name: no index has to be kept for it."""
QUERIES = sorted(set(sql.load("tracking")) - BY_HAND)


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
