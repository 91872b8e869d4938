"""The files of the web interface: foreign ones are those of the lock, imports resolve, and all of it is small."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

import ostinato
from ostinato.server.assets import IMPORTS, PLACES, Assets

UI = Path(ostinato.__file__).parent / "ui"
MODULES = sorted(path.relative_to(UI).as_posix() for path in UI.rglob("*.js"))
OWN = [name for name in MODULES if not name.startswith("vendor/")]
SHELL_BYTES = 40 * 1024
ALL_BYTES = 1024 * 1024


def test_vendored_files_are_those_of_the_lock_each_with_its_licence() -> None:
    lock = json.loads((UI / "vendor/lock.json").read_text())
    assert {one["file"] for one in lock} == {path.name for path in (UI / "vendor").glob("*.js")}
    for one in lock:
        assert hashlib.sha256((UI / "vendor" / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]
    assert {path.stem for path in (UI / "vendor/licences").iterdir()} == {"preact", "htm", "signals", "signals-core"}


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_imports_is_there(name: str) -> None:
    text = (UI / name).read_text()
    for found in re.findall(r"""(?:from\s*|import\(|^import\s+)["']([^"']+)["']""", text, re.MULTILINE):
        target = IMPORTS.get(found) or (Path(name).parent / found).as_posix()
        assert (UI / target).is_file(), f"{name} imports {found}"


@pytest.mark.parametrize("name", OWN)
def test_a_module_of_ours_says_what_it_is_and_makes_no_html_of_text(name: str) -> None:
    text = (UI / name).read_text()
    assert text.startswith("/** ")
    assert not re.search(
        r"innerHTML|outerHTML|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write|\beval\(", text
    )


def test_the_shell_with_the_first_page_is_small() -> None:
    """Gzip stands for brotli here, which is smaller still."""
    assets = Assets()
    assert sum(len(gzip.compress(assets.files[path].data, 9)) for path in assets._needed) <= SHELL_BYTES
    assert sum(path.stat().st_size for path in UI.rglob("*") if path.is_file()) <= ALL_BYTES


def test_every_place_of_the_rail_is_an_address_that_the_server_knows() -> None:
    named = re.findall(r'\{ name: "(\w*)"', (UI / "parts/frame.js").read_text())
    assert set(named) == PLACES | {""}
