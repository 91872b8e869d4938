"""The web interface in a real browser, over a real server with real runs."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.e2e.browser import Visitor, deployed
from tests.e2e.looks import look, look_at_shapes
from tests.integration.served import Served, served

from ostinato.core.deployments import Timetable
from ostinato.core.schedules import Interval

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_who_is_not_let_in_sees_no_run_and_enters_by_a_key(visitor: Visitor, server: Served) -> None:
    visitor.go("/runs")
    expect(visitor.page.get_by_text("This browser is not let in yet.")).to_be_visible()
    server.http.post("/api/users", json={"name": "ann", "role": "viewer"})
    key = server.http.post("/api/keys", json={"user": "ann"}).json()["text"]
    visitor.fill(visitor.page.get_by_label("API key"), "wrong")
    visitor.press(visitor.page.get_by_role("button", name="Sign in"))
    expect(visitor.page.get_by_role("alert")).to_contain_text("key")
    visitor.fill(visitor.page.get_by_label("API key"), key)
    visitor.press(visitor.page.get_by_role("button", name="Sign in"))
    expect(visitor.page.get_by_role("heading", name="Runs")).to_be_visible()


def test_an_empty_home_says_how_to_begin(visitor: Visitor) -> None:
    visitor.sign_in()
    expect(visitor.page.get_by_role("heading", name="No run yet")).to_be_visible()
    assert "def hello(" in visitor.text()


def test_a_failed_run_is_seen_explained_and_retried(visitor: Visitor, server: Served) -> None:
    deployment = deployed(server)
    run = server.fleet.run(deployment)
    server.fleet.wait(run, "Failed")
    visitor.sign_in()
    page = visitor.page
    attention = page.get_by_label("Needs attention")
    expect(attention).to_contain_text("ValueError")
    visitor.press(attention.get_by_role("link", name=run.name))
    wrong = page.get_by_label("What went wrong")
    expect(wrong).to_contain_text("the column 'distance' has no value")
    expect(wrong).to_contain_text("flows.py")
    expect(wrong).to_contain_text("load 5 rows")
    expect(page.get_by_label("Tasks by name")).to_contain_text("mapped")
    expect(page.get_by_label("Task runs by time").get_by_role("listitem")).to_have_count(7)
    assert "evil" not in page.title()  # text of users is text
    (server.fleet.folder / "mended").touch()
    visitor.press(page.get_by_role("button", name="Retry from failure"))
    expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
    expect(wrong).to_have_count(0)
    expect(page.locator(".facts")).to_contain_text("6 results reused")


def test_everything_can_be_done_by_keys_alone(visitor: Visitor, server: Served) -> None:
    deployment = deployed(server)
    run = server.fleet.run(deployment)
    server.fleet.wait(run, "Failed")
    visitor.sign_in()
    page, keys = visitor.page, visitor.page.keyboard
    keys.press("g")
    keys.press("r")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page.get_by_role("link", name=run.name)).to_be_visible()
    keys.press("/")
    keys.type("state:failed")
    keys.press("Enter")
    expect(page).to_have_url(re.compile(r"q=state%3Afailed"))
    row = page.locator("tr[tabindex]").first
    expect(row).to_contain_text(run.name)
    visitor.reach(row)
    keys.press("o")
    expect(page.get_by_role("heading", name=run.name)).to_be_visible()
    expect(page.locator("main")).to_be_focused()
    keys.press("2")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Graph")
    nodes = page.get_by_role("treeitem")
    visitor.reach(nodes.first)
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    fit = page.locator(":focus")
    expect(fit).to_have_attribute("aria-label", re.compile(r"^task fit 1, Failed, .*, 1 upstream, 0 downstream$"))
    keys.press("3")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Logs")
    keys.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Retry from failure this run")
    keys.press("Escape")
    (server.fleet.folder / "mended").touch()
    keys.press("Control+k")
    keys.type("retry from")
    keys.press("Enter")
    expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
    keys.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_what_happens_is_on_the_screen_by_itself(visitor: Visitor, server: Served) -> None:
    deployment = deployed(server, "slow")
    visitor.sign_in()
    page = visitor.page
    visitor.go("/runs")
    run = server.fleet.run(deployment)
    expect(page.get_by_role("link", name=run.name)).to_be_visible()
    visitor.press(page.get_by_role("link", name=run.name))
    visitor.press(page.get_by_role("tab", name="Logs"))
    lines = page.get_by_label("Log lines").locator("p")
    expect(lines.filter(has_text="step 5")).not_to_have_count(0)
    numbers = [int(text.rsplit(" ", 1)[1]) for text in lines.all_inner_texts() if "step" in text]
    assert numbers == list(range(len(numbers)))
    visitor.press(page.get_by_role("button", name="Cancel"))
    visitor.press(page.get_by_role("dialog").get_by_role("button", name="Cancel"))
    expect(page.locator(".title .state")).to_have_text(re.compile("Cancelled"))


def test_a_second_tab_is_live_and_goes_on_when_the_first_one_closes(visitor: Visitor, server: Served) -> None:
    visitor.sign_in()
    expect(visitor.page.locator('[data-link="live"]')).to_be_visible()
    second = visitor.context.new_page()
    second.goto(f"{server.card.url}/variables")
    expect(second.locator('[data-link="live"]')).to_be_visible()
    visitor.page.close()
    server.http.put("/api/variables/late", json={"value": 1})
    expect(second.get_by_text("late")).to_be_visible()
    expect(second.locator('[data-link="live"]')).to_be_visible()


def test_a_page_that_is_open_goes_on_after_a_restart_of_the_server(
    browser: Browser, home: Path, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with served(home, tmp_path, "--port", port) as server:
        deployment = deployed(server)
        visitor = Visitor(browser, server)
        visitor.sign_in()
        visitor.go("/runs")
        before = server.fleet.run(deployment)
        expect(visitor.page.get_by_role("link", name=before.name)).to_be_visible()
        assert server.program.end() == 0
        expect(visitor.page.get_by_text("reconnecting")).to_be_visible()
        server.restart(kill=False)
        after = server.fleet.run(deployment)
        expect(visitor.page.get_by_role("link", name=after.name)).to_be_visible()
        expect(visitor.page.locator('[data-link="live"]')).to_be_visible()
        assert visitor.page.get_by_role("link", name=before.name).count() == 1
        visitor.context.close()


def test_runs_are_found_by_the_query_which_is_the_address(visitor: Visitor, server: Served) -> None:
    deployment = deployed(server)
    (server.fleet.folder / "mended").touch()
    good = server.fleet.run(deployment, name="good one")
    server.fleet.wait(good)
    visitor.sign_in()
    visitor.go("/runs?q=state%3Afailed")
    expect(visitor.page.get_by_role("heading", name="No run matches")).to_be_visible()
    visitor.press(visitor.page.get_by_label("States").get_by_role("link", name="Completed"))
    expect(visitor.page.get_by_role("link", name="good one")).to_be_visible()
    visitor.go("/runs?q=nonsense%3Ax")
    expect(visitor.page.get_by_role("alert")).to_contain_text("query-invalid")
    visitor.page.go_back()
    expect(visitor.page.get_by_role("link", name="good one")).to_be_visible()
    visitor.go("/runs/0123456789")
    expect(visitor.page.get_by_role("alert")).to_contain_text("run-not-found")
    visitor.go("/flows/100%")
    expect(visitor.page.get_by_role("heading", name="100%")).to_be_visible()


def test_a_graph_is_laid_out_in_layers_and_quickly(visitor: Visitor) -> None:
    visitor.sign_in()
    found = visitor.page.evaluate(
        """async () => {
            const file = document.querySelector('link[rel=icon]').href.replace('icon.svg', 'lib/layout.js');
            const { layout } = await import(file);
            const ids = Array.from({ length: 1000 }, (_, at) => `n${at}`);
            const edges = ids.slice(1).flatMap((id, at) => [[`n${at >> 1}`, id], [`n${(at * 7) % (at + 1)}`, id]]);
            edges.push(['n900', 'n3']);
            const begin = performance.now();
            const places = layout(ids, edges);
            const took = performance.now() - begin;
            const layers = edges.map((edge) => edge.map((id) => places.get(id).layer));
            return { took, layers, spots: [...places.values()].map((one) => `${one.layer}/${one.at}`) };
        }"""
    )
    assert all(a < b for a, b in found["layers"][:-1])
    assert len(set(found["spots"])) == 1000
    assert found["took"] < 2_000, "some ten milliseconds on an idle machine"


def test_a_deployment_is_run_and_paused(visitor: Visitor, server: Served) -> None:
    every = Timetable(slug="main", schedule=Interval(3600))
    deployed(server, "train", schedules=(every,))
    (server.fleet.folder / "mended").touch()
    visitor.sign_in()
    page = visitor.page
    visitor.go("/deployments")
    row = page.get_by_label("Deployments").get_by_role("row").filter(has_text="train/test")
    visitor.press(row.get_by_role("button", name="Pause"))
    expect(row).to_contain_text("paused")
    visitor.press(row.get_by_role("button", name="Run"))
    expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
    visitor.go("/workers")
    expect(page.get_by_label("Workers")).to_contain_text("0 of")
    expect(page.get_by_label("Queues")).to_contain_text("default")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(browser: Browser, server: Served, theme: str) -> None:
    deployment = deployed(server)
    run = server.fleet.run(deployment)
    server.fleet.wait(run, "Failed")
    visitor = Visitor(browser, server, color_scheme=theme, bypass_csp=True)
    visitor.sign_in()
    pages = ["/", "/runs", "/deployments", "/workers", "/experiments", "/models"]
    pages += [f"/runs/{run.id}?tab={tab}" for tab in ("tasks", "graph", "logs", "radar", "history", "code", "details")]
    pages += [f"/runs/{run.id}/tasks/{no}" for no in (1, 7)]
    for path in pages:
        visitor.go(path)
        look(visitor.page, twice=theme == "light")
    visitor.page.keyboard.press("Control+k")
    palette = visitor.page.get_by_role("dialog", name="Find or do")
    expect(palette).to_be_visible()
    look(visitor.page)
    visitor.page.keyboard.press("Escape")
    expect(palette).to_have_count(0)
    if theme == "light":
        look_at_shapes(visitor.page)
    visitor.context.close()


def test_nothing_is_taken_from_elsewhere_and_files_are_kept_for_ever(visitor: Visitor, server: Served) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.sign_in()
    visitor.page.wait_for_timeout(300)
    assert asked
    assert all(url.startswith(server.card.url) for url in asked)
    files = [url for url in asked if url.startswith(f"{server.card.url}/ui/")]
    assert len([url for url in asked if "/api/" in url]) <= 3, asked
    for url in files:
        answer = server.client("").get(url)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    page = server.client("").get("/")
    assert "script-src 'self' 'sha256-" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]


def test_journeys_do_all_they_do_by_a_hand() -> None:
    """So that each of them is made by keys alone: what no key leads to fails."""
    acts = re.compile(r"\.(click|dblclick|tap|hover|focus|fill|check|uncheck|set_checked|select_option|press)\(")
    hands = re.compile(r"\b(visitor|guest|keys|keyboard)\.\w+\(")
    for file in Path(__file__).parent.glob("test_ui*.py"):
        found = [line for line in file.read_text(encoding="utf-8").splitlines() if acts.search(hands.sub("", line))]
        assert found == [], file.name
