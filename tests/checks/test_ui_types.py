"""The types of the web interface: what the check finds, and how types are made of what the API describes."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from checks import types_ui
from checks.tree import ROOT
from pages.declarations import text, type_of

if TYPE_CHECKING:
    from pathlib import Path

UI = ROOT / "src/ostinato/ui"
WRONG = """/** Wrong. */
import { signal } from "@preact/signals";

/** @type {number} */
export const number = "text";
export const length = signal(1).value.length;
export const name = (/** @type {Api.RunView} */ run) => run.nmae;
"""


@pytest.mark.skipif(
    not shutil.which("npm") and not os.environ.get("CI"), reason="npm is missing (on Debian: apt-get install npm)"
)
def test_a_wrong_type_is_found_also_in_what_comes_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    shutil.copy(UI / "vendor/lock.json", tmp_path / "vendor")
    shutil.copy(UI / "lib/answers.d.ts", tmp_path)
    (tmp_path / "wrong.js").write_text(WRONG, encoding="utf-8")
    found = types_ui.compiled(tmp_path, print)
    assert [line.partition(",")[0] for line in found] == ["wrong.js(5", "wrong.js(6", "wrong.js(7"], found


def test_without_node_the_check_fails_in_ci_and_tells_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CI", "true")
    notes: list[str] = []
    (found,) = types_ui.compiled(UI, notes.append)
    assert found.startswith("node and npm are needed")
    monkeypatch.delenv("CI")
    assert types_ui.compiled(UI, notes.append) == []
    assert len(notes) == 1


def test_types_are_those_of_the_schemas() -> None:
    number, nothing = {"type": "integer"}, {"type": "null"}
    for schema, wanted in (
        ({}, "any"),
        ({"oneOf": [number, {"type": "number"}, nothing]}, "number | null"),
        ({"type": "array", "prefixItems": [number, {"type": "string"}]}, "[number, string]"),
        (
            {"type": "array", "items": {"$ref": "#/components/schemas/Page_ostinato.core.views.RunView_"}},
            "Page_RunView[]",
        ),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "Record<string, boolean>"),
        ({"type": "string", "enum": ["a", "b"]}, '"a" | "b"'),
        ({"type": "string", "const": "a"}, '"a"'),
    ):
        assert type_of(schema) == wanted


def test_a_page_finds_the_type_of_what_its_address_answers() -> None:
    made = text()
    assert '    "api/ui/home": HomeScreen;' in made
    assert "  interface RunRow {\n    id: string;\n" in made
    assert "    state: StateName;\n" in made
