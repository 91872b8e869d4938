"""The screenshot tour of the documentation: the demo and a nightly report on real rides, page by page, in both themes.

python -m tests.e2e.tour docs/tour
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from tests.e2e.browser import Visitor, launched
from tests.integration.fleet import OSTINATO
from tests.integration.served import Served, served

from ostinato import demo
from ostinato.core.query import RUN_FIELDS, parse

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun

THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")

REPORT: Final = '''
    """A report on the taxi rides of a month, hour by hour."""

    from pathlib import Path

    import pandas as pd
    from ostinato import flow, get_run_logger, task, unmapped

    COLUMNS = ["lpep_pickup_datetime", "trip_distance"]


    @task
    def load(file: str) -> pd.DataFrame:
        rides = pd.read_parquet(file, columns=COLUMNS)
        get_run_logger().info("%s rides in %s", f"{len(rides):,}", Path(file).name)
        return rides


    @task
    def by_hour(rides: pd.DataFrame, hour: int) -> dict[str, float]:
        some = rides[rides.lpep_pickup_datetime.dt.hour == hour]
        return {"hour": hour, "rides": len(some), "miles": some.trip_distance.median()}


    @task
    def publish(rows: list[dict[str, float]], folder: str, month: str) -> int:
        target = Path(folder) / f"rides-{month}.csv"
        get_run_logger().info("write %s", target)
        pd.DataFrame(rows).to_csv(target, index=False)
        return len(rows)


    @flow
    def ride_report(file: str, month: str = "2021-02", folder: str = "reports") -> int:
        """Count the rides of a month by hour, and publish them as a table."""
        rides = load.submit(file)
        return publish(by_hour.map(unmapped(rides), list(range(24))), folder, month)
'''


@dataclass(frozen=True)
class Stop:
    """One picture."""

    name: str
    path: str
    ready: str
    """What is on the page when all of it is there: a selector."""


class Tour:
    """The demo, a nightly report that fails, and a run that nobody takes."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.fleet = server.fleet
        self.runs: dict[str, FlowRun] = {}

    def call(self, *words: str, code: int = 0) -> None:
        """Call the command line as a user does, in the folder of the flows."""
        environ = {**os.environ, "OSTINATO_HOME": str(self.fleet.home)}
        ended = subprocess.run([*OSTINATO, *words], cwd=self.fleet.folder, env=environ, check=False)
        assert ended.returncode == code, words

    def prepare(self) -> None:
        """Fill the home."""
        january, february = map(str, demo.months())
        self.call("demo", "--quiet")
        self.fleet.write(REPORT, "reports.py")
        (self.fleet.folder / "reports").mkdir()
        self.fleet.worker("--name", "blue", "--queue", "default")
        said = ("--description", "Rides by hour, for the morning meeting.", "--tag", "reports")
        schedule = ("--cron", "0 6 * * *", "--timezone", "Europe/London")
        flow = ("deploy", "reports.py:ride_report")
        self.call(*flow, "--name", "nightly", *schedule, *said, "--param", f"file={february}")
        self.call(*flow, "--name", "on-gpus", "--queue", "gpus", "--param", f"file={january}")
        for month, file in (("2021-01", january), ("2021-02", february)):
            self.call("deploy", "run", "ride-report/nightly", f"month={month}", f"file={file}", "--watch")
        self.call("deploy", "run", "ride-report/nightly", "folder=/srv/reports", "--watch", code=1)
        self.call("deploy", "run", "ride-report/on-gpus")
        for name, terms in (
            ("failed", "state:failed"),
            ("waiting", "queue:gpus"),
            ("trained", "flow:train-ride-duration"),
        ):
            self.runs[name] = self.fleet.reader.runs(parse(terms, RUN_FIELDS), limit=1)[0][0]

    def experiment(self) -> str:
        """Give the name of the experiment of the demo."""
        names = [one.name for one in self.fleet.reader.experiments()]
        return next(name for name in names if name.startswith("ride-duration"))

    def stops(self) -> list[Stop]:
        """Give the pictures, in the order of the tour."""
        failed, trained, waiting = (f"/runs/{self.runs[name].id}" for name in ("failed", "trained", "waiting"))
        return [
            Stop("home", "/", "[aria-label='Needs attention']"),
            Stop("failed", failed, "[aria-label='What went wrong']"),
            Stop("graph", f"{trained}?tab=graph", "[aria-label='Graph of the run']"),
            Stop("timeline", f"{trained}?tab=tasks", "[aria-label='Task runs by time']"),
            Stop("logs", f"{trained}?tab=logs", "[role=log]"),
            Stop("waiting", waiting, ".notice"),
            Stop("runs", "/runs", "[aria-label='Runs']"),
            Stop("flow", "/flows/ride-report", "h1"),
            Stop("deployment", "/deployments/ride-report%2Fnightly", "h1"),
            Stop("experiment", f"/experiments/{quote(self.experiment())}", "h1"),
            Stop("model", "/models/ride-duration", "h1"),
            Stop("workers", "/workers", "h1"),
        ]

    def walk(self, visitor: Visitor, folder: Path, theme: str) -> None:
        """Take all pictures in one theme."""
        visitor.sign_in()
        for stop in self.stops():
            visitor.go(stop.path)
            visitor.page.wait_for_selector(stop.ready)
            visitor.page.wait_for_load_state("networkidle")
            visitor.page.screenshot(path=folder / f"{stop.name}-{theme}.png", animations="disabled")
        assert visitor.complaints == []


def main() -> None:
    """Take the pictures into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ostinato-tour-") as name, launched() as browser:
        work = Path(name) / "rides"
        work.mkdir()
        with served(Path(name) / "home", work) as server:
            tour = Tour(server)
            tour.prepare()
            for theme in THEMES:
                visitor = Visitor(browser, server, color_scheme=theme, timezone_id="UTC")
                tour.walk(visitor, folder, theme)
                visitor.context.close()


if __name__ == "__main__":
    main()
