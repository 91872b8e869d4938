"""Flows whose values lie in a bucket: resumed from another home, killed while they store, served after a restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from tests import postgres
from tests.integration.fleet import OSTINATO, Fleet, fleet_on
from tests.integration.served import served
from tests.s3 import BUCKET, S3, s3

from ostinato import session
from ostinato.core.query import Query
from ostinato.session.maintenance import check, facts, vacuum
from ostinato.store.places import place_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = f"s3://{BUCKET}/home"
FLOWS = """
    import os
    from ostinato import flow, task

    @task
    def load(n):
        with open("ran.txt", "a") as file:
            file.write(f"load {n}\\n")
        return os.urandom(1 << 20)

    @task
    def weigh(values):
        if not os.path.exists("ready"):
            raise ValueError("not yet")
        return sum(map(len, values))

    @flow
    def measure(n: int = 3):
        return weigh([load(i) for i in range(n)])

    if __name__ == "__main__":
        measure()
"""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Give an S3 server whose bucket holds the values of every home of the test."""
    with s3() as one:
        for name, value in {**one.environ, "OSTINATO_BLOBS_URL": URL}.items():
            monkeypatch.setenv(name, value)
        yield one


def _ran(folder: Path) -> list[str]:
    return (folder / "ran.txt").read_text().splitlines()


def _run(file: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "OSTINATO_HOME": str(home)}
    command = [*OSTINATO, *words] if words else [sys.executable, str(file)]
    return subprocess.run(
        command, cwd=file.parent, env=environ, capture_output=True, text=True, timeout=50, check=False
    )


def _home_on(folder: Path, database: str) -> Path:
    if database:
        postgres.choose(folder, database)
    return folder


@pytest.mark.only_sqlite("it names its store")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_large_values_lie_in_the_bucket_and_another_home_resumes_with_them(
    home: Path, tmp_path: Path, bucket: S3, database: str
) -> None:
    file = Fleet(home, tmp_path).write(FLOWS)
    assert _run(file, home).returncode == 1
    assert len([name for name in bucket.objects() if name.startswith("home/")]) >= 3
    assert not (home / "blobs").exists()

    other = _home_on(tmp_path / "other", database)
    (tmp_path / "ready").touch()
    resumed = _run(file, other, "resume", "latest:measure")
    if resumed.returncode == 2:
        reader = session.reader(str(other))
        (run,), _ = reader.runs(Query())
        reader.close()
        resumed = _run(file, other, "resume", run.id)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert _ran(tmp_path) == ["load 0", "load 1", "load 2"]
    assert check(str(other)) == []
    assert facts(str(other)).blobs_place == URL


