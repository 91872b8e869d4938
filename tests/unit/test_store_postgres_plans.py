"""Plans on PostgreSQL: no query of a loop, of a commit or of a page reads a table from end to end."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests import postgres
from tests.unit import test_store_plans, test_store_schema

import ostinato.store
from ostinato.core.query import RUN_FIELDS, parse
from ostinato.store import dialect, runs, sql
from ostinato.store.postgres import PostgresConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ostinato.store.database import Cursor

SCHEMA = (Path(ostinato.store.__file__).parent / "schema.sql").read_text(encoding="utf-8")
LARGE = (*test_store_plans.LARGE.split("|"), "artifacts", "cache", "checkpoints", "blob_refs", "tracking_runs")
N_ROWS = 20_000
MOSTLY = {
    ("flow_runs", "state"): "(ARRAY['Failed', 'Running', 'Scheduled'])[1 + n % 3]",
    ("flow_runs", "parent_id"): "",
    ("flow_runs", "queue"): "",
    ("flow_runs", "held"): "0",
}
"""What nearly all rows have, as they do in a home that has grown old; one in a hundred is another."""
ALWAYS = {("flow_runs", "source"): r"'\x94a0a0a0a0'::bytea"}

LOOPED = sorted(
    test_store_schema.LOOPED
    | {("work", name) for name in test_store_plans.LOOPED}
    | set(test_store_plans.LOOPED_ELSEWHERE)
)


def filled(table: str, columns: list[tuple[str, str]]) -> str:
    """Give the statement that fills a table with rows that differ in every column but for those above."""
    values = []
    for name, kind in columns:
        own = {"text": "lpad(to_hex(n), 32, '0')", "bigint": "n", "bytea": r"'\x'::bytea", "double precision": "n"}[
            kind
        ]
        most = MOSTLY.get((table, name))
        if name == "state" and table == "flow_runs":
            own, most = most or own, "Completed"
        if most is not None:
            own = f"CASE n % 100 WHEN 0 THEN {own} ELSE '{most}' END"
        values.append(ALWAYS.get((table, name), own))
    names = ", ".join(f'"{name}"' for name, _ in columns)
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM generate_series(1, {N_ROWS}) AS n"


@pytest.fixture(scope="module", params=["as it comes", "as the store asks"])
def pg(postgresql: postgres.Server, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Give a connection to filled tables: with the planner as it comes, and as the store sets it."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres.schema(postgresql))
        if request.param == "as it comes":
            pg = stack.enter_context(psycopg.connect(url, autocommit=True))
        else:
            pg = stack.enter_context(contextlib.closing(PostgresConnection(url, url))).pg
        pg.execute(dialect.tables(SCHEMA).encode())
        for table in LARGE:
            columns = pg.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()"
                f" AND table_name = '{table}' AND is_identity = 'NO' AND (is_nullable = 'NO' OR data_type = 'bigint')",
            ).fetchall()
            pg.execute(filled(table, [(str(name), str(kind)) for name, kind in columns]).encode())
        pg.execute("ANALYZE")
        pg.execute("SET plan_cache_mode = force_generic_plan")
        yield pg


def nodes(plan: dict[str, Any], *, in_order: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Give the steps of a plan, each with whether it ends as soon as a page is full."""
    yield plan, in_order
    kind = plan["Node Type"]
    reads_all = kind in ("Sort", "Aggregate", "Incremental Sort", "Hash") or "Join Filter" in plan
    goes_on = kind == "Limit" or (in_order and not reads_all)
    for below in plan.get("Plans", ()):
        ends = below.get("Parent Relationship") in ("InitPlan", "SubPlan")
        yield from nodes(below, in_order=goes_on and not ends)


def scans(plan: dict[str, Any]) -> list[str]:
    """Give the steps that read a large table, or an index that holds all its rows, from end to end."""
    found = []
    for node, in_order in nodes(plan):
        whole = node["Node Type"] in ("Seq Scan", "Sample Scan")
        unbound = "Index" in node["Node Type"] and "Index Cond" not in node and not in_order
        if node.get("Relation Name") in LARGE and (whole or unbound) and node["Node Type"] != "Bitmap Heap Scan":
            index = node.get("Index Name", "")
            if not re.fullmatch(test_store_plans.PARTS, index):
                found.append(f"{node['Node Type']} of {node['Relation Name']} {index}".strip())
    return found


def plan_of(told: psycopg.Cursor[Any]) -> dict[str, Any]:
    ((((found,),),)) = told.fetchall()
    plan: dict[str, Any] = found["Plan"]
    return plan


def explained(pg: psycopg.Connection[tuple[Any, ...]], query: str) -> dict[str, Any]:
    pg.execute(f"PREPARE one AS {dialect.statement(query)}".encode())
    try:
        n_values = len(set(re.findall(r"\$\d+", dialect.statement(query))))
        given = f"({', '.join(['NULL'] * n_values)})" if n_values else ""
        return plan_of(pg.execute(f"EXPLAIN (FORMAT JSON) EXECUTE one {given}".encode()))
    finally:
        pg.execute("DEALLOCATE one")


@pytest.mark.parametrize(("subject", "name"), LOOPED)
def test_a_query_in_a_loop_reads_no_table_from_end_to_end(
    pg: psycopg.Connection[tuple[Any, ...]], subject: str, name: str
) -> None:
    plan = explained(pg, sql.load(subject)[name])
    assert scans(plan) == [], plan


class Watched:
    """Runs statements as the store gives them, and keeps the plan of each."""

    in_transaction = False

    def __init__(self, pg: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.raw = psycopg.RawCursor(pg)
        self.plans: list[dict[str, Any]] = []

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Cursor:
        text = dialect.statement(query)
        self.plans.append(plan_of(self.raw.execute(f"EXPLAIN (FORMAT JSON) {text}".encode(), values)))
        return self.raw.execute(text.encode(), values)


@pytest.mark.parametrize("text", test_store_plans.LISTS)
def test_a_list_of_runs_reads_only_a_page(pg: psycopg.Connection[tuple[Any, ...]], text: str) -> None:
    db = Watched(pg)
    now = test_store_plans.NOW
    runs.runs(db, parse(text, RUN_FIELDS, now=now), limit=50, after="", now=now)
    assert db.plans
    assert [scans(plan) for plan in db.plans] == [[]] * len(db.plans), db.plans


def test_the_newest_root_run_is_among_the_first_of_an_index(pg: psycopg.Connection[tuple[Any, ...]]) -> None:
    plan = explained(pg, sql.load("runs")["newest_root_run"])
    walked = [node["Index Name"] for node, _ in nodes(plan) if "Index Name" in node]
    assert sorted(walked) == ["flow_runs_pkey", "flow_runs_roots"]
