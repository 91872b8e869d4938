"""The page of workers and queues: what waits and why, who holds what, and pausing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from tests.e2e.browser import FLOWS

from ostinato.core.commands import SetLimit, TakeSlots
from ostinato.core.deployments import Limit

if TYPE_CHECKING:
    from tests.e2e.browser import Visitor
    from tests.integration.served import Served


def test_it_says_why_each_run_waits_who_has_the_slots_and_what_comes(visitor: Visitor, server: Served) -> None:
    fleet = server.fleet
    file = fleet.write(FLOWS)
    slow = fleet.deploy(file, "slow", tags=("gpu",))
    visitor.sign_in()
    page = visitor.page
    visitor.go("/workers")
    expect(page.get_by_role("heading", name="No worker is here")).to_be_visible()
    visitor.press(page.get_by_role("button", name="New queue"))
    box = page.get_by_role("dialog")
    visitor.fill(box.get_by_label("Name"), "far")
    visitor.fill(box.get_by_label("Takes runs of these deployments"), "slow/far, train/far")
    visitor.fill(box.get_by_label("Description"), "machines elsewhere")
    visitor.press(box.get_by_role("button", name="Set"))
    expect(page.get_by_label("Queues").get_by_role("row").filter(has_text="far")).to_contain_text("slow/far, train/far")
    visitor.press(page.get_by_role("button", name="New limit"))
    visitor.fill(page.get_by_label("Name"), "tag:gpu")
    visitor.press(page.get_by_role("dialog").get_by_role("button", name="Set"))
    limits = page.get_by_label("Limits")
    expect(limits).to_contain_text("0 of 1")
    first = fleet.run(slow, name="first one")
    waits = page.get_by_label("Runs that wait")
    expect(waits).to_contain_text("no worker serves queue 'default'")
    fleet.worker("--queue", "default", "--limit", "2", "--name", "near", "--lease", "2")
    fleet.wait(first, "Running")
    fleet.do(SetLimit(limit=Limit(name="db", slots=2)))
    fleet.do(TakeSlots(name="db", holder=f"{first.id}/block"))
    fleet.run(slow, name="second one")
    fleet.run(fleet.deploy(file, "slow", "far"), name="distant one")
    expect(waits.get_by_role("row").filter(has_text="second one")).to_contain_text("tag 'gpu' runs 1 of at most 1")
    expect(waits.get_by_role("row").filter(has_text="distant one")).to_contain_text("no worker serves queue 'far'")
    expect(limits.get_by_role("row").filter(has_text="tag:gpu").get_by_role("link", name="first one")).to_be_visible()
    expect(limits.get_by_role("row").filter(has_text="db")).to_contain_text("1 of 2")
    expect(limits.get_by_role("row").filter(has_text="db").get_by_role("link", name="first one")).to_be_visible()
    expect(page.get_by_label("Workers", exact=True)).to_contain_text("1 of 2")
    expect(page.get_by_label("Workers", exact=True)).to_contain_text("ready")
    queue = page.get_by_label("Queues").get_by_role("row").filter(has_text="far")
    expect(queue).to_contain_text(re.compile(r"due \d+s ago|due now"))
    visitor.press(queue.get_by_role("button", name="Preview"))
    expect(page.get_by_label("Preview of far")).to_contain_text("distant one")
    visitor.press(queue.get_by_role("button", name="Pause"))
    expect(queue).to_contain_text("paused")
    expect(waits.get_by_role("row").filter(has_text="distant one")).to_contain_text("queue 'far' is paused")
    assert fleet.reader.queues()[-1].description == "machines elsewhere"
    visitor.press(limits.get_by_role("row").filter(has_text="tag:gpu").get_by_role("button", name="Change"))
    visitor.press(page.get_by_role("dialog").get_by_role("button", name="Remove"))
    expect(limits.get_by_role("row").filter(has_text="tag:gpu")).to_have_count(0)
    fleet.programs[-1].kill()
    expect(page.get_by_label("Workers that are gone")).to_contain_text("near")
