"""Chromium without a window that looks at pages as a newcomer does: nothing cached, paints timed, requests seen."""

from __future__ import annotations

import contextlib
import shutil
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import brotli
from lines import at_most
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lines import Sheet
    from playwright.sync_api import Browser, BrowserContext, Page, Request, Response

KIB: Final = 1024
PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")
ASKED: Final = frozenset({"fetch", "xhr", "eventsource"})
"""Kinds of requests that ask for data, not for files of the page."""
SETTLE_MS: Final = 1_000
"""Requests count that come so long after the page is there."""
PATIENCE_MS: Final = 60_000
THERE: Final = """window.benchThere = new Promise((done, fail) => {
  setTimeout(() => fail(new Error("it does not come")), %d);
  const look = () => {
    let found = false;
    try { found = Boolean(%s); } catch { found = false; }
    if (found) setTimeout(() => done(performance.now()));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});"""
"""Looks before each frame whether something is there, and notes the instant after that frame is painted."""

FRAMES: Final = """async (ms) => {
  const took = [];
  const frame = () => new Promise(requestAnimationFrame);
  let last = await frame();
  for (const end = last + ms; last < end;) {
    STEP;
    const at = await frame();
    took.push(at - last);
    last = at;
  }
  return took;
}"""


@dataclass(frozen=True)
class Look:
    """What one look at a page took; times are from the start of the navigation on."""

    paint_ms: float
    """Until the first text or picture is on the screen."""
    there_ms: float
    """Until what was waited for is on the screen."""
    asked: tuple[str, ...]
    """Addresses that were asked for data."""
    scripts: dict[str, bytes]
    """JavaScript by address."""

    @property
    def script_bytes(self) -> int:
        """Size of all JavaScript."""
        return sum(map(len, self.scripts.values()))

    @property
    def packed_bytes(self) -> int:
        """Size of all JavaScript, each file compressed by brotli."""
        return packed(self.scripts)


def packed(scripts: dict[str, bytes]) -> int:
    """Give the size of files, each compressed by brotli."""
    return sum(len(brotli.compress(text)) for text in scripts.values())


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """Give a browser."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise RuntimeError("there is no Chromium: on Debian, apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody who comes by a link, if one is needed, and then opens pages, each time as if for the first time."""

    def __init__(self, browser: Browser, origin: str, link: str = "") -> None:
        self.browser, self.origin = browser, origin
        self._state: Any = None
        if link:
            with self.context() as context:
                page = context.new_page()
                page.goto(origin + link)
                page.wait_for_selector("h1")
                self._state = context.storage_state()

    @contextlib.contextmanager
    def context(self) -> Iterator[BrowserContext]:
        """Give a browser that has nothing in its cache, and is let in."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900}, storage_state=self._state)
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield context
        finally:
            context.close()

    @contextlib.contextmanager
    def page(self, path: str, there: str = "true") -> Iterator[Page]:
        """Give a page on which something is there."""
        with self.context() as context:
            page = context.new_page()
            self.open(page, path, there)
            yield page

    def open(self, page: Page, path: str, there: str) -> float:
        """Go to an address; give the milliseconds until something is there, which is told by an expression."""
        page.add_init_script(THERE % (PATIENCE_MS, there))
        page.goto(self.origin + path, wait_until="commit")
        found: float = page.evaluate("window.benchThere")
        return found

    def look(self, path: str, there: str) -> Look:
        """Look at a page once."""
        requests: list[Request] = []
        answers: list[Response] = []
        with self.context() as context:
            page = context.new_page()
            page.on("request", lambda one: requests.append(one))  # noqa: PLW0108  it marks what it calls
            page.on("response", lambda one: answers.append(one))  # noqa: PLW0108  it marks what it calls
            there_ms = self.open(page, path, there)
            page.wait_for_timeout(SETTLE_MS)
            paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
            scripts = {
                one.url: one.body() for one in answers if "javascript" in one.headers.get("content-type", "") and one.ok
            }
        asked = tuple(one.url for one in requests if one.resource_type in ASKED and one.url.startswith(self.origin))
        return Look(paint_ms, there_ms, asked, scripts)


def frames(page: Page, step: str, seconds: float) -> list[float]:
    """Give the milliseconds of each frame while a statement runs in each."""
    found: list[float] = page.evaluate(FRAMES.replace("STEP", step), seconds * 1000)
    return found


def heap_mb(page: Page) -> float:
    """Give the megabytes of JavaScript's heap that are in use."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def looks(visitor: Visitor, path: str, there: str, n: int) -> list[Look]:
    """Look at a page a few times."""
    return [visitor.look(path, there) for _ in range(n)]


def tell(sheet: Sheet, name: str, found: list[Look], system: str = "ostinato", **most: float) -> float:
    """Print what looks at a page took; give its KiB of JavaScript. `paint`, `there`, `asked` and `packed` have bars."""
    bar = {key: at_most(value) for key, value in most.items()}
    paint = statistics.median(one.paint_ms for one in found)
    there = statistics.median(one.there_ms for one in found)
    asked = max(len(one.asked) for one in found)
    last = found[-1]
    packed_kib = last.packed_bytes / KIB
    sheet.add(name, paint, "ms to the first paint", n=len(found), system=system, bar=bar.get("paint"))
    sheet.add(name, there, "ms to the first rows", n=len(found), system=system, bar=bar.get("there"))
    sheet.add(name, asked, "requests for data", n=len(found), system=system, bar=bar.get("asked"))
    sheet.add(
        name, packed_kib, "KiB of JavaScript, brotli", system=system, bar=bar.get("packed"),
        plain=round(last.script_bytes / KIB), n_files=len(last.scripts),
    )  # fmt: skip
    return packed_kib
