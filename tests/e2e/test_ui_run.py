"""The page of a run in a real browser: its log, timeline, graph, radar and task runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from tests.e2e.browser import Visitor
from tests.e2e.filled import SECOND, START, Filled
from tests.integration.served import Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.e2e.hands import Hand

N_LINES = 6_000
TRACE = """Failed with inputs (row=17)
Traceback (most recent call last):
  File "/code/train.py", line 12, in score
    1 / 0
ZeroDivisionError: division by zero"""
FLOWS = """
    from pathlib import Path
    from ostinato import flow, task, get_run_logger, log_metric, start_run

    HERE = Path(__file__).parent

    @task
    def load() -> list[int]:
        return list(range(230))

    @task
    def score(row: int) -> int:
        return row

    @task(retries=1, retry_delay_seconds=0.3)
    def shaky(n: int) -> int:
        if not (HERE / "tried").exists():
            (HERE / "tried").touch()
            raise OSError("no answer yet")
        return n

    @flow
    def inner(n: int) -> int:
        return shaky(n)

    @task
    def fit(rows: list[int], n: int) -> int:
        get_run_logger().info("fits %s rows", len(rows))
        with start_run(name="tree", experiment="rides"):
            log_metric("rmse", 6.5)
        raise ValueError("the column 'distance' has no value")

    @flow
    def train() -> int:
        ready = shaky.submit(3)
        inner(ready)
        return fit(score.map(load.submit()), ready)
