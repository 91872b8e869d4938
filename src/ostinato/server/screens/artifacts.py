"""The page of all artifacts, and that of one; of what is large only the beginning."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar.params import QueryParameter

from ostinato.core.views import instant, json_or_text
from ostinato.server.artifacts import Id
from ostinato.server.doors import MOST_INT, Ask, Limit, read_at
from ostinato.store import screens

if TYPE_CHECKING:
    from ostinato.server.office import Shelf
    from ostinato.store.database import Connection
    from ostinato.store.screens import ArtifactHead

N_LOOKS: Final = 10
"""A look takes in a bounded number of artifacts; what is rare is looked for so often by one request."""
N_OF_RUN: Final = 200
N_VERSIONS: Final = 30
SMALL_BYTES: Final = 16_384
"""So much is shown with the run at once; the rest is asked for when somebody opens it."""
MOST_CHARACTERS: Final = 50_000
MOST_ROWS: Final = 200
MOST_COLUMNS: Final = 50
LONGEST_CELL: Final = 500

Kind = Annotated[str, QueryParameter(max_length=50, description="Only of this kind, such as `table`.")]
Name = Annotated[str, QueryParameter(max_length=200, description="Only those with this text in their names.")]
Before = Annotated[int, QueryParameter(name="after", ge=0, le=MOST_INT, description="`next` of the page before.")]


class ArtifactRow(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact in a list."""

    id: int
    run_id: str
    run: str
    """Name of the run."""
    flow: str
    key: str | None
    kind: str
    description: str
    at: datetime
    media_type: str | None
    size_bytes: int


class ArtifactCard(ArtifactRow, frozen=True, kw_only=True):
    """An artifact with what it holds."""

    data: Any
    whole: bool
    """False when there is more of it than `data` has."""


class ArtifactsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """A page of all artifacts, the newest first."""

    items: list[ArtifactRow]
    next: str | None


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact of a series."""

    id: int
    run_id: str
    run: str
    at: datetime


class ArtifactScreen(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact, and the newest ones of its name."""

    artifact: ArtifactCard
    versions: list[VersionRow]


@read_at("/api/ui/artifacts")
async def artifacts_screen(
    request: Ask, kind: Kind = "", name: Name = "", limit: Limit = 50, before: Before = MOST_INT
) -> ArtifactsScreen:
    """Give a page of the list of artifacts."""

    def ask(shelf: Shelf) -> ArtifactsScreen:
        found: list[ArtifactHead] = []
        after = before
        for _ in range(N_LOOKS):
            more, after = screens.artifacts(shelf.db, before=after, kind=kind, name=name, limit=limit - len(found))
            found += more
            if not after or len(found) == limit:
                break
        return ArtifactsScreen(items=[ArtifactRow(**_facts(one)) for one in found], next=str(after) if after else None)

    return await request.look(ask)


@read_at("/api/ui/artifacts/{number:int}")
async def artifact_screen(request: Ask, number: Id) -> ArtifactScreen:
    """Give the page of an artifact: of what is large the beginning."""

    def ask(shelf: Shelf) -> ArtifactScreen:
        one = screens.artifact(shelf.db, number)
        data, whole = beginning(json_or_text(one.data or b""))
        series = screens.versions(shelf.db, one.key, N_VERSIONS) if one.key else []
        return ArtifactScreen(
            artifact=ArtifactCard(**_facts(one), data=data, whole=whole),
            versions=[
                VersionRow(id=number, run_id=run_id, run=run, at=instant(at)) for number, run_id, run, at in series
            ],
        )

    return await request.look(ask)


def artifact_cards(db: Connection, run_id: str) -> list[ArtifactCard]:
    """Give the newest artifacts of a run and the runs below it, the oldest of them first; large ones without data."""
    found = screens.artifacts_of(db, run_id, limit=N_OF_RUN, most_bytes=SMALL_BYTES)
    return [
        ArtifactCard(**_facts(one), data=json_or_text(one.data or b""), whole=one.data is not None) for one in found
    ]


def _facts(one: ArtifactHead) -> dict[str, Any]:
    size = json_or_text(one.data or b"") if one.blob else None
    return {
        "id": one.id,
        "run_id": one.run_id,
        "run": one.run,
        "flow": one.flow,
        "key": one.key or None,
        "kind": one.kind,
        "description": one.description,
        "at": instant(one.at),
        "media_type": one.media_type or None,
        "size_bytes": size["size"] if isinstance(size, dict) and isinstance(size.get("size"), int) else one.n_bytes,
    }


def beginning(value: Any) -> tuple[Any, bool]:
    """Give as much of the value of an artifact as a page can show, and whether that is all.

    Example:
        >>> beginning({"columns": ["n"], "rows": [[n] for n in range(1000)]})[1]
        False
    """
    if isinstance(value, str):
        return value[:MOST_CHARACTERS], len(value) <= MOST_CHARACTERS
    if isinstance(value, dict) and isinstance(value.get("rows"), list) and isinstance(value.get("columns"), list):
        columns, rows = value["columns"], value["rows"]
        cut = {"columns": columns[:MOST_COLUMNS], "rows": [_row(row) for row in rows[:MOST_ROWS]], "n_rows": len(rows)}
        return cut, len(columns) <= MOST_COLUMNS and len(rows) <= MOST_ROWS
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return (value, True) if len(text) <= MOST_CHARACTERS else (text[:MOST_CHARACTERS], False)


def _row(row: Any) -> list[Any]:
    cells = row if isinstance(row, list) else [row]
    return [cell if isinstance(cell, int | float | None) else _text(cell) for cell in cells[:MOST_COLUMNS]]


def _text(cell: Any) -> str:
    text = cell if isinstance(cell, str) else msgspec.json.encode(cell).decode()
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
