"""Flows, artifacts and events in a real browser: what is bad in them stays text, or in its own place."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.e2e.browser import Visitor
from tests.e2e.filled import SECOND, Filled
from tests.e2e.looks import look
from tests.integration.served import DEPLOYMENT, Served, served

from ostinato import log_params, session, start_run
from ostinato.core.codec import digest
from ostinato.core.events import ArtifactMade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from ostinato.core.states import StateName

EVIL = "<img src=x onerror=document.title='evil'>"
RIGHT = "تدريب/نموذج"
LONG = "long-" * 40
DOTS = ".."
MARKDOWN = f"""# Verdict

**Boosted** wins by *1.12* minutes, see [the data](https://example.org/data)
or [a trap](javascript:document.title='evil').

{EVIL}

- first
- second
  - deeper

| model | rmse |
| --- | --- |
| linear | 7.76 |

```python
print("<b>")
```
"""
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">
<script>parent.document.title = 'evil'</script><rect width="60" height="40" fill="teal"/></svg>"""
PAGE = """<h1>Report</h1><p id="said">no script ran</p><script>
document.getElementById("said").textContent = "a script ran";
try { parent.document.title = "evil"; } catch { document.getElementById("said").textContent += ", locked in"; }
fetch("/api/runs").then(() => document.title = "evil", () => {});
</script>"""


def fill(filled: Filled) -> dict[str, str]:
    """Record flows of all kinds of names, and artifacts of all kinds; give the ids of runs by name."""
    now = time.time_ns() // 1000
    runs = {}
    for number in range(12):
        state: StateName = "Failed" if number == 7 else "Completed"
        run = runs[f"ride-{number}"] = filled.run(
            f"ride-{number}", state, at=now - (12 - number) * 600 * SECOND, took_s=10 + number, parameters=b'{"n": 5}'
        )
        filled.tasks(run, "load", {"Completed": 1})
        filled.tasks(run, "score", {"Completed": 20, "Failed": int(state == "Failed")}, group="g1")
        if number > 3:
            filled.tasks(run, EVIL, {"Completed": 1})
    for name in (EVIL, RIGHT, LONG, DOTS):
        filled.run("one", flow=name, at=now)
    last = runs["ride-11"]
    rows = [[f"m{n}", n / 7, EVIL] for n in range(500)]
    filled.artifact(last, "table", "scores", json.dumps({"columns": ["model", "rmse", "note"], "rows": rows}).encode())
    filled.artifact(last, "markdown", "verdict", json.dumps(MARKDOWN).encode())
    filled.artifact(last, "markdown", "huge", json.dumps("one line of many\n\n" * 600_000).encode())
    filled.artifact(last, "markdown", LONG, json.dumps("x" * 400).encode())
    filled.artifact(last, "link", "where", json.dumps({"url": "javascript:alert(1)", "text": "a trap"}).encode())
    for kind, media_type, data in (("image", "image/svg+xml", SVG), ("html", "text/html", PAGE.encode())):
        blob = filled._recorder.put_blob(data, digest(data))
        size = json.dumps({"size": len(data)}).encode()
        filled.record(ArtifactMade(last, 0, now, f"the {kind}", kind, "", size, blob, media_type))
    filled.close()
    return runs


@pytest.fixture
def runs(filled: Filled) -> dict[str, str]:
    return fill(filled)


@pytest.fixture
def server(home: Path, tmp_path: Path, runs: dict[str, str]) -> Iterator[Served]:
    assert runs
    with served(home, tmp_path) as found:
        yield found


def test_flows_lead_from_how_they_went_to_the_task_that_failed(visitor: Visitor, server: Served) -> None:
    assert (
        server.http.post("/api/deployments", json={**DEPLOYMENT, "description": "Trains *daily*."}).status_code == 201
    )
    visitor.sign_in()
    page = visitor.page
    visitor.go("/flows")
    table = page.get_by_label("Flows", exact=True)
    for name in (EVIL, RIGHT, LONG, DOTS):
        expect(table.get_by_role("link", name=name, exact=True)).to_be_visible()
    visitor.press(table.get_by_role("link", name=DOTS, exact=True))
    expect(page.get_by_role("heading", name=DOTS, exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=DOTS, exact=True)).to_be_visible()
    visitor.go("/flows")
    row = table.get_by_role("row").filter(has_text="nightly")
    expect(row).to_contain_text("92 %")
    expect(row.locator(".sparks a")).to_have_count(12)
    visitor.reach(row)
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="train")).to_be_visible()
    expect(page.get_by_text("Trains daily.")).to_be_visible()
    grid = page.get_by_role("grid", name="Tasks by runs")
    expect(grid.get_by_role("row")).to_have_count(4)
    visitor.reach(grid.get_by_role("link", name=re.compile("^ride-11, Completed, took 21s")))
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "score in ride-7: 1 Failed, 20 Completed")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"{EVIL} did not run in ride-0")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ride-11")).to_be_visible()
    visitor.go(f"/flows/{RIGHT.replace('/', '%2F')}")
    visitor.press(page.get_by_role("link", name="All its runs"))
    expect(page.get_by_label("Runs", exact=True)).to_contain_text("one")
    visitor.go("/flows/nobody")
    expect(page.get_by_role("heading", name="No run, and no deployment")).to_be_visible()
    assert "evil" not in page.title()


