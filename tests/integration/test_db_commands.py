"""`ostinato db` and `doctor` on a home whose database is PostgreSQL: they name it, and never its password."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.integration.fleet import OSTINATO, fleet_on
from tests.postgres import Server, choose, schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.only_sqlite("it names its store")
PASSWORD = "very-hidden"


@pytest.fixture
def served(postgresql: Server, home: Path) -> Iterator[str]:
    """Have the home use PostgreSQL, with a password in its address; give that address without it."""
    with schema(postgresql) as url:
        choose(home, url.replace("ostinato@", f"ostinato:{PASSWORD}@"))
        yield url.replace("ostinato@", "ostinato:********@")


def _say(*words: str, code: int = 0) -> str:
    done = subprocess.run([*OSTINATO, *words], env=os.environ, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_commands_on_the_database_name_it_and_hide_its_password(home: Path, served: str) -> None:
    assert f"{served}: schema 0 ->" in _say("db", "migrate")
    assert f"{served}: schema" in _say("db", "migrate")
    assert json.loads(_say("db", "migrate", "--json"))["database"] == served
    assert "Nothing is wrong" in _say("db", "check")
    assert "Would remove 0 runs" in _say("db", "vacuum", "--dry-run")
    assert "Removed 0 runs" in _say("db", "vacuum")
    told = _say("doctor")
    assert served in told.replace("\n", "")
    assert "All is well" in told
    assert json.loads(_say("doctor", "--json"))["home"]["database"] == served
    assert not (home / "ostinato.db").exists()


def test_an_archive_of_a_home_on_postgresql_is_refused_with_what_to_do(home: Path, served: str, tmp_path: Path) -> None:
    said = _say("db", "backup", str(tmp_path / "x.tar"), code=4)
    assert "error[backup-elsewhere]" in said
    assert "pg_dump" in said


def test_a_server_says_which_database_it_has(home: Path, served: str, tmp_path: Path) -> None:
    with fleet_on(home, tmp_path) as fleet:
        said = fleet.server().said
        fleet.until(lambda: "database" in fleet.programs[0].said, "it is said")
        said = fleet.programs[0].said
    assert f"database {served}" in said
    assert PASSWORD not in said


def test_doctor_tells_of_a_database_that_does_not_answer(home: Path) -> None:
    choose(home, f"postgresql://me:{PASSWORD}@127.0.0.1:9/none")
    assert "does not answer" in _say("doctor", code=5).replace("\n", " ")
