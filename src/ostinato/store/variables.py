"""Reading variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.records import Variable
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.store.database import Connection


def variable(db: Connection, name: str) -> Variable | None:
    """Give a variable, None when it is not set."""
    row = db.execute(sql.load("variables")["variable"], (name,)).fetchone()
    return None if row is None else _variable(row)


def variables(db: Connection) -> list[Variable]:
    """Give all variables by name."""
    return [_variable(row) for row in db.execute(sql.load("variables")["variables"])]


def variables_after(db: Connection, after: str, limit: int) -> list[Variable]:
    """Give variables by name, those that come after one."""
    return [_variable(row) for row in db.execute(sql.load("variables")["variables_after"], (after, limit))]


def _variable(row: tuple[Any, ...]) -> Variable:
    name, value, tags, updated_at = row
    decoded = msgspec.json.decode(tags, type=tuple[str, ...]) if tags else ()
    return Variable(name=name, value=value, tags=decoded, updated_at=updated_at)
