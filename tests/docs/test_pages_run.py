"""Every block of the README and of docs/ runs, each page in order and in one namespace, on a home of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = Path(__file__).with_name("page_runner.py")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: its words, its text, and the line of the page on which the text begins."""

    words: tuple[str, ...]
    text: str
    line: int

    @property
    def is_run(self) -> bool:
        return self.words[:1] == ("python",) or self.words[:2] in {("bash", "run"), ("text", "output")}


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            words=tuple(shlex.split(found[3])),
            text=re.sub(rf"^{found[1]}", "", found[4], flags=re.MULTILINE),
            line=text.count("\n", 0, found.start()) + 2,
        )
        for found in FENCE.finditer(text)
    ]


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if any(one.is_run for one in blocks(page))], ids=shown)
def test_every_block_of_a_page_runs_in_order(page: Path, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, str(RUNNER), str(page)],
        cwd=folder,
        env={
            **os.environ,
            "OSTINATO_HOME": str(home),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "PYTHONPATH": str(ROOT),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, f"{shown(page)}\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    for block in blocks(page):
        if "no-run" in block.words:
            assert block.text.lstrip().startswith("# "), f"{shown(page)}:{block.line} lacks a comment"
