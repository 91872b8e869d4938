"""What a tracking run tells by itself: commits of every form of checkout, and the packages that are loaded."""

from __future__ import annotations

import subprocess
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from ostinato.core.errors import TrackedValueInvalid
from ostinato.tracking import contents, environment

if TYPE_CHECKING:
    from pathlib import Path

GIT = ("git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main")


def git(folder: Path, *words: str) -> str:
    ended = subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True, text=True)
    return ended.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one")
    return folder


def test_the_commit_of_a_folder_in_a_repository_is_found(checkout: Path) -> None:
    deep = checkout / "src" / "deep"
    deep.mkdir(parents=True)
    assert environment.git_commit(str(deep)) == git(checkout, "rev-parse", "HEAD")


def test_a_packed_and_a_detached_commit_are_found(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    git(checkout, "pack-refs", "--all")
    assert environment.git_commit(str(checkout)) == commit
    git(checkout, "checkout", "--quiet", "--detach")
    assert environment.git_commit(str(checkout)) == commit


def test_the_commit_of_a_worktree_is_its_own(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(checkout, "worktree", "add", "--quiet", "-b", "topic", str(other))
    git(other, "commit", "--quiet", "--allow-empty", "--message", "two")
    assert environment.git_commit(str(other)) == git(other, "rev-parse", "HEAD")
    assert environment.git_commit(str(other)) != git(checkout, "rev-parse", "HEAD")


def test_a_file_has_the_commit_of_a_repository_that_tracks_it(checkout: Path) -> None:
    (checkout / "src").mkdir()
    tracked, other = checkout / "src" / "train.py", checkout / "train.py"
    tracked.touch()
    other.touch()
    git(checkout, "add", "src/train.py")
    git(checkout, "commit", "--quiet", "--message", "two")
    assert environment.git_commit(str(tracked)) == git(checkout, "rev-parse", "HEAD")
    assert environment.git_commit(str(other)) == ""
    git(checkout, "worktree", "add", "--quiet", "--detach", "../other")
    assert environment.git_commit(str(checkout.parent / "other" / "src" / "train.py"))


def test_outside_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    assert environment.git_commit(str(tmp_path / "alone")) == ""


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    assert environment.git_commit(str(tmp_path / "empty")) == ""


def test_packages_of_loaded_modules_are_told_with_their_versions() -> None:
    found = dict(one.split("==") for one in environment.packages().split())
    assert found["msgspec"] == metadata.version("msgspec")
    assert found["pytest"] == metadata.version("pytest")


# --- files


def test_a_table_has_its_columns_and_rows() -> None:
    assert contents.table_bytes({"a": [1, 2], "b": ["x", None]}) == b'{"columns":["a","b"],"data":[[1,"x"],[2,null]]}'


def test_arrays_and_scalars_are_json() -> None:
    numpy = pytest.importorskip("numpy")
    assert contents.json_bytes({"a": numpy.arange(2), "b": numpy.float64(0.5), "c": object}).startswith(b'{\n  "a": [')


def test_a_figure_has_the_format_of_its_path() -> None:
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure()
    figure.subplots().plot([1, 2])
    assert contents.figure_bytes(figure, "a/b.png").startswith(b"\x89PNG")
    assert b"<svg" in contents.figure_bytes(figure, "b.SVG")
    with pytest.raises(TrackedValueInvalid):
        contents.figure_bytes("no figure", "a.png")
