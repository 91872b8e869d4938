"""Variables, secrets, users, keys and the audit in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.e2e.browser import Visitor
    from tests.integration.served import Served


def test_variables_are_set_changed_and_deleted(visitor: Visitor, server: Served) -> None:
    visitor.sign_in()
    visitor.go("/variables")
    page, keys = visitor.page, visitor.page.keyboard
    expect(page.get_by_role("heading", name="No variable yet")).to_be_visible()
    button = page.get_by_role("button", name="New variable")
    button.click()
    box = page.get_by_role("dialog")
    expect(box.get_by_label("Name")).to_be_focused()
    keys.type("n" * 200)
    box.get_by_label("Value").fill("[1,")
    box.get_by_label("it is JSON").check()
    box.get_by_role("button", name="Save").click()
    expect(box.get_by_role("alert")).to_contain_text("The value is no JSON")
    box.get_by_label("Value").fill('{"model": ["مرحبا", 1.5]}')
    box.get_by_label("Tags").fill("a, b")
    box.get_by_role("button", name="Save").click()
    expect(button).to_be_focused()
    row = page.get_by_label("Variables").get_by_role("row").filter(has_text="n" * 200)
    expect(row).to_contain_text('{"model":["مرحبا",1.5]}')
    assert server.http.get(f"/api/variables/{'n' * 200}").json()["tags"] == ["a", "b"]
    row.get_by_role("button", name="Change").click()
    box.get_by_label("it is JSON").uncheck()
    box.get_by_label("Value").fill("<script>alert(1)</script>")
    box.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("<script>alert(1)</script>")
    server.http.put("/api/variables/other", json={"value": 1})
    expect(page.get_by_label("Variables").get_by_role("row")).to_have_count(3)
    row.get_by_role("button", name="Delete").click()
    expect(box.get_by_role("button", name="Keep it")).to_be_focused()
    keys.press("Escape")
    expect(row.get_by_role("button", name="Delete")).to_be_focused()
    keys.press("Enter")
    box.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_a_secret_is_written_and_never_shown(visitor: Visitor, server: Served) -> None:
    visitor.sign_in()
    visitor.go("/variables")
    page = visitor.page
    heard: list[str] = []
    page.on("response", lambda answer: heard.append(answer.text()) if "/api/ui/" in answer.url else None)
    page.get_by_role("button", name="New secret").click()
    box = page.get_by_role("dialog")
    box.get_by_label("Name").fill("no name!")
    box.get_by_label("Value").fill("hush-hush")
    box.get_by_role("button", name="Save").click()
    expect(box.get_by_role("alert")).to_contain_text("name-invalid")
    expect(box.get_by_label("Value")).to_have_value("")
    box.get_by_label("Name").fill("bucket-key")
    box.get_by_label("Value").fill("hush-hush")
    box.get_by_role("button", name="Save").click()
    row = page.get_by_label("Secrets").get_by_role("row").filter(has_text="bucket-key")
    expect(row).to_contain_text("local")
    row.get_by_role("button", name="Replace").click()
    expect(box.get_by_label("Value")).to_be_focused()
    expect(box.get_by_label("Value")).to_have_value("")
    page.keyboard.press("Escape")
    assert "hush" not in page.content() + "".join(heard)
    row.get_by_role("button", name="Delete").click()
    box.get_by_role("button", name="Delete").click()
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
    page.get_by_role("link", name="Users and keys").click()
    page.get_by_role("button", name="New user").click()
    box = page.get_by_role("dialog")
    box.get_by_label("Name").fill("ann")
    box.get_by_role("button", name="Make").click()
    users, keys = page.get_by_label("Users"), page.get_by_label("API keys")
    expect(users.get_by_role("row").filter(has_text="ann")).to_contain_text("may come in")
    page.get_by_label("Role of ann").select_option("editor")
    page.get_by_role("button", name="New key").click()
    box.get_by_label("Name").fill("laptop")
    box.get_by_label("Role").select_option("admin")
    box.get_by_role("button", name="Make").click()
    expect(box.get_by_role("alert")).to_contain_text("role-exceeded")
    box.get_by_label("Role").select_option("")
    box.get_by_label("read").check()
    box.get_by_role("button", name="Make").click()
    expect(page.get_by_role("dialog", name="The new key")).to_be_visible()
    text = page.get_by_role("dialog").locator("pre").inner_text()
    page.get_by_role("button", name="Done").click()
    row = keys.get_by_role("row").filter(has_text="laptop")
    expect(row).to_contain_text("never")
    assert text not in page.content()
    me = server.client(text).get("/api/server").json()
    assert (me["role"], me["scopes"]) == ("editor", ["read"])
    row.get_by_role("button", name="Revoke").click()
    box.get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("revoked")
    assert server.client(text).get("/api/server").status_code == 401
    users.get_by_role("button", name="Disable ann").click()
    box.get_by_role("button", name="Disable").click()
    expect(users.get_by_role("row").filter(has_text="ann")).to_contain_text("disabled")
    page.get_by_role("link", name="Audit").click()
    audit = page.get_by_label("Audit").get_by_role("row").filter(has_text="ann")
    expect(audit).not_to_have_count(0)
