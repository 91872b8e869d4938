"""A module is one noun, and its first line says what it holds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from checks.tree import all_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMPTY_NAMES = frozenset(("utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "tools"))
MIN_WORDS = 2


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each module with an empty name or without a first line."""
    for file in all_files(root):
        if EMPTY_NAMES & set(file.path.relative_to(root).with_suffix("").parts):
            yield f"{file.shown} is named by no noun: say what it holds"
        if not file.shown.startswith("tests/"):
            words = (ast.get_docstring(file.tree) or "").partition("\n")[0].split()
            if len(words) < MIN_WORDS:
                yield f"{file.shown}:1 has no first line that says what it holds"
