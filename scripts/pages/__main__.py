"""Writes docs/reference and the types of the API for the web interface, and says what changed."""

from __future__ import annotations

from pathlib import Path

import pages
from pages import declarations

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "reference"


def main() -> None:
    """Write each file that differs, and remove pages that nothing generates."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages.render()
    for name, text in made.items():
        _write(FOLDER / name, text)
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
            print(f"removed docs/reference/{path.name}")
    _write(ROOT / declarations.FILE, declarations.text())


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
