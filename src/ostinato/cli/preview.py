"""Artifacts as a few lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.cli.lines import Line, columns_of, one_line

if TYPE_CHECKING:
    from ostinato.cli.screen import Screen
    from ostinato.core.records import Artifact

_ROWS = 10
_TEXT_LINES = 6


def artifact_lines(artifact: Artifact, screen: Screen) -> list[Line]:
    """Give kind, name and description of an artifact, and the beginning of what it holds."""
    said = one_line(artifact.description.partition("\n")[0])
    head: Line = [
        (f"  {artifact.kind}", "dim"),
        (f"  {one_line(artifact.key) or 'unnamed'}", "bold"),
        (f"  {said}", ""),
    ]
    return [head, *_BODIES.get(artifact.kind, _nothing)(artifact, screen)]


def table_lines(columns: list[str], rows: list[list[Any]], screen: Screen) -> list[Line]:
    """Give a table, numbers at the right, at most ten rows."""
    numbers = [all(isinstance(row[at], int | float) for row in rows[:_ROWS]) for at in range(len(columns))]
    cells = [[("    " * (at == 0) + one_line(name), "dim") for at, name in enumerate(columns)]]
    formats = [_float_format([row[at] for row in rows[:_ROWS]]) for at in range(len(columns))]
    cells += [
        [("    " * (at == 0) + _cell(value, formats[at]), "") for at, value in enumerate(row)] for row in rows[:_ROWS]
    ]
    lines = columns_of(cells, screen.table_columns, right=[at for at, number in enumerate(numbers) if number and at])
    return [*lines, [(f"    … {len(rows) - _ROWS:,} more rows", "dim")]] if len(rows) > _ROWS else lines


def _table(artifact: Artifact, screen: Screen) -> list[Line]:
    try:
        table = msgspec.json.decode(artifact.data, type=Table)
    except msgspec.DecodeError:
        return []
    whole = [row for row in table.rows if len(row) == len(table.columns)]
    return table_lines(table.columns, whole, screen) if table.columns else []


class Table(msgspec.Struct):
    """What a table artifact holds."""

    columns: list[str]
    rows: list[list[Any]]


def _markdown(artifact: Artifact, _screen: Screen) -> list[Line]:
    text = msgspec.json.decode(artifact.data, strict=False)
    rows = str(text).strip().splitlines()
    shown: list[Line] = [[("    " + one_line(row), "")] for row in rows[:_TEXT_LINES]]
    return [*shown, [(f"    … {len(rows) - _TEXT_LINES:,} more lines", "dim")]] if len(rows) > _TEXT_LINES else shown


def _link(artifact: Artifact, _screen: Screen) -> list[Line]:
    found = msgspec.json.decode(artifact.data)
    url = found.get("url", "") if isinstance(found, dict) else found
    return [[("    " + one_line(str(url)), "cyan")]]


def _stored(artifact: Artifact, _screen: Screen) -> list[Line]:
    return [[(f"    {artifact.media_type}, stored value {artifact.blob}", "dim")]] if artifact.blob else []


def _nothing(_artifact: Artifact, _screen: Screen) -> list[Line]:
    return []


_BODIES = {"table": _table, "markdown": _markdown, "link": _link, "image": _stored, "html": _stored}


def _float_format(column: list[Any]) -> str:
    """Give one format for all floats of a column, so that their points stand below one another."""
    sizes = [abs(value) for value in column if isinstance(value, float) and value]
    if sizes and min(sizes) < 0.001:
        return ".3e"
    return ",.1f" if max(sizes, default=0) >= 1000 else ",.4f"


def _cell(value: Any, floats: str) -> str:
    if isinstance(value, float):
        return format(value, floats)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else one_line(str(value))
