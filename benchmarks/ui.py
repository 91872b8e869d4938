"""How fast is the web interface, and how long does it take until what happens in user code is on the screen?

First paint and first rows with a million runs, requests and bytes of each page, large tables, graphs and logs.
Chromium looks at each page with nothing in its cache; a figure is the median of a few looks. Prefect's and MLflow's
interfaces are looked at in the same way, with a thousand runs each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import browsers
import fleets
import large_home
import large_runs
import ui_peers
from browsers import KIB, Visitor, looks, tell
from homes import Home, temporary_home
from lines import Sheet, at_least, at_most

from ostinato.server.assets import FOLDER, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleets import Fleet
    from playwright.sync_api import Browser, Page

ROWS: Final = "document.querySelector('main table[aria-label] tbody tr')"
HEAD: Final = "document.querySelector('main h1')"
NODES: Final = "document.querySelector('[aria-label=\"Graph of the run\"] [data-node]')"
BARS: Final = "document.querySelector('[aria-label=\"Task runs by time\"]')"
LINES: Final = "document.querySelector('[role=log]').innerText.includes('loss')"
PANEL: Final = "document.querySelector('[role=tabpanel]')"
TABS: Final = ("tasks", "graph", "radar", "logs", "history", "details", "code")
ENTRY: Final = "performance.getEntriesByName('ostinato:%s').at(-1)?.duration"
SCROLLER: Final = "(document.querySelector('[data-scroller]') ?? document.scrollingElement)"
SCROLL: Final = f"{SCROLLER}.scrollTop += 200"
CLICKED: Final = """new Promise((done) => {
  const begin = performance.now();
  [...document.querySelectorAll('[role=tab]')].find((tab) => tab.innerText.startsWith('Logs')).click();
  const look = () => {
    let found = false;
    try { found = %s; } catch { found = false; }
    if (found) setTimeout(() => done(performance.now() - begin));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
SAID: Final = re.compile(r"said (\d+) at (\d+)")
WATCH: Final = r"""
  window.benchSeen = [];
  window.benchBegan = Date.now();
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => {
    const at = Date.now();
    for (const key of %s) if (!window.benchSeen.some(([one]) => one === key)) window.benchSeen.push([key, at]);
  }))).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
"""
"""Notes after each painted frame that follows a change what is on the screen, each with its first instant."""
LINES_SEEN: Final = (
    r"[...document.querySelector('[role=log]').innerText.matchAll(/said (\d+) at/g)].map((one) => +one[1])"
)
TASKS_SEEN: Final = (
    r'[...document.querySelectorAll(`[aria-label="Tasks by name"] [role=img]`)].slice(0, 1)'
    r".map((one) => (/(\d+) Completed/.exec(one.ariaLabel)?.[1] ?? 0) - 1)"
)
RUNS_SEEN: Final = (
    r"[...document.querySelectorAll('main tbody tr')].filter((row) => row.innerText.includes('Completed'))"
    r".map((row) => row.querySelector('a').pathname.split('/').pop())"
)


class Ours:
    """Our server on a home, and somebody who is let in."""

    def __init__(self, browser: Browser, fleet: Fleet) -> None:
        self.fleet = fleet
        there = fleets.card(fleet.home)
        self.line = fleets.Line(there)
        link = json.loads(self.line.call("POST", "/api/login-links")[1])["path"]
        self.visitor = Visitor(browser, there["url"], link)

    def get(self, path: str) -> Any:
        """Give an answer of the API."""
        return json.loads(self.line.call("GET", path)[1])

    def wait(self, run_id: str) -> None:
        """Wait until a run is Completed."""
        fleets.wait(lambda: self.get(f"/api/runs/{run_id}")["state"] == "Completed", "the run ends", every_s=0.05)

    def said(self, run_id: str) -> dict[Any, int]:
        """Give the instants, in milliseconds, that a run has told by number."""
        lines = self.get(f"/api/runs/{run_id}/logs?limit=1000")["items"]
        found = (SAID.search(line["text"]) for line in lines)
        return {int(one[1]): int(one[2]) for one in found if one}


@contextlib.contextmanager
def ours(browser: Browser, home: Home, *, settle_s: float = 1.0) -> Iterator[Ours]:
    """Give a server on a home."""
    with fleets.fleet_on(home) as fleet:
        fleet.server()
        time.sleep(settle_s)
        one = Ours(browser, fleet)
        try:
            yield one
        finally:
            one.line.close()


def pages(sheet: Sheet, one: Ours, n: int, run_id: str) -> None:
    """Measure Home and Runs, then requests and bytes of all other pages."""
    tell(sheet, "Home", looks(one.visitor, "/", ROWS, n), paint=400, there=700, asked=3, packed=40)
    tell(sheet, "Runs", looks(one.visitor, "/runs", ROWS, n), paint=400, there=700, asked=3, packed=70)
    for place in sorted(PLACES - {"runs"}):
        found = one.visitor.look(f"/{place}", HEAD)
        sheet.add(place, len(found.asked), "requests for data", bar=at_most(3), asked=found.asked)
        sheet.add(place, found.packed_bytes / KIB, "KiB of JavaScript, brotli", bar=at_most(70))
    scripts: dict[str, bytes] = {}
    for tab in TABS:
        found = one.visitor.look(f"/runs/{run_id}?tab={tab}", HEAD)
        scripts |= found.scripts
        sheet.add(f"a run, {tab}", len(found.asked), "requests for data", bar=at_most(3), asked=found.asked)
    sheet.add("a run, all parts", browsers.packed(scripts) / KIB, "KiB of JavaScript, brotli", bar=at_most(70))
    files = [path.read_bytes() for path in Path(FOLDER).rglob("*") if path.is_file()]
    share = sum(len(zlib.compress(data, 9)) for data in files) / KIB
    sheet.add("files of the interface", share, "KiB of the wheel", bar=at_most(1024), n_files=len(files))


def table(sheet: Sheet, one: Ours, n_rows: int, seconds: float) -> None:
    """Measure frames and memory of the list of runs when many of them were scrolled through."""
    with one.visitor.page("/runs", ROWS) as page:
        end = time.monotonic() + 300
        while (n_loaded := loaded(page)) < n_rows and time.monotonic() < end:
            page.evaluate(f"{SCROLLER}.scrollTop = {SCROLLER}.scrollHeight")
            page.wait_for_timeout(20)
        sheet.add("table of runs", n_loaded, "rows loaded", bar=at_least(n_rows))
        page.evaluate(f"{SCROLLER}.scrollTop = 0")
        page.wait_for_timeout(500)
        took = browsers.frames(page, SCROLL, seconds)
        nodes = page.evaluate("document.querySelectorAll('main *').length")
        heap = browsers.heap_mb(page)
    sheet.add("table of runs", fleets.share(took, 0.95), "ms a frame, 95 %", n=len(took), bar=at_most(33))
    sheet.add("table of runs", heap, "MB of heap", n=n_loaded, bar=at_most(15))
    sheet.add("table of runs", nodes, "elements of the list", n=n_loaded, bar=at_most(600))


def loaded(page: Page) -> int:
    """Give how many rows the list has, those that are not on the screen too."""
    found: int = page.evaluate(
        "Number(document.querySelector('main table[aria-rowcount]')?.ariaRowCount"
        " ?? document.querySelectorAll('main tbody tr').length)"
    )
    return found


def entry(page: Page, name: str) -> float:
    """Give the milliseconds that the page says something took."""
    page.evaluate(
        "new Promise((done) => { const look = () => (%s === undefined ? setTimeout(look, 20) : done()); look(); })"
        % (ENTRY % name)
    )
    found: float = page.evaluate(ENTRY % name)
    return found


def graphs(sheet: Sheet, one: Ours, runs: dict[str, str], options: argparse.Namespace) -> None:
    """Measure graph and timeline of many tasks, and the graph of very many mapped ones."""
    layouts: list[float] = []
    shown: list[float] = []
    paints: list[float] = []
    together: list[float] = []
    for _ in range(options.rounds):
        with one.visitor.context() as context:
            page = context.new_page()
            shown.append(one.visitor.open(page, f"/runs/{runs['tasks']}?tab=graph", NODES))
            layouts.append(entry(page, "layout"))
        with one.visitor.page(f"/runs/{runs['tasks']}?tab=tasks", BARS) as page:
            paints.append(entry(page, "timeline-paint"))
        with one.visitor.context() as context:
            page = context.new_page()
            together.append(one.visitor.open(page, f"/runs/{runs['mapped']}?tab=graph", NODES))
    sheet.add("graph", statistics.median(layouts), "ms to lay out", n=options.tasks, bar=at_most(50))
    whole = "ms until it is there, page and all"
    sheet.add("graph", statistics.median(shown), whole, n=options.tasks, bar=at_most(800))
    sheet.add("timeline", statistics.median(paints), "ms to paint", n=options.tasks, bar=at_most(5))
    sheet.add("graph of mapped tasks", statistics.median(together), whole, n=options.mapped, bar=at_most(1000))


def logs(sheet: Sheet, one: Ours, run_id: str, options: argparse.Namespace) -> None:
    """Measure the first screen of a long log, and the search over all of it."""
    cold: list[float] = []
    first: list[float] = []
    search: list[float] = []
    for _ in range(options.rounds):
        with one.visitor.context() as context:
            cold.append(one.visitor.open(context.new_page(), f"/runs/{run_id}?tab=logs", LINES))
        with one.visitor.page(f"/runs/{run_id}?tab=history", HEAD) as page:
            page.wait_for_selector("[role=tab]")
            page.wait_for_timeout(200)
            first.append(page.evaluate(CLICKED % LINES))
            page.keyboard.press("/")
            page.keyboard.type(large_runs.NEEDLE)
            page.keyboard.press("Enter")
            search.append(entry(page, "log-search"))
    sheet.add("log", statistics.median(first), "ms from the tab to its first screen", n=options.lines, bar=at_most(300))
    sheet.add("log", statistics.median(cold), "ms until it is there, page and all", n=options.lines)
    sheet.add("log", statistics.median(search), "ms to search all lines", n=options.lines, bar=at_most(100))


def live(sheet: Sheet, browser: Browser, n: int) -> None:
    """Measure how long it takes until what happened in user code is on the screen."""
    with temporary_home() as home, ours(browser, home) as one:
        one.fleet.worker()
        file = fleets.subject("said_ostinato.py")
        once, talk = one.fleet.deploy(file, "once"), one.fleet.deploy(file, "talk")
        one.wait(one.fleet.run(once, number=0))
        with one.visitor.context() as context:  # two tabs of one browser, as people have them
            run_id = one.fleet.run(talk, n=n)
            tabs = [(context.new_page(), "tasks", TASKS_SEEN), (context.new_page(), "logs", LINES_SEEN)]
            for page, tab, seen in tabs:
                one.visitor.open(page, f"/runs/{run_id}?tab={tab}", PANEL)
                page.evaluate(WATCH % seen)
            one.wait(run_id)
            tabs[0][0].wait_for_timeout(1_000)
            happened = one.said(run_id)
            begun = max(page.evaluate("window.benchBegan") for page, _, _ in tabs)
            happened = {number: at for number, at in happened.items() if at > begun}
            for (page, _, _), name in zip(tabs, ("a task has ended", "a log line"), strict=True):
                tell_lags(sheet, name, happened, page.evaluate("window.benchSeen"))
        with one.visitor.page("/runs", ROWS) as page:
            page.evaluate(WATCH % RUNS_SEEN)
            ended: dict[Any, int] = {}
            for number in range(max(4, n // 4)):
                made = one.fleet.run(once, number=0)
                one.wait(made)
                page.wait_for_timeout(700 + 37 * number % 400)
                ended[made] = one.said(made)[0]
            tell_lags(sheet, "a run has ended, in the list", ended, page.evaluate("window.benchSeen"))


def tell_lags(sheet: Sheet, name: str, happened: dict[Any, int], seen: list[tuple[Any, int]]) -> None:
    """Print the time from what happened to its first sight: numbers grow, so a later one shows an earlier one too."""
    exact = dict(seen)
    took = [
        exact.get(key, min((at for number, at in seen if type(number) is int and number > key), default=0)) - at
        for key, at in happened.items()
    ]
    missing = sum(one < 0 for one in took)
    took = [one for one in took if one >= 0]
    sheet.add(
        name, fleets.share(took, 0.95), "ms from user code to the screen, 95 %", n=len(took), bar=at_most(300),
        median=statistics.median(took), longest=max(took),
    )  # fmt: skip
    sheet.add(name, missing, "never seen", n=len(happened), bar=at_most(0))


def main() -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=None, help="folder of the large home; made when it is not there")
    parser.add_argument("--runs", type=int, default=large_home.N_RUNS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--scroll-s", type=float, default=5)
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--mapped", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--settle-s", type=float, default=3)
    parser.add_argument("--peers", nargs="*", default=list(ui_peers.PEERS), choices=list(ui_peers.PEERS))
    parser.add_argument("--peer-runs", type=int, default=1_000)
    options = parser.parse_args()
    sheet = Sheet("ui")
    with browsers.running() as browser:
        with temporary_home() as new:
            home = new if options.home is None else Home(options.home.resolve())
            made = large_home.ready(home.path, options.runs)
            with ours(browser, home, settle_s=options.settle_s) as one:
                pages(sheet, one, options.rounds, made["examples"]["large run"])
                table(sheet, one, options.rows, options.scroll_s)
        with temporary_home() as home:
            runs = large_runs.make(home.path, options.tasks, options.mapped, options.lines)
            with ours(browser, home) as one:
                graphs(sheet, one, runs, options)
                logs(sheet, one, runs["lines"], options)
        live(sheet, browser, options.events)
        for name in options.peers:
            ui_peers.PEERS[name](sheet, browser, options.rounds, options.peer_runs)
    return sheet.exit_code


if __name__ == "__main__":
    sys.exit(main())
