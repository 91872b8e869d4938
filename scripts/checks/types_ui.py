"""The types of the web interface hold: `tsc --strict` finds nothing, and the types of the API are what it answers.

The compiler comes from npm, and with it, for their types, the packages that are vendored. They are kept in a hidden
folder; Ostinato is installed and run without any of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from checks.tree import ROOT
from pages import declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TYPESCRIPT: Final = "5.9.3"
FOLDER: Final = ROOT / ".node"
OPTIONS: Final[dict[str, Any]] = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "skipLibCheck": True,
    "target": "es2023",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom", "dom.iterable"],
    "types": [],
    "paths": {
        name: [f"./node_modules/{name}"]
        for name in ("preact", "preact/hooks", "@preact/signals", "@preact/signals-core", "htm")
    },
}


def violations(root: Path, note: Callable[[str], None]) -> Iterator[str]:
    """Give a sentence when the types of the API are old, and what the compiler finds."""
    file = root / declarations.FILE
    if not file.exists() or file.read_text(encoding="utf-8") != declarations.text():
        yield f"{declarations.FILE} is not up to date: run scripts/reference"
    yield from compiled(root / "src" / "ostinato" / "ui", note)


def compiled(ui: Path, note: Callable[[str], None]) -> list[str]:
    """Give what the compiler finds in a folder, vendored modules left out; without it CI fails, others are told."""
    if not (shutil.which("node") and shutil.which("npm")):
        if os.environ.get("CI"):
            return [
                "node and npm are needed to look at the types of the web interface (on Debian: apt-get install npm)"
            ]
        note("not looked at, since node or npm is missing (on Debian: apt-get install npm)")
        return []
    folder = _installed(_packages(ui / "vendor" / "lock.json"))
    project = {
        "compilerOptions": OPTIONS,
        "include": [f"{ui}/**/*.js", f"{ui}/**/*.d.ts"],
        "exclude": [f"{ui}/vendor"],
    }
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json") as file:
        file.write(json.dumps(project))
        file.flush()
        command = ["node", str(folder / "node_modules/typescript/bin/tsc"), "--pretty", "false", "--project", file.name]
        ended = subprocess.run(command, cwd=ui, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    said = f"{ended.stdout}{ended.stderr}".strip()
    return said.splitlines() or (["tsc did not run"] if ended.returncode else [])


def _packages(lock: Path) -> list[str]:
    """Give the packages that are wanted, each with its version."""
    vendored = {one["package"].partition(" ")[0]: one["version"] for one in json.loads(lock.read_text("utf-8"))}
    return [f"{name}@{version}" for name, version in {**vendored, "typescript": TYPESCRIPT}.items()]


def _installed(packages: list[str]) -> Path:
    """Give a folder with these packages, filled when it is not there yet."""
    folder = FOLDER / hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    if not folder.exists():
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, ignore_cleanup_errors=True) as fresh:
            options = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
            command = ["npm", "install", "--prefix", fresh, "--loglevel", "error", *options, *packages]
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                raise RuntimeError(f"npm could not install {' '.join(packages)}: {ended.stderr.strip()}")
            if not folder.exists():  # another process may have been quicker
                Path(fresh).rename(folder)
    return folder