def test_artifacts_are_shown_and_nothing_in_them_acts(visitor: Visitor, server: Served, runs: dict[str, str]) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.go(f"/runs/{runs['ride-11']}?tab=artifacts")
    expect(page.get_by_role("heading", name=LONG)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.go("/artifacts")
    rows = page.get_by_label("Artifacts", exact=True).get_by_role("row")
    expect(rows).to_have_count(8)
    visitor.fill(page.get_by_label("Part of the name"), "VERD")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    visitor.press(page.get_by_role("link", name="verdict"))
    prose = page.locator(".prose")
    expect(prose.get_by_role("link")).to_have_count(1)
    expect(prose).to_contain_text(EVIL)
    expect(prose.get_by_role("cell", name="7.76")).to_be_visible()
    expect(prose.locator("li li")).to_have_text("deeper")
    expect(prose.locator("pre")).to_have_text('print("<b>")')
    visitor.go("/artifacts?kind=html")
    visitor.press(page.get_by_role("link", name="the html"))
    frame = page.frame_locator("iframe")
    expect(frame.locator("#said")).to_have_text("no script ran")
    assert page.locator("iframe").get_attribute("sandbox") == ""
    visitor.check(page.get_by_label(re.compile("Run its scripts")))
    expect(frame.locator("#said")).to_have_text("a script ran, locked in")
    visitor.go("/artifacts?name=huge")
    begin = time.monotonic()
    visitor.press(page.get_by_role("link", name="huge"))
    expect(page.get_by_text("Only the beginning of 11 MiB.")).to_be_visible()
    assert time.monotonic() - begin < 5
    with page.expect_download() as download:
        visitor.press(page.get_by_role("link", name="Download all of it"))
    assert download.value.suggested_filename == "huge.md"
    visitor.go(f"/runs/{runs['ride-11']}?tab=artifacts")
    expect(page.get_by_role("article")).to_have_count(7)
    image = page.get_by_role("img", name="the image")
    image.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.artifact img').naturalWidth === 60")
    expect(page.get_by_text("300 more rows.")).to_have_count(0)
    visitor.press(
        page.get_by_role("article").filter(has_text="scores").get_by_role("button", name="Show the beginning")
    )
    expect(page.get_by_text("300 more rows.")).to_be_visible()
    assert page.locator("a[href^='javascript']").count() == 0
    assert "evil" not in page.title()
    visitor.go("/artifacts?name=verdict")
    visitor.press(page.get_by_role("link", name="verdict"))
    expect(prose).to_be_visible()
    assert server.http.delete(f"/api/runs/{runs['ride-11']}").status_code == 204
    expect(page.get_by_role("alert")).to_contain_text("artifact-not-found")
    expect(prose).to_be_visible()


def test_events_appear_as_they_happen_and_are_found_by_kind_and_run(visitor: Visitor, server: Served) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.go("/events")
    rows = page.get_by_label("Events", exact=True).get_by_role("row")
    expect(rows.nth(1)).to_be_visible()
    assert server.http.put("/api/variables/champion", json={"value": EVIL}).status_code == 200
    expect(rows.filter(has_text="variable set")).to_contain_text("champion")
    with start_run("one", experiment="rides") as run:
        log_params({"depth": 3})
        run.log_text("text", "report.md")
    assert session.recorder().settle("database", 30)
    expect(rows.filter(has_text="file logged")).to_contain_text("report.md")
    expect(page.locator("summary").filter(has_text=re.compile(r"^\s*$"))).to_have_count(0)
    visitor.reach(rows.filter(has_text="variable set"))
    page.keyboard.press("Enter")
    expect(rows.filter(has_text="variable set").locator("pre")).to_contain_text(EVIL)
    visitor.choose(page.get_by_label("Kind"), "task-moved")
    expect(page).to_have_url(re.compile("kinds=task-moved"))
    expect(rows.nth(1)).to_contain_text("Completed")
    n_shown = rows.count()
    visitor.press(page.get_by_role("button", name="Show older events"))
    expect(rows.nth(n_shown)).to_be_visible()
    visitor.choose(page.get_by_label("Kind"), "run-moved")
    visitor.fill(page.get_by_label("Run", exact=True), "ride-7")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("Failed")
    visitor.go("/events?run=nobody")
    expect(page.get_by_role("alert")).to_contain_text("run-not-found")
    assert "evil" not in page.title()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_these_pages_are_accessible(browser: Browser, server: Served, theme: str) -> None:
    visitor = Visitor(browser, server, color_scheme=theme, bypass_csp=True)
    visitor.sign_in()
    found = server.http.get("/api/ui/artifacts").json()["items"]
    paths = ["/flows", "/flows/train", "/artifacts", "/events"]
    paths += [f"/artifacts/{one['id']}" for one in found if one["key"] in ("scores", "verdict", "the html")]
    for path in paths:
        visitor.go(path)
        look(visitor.page, twice=theme == "light")
    visitor.context.close()


def test_no_markdown_takes_long_to_read(visitor: Visitor) -> None:
    visitor.sign_in()
    took = visitor.page.evaluate(
        """async () => {
            const file = document.querySelector('link[rel=icon]').href.replace('icon.svg', 'parts/markdown.js');
            const { Markdown } = await import(file);
            const marks = ["[", "**a ", "`", "_a", "|", "> ", "- ", "~~~", "![a](", "    ", "#"];
            const texts = marks.flatMap((one) => [one.repeat(50000 / one.length), `${one}\\n`.repeat(9000)]);
            const begin = performance.now();
            for (const text of texts) Markdown({ text });
            return performance.now() - begin;
        }"""
    )
    assert took < 10_000


def test_an_empty_home_says_how_flows_artifacts_and_events_come(browser: Browser, home: Path, tmp_path: Path) -> None:
    with served(home, tmp_path) as server:
        visitor = Visitor(browser, server)
        visitor.sign_in()
        for path, words in (("/flows", "No flow yet"), ("/artifacts", "No artifact yet")):
            visitor.go(path)
            expect(visitor.page.get_by_role("heading", name=words)).to_be_visible()
        visitor.go("/events?kinds=run-created")
        expect(visitor.page.get_by_role("heading", name="Nothing that matches has happened")).to_be_visible()
        visitor.context.close()
        assert visitor.complaints == []
