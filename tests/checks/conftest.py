"""A small package to break rules in."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


class Tree(Protocol):
    """Writes files of a small project and gives its root."""

    def __call__(self, **files: str) -> Path:
        """Keys are paths below src/ostinato with `__` for `/`, without the ending."""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give a function that writes modules below src/ostinato."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def write(**files: str) -> Path:
        for name, text in {"init": "", **files}.items():
            path = tmp_path / "src" / "ostinato" / (name.replace("__", "/").replace("init", "__init__") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write
