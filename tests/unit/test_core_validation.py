"""Values against a JSON schema: what is wrong is said in plain words, and no secret with it."""

from __future__ import annotations

from typing import Any

import pytest

from ostinato.core.validation import first_error

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "model": {"enum": ["tree", "forest"]},
        "most": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "label": {"type": ["string", "boolean"]},
        "api_key": {"type": "string"},
        "parts": {"type": "array", "items": {"type": "integer", "minimum": 3}},
        "place": {"type": "object", "properties": {"x": {}}, "required": ["x"], "additionalProperties": False},
    },
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ""),
        ({"m": 1}, "there is no parameter 'm'; there are: n, model, most, label, api_key, parts, place"),
        ({"n": "many"}, 'n: "many" is not a whole number'),
        ({"model": "wood"}, 'model: "wood" is none of "tree", "forest"'),
        ({"most": "x"}, 'most: "x" is not a number or null'),
        ({"label": 1}, "label: 1 is not true or false or a text"),
        ({"api_key": 17}, "api_key: it does not fit"),
        ({"parts": [1]}, "parts.0: 1 is less than the minimum of 3"),
        ({"place": {}}, "place: it needs the parameter 'x'"),
        ({"place": {"x": 1, "y": 2}}, "place: there is no parameter 'y'"),
        ({"n": "x" * 1000}, f'n: "{"x" * 56}... is not a whole number'),
    ],
)
def test_what_does_not_fit_is_said_in_plain_words(more: dict[str, Any], said: str) -> None:
    assert first_error(SCHEMA, {"n": 1, **more}, "parameter") == said


def test_what_is_missing_is_named() -> None:
    assert first_error(SCHEMA, {}) == "it needs the field 'n'"
