"""What a paused run waits for: how it is shown, and how it is read from the words of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from ostinato.cli.lines import columns_of, one_line
from ostinato.cli.pairs import read_pairs, read_value
from ostinato.cli.times import ago, iso
from ostinato.core.inputs import answerers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostinato.cli.lines import Line
    from ostinato.core.ports import Reader
    from ostinato.core.records import FlowRun, RunInput


def asked_of(reader: Reader, run: FlowRun) -> RunInput | None:
    """Give what a run waits for now, None when it is nothing."""
    if run.state != "Paused":
        return None
    waiting = [one for one in reader.inputs(run.id) if one.given_at is None]
    return waiting[-1] if waiting else None


def read_words(asked: RunInput, words: Sequence[str]) -> Any:
    """Give the value that words mean: NAME=VALUE for a value with fields, else one word."""
    if not asked.schema:
        if words:
            message = f"The run waits for a word to go on only, and for no value ({' '.join(words)})."
            raise click.UsageError(message)
        return None
    schema = _whole(asked.schema)
    if _fields(schema):
        return read_pairs(words, schema)
    if len(words) != 1:
        message = f"The run waits for one value ({_kind(schema)}): `ostinato resume RUN VALUE`."
        raise click.UsageError(message)
    return read_value(words[0], schema)


def asked_lines(asked: RunInput, ref: str, now: int, columns: int) -> list[Line]:
    """Give what a run waits for, and the command that gives it; `ref` names the run in a shell."""
    facts = [one_line(asked.key), f"since {ago(asked.asked_at, now)}"]
    if asked.until:
        facts.append(f"until {iso(asked.until)}")
    by = answerers(asked.schema)
    if by:
        facts.append(f"by {one_line(' or '.join(by))}")
    if not asked.schema:
        return [[("  " + " · ".join(facts), "dim")], [(f"  ostinato resume {ref}", "cyan")]]
    schema = _whole(asked.schema)
    fields = _fields(schema)
    words = " ".join(f"{field}=..." for field in fields if field in schema.get("required", ())) or "NAME=VALUE"
    rows: list[Line] = [
        [(f"  {one_line(name)}", "bold"), (_kind(one), ""), (_default(name, one, schema), "dim")]
        for name, one in fields.items()
    ]
    return [
        [("  " + " · ".join(facts if fields else [*facts, _kind(schema)]), "dim")],
        *columns_of(rows, columns),
        [(f"  ostinato resume {ref} {words if fields else 'VALUE'}", "cyan")],
    ]


def asked_shape(asked: RunInput | None) -> dict[str, Any] | None:
    """Give it as `--json` prints it."""
    if asked is None:
        return None
    schema = msgspec.json.decode(asked.schema) if asked.schema else None
    return {"key": asked.key, "schema": schema, "asked_at": iso(asked.asked_at), "until": iso(asked.until or None)}


def _whole(text: bytes) -> dict[str, Any]:
    """Give a schema with its reference to one of its definitions followed."""
    schema: dict[str, Any] = msgspec.json.decode(text)
    definitions = schema.get("$defs", {})
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return {**definitions[name], "$defs": definitions} if name in definitions else schema


def _fields(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = schema.get("properties", {})
    return found


def _kind(schema: dict[str, Any]) -> str:
    """Give in a word or two which values a schema takes."""
    if "enum" in schema:
        return " or ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else kind or str(schema.get("$ref", "any")).rpartition("/")[2]


def _default(name: str, field: dict[str, Any], schema: dict[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "required"
    return f"default {msgspec.json.encode(field['default']).decode()}" if "default" in field else ""
