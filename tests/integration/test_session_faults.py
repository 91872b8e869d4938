"""Bad disks, bad homes, bad files: each has a clear error, and nothing hangs or is lost."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests import homes
from tests.contract.happenings import created, ended, moved, now_us, started

from ostinato import session
from ostinato.core.errors import (
    DatabaseCorrupt,
    DatabaseNewer,
    HomeOnNetwork,
    HomeReadOnly,
    JournalFull,
    StorageError,
)
from ostinato.core.events import Block, Logged, TaskStarted
from ostinato.core.ids import new_id
from ostinato.session.home import Home, file_system
from ostinato.session.maintenance import check, facts, migrate
from ostinato.session.recorder import EmbeddedRecorder
from ostinato.store.append import Writer
from ostinato.store.journal import Journal, frame
from ostinato.store.sqlite import MIGRATIONS, migrations

if TYPE_CHECKING:
    from tests.conftest import RunPython

ROOT = Path(__file__).resolve().parents[2]
PATHS = {"PYTHONPATH": str(ROOT)}


# --- the disk is full

LIMITED = """
    import os, resource, sys, time
    from ostinato import session
    from ostinato.core.errors import StorageError
    from ostinato.core.ids import new_id
    from tests.contract.happenings import created, ended, moved, started

    def limit(n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))

    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    recorder.record(moved(run, "Running", "Pending"))
    recorder.settle("database")
"""


def test_a_full_disk_is_told_and_once_there_is_room_all_goes_on(home: Path, run_python: RunPython) -> None:
    program = """
    limit(20_000)
    no = 0
    try:
        while True:
            no += 1
            recorder.record(started(run, no))
            if no % 100 == 0:
                recorder.settle("disk", 10)
    except StorageError as error:
        print(error.code, flush=True)
    try:
        recorder.settle("disk", 10)
    except StorageError as error:
        print(error.code, flush=True)
    limit(resource.RLIM_INFINITY)
    for _ in range(100):
        try:
            recorder.settle("database", 10)
            break
        except StorageError:
            time.sleep(0.01)
    recorder.record(moved(run, "Completed"))
    assert recorder.settle("database", 10)
    print(no)
    """
    first, second, n_tasks = run_python(LIMITED + program, env=PATHS).stdout.split()
    assert (first, second) == ("disk-full", "disk-full")
    reader = session.reader()
    assert reader.find_run("last").state == "Completed"
    assert [count.n for count in reader.counts(reader.find_run("last").id)] == [int(n_tasks)]
    reader.close()
    assert check(str(home)) == []


@pytest.mark.only_sqlite(reason="its file may not grow; PostgreSQL has a test of its own")
def test_a_full_database_disk_stops_no_flow(home: Path, run_python: RunPython) -> None:
    """Only the files of the database are too large here: the journal's segments stay below the limit."""
    program = """
    from ostinato.store import journal
    journal.SEGMENT_BYTES = 50_000
    limit(200_000)
    for no in range(1, 5001):
        recorder.record(started(run, no))
        recorder.record(ended(run, no))
    assert recorder.settle("disk", 10)
    print(recorder.settle("database", 0.5))
    limit(resource.RLIM_INFINITY)
    recorder.record(moved(run, "Completed"))
    print(recorder.settle("database", 20))
    """
    env = {**PATHS, "OSTINATO_DISK_LAG_EVENTS": "200"}
    assert run_python(LIMITED + program, env=env).stdout.split() == ["False", "True"]
    reader = session.reader()
    assert [(count.state, count.n) for count in reader.counts(reader.find_run("last").id)] == [("Completed", 5000)]
    reader.close()
    assert check(str(home)) == []


def test_a_full_disk_at_the_end_of_the_process_is_told_and_ends_it(home: Path, run_python: RunPython) -> None:
    program = """
    limit(1)
    recorder.record(started(run, 1))
    """
    ended = run_python(LIMITED + program, env={**PATHS, "OSTINATO_EXIT_WAIT_S": "3"})
    assert "disk-full" in ended.stderr
    reader = session.reader()
    assert reader.find_run("last").state == "Crashed"
    reader.close()


