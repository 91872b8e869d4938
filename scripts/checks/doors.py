"""Upward doors: import strings that name a module of a higher layer. Only those listed here may exist."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from checks.tree import imports_inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = "scripts/checks/doors.py"
DOORS = {
    "ostinato.session:recorder": "ostinato.core.ports",  # how the engine records and remembers
    "ostinato.session:reader": "ostinato.core.ports",  # how the command line looks at a home
    "ostinato.session:commands": "ostinato.core.ports",  # how something is asked of a home or its server
    "ostinato.session.loans:lend": "ostinato.core.ports",  # how MLflow's client in a flow run finds the server
    "ostinato.session.loans:take_back": "ostinato.core.ports",  # and how that ends
    "ostinato.workers.serving:serve": "ostinato.core.ports",  # how `flow.serve` becomes a worker
}
"""Import string -> the one module that may hold it."""


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each import string that points upward unlisted, and for each listed one that is gone."""
    height = layers(root)
    seen: set[str] = set()
    for file, one, target in imports_inside(root):
        if DOORS.get(one.door) == file.module:
            seen.add(one.door)
        elif one.kind == "string" and _layer(target, height) > _layer(file.module, height):
            yield f"{file.shown}:{one.line} opens an upward door, {one.door!r}: list it in {HERE}, or do without"
    for door in sorted(set(DOORS) - seen):
        yield f"{HERE} lists {door!r}, which {DOORS[door]} does not open"


def layers(root: Path) -> dict[str, int]:
    """Give the height of each package, from the contract in pyproject.toml; core is 0."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    lines: list[str] = next(one["layers"] for one in contracts if one["type"] == "layers")
    return {name.strip(" ()"): height for height, line in enumerate(reversed(lines)) for name in line.split("|")}


def _layer(module: str, height: dict[str, int]) -> int:
    name = module.split(".")[1] if "." in module else ""
    return height.get(name, len(height))
