"""Where files of an import are looked for, and where they never are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostinato.core.errors import ImportUnreadable
from ostinato.tracking.imports.places import Places

if TYPE_CHECKING:
    from pathlib import Path

RUN = "0a" * 16
MODEL = f"m-{RUN}"


def kept(root: Path, *parts: str) -> Path:
    """Give a folder with one file."""
    folder = root.joinpath(*parts)
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("a", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("there", "location"),
    [
        (("mlruns", "1", RUN, "artifacts"), f"./mlruns/1/{RUN}/artifacts"),
        (("mlruns", "1", RUN, "artifacts"), f"file:///gone/mlruns/1/{RUN}/artifacts"),
        (("mlartifacts", "1", RUN, "artifacts"), f"mlflow-artifacts:/1/{RUN}/artifacts"),
        (("mlartifacts", "1", RUN, "artifacts"), f"mlflow-artifacts://host:5000/1/{RUN}/artifacts"),
        (("1", RUN, "artifacts"), f"/gone/mlruns/1/{RUN}/artifacts"),
        ((".trash", "1", RUN, "artifacts"), f"/gone/mlruns/1/{RUN}/artifacts"),
        (("named", "1", RUN, "artifacts"), f"mlflow-artifacts:/1/{RUN}/artifacts"),
        (("named", "a b", RUN, "artifacts"), f"file:///gone/a%20b/{RUN}/artifacts"),
    ],
)
def test_files_are_found_beside_the_source_and_where_it_is_said(
    tmp_path: Path, there: tuple[str, ...], location: str
) -> None:
    kept(tmp_path, *there)
    (tmp_path / "named").mkdir(exist_ok=True)
    places = Places(str(tmp_path), str(tmp_path / "named"))
    assert [one.path for one in places.of(location, RUN)] == ["a.txt"]


def test_files_of_a_model_are_found_below_its_experiment(tmp_path: Path) -> None:
    kept(tmp_path, "mlruns", "1", "models", MODEL, "artifacts")
    places = Places(str(tmp_path))
    assert [one.path for one in places.of(f"/gone/1/models/{MODEL}/artifacts", MODEL)] == ["a.txt"]


def test_a_location_that_is_no_folder_of_its_owner_is_not_read(tmp_path: Path) -> None:
    elsewhere = kept(tmp_path, "private")
    kept(tmp_path, "1", "0b" * 16, "artifacts")
    (tmp_path / "mlruns" / "1" / RUN).mkdir(parents=True)
    (tmp_path / "mlruns" / "1" / RUN / "artifacts").symlink_to(elsewhere)
    places = Places(str(tmp_path))
    for location in (
        str(elsewhere),
        f"{tmp_path}/1/{'0b' * 16}/artifacts",
        f"{tmp_path}/mlruns/1/{RUN}/artifacts",
        f"{tmp_path}/mlruns/../private/{RUN}/artifacts",
        f"mlflow-artifacts:/../private/{RUN}/artifacts",
        f"s3://bucket/1/{RUN}/artifacts",
        "",
    ):
        assert places.of(location, RUN) == [], location


def test_a_link_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    folder = kept(tmp_path, "mlruns", "1", RUN, "artifacts")
    (folder / "inside").symlink_to(folder / "a.txt")
    (folder / "outside").symlink_to("/etc/passwd")
    found = Places(str(tmp_path)).of(str(folder), RUN)
    assert [one.path for one in found] == ["a.txt", "inside"]


def test_a_folder_that_is_missing_is_told_apart_from_runs_without_files(tmp_path: Path) -> None:
    (tmp_path / "mlruns" / "1").mkdir(parents=True)
    places = Places(str(tmp_path))
    assert places.lacks(f"{tmp_path}/mlruns/1/{RUN}/artifacts") == ""
    assert places.lacks(f"/gone/1/{RUN}/artifacts") == ""
    assert places.lacks(f"/gone/2/{RUN}/artifacts") == "/gone"
    with pytest.raises(ImportUnreadable, match="there is no such folder"):
        Places(str(tmp_path), str(tmp_path / "nowhere"))
