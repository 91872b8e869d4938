"""Deployments in a real browser: run with the parameters of a form, backfilled by date, paused, removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.e2e.browser import Visitor, deployed
from tests.e2e.looks import look

from ostinato.core.deployments import Timetable
from ostinato.core.schedules import Cron

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator
    from tests.e2e.conftest import Cli
    from tests.e2e.hands import Hand
    from tests.integration.served import Served

DAILY = Timetable(slug="daily", schedule=Cron("0 3 * * *", timezone="Europe/Berlin"))
SCORE = '''
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ostinato import flow


@dataclass
class Model:
    depth: int
    rate: float = 0.1


@flow
def score(
    day: date,
    model: Model,
    rows: list[str],
    n: int = 5,
    kind: Literal["tree", "line"] = "tree",
    fast: bool = False,
    note: str | None = "none yet",
    extra: dict[str, dict[str, int]] = {},
    token: str = "",
) -> str:
    """Score a day.

    Args:
        day: The day that is scored.
    """
    return f"{day} {model.depth} {model.rate} {rows} {n} {kind} {fast} {note} {extra} {token}"
'''
ASKING = """
    from dataclasses import dataclass

    from ostinato import flow, pause

    @dataclass
    class Approval:
        approve: bool
        note: str = ""
        n: int = 3

    @flow
    def publish() -> str:
        answer = pause(Approval, key="approval")
        return f"{answer.approve} {answer.note.strip()} {answer.n}"
