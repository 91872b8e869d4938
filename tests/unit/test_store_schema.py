"""The schema: migrations lead to it, queries are documents and known to both databases, those in loops use an index."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests import postgres

import ostinato.store
from ostinato.store import dialect, sql
from ostinato.store.append import MOST_ROWS
from ostinato.store.sqlite import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE = Path(ostinato.store.__file__).parent
SUBJECTS = sorted(path.stem for path in (STORE / "queries").glob("*.sql"))
QUERIES = [(subject, name) for subject in SUBJECTS for name in sql.load(subject)]
OWN_SUBJECTS = sorted(path.stem for path in (STORE / "queries" / "postgres").glob("*.sql"))
OWN_QUERIES = [(subject, name) for subject in OWN_SUBJECTS for name in sql.load(f"postgres/{subject}")]

CATALOG = (
    """SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, column_default,
        is_identity, identity_generation
    FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2""",
    """SELECT tablename, replace(indexdef, schemaname || '.', '') FROM pg_indexes
    WHERE schemaname = current_schema() ORDER BY 1, 2""",
    """SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2""",
)
"""What PostgreSQL knows of tables: their columns, indexes and constraints."""


def _fresh(*scripts: str) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    for script in scripts:
        db.executescript(script)
    return db


def _shape(db: sqlite3.Connection) -> dict[str, str]:
    """Give every table and index with its text, blanks and comments aside."""
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    plain = {name: " ".join(re.sub(r"--[^\n]*", "", text).split()) for name, text in rows}
    return {name: re.sub(r" ([),])", r"\1", text) for name, text in plain.items()}


def test_all_migrations_in_sequence_give_the_schema() -> None:
    db = _fresh((STORE / "schema.sql").read_text(encoding="utf-8"))
    migrated = _fresh(*(Path(file).read_text(encoding="utf-8") for file in migrations()))
    assert _shape(migrated) == _shape(db)
    migrated.close()
    db.close()


def test_all_migrations_in_sequence_give_the_schema_on_postgresql(postgresql: postgres.Server) -> None:
    schema = _catalog(postgresql, (STORE / "schema.sql").read_text(encoding="utf-8"))
    assert schema == _catalog(postgresql, *(Path(file).read_text(encoding="utf-8") for file in migrations()))
    columns, indexes, constraints = schema
    assert {row[3] for row in columns} == {"bigint", "text", "bytea", "double precision"}
    assert {row[4] for row in columns if row[3] == "text"} == {"C"}
    assert indexes
    assert constraints


def _catalog(server: postgres.Server, *scripts: str) -> list[list[tuple[Any, ...]]]:
    with postgres.schema(server) as url, psycopg.connect(url, autocommit=True) as pg:
        for script in scripts:
            pg.execute(dialect.tables(script).encode())
        return [pg.execute(question.encode()).fetchall() for question in CATALOG]


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(Path(file).name.split("_")[0]) for file in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(("subject", "name"), QUERIES)
def test_each_query_is_known_to_the_database_and_has_a_sentence(subject: str, name: str) -> None:
    db = _fresh((STORE / "schema.sql").read_text(encoding="utf-8"))
    query = sql.load(subject)[name]
    n_values = max([int(number) for number in re.findall(r"\?(\d+)", query)], default=0) or query.count("?")
    db.execute(f"EXPLAIN {query}", [None] * n_values)
    db.close()
    text = (STORE / "queries" / f"{subject}.sql").read_text(encoding="utf-8")
    comment = text.split(f"-- {name} --\n")[1].splitlines()[0]
    assert re.fullmatch(r"-- [A-Z].*[.:,]?", comment), comment


@pytest.fixture(scope="module")
def pg(postgresql: postgres.Server) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with postgres.schema(postgresql) as url, psycopg.connect(url, autocommit=True) as pg:
        pg.execute(dialect.tables((STORE / "schema.sql").read_text(encoding="utf-8")).encode())
        yield pg


@pytest.mark.parametrize(("subject", "name"), QUERIES)
def test_each_query_is_known_to_postgresql(pg: psycopg.Connection[tuple[Any, ...]], subject: str, name: str) -> None:
    pg.execute(f"PREPARE one AS {dialect.statement(sql.load(subject)[name])}".encode())
    pg.execute("DEALLOCATE one")


@pytest.mark.parametrize(("subject", "name"), OWN_QUERIES)
def test_statements_of_postgresql_stand_for_a_common_one_and_are_needed(subject: str, name: str) -> None:
    """An override under a name that nobody asks for would be dead; one that equals the translation, needless."""
    common, own = sql.load(subject)[name], sql.load(f"postgres/{subject}")[name]
    assert dialect.statement(common) == dialect.statement(own)
    assert own != common
    text = (STORE / "queries" / "postgres" / f"{subject}.sql").read_text(encoding="utf-8")
    comment = text.split(f"-- {name} --\n")[1].splitlines()[0]
    assert re.fullmatch(r"-- [A-Z].*[.:,]?", comment), comment


def test_names_of_queries_are_unique_within_their_subject() -> None:
    for subject in SUBJECTS:
        text = (STORE / "queries" / f"{subject}.sql").read_text(encoding="utf-8")
        names = re.findall(r"^-- (\w+) --$", text, re.MULTILINE)
        assert sorted(names) == sorted(set(names)) == sorted(sql.load(subject))


def test_a_query_for_many_rows_repeats_its_values() -> None:
    query = "INSERT INTO t (a, b) VALUES (?, ?)\nON CONFLICT (a) DO NOTHING"
    assert sql.rows(query, 3) == "INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (?, ?)\nON CONFLICT (a) DO NOTHING"


def test_no_statement_has_more_values_than_every_sqlite_takes() -> None:
    for query in sql.load("append").values():
        if re.search(r"VALUES \(\?(, \?)*\)", query):
            assert sql.rows(query, MOST_ROWS).count("?") <= 32_766


LOOPED = {
    ("append", "known_stream"),
    ("append", "advance_stream"),
    ("append", "run_heads"),
    ("append", "task_heads"),
    ("append", "move_run"),
    ("append", "move_tasks"),
    ("append", "count_dropped_logs"),
    ("append", "end_cache_claim"),
    ("append", "drop_checkpoints"),
    ("append", "drop_blob_refs"),
    ("artifacts", "artifacts"),
    ("cache", "cached"),
    ("claims", "active_runs_of_stream"),
    ("claims", "active_subflow_runs"),
    ("claims", "runs_of_stream_with_active_tasks"),
    ("claims", "runs_of_root_with_active_tasks"),
    ("claims", "crash_runs"),
    ("claims", "crash_tasks"),
    ("claims", "end_cache_claims"),
    ("claims", "find_claimed"),
    ("claims", "claim_run"),
    ("logs", "logs_after"),
    ("logs", "newest_logs"),
    ("maintenance", "delete_old_blocks"),
    ("maintenance", "delete_flow_runs"),
    ("maintenance", "delete_task_runs"),
    ("maintenance", "delete_task_counts"),
    ("maintenance", "delete_run_states"),
    ("maintenance", "delete_run_tags"),
    ("maintenance", "delete_logs"),
    ("maintenance", "delete_artifacts"),
    ("maintenance", "delete_checkpoints"),
    ("maintenance", "delete_blob_refs"),
    ("maintenance", "old_root_runs"),
    ("maintenance", "runs_below"),
    ("maintenance", "unused_blobs"),
    ("runs", "run_by_id"),
    ("runs", "runs_by_prefix"),
    ("runs", "run_by_name"),
    ("runs", "subflow_runs"),
    ("runs", "runs_of_root"),
    ("runs", "task_runs"),
    ("runs", "task_runs_in_states"),
    ("runs", "task_counts"),
    ("runs", "state_counts"),
    ("runs", "history"),
    ("runs", "checkpoints"),
    ("runs", "blobs_of_runs"),
    ("variables", "variable"),
    ("work", "tick_runs"),
    ("work", "newest_tick_runs"),
}
"""Queries that run in a loop, or for each commit, page or run."""

TABLES = "streams|blocks|flow_runs|flow_run_tags|run_states|task_runs|task_counts|flow_counts|logs|artifacts|variables|"
TABLES += "checkpoints|cache|cache_claims|blob_refs|pins|r|s|t|c|a|b|k|l|p"


@pytest.mark.parametrize(("subject", "name"), sorted(LOOPED))
def test_a_query_in_a_loop_scans_no_table(subject: str, name: str) -> None:
    db = _fresh((STORE / "schema.sql").read_text(encoding="utf-8"))
    query = sql.load(subject)[name]
    n_values = max([int(number) for number in re.findall(r"\?(\d+)", query)], default=0) or query.count("?")
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", ["[]"] * n_values)]
    db.close()
    scans = [step for step in plan if re.fullmatch(rf"SCAN (?:{TABLES})(?: .*)?", step)]
    assert scans == [], plan


def test_lists_of_runs_read_only_a_page() -> None:
    db = _fresh((STORE / "schema.sql").read_text(encoding="utf-8"))
    for condition in ("true", "r.flow IN (?)", "r.state IN (?)", "r.root_id IN (?)"):
        text = f"EXPLAIN QUERY PLAN SELECT r.* FROM flow_runs AS r WHERE {condition} ORDER BY r.id DESC LIMIT 50"
        plan = " / ".join(row[3] for row in db.execute(text, ["x"] * condition.count("?")))
        assert "TEMP B-TREE" not in plan, plan
        assert "USING INDEX" in plan, plan
    db.close()
