"""Home and Runs in a real browser: long lists, the panel, queries, runs by time, the palette, small screens."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.e2e.browser import Visitor, deployed
from tests.e2e.filled import ERROR, Filled
from tests.e2e.looks import look

from ostinato.core.deployments import Timetable
from ostinato.core.events import RunCreated, RunMoved, Source
from ostinato.core.ids import new_id
from ostinato.core.schedules import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page
    from tests.integration.served import Served

    from ostinato.core.states import StateName

SECOND = 1_000_000
MANY = 2_300
WAITS = """
    import time
    from pathlib import Path
    from ostinato import flow, task

    HERE = Path(__file__).parent

    @task
    def part(n: int) -> int:
        while n == 2 and not (HERE / "go").exists():
            time.sleep(0.05)
        return n

    @flow
    def at_work() -> list[int]:
        return [part(n) for n in range(3)]
"""


@pytest.fixture
def filled(server: Served) -> Iterator[Filled]:
    """Give a recorder of made-up runs, through the server."""
    assert server.card
    found = Filled()
    yield found
    found.close()


def made(filled: Filled, names: list[str], *, flows: int = 1, state: StateName = "Completed") -> str:
    """Record runs of now, a second apart, in some flows; give the id of the last one."""
    now = time.time_ns() // 1000
    source = Source("/code/train.py", "train", "/code", "/usr/bin/python")
    for number, name in enumerate(names):
        run_id, at = new_id(), now - (len(names) - number + 5) * SECOND
        flow = f"flow-{number % flows}"
        filled.record(
            RunCreated(
                run_id, 1, at, flow, name, "Pending", run_id, "", b"", 0, (), b'{"n": 3}', None, ("gpu",), "v1",
                source, at,
            )
        )  # fmt: skip
        filled.record(RunMoved(run_id, 1, at, "Running", "Pending"))
        if state != "Running":
            error = ERROR if state == "Failed" else None
            filled.record(RunMoved(run_id, 1, at + 3 * SECOND, state, "Running", error=error))
    filled.settle()
    return run_id


def fits(page: Page) -> bool:
    """Tell whether nothing is wider than the screen."""
    found: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return found


def test_of_many_runs_only_those_in_view_are_in_the_page_and_all_can_be_reached(
    visitor: Visitor, filled: Filled
) -> None:
    oldest = made(filled, ["at-work"], state="Running")
    made(filled, [f"run-{number}" for number in range(MANY)], flows=3)
    visitor.sign_in()
    page = visitor.page
    visitor.go("/runs")
    table = page.get_by_role("table", name="Runs")
    expect(page.get_by_role("link", name=f"run-{MANY - 1}", exact=True)).to_be_visible()
    scroller = page.locator("[data-scroller]")
    for _ in range(60):
        scroller.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        page.wait_for_timeout(60)
        if table.get_attribute("aria-rowcount") == str(MANY + 2):
            break
    scroller.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.get_by_role("link", name="run-0", exact=True)).to_be_visible()
    last = page.locator("tr[tabindex]").filter(has_text="at-work")
    expect(last).to_contain_text("Running")
    filled.record(RunMoved(oldest, 1, time.time_ns() // 1000, "Completed", "Running"))
    expect(last).to_contain_text("Completed")
    heights = table.evaluate("table => [...table.querySelectorAll('tr[tabindex]')].map((row) => row.offsetHeight)")
    assert set(heights) == {32}
    assert page.evaluate("document.querySelectorAll('body *').length") <= 600
    made(filled, ["the-newest"])
    visitor.press(page.get_by_role("button", name="Newer runs"))
    expect(page.get_by_role("link", name="the-newest")).to_be_visible()
    visitor.go("/runs?q=flow%3Aflow-1")
    expect(page.get_by_label("States").get_by_role("link", name="Completed 767")).to_be_visible()
    expect(page.get_by_role("link", name="Grid of flow-1")).to_be_visible()
    visitor.go("/runs?view=timeline&hours=1")
    expect(page.locator(".jobs canvas")).to_be_visible()
    visitor.reach(page.get_by_role("application", name="Runs by time"))
    page.keyboard.press("End")
    expect(page.locator(".picked")).to_contain_text("flow-2")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".picked")).to_contain_text("flow-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("flow-1")


def test_the_panel_tells_why_a_run_failed_and_retries_it_by_keys(visitor: Visitor, server: Served) -> None:
    deployment = deployed(server)
    first = server.fleet.run(deployment, name="the first")
    second = server.fleet.run(deployment, name="the second", parameters={"n": 4})
    for run in (first, second):
        server.fleet.wait(run, "Failed")
    visitor.sign_in()
    page, keys = visitor.page, visitor.page.keyboard
    alike = page.get_by_label("Needs attention").get_by_role("link", name="2 alike")
    expect(alike).to_be_visible()
    visitor.press(alike)
    expect(page.get_by_role("combobox", name="Query")).to_have_value(re.compile("deployment:.* state:failed since:24h"))
    expect(page.get_by_role("link", name="the second")).to_be_visible()
    keys.press("j")
    expect(page.locator("tr:focus")).to_contain_text("the second")
    keys.press("Enter")
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("the column 'distance' has no value")
    expect(panel.get_by_label("The line that failed")).to_contain_text("raise ValueError(")
    expect(panel.get_by_label("Last log lines")).to_contain_text("load 4 rows")
    expect(panel).to_contain_text('"n": 4')
    expect(page).to_have_url(re.compile(rf"run={second.id}"))
    keys.press("J")
    expect(panel.get_by_role("heading", name="the first")).to_be_visible()
    (server.fleet.folder / "mended").touch()
    keys.press("r")
    expect(panel.locator(".title .state")).to_have_text(re.compile("Completed"))
    expect(page.get_by_role("link", name="the first").first).to_be_visible()
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next run in the panel")
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.press("Escape")
    expect(panel).to_have_count(0)
    expect(page).not_to_have_url(re.compile("run="))


def test_selected_runs_and_all_that_match_are_deleted_when_one_is_sure(visitor: Visitor, filled: Filled) -> None:
    made(filled, ["stays", "goes-1", "goes-2", "matches"], state="Failed")
    visitor.sign_in()
    page, keys = visitor.page, visitor.page.keyboard
    visitor.go("/runs")
    visitor.check(page.get_by_label("Select goes-1"))
    visitor.reach(page.get_by_label("Select goes-2"))
    keys.press("x")
    expect(page.get_by_label("Select goes-2")).to_be_checked()
    visitor.press(page.get_by_role("button", name="Delete", exact=True))
    dialog = page.get_by_role("dialog", name="Delete 2 selected runs?")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    visitor.press(page.get_by_role("button", name="Delete", exact=True))
    visitor.press(dialog.get_by_role("button", name="Delete"))
    expect(page.get_by_role("link", name="goes-1")).to_have_count(0)
    expect(page.locator(".bulk")).to_contain_text("2 done.")
    visitor.go("/runs?q=name%3Amatches")
    visitor.press(page.get_by_role("button", name="Delete", exact=True))
    visitor.press(page.get_by_role("dialog").get_by_role("button", name="Delete"))
    expect(page.get_by_role("heading", name="No run matches")).to_be_visible()
    visitor.go("/runs")
    expect(page.locator("tr[tabindex]")).to_have_count(1)
    expect(page.get_by_role("link", name="stays")).to_be_visible()


def test_a_query_is_completed_told_where_it_is_wrong_and_kept_under_a_name(visitor: Visitor, filled: Filled) -> None:
    made(filled, ["quick-otter"], state="Failed")
    visitor.sign_in()
    page, keys = visitor.page, visitor.page.keyboard
    visitor.go("/runs")
    expect(page.get_by_role("link", name="quick-otter")).to_be_visible()
    query = page.get_by_role("combobox", name="Query")
    options = page.get_by_role("listbox", name="What can follow").get_by_role("option")
    keys.press("/")
    keys.type("-st")
    expect(options).to_have_count(2)
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(query).to_have_value("-state:")
    visitor.fill(query, "")
    keys.type("state:fai")
    keys.press("ArrowDown")
    keys.press("Tab")
    expect(query).to_have_value("state:failed")
    keys.type(" flow:fl")
    expect(options).to_have_text(["flow-0"])
    keys.press("ArrowDown")
    keys.press("Enter")
    keys.press("Enter")
    expect(page).to_have_url(re.compile("q=state%3Afailed\\+flow%3Aflow-0"))
    visitor.press(page.get_by_role("button", name="Save this view"))
    keys.type("what failed")
    keys.press("Enter")
    expect(page.get_by_label("Saved views").get_by_role("link", name="what failed")).to_be_visible()
    visitor.fill(query, "state:failed tag:gpu colour:red")
    keys.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("column 22")
    expect(page.locator(".fault")).to_have_text(re.compile(r"colour:red\n {21}\^"))
    keys.press("Control+k")
    keys.type("what failed")
    expect(page.get_by_role("option", name="Saved view: what failed")).to_be_visible()
    keys.press("Enter")
    expect(page).to_have_url(re.compile("q=state%3Afailed\\+flow%3Aflow-0$"))
    keys.press("Control+k")
    keys.type("OTTER")
    expect(page.get_by_role("option", name="quick-otter")).to_be_visible()
    keys.press("Enter")
    expect(page.get_by_role("heading", name="quick-otter")).to_be_visible()
    visitor.go("/runs")
    visitor.press(page.get_by_role("button", name="Forget the view what failed"))
    expect(page.get_by_label("Saved views")).to_have_count(0)


def test_home_shows_what_runs_and_comes_with_a_clock_of_the_browser_that_is_wrong(
    browser: Browser, server: Served
) -> None:
    fleet = server.fleet
    file = fleet.write(WAITS, "waits.py")
    fleet.worker()
    run = fleet.run(fleet.deploy(file, "at_work", schedules=(Timetable(slug="main", schedule=Interval(3600)),)))
    fleet.wait(run, "Running")
    visitor = Visitor(browser, server, reduced_motion="reduce")
    visitor.page.add_init_script("{ const now = Date.now; Date.now = () => now() + 5 * 3600_000; }")
    visitor.sign_in()
    page = visitor.page
    running = page.get_by_role("table", name="Running now").get_by_role("row").filter(has_text=run.name)
    expect(running.get_by_role("progressbar")).to_have_attribute("aria-label", re.compile("2 of 3 done"))
    expect(running).to_contain_text(re.compile(r"now|[0-9]+s ago"))
    expect(page.get_by_role("table", name="Next").get_by_role("row").nth(1)).to_contain_text(
        re.compile(r"in [0-9]+[ms]")
    )
    assert running.locator(".state i").evaluate("glyph => getComputedStyle(glyph).animationName") == "none"
    visitor.go(f"/runs/{run.id}")
    expect(page.locator(".facts")).not_to_contain_text("5h ago")
    (fleet.folder / "go").touch()
    expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
    for path in ("/", "/runs", f"/runs?run={run.id}", "/runs?view=timeline"):
        page.set_viewport_size({"width": 320, "height": 640})
        visitor.go(path)
        expect(page.get_by_text("at-work").first).to_be_attached()
        assert fits(page), path
    assert visitor.complaints == []
    visitor.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_runs_in_all_their_forms_are_accessible(browser: Browser, server: Served, filled: Filled, theme: str) -> None:
    made(filled, ["<b>bold</b>", "خط", "n" * 200], state="Failed", flows=3)
    visitor = Visitor(browser, server, color_scheme=theme, bypass_csp=True)
    visitor.sign_in()
    page = visitor.page
    for path in ("/", "/runs?q=state%3Afailed", "/runs?view=timeline", "/runs?q=odd%3Ax"):
        visitor.go(path)
        if path.startswith("/runs?q=state"):
            page.get_by_role("link", name="خط").first.wait_for()
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            page.get_by_role("complementary").get_by_role("heading").first.wait_for()
            visitor.fill(page.get_by_role("combobox", name="Query"), "s")
        look(page, twice=theme == "light")
    assert visitor.complaints == []
    visitor.context.close()
