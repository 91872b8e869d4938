"""Reading artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core.records import Artifact
from ostinato.store import sql

if TYPE_CHECKING:
    from ostinato.store.database import Connection

_FIELDS = ("id", "run_id", "no", "key", "kind", "description", "at", "data", "blob", "media_type")


def artifacts(db: Connection, run_id: str) -> list[Artifact]:
    """Give the artifacts of a flow run and its subflows, oldest first."""
    rows = db.execute(sql.load("artifacts")["artifacts"], (run_id,))
    return [Artifact(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
