"""Fill the tables of README.md from JSON lines: for each figure the median of all runs, judged by its bar.

Rows of scripts that the lines say nothing of stay as they are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from environments import HERE
from lines import Bar

BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
GOALS, OTHERS = "### Goals", "### All other figures"
COLUMNS = ("question", "figure", "of", "n", "median", "lowest", "highest", "unit", "bar", "met", "runs", "load")
FIGURE = ("bench", "name", "system", "n", "unit")


def read(files: list[Path]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Give the lines of all files by figure, in order of first appearance."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for file in files:
        for text in file.read_text().splitlines():
            line = json.loads(text)
            found.setdefault(tuple(line[name] for name in FIGURE), []).append(line)
    return found


def row(lines: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """Give the cells of one figure, and whether its bar is met (or it has none)."""
    first = lines[0]
    values = [line["value"] for line in lines]
    middle = statistics.median(values)
    bar = None if first["bar"] is None else Bar(first["bar"], first["sense"])
    met = bar is None or bar.holds(middle)
    cells = [
        first["bench"],
        first["name"],
        first["system"],
        f"{first['n']:,}" if first["n"] else "",
        *(_short(value) for value in (middle, min(values), max(values))),
        first["unit"],
        "" if bar is None else f"{bar.sense} {bar.limit:g}",
        "" if bar is None else ("yes" if met else "**no**"),
        str(len(lines)),
        f"{max(line['load1'] for line in lines):.1f}",
    ]
    return cells, met


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: list[list[dict[str, Any]]], kept: list[str]) -> str:
    """Give a Markdown table of some figures and of rows that stay, by script."""
    rows = kept + ["| " + " | ".join(row(found)[0]) + " |" for found in figures]
    rows.sort(key=_script)
    return "\n".join(["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS), *rows]) + "\n"


def _script(text: str) -> str:
    return text.split(" | ", maxsplit=1)[0].removeprefix("| ")


def page(figures: list[list[dict[str, Any]]], old: str = "") -> str:
    """Give both tables: the figures that have a bar, and the others; and the rows of `old` about other scripts."""
    measured = {found[0]["bench"] for found in figures} | {COLUMNS[0], "---"}
    goals, _, rest = old.partition(OTHERS)
    parts = []
    for head, judged, text in ((GOALS, True, goals), (OTHERS, False, rest)):
        kept = [line for line in text.splitlines() if line.startswith("| ") and _script(line) not in measured]
        wanted = [found for found in figures if (found[0]["bar"] is not None) is judged]
        parts.append(f"{head}\n\n{table(wanted, kept)}")
    return "\n".join(parts)


def main() -> int:
    """Write the tables into README.md, or print them; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="JSON lines of one or more runs")
    parser.add_argument("--print", action="store_true", help="print the tables and leave README.md alone")
    options = parser.parse_args()
    figures = list(read(options.files).values())
    n_missed = sum(not row(found)[1] for found in figures)
    if options.print:
        sys.stdout.write(page(figures))
    else:
        readme = HERE / "README.md"
        before, _, rest = readme.read_text().partition(BEGIN)
        old, _, after = rest.partition(END)
        readme.write_text(f"{before}{BEGIN}\n{page(figures, old)}\n{END}{after}")
    sys.stderr.write(f"{n_missed} bars missed\n")
    return 1 if n_missed else 0


if __name__ == "__main__":
    sys.exit(main())