def test_a_stored_value_that_finds_no_room_is_told(home: Path, run_python: RunPython) -> None:
    program = """
    from hashlib import blake2b
    limit(1000)
    value = bytes(5000)
    try:
        recorder.put_blob(value, blake2b(value, digest_size=16).digest())
    except StorageError as error:
        print(error.code)
    limit(resource.RLIM_INFINITY)
    print(recorder.put_blob(value, blake2b(value, digest_size=16).digest()))
    """
    said = run_python(LIMITED + program, env=PATHS).stdout.split()
    assert said[0] == "disk-full"
    assert len(session.recorder().get_blob(said[1])) == 5000


def test_a_journal_that_reaches_its_quota_is_told_and_goes_on_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTINATO_JOURNAL_QUOTA_MB", "1")
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    assert recorder.settle("database", 10)
    n_lines = 0
    told = ""
    with homes.held(home):
        while not told and n_lines < 100:
            n_lines += 1
            try:
                recorder.record(Logged(run, 0, now_us(), 20, "user", "x" * 100_000))
                recorder.settle("disk", 10)
            except JournalFull as error:
                told = error.message
    assert "quota of 1 MB" in told
    assert 10 <= n_lines <= 12
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            recorder.settle("database", 10)
            break
        except JournalFull:
            continue
    reader = session.reader()
    assert len(reader.logs([run])) == n_lines
    reader.close()


def test_a_long_wait_for_the_database_is_held_on_disk_and_not_in_memory(home: Path) -> None:
    recorder = session.recorder()
    assert isinstance(recorder, EmbeddedRecorder)
    run = new_id()
    recorder.record(created(run))
    assert recorder.settle("database", 10)
    with homes.held(home):
        for number in range(30):
            recorder.record(Logged(run, 0, now_us(), 20, "user", f"{number} " + "x" * 1_000_000))
            assert recorder.settle("disk", 10)
        assert recorder._backlog_bytes > 30_000_000
        assert recorder._held_bytes <= 16 << 20
        assert len(list((home / "journal").glob("*.journal"))) >= 4
    assert recorder.settle("database", 20)
    reader = session.reader()
    assert [line.text.split()[0] for line in reader.logs([run])] == [str(number) for number in range(30)]
    reader.close()
    assert len(list((home / "journal").glob("*.journal"))) == 1
    assert (recorder._backlog_bytes, recorder._held_bytes) == (0, 0)


# --- the home is no home


def test_a_home_below_a_file_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("OSTINATO_HOME", str(tmp_path / "file" / "home"))
    for door in (session.recorder, session.reader):
        with pytest.raises(HomeReadOnly, match="Not a directory"):
            door()


@pytest.mark.only_sqlite(reason="the file of the database is hurt")
def test_a_home_whose_database_is_a_folder_is_refused(home: Path) -> None:
    (home / "ostinato.db").mkdir(parents=True)
    for door in (session.recorder, session.reader):
        with pytest.raises(HomeReadOnly):
            door()


