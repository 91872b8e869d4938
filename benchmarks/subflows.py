"""What does a subflow cost? No-op subflows one after the other, against Prefect and DBOS in the same run."""

from __future__ import annotations

import argparse
import sys
import tempfile

import children
import prefect_server
from environments import HERE, clean_environ, interpreter
from lines import Sheet, at_most
from tasks import ostinato_cost


def prefect_ms(n: int) -> tuple[float, float]:
    """Give wall and CPU milliseconds (client and server) of a subflow in Prefect."""
    subject = str(HERE / "subjects/tasks_prefect.py")
    with tempfile.TemporaryDirectory() as home, prefect_server.running(home) as server:

        def client(n: int) -> children.Cost:
            return children.run([interpreter("prefect"), subject, "subflows", str(n)], server.environ(), directory=home)

        client(0)
        empty, before_s = client(0), server.cpu_s()
        full = client(n)
        cpu_s = full.cpu_s - empty.cpu_s + server.cpu_s() - before_s
        return full.data()["wall_s"] / n * 1e3, cpu_s / n * 1e3


def dbos_ms(n: int) -> tuple[float, float]:
    """Give wall and CPU milliseconds of a child workflow in DBOS on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        command = [interpreter("dbos"), str(HERE / "subjects/tasks_dbos.py"), "subflows", str(n)]
        cost = children.run(command, clean_environ(), directory=folder).data()
    return cost["wall_s"] / n * 1e3, cost["cpu_s"] / n * 1e3


def main() -> int:
    """Measure what the arguments ask for; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000)
    parser.add_argument("--peers", nargs="*", default=["prefect", "dbos"], choices=["prefect", "dbos"])
    parser.add_argument("--prefect-size", type=int, default=20)
    parser.add_argument("--dbos-size", type=int, default=200)
    options = parser.parse_args()
    sheet = Sheet("subflows")
    n = options.size
    cost = ostinato_cost("subflows", n, 3)
    ours = cost["cpu_s"] / n * 1e3
    sheet.add("subflow", ours, "ms CPU a subflow", n=n, bar=at_most(1))
    sheet.add("subflow", cost["wall_s"] / n * 1e3, "ms wall a subflow", n=n, bar=at_most(1))
    peers = {"prefect": (prefect_ms, options.prefect_size), "dbos": (dbos_ms, options.dbos_size)}
    for system in options.peers:
        measured, size = peers[system]
        wall_ms, cpu_ms = measured(size)
        sheet.add("subflow", cpu_ms, "ms CPU a subflow", system=system, n=size)
        sheet.add("subflow", wall_ms, "ms wall a subflow", system=system, n=size)
        sheet.ratio("subflow", ours, cpu_ms, against=f"{system} (CPU)")
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
