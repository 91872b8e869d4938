"""What somebody asks of the pages who sees them for the first time: what failed, why, and what can be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.e2e.browser import Visitor
    from tests.integration.served import Served

FLOWS = """
    from ostinato import flow, task

    @task
    def load(n: int) -> int:
        if n > 5:
            raise ValueError(f"there are no {n} files")
        return n

    @flow
    def part(n: int) -> int:
        return load(n)

    @flow
    def report(n: int = 5) -> int:
        load(1)
        return part(n)
"""
FIRST = ("Selected", "State", "Run")
"""Heads of the columns that are always there."""
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "default": 5}}, "additionalProperties": False}


def columns_are_chosen_and_kept(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/runs")
    heads = page.get_by_role("table", name="Runs").get_by_role("columnheader")
    expect(heads).to_have_text([*FIRST, "Flow or deployment", "Started", "Took", "Tags", "What happened"])
    picker = page.locator(".picker")
    visitor.press(picker.locator("summary"))
    visitor.check(picker.get_by_label("Tags"), on=False)
    visitor.check(picker.get_by_label("Ended"))
    expect(page).to_have_url(re.compile("columns=flow%2Cstarted%2Ctook%2Chappened%2Cended$"))
    visitor.go("/runs")
    expect(heads).to_have_text([*FIRST, "Flow or deployment", "Started", "Took", "What happened", "Ended"])


def test_what_a_run_was_given_is_told_beside_what_failed_and_can_be_given_anew(
    visitor: Visitor, server: Served
) -> None:
    fleet = server.fleet
    deployment = fleet.deploy(fleet.write(FLOWS), "report", parameter_schema=SCHEMA, parameters={"n": 4})
    run = fleet.run(deployment, name="nine files", parameters={"n": 9})
    visitor.sign_in()
    page = visitor.page
    attention = page.get_by_label("Needs attention")
    expect(attention.get_by_role("listitem").filter(has_text="nine files")).to_contain_text("no worker serves queue")
    fleet.worker()
    expect(attention).to_contain_text("ValueError: there are no 9 files")

    visitor.press(attention.get_by_role("link", name="nine files"))
    wrong = page.get_by_label("What went wrong")
    expect(wrong).to_contain_text("It was started with other parameters than report/test gives:")
    expect(wrong.get_by_label("Other parameters")).to_have_text(
        re.compile(r"^\s*n 9, where the deployment gives 4\s*$")
    )
    expect(wrong).to_contain_text("in task load 1")
    bars = page.get_by_label("Task runs by time")
    expect(bars.get_by_role("link", name=re.compile(r"^load 1: "))).to_have_attribute(
        "title", re.compile(r"^load-\w{8}-0: ")
    )
    expect(page.locator(".times")).to_contain_text("end ")
    visitor.press(bars.get_by_role("link", name=re.compile(r"^subflow .* of part: ")))
    expect(page.locator(".crumbs")).to_have_text("Runs / nine files of report / part")
    visitor.press(page.locator(".crumbs").get_by_role("link", name="nine files"))
    expect(page.get_by_role("heading", name="nine files")).to_be_visible()

    visitor.press(page.get_by_role("button", name="Run with…"))
    field = page.locator("#field-n")
    expect(field).to_have_value("9")
    visitor.fill(field, "3")
    visitor.press(page.get_by_role("dialog").get_by_role("button", name="Run", exact=True))
    expect(page).not_to_have_url(re.compile(run.id))
    expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
    assert server.http.get("/api/runs/last").json()["parameters"] == {"n": 3}

    visitor.go("/flows/report")
    row = page.get_by_label("Parameters").get_by_role("row").filter(has_text="whole number")
    expect(row.get_by_role("cell")).to_have_text(["n", "whole number", "5", "test 4", ""])
    visitor.go("/deployments/report/test")
    row = page.get_by_label("Parameters").get_by_role("row").filter(has_text="whole number")
    expect(row.get_by_role("cell")).to_have_text(["n", "whole number", "5", "4", ""])
    expect(page.locator(".facts-list")).to_contain_text("default it names none")

    columns_are_chosen_and_kept(visitor)

    second = visitor.context.new_page()
    second.goto(f"{server.card.url}/runs/{fleet.reader.subflow_runs(run.id)[0].id}")
    expect(second.locator(".crumbs")).to_contain_text("nine files")
    visitor.go(f"/runs/{run.id}")
    expect(page.get_by_role("button", name="Retry from failure")).to_be_visible()
    assert server.http.delete(f"/api/runs/{run.id}").status_code == 204
    for one in (page, second):  # the subflow goes with the run that called it
        expect(one.get_by_role("alert")).to_contain_text("This run was deleted while its page was open")
    expect(page.get_by_role("button", name="Retry from failure")).to_have_count(0)


def test_times_are_round_and_names_without_their_keys(visitor: Visitor) -> None:
    visitor.sign_in()
    found = visitor.page.evaluate(
        """async () => {
            const file = (name) => document.querySelector('link[rel=icon]').href.replace('icon.svg', name);
            const { partsOf, ticksOf } = await import(file('lib/scale.js'));
            const { called, cut, titled } = await import(file('lib/names.js'));
            const numbers = [];
            for (let end = 10; end < 1e9; end *= 1.13) {
                numbers.push(ticksOf(partsOf([{ begin: 0, end }]), 0, 1).length);
            }
            const run = { begin: 0, end: 100_000 };
            const tasks = [{ begin: 0, end: 10_000 }, { begin: 70_000, end: 80_000 }, { begin: 100_000, end: 100_000 }];
            const parts = partsOf(tasks);
            return {
                least: Math.min(...numbers), most: Math.max(...numbers),
                cut: parts.map((part) => [part.begin, part.end]),
                whole: partsOf(tasks, [run]).map((part) => [part.begin, part.end]),
                ticks: ticksOf(parts, 0, 1).map((tick) => [tick.part, tick.after_ms, tick.at]),
                near: ticksOf(partsOf([run]), 0.5, 0.53).map((tick) => tick.at),
                names: ['load_trips-a8274cc8-0', 'fit-12345678-11', 'my-own-name', 'day-20260131-1'].map(called),
                short: cut('a_long_name of what 17', 11), title: titled('a/b/nightly'),
            };
        }"""
    )
    assert (found["least"], found["most"]) == (4, 6)
    assert found["cut"] == [[0, 10_000], [70_000, 80_000], [100_000, 100_000]]
    assert found["whole"] == [[0, 100_000]]
    assert found["ticks"][:4] == [[0, 0, 0], [0, 5_000, 5_000], [0, 10_000, 10_000], [1, 0, 70_000]]
    assert found["near"] == [50_000, 50_500, 51_000, 51_500, 52_000, 52_500, 53_000]
    assert found["names"] == ["load_trips 1", "fit 12", "my-own-name", "day-20260131-1"]
    assert (found["short"], found["title"]) == ("a_lon…at 17", {"flow": "a/b", "name": "nightly"})
