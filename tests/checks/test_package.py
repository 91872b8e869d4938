"""What is installed is what is in the source tree."""

from __future__ import annotations

import zipfile

import pytest
from hatchling.builders.wheel import WheelBuilder

from checks.tree import ROOT

SOURCE = ROOT / "src" / "ostinato"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    (made,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    return zipfile.ZipFile(made)


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    files = [path.relative_to(SOURCE.parent) for path in SOURCE.rglob("*") if path.is_file()]
    caches = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")
    kept = {path.as_posix() for path in files if not any(part in caches for part in path.parts)}
    assert kept - inside == set()


def test_the_wheel_is_small_and_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    assert sum(one.compress_size for one in wheel.infolist()) < 4_000_000
