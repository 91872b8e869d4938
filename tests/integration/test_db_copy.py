"""Homes copied into PostgreSQL and back: all rows, all values, or nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from tests.contract.happenings import created, ended, moved, now_us, started
from tests.integration.fleet import OSTINATO, Fleet, fleet_on
from tests.postgres import Server, schema

from ostinato import session
from ostinato.core.errors import CopyDiffers, CopyRefused
from ostinato.core.events import Logged
from ostinato.core.ids import new_id
from ostinato.core.query import Query
from ostinato.core.results import Result
from ostinato.session.copies import copy
from ostinato.session.home import Home
from ostinato.session.maintenance import check
from ostinato.store.contents import SqliteContents, Tally
from ostinato.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.session.copies import Copied
    from ostinato.store.contents import Row

pytestmark = pytest.mark.only_sqlite("both databases are in every test")

VALUE = os.urandom(200_000)
N_ROWS = 20_000


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    with schema(postgresql) as one:
        yield one


@pytest.fixture
def filled(home: Path) -> Path:
    """Give a home with runs, tasks, log lines, a value and a text that PostgreSQL cannot keep."""
    recorder = session.recorder()
    digest = blake2b(VALUE, digest_size=16).digest()
    for number in range(5):
        run, at = new_id(), now_us()
        result = Result("p", None, recorder.put_blob(VALUE, digest), len(VALUE), digest)
        for event in (
            created(run, at=at, tags=("a", "é")),
            moved(run, "Running", "Pending", at=at),
            started(run, 1, at=at),
            ended(run, 1, at=at, result=result),
            Logged(run, 0, at, 20, "user", "a\0b" if number == 0 else "line\n\t\\N"),
            moved(run, "Failed", at=at),  # so that it can be resumed, and its values stay
        ):
            recorder.record(event)
    assert recorder.settle("database", 10)
    session.close()
    return home


def _flows(folder: str) -> list[tuple[str, str, tuple[str, ...]]]:
    reader = session.reader(folder)
    found, _ = reader.runs(Query())
    reader.close()
    return [(run.id, run.state, tuple(run.tags)) for run in found]


def _sums(copied: Copied) -> dict[str, tuple[int, str]]:
    return {table.name: (table.n_rows, table.checksum) for table in copied.tables}


def _at(folder: Path, url: str) -> Path:
    folder.mkdir()
    (folder / "ostinato.toml").write_text(f'database_url = "{url}"\n', encoding="utf-8")
    return folder


def test_a_home_goes_to_postgresql_and_back_with_the_same_rows_and_values(
    filled: Path, tmp_path: Path, url: str
) -> None:
    there = copy(str(filled), url, blobs_to=str(tmp_path / "shared"))
    assert there.n_texts_changed == 1
    assert (there.n_blobs, there.blob_bytes, there.blobs_missing) == (1, len(VALUE), [])
    assert _sums(there)["flow_runs"][0] == _sums(there)["task_runs"][0] == 5
    back = copy(url, str(tmp_path / "back"), blobs_from=str(tmp_path / "shared"))
    assert _sums(back) == _sums(there)
    assert back.n_texts_changed == 0
    assert check(str(tmp_path / "back")) == []
    assert _flows(str(tmp_path / "back")) == _flows(str(filled))
    using = _at(tmp_path / "using", url)
    assert _flows(str(using)) == _flows(str(filled))
    assert len(_flows(str(using))) == 5


def test_ids_go_on_where_the_source_was_even_when_its_newest_rows_are_gone(
    filled: Path, tmp_path: Path, url: str
) -> None:
    with closing(sqlite3.connect(filled / "ostinato.db")) as db:
        highest = db.execute("SELECT max(id) FROM logs").fetchone()[0]
        db.execute("DELETE FROM logs WHERE id > 1")
        db.commit()
    copy(str(filled), url)
    copy(url, str(tmp_path / "back"))
    with closing(sqlite3.connect(tmp_path / "back" / "ostinato.db")) as db:
        assert db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'logs'").fetchone() == (highest,)
    using = Home(str(_at(tmp_path / "using", url)))
    with closing(using.open()) as database:
        row = database.db.execute(
            "INSERT INTO logs (run_id, no, at, level, logger, text) VALUES ('', 0, 0, 0, '', '') RETURNING id"
        ).fetchone()
        assert row[0] == highest + 1


def test_many_rows_are_copied_both_ways(home: Path, tmp_path: Path, url: str) -> None:
    made = Home(str(home))
    made.make()
    made.open().close()
    with closing(sqlite3.connect(home / "ostinato.db")) as db:
        db.executemany(
            "INSERT INTO logs (run_id, no, at, level, logger, text) VALUES (?, ?, ?, ?, ?, ?)",
            (("r", no, no, 20, "l", f"line {no}" * (no % 7)) for no in range(N_ROWS)),
        )
        db.executemany(
            "INSERT INTO tracking_metrics (run_id, key, value, special, step, at) VALUES (?, 'k', ?, '', 0, ?)",
            ((f"{no}", no / 3, -no) for no in range(N_ROWS)),
        )
        db.commit()
    there = copy(str(home), url)
    back = copy(url, str(tmp_path / "back"))
    assert _sums(there)["logs"][0] == _sums(there)["tracking_metrics"][0] == N_ROWS
    assert _sums(back) == _sums(there)


def test_a_sqlite_home_is_copied_into_another_folder(filled: Path, tmp_path: Path) -> None:
    done = copy(str(filled), str(tmp_path / "second"))
    assert (done.n_texts_changed, done.n_blobs) == (0, 1)
    assert check(str(tmp_path / "second")) == []
    assert not list((tmp_path / "second").glob("*copying*"))


def test_a_target_that_holds_something_is_refused(filled: Path, tmp_path: Path, url: str) -> None:
    copy(str(filled), url)
    for target in (url, str(filled)):
        with pytest.raises(CopyRefused) as caught:
            copy(str(_second(tmp_path)), target)
        assert "not empty" in str(caught.value)


def _write(folder: Path, line: str) -> Path:
    """Write a program with a flow of one line."""
    program = folder / "program.py"
    head = "import os, time\nfrom ostinato import flow\n\n@flow\ndef waits():\n"
    program.write_text(f"{head}    {line}\n\nwaits()\n", encoding="utf-8")
    return program


def _second(folder: Path) -> Path:
    (folder / "second").mkdir(exist_ok=True)
    SqliteDatabase(str(folder / "second" / "ostinato.db")).close()
    return folder / "second"


def test_a_source_that_is_missing_or_the_target_itself_is_refused(filled: Path, tmp_path: Path, url: str) -> None:
    with pytest.raises(CopyRefused, match=r"there is no .*ostinato\.db"):
        copy(str(tmp_path / "absent"), url)
    assert not (tmp_path / "absent").exists()
    for same in (str(filled), url):
        with pytest.raises(CopyRefused, match="both are the same"):
            copy(same, same)


def test_a_source_in_use_is_refused(home: Path, tmp_path: Path, url: str) -> None:
    with fleet_on(home, tmp_path) as fleet:
        fleet.server()
        with pytest.raises(CopyRefused, match="a server runs on it"):
            copy(str(home), url)
    program = _write(tmp_path, "time.sleep(1); open('began', 'w').close(); time.sleep(50)")
    with subprocess.Popen([sys.executable, str(program)], env=os.environ, cwd=tmp_path) as flow_process:
        Fleet.until((tmp_path / "began").exists, "the flow runs")
        with pytest.raises(CopyRefused, match="a process writes to it"):
            copy(str(home), url)
        flow_process.kill()
    assert copy(str(home), url).n_rows > 0


def test_a_postgresql_database_whose_server_lives_is_refused(tmp_path: Path, filled: Path, url: str) -> None:
    using = _at(tmp_path / "using", url)
    with fleet_on(using, tmp_path) as fleet:
        fleet.server()
        with pytest.raises(CopyRefused, match="a server of the target lives"):
            copy(str(filled), url)
        with pytest.raises(CopyRefused, match="a server of the source lives"):
            copy(url, str(tmp_path / "back"))
    copy(url, str(tmp_path / "back"))


def test_journals_of_processes_that_are_gone_are_delivered_first(home: Path, tmp_path: Path, url: str) -> None:
    program = _write(tmp_path, "time.sleep(1); os.kill(os.getpid(), 9)")
    done = subprocess.run([sys.executable, str(program)], env=os.environ, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    copy(str(home), url)
    ((_, state, _),) = _flows(str(_at(tmp_path / "using", url)))
    assert state == "Crashed"


@pytest.mark.parametrize("to_postgresql", [True, False])
def test_a_copy_that_is_killed_leaves_an_empty_target_and_can_be_made_again(
    filled: Path, tmp_path: Path, url: str, to_postgresql: bool
) -> None:
    with closing(sqlite3.connect(filled / "ostinato.db")) as db:
        rows = (("r", no, no, 20, "l", "a line of a log") for no in range(500_000))
        db.executemany("INSERT INTO logs (run_id, no, at, level, logger, text) VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.commit()
    target = url if to_postgresql else str(tmp_path / "second")
    command = [*OSTINATO, "db", "copy", str(filled), target]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL) as copying:
        time.sleep(0.7)
        assert copying.poll() is None
        copying.kill()
    done = copy(str(filled), target)
    assert _sums(done)["logs"][0] == 500_005


def test_a_copy_that_differs_is_not_kept(
    filled: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Tally.counted
    seen: list[str] = []

    def wrong(self: Tally, rows: Iterator[Row]) -> Iterator[Row]:
        for row in counted(self, rows):
            seen.append("x")
            yield (*row[:-1], "other") if len(row) == 7 and row[-1] == "line\n\t\\N" else row

    monkeypatch.setattr(Tally, "counted", wrong)
    for target in (url, str(tmp_path / "second")):
        with pytest.raises(CopyDiffers, match="logs"):
            copy(str(filled), target)
    monkeypatch.undo()
    assert seen
    assert not (tmp_path / "second" / "ostinato.db").exists()
    copy(str(filled), url)


def test_the_command_tells_tables_checksums_and_time(filled: Path, tmp_path: Path, url: str) -> None:
    command = [*OSTINATO, "db", "copy", str(filled), str(tmp_path / "second")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    assert "task_runs" in said
    assert "equal on both sides" in said
    more = subprocess.run([*command[:-1], url, "--json"], capture_output=True, text=True, check=True, env=os.environ)
    told = json.loads(more.stdout)
    assert told["n_rows"] == sum(table["n_rows"] for table in told["tables"])
    assert told["took_s"] > 0
    again = subprocess.run([*command[:-1], url], capture_output=True, text=True, check=False, env=os.environ)
    assert again.returncode == 4
    assert "error[copy-refused]" in again.stderr


def test_the_sum_of_a_table_does_not_depend_on_the_order_of_its_rows(filled: Path) -> None:
    with closing(SqliteDatabase(str(filled / "ostinato.db"))) as database:
        rows = SqliteContents(database)
        table = next(one for one in rows.tables() if one.name == "flow_runs")
        found = list(rows.rows(table))
    tallies = (Tally(), Tally(), Tally())
    for tally, given in zip(tallies, (found, found[::-1], found[1:]), strict=True):
        list(tally.counted(given))
    assert tallies[0].checksum == tallies[1].checksum != tallies[2].checksum