"""


def field(visitor: Visitor, path: str) -> Locator:
    return visitor.page.locator(f'[id="field-{path}"]')


def test_a_run_is_made_with_the_parameters_of_the_form(visitor: Visitor, server: Served, cli: Cli) -> None:
    (cli.folder / "scores.py").write_text(SCORE)
    cli("deploy", "scores.py:score", "--name", "test", "-p", "n=7")
    server.fleet.worker()
    visitor.sign_in()
    visitor.go("/deployments/score/test")
    page, keys = visitor.page, visitor.page.keyboard
    expect(page.get_by_label("Parameters").get_by_role("row").filter(has_text="rows")).to_contain_text("list of text")
    keys.press("r")  # it needs parameters
    box = page.get_by_role("dialog")
    expect(field(visitor, "n")).to_have_value("7")
    expect(box.get_by_text("The day that is scored.")).to_be_visible()
    expect(field(visitor, "token")).to_have_attribute("type", "password")
    keys.press("Escape")
    keys.press("w")  # at once: the box that closes does not take this one along
    visitor.fill(field(visitor, "day"), "2026-01-31")
    visitor.fill(field(visitor, "rows"), "a b\n ج \n")
    visitor.fill(field(visitor, "model.depth"), "3")
    visitor.choose(field(visitor, "kind"), "line")
    visitor.check(field(visitor, "fast"))
    visitor.fill(field(visitor, "note"), "")
    visitor.fill(field(visitor, "extra"), "{")
    visitor.press(box.get_by_role("button", name="Run"))
    expect(box.get_by_role("alert")).to_contain_text("it is no JSON")
    expect(field(visitor, "extra")).to_be_focused()
    visitor.fill(field(visitor, "extra"), '{"a": {"b": "x"}}')
    visitor.press(box.get_by_role("button", name="Run"))
    expect(box.get_by_role("alert")).to_contain_text('"x" is not a whole number')
    expect(field(visitor, "extra")).to_have_attribute("aria-invalid", "true")
    visitor.fill(field(visitor, "extra"), '{"a": {"b": 1}}')
    visitor.press(box.get_by_text("Name, time, tags"))
    visitor.fill(box.get_by_label("Name of the run"), "by hand")
    visitor.fill(box.get_by_label("More tags"), "gpu, night")
    visitor.press(box.get_by_role("button", name="Run"))
    expect(page.get_by_role("heading", name="by hand")).to_be_visible()
    run = server.fleet.wait(page.url.rsplit("/", 1)[1])
    assert run.tags == ("gpu", "night")
    result = server.http.get(f"/api/runs/{run.id}").json()["result"]["value"]
    assert result == "2026-01-31 3 0.1 ['a b', 'ج'] 7 line True None {'a': {'b': 1}} "


def test_past_times_are_backfilled_and_shown_by_date(visitor: Visitor, server: Served) -> None:
    deployment = deployed(server, schedules=(DAILY,), description="Trains\neach night. ليل")
    (server.fleet.folder / "mended").touch()
    visitor.sign_in()
    visitor.go("/deployments")
    page, keys = visitor.page, visitor.page.keyboard
    row = page.get_by_label("Deployments").get_by_role("row").filter(has_text="train/test")
    expect(row).to_contain_text("at 03:00 each day, Europe/Berlin")
    visitor.press(row.get_by_role("link", name="train/test", exact=True))
    expect(page.get_by_label("Next times").get_by_role("listitem")).to_have_count(5)
    expect(page.get_by_label("Next times")).to_contain_text(re.compile(r"03:00 Europe/Berlin"))
    button = page.get_by_role("button", name="Backfill…")
    visitor.press(button)
    box = page.get_by_role("dialog")
    visitor.fill(box.get_by_label("First day"), "2023-01-01")
    visitor.fill(box.get_by_label("Last day"), "2023-01-03")
    visitor.press(box.get_by_role("button", name="Look what there is to do"))
    expect(box.get_by_role("status")).to_have_text("3 to run")
    visitor.press(box.get_by_role("button", name="Make 3 runs"))
    expect(box).to_have_count(0)
    expect(button).to_be_focused()
    past = page.get_by_label("Past times of daily")
    for day in (1, 2, 3):
        cell = past.get_by_role("link", name=f"2023-01-0{day} 03:00: Completed, by a backfill")
        expect(cell).to_be_visible()
    keys.press("b")
    expect(box.get_by_label("First day")).to_be_focused()
    visitor.fill(box.get_by_label("First day"), "2022-12-31")
    visitor.fill(box.get_by_label("Last day"), "2023-01-02")
    keys.press("Enter")
    expect(box.get_by_role("status")).to_have_text("1 to run, 2 completed before")
    keys.press("Escape")
    keys.press("p")
    expect(page.get_by_text("It is paused.")).to_be_visible()
    expect(page.get_by_label("Last runs").get_by_role("row")).to_have_count(4)
    visitor.press(past.get_by_role("link").first)
    expect(page.locator(".title .state")).to_have_text(re.compile("Completed"))
    page.go_back()
    expect(page.get_by_role("heading", name="train/test")).to_be_visible()
    visitor.press(page.get_by_role("button", name="Remove…"))
    expect(box).to_contain_text("Remove train/test?")
    visitor.press(box.get_by_role("button", name="Keep it"))
    assert server.http.delete(f"/api/deployments/{deployment.id}").status_code == 204
    expect(page.get_by_text("It was removed while this page was open.")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("deployment-not-found")


def test_who_may_only_look_is_told_so(browser: Browser, server: Served, hand: type[Hand]) -> None:
    deployed(server, schedules=(DAILY,))
    server.http.post("/api/users", json={"name": "ann", "role": "viewer"})
    key = server.http.post("/api/keys", json={"user": "ann"}).json()["text"]
    visitor = Visitor(browser, server, hand)
    visitor.go("/deployments/train/test")
    page = visitor.page
    visitor.fill(page.get_by_label("API key"), key)
    visitor.press(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_text("You may look at this")).to_be_visible()
    for name in ("Run", "Run with…", "Backfill…", "Pause", "Remove…"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    visitor.go("/deployments")
    expect(page.get_by_role("button", name="Run")).to_be_disabled()
    visitor.go("/variables")
    expect(page.get_by_role("button", name="New secret")).to_be_disabled()
    visitor.go("/settings")
    expect(page.get_by_text("viewer", exact=True)).to_be_visible()
    visitor.go("/settings/access")
    expect(page.get_by_role("alert")).to_contain_text("access-refused")
    assert visitor.complaints == []
    visitor.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pages_and_forms_are_accessible(browser: Browser, server: Served, cli: Cli, theme: str) -> None:
    (cli.folder / "scores.py").write_text(SCORE)
    given = '{"day": "2023-01-01", "model": {"depth": 1}, "rows": []}'
    cli("deploy", "scores.py:score", "--name", "test", "--cron", "0 3 * * *", "--param-json", given)
    server.http.put("/api/variables/champion", json={"value": {"model": "boosted"}, "tags": ["a"]})
    server.http.put("/api/secrets/bucket", json={"value": "x"})
    server.http.post("/api/users", json={"name": "ann", "role": "viewer"})
    server.http.post("/api/keys", json={"user": "ann"})
    server.http.post("/api/deployments/score/test/backfill", json={"begin": "2023-01", "end": "2023-02"})
    visitor = Visitor(browser, server, color_scheme=theme, bypass_csp=True)
    visitor.sign_in()
    one = "/deployments/score/test"
    pages = ["/deployments", one, f"{one}?form=run", f"{one}?form=backfill", "/variables"]
    for path in [*pages, "/settings", "/settings/access", "/settings/audit"]:
        visitor.go(path)
        look(visitor.page, twice=theme == "light")
    visitor.context.close()


def test_each_kind_of_schema_has_a_field_and_words(visitor: Visitor) -> None:
    visitor.sign_in()
    found = visitor.page.evaluate(
        """async () => {
            const file = document.querySelector('link[rel=icon]').href.replace('icon.svg', 'parts/form.js');
            const { fieldsOf, said, take } = await import(file);
            const node = { $ref: '#/$defs/Node' }, none = { type: 'null' };
            const schema = {
                $defs: {
                    Node: {
                        type: 'object', required: ['n'],
                        properties: {
                            n: { type: 'integer' }, next: { anyOf: [node, none] }, all: { type: 'array', items: node },
                        },
                    },
                    Colour: { enum: ['red', 2] },
                },
                required: ['node'],
                properties: {
                    node, any: {},
                    colour: { allOf: [{ $ref: '#/$defs/Colour' }], default: 2 },
                    flag: { anyOf: [{ type: 'boolean' }, none], default: null },
                    numbers: { type: 'array', items: { type: 'number' }, default: [1] },
                    either: { anyOf: [{ type: 'integer' }, { type: 'string' }] },
                    same: { type: 'string', default: 'as it was' },
                },
                additionalProperties: true,
            };
            const fields = fieldsOf(schema, { other: 1 });
            const typed = {
                'node.n': '3', colour: '0', any: '{"deep": [null]}', flag: '2', numbers: '1\\n2.5\\n', either: '"x"',
                same: 'as it was', '*': '{"other": 2}',
            };
            const stood = { numbers: '1', same: 'as it was', '*': '{\\n  "other": 1\\n}' };
            const input = (name) => ({ value: typed[name] ?? '', defaultValue: stood[name] ?? '' });
            const elements = { namedItem: (id) => input(id.slice('field-'.length)) };
            return {
                kinds: Object.fromEntries(fields.map((one) => [one.name, one.kind])),
                words: Object.keys(schema.properties).map((name) => said(schema.properties[name], schema.$defs)),
                taken: take(fields, elements),
                whole: fieldsOf({}, { n: 1 }).map((one) => [one.label, one.kind, one.initial]),
            };
        }"""
    )
    assert found["kinds"] == {
        "node": "group", "colour": "choice", "any": "json", "flag": "choice", "numbers": "lines", "either": "json",
        "same": "text", "*": "json",
    }  # fmt: skip
    assert found["words"] == [
        "object", "any value", "one of red, 2", "yes or no or none", "list of number", "whole number or text", "text",
    ]  # fmt: skip
    assert found["taken"] == {
        "node": {"n": 3}, "colour": "red", "any": {"deep": [None]}, "numbers": [1, 2.5], "either": "x", "other": 2,
    }  # fmt: skip
    assert found["whole"] == [["Parameters", "json", {"n": 1}]]


def test_what_a_paused_run_asks_for_is_given_by_a_form(visitor: Visitor, server: Served) -> None:
    server.fleet.worker()
    run = server.fleet.run(server.fleet.deploy(server.fleet.write(ASKING), "publish"))
    server.fleet.wait(run, "Paused")
    visitor.sign_in()
    visitor.go(f"/runs/{run.id}")
    asked = visitor.page.get_by_label("Input approval")
    expect(asked).to_contain_text("It waits for approval")
    visitor.check(asked.get_by_label("approve"))
    visitor.fill(field(visitor, "note"), "fine ")
    visitor.press(asked.get_by_role("button", name="Give it and go on"))
    expect(visitor.page.locator(".title .state")).to_have_text(re.compile("Completed"))
    expect(asked).to_have_count(0)
    assert server.http.get(f"/api/runs/{run.id}").json()["result"]["value"] == "True fine 3"
