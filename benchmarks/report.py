"""Fill the table of README.md from JSON lines: for each figure the median of all runs, judged by its bar."""

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


def table(figures: dict[tuple[Any, ...], list[dict[str, Any]]]) -> tuple[str, int]:
    """Give the Markdown table, and the number of bars that are missed."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    n_missed = 0
    for found in figures.values():
        cells, met = row(found)
        n_missed += not met
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n", n_missed


def main() -> int:
    """Write the table into README.md, or print it; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="JSON lines of one or more runs")
    parser.add_argument("--print", action="store_true", help="print the table and leave README.md alone")
    options = parser.parse_args()
    text, n_missed = table(read(options.files))
    if options.print:
        sys.stdout.write(text)
    else:
        readme = HERE / "README.md"
        before, _, rest = readme.read_text().partition(BEGIN)
        readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    sys.stderr.write(f"{n_missed} bars missed\n")
    return 1 if n_missed else 0


if __name__ == "__main__":
    sys.exit(main())
