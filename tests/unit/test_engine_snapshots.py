"""Snapshots of code: equal for equal content, bounded, and never written outside of their folder."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from ostinato.core.errors import SnapshotTooLarge
from ostinato.engine.projects import project_of
from ostinato.engine.snapshots import pack, unpack

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


FILES = {"flow.py": "x = 1", "lib/mod.py": "y = 2", "daten/größe.txt": "ä", "run.sh": "echo"}


def test_equal_content_gives_equal_bytes_wherever_and_whenever_it_lies(tmp_path: Path) -> None:
    one, other = fill(tmp_path / "a", FILES), fill(tmp_path / "b", dict(reversed(FILES.items())))
    for name in FILES:
        os.utime(other / name, (1, 1))
    first = pack(str(one), list(FILES), 1 << 20)
    assert pack(str(other), [*reversed(FILES), "flow.py"], 1 << 20) == first
    (other / "flow.py").write_text("x = 3", encoding="utf-8")
    assert pack(str(other), list(FILES), 1 << 20) != first


def test_a_snapshot_comes_out_as_it_went_in(tmp_path: Path) -> None:
    source = fill(tmp_path / "a", FILES)
    (source / "run.sh").chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    unpack(pack(str(source), list(FILES), 1 << 20), str(out))
    found = {str(path.relative_to(out)): path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file()}
    assert found == FILES
    assert os.access(out / "run.sh", os.X_OK)
    assert not os.access(out / "flow.py", os.X_OK)


def test_a_snapshot_that_is_too_large_names_its_largest_files(tmp_path: Path) -> None:
    source = fill(tmp_path, {**FILES, "data/big.csv": "1" * 300_000, "data/huge.csv": "1" * 900_000})
    with pytest.raises(SnapshotTooLarge) as caught:
        pack(str(source), [*FILES, "data/big.csv", "data/huge.csv"], 1_000_000)
    assert "6 files and 1.2 MB; at most 1.0 MB" in caught.value.message
    assert "data/huge.csv (0.9 MB), data/big.csv (0.3 MB)" in caught.value.message


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "a/../../evil.py"])
def test_an_archive_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    with pytest.raises(ValueError, match="no file of a snapshot"):
        unpack(data.getvalue(), str(folder))
    assert not list(tmp_path.rglob("evil.py"))


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match="no file of a snapshot"):
        unpack(data.getvalue(), str(tmp_path))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no archive"):
        unpack(b"x" * 2000, str(tmp_path))


def test_without_git_environments_caches_secrets_and_the_home_stay_behind(tmp_path: Path) -> None:
    left_out = {
        ".venv/lib/a.py": "",
        "env/pyvenv.cfg": "",
        "env/lib/b.py": "",
        "__pycache__/flow.pyc": "",
        "lib/mod.pyc": "",
        "node_modules/x.js": "",
        ".env": "TOKEN=1",
        "thing.egg-info/PKG-INFO": "",
        "home/ostinato.db": "",
    }
    folder = fill(tmp_path / "project", {**FILES, **left_out})
    project = project_of(str(folder / "flow.py"), str(folder), str(folder / "home"))
    assert (project.root, sorted(project.files)) == (str(folder), sorted(FILES))


def test_a_project_is_the_working_directory_else_the_folder_above_the_package(tmp_path: Path) -> None:
    folder = fill(
        tmp_path / "src", {"package/__init__.py": "", "package/deep/__init__.py": "", "package/deep/flow.py": ""}
    )
    file = str(folder / "package" / "deep" / "flow.py")
    assert project_of(file, str(tmp_path), "/nowhere").root == str(tmp_path)
    assert project_of(file, str(tmp_path / "elsewhere"), "/nowhere").root == str(folder)
