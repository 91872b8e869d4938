"""Every change tells the user about itself: a fragment in changelog.d/."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("added", "changed", "deprecated", "fixed", "removed")
NAME = re.compile(rf"[a-z0-9-]+\.({'|'.join(KINDS)})\.md")
SEES_USER = ("src/", "examples/")


def violations(root: Path) -> Iterator[str]:
    """Give a sentence for each misnamed or empty fragment, and one when the change has none."""
    folder = root / "changelog.d"
    fragments = [path for path in sorted(folder.iterdir()) if path.name != "README.md"]
    for path in fragments:
        if not NAME.fullmatch(path.name):
            yield f"changelog.d/{path.name}: name it WORDS.KIND.md, KIND one of {', '.join(KINDS)}"
        elif not path.read_text(encoding="utf-8").strip():
            yield f"changelog.d/{path.name} is empty: say what the user can now do"
    changed = _changed(root)
    if any(path.startswith(SEES_USER) for path in changed) and not any(
        path.startswith("changelog.d/") for path in changed
    ):
        yield "this change touches src/ or examples/ and has no fragment: write changelog.d/WORDS.KIND.md"


def _changed(root: Path) -> list[str]:
    """Give the paths in which the checkout differs from where it left origin/main; none where that is unknown."""

    def git(*words: str) -> list[str]:
        ended = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return ended.stdout.split("\n") if ended.returncode == 0 else [""]

    base = git("merge-base", "HEAD", "origin/main")[0]
    return [path for path in git("diff", "--name-only", base) if path] if base else []
