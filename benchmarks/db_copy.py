"""How long does `ostinato db copy` take for a home with a million task runs, into PostgreSQL and back?

The home is that of `large_home.py`, with half as many flow runs as task runs. PostgreSQL has the settings it comes
with. Both directions compare counts and checksums of all tables; here they are compared once more, with each other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import large_home
import postgres
from environments import clean_environ, interpreter
from lines import Sheet, at_most

N_TASK_RUNS: Final = 1_000_000


def copy(source: str, target: str, folder: Path) -> dict[str, Any]:
    """Copy by the command line; give what it tells."""
    command = [interpreter("ostinato"), "-m", "ostinato.cli", "db", "copy", source, target, "--json"]
    environ = clean_environ(OSTINATO_HOME=str(folder / "unused"))
    told: dict[str, Any] = json.loads(subprocess.run(command, env=environ, check=True, capture_output=True).stdout)
    return told


def main() -> int:
    """Copy there and back; 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=N_TASK_RUNS)
    options = parser.parse_args()
    sheet = Sheet("db_copy")
    with tempfile.TemporaryDirectory(prefix="ostinato-copy-") as name, postgres.running() as server:
        folder = Path(name)
        large_home.make(folder / "home", options.tasks // 2)
        there = copy(str(folder / "home"), server.url(), folder)
        back = copy(server.url(), str(folder / "back"), folder)
    rows = {table["name"]: table["n_rows"] for table in there["tables"]}
    for title, told in (("SQLite to PostgreSQL", there), ("PostgreSQL to SQLite", back)):
        sheet.add(title, told["took_s"], "s", n=rows["task_runs"], rows=told["n_rows"])
    differ = [one for one, other in zip(there["tables"], back["tables"], strict=True) if one != other]
    sheet.add("tables that differ after both ways", len(differ), "tables", n=len(rows), bar=at_most(0))
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
