"""What the web interface completes in a query is what the grammar has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ostinato
from ostinato.core.query import RUN_FIELDS, STATE_GROUPS
from ostinato.core.states import TABLE

UI = Path(ostinato.__file__).parent / "ui"


def test_the_fields_that_are_completed_are_those_of_the_grammar() -> None:
    text = (UI / "lib/completion.js").read_text()
    (table,) = re.findall(r"FIELDS = .*?\(\{(.*?)\}\);", text, re.DOTALL)
    assert dict(re.findall(r'(\w+): "(.*?)"', table)) == {name: field.help for name, field in RUN_FIELDS.items()}


def test_the_states_that_are_completed_are_those_of_the_table_and_its_groups() -> None:
    (states,) = re.findall(r"export const STATES = \{(.*?)\n\};", (UI / "lib/states.js").read_text(), re.DOTALL)
    assert set(re.findall(r"(\w+): \{ glyph", states)) == set(TABLE)
    completed = re.findall(r"state: \[.*\.toLowerCase\(\)\), (.*?)\],", (UI / "lib/completion.js").read_text())
    assert json.loads(f"[{completed[0]}]") == list(STATE_GROUPS)
