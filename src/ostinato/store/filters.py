"""Queries as conditions of SQL: a table of columns and a table of operators, values always as parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.query import AHEAD

if TYPE_CHECKING:
    from ostinato.core.query import Query, Term

COLUMNS: Final[dict[str, str]] = {
    "flow": "r.flow",
    "name": "r.name",
    "state": "r.state",
    "id": "r.id",
    "parent": "r.parent_id",
    "root": "r.root_id",
    "version": "r.version",
    "deployment": "r.deployment",
    "queue": "r.queue",
    "worker": "r.worker",
    "schedule": "r.schedule",
    "due": "r.due_at",
    "created": "r.created_at",
    "started": "r.started_at",
    "ended": "r.ended_at",
    "attempt": "r.attempt",
    "epoch": "r.epoch",
}

_NULLABLE: Final = frozenset({"started", "ended"})
"""Fields that are NULL when they are none; others are empty text."""
_TAG: Final = "EXISTS (SELECT 1 FROM flow_run_tags AS t WHERE t.run_id = r.id AND t.tag IN ({marks}))"
_SPECIAL: Final = re.compile(r"[%_\\]")
_LONGEST_LIKE: Final = 1000
_DURATION: Final = "(CASE WHEN r.ended_at IS NULL THEN {now} ELSE r.ended_at END - r.started_at)"


def where(query: Query, now: int) -> tuple[str, list[Any]]:
    """Give the condition on `flow_runs AS r` that a query means, and its parameters."""
    parts: list[str] = []
    values: list[Any] = []
    for term in query.terms:
        part, given = _term(term, now)
        # A term about an empty field is unknown in SQL; it counts as false, its opposite as true.
        parts.append(f"NOT coalesce({part}, false)" if term.negated else f"({part})")
        values += given
    return " AND ".join(parts) or "true", values


def _term(term: Term, now: int) -> tuple[str, list[Any]]:
    values: list[Any] = list(term.values)
    marks = ", ".join("?" * len(values))
    if term.field == "tag":
        return _TAG.format(marks=marks), values
    if term.field == AHEAD:
        return f"(r.state = 'Scheduled' AND r.due_at > {int(now)})", []
    if not term.field:
        return _has(("r.name", "r.flow"), values)
    column = COLUMNS.get(term.field) or _DURATION.format(now=int(now))
    match term.op:
        case "in":
            return f"{column} IN ({marks})", values
        case "prefix":  # a range, so that the index serves; "g" follows all hexadecimal digits
            return " OR ".join([f"({column} >= ? AND {column} < ?)"] * len(values)), [
                bound for value in values for bound in (value, f"{value}g")
            ]
        case "none":
            return (f"{column} IS NULL" if term.field in _NULLABLE else f"{column} = ''"), []
        case "within":
            return f"({column} >= ? AND {column} < ?)", values
        case "has":
            return _has((column,), values)
        case _:
            return f"{column} {term.op} ?", values


def _has(columns: tuple[str, ...], words: list[Any]) -> tuple[str, list[Any]]:
    """Give the condition that one of the columns contains one of the words, in any case."""
    parts: list[str] = []
    values: list[Any] = []
    for word in map(str, words):
        # LIKE knows ASCII only; `lower`, which knows all alphabets, is ours and takes the GIL for each row.
        plain = word.isascii() and word.isprintable() and len(word) <= _LONGEST_LIKE
        text = "%" + _SPECIAL.sub(r"\\\g<0>", word) + "%" if plain else word.lower()
        parts += [f"{column} LIKE ? ESCAPE '\\'" if plain else f"instr(lower({column}), ?) > 0" for column in columns]
        values += [text] * len(columns)
    return " OR ".join(parts), values
