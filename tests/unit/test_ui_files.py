"""The files of the web interface: foreign ones are those of the lock, imports resolve, and all of it is small."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import brotli
import pytest

import ostinato
from ostinato.server.assets import IMPORTS, PLACES, Assets

UI = Path(ostinato.__file__).parent / "ui"
MODULES = sorted(path.relative_to(UI).as_posix() for path in UI.rglob("*.js"))
OWN = [name for name in MODULES if not name.startswith("vendor/")]
PAGES = [name for name in OWN if name.startswith("pages/")]
SHELL_BYTES = 40 * 1024
PAGE_BYTES = 70 * 1024
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


def size(modules: set[str]) -> int:
    return sum(len(brotli.compress((UI / name).read_bytes())) for name in modules)


def test_the_shell_with_the_first_page_is_small() -> None:
    assert size(set(Assets().needed("app.js", "pages/home.js"))) <= SHELL_BYTES
    assert sum(path.stat().st_size for path in UI.rglob("*") if path.is_file()) <= ALL_BYTES


def loaded_later(name: str) -> list[str]:
    """Give what a module loads when it is needed; an `import` in a comment with types is none."""
    text = "\n".join(line for line in (UI / name).read_text().splitlines() if "@" not in line)
    found = re.findall(r"""(?:import|new URL)\("(\.[^"]+\.js)""", text)
    return [os.path.normpath((Path(name).parent / one).as_posix()) for one in found]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_all_that_it_may_load_is_small(page: str) -> None:
    assets = Assets()
    modules, waiting = set(assets.needed("app.js")), [page]
    while waiting:
        more = set(assets.needed(waiting.pop())) - modules
        modules |= more
        waiting += [one for name in sorted(more) for one in loaded_later(name)]
    assert size(modules) <= PAGE_BYTES


def test_every_place_of_the_rail_is_an_address_that_the_server_knows() -> None:
    named = re.findall(r'\{ name: "(\w*)"', (UI / "parts/frame.js").read_text())
    assert set(named) == PLACES | {""}