"""


def go_to_its_ends_and_copy(visitor: Visitor) -> None:
    page = visitor.page
    log = page.get_by_role("log", name="Log lines", exact=True)
    rows = log.get_by_role("option")
    keys = page.keyboard
    expect(rows.filter(has_text=f"line {N_LINES - 1}")).to_be_visible()
    assert rows.count() < 150, "only what is on the screen is in the document"
    expect(log).not_to_contain_text("1 / 0")
    visitor.press(rows.filter(has_text="Failed with inputs").get_by_text("4 more lines"))
    expect(log).to_contain_text("1 / 0")
    visitor.reach(log.get_by_role("listbox"))
    keys.press("Home")
    expect(rows.first).to_contain_text("line 0")
    expect(rows.filter(has_text="Traceback")).to_contain_text("3 more lines ZeroDivisionError")
    assert rows.count() < 150
    visitor.press(rows.filter(has_text=re.compile(r"line 3$")))
    keys.press("Shift+ArrowDown")
    keys.press("Shift+ArrowDown")
    visitor.press(page.get_by_role("button", name="Copy range"))
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert [line.rsplit(" ", 1)[1] for line in copied.splitlines()] == ["3", "4", "5"]
    visitor.press(page.get_by_role("button", name="Copy link"))
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('http')")
    link = page.evaluate("navigator.clipboard.readText()")
    page.goto(link)
    expect(log.locator("[data-here=true]")).to_contain_text("line 5")
    visitor.reach(log.get_by_role("listbox"))
    keys.press("End")
    expect(rows.filter(has_text=f"line {N_LINES - 1}")).to_be_visible()


def search_all_lines(visitor: Visitor) -> None:
    page = visitor.page
    log = page.get_by_role("log", name="Log lines", exact=True)
    search = page.get_by_label("Search the lines")
    page.keyboard.press("/")
    page.keyboard.type("NEEDLE")
    status = page.locator(".bar [role=status]")
    expect(status).to_have_text("hit 1 of 1")
    expect(log.locator("mark")).to_have_text("Needle")
    expect(log.locator("mark")).to_be_visible()
    with page.expect_response(re.compile(r"/hits\?.*text=line(\+|%20)5")):
        visitor.fill(search, "line 5")
    expect(status).to_have_text("hit 1,000 of the newest 1,000")
    for number in (5999, 5998):
        expect(log.locator("[data-here=true]")).to_contain_text(f"line {number}")
        page.keyboard.press("Enter")
    visitor.fill(search, "")


def choose_by_level_and_task(visitor: Visitor) -> None:
    page = visitor.page
    rows = page.get_by_role("log", name="Log lines", exact=True).get_by_role("option")
    visitor.choose(page.get_by_label("Least level"), "WARNING")
    expect(rows).to_have_count(2)
    visitor.choose(page.get_by_label("Task", exact=True), "score-1")
    expect(rows).to_have_count(1)
    visitor.choose(page.get_by_label("Least level"), "All levels")
    visitor.choose(page.get_by_label("Task", exact=True), "All tasks")
    visitor.check(page.get_by_label("Wrap"))
    expect(rows.filter(has_text=f"line {N_LINES - 1}")).to_be_visible()


def test_a_long_log_is_shown_from_its_end_searched_as_a_whole_and_copied_by_ranges(
    browser: Browser, home: Path, tmp_path: Path, hand: type[Hand]
) -> None:
    filled = Filled()
    run = filled.run("long", "Failed", took_s=60)
    filled.tasks(run, "score", {"Completed": 2})
    lines = [(0, 20, f"line {number}") for number in range(N_LINES)]
    lines[10] = (1, 30, "a Needle in the hay")
    lines[N_LINES - 9] = (2, 40, TRACE)
    lines[20:24] = [(0, 20, text) for text in TRACE.splitlines()[1:]]  # as `print` makes them: a line each
    filled.logs(run, lines)
    filled.close()
    with served(home, tmp_path) as server:
        visitor = Visitor(browser, server, hand, permissions=["clipboard-read", "clipboard-write"])
        visitor.sign_in()
        visitor.go(f"/runs/{run}?tab=logs")
        page = visitor.page
        go_to_its_ends_and_copy(visitor)
        search_all_lines(visitor)
        choose_by_level_and_task(visitor)
        with page.expect_download() as downloaded:
            visitor.press(page.get_by_role("link", name="Download"))
        text = Path(downloaded.value.path()).read_text(encoding="utf-8").splitlines()
        assert len(text) == N_LINES + TRACE.count("\n")
        assert text[10].endswith("WARNING  score-1: a Needle in the hay")
        assert visitor.complaints == []
        visitor.context.close()


def test_the_line_that_failed_is_that_of_the_user_not_the_last_one_of_a_library(visitor: Visitor) -> None:
    visitor.sign_in()
    found = visitor.page.evaluate(
        """async () => {
            const file = document.querySelector('link[rel=icon]').href.replace('icon.svg', 'lib/traces.js');
            const { failingSource } = await import(file);
            const frame = (file, line, text) => `  File "${file}", line ${line}, in x\\n    ${text}\\n`;
            const trace = frame('/code/train.py', 12, 'frame["x"]') + frame('/lib/frames.py', 9, 'raise');
            const places = [['/code/train.py', 12], ['/lib/frames.py', 9], ['/code/train.py', 1]];
            return places.map(([file, line]) => failingSource({ trace, file, line }));
        }"""
    )
    assert found == ['frame["x"]', "raise", "raise"]


def test_a_run_is_understood_by_its_timeline_graph_radar_and_task_runs(visitor: Visitor, server: Served) -> None:
    fleet = server.fleet
    fleet.worker()
    run = fleet.run(fleet.deploy(fleet.write(FLOWS), "train"))
    fleet.wait(run, "Failed")
    visitor.sign_in()
    page, keys = visitor.page, visitor.page.keyboard
    visitor.go(f"/runs/{run.id}")
    expect(page.locator(".painted canvas")).to_be_visible()
    bars = page.get_by_role("list", name="Task runs by time").get_by_role("listitem")
    expect(bars).to_have_count(234)
    visitor.reach(bars.first.get_by_role("link"))
    for _ in range(3):  # from the subflow, over what comes before the map
        keys.press("ArrowDown")
    expect(page.locator(".bar [role=status]")).to_contain_text("score 1: ")
    keys.press("+")
    expect(page.get_by_role("button", name="All", exact=True)).to_be_visible()

    visitor.press(page.get_by_label("Tasks by name").get_by_role("button", name="score"))
    runs = page.get_by_role("table", name="Task runs", exact=True)
    expect(runs.get_by_role("link")).to_have_count(50)
    visitor.press(page.get_by_role("button", name="Show more task runs"))
    expect(runs.get_by_role("link")).to_have_count(100)
    visitor.press(page.get_by_label("States of score").get_by_role("button", name="Completed"))
    expect(page).to_have_url(re.compile(r"task=score.*state=Completed"))

    keys.press("f")
    expect(page.get_by_role("tree", name="Graph of the run").locator(":focus")).to_have_attribute(
        "aria-label", re.compile(r"^task fit 1, Failed, .*critical, 2 upstream, 0 downstream$")
    )
    expect(page.get_by_role("treeitem", name=re.compile("score ×230, 230 Completed"))).to_be_visible()
    keys.press("Enter")
    wrong = page.get_by_label("What went wrong")
    expect(wrong).to_contain_text("the column 'distance' has no value")
    expect(wrong.get_by_label("The line that failed")).to_contain_text("raise ValueError(")
    expect(page.get_by_role("log")).to_contain_text("fits 230 rows")
    inputs = page.locator(".calls li")
    expect(inputs).to_have_count(2)
    expect(inputs.filter(has_text="all results of a map")).to_contain_text("score")
    visitor.press(inputs.get_by_role("link", name=re.compile("^shaky ")))
    steps = page.get_by_label("History of the task run").get_by_role("row")
    expect(steps.filter(has_text="AwaitingRetry")).to_contain_text("attempt 1 failed")
    expect(steps.last).to_contain_text("Completed")
    expect(page.locator(".facts")).to_contain_text("attempt 2")

    visitor.go(f"/runs/{run.id}?tab=radar")
    radar = page.get_by_role("tree", name="Radar of the run")
    expect(radar.get_by_role("treeitem")).to_have_count(5)
    visitor.reach(radar.get_by_role("treeitem", name=re.compile("^task fit")))
    expect(radar.locator(".edge.lit")).to_have_count(3)
    visitor.reach(radar.get_by_role("treeitem", name=re.compile("^subflow")))
    keys.press("Enter")
    expect(page.get_by_label("Subflows")).to_contain_text(run.name)
    expect(radar.get_by_role("treeitem")).to_have_count(1)
    visitor.press(page.get_by_role("tab", name="Metrics"))
    expect(page.get_by_label("Metrics of tree")).to_contain_text("6.5")
    visitor.press(page.get_by_role("tab", name="Code"))
    expect(page.get_by_label("The line that failed").last).to_contain_text("raise ValueError(")


def test_long_gaps_between_attempts_are_cut_from_the_timeline(browser: Browser, home: Path, tmp_path: Path) -> None:
    filled = Filled()
    run = filled.run("resumed", took_s=200_000)
    filled.tasks(run, "load", {"Completed": 2})
    filled.tasks(run, "fit", {"Completed": 1}, at=START + 180_000 * SECOND)
    filled.close()
    with served(home, tmp_path) as server:
        visitor = Visitor(browser, server)
        visitor.sign_in()
        visitor.go(f"/runs/{run}")
        bars = visitor.page.get_by_label("Task runs by time").get_by_role("link")
        expect(bars).to_have_count(3)
        widths = bars.evaluate_all("found => found.map((one) => one.getBoundingClientRect().width)")
        assert min(widths) > 300
        expect(visitor.page.locator(".times")).to_contain_text("2d 1h later")
        visitor.go(f"/runs/{run}/tasks/99")
        expect(visitor.page.get_by_role("alert")).to_contain_text("task-run-not-found")
        assert visitor.complaints == []
        visitor.context.close()