MOUNTS = """\
/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
server:/export /net nfs4 rw 0 0
//server/share /net/with\\040blank cifs rw 0 0
tmpfs /net/fast tmpfs rw 0 0
user@server: /srv/ssh fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me", "ext4"),
        ("/net", "nfs4"),
        ("/net/home", "nfs4"),
        ("/network", "ext4"),
        ("/net/with blank/home", "cifs"),
        ("/net/fast/home", "tmpfs"),
        ("/srv/ssh/a/b", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_folder_follows_the_longest_mount_point(folder: str, kind: str) -> None:
    assert file_system(folder, MOUNTS) == kind


def test_a_home_on_a_network_file_system_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("ostinato.session.home.MOUNTS", str(table))
    for door in (session.recorder, session.reader):
        with pytest.raises(HomeOnNetwork, match="nfs4"):
            door()


# --- the database is none, or of another time


@pytest.mark.only_sqlite(reason="the file of the database is hurt")
def test_a_database_of_garbage_is_told(home: Path) -> None:
    home.mkdir()
    (home / "ostinato.db").write_bytes(b"this is no database" * 1000)
    for door in (session.recorder, session.reader):
        with pytest.raises(DatabaseCorrupt, match="not a database"):
            door()
    assert [finding.subject for finding in check(str(home))] == ["database"]
    assert "not a database" in facts(str(home)).database_error


@pytest.mark.only_sqlite(reason="the file of the database is hurt")
def test_a_database_damaged_in_the_middle_is_found_by_the_check(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    for no in range(1, 2001):
        recorder.record(started(run, no))
    assert recorder.settle("database", 10)
    session.close()
    path = home / "ostinato.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = os.urandom(len(data) // 3)
    path.write_bytes(data)
    assert {finding.subject for finding in check(str(home))} >= {"database"}


@pytest.mark.only_sqlite(reason="the file of the database is hurt")
def test_a_database_that_breaks_while_recording_is_told_and_the_journal_kept(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    assert recorder.settle("database", 10)
    session.close()
    good = (home / "ostinato.db").read_bytes()
    recorder = session.recorder()
    (home / "ostinato.db").write_bytes(b"\xff" * len(good))
    recorder.record(moved(run, "Running", "Pending"))
    with pytest.raises(DatabaseCorrupt):
        recorder.settle("database", 5)
    assert recorder.settle("disk", 5)
    assert list((home / "journal").glob("*.journal"))
    (home / "ostinato.db").write_bytes(good)
    for left in ("-wal", "-shm"):
        (home / f"ostinato.db{left}").unlink(missing_ok=True)


@pytest.mark.only_sqlite(reason="PostgreSQL has a test of its own")
def test_a_newer_database_is_refused(home: Path) -> None:
    session.reader().close()
    with sqlite3.connect(home / "ostinato.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    for door in (session.recorder, session.reader):
        with pytest.raises(DatabaseNewer, match="999"):
            door()
    assert facts(str(home)).schema_version == 999


@pytest.mark.only_sqlite(reason="PostgreSQL has a test of its own")
def test_an_older_database_is_migrated_and_a_copy_kept(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    session.close()
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in migrations():
        (folder / Path(file).name).write_bytes(Path(file).read_bytes())
    number = len(migrations()) + 1
    (folder / f"{number:04d}_more.sql").write_text("ALTER TABLE flow_runs ADD COLUMN note TEXT;")
    monkeypatch.setattr("ostinato.store.sqlite.MIGRATIONS", str(folder))
    done = migrate(str(home))
    assert (done.found, done.now) == (number - 1, number)
    reader = session.reader()
    assert reader.find_run(run).state == "Crashed"
    reader.close()
    kept = sqlite3.connect(home / f"ostinato.db.before-{number}")
    assert kept.execute("SELECT id FROM flow_runs").fetchall() == [(run,)]
    kept.close()


@pytest.mark.only_sqlite(reason="PostgreSQL has a test of its own")
def test_a_migration_that_fails_changes_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session.reader().close()
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in migrations():
        (folder / Path(file).name).write_bytes(Path(file).read_bytes())
    (folder / "0099_bad.sql").write_text("CREATE TABLE extra (x); SELECT no_such_function();")
    monkeypatch.setattr("ostinato.store.sqlite.MIGRATIONS", str(folder))
    with pytest.raises(sqlite3.OperationalError, match="no_such_function"):
        migrate(str(home))
    monkeypatch.undo()
    monkeypatch.setenv("OSTINATO_HOME", str(home))
    with sqlite3.connect(home / "ostinato.db") as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)
        assert db.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    db.close()
    session.reader().close()
    assert MIGRATIONS.endswith("migrations")


# --- journals of the dead


def _orphan(home: Path, *payloads: bytes, first_seq: int = 1) -> Path:
    """Leave a journal of a writer that is gone, with one frame of one event for each payload."""
    folder = Home(str(home))
    folder.make()
    journal = Journal(folder.journal, Writer(new_id(), 4321, "there", 1))
    for number, payload in enumerate(payloads, start=first_seq):
        journal.append(number, 1, payload)
    path = Path(journal.segments[-1].path)
    journal.abandon()
    return path


def _block(stream: str, seq: int, event: object) -> bytes:
    return msgspec.msgpack.encode([stream, seq, [event]])


def test_a_damaged_tail_is_set_aside_and_told(home: Path) -> None:
    run = new_id()
    good = _block("s", 1, created(run))
    path = _orphan(home, good, _block("s", 2, moved(run, "Running", "Pending")))
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    (finding,) = check(str(home))
    assert (finding.subject, finding.text.endswith("are damaged")) == ("journal", True)
    with pytest.warns(RuntimeWarning, match="process 4321 on there ended without a word; .* are damaged and lie in"):
        reader = session.reader()
    found = reader.find_run(run)
    assert (found.state, len(reader.history(run))) == ("Crashed", 2)  # Pending; the move was in the damaged part
    reader.close()
    assert not path.exists()
    (aside,) = facts(str(home)).damaged
    assert Path(aside).read_bytes() == bytes(data)[-Path(aside).stat().st_size :]
    assert [finding.subject for finding in check(str(home))] == ["journal"]


def test_a_block_that_makes_no_sense_stops_nobody(home: Path) -> None:
    run = new_id()
    wrong = TaskStarted(run, 1, 5, "one", b"k", "fit", "fit-1", "Running", "", 0, 0, (), "v")  # type: ignore[arg-type]
    path = _orphan(home, _block("s", 1, created(run)), _block("s", 2, wrong), _block("s", 3, moved(run, "Failed")))
    with pytest.warns(RuntimeWarning, match="damaged"):
        reader = session.reader()
    assert reader.find_run(run).state == "Crashed"
    reader.close()
    assert not path.exists()


def test_a_journal_whose_beginning_is_missing_is_set_aside(home: Path) -> None:
    path = _orphan(home, _block("s", 5, created(new_id())), first_seq=5)
    with pytest.warns(RuntimeWarning, match="damaged"):
        session.reader().close()
    assert not path.exists()
    assert len(facts(str(home)).damaged) == 1


def test_an_empty_or_headless_segment_is_cleared_away(home: Path) -> None:
    folder = home / "journal"
    folder.mkdir(parents=True)
    (folder / f"{new_id()}.00000001.journal").write_bytes(b"")
    session.reader().close()
    assert list(folder.iterdir()) == []
    (folder / f"{new_id()}.00000001.journal").write_bytes(frame(1, 1, b"\xc1"))
    with pytest.warns(RuntimeWarning, match="process 0 on an unknown host"):
        session.reader().close()
    assert list(folder.glob("*.journal")) == []


# --- odd events


def test_what_cannot_be_encoded_becomes_a_log_line(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    recorder.record(started(run, 1))
    recorder.record(Logged(run, 1, now_us(), 1 << 70, "user", "x"))
    recorder.record(ended(run, 1))
    assert recorder.settle("database", 10)
    reader = session.reader()
    assert [task.state for task in reader.task_runs(run)] == ["Completed"]
    (line,) = reader.logs([run])
    assert line.text.startswith("a Logged could not be recorded")
    assert (line.level, line.no) == (40, 1)
    reader.close()


def test_a_log_line_of_50_mb_is_recorded(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    recorder.record(Logged(run, 0, now_us(), 20, "user", "x" * 50_000_000))
    recorder.record(moved(run, "Running", "Pending"))
    assert recorder.settle("database", 30)
    reader = session.reader()
    assert [len(line.text) for line in reader.logs([run])] == [50_000_000]
    reader.close()


def test_large_blocks_are_divided(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    recorder.record(created(run))
    for _ in range(30):
        recorder.record(Logged(run, 0, now_us(), 20, "user", "y" * 1_000_000))
    assert recorder.settle("database", 30)
    sizes = [size for (size,) in homes.rows(home, "SELECT length(payload) FROM blocks")]
    assert max(sizes) <= 8 << 20
    reader = session.reader()
    assert len(reader.logs([run])) == 30
    reader.close()


def test_a_clock_that_jumps_stops_nothing(home: Path) -> None:
    recorder = session.recorder()
    run = new_id()
    hour = 3_600_000_000
    recorder.record(created(run))
    for no in range(1, 2001):
        recorder.record(started(run, no, at=now_us() + hour * (-1) ** no))
    assert recorder.settle("database", 10)
    reader = session.reader()
    assert [count.n for count in reader.counts(run)] == [2000]
    reader.close()


def test_the_caller_waits_when_too_many_events_are_not_synced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_DISK_LAG_EVENTS", "10")
    recorder = session.recorder()
    assert isinstance(recorder, EmbeddedRecorder)
    run = new_id()
    recorder.record(created(run))
    most = 0
    for no in range(1, 501):
        recorder.record(started(run, no))
        most = max(most, no + 1 - recorder._synced_seq)
    assert most <= 11
    assert recorder.settle("database", 10)


def test_settling_what_is_settled_is_immediate_and_errors_are_storage_errors(home: Path) -> None:
    recorder = session.recorder()
    assert recorder.settle("database", 0)
    assert recorder.settle("disk", 0)
    assert issubclass(JournalFull, StorageError)
    assert Block("s", 1, []).version == 1
