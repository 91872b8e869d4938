"""How much memory do many tasks take, and how much disk? The peak during a flow run over what was there before it."""

from __future__ import annotations

import argparse
import sys

from lines import Sheet, at_most
from tasks import ostinato_cost

BARS = {"direct": at_most(100), "map": at_most(250), "submit": None, "async_gather": None}


def main() -> int:
    """Measure each way of calling in a process of its own; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--ways", nargs="+", default=list(BARS), choices=list(BARS))
    options = parser.parse_args()
    sheet = Sheet("memory")
    for way in options.ways:
        cost = ostinato_cost(way, options.size, 1)
        sheet.add(way, cost["rss_growth_mb"], "MB more resident memory", n=options.size, bar=BARS[way])
        sheet.add(way, cost["home_bytes"], "bytes in the home a task", n=options.size)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
