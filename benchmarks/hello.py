"""How long does the first program take? `python hello_flow.py`, cold and recorded, against Prefect and DBOS."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import children
import prefect_server
from environments import HERE, PEERS, clean_environ, interpreter
from homes import temporary_home
from lines import Bar, Sheet, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Case:
    """One program as its users run it."""

    name: str
    system: str
    environ: dict[str, str]
    directory: str
    costs: list[children.Cost]
    bar: Bar | None = None

    def run(self) -> children.Cost:
        """Run it once."""
        subject = str(HERE / "subjects" / f"hello_{self.system}.py")
        return children.run([interpreter(self.system), subject], self.environ, directory=self.directory)


@contextlib.contextmanager
def cases(peers: list[str]) -> Iterator[list[Case]]:
    """Give all cases, with homes of their own; Prefect's server runs meanwhile."""
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        found = [Case("recorded in an existing home", "ostinato", home.environ(), str(home.folder), [])]
        if "prefect" in peers:
            folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            environ = prefect_server.ephemeral_environ(folder)
            found.append(Case("ephemeral, warm home", "prefect", environ, folder, [], at_least(20)))
            folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            server = stack.enter_context(prefect_server.running(folder))
            found.append(Case("running server", "prefect", server.environ(), folder, [], at_least(6)))
        if "dbos" in peers:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            found.append(Case("SQLite", "dbos", clean_environ(), folder, []))
        yield found


def main() -> int:
    """Run all cases in turns; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    options = parser.parse_args()
    sheet = Sheet("hello")
    with cases(options.peers) as found:
        for case in found:
            case.run()  # makes the home and the bytecode
        for _ in range(options.rounds):
            for case in found:
                case.costs.append(case.run())
    ours = children.median_costs(found[0].costs)
    for case in found:
        theirs = children.median_costs(case.costs)
        for i, (unit, scale) in enumerate((("ms wall", 1e3), ("ms CPU", 1e3))):
            sheet.add(case.name, theirs[i] * scale, unit, system=case.system, n=options.rounds)
            if case.system != "ostinato":
                sheet.ratio(f"{case.name}, {unit[3:]}", ours[i], theirs[i], against=case.system, bar=case.bar)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
