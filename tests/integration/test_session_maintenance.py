"""Retention, checks, backup and restore of a home, and what doctor tells."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import homes
from tests.contract.happenings import created, ended, key_of, moved, now_us, started

from ostinato import session
from ostinato.core.errors import BadOption, BlobMissing, DatabaseBusy, DatabaseCorrupt, DatabaseNewer, HomeReadOnly
from ostinato.core.events import ArtifactMade, CacheStored, CheckpointSaved, Logged
from ostinato.core.ids import new_id
from ostinato.core.query import Query
from ostinato.core.results import Result
from ostinato.core.settings import Settings, load
from ostinato.session.backups import backup, restore
from ostinato.session.maintenance import check, facts, migrate, vacuum
from ostinato.store.maintenance import DAY_US
from ostinato.store.sqlite import migrations

if TYPE_CHECKING:
    from ostinato.core.ports import Recorder

DAY_S = 86_400


def _put(recorder: Recorder, value: bytes) -> Result:
    digest = blake2b(value, digest_size=16).digest()
    return Result("p", None, recorder.put_blob(value, digest), len(value), digest)


def _flow(recorder: Recorder, *, days_ago: float, state: str = "Completed", result: Result | None = None) -> str:
    """Record a flow run with a subflow, tasks, a log line and an artifact; give its id."""
    run, below = new_id(), new_id()
    at = now_us() - int(days_ago * DAY_US)
    for event in (
        created(run, at=at, tags=("old",)),
        moved(run, "Running", "Pending", at=at),
        created(below, run, parent=run, no=1, at=at),
        moved(below, "Running", "Pending", at=at),
        started(below, 1, at=at),
        ended(below, 1, at=at, result=result),
        moved(below, "Completed", at=at),
        Logged(run, 0, at, 20, "user", "a line"),
        ArtifactMade(run, 0, at, "", "markdown", "", b'"x"'),
        moved(run, state, at=at),  # type: ignore[arg-type]
    ):
        recorder.record(event)
    assert recorder.settle("database", 10)
    return run


def _no_grace(home: Path) -> Settings:
    return load({"OSTINATO_HOME": str(home), "OSTINATO_KEEP_UNUSED_BLOBS_S": "0"}, str(home))


def _age(home: Path, seconds: float = 10) -> None:
    """Make all stored values older."""
    for path in (home / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds,) * 2)


# --- retention


def test_old_runs_go_with_all_they_had_and_young_and_pinned_ones_stay(home: Path) -> None:
    recorder = session.recorder()
    old, pinned, young = (_flow(recorder, days_ago=days) for days in (100, 100, 1))
    session.close()
    homes.change(home, "INSERT INTO pins VALUES (?, 'model version 1')", pinned)
    assert vacuum(str(home), dry_run=True).n_root_runs == 1
    assert vacuum(str(home)).n_root_runs == 1
    assert vacuum(str(home)).n_root_runs == 0
    reader = session.reader()
    assert {run.id for run in reader.runs(Query())[0] if not run.parent_id} == {pinned, young}
    assert reader.state_counts() == {"Completed": 4}
    reader.close()
    for table in ("flow_runs", "task_runs", "task_counts", "run_states", "logs", "artifacts", "flow_run_tags"):
        column = "id" if table == "flow_runs" else "run_id"
        assert homes.rows(home, f"SELECT count(*) FROM {table} WHERE {column} = ?", old) == [(0,)], table
    assert check(str(home)) == []


def test_old_runs_go_by_themselves_once_a_day(home: Path) -> None:
    old = [_flow(session.recorder(), days_ago=100)]
    session.close()
    old.append(_flow(session.recorder(), days_ago=100))
    session.close()
    reader = session.reader()
    assert sorted(run.id for run in reader.runs(Query())[0] if not run.parent_id) == sorted(old)
    os.utime(home / "retained", (time.time() - 90_000,) * 2)
    young = _flow(session.recorder(), days_ago=0)
    session.close()
    assert [run.id for run in reader.runs(Query())[0] if not run.parent_id] == [young]
    reader.close()
    assert check(str(home)) == []


def test_runs_that_have_not_ended_stay_however_old(home: Path) -> None:
    run = _flow(session.recorder(), days_ago=1000, state="Paused")
    assert vacuum(str(home)).n_root_runs == 0
    reader = session.reader()
    assert reader.find_run(run).state == "Paused"
    reader.close()


def test_old_blocks_go_and_rows_stay(home: Path, database: str) -> None:
    """The newest one stays on PostgreSQL: it tells how far the feed is."""
    _flow(session.recorder(), days_ago=0)
    run = _flow(session.recorder(), days_ago=0)
    session.close()
    n_kept = 1 if database else 0
    n_old = homes.change(home, "UPDATE blocks SET at = at - ?", 8 * DAY_US) - n_kept
    assert vacuum(str(home), dry_run=True).n_blocks == n_old
    assert vacuum(str(home)).n_blocks == n_old
    assert facts(str(home)).n_blocks == n_kept
    reader = session.reader()
    assert reader.find_run(run).state == "Completed"
    reader.close()
    assert check(str(home)) == []


def test_only_values_that_nothing_refers_to_are_removed(home: Path) -> None:
    recorder = session.recorder()
    values = {
        name: _put(recorder, name.encode() * 5000) for name in ("done", "failed", "cache", "plot", "point", "old")
    }
    shared = _put(recorder, b"shared" * 5000)
    _flow(recorder, days_ago=0, result=values["done"])
    _flow(recorder, days_ago=0, result=shared)
    _flow(recorder, days_ago=0, state="Failed", result=shared)
    run = _flow(recorder, days_ago=0, state="Failed", result=values["failed"])
    recorder.record(CacheStored("k", now_us(), 0, run, 1, values["cache"]))
    recorder.record(ArtifactMade(run, 0, now_us(), "", "image", "", b"null", values["plot"].blob, "image/png"))
    for name in ("old", "point"):
        recorder.record(CheckpointSaved(run, 1, now_us(), key_of(1), "v", values[name]))
    assert recorder.settle("database", 10)
    session.close()
    assert vacuum(str(home)).n_blobs == 0  # all are young: their events could be on their way
    _age(home)
    settings = _no_grace(home)
    expected = (2, values["done"].size + values["old"].size)
    planned = vacuum(str(home), dry_run=True, settings=settings)
    assert (planned.n_blobs, planned.blob_bytes) == expected
    assert session.recorder().has_blob(values["done"].blob)
    removed = vacuum(str(home), settings=settings)
    assert (removed.n_blobs, removed.blob_bytes) == expected
    left = {name for name, value in values.items() if session.recorder().has_blob(value.blob)}
    assert left == {"failed", "cache", "plot", "point"}
    assert session.recorder().has_blob(shared.blob)
    assert check(str(home)) == []


def test_unused_values_go_by_themselves_when_a_process_ends(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = session.recorder()
    value = _put(recorder, b"large" * 5000)
    _flow(recorder, days_ago=0, result=value)
    session.close()
    assert facts(str(home)).n_blobs == 1
    _age(home, 2 * 3600)
    recorder = session.recorder()
    other = _put(recorder, b"other" * 5000)
    session.close()
    assert not session.recorder().has_blob(value.blob)
    assert session.recorder().has_blob(other.blob)


def test_a_value_stored_again_is_young_again(home: Path) -> None:
    recorder = session.recorder()
    value = _put(recorder, b"large" * 5000)
    _age(home, 2 * 3600)
    assert _put(recorder, b"large" * 5000) == value
    assert vacuum(str(home)).n_blobs == 0


def test_expired_entries_and_unset_variables_go(home: Path) -> None:
    recorder = session.recorder()
    recorder.record(CacheStored("old", 1, 2, "r", 1, None))
    recorder.record(CacheStored("young", 1, 0, "r", 1, None))
    assert recorder.settle("database", 10)
    vacuum(str(home))
    assert homes.rows(home, "SELECT cache_key FROM cache") == [("young",)]


# --- check


def test_a_home_in_order_has_no_findings(home: Path) -> None:
    _flow(session.recorder(), days_ago=0)
    assert check(str(home)) == []


def test_wrong_counters_missing_blocks_and_hurt_values_are_found(home: Path) -> None:
    recorder = session.recorder()
    kept, hurt, gone = (_put(recorder, name * 5000) for name in (b"kept", b"hurt", b"gone"))
    for value in (kept, hurt, gone):
        _flow(recorder, days_ago=0, state="Failed", result=value)
    session.close()
    blobs = home / "blobs"
    (blobs / hurt.blob[:2] / hurt.blob).write_bytes(b"other bytes")
    (blobs / gone.blob[:2] / gone.blob).unlink()
    homes.change(home, "UPDATE flow_counts SET n = n + 1 WHERE flow = '' AND state = 'Failed'")
    homes.change(home, "DELETE FROM task_runs WHERE run_id = (SELECT min(run_id) FROM task_runs)")
    homes.change(home, "DELETE FROM blocks WHERE id = 2")
    found = check(str(home))
    assert [finding.subject for finding in found].count("counters") == 2
    assert [finding.subject for finding in found].count("streams") >= 1
    texts = " ".join(finding.text for finding in found)
    assert "counter 4, rows 3" in texts
    assert "counter 1, rows 0" in texts
    assert f"{hurt.blob} is damaged" in texts
    assert f"{gone.blob} is missing" in texts
    assert kept.blob not in texts


def test_a_damaged_value_is_told_once_and_can_be_stored_again(home: Path) -> None:
    recorder = session.recorder()
    value = _put(recorder, b"large" * 5000)
    (home / "blobs" / value.blob[:2] / value.blob).write_bytes(b"other bytes")
    with pytest.raises(BlobMissing, match="damaged"):
        recorder.get_blob(value.blob)
    with pytest.raises(BlobMissing, match="missing"):
        recorder.get_blob(value.blob)
    assert _put(recorder, b"large" * 5000) == value
    assert recorder.get_blob(value.blob) == b"large" * 5000


# --- backup and restore


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_a_restored_backup_holds_what_the_home_held(home: Path, tmp_path: Path) -> None:
    recorder = session.recorder()
    value = _put(recorder, b"large" * 5000)
    run = _flow(recorder, days_ago=0, state="Failed", result=value)
    _put(recorder, b"unused" * 5000)
    archive = tmp_path / "home.tar"
    made = backup(str(archive), str(home))
    assert made.n_blobs == 1
    later = _flow(recorder, days_ago=0)
    elsewhere = tmp_path / "elsewhere"
    assert restore(str(archive), str(elsewhere)) == made
    reader = session.reader(str(elsewhere))
    assert [row.id for row in reader.runs(Query())[0] if not row.parent_id] == [run]
    assert reader.find_run(run).state == "Failed"
    assert reader.blob(value.blob) == b"large" * 5000
    reader.close()
    assert check(str(elsewhere)) == []
    assert session.recorder().recall(later).runs


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_what_runs_while_it_is_backed_up_is_crashed_where_it_is_restored(home: Path, tmp_path: Path) -> None:
    run = _flow(session.recorder(), days_ago=0, state="Paused")
    backup(str(tmp_path / "home.tar"), str(home))
    restore(str(tmp_path / "home.tar"), str(tmp_path / "elsewhere"))
    for folder, state in ((home, "Paused"), (tmp_path / "elsewhere", "Crashed")):
        reader = session.reader(str(folder))
        assert reader.find_run(run).state == state
        reader.close()


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_a_backup_is_consistent_while_others_write(home: Path, tmp_path: Path) -> None:
    program = (
        "from ostinato import session\n"
        "from tests.contract.happenings import created, ended, moved, started\n"
        "recorder = session.recorder()\n"
        "recorder.record(created('a' * 32))\n"
        "recorder.record(moved('a' * 32, 'Running', 'Pending'))\n"
        "no = 0\n"
        "while True:\n"
        "    no += 1\n"
        "    recorder.record(started('a' * 32, no))\n"
        "    recorder.record(ended('a' * 32, no))\n"
        "    if no == 2000:\n"
        "        recorder.settle('database')\n"
        "        print('going', flush=True)\n"
    )
    env = {**os.environ, "OSTINATO_HOME": str(home), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    for number in range(3):
        archive = tmp_path / f"{number}.tar"
        backup(str(archive), str(home))
        restore(str(archive), str(tmp_path / f"home-{number}"))
        assert check(str(tmp_path / f"home-{number}")) == []
    process.kill()
    process.communicate()


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_a_backup_does_not_overwrite(home: Path, tmp_path: Path) -> None:
    (tmp_path / "home.tar").write_text("mine")
    with pytest.raises(BadOption, match="it exists"):
        backup(str(tmp_path / "home.tar"), str(home))
    assert (tmp_path / "home.tar").read_text() == "mine"


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_a_backup_into_a_missing_folder_is_told(home: Path, tmp_path: Path) -> None:

    with pytest.raises(HomeReadOnly, match="No such file"):
        backup(str(tmp_path / "nowhere" / "home.tar"), str(home))


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_restore_leaves_a_home_alone_unless_told_to_replace_it(home: Path, tmp_path: Path) -> None:
    first = _flow(session.recorder(), days_ago=0)
    backup(str(tmp_path / "a.tar"), str(home))
    second = _flow(session.recorder(), days_ago=0)
    with pytest.raises(BadOption, match="has a database"):
        restore(str(tmp_path / "a.tar"), str(home))
    with pytest.raises(DatabaseBusy):
        restore(str(tmp_path / "a.tar"), str(home), replace=True)
    session.close()
    restore(str(tmp_path / "a.tar"), str(home), replace=True)
    reader = session.reader()
    assert [row.id for row in reader.runs(Query())[0] if not row.parent_id] == [first]
    reader.close()
    (aside,) = (path for path in home.glob("ostinato.db.replaced-*") if not path.name.endswith(("-wal", "-shm")))
    with sqlite3.connect(aside) as db:
        assert db.execute("SELECT count(*) FROM flow_runs WHERE id = ?", (second,)).fetchone() == (1,)
    db.close()


def _tar(path: Path, members: dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return str(path)


@pytest.mark.only_sqlite(reason="an archive of a home holds the file of SQLite")
def test_archives_that_are_none_are_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "garbage.tar").write_bytes(b"garbage" * 1000)
    manifest = b'{"format": 1, "schema_version": 1, "made_at": 1, "n_blobs": 0}'
    newer = manifest.replace(b'n": 1', b'n": 99')
    few = manifest.replace(b's": 0', b's": 3')
    bad = {
        "there is no such file": str(tmp_path / "none.tar"),
        "it is damaged": str(tmp_path / "garbage.tar"),
        "it holds '../x'": _tar(tmp_path / "evil.tar", {"../x": b"x"}),
        "its manifest is missing": _tar(tmp_path / "bare.tar", {"ostinato.db": b"x"}),
        "it has 0 of 3": _tar(tmp_path / "few.tar", {"manifest.json": few, "ostinato.db": b""}),
    }
    for reason, archive in bad.items():
        with pytest.raises(BadOption, match=reason.replace(".", r"\.")):
            restore(archive, str(home))
    with pytest.raises(DatabaseNewer, match="99"):
        restore(_tar(tmp_path / "newer.tar", {"manifest.json": newer, "ostinato.db": b""}), str(home))
    with pytest.raises(DatabaseCorrupt):
        restore(_tar(tmp_path / "hurt.tar", {"manifest.json": manifest, "ostinato.db": b"x" * 9000}), str(home))
    assert not (home / "ostinato.db").exists()
    assert not (tmp_path / "x").exists()
    assert [path.name for path in home.iterdir() if path.name.startswith("restore-")] == []


# --- migrate and doctor


def test_migrate_makes_a_missing_database(home: Path) -> None:
    done = migrate(str(home))
    assert (done.found, done.now) == (0, len(migrations()))
    again = migrate(str(home))
    assert (again.found, again.now) == (len(migrations()), len(migrations()))


def test_facts_of_a_home_that_does_not_exist(tmp_path: Path) -> None:
    told = facts(str(tmp_path / "nowhere"))
    assert (told.schema_version, told.journals, told.n_blobs, told.database_bytes) == (0, [], 0, 0)
    assert told.free_bytes > 0
    assert not (tmp_path / "nowhere").exists()


def test_facts_count_what_is_there(home: Path) -> None:
    recorder = session.recorder()
    value = _put(recorder, b"large" * 5000)
    _flow(recorder, days_ago=0, state="Failed", result=value)
    told = facts(str(home))
    assert (told.n_flow_runs, told.n_task_runs, told.n_blobs, told.blob_bytes) == (2, 1, 1, value.size)
    assert (told.schema_version, told.known_version, told.database_error) == (len(migrations()), len(migrations()), "")
    (journal,) = told.journals
    assert (journal.pid, journal.alive, journal.n_waiting, journal.n_segments) == (os.getpid(), True, 0, 1)
    assert told.database_bytes > 0
    assert told.file_system
