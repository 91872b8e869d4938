"""Two versions up at once: a newer one has migrated the database, an older one goes on where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests import postgres
from tests.integration.fleet import fleet_on

from ostinato import session
from ostinato.core.errors import DatabaseNewer
from ostinato.core.query import Query
from ostinato.session.home import Home
from ostinato.session.maintenance import facts
from ostinato.store import sqlite

if TYPE_CHECKING:
    from pathlib import Path

ADDS = """
-- What a later version brings.
-- Compatible with {known}.
CREATE TABLE later (name TEXT NOT NULL PRIMARY KEY);
ALTER TABLE limits ADD COLUMN note TEXT NOT NULL DEFAULT '';
"""
FLOW = """
    from ostinato import flow

    @flow
    def measure():
        return 1
"""
BREAKS = "CREATE TABLE later (name TEXT NOT NULL PRIMARY KEY);\n"
PROGRAM = """
    import sys
    from ostinato.store import sqlite
    sqlite.MIGRATIONS = sys.argv[1]
    from ostinato import flow

    @flow
    def newer():
        return 1

    newer()
"""


pytestmark = pytest.mark.only_sqlite("each test names its stores")
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def _run_newer(folder: Path, migration: str, **environ: str) -> None:
    """Run a flow with a version that knows one migration more."""
    shutil.copytree(sqlite.MIGRATIONS, folder / "migrations")
    (folder / "migrations" / "9001_later.sql").write_text(migration, encoding="utf-8")
    file = folder / "newer.py"
    file.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    command = [sys.executable, str(file), str(folder / "migrations")]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _flows(home: Path) -> list[str]:
    reader = session.reader(str(home))
    found, _ = reader.runs(Query())
    reader.close()
    return [run.flow for run in found]


@both
def test_an_older_version_goes_on_when_the_newer_one_only_added(home: Path, tmp_path: Path, database: str) -> None:
    known = len(sqlite.migrations())
    Home(str(home)).make()
    with closing(Home(str(home)).open()) as older:
        _run_newer(tmp_path, ADDS.format(known=known))
        assert older.version() == known + 1
        with older.writing() as db:  # it was up all the time
            db.execute("INSERT INTO limits (name, slots) VALUES ('a', 1)")
    assert _flows(home) == ["newer"]
    told = facts(str(home))
    assert (told.schema_version, told.known_version, told.database_error) == (known + 1, known, "")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_older_server_and_its_worker_go_on_while_the_newer_version_migrates(
    home: Path, tmp_path: Path, database: str
) -> None:
    newer = tmp_path / "newer"
    postgres.choose(newer, database)
    with fleet_on(home, tmp_path) as fleet:
        server = fleet.server()
        fleet.worker()
        deployment = fleet.deploy(fleet.write(FLOW), "measure")
        assert fleet.wait(fleet.run(deployment)).state == "Completed"
        _run_newer(tmp_path, ADDS.format(known=len(sqlite.migrations())), OSTINATO_HOME=str(newer))
        assert fleet.wait(fleet.run(deployment)).state == "Completed"
        assert server.popen.poll() is None
        server.kill()
        fleet.server()  # the older one starts, too
        assert sorted(_flows(home)) == ["measure", "measure", "newer"]


@both
def test_an_older_version_is_refused_when_the_newer_one_did_more_than_add(
    home: Path, tmp_path: Path, database: str
) -> None:
    Home(str(home)).make()
    Home(str(home)).open().close()
    _run_newer(tmp_path, BREAKS)
    with pytest.raises(DatabaseNewer):
        Home(str(home)).open()
    assert "this Ostinato knows" in facts(str(home)).database_error


def test_what_a_migration_says_it_is_compatible_with_never_reaches_below_those_that_say_nothing(tmp_path: Path) -> None:
    said = ["", "-- Compatible with 1.\n", "", "-- Compatible with 1.\n", "-- Compatible with 4.\n"]
    files = []
    for number, text in enumerate(said):
        files.append(str(tmp_path / f"{number}.sql"))
        (tmp_path / f"{number}.sql").write_text(text, encoding="utf-8")
    assert [sqlite.compatible(files[:n]) for n in range(1, 6)] == [1, 1, 3, 3, 4]
