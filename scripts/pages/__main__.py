"""Writes docs/reference, and says which pages changed."""

from __future__ import annotations

from pathlib import Path

import pages

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "reference"


def main() -> None:
    """Write each page that differs, and remove pages that nothing generates."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages.render()
    for name, text in made.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/reference/{name}")
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
            print(f"removed docs/reference/{path.name}")


if __name__ == "__main__":
    main()
