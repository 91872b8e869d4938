"""Pages of experiments, models and data: what differs, where it comes from, what came of it, what a gate says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect
from tests.e2e import rides
from tests.e2e.browser import Visitor, launched
from tests.e2e.looks import look, look_in_the_dark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.hands import Hand
    from tests.integration.served import Served


@pytest.fixture
def made(server: Served) -> rides.Rides:
    """Fill the home before a browser is there: then an event loop runs in this thread."""
    assert server.card
    return rides.make()


@pytest.fixture
def guest(made: rides.Rides, server: Served, hand: type[Hand]) -> Iterator[Visitor]:
    assert made.runs
    with launched() as browser:
        found = Visitor(browser, server, hand)
        found.sign_in()
        yield found
        found.context.close()
        assert found.complaints == []


def test_runs_of_an_experiment_are_ordered_compared_and_drawn(guest: Visitor, made: rides.Rides) -> None:
    page = guest.page
    guest.go("/experiments")
    guest.press(page.get_by_role("link", name="rides", exact=True))
    table = page.get_by_label("Tracking runs")
    expect(table.get_by_role("row")).to_have_count(3)
    assert "seed" not in table.get_by_role("row").first.inner_text().split("depth", maxsplit=1)[0]  # what differs first
    guest.press(table.get_by_role("button", name="rmse"))
    expect(table.get_by_role("row").nth(1)).to_contain_text("depth-3")
    expect(table.get_by_role("row").nth(1)).to_contain_text("∞")
    expect(table.get_by_role("row").nth(1).get_by_title(re.compile("the best: the lowest$"))).to_contain_text("★")
    expect(table.get_by_title(str(3 * 0.1234567890123))).to_have_text("0.37037")
    guest.choose(page.get_by_label("Pin the best"), "highest rmse")
    expect(table.get_by_role("row").nth(1)).to_contain_text("★ depth-4")
    guest.choose(page.get_by_label("Pin the best"), "none")
    guest.fill(page.get_by_label("Filter"), "metrics.rmse < 6.4")
    page.keyboard.press("Enter")
    expect(table.get_by_role("row")).to_have_count(2)
    page.go_back()
    guest.check(page.get_by_label("Compare depth-3"))
    guest.check(page.get_by_label("Compare depth-4"))
    compared = page.get_by_label("Comparison")
    expect(compared.get_by_role("row").filter(has_text="depth").nth(1)).to_contain_text("3")
    expect(compared).to_contain_text("rides (training)")
    expect(compared.get_by_role("row").filter(has_text="seed")).to_have_count(0)
    chart = compared.get_by_role("img", name=re.compile("^rmse from step 0 to 29"))
    expect(chart).to_be_visible()
    before = chart.locator("polyline").last.get_attribute("points")
    guest.fill(compared.get_by_label("Smoothing"), "0.9")
    expect(chart.locator("polyline.raw")).to_have_count(2)
    assert chart.locator("polyline").last.get_attribute("points") != before
    guest.reach(chart)
    page.keyboard.press("ArrowRight")
    expect(compared.get_by_role("status").filter(has_text="step 0")).to_contain_text("7.3")
    guest.press(compared.get_by_role("button", name="Close"))
    page.keyboard.press("s")
    expect(page.get_by_label("Scatter").get_by_role("link")).to_have_count(2)
    guest.press(page.get_by_label("Scatter").get_by_role("link", name=re.compile("^depth-3")))
    expect(page.get_by_role("heading", name="depth-3")).to_be_visible()
    guest.press(page.get_by_role("button", name="Add a note"))
    guest.fill(page.get_by_label("Note"), "the <b>best</b> so far")
    guest.press(page.get_by_role("button", name="Save"))
    expect(page.get_by_text("the <b>best</b> so far")).to_be_visible()
    guest.press(page.get_by_text("In one chart"))
    guest.check(page.get_by_role("checkbox", name="rmse"))
    guest.check(page.get_by_role("checkbox", name="worst"))
    expect(page.get_by_role("img", name=re.compile("^rmse, worst from step 0 to 29"))).to_be_visible()
    page.keyboard.press("Escape")
    guest.choose(page.get_by_role("combobox", name="By"), "date and time")
    expect(page.get_by_role("img", name=re.compile(r"^rmse, worst from \d+ \w+ 20"))).to_be_visible()
    guest.press(page.get_by_role("row").filter(has_text="report.md").get_by_role("button", name="Look"))
    expect(page.get_by_label("report.md")).to_contain_text("<script>document.title='evil'</script>")
    assert "evil" not in page.title()
    expect(page.get_by_role("link", name="ride-duration 1")).to_be_visible()
    expect(page.locator(f'a[href$="/runs/{made.flow_run}"]')).to_be_visible()


def test_a_thousand_parameters_are_chosen_from_by_name_and_long_names_stay_on_the_page(guest: Visitor) -> None:
    page = guest.page
    guest.go("/experiments")
    guest.press(page.get_by_role("link", name=rides.LONG))
    table = page.get_by_label("Tracking runs")
    expect(table.get_by_role("row").nth(1)).to_contain_text("NaN")
    guest.press(page.get_by_text("Columns", exact=False).first)
    guest.fill(page.get_by_label("Search columns"), "0777")
    guest.check(page.get_by_role("checkbox", name="params param-0777"))
    expect(table.get_by_role("row").nth(1)).to_contain_text("777")
    guest.press(table.get_by_role("link", name=rides.LONG))
    expect(page.get_by_label("Parameters", exact=True).get_by_role("row")).to_have_count(40)
    guest.fill(page.get_by_label("Search parameters"), "0999")
    expect(page.get_by_label("Parameters", exact=True).get_by_role("row")).to_have_count(1)
    expect(page.get_by_label("Metrics", exact=True)).to_contain_text("NaN since step 0")
    expect(page.get_by_text("NaN at step 0")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    guest.go(f"/experiments/{quote(rides.LONG)}")
    expect(table.get_by_role("row").nth(1)).to_contain_text("777")  # this browser keeps what was chosen


def test_a_version_leads_back_to_run_and_data_and_gets_an_alias_only_through_its_gate(
    guest: Visitor, made: rides.Rides
) -> None:
    page = guest.page
    guest.go("/models")
    guest.press(page.get_by_label("Models").get_by_role("link", name="ride-duration"))
    versions = page.get_by_label("Versions")
    expect(versions.get_by_role("row").nth(2)).to_contain_text("@production")
    expect(versions.get_by_role("row").nth(2)).to_contain_text("6.33333")
    expect(versions.get_by_role("row").nth(2)).to_contain_text("passed for @production")
    expect(versions.get_by_role("row").nth(1)).to_contain_text("failed for @production")
    expect(versions.get_by_role("row").nth(1)).to_contain_text("rmse: rmse is 6.43333, at most 6.35 is wanted")
    expect(page.get_by_role("definition")).to_have_text("rmse is at most 6.35")
    guest.press(page.get_by_role("button", name="Add a description"))
    guest.fill(page.get_by_label("description"), "# Card\nof *rides*")
    guest.press(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("heading", name="Card")).to_be_visible()
    guest.press(page.get_by_role("button", name="Promote version 1", exact=True))
    expect(page.get_by_role("dialog")).to_contain_text("It is @production.")
    page.keyboard.press("Escape")
    guest.press(versions.get_by_role("link", name="2", exact=True))
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(page.get_by_text("It does not say: it was logged without a signature.")).to_be_visible()
    lineage = page.get_by_label("Lineage of version 2", exact=True)
    assert lineage.get_by_role("link").all_inner_texts()
    expect(lineage.get_by_role("link", name="tracking run in rides depth-4")).to_be_visible()
    guest.press(page.get_by_role("button", name="Promote"))
    box = page.get_by_role("dialog")
    expect(box.get_by_label("Checks for @production")).to_contain_text("rmse is 6.43333")
    expect(box).to_contain_text("It may not have @production yet. Version 1 has it, or had it last.")
    guest.press(box.get_by_text("In a terminal"))
    expect(box).to_contain_text("ostinato promote ride-duration 2 --to production")
    guest.press(box.get_by_role("button", name="Run the checks"))
    expect(box.get_by_role("link", name="ride-duration-2-to-production")).to_be_visible()
    expect(page.locator(".promotion")).to_contain_text("Scheduled for @production")
    guest.fill(box.get_by_label("Alias or stage"), "no alias")
    guest.press(box.get_by_role("button", name="Set @no alias"))
    expect(box.get_by_role("alert")).to_contain_text("model-invalid")
    guest.fill(box.get_by_label("Alias or stage"), "production")
    guest.press(box.get_by_text("Let it pass whatever its checks say"))
    guest.fill(box.get_by_label("Why"), "the old one is down")
    guest.press(box.get_by_role("button", name="Override the gate"))
    expect(box).to_have_count(0)
    moves = page.get_by_label("Moves of aliases")
    expect(moves.get_by_role("row").nth(1)).to_contain_text("the old one is down")
    expect(moves.get_by_role("row").nth(1)).to_contain_text("override")
    policy = {"checks": {"rmse": {"kind": "metric", "metric": "rmse", "max": 6.34}}, "aliases": ["production"]}
    guest.server.http.put("/api/models/ride-duration/policy", json={"policy": policy})
    guest.go("/models/ride-duration/1")
    expect(page.get_by_label("Takes")).to_contain_text("double")
    expect(page.get_by_label("Takes")).to_contain_text("distance")
    expect(page.get_by_label("Checks for @production")).to_contain_text("passed once")
    expect(page.get_by_label("Checks for @production")).to_contain_text("checked by an older policy")
    lineage = page.get_by_label("Lineage of version 1", exact=True)
    guest.press(lineage.get_by_role("link", name=f"data, training rides {made.digests[-1][:8]}"))
    expect(page.get_by_role("heading", name=made.digests[-1][:12])).to_be_visible()


def test_versions_of_data_are_listed_counted_compared_and_followed_forward(guest: Visitor, made: rides.Rides) -> None:
    page = guest.page
    guest.go("/datasets")
    row = page.get_by_label("Datasets").get_by_role("row").nth(1)
    expect(row).to_contain_text("400")
    guest.press(row.get_by_role("link", name="rides"))
    newer, older = made.digests
    guest.check(page.get_by_label(f"Compare {older[:12]}"))
    guest.check(page.get_by_label(f"Compare {newer[:12]}"))
    difference = page.get_by_label("Difference")
    expect(difference).to_contain_text("400 to 400")
    expect(difference.get_by_role("row").filter(has_text="distance")).to_contain_text("change")
    expect(difference.get_by_role("row").filter(has_text="place")).to_contain_text("alike")
    guest.press(page.get_by_label("Versions of data").get_by_role("link", name=older[:12]))
    columns = page.get_by_label("Columns")
    place = columns.get_by_role("row").filter(has_text="place")
    expect(place).to_contain_text("10.0 %")
    expect(place.get_by_role("img")).to_have_attribute("aria-label", re.compile("^(north|south|harbour): 1"))
    expect(columns.get_by_role("img", name=re.compile(r"^from 0(\.\d)? to (9\.9|10) in 24 bars"))).to_be_visible()
    forward = page.get_by_label("What came of this data", exact=True)
    expect(forward.get_by_role("link", name="version ride-duration 1")).to_be_visible()
    expect(forward).to_contain_text("@production")
    expect(page.get_by_label("Used by")).to_contain_text("depth-3")
    guest.press(page.get_by_label("Used by").get_by_role("link", name="depth-3"))
    expect(page.get_by_role("heading", name="depth-3")).to_be_visible()


def test_pages_of_experiments_models_and_data_are_accessible(made: rides.Rides, server: Served) -> None:
    chosen = f"runs={made.runs[3]}%2C{made.runs[4]}&x=params.depth&y=metrics.rmse"
    paths = ["/experiments", f"/experiments/rides?{chosen}", f"/experiments/rides/{made.runs[3]}", "/models"]
    paths += ["/models/ride-duration", "/models/ride-duration/1", "/datasets"]
    paths += [f"/datasets/rides?compare={'%2C'.join(made.digests)}", f"/datasets/rides/{made.digests[0]}", "/workers"]
    paths += ["/models/ride-duration/2"]
    with launched() as browser:
        guest = Visitor(browser, server, color_scheme="light", bypass_csp=True)
        guest.sign_in()
        for path in paths:
            guest.go(path)
            look(guest.page)
            look_in_the_dark(guest.page)
        guest.page.keyboard.press("p")
        guest.page.get_by_role("dialog").wait_for()
        look(guest.page)
        look_in_the_dark(guest.page)
        guest.context.close()
        assert guest.complaints == []