def test_what_nothing_refers_to_goes_at_the_second_sweep(
    home: Path, bucket: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = session.recorder()
    blob = recorder.put_blob(b"nobody wants it", blake2b(b"nobody wants it", digest_size=16).digest())
    session.close()
    time.sleep(1.1)  # S3 tells instants in whole seconds
    monkeypatch.setenv("OSTINATO_KEEP_UNUSED_BLOBS_S", "0")
    assert vacuum(str(home)).n_blobs == 0
    assert bucket.objects() == [f"home/unused/{blob}"]
    time.sleep(1.1)
    assert vacuum(str(home)).n_blobs == 1
    assert bucket.objects() == []


@pytest.mark.timeout(120)
def test_a_flow_that_is_killed_while_it_stores_leaves_whole_values_and_goes_on(
    home: Path, tmp_path: Path, bucket: S3, seed: int
) -> None:
    fleet = Fleet(home, tmp_path)
    file = fleet.write(FLOWS.replace("n: int = 3", "n: int = 30"))
    (tmp_path / "ready").touch()
    environ = {**os.environ, "OSTINATO_HOME": str(home)}
    with subprocess.Popen([sys.executable, str(file)], cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL) as flow:
        fleet.until(lambda: len(bucket.objects()) > 3 + seed % 5, "values are stored")
        flow.send_signal(signal.SIGKILL)
    place = place_at(URL)
    for blob, stored in place.files():
        assert len(place.get(blob)) == stored.n_bytes
    reader = session.reader(str(home))
    (run,), _ = reader.runs(Query())
    reader.close()
    assert run.state == "Crashed"
    resumed = _run(file, home, "resume", run.id)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert set(_ran(tmp_path)) == {f"load {n}" for n in range(30)}
    assert len(_ran(tmp_path)) <= 31 + 1
    assert check(str(home)) == []


@pytest.mark.only_sqlite("an archive is of a database file")
def test_a_backup_fetches_the_values_of_the_bucket_and_a_restore_stores_them_there(
    home: Path, tmp_path: Path, bucket: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Fleet(home, tmp_path).write(FLOWS)
    assert _run(file, home).returncode == 1
    before = bucket.objects()
    assert _run(file, home, "db", "backup", "all.tar").returncode == 0
    bucket.stop()
    bucket.start()
    assert bucket.objects() == []
    monkeypatch.setenv("OSTINATO_HOME", str(tmp_path / "restored"))
    restored = _run(file, tmp_path / "restored", "db", "restore", "all.tar")
    assert restored.returncode == 0, restored.stderr
    assert set(bucket.objects()) == set(before)
    assert check(str(tmp_path / "restored")) == []


def test_a_server_gives_and_takes_values_of_the_bucket_after_a_restart_too(
    home: Path, tmp_path: Path, bucket: S3
) -> None:
    data = os.urandom(3 << 20)
    blob = blake2b(data, digest_size=16).hexdigest()
    with served(home, tmp_path) as one:
        assert URL in one.program.said
        assert one.http.put(f"/api/blobs/{blob}", content=data[1:]).status_code == 400
        assert one.http.head(f"/api/blobs/{blob}").status_code == 404
        assert one.http.put(f"/api/blobs/{blob}", content=data).status_code == 201
        assert bucket.objects() == [f"home/{blob[:2]}/{blob}"]
        one.restart(kill=True)
        answer = one.http.get(f"/api/blobs/{blob}")
        assert answer.content == data
        assert one.http.head(f"/api/blobs/{blob}").headers["content-length"] == str(len(data))
        bucket.stop()
        assert one.http.get(f"/api/blobs/{blob}").status_code == 503
        bucket.start()


def test_a_worker_without_the_bucket_gets_its_values_through_the_server(
    home: Path, tmp_path: Path, bucket: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fleet_on(home, tmp_path) as fleet:
        server = fleet.server()
        (tmp_path / "ready").touch()
        file = fleet.write(FLOWS)
        without = dict.fromkeys((*bucket.environ, "OSTINATO_BLOBS_URL"), "")
        token = session.discovery.read_card(session.home.Home(str(home)))
        assert token is not None
        url = server.said.split()[1]
        far = {"OSTINATO_API_URL": url, "OSTINATO_API_KEY": token.token, "OSTINATO_HOME": str(tmp_path / "far")}
        fleet.worker(env={**without, **far})
        run = fleet.wait(fleet.run(fleet.deploy(file, "measure")))
        assert run.state == "Completed", fleet.told(run)
        assert not (tmp_path / "far" / "blobs").exists()
        assert len(bucket.objects()) >= 3


def test_a_server_whose_bucket_is_missing_does_not_start(home: Path, tmp_path: Path, bucket: S3) -> None:
    ended = subprocess.run(
        [*OSTINATO, "server", "--port", "0"],
        env={**os.environ, "OSTINATO_HOME": str(home), "OSTINATO_BLOBS_URL": "s3://absent/x"},
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert ended.returncode == 5
    assert "error[storage-missing]" in ended.stderr
    assert "s3://absent/x" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.only_sqlite("it names its store")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_servers_of_one_database_keep_their_values_in_one_place_or_the_second_is_refused(
    home: Path, tmp_path: Path, database: str
) -> None:
    other = _home_on(tmp_path / "other", database)
    with fleet_on(home, tmp_path) as fleet, fleet_on(other, tmp_path / "elsewhere") as second:
        second.folder.mkdir()
        first = fleet.server()
        environ = {**os.environ, "OSTINATO_HOME": str(other)}
        command = [*OSTINATO, "server", "--port", "0"]
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=50, check=False)
        assert ended.returncode == 4, ended.stderr
        assert "error[blobs-elsewhere]" in ended.stderr
        assert str(home / "blobs") in ended.stderr
        assert first.end() == 0
        shared = {"OSTINATO_BLOBS_URL": str(tmp_path / "shared")}
        fleet.server(env=shared)
        second.server(env=shared)
