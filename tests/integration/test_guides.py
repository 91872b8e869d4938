"""The pages for operators, step by step: their `bash guide` blocks run as they stand, against servers of the test."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tests.docs.test_pages_run import blocks
from tests.integration.fleet import OSTINATO, Fleet, Program, fleet_on
from tests.postgres import Server, free_port, programs
from tests.s3 import S3, s3

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.only_sqlite("it names its store")
ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FLOW = """
from ostinato import flow, task


@task
def load() -> bytes:
    return b"x" * 1_000_000


@flow
def measure() -> int:
    return len(load())


if __name__ == "__main__":
    measure()
"""


class Reader:
    """One who follows a page: a shell whose variables stay from block to block."""

    def __init__(self, folder: Path, server: Server, **environ: str) -> None:
        self.folder = folder
        scripts = folder / "bin"
        scripts.mkdir()
        (scripts / "ostinato").write_text(f'#!/bin/sh\nexec {shlex.join(OSTINATO)} "$@"\n', encoding="utf-8")
        (scripts / "ostinato").chmod(0o755)
        self.environ = {
            **os.environ,
            "PATH": f"{scripts}:{programs()}:{os.environ['PATH']}",
            "HOME": str(folder),
            "OSTINATO_HOME": str(folder / ".ostinato"),
            "PGHOSTADDR": "127.0.0.1",  # the name db.example.org stays in the commands
            "PGPORT": str(server.port),
            **environ,
        }

    def run(self, text: str) -> str:
        """Run one block; give what it says."""
        kept = self.folder / "environ"
        done = subprocess.run(
            ["bash", "-eu", "-c", f"{text}\nenv -0 > {kept}"],
            cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=50, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        self.environ = dict(line.split("=", 1) for line in kept.read_text().split("\0") if line)
        return done.stdout


def _steps(page: str, kind: str = "guide") -> list[str]:
    return [one.text for one in blocks(ROOT / "docs" / "how-to" / page) if one.words == ("bash", kind)]


@contextmanager
def _database(folder: Path, settings: str = "") -> Iterator[Server]:
    """Give a server as a distribution has it: its owner is `postgres`."""
    server = Server(folder / "database")
    server.make("--username=postgres")
    with (server.data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write(settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that the user of the database can enter."""
    with tempfile.TemporaryDirectory(prefix="ostinato-guide-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _runs(reader: Reader) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reader.run("ostinato runs --json"))
    return found


@pytest.mark.timeout(120)
def test_the_page_on_postgresql_can_be_followed(open_folder: Path) -> None:
    with _database(open_folder) as server:
        reader = Reader(open_folder, server)
        (open_folder / "flow.py").write_text(FLOW, encoding="utf-8")
        reader.run(f"{sys.executable} flow.py")
        before = _runs(reader)
        five, back, password = _steps("postgresql.md")
        assert len(five.splitlines()) == 5
        said = reader.run(five)
        assert "equal on both sides" in said
        assert "Nothing is wrong" in said
        (open_folder / ".ostinato" / "ostinato.db").unlink()
        assert _runs(reader) == before
        reader.run(f"{sys.executable} flow.py")
        assert len(_runs(reader)) == 2
        assert "equal on both sides" in reader.run(back)
        reader.run(password)
        assert (open_folder / ".pgpass").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def bucket() -> Iterator[S3]:
    with s3() as one:
        one.client().create_bucket(Bucket="flows-example-org")
        yield one


def _unit(name: str) -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as systemd reads it
    parser.read(DEPLOY / "systemd" / name)
    return dict(parser["Service"])


def _start(fleet: Fleet, unit: str, *words: str, env: dict[str, str]) -> Program:
    """Start what a unit starts, with the Ostinato that is tested."""
    command = shlex.split(_unit(unit)["ExecStart"])
    assert command[0] == "/opt/ostinato/bin/ostinato"
    return Program(fleet, *command[1:], *words, env=env)


@pytest.mark.timeout(120)
def test_the_page_on_fleets_can_be_followed_until_a_run_is_done(open_folder: Path, bucket: S3) -> None:
    roles, _, _ = (step.splitlines() for step in _steps("postgresql.md"))
    first = _steps("deploy-a-fleet.md")[0]
    with _database(open_folder) as server, fleet_on(open_folder / "a", open_folder) as fleet:
        reader = Reader(open_folder, server, **bucket.environ)
        reader.run("\n".join(roles[:2]))
        reader.run(first)
        names = {line.partition("=")[0] for line in (DEPLOY / "systemd" / "server.env").read_text().splitlines()}
        given = {name: value for name, value in reader.environ.items() if name in names}
        assert {"OSTINATO_DATABASE_URL", "OSTINATO_BLOBS_URL", "OSTINATO_SECRET_KEY"} <= set(given)
        servers = []
        for number in ("a", "b"):
            env = {**reader.environ, "OSTINATO_HOME": str(open_folder / number)}
            servers.append(_start(fleet, "ostinato-server.service", "--port", "0", env=env))
        for one in servers:
            fleet.until(lambda one=one: "home " in one.said or one.popen.poll() is not None, "the server begins")  # type: ignore[misc]
            assert one.popen.poll() is None, one.said
        key = next(word for word in (open_folder / "worker-key.txt").read_text().split() if word.startswith("ost_"))
        far = {"OSTINATO_API_URL": servers[1].said.split()[1], "OSTINATO_API_KEY": key, "OSTINATO_DATABASE_URL": ""}
        without = dict.fromkeys((*bucket.environ, "OSTINATO_BLOBS_URL", "OSTINATO_SECRET_KEY"), "")
        worker_home = {"OSTINATO_HOME": str(open_folder / "worker")}
        worker = _start(fleet, "ostinato-worker.service", env={**without, **far, **worker_home})
        fleet.until(lambda: "works for" in worker.said, "the worker joins", told=lambda: worker.said)
        with psycopg.connect(server.url("ostinato", user="ostinato")) as pg:
            held = pg.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ostinato'").fetchone()
            assert held is not None
            assert held[0] <= 2 * 10 + 1  # what the page says of connections
        (open_folder / "flow.py").write_text(FLOW, encoding="utf-8")
        reader.environ["OSTINATO_HOME"] = str(open_folder / "a")
        reader.run("ostinato deploy flow.py:measure --name night")
        reader.run("ostinato deploy run measure/night")
        fleet.until(lambda: [run["state"] for run in _runs(reader)] == ["Completed"], "the run is done")
        assert [one for one in bucket.objects() if one.startswith("values/")] == []
        found = bucket.client().list_objects_v2(Bucket="flows-example-org")["Contents"]
        assert any(one["Size"] >= 1_000_000 for one in found)


@pytest.mark.timeout(120)
def test_the_page_on_fleets_restores_a_dump_and_an_instant(open_folder: Path) -> None:
    backups = open_folder / "backups"
    for folder in (backups, backups / "wal"):
        folder.mkdir()
        folder.chmod(0o777)
    said = (ROOT / "docs" / "how-to" / "deploy-a-fleet.md").read_text(encoding="utf-8")
    archiving = next(part for part in said.split("`") if part.startswith("archive_command")).replace("\n", " ")
    archiving = archiving.replace("/var/backups", str(backups))
    settings = f"wal_level = replica\narchive_mode = on\n{archiving}\n"
    roles = _steps("postgresql.md")[0].splitlines()[:2]
    _, dump, load, base = (one.replace("/var/backups", str(backups)) for one in _steps("deploy-a-fleet.md"))
    (restore,) = (one.replace("/var/backups", str(backups)) for one in _steps("deploy-a-fleet.md", "guide-database"))
    with _database(open_folder, settings) as server:
        url = "postgresql://ostinato@db.example.org/ostinato"
        reader = Reader(open_folder, server, OSTINATO_DATABASE_URL=url)
        (open_folder / "flow.py").write_text(FLOW, encoding="utf-8")
        reader.run("\n".join(roles))
        reader.run(f"{sys.executable} flow.py")
        reader.run(dump)
        reader.run(base)
        reader.run(f"{sys.executable} flow.py")
        with psycopg.connect(server.url("postgres", user="postgres"), autocommit=True) as pg:
            time.sleep(0.2)
            instant = pg.execute("SELECT now()::text").fetchone()
            time.sleep(0.2)
            reader.run(f"{sys.executable} flow.py")
            pg.execute("SELECT pg_switch_wal()")
        assert len(_runs(reader)) == 3
        reader.run(load)
        reader.environ["OSTINATO_DATABASE_URL"] = url.removesuffix("ostinato") + "restored"
        assert len(_runs(reader)) == 1
    assert instant is not None

    again = Server(open_folder / "again")
    again.data.mkdir(parents=True)
    reader.environ |= {"PGDATA": str(again.data), "INSTANT": instant[0]}
    reader.run(restore)
    again.data.chmod(0o700)
    if os.geteuid() == 0:
        for path in (again.folder, *again.folder.rglob("*")):
            shutil.chown(path, "postgres", "postgres")
    again.start()
    try:
        reader.environ |= {"PGPORT": str(again.port), "OSTINATO_DATABASE_URL": url}
        with psycopg.connect(again.url("postgres", user="postgres"), autocommit=True) as pg:
            asked = "SELECT pg_is_in_recovery()"
            Fleet.until(lambda: pg.execute(asked).fetchone() == (False,), "the restore", told=lambda: again.said)
        assert len(_runs(reader)) == 2
    finally:
        again.stop()


# --- the files of deploy/


def test_the_compose_file_is_one() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze (Debian package systemd)")
    for unit in ("ostinato-server.service", "ostinato-worker.service"):
        text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")
        (tmp_path / unit).write_text(text.replace("/opt/ostinato/bin/ostinato", sys.executable), encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / unit)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_the_pages_say_of_the_units_is_what_they_start() -> None:
    page = (ROOT / "docs" / "how-to" / "deploy-a-fleet.md").read_text(encoding="utf-8")
    for unit in ("ostinato-server.service", "ostinato-worker.service"):
        assert f"\n{_unit(unit)['ExecStart']}\n" in page
    assert "server, --host, 0.0.0.0, --allowed-host, server" in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")


def test_a_pooler_in_session_mode_may_stand_between(open_folder: Path) -> None:
    pooler = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if pooler is None:
        pytest.skip("needs pgbouncer (Debian package pgbouncer)")
    port = free_port()
    with _database(open_folder) as server:
        with psycopg.connect(server.url("postgres", user="postgres"), autocommit=True) as pg:
            pg.execute("CREATE ROLE ostinato LOGIN")
            pg.execute("CREATE DATABASE ostinato OWNER ostinato")
        settings = open_folder / "pooler.ini"
        settings.write_text(
            f"[databases]\nostinato = host=127.0.0.1 port={server.port} user=ostinato\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = session\n",
            encoding="utf-8",
        )
        user = "postgres" if os.geteuid() == 0 else None
        with subprocess.Popen([pooler, "--quiet", str(settings)], user=user, stderr=subprocess.DEVNULL) as process:
            try:
                url = f"postgresql://ostinato@127.0.0.1:{port}/ostinato"
                reader = Reader(open_folder, server, OSTINATO_DATABASE_URL=url)
                (open_folder / "flow.py").write_text(FLOW, encoding="utf-8")
                reader.run(f"{sys.executable} flow.py")
                with fleet_on(open_folder / ".ostinato", open_folder) as fleet:
                    fleet.server(env=reader.environ)
                    assert [run["state"] for run in _runs(reader)] == ["Completed"]
            finally:
                process.terminate()
