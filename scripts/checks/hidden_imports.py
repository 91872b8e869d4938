"""No import inside a function, except where a package is optional or a door is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.tree import source_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALLOWED = (
    "ostinato.engine.runners",  # a runner brings its machinery when it is used
    "ostinato.session",  # joins engine and store when the first flow starts
)
"""Modules, and packages with all below them, that may import inside functions."""


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each import inside a function outside the places that may."""
    for file in source_files(root):
        if any(f"{file.module}.".startswith(f"{allowed}.") for allowed in ALLOWED):
            continue
        for one in file.imports:
            if one.kind == "hidden":
                yield (
                    f"{file.shown}:{one.line} imports {one.target} inside a function; "
                    "move it up, or move the heavy part to a module of its own that is loaded by name when used"
                )
