"""Code of deployments: where it is found, that it is the right one, and what is said when it is not there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ostinato import session
from ostinato.core.commands import PauseDeployment
from ostinato.core.deployments import Code, Deployment
from ostinato.core.errors import (
    BadOption,
    CodeMissing,
    DeploymentInvalid,
    NotLiteral,
    ParameterInvalid,
    ParameterUnknown,
    SnapshotTooLarge,
)
from ostinato.engine.flows import flow
from ostinato.engine.loading import load_flow
from ostinato.session import maintenance
from ostinato.workers.code import KEEP_S, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunPython

    from ostinato.engine.flows import Flow

FLOW = """
from datetime import date
from ostinato import flow
from lib.mod import FACTOR

@flow
def train(n: int = 1, day: date | None = None) -> int:
    '''Train it.'''
    return n * FACTOR
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with a flow and a module, which is the working directory."""
    folder = tmp_path / "project"
    (folder / "lib").mkdir(parents=True)
    (folder / "flow.py").write_text(FLOW, encoding="utf-8")
    (folder / "lib" / "mod.py").write_text("FACTOR = 2", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OSTINATO_CONSOLE", "false")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield folder
    for name in [name for name, module in sys.modules.items() if place_of(module).startswith(str(folder))]:
        del sys.modules[name]


def place_of(module: object) -> str:
    """Give the file or folder of a module."""
    return str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), ""))


@pytest.fixture
def repository(project: Path, tmp_path: Path) -> Path:
    """Give the project under git, pushed to a bare repository `remote.git` beside it."""
    remote = tmp_path / "remote.git"
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", "user.email", "ann@example.com")
    git(project, "config", "user.name", "Ann")
    (project / ".gitignore").write_text("data/\n", encoding="utf-8")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "begin")
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(project, "remote", "add", "origin", str(remote))
    git(project, "push", "--quiet", "--set-upstream", "origin", "main")
    return project


def git(folder: Path, *words: str) -> str:
    ended = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def train() -> Flow[Any, Any]:
    return load_flow("flow.py:train")


def tree(folder: Path) -> set[str]:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith(".git/") and "__pycache__" not in name}


# --- what deploy makes


@pytest.mark.usefixtures("home")
def test_a_deployment_says_where_its_code_is_and_what_the_flow_takes(project: Path) -> None:
    made = train().deploy("nightly", cron="0 3 * * *", timezone="Europe/Berlin", parameters={"n": 3}, tags="ml")
    file = str(project / "flow.py")
    assert made.code == Code(kind="local", file=file, function="train", directory=str(project))
    assert (made.title, made.description, made.tags) == ("train/nightly", "Train it.", ("ml",))
    assert made.version == train().version
    assert made.parameters == {"n": 3}
    assert made.parameter_schema["properties"]["day"]["anyOf"][0]["format"] == "date"
    again = train().deploy("nightly", parameters={"day": "2023-01-02"})
    assert (again.id, again.created_at, again.parameters) == (made.id, made.created_at, {"day": "2023-01-02"})
    assert again.schedules == ()
    assert again.tags == ()


@pytest.mark.usefixtures("home", "project")
@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"schedule": "@daily"}, BadOption, "Write schedules=."),
        ({"concurency": 1}, BadOption, "Did you mean concurrency?"),
        ({"concurrency": 0}, DeploymentInvalid, "concurrency: Expected `int` >= 1"),
        ({"overlap": "never"}, DeploymentInvalid, "overlap"),
        ({"skip_if_late": "soon"}, DeploymentInvalid, "no length of time"),
        ({"crash_retries": -1}, DeploymentInvalid, "crash_retries"),
        ({"env": {"A": 1}}, DeploymentInvalid, "env"),
        ({"parameters": {"m": 1}}, ParameterUnknown, "'m'"),
        ({"parameters": {"n": "many"}}, ParameterInvalid, "'n'"),
        ({"parameters": {"n": object()}}, ParameterInvalid, "'n'"),
        ({"schedules": [{"cron": "@daily", "parameters": {"m": 1}}]}, ParameterUnknown, "'m'"),
        ({"schedules": [{"cron": "@daily", "slug": "x"}, {"interval": 9, "slug": "x"}]}, DeploymentInvalid, "'x'"),
        ({"storage": "s3://bucket/x"}, DeploymentInvalid, "stores nothing"),
        ({"code": "git"}, DeploymentInvalid, "in no git repository"),
    ],
)
def test_what_cannot_be_deployed_is_refused(options: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as caught:
        train().deploy("nightly", **options)
    assert said in str(caught.value)
    reader = session.reader()
    assert reader.deployments() == []
    reader.close()


@pytest.mark.usefixtures("home")
def test_a_flow_that_no_worker_could_find_is_refused() -> None:
    @flow
    def local() -> None: ...

    with pytest.raises(DeploymentInvalid, match="made inside a function"):
        local.deploy("x")
    namespace: dict[str, Any] = {"flow": flow}
    exec("@flow\ndef typed(): ...", namespace)
    with pytest.raises(DeploymentInvalid, match="only in a notebook or a prompt"):
        namespace["typed"].deploy("x")
    free: Flow[Any, Any] = flow(lambda data: None)
    with pytest.raises(DeploymentInvalid):
        free.deploy("x")


@pytest.mark.usefixtures("home", "project")
def test_a_value_of_a_class_is_no_parameter_of_a_deployment() -> None:
    Path("any.py").write_text("from ostinato import flow\n@flow\ndef take(data): ...\n", encoding="utf-8")
    with pytest.raises(NotLiteral, match="'data' is a object"):
        load_flow("any.py:take").deploy("x", parameters={"data": object()})


@pytest.mark.usefixtures("project")
def test_what_was_paused_stays_paused_when_it_is_deployed_again(home: Path) -> None:
    schedules = [{"cron": "@daily", "slug": "day"}, {"cron": "@hourly", "slug": "hour"}]
    train().deploy("x", schedules=schedules)
    commands = session.commands(str(home))
    commands.do(PauseDeployment(deployment="train/x", slug="hour"))
    commands.do(PauseDeployment(deployment="train/x"))
    commands.close()
    again = train().deploy("x", schedules=schedules, parameters={"n": 2})
    assert again.paused
    assert [one.active for one in again.schedules] == [True, False]
    changed = train().deploy("x", schedules=[{"cron": "@hourly", "slug": "day"}, {"cron": "@daily", "slug": "hour"}])
    assert [one.active for one in changed.schedules] == [True, True]
    assert not train().deploy("x", paused=False).paused


def test_a_file_that_deploys_when_it_is_loaded_deploys_when_it_is_run_and_not_by_a_worker(
    run_python: RunPython, tmp_path: Path
) -> None:
    program = """
    from ostinato import flow, run_deployment

    @flow
    def train(): ...

    print(repr(train.deploy("nightly").id), repr(run_deployment("train/nightly", timeout=0) is None))
    """
    ran = run_python(program)
    assert "Deployment 'train/nightly' - version" in ran.stderr
    assert len(ran.stdout.split()[0]) == 34
    assert "False" in ran.stdout
    loaded = run_python(f"""
    from ostinato.engine.loading import load_flow
    load_flow({str(tmp_path / "program_1.py")!r})
    """)
    assert "'' True" in loaded.stdout
    assert "version" not in loaded.stderr


# --- snapshots


@pytest.mark.usefixtures("home")
def test_a_snapshot_lies_on_a_worker_as_it_was_deployed(project: Path, tmp_path: Path) -> None:
    made = train().deploy("x", code="snapshot")
    assert (made.code.kind, made.code.file, made.code.directory) == ("snapshot", "flow.py", "")
    assert made.version == made.code.revision[:12]
    (project / "lib" / "mod.py").write_text("FACTOR = 3", encoding="utf-8")
    here = prepare(made.code, made.title, str(tmp_path / "code"))
    folder = tmp_path / "code" / made.code.revision
    assert (here.file, here.directory) == (str(folder / "flow.py"), str(folder))
    assert (folder / "lib" / "mod.py").read_text(encoding="utf-8") == "FACTOR = 2"
    assert train().deploy("x", code="snapshot").code.revision != made.code.revision


@pytest.mark.usefixtures("home")
def test_the_working_directory_goes_along(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(project, "init", "--quiet")
    monkeypatch.chdir(project / "lib")
    made = load_flow(str(project / "flow.py")).deploy("x", code="snapshot")
    assert (made.code.file, made.code.directory) == ("flow.py", "lib")
    monkeypatch.chdir(tmp_path)
    del sys.modules["flow"]
    assert load_flow(str(project / "flow.py")).deploy("x", code="snapshot").code.directory == ""


@pytest.mark.usefixtures("home")
def test_under_git_a_snapshot_has_what_is_not_ignored(repository: Path, tmp_path: Path) -> None:
    (repository / "data").mkdir()
    (repository / "data" / "rides.csv").write_text("1", encoding="utf-8")
    (repository / "lib" / "__pycache__").mkdir(exist_ok=True)
    (repository / "lib" / "__pycache__" / "mod.cpython-311.pyc").write_bytes(b"what Python writes by the way")
    clean = train().deploy("x", code="snapshot")
    assert clean.version == git(repository, "rev-parse", "HEAD")[:12]
    (repository / "new.py").write_text("", encoding="utf-8")
    more = train().deploy("x", code="snapshot")
    assert more.version == f"{clean.version}+dirty.{more.code.revision[:6]}"
    assert train().deploy("x").version == clean.version
    (repository / "flow.py").write_text(FLOW + "\n", encoding="utf-8")
    changed = train().deploy("x", code="snapshot")
    assert changed.version == f"{clean.version}+dirty.{changed.code.revision[:6]}"
    here = prepare(changed.code, "train/x", str(tmp_path / "code"))
    assert tree(Path(here.directory)) == {"flow.py", "lib/mod.py", ".gitignore", "new.py"}


@pytest.mark.usefixtures("home", "project")
def test_a_snapshot_may_lie_in_a_folder_or_a_bucket(tmp_path: Path) -> None:
    for number, storage in enumerate((str(tmp_path / "shelf"), f"file://{tmp_path}/bucket")):
        made = train().deploy("x", code="snapshot", storage=storage)
        assert made.code.location == storage
        here = prepare(made.code, made.title, str(tmp_path / f"code-{number}"))
        assert tree(Path(here.directory)) == {"flow.py", "lib/mod.py"}
    assert (tmp_path / "shelf" / made.code.revision[:2] / made.code.revision).is_file()
    assert (tmp_path / "bucket" / made.code.revision[:2] / made.code.revision).is_file()


@pytest.mark.usefixtures("home", "project")
def test_a_snapshot_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data.csv").write_bytes(b"1" * 200_000)
    monkeypatch.setenv("OSTINATO_SNAPSHOT_LIMIT_MB", "0.1")
    with pytest.raises(SnapshotTooLarge, match=r"data\.csv \(0\.2 MB\)"):
        train().deploy("x", code="snapshot")


@pytest.mark.usefixtures("project")
def test_retention_keeps_a_snapshot_as_long_as_it_is_deployed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_KEEP_UNUSED_BLOBS_S", "0")
    made = train().deploy("x", code="snapshot")
    blob = home / "blobs" / made.code.revision[:2] / made.code.revision
    os.utime(blob, (1, 1))
    assert maintenance.vacuum().n_blobs == 0
    assert blob.is_file()
    assert maintenance.check() == []
    train().deploy("x")
    assert maintenance.vacuum().n_blobs == 1
    assert not blob.exists()


@pytest.mark.usefixtures("project")
def test_a_snapshot_that_is_gone_or_damaged_is_named(home: Path, tmp_path: Path) -> None:
    made = train().deploy("x", code="snapshot")
    blob = home / "blobs" / made.code.revision[:2] / made.code.revision
    blob.write_bytes(b"damaged")
    for how in ("damaged", "missing"):
        with pytest.raises(CodeMissing) as caught:
            prepare(made.code, made.title, str(tmp_path / "code"))
        assert f"code of train/x cannot be had: its snapshot {made.code.revision} is {how}" in caught.value.message
    assert list((tmp_path / "code").iterdir()) == []
    assert [finding.subject for finding in maintenance.check()] == ["blobs"]


@pytest.mark.usefixtures("home", "project")
def test_several_workers_fetch_one_snapshot_at_once(tmp_path: Path) -> None:
    made = train().deploy("x", code="snapshot")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(prepare(made.code, "train/x", str(tmp_path / "code")).file))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {str(tmp_path / "code" / made.code.revision / "flow.py")}
    assert [one.name for one in (tmp_path / "code").iterdir()] == [made.code.revision]


@pytest.mark.usefixtures("home", "project")
def test_code_that_nobody_used_for_a_month_goes(tmp_path: Path) -> None:
    made = train().deploy("x", code="snapshot")
    for name, age_s in (("used", 0.0), ("old", KEEP_S + 60), ("begun.1.new", KEEP_S + 60)):
        (tmp_path / "code" / name).mkdir(parents=True)
        os.utime(tmp_path / "code" / name, (time.time() - age_s,) * 2)
    prepare(made.code, "train/x", str(tmp_path / "code"))
    assert {one.name for one in (tmp_path / "code").iterdir()} == {"used", made.code.revision}


# --- git


@pytest.mark.usefixtures("home")
def test_a_commit_is_fetched_once_and_is_the_one_that_was_deployed(repository: Path, tmp_path: Path) -> None:
    made = train().deploy("x", code="git")
    commit = git(repository, "rev-parse", "HEAD")
    assert (made.code.location, made.code.revision, made.version) == (
        str(tmp_path / "remote.git"),
        commit,
        commit[:12],
    )
    (repository / "lib" / "mod.py").write_text("FACTOR = 3", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "-m", "three")
    git(repository, "push", "--quiet")
    here = prepare(made.code, made.title, str(tmp_path / "code"))
    assert (Path(here.directory) / "lib" / "mod.py").read_text(encoding="utf-8") == "FACTOR = 2"
    (tmp_path / "remote.git").rename(tmp_path / "gone.git")
    assert prepare(made.code, made.title, str(tmp_path / "code")) == here


@pytest.mark.usefixtures("home")
def test_what_a_commit_does_not_have_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OSTINATO_CONSOLE", "true")
    (repository / "lib" / "mod.py").write_text("FACTOR = 3", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "-m", "three")
    (repository / "lib" / "mod.py").write_text("FACTOR = 4", encoding="utf-8")
    made = train().deploy("x", code="git")
    said = capsys.readouterr().err
    assert "Changes that are not committed do not go along: lib/mod.py." in said
    assert f"Commit {made.version} is on no branch of a remote" in said
    with pytest.raises(CodeMissing, match=f"commit {made.version} of .*remote.git was not fetched"):
        prepare(made.code, made.title, str(tmp_path / "code"))
    git(repository, "push", "--quiet")
    assert prepare(made.code, made.title, str(tmp_path / "code")).directory


@pytest.mark.usefixtures("home")
def test_a_login_in_the_address_of_a_remote_is_not_recorded(repository: Path) -> None:
    git(repository, "remote", "set-url", "origin", "https://ann:t0ken@example.com/x.git")
    assert train().deploy("x", code="git").code.location == "https://example.com/x.git"
    git(repository, "remote", "set-url", "origin", "git@example.com:ann/x.git")
    assert train().deploy("x", code="git").code.location == "git@example.com:ann/x.git"


@pytest.mark.usefixtures("home")
def test_a_local_deployment_has_the_version_of_its_checkout(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert train().deploy("x").version == commit
    (repository / "lib" / "mod.py").write_text("FACTOR = 3", encoding="utf-8")
    assert train().deploy("x").version == f"{commit}+dirty"
    assert train().deploy("x", version="v7").version == "v7"


def test_local_code_that_is_not_on_this_machine_is_named() -> None:
    gone = Deployment(id="", flow="train", name="x", code=Code(kind="local", file="/nowhere/flow.py", function="f"))
    with pytest.raises(CodeMissing, match=r"there is no file /nowhere/flow\.py on machine"):
        prepare(gone.code, gone.title)
