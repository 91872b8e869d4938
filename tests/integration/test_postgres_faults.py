"""PostgreSQL that is wrong, refuses, is away, cut off, full or slow: each has a clear error, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import postgres
from tests.contract.happenings import created, ended, moved, started
from tests.integration.fleet import fleet_on

from ostinato import session
from ostinato.core.errors import (
    DatabaseBusy,
    DatabaseForbidden,
    DatabaseTooOld,
    DatabaseUnreachable,
    DatabaseUnsuited,
    DiskFull,
    OstinatoError,
    SettingInvalid,
    StorageError,
)
from ostinato.core.ids import new_id
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger
from ostinato.session.maintenance import check
from ostinato.store.postgres import PostgresDatabase
from ostinato.store.sqlite import MIGRATIONS, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunPython

    from ostinato.core.ports import Recorder

ROOT = Path(__file__).resolve().parents[2]
PATHS = {"PYTHONPATH": str(ROOT)}
PASSWORD = "p@ss/w:rd %20"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """Give a server with passwords, which may be killed: what it has committed is on disk."""
    with postgres.running(password=PASSWORD) as one:
        yield one


@pytest.fixture
def url(server: postgres.Server, home: Path) -> Iterator[str]:
    """Give an empty schema, and have the home use it."""
    if not server.is_running:
        server.start()
    with postgres.schema(server) as one:
        postgres.choose(home, one)
        yield one
        if not server.is_running:
            server.start()
        session.close()


def refusal(url: str) -> OstinatoError:
    """Give the error of one who opens a database; it never shows the password, and says what to do."""
    with pytest.raises(OstinatoError) as caught:
        PostgresDatabase(url, "/home").close()
    assert caught.value.hint
    assert PASSWORD not in str(caught.value)
    assert "p%40ss" not in str(caught.value)
    return caught.value


def refused_write(home: Path) -> OstinatoError:
    """Give the error of one who writes much."""
    database = Home(str(home)).open()
    with pytest.raises(OstinatoError) as caught, database.writing() as db:
        db.execute("UPDATE task_runs SET message = 'x'")
    database.close()
    assert caught.value.hint
    return caught.value


def ends_well(recorder: Recorder, run: str, n_tasks: int) -> None:
    """Settle, and find the run with all its task runs, each once."""
    recorder.record(moved(run, "Completed"))
    assert recorder.settle("database", 30)
    reader = session.reader()
    assert reader.find_run(run).state == "Completed"
    assert [(count.state, count.n) for count in reader.counts(run)] == [("Completed", n_tasks)]
    assert [task.no for task in reader.task_runs(run, limit=100_000)] == list(range(1, n_tasks + 1))
    reader.close()
    assert check() == []


def begun() -> tuple[Recorder, str]:
    """Give a recorder and a run that is in the database."""
    recorder, run = session.recorder(), new_id()
    recorder.record(created(run))
    recorder.record(moved(run, "Running", "Pending"))
    assert recorder.settle("database", 10)
    return recorder, run


def do_task(recorder: Recorder, run: str, no: int) -> None:
    recorder.record(started(run, no))
    recorder.record(ended(run, no))


class Gate(threading.Thread):
    """Stands before the server: the answer to a commit can be kept back, and the connection cut."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.server_port = port
        self.swallows = False
        """The next commit reaches the server, and its answer nobody."""
        self.n_swallowed = 0
        self._ends: list[socket.socket] = []
        self._cut: set[int] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server_port))
                self._ends += [client, server]
                number = len(self._ends)
                threading.Thread(target=self._ask, args=(client, server, number), daemon=True).start()
                threading.Thread(target=self._answer, args=(client, server, number), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self.swallows and b"COMMIT" in data:
                    self.swallows = False
                    self.n_swallowed += 1
                    self._cut.add(number)
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, server: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while (data := server.recv(1 << 16)) and number not in self._cut:
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        for one in self._ends:
            one.close()


# --- the address, the server, its rights


@pytest.mark.parametrize(
    "address", ["postgresql://[bad", "mysql://me@here/there", "postgresql://here/there?colour=red"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert isinstance(refusal(address), SettingInvalid)


def test_a_server_that_is_not_there_is_told_with_its_address(server: postgres.Server) -> None:
    away = postgres.Server(server.folder, port=postgres.free_port(), password=PASSWORD)
    error = refusal(away.url())
    assert isinstance(error, DatabaseUnreachable)
    assert f"postgresql://{postgres.USER}@127.0.0.1:{away.port}/{postgres.NAME}" in error.message


def test_a_database_that_does_not_exist_is_named(server: postgres.Server) -> None:
    error = refusal(server.url("nowhere"))
    assert isinstance(error, DatabaseUnreachable)
    assert '"nowhere" does not exist' in error.message


@pytest.mark.parametrize("words", [{"password": "wrong"}, {"user": "nobody"}, {"password": ""}])
def test_a_wrong_password_or_user_is_refused(
    server: postgres.Server, words: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    error = refusal(server.url(**words))
    assert isinstance(error, DatabaseForbidden)
    assert "password" in error.message


def test_a_server_that_is_too_old_is_refused(server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """No old server can be installed beside the new one: what is needed is raised instead."""
    monkeypatch.setattr("ostinato.store.postgres.OLDEST", 990000)
    error = refusal(server.url())
    assert isinstance(error, DatabaseTooOld)
    assert "needed is 99" in error.message


def test_a_database_of_another_encoding_is_refused(server: postgres.Server) -> None:
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", name="postgres")
    error = refusal(server.url("latin"))
    assert isinstance(error, DatabaseUnsuited)
    assert "LATIN1" in error.message


def test_a_schema_that_does_not_exist_is_told(server: postgres.Server) -> None:
    error = refusal(server.url(options="-csearch_path=nowhere"))
    assert isinstance(error, DatabaseUnsuited)
    assert "search_path" in error.message


def test_a_user_who_may_not_make_tables_is_refused_until_it_may(server: postgres.Server) -> None:
    server.run(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'", "CREATE SCHEMA kept")
    address = server.url(user="reader", options="-csearch_path=kept")
    assert isinstance(refusal(address), DatabaseUnsuited), "without USAGE the schema is not seen"
    server.run("GRANT USAGE ON SCHEMA kept TO reader")
    error = refusal(address)
    assert isinstance(error, DatabaseForbidden)
    assert "permission denied for schema kept" in error.message
    server.run("GRANT CREATE ON SCHEMA kept TO reader")
    PostgresDatabase(address, "/home").close()


def test_a_user_who_lost_the_right_to_write_is_told_and_what_it_records_waits(
    server: postgres.Server, url: str, home: Path
) -> None:
    schema = url.rpartition("=")[2]
    server.run(
        f"CREATE ROLE {schema} LOGIN PASSWORD '{PASSWORD}'", f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {schema}"
    )
    postgres.choose(home, server.url(user=schema, options=f"-csearch_path={schema}", application_name=schema))
    recorder, run = begun()
    server.run(f"ALTER ROLE {schema} SET default_transaction_read_only = on")
    server.run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{schema}'")
    do_task(recorder, run, 1)
    assert not recorder.settle("database", 1)
    assert isinstance(refused_write(home), DatabaseForbidden)
    server.run(f"ALTER ROLE {schema} RESET default_transaction_read_only")
    server.run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{schema}'")
    ends_well(recorder, run, 1)
    session.close()
    server.run(f"DROP OWNED BY {schema}", f"DROP ROLE {schema}")


def test_the_package_that_speaks_to_postgresql_may_be_missing(url: str, run_python: RunPython) -> None:
    program = """
    import sys
    sys.modules["psycopg"] = None
    from ostinato import session
    from ostinato.core.errors import ExtraMissing
    try:
        session.commands()
        session.reader()
    except ExtraMissing as error:
        print(error)
    """
    said = run_python(program).stdout
    assert "extra-missing" in said
    assert 'pip install "ostinato[postgres]"' in said


# --- the server goes away

WORKING = """
    import sys, time
    from ostinato import flow, task

    @task
    def step(number):
        time.sleep(0.02)
        return number

    @flow
    def work(n=100):
        print("begun", flush=True)
        return sum(step(number) for number in range(n))

    print(work())
"""


@contextlib.contextmanager
def working(folder: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Give a process whose flow has begun."""
    file = folder / "work.py"
    file.write_text(textwrap.dedent(WORKING), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(file)], env={**os.environ, **env},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process


def completed(n_tasks: int) -> None:
    """Find the last run completed, with all its tasks."""
    reader = session.reader()
    run = reader.find_run("last")
    assert run.state == "Completed"
    assert [(count.state, count.n) for count in reader.counts(run.id)] == [("Completed", n_tasks)]
    reader.close()
    assert check() == []


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_flow_goes_on_while_the_database_restarts(
    server: postgres.Server, url: str, home: Path, tmp_path: Path, how: str
) -> None:
    with working(tmp_path) as process:
        time.sleep(0.3)
        server.stop(how)
        time.sleep(0.7)
        server.start()
        out, err = process.communicate(timeout=40)
    assert (process.returncode, out) == (0, "4950\n"), err
    assert "Traceback" not in err
    completed(100)


def test_a_flow_that_ends_without_its_database_is_delivered_by_the_next_process(
    server: postgres.Server, url: str, home: Path, tmp_path: Path
) -> None:
    with working(tmp_path, OSTINATO_EXIT_WAIT_S="1") as process:
        time.sleep(0.3)
        server.stop()
        out, err = process.communicate(timeout=40)
    assert (process.returncode, out) == (0, "4950\n"), err
    assert "not everything reached the database" in err
    assert "[database-unreachable]" in err
    server.start()
    completed(100)


def test_a_flow_does_not_begin_without_its_database(server: postgres.Server, url: str, run_python: RunPython) -> None:
    server.stop()
    ended = run_python(WORKING, code=1)
    assert ended.stdout == ""
    assert "[database-unreachable]" in ended.stderr


def test_a_served_run_goes_on_while_the_database_restarts(
    server: postgres.Server, url: str, home: Path, tmp_path: Path
) -> None:
    with fleet_on(home, tmp_path) as fleet:
        fleet.server()
        fleet.worker()
        file = fleet.write(
            """
            import time
            from ostinato import flow, task

            @task
            def step(number):
                time.sleep(0.05)
                return number

            @flow
            def work():
                return sum(step(number) for number in range(60))
            """
        )
        run = fleet.run(fleet.deploy(file, "work"))
        fleet.wait(run, "Running")
        time.sleep(0.5)
        server.stop("immediate")
        time.sleep(1)
        server.start()
        found = fleet.wait(run)
        assert found.state == "Completed", fleet.told(run)
        assert [(count.state, count.n) for count in fleet.reader.counts(run.id)] == [("Completed", 60)]
        for program in fleet.programs:
            assert "Traceback" not in program.said, program.said
    assert check() == []


# --- connections are cut


def cut(server: postgres.Server, url: str, *, pid: int = 0) -> int:
    """Cut the connections of a home, or one of them; give how many there were."""
    one = f" AND pid = {pid}" if pid else ""
    name = url.rpartition("=")[2]
    return len(
        server.run(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{name}'{one}"
        )
    )


def test_a_connection_that_was_cut_while_idle_is_made_again(server: postgres.Server, url: str) -> None:
    recorder, run = begun()
    reader = session.reader()
    assert reader.find_run(run).state == "Running"
    assert cut(server, url) >= 2
    assert reader.find_run(run).state == "Running"
    reader.close()
    do_task(recorder, run, 1)
    ends_well(recorder, run, 1)


def test_a_transaction_that_was_cut_off_leaves_nothing_and_is_made_again(server: postgres.Server, url: str) -> None:
    database = PostgresDatabase(url, "/home")
    with pytest.raises(DatabaseUnreachable), database.writing() as db:  # noqa: PT012 - the transaction is the case
        db.execute("INSERT INTO facts (name, value) VALUES (?, ?)", ("half", 1))
        cut(server, url)
        db.execute("INSERT INTO facts (name, value) VALUES (?, ?)", ("whole", 1))
    with database.writing() as db:
        assert db.execute("SELECT count(*) FROM facts").fetchone() == (0,)
        db.execute("INSERT INTO facts (name, value) VALUES (?, ?)", ("whole", 1))
    assert database.db.execute("SELECT name FROM facts").fetchall() == [("whole",)]
    database.close()


def test_what_is_recorded_while_connections_are_cut_all_the_time_arrives_once(
    server: postgres.Server, url: str
) -> None:
    recorder, run = begun()
    n_tasks, n_cut, end = 0, 0, time.monotonic() + 4
    while time.monotonic() < end:
        for _ in range(20):
            n_tasks += 1
            do_task(recorder, run, n_tasks)
        n_cut += cut(server, url)
        with contextlib.suppress(StorageError):
            recorder.settle("database", 0.02)
    assert n_cut > 10
    ends_well(recorder, run, n_tasks)


def test_commands_that_were_answered_are_there_when_connections_are_cut_all_the_time(
    server: postgres.Server, url: str, home: Path
) -> None:
    ledger = Ledger(Home(str(home)))

    def note(name: str) -> None:
        ledger.do(lambda tx: tx.db.execute("INSERT INTO facts (name, value) VALUES (?, 1)", (name,)))

    answered: list[str] = []
    n_refused, end = 0, time.monotonic() + 4
    while time.monotonic() < end:
        name = f"fact-{len(answered)}-{n_refused}"
        try:
            note(name)
            answered.append(name)
        except DatabaseUnreachable:
            n_refused += 1
        if len(answered) % 7 == 0:
            cut(server, url)
    kept = {row[0] for row in ledger.do(lambda tx: tx.db.execute("SELECT name FROM facts").fetchall())}
    ledger.close()
    assert answered
    assert set(answered) <= kept
    assert len(kept) <= len(answered) + n_refused


def test_a_commit_whose_answer_is_lost_is_not_made_twice(server: postgres.Server, url: str, home: Path) -> None:
    gate = Gate(server.port)
    gate.start()
    postgres.choose(home, url.replace(f":{server.port}/", f":{gate.port}/"))
    recorder, run = begun()
    gate.swallows = True
    for no in range(1, 11):
        do_task(recorder, run, no)
    assert recorder.settle("database", 10)
    assert gate.n_swallowed == 1
    ends_well(recorder, run, 10)
    session.close()
    gate.close()


def test_a_command_whose_commit_was_cut_off_says_that_the_database_was_lost(
    server: postgres.Server, url: str, home: Path
) -> None:
    """Whether it was carried out is unknown; the next command sees what became of it."""
    gate = Gate(server.port)
    gate.start()
    postgres.choose(home, url.replace(f":{server.port}/", f":{gate.port}/"))
    ledger = Ledger(Home(str(home)))
    gate.swallows = True
    with pytest.raises(DatabaseUnreachable):
        ledger.do(lambda tx: tx.db.execute("INSERT INTO facts (name, value) VALUES ('mine', 1)"))
    kept = ledger.do(lambda tx: tx.db.execute("SELECT name, value FROM facts").fetchall())
    ledger.close()
    gate.close()
    assert kept == [("mine", 1)]


# --- somebody else is slow, or stopped

HOLDER = """
    import os, sys
    from ostinato.session.home import Home
    database = Home(os.environ["OSTINATO_HOME"]).open()
    with database.writing() as db:
        db.execute("INSERT INTO facts (name, value) VALUES ('held', 1)")
        print("held", flush=True)
        sys.stdin.readline()
"""


@contextlib.contextmanager
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the right to write."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER)], env={**os.environ, "OSTINATO_HOME": str(home)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def test_a_stopped_process_that_holds_the_right_to_write_loses_it(
    server: postgres.Server, url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the timeout of idle transactions: those who wait are told after ten seconds, and get in after fifteen."""
    recorder, run = begun()
    with holder(home) as process:
        process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        database = PostgresDatabase(url, "/home")
        with pytest.raises(DatabaseBusy) as caught, database.writing():
            pass
        assert 9 < time.monotonic() - begin < 14
        assert caught.value.hint
        do_task(recorder, run, 1)
        ends_well(recorder, run, 1)
        assert 14 < time.monotonic() - begin < 25
        assert database.db.execute("SELECT count(*) FROM facts WHERE name = 'held'").fetchone() == (0,)
        database.close()


def test_a_killed_process_that_holds_the_right_to_write_leaves_nothing(
    server: postgres.Server, url: str, home: Path
) -> None:
    with holder(home) as process:
        process.kill()
        database = PostgresDatabase(url, "/home")
        begin = time.monotonic()
        with database.writing() as db:
            assert db.execute("SELECT count(*) FROM facts").fetchone() == (0,)
        assert time.monotonic() - begin < 3
        database.close()


# --- the disk of the database is full


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give a file system of so many megabytes that the database may write to; root only."""
    folder.mkdir(mode=0o755)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={postgres.user()}", "tmpfs", str(folder)],
        check=True,
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk; a simulated one would prove nothing")
def test_a_full_disk_of_the_database_stops_no_flow_and_loses_nothing(
    server: postgres.Server, url: str, home: Path
) -> None:
    with small_disk(server.folder / "small", 12) as folder:
        server.run(f"CREATE TABLESPACE small LOCATION '{folder}'")
        more = f"{url.replace('options=', 'options=-cdefault_tablespace%3Dsmall%20', 1)}"
        postgres.choose(home, more)
        recorder, run = begun()
        n_tasks = 0
        while n_tasks < 40_000 and recorder.settle("database", 3):
            for _ in range(500):
                n_tasks += 1
                do_task(recorder, run, n_tasks)
        assert n_tasks < 40_000, "the disk is not full"
        assert isinstance(refused_write(home), DiskFull)
        do_task(recorder, run, n_tasks + 1)
        assert recorder.settle("disk", 10)
        reader = session.reader()
        assert reader.find_run(run).state == "Running"
        reader.close()
        subprocess.run(["mount", "-o", "remount,size=400m", str(folder)], check=True)
        ends_well(recorder, run, n_tasks + 1)
        session.close()
        schema = url.rpartition("=")[2]
        server.run(f"DROP SCHEMA {schema} CASCADE", f"CREATE SCHEMA {schema}", "CHECKPOINT", "DROP TABLESPACE small")


# --- migrations


def tables(url: str) -> int:
    database = PostgresDatabase(url, "/home", migrates=False)
    (number,) = database.db.run(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    ).fetchall()
    database.close()
    return int(number[0])


def more_migrations(folder: Path, text: str) -> Path:
    """Give a folder with the migrations that there are, and one more."""
    folder.mkdir()
    for file in migrations():
        (folder / Path(file).name).symlink_to(file)
    (folder / f"{len(migrations()) + 1:04}_more.sql").write_text(text, encoding="utf-8")
    return folder


MIGRATE = """
    import os, sys
    from ostinato.store import sqlite
    from ostinato.store.postgres import PostgresDatabase
    sqlite.MIGRATIONS = sys.argv[1]
    print("begun", flush=True)
    PostgresDatabase(sys.argv[2], "/home").close()
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_migration_that_is_killed_in_the_middle_has_changed_nothing(
    server: postgres.Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    if not is_new:
        PostgresDatabase(url, "/home").close()
    before = tables(url)
    folder = more_migrations(tmp_path / "slow", "CREATE TABLE extra (id INTEGER NOT NULL); SELECT pg_sleep(60);")
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MIGRATE), str(folder), url], stdout=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + 20
        name = url.rpartition("=")[2]
        asked = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{name}' AND wait_event = 'PgSleep'"
        while not server.run(asked):
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill()
    cut(server, url)
    assert tables(url) == before
    monkeypatch.setattr(
        "ostinato.store.sqlite.MIGRATIONS", str(more_migrations(tmp_path / "quick", "CREATE TABLE extra (id INTEGER);"))
    )
    database = PostgresDatabase(url, "/home")
    assert database.version() == len(migrations())
    assert database.db.execute("SELECT count(*) FROM extra").fetchone() == (0,)
    database.close()


def test_a_migration_that_fails_changes_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PostgresDatabase(url, "/home").close()
    before = tables(url)
    folder = more_migrations(tmp_path / "bad", "CREATE TABLE extra (id INTEGER NOT NULL); SELECT no_such_function();")
    monkeypatch.setattr("ostinato.store.sqlite.MIGRATIONS", str(folder))
    with pytest.raises(Exception, match="no_such_function"):
        PostgresDatabase(url, "/home")
    assert tables(url) == before
    monkeypatch.setattr("ostinato.store.sqlite.MIGRATIONS", MIGRATIONS)
    PostgresDatabase(url, "/home").close()


def test_many_that_open_a_new_database_at_once_make_it_once(url: str) -> None:
    def open_it(_: int) -> int:
        database = PostgresDatabase(url, "/home")
        version = database.version()
        database.close()
        return version

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(open_it, range(16))) == {len(migrations())}
    database = PostgresDatabase(url, "/home")
    versions = [row[0] for row in database.db.execute("SELECT version FROM ostinato_schema ORDER BY version")]
    database.close()
    assert versions == list(range(1, len(migrations()) + 1))


def test_a_database_of_a_newer_version_is_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = more_migrations(tmp_path / "newer", "CREATE TABLE extra (id INTEGER NOT NULL);")
    monkeypatch.setattr("ostinato.store.sqlite.MIGRATIONS", str(folder))
    PostgresDatabase(url, "/home").close()
    monkeypatch.setattr("ostinato.store.sqlite.MIGRATIONS", MIGRATIONS)
    assert refusal(url).code == "database-newer"
