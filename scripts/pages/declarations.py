"""Declarations of what the API answers, for the pages of the web interface: TypeScript from the schemas of OpenAPI."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, get_args

from ostinato.core.states import StateName
from ostinato.server.rest import application

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE: Final = "src/ostinato/ui/lib/answers.d.ts"
PLAIN: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
STATES: Final = get_args(StateName)

_MODULE: Final = re.compile(r"(?<![A-Za-z])(?:[a-z]\w*\.)+")
_REFERENCE: Final = re.compile(r'"\$ref": "([^"]+)"')


def text() -> str:
    """Give the file: a type for each schema that an answer has, and what each path without parameters answers."""
    described: dict[str, Any] = application().openapi_schema.to_schema()
    answers = {path: _answer(one["get"]) for path, one in described["paths"].items() if "get" in one}
    lines = [
        "/** What the API answers, from its description; written by `scripts/reference`. */",
        "declare namespace Api {",
        "  /** What a path answers that `Answers` has; anything else where an address has parts of its own. */",
        "  type Answer<P extends string> = P extends keyof Answers ? Answers[P] : any;",
        f"  type StateName = {_literals(STATES)};",
        *_declared(described["components"]["schemas"], answers),
        "  interface Answers {",
        *(f'    "{path[1:]}": {type_of(schema)};' for path, schema in answers.items() if "{" not in path),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _answer(operation: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of what an operation answers; an empty one where that is no JSON."""
    content = operation["responses"]["200"].get("content", {})
    schema: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    return schema


def _declared(schemas: dict[str, Any], answers: dict[str, Any]) -> Iterator[str]:
    reached: dict[str, None] = {}
    waiting = _references(answers)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = None
            waiting += _references(schemas[name])
    for name in sorted(reached, key=_name):
        schema = schemas[name]
        if "properties" not in schema:
            yield f"  type {_name(name)} = {type_of(schema)};"
            continue
        yield f"  interface {_name(name)} {{"
        for field, one in schema["properties"].items():
            mark = "" if field in schema.get("required", []) else "?"
            yield f"    {field}{mark}: {type_of(one)};"
        yield "  }"


def _references(schema: object) -> list[str]:
    return [found.rpartition("/")[2] for found in _REFERENCE.findall(json.dumps(schema))]


def _name(component: str) -> str:
    """Give the name of a type: `Page_RunView` for `Page_ostinato.core.views.RunView_`."""
    return _MODULE.sub("", component).strip("_")


def type_of(schema: dict[str, Any]) -> str:
    """Give the type of a value."""
    match schema:
        case {"$ref": str(reference)}:
            return _name(reference.rpartition("/")[2])
        case {"oneOf": [*options]} | {"anyOf": [*options]}:
            return " | ".join(dict.fromkeys(map(type_of, options)))
        case {"allOf": [one]}:
            return type_of(one)
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]}:
            return _literals(values).replace(_literals(STATES), "StateName")
        case {"prefixItems": [*items]}:
            return f"[{', '.join(map(type_of, items))}]"
        case {"items": dict(item)}:
            inner = type_of(item)
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": dict(value)}:
            return f"Record<string, {type_of(value)}>"
        case {"type": "object"}:
            return "Record<string, any>"
        case {"type": str(kind)}:
            return PLAIN.get(kind, "any")
        case _:
            return "any"


def _literals(values: Iterable[object]) -> str:
    return " | ".join(map(json.dumps, values))
