"""Documentation and code name the same things, in both directions.

Every error code, setting, command and public name stands in docs/reference. Every environment variable, command,
file and test that a page names exists, every relative link leads to a file, and every page is linked from somewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VARIABLE = re.compile(r"\bOSTINATO_[A-Z][A-Z_]*[A-Z]\b")
_COMMAND = re.compile(r"(?:`|^\s*(?:\$ )?|bin/)ostinato ([a-z][a-z-]*)", re.MULTILINE)
_FILE = re.compile(r"`((?:src|tests|scripts|examples|benchmarks|docs)/[\w./-]+)(::\w+)?`")
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each name that only the code or only a page knows."""
    reference = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((root / "docs" / "reference").glob("*.md"))
    )
    for kind, names in pages.inventory().items():
        for name in names:
            if f"`{name}`" not in reference:
                yield f"{kind} {name!r} is not in docs/reference: give it a docstring and run scripts/reference"
    yield from _unknown_names(root)
    yield from _lost_pages(root)


def _unknown_names(root: Path) -> Iterator[str]:
    known = pages.inventory()
    variables = frozenset(known["setting"])
    commands = frozenset(name.partition(" ")[2].partition(" ")[0] for name in known["command"])
    for path, shown in _pages(root):
        text = path.read_text(encoding="utf-8")
        for name in sorted(set(_VARIABLE.findall(text)) - variables):
            yield f"{shown} names {name}, which is no setting"
        for name in sorted(set(_COMMAND.findall(text)) - commands):
            yield f"{shown} names the command `ostinato {name}`, which does not exist"
        for name, test in sorted(set(_FILE.findall(text))):
            file = root / name
            if not file.exists() or (test and f"def {test[2:]}(" not in file.read_text(encoding="utf-8")):
                yield f"{shown} names {name}{test}, which is not there"


def _lost_pages(root: Path) -> Iterator[str]:
    reached: set[Path] = set()
    waiting = [root / "README.md", root / "docs" / "README.md"]
    while waiting:
        path = waiting.pop().resolve()
        if path in reached:
            continue
        reached.add(path)
        for target in _LINK.findall(path.read_text(encoding="utf-8")):
            linked = path.parent / target
            if not linked.exists():
                yield f"{path.relative_to(root)} links to {target}, which is not there"
            elif linked.suffix == ".md":
                waiting.append(linked)
    for path, shown in _pages(root):
        if path.resolve() not in reached:
            yield f"{shown} is linked from no page: link it from docs/README.md"


def _pages(root: Path) -> Iterator[tuple[Path, str]]:
    for path in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        yield path, path.relative_to(root).as_posix()
