"""Artifacts as files: tables as CSV, texts as Markdown, images as they are."""

from __future__ import annotations

import csv
import io
import mimetypes
import re
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.cli.preview import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ostinato.core.ports import Reader
    from ostinato.core.records import Artifact


def save(reader: Reader, artifacts: Iterable[Artifact], folder: Path) -> list[Path]:
    """Write artifacts into a folder, named by their keys; give the files. The newest of a series stays."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[Path, None] = {}
    for artifact in artifacts:
        name = re.sub(r"[^\w.-]+", "-", artifact.key).strip("-.") or f"{artifact.kind}-{artifact.id}"
        for ending, data in _contents(reader, artifact):
            file = folder / f"{name}{ending}"
            file.write_bytes(data)
            files[file] = None
    return list(files)


def _contents(reader: Reader, artifact: Artifact) -> Iterator[tuple[str, bytes]]:
    if artifact.blob:
        yield mimetypes.guess_extension(artifact.media_type) or ".bin", reader.blob(artifact.blob)
    elif artifact.kind == "table":
        yield ".csv", _csv(msgspec.json.decode(artifact.data, type=Table))
    elif artifact.kind == "markdown":
        yield ".md", str(msgspec.json.decode(artifact.data)).encode()
    elif artifact.data:
        yield ".json", artifact.data


def _csv(table: Table) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows: list[list[Any]] = [table.columns, *table.rows]
    writer.writerows(rows)
    return out.getvalue().encode()
