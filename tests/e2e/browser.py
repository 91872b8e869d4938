"""Chromium for tests: installed from the distribution when it is missing, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.e2e.hands import PATIENCE_MS, Keys
from tests.e2e.looks import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.hands import Hand
    from tests.integration.served import Served

    from ostinato.core.deployments import Deployment

FLOWS = """
    import time
    from pathlib import Path
    from ostinato import flow, task, get_run_logger, log_metric, log_param, start_run

    HERE = Path(__file__).parent

    @task
    def load(n: int) -> list[int]:
        get_run_logger().info("load %s rows", n)
        return list(range(n))

    @task
    def score(row: int) -> int:
        return row * 2

    @task
    def fit(rows: list[int]) -> int:
        if not (HERE / "mended").exists():
            raise ValueError("<img src=x onerror=document.title='evil'> the column 'distance' has no value")
        return sum(rows)

    @flow
    def train(n: int = 5) -> int:
        return fit(score.map(load.submit(n)))

    @task
    def trial(depth: int) -> None:
        with start_run(name=f"depth-{depth}", experiment="rides"):
            log_param("depth", depth)
            for step in range(20):
                log_metric("rmse", 6 + depth / 10 + 1 / (step + 1), step=step)

    @flow
    def search() -> None:
        for depth in (3, 4):
            trial(depth)

    @flow
    def slow() -> None:
        for number in range(400):
            get_run_logger().info("step %s", number)
            time.sleep(0.1)
"""
"""Flows for pages to show: one that fails until it is mended, one that tracks, one that takes long."""

NAMES = ("chromium", "chromium-browser", "google-chrome")

expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """Give the path of the program."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "--quiet", *words], env=quiet, check=True, capture_output=True)
        found = shutil.which(NAMES[0])
    assert found is not None, "the tests of the web interface need Chromium: install the package `chromium`"
    return found


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Give a browser without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One person at a browser, with a hand, and with all that the pages complained of."""

    def __init__(self, browser: Browser, server: Served, hand: type[Hand] = Keys, **options: Any) -> None:
        self.server = server
        self.context = browser.new_context(viewport=WHOLE, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        own = hand(self.page)
        self.reach, self.press, self.fill, self.choose, self.check = (
            own.reach,
            own.press,
            own.fill,
            own.choose,
            own.check,
        )
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def sign_in(self) -> None:
        """Come by the link that works once."""
        link = self.server.http.post("/api/login-links").json()["path"]
        self.page.goto(f"{self.server.card.url}{link}")
        self.page.wait_for_selector("h1")

    def go(self, path: str) -> None:
        """Open a page by its address."""
        self.page.goto(f"{self.server.card.url}{path}")
        self.page.wait_for_selector("h1")

    def text(self) -> str:
        """Give all that can be read."""
        return self.page.inner_text("body")


def deployed(server: Served, function: str = "train", **fields: Any) -> Deployment:
    """Give a deployment that a worker runs."""
    fleet = server.fleet
    fleet.worker()
    return fleet.deploy(fleet.write(FLOWS), function, **fields)
