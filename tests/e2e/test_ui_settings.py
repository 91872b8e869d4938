"""Variables, secrets, users, keys and the audit in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.e2e.browser import Visitor
    from tests.integration.served import Served

NAME: Final = "team/" + "n" * 195


def test_variables_are_set_changed_and_deleted(visitor: Visitor, server: Served) -> None:
    visitor.sign_in()
    visitor.go("/variables")
    page, keys = visitor.page, visitor.page.keyboard
    expect(page.get_by_role("heading", name="No variable yet")).to_be_visible()
    button = page.get_by_role("button", name="New variable")
    visitor.press(button)
    box = page.get_by_role("dialog")
    expect(box.get_by_label("Name")).to_be_focused()
    keys.type(NAME)
    visitor.fill(box.get_by_label("Value"), "[1,")
    visitor.check(box.get_by_label("it is JSON"))
    visitor.press(box.get_by_role("button", name="Save"))
    expect(box.get_by_role("alert")).to_contain_text("The value is no JSON")
    visitor.fill(box.get_by_label("Value"), '{"model": ["مرحبا", 1.5]}')
    visitor.fill(box.get_by_label("Tags"), "a, b")
    visitor.press(box.get_by_role("button", name="Save"))
    expect(button).to_be_focused()
    row = page.get_by_label("Variables").get_by_role("row").filter(has_text=NAME)
    expect(row).to_contain_text('{"model":["مرحبا",1.5]}')
    assert server.http.get(f"/api/variables/{quote(NAME, safe='')}").json()["tags"] == ["a", "b"]
    visitor.press(row.get_by_role("button", name="Change"))
    visitor.check(box.get_by_label("it is JSON"), on=False)
    visitor.fill(box.get_by_label("Value"), "<script>alert(1)</script>")
    visitor.press(box.get_by_role("button", name="Save"))
    expect(row).to_contain_text("<script>alert(1)</script>")
    server.http.put("/api/variables/other", json={"value": 1})
    expect(page.get_by_label("Variables").get_by_role("row")).to_have_count(3)
    visitor.press(row.get_by_role("button", name="Delete"))
    expect(box.get_by_role("button", name="Keep it")).to_be_focused()
    keys.press("Escape")
    expect(row.get_by_role("button", name="Delete")).to_be_focused()
    keys.press("Enter")
    visitor.press(box.get_by_role("button", name="Delete"))
    expect(row).to_have_count(0)


def test_a_secret_is_written_and_never_shown(visitor: Visitor, server: Served) -> None:
    visitor.sign_in()
    visitor.go("/variables")
    page = visitor.page
    heard: list[str] = []
    page.on("response", lambda answer: heard.append(answer.text()) if "/api/ui/" in answer.url else None)
    visitor.press(page.get_by_role("button", name="New secret"))
    box = page.get_by_role("dialog")
    visitor.fill(box.get_by_label("Name"), "no name!")
    visitor.fill(box.get_by_label("Value"), "hush-hush")
    visitor.press(box.get_by_role("button", name="Save"))
    expect(box.get_by_role("alert")).to_contain_text("name-invalid")
    expect(box.get_by_label("Value")).to_have_value("")
    visitor.fill(box.get_by_label("Name"), "bucket-key")
    visitor.fill(box.get_by_label("Value"), "hush-hush")
    visitor.press(box.get_by_role("button", name="Save"))
    row = page.get_by_label("Secrets").get_by_role("row").filter(has_text="bucket-key")
    expect(row).to_contain_text("local")
    visitor.press(row.get_by_role("button", name="Replace"))
    expect(box.get_by_label("Value")).to_be_focused()
    expect(box.get_by_label("Value")).to_have_value("")
    page.keyboard.press("Escape")
    assert "hush" not in page.content() + "".join(heard)
    visitor.press(row.get_by_role("button", name="Delete"))
    visitor.press(box.get_by_role("button", name="Delete"))
    expect(row).to_have_count(0)
    assert server.http.get("/api/secrets").json()["items"] == []


def test_a_key_is_shown_once_holds_until_it_is_revoked_and_all_of_it_is_in_the_audit(
    visitor: Visitor, server: Served, database: str
) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.go("/settings")
    expect(page.get_by_role("definition").filter(has_text="PostgreSQL" if database else "SQLite")).to_be_visible()
    expect(page.get_by_label("Retention")).to_contain_text("keep_runs_days")
    visitor.press(page.get_by_role("link", name="Users and keys"))
    visitor.press(page.get_by_role("button", name="New user"))
    box = page.get_by_role("dialog")
    visitor.fill(box.get_by_label("Name"), "ann")
    visitor.press(box.get_by_role("button", name="Make"))
    users, keys = page.get_by_label("Users"), page.get_by_label("API keys")
    expect(users.get_by_role("row").filter(has_text="ann")).to_contain_text("may come in")
    visitor.choose(page.get_by_label("Role of ann"), "editor")
    visitor.press(page.get_by_role("button", name="New key"))
    visitor.fill(box.get_by_label("Name"), "laptop")
    visitor.choose(box.get_by_label("Role"), "admin")
    visitor.press(box.get_by_role("button", name="Make"))
    expect(box.get_by_role("alert")).to_contain_text("role-exceeded")
    visitor.choose(box.get_by_label("Role"), "")
    visitor.check(box.get_by_label("read"))
    visitor.press(box.get_by_role("button", name="Make"))
    expect(page.get_by_role("dialog", name="The new key")).to_be_visible()
    text = page.get_by_role("dialog").locator("pre").inner_text()
    visitor.press(page.get_by_role("button", name="Done"))
    row = keys.get_by_role("row").filter(has_text="laptop")
    expect(row).to_contain_text("never")
    assert text not in page.content()
    me = server.client(text).get("/api/server").json()
    assert (me["role"], me["scopes"]) == ("editor", ["read"])
    visitor.press(row.get_by_role("button", name="Revoke"))
    visitor.press(box.get_by_role("button", name="Revoke"))
    expect(row.get_by_text("revoked", exact=True)).to_be_visible()
    assert server.client(text).get("/api/server").status_code == 401
    visitor.press(users.get_by_role("button", name="Disable ann"))
    visitor.press(box.get_by_role("button", name="Disable"))
    expect(users.get_by_role("row").filter(has_text="ann")).to_contain_text("disabled")
    visitor.press(page.get_by_role("link", name="Audit"))
    audit = page.get_by_label("Audit").get_by_role("row").filter(has_text="ann")
    expect(audit).not_to_have_count(0)
