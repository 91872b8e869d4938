"""Artifacts as files: what one holds, for looking at and for keeping; nothing of it may act in our name."""

from __future__ import annotations

import asyncio
import csv
import io
import mimetypes
import re
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from ostinato.core.views import json_or_text
from ostinato.server.blobs import PART_BYTES
from ostinato.server.doors import MOST_INT, Ask, file_at
from ostinato.store import screens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostinato.store.places import Outgoing
    from ostinato.store.screens import ArtifactHead

SHOWN: Final = re.compile(r"image/(png|jpeg|gif|webp|svg\+xml)|text/(html|markdown|csv|plain)(; ?charset=utf-8)?")
"""Kinds of files that a browser may show; all others are bytes to keep."""
BYTES: Final = "application/octet-stream"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
"""A file of users that a browser opens asks for nothing and, in a sandbox, is a place of its own that reads nothing."""
SCRIPTS: Final = "script-src 'unsafe-inline' 'unsafe-eval'"

Id = Annotated[int, PathParameter(ge=0, le=MOST_INT)]
Download = Annotated[bool, QueryParameter(description="As a file to keep.")]
Scripts = Annotated[bool, QueryParameter(description="A page may run its own scripts, in a place of its own.")]


def content_headers(media_type: str, name: str, *, download: bool = False, scripts: bool = False) -> dict[str, str]:
    """Give the headers with which a file of users goes out."""
    shown = SHOWN.fullmatch(media_type) is not None
    if shown and media_type.startswith("text/") and "charset" not in media_type:
        media_type += "; charset=utf-8"
    inline = shown and not download
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "file"
    named = f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
    return {
        "content-type": media_type if shown else BYTES,
        "content-disposition": f"{'inline' if inline else 'attachment'}; {named}",
        "content-security-policy": f"sandbox allow-scripts; {SCRIPTS}; {POLICY}" if scripts else f"sandbox; {POLICY}",
        "x-content-type-options": "nosniff",
        "cache-control": "private, max-age=3600",
        "referrer-policy": "no-referrer",
    }


@file_at("/api/artifacts/{number:int}/content")
async def give_content(request: Ask, number: Id, *, download: Download = False, scripts: Scripts = False) -> Stream:
    """Give an artifact as a file: a text as Markdown, a table as CSV, an image or a page as it is, a link as JSON."""
    one = await request.look(lambda shelf: screens.artifact(shelf.db, number))
    body: Iterator[bytes]
    if one.blob:
        media_type, ending = one.media_type or BYTES, mimetypes.guess_extension(one.media_type.partition(";")[0])
        file, size = await asyncio.to_thread(request.office.blobs.open, one.blob)
        body = _parts(file)
    else:
        media_type, ending, data = await asyncio.to_thread(_file_of, one)
        size, body = len(data), iter((data,))
    name = f"{one.key or f'{one.kind}-{one.id}'}{ending or '.bin'}"
    headers = content_headers(media_type, name, download=download, scripts=scripts)
    headers["content-length"] = str(size)
    return Stream(body, media_type=headers.pop("content-type").partition(";")[0], headers=headers)


def _parts(file: Outgoing) -> Iterator[bytes]:
    with file:
        while part := file.read(PART_BYTES):
            yield part


def _file_of(one: ArtifactHead) -> tuple[str, str, bytes]:
    """Give what an artifact holds as a file: media type, ending, bytes."""
    value = json_or_text(one.data or b"")
    if one.kind == "table" and isinstance(value, dict):
        return "text/csv; charset=utf-8", ".csv", _csv([value.get("columns", []), *value.get("rows", [])])
    if isinstance(value, str):
        return "text/markdown; charset=utf-8", ".md", value.encode(errors="replace")
    return BYTES, ".json", msgspec.json.format(one.data or b"null", indent=2)


def _csv(rows: list[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(errors="replace")


HANDLERS: Final = (give_content,)
