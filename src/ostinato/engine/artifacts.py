"""Artifacts: markdown, tables, links, images and pages of HTML that a run leaves for its readers.

from ostinato import artifact
artifact.table([{"model": "linear", "rmse": 7.76}], key="scores")
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.codec import digest
from ostinato.core.errors import BadOption, NoContext
from ostinato.core.events import ArtifactMade
from ostinato.engine.scopes import find_scope, now_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

IMAGES: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"<svg": "image/svg+xml",
    b"<?xm": "image/svg+xml",
}


def markdown(text: str, *, key: str = "", description: str = "") -> None:
    """Keep a text in Markdown. Artifacts of one `key` form a series of versions."""
    _make("markdown", key, description, text)


def table(rows: Any, *, key: str = "", description: str = "") -> None:
    """Keep a table: a list of dicts, a dict of columns, a list of lists (first row the header), or a data frame."""
    columns, body = columns_and_rows(rows)
    _make("table", key, description, {"columns": columns, "rows": body})


def link(url: str, *, text: str = "", key: str = "", description: str = "") -> None:
    """Keep a link.

    Raises:
        BadOption: (option-invalid) it is no http(s), s3, gs or file address.
    """
    if not url.startswith(("http://", "https://", "s3://", "gs://", "file://", "/")):
        fix = "Pass an address such as https://..."
        raise BadOption(
            option="url", value=url, where="artifact.link", reason="it is no http(s), s3, gs or file address", fix=fix
        )
    _make("link", key, description, {"url": url, "text": text or url})


def image(source: Any, *, key: str = "", description: str = "") -> None:
    """Keep an image: a path, the bytes of a PNG, JPEG, GIF or SVG, or a matplotlib figure.

    Raises:
        BadOption: (option-invalid) it is none of these.
    """
    data = _image_bytes(source)
    kind = next((kind for start, kind in IMAGES.items() if data.startswith(start)), "")
    if not kind:
        fix = "Pass a PNG, JPEG, GIF or SVG, or a matplotlib figure."
        raise BadOption(
            option="source", value=type(source).__name__, where="artifact.image", reason="it is no image", fix=fix
        )
    _make("image", key, description, {"size": len(data)}, data, kind)


def html(source: Any, *, key: str = "", description: str = "") -> None:
    """Keep a page of HTML: its text, a path, or what has `to_html`, such as a data frame or a figure of plotly.

    Raises:
        BadOption: (option-invalid) it is none of these.
    """
    text = _html_text(source)
    if not isinstance(text, str):
        fix = "Pass the text of a page, a Path, or an object with a method `to_html`."
        raise BadOption(
            option="source", value=type(source).__name__, where="artifact.html", reason="it is no page", fix=fix
        )
    data = text.encode()
    _make("html", key, description, {"size": len(data)}, data, "text/html")


def _make(kind: str, key: str, description: str, data: Any, blob: bytes = b"", media_type: str = "") -> None:
    scope = find_scope()
    if scope is None:
        raise NoContext(what=f"artifact.{kind}()")
    name = scope.root.recorder.put_blob(blob, digest(blob)) if blob else ""
    encoded = msgspec.json.encode(data, enc_hook=_plain)
    scope.root.push(ArtifactMade(scope.flow.id, scope.no, now_us(), key, kind, description, encoded, name, media_type))


def _plain(value: Any) -> Any:
    """Give numpy scalars as numbers, everything else as text."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else str(value)


def columns_and_rows(rows: Any) -> tuple[list[str], list[list[Any]]]:
    """Give the names of the columns and the rows of a table, whichever form it has."""
    if hasattr(rows, "columns") and hasattr(rows, "to_dict"):  # a pandas or polars frame
        rows = rows.to_dict("list") if hasattr(rows, "iloc") else rows.to_dict(as_series=False)
    if isinstance(rows, dict):
        return _from_columns(rows)
    body: Sequence[Any] = list(rows)
    if not body:
        return [], []
    if isinstance(body[0], dict):
        columns = list(dict.fromkeys(str(name) for row in body for name in row))
        return columns, [[row.get(name) for name in columns] for row in body]
    header, *rest = body
    return [str(name) for name in header], [list(row) for row in rest]


def _from_columns(columns: Mapping[Any, Iterable[Any]]) -> tuple[list[str], list[list[Any]]]:
    cells = [list(column) for column in columns.values()]
    if len({len(column) for column in cells}) > 1:
        lengths = {str(name): len(column) for name, column in zip(columns, cells, strict=True)}
        raise BadOption(
            option="rows",
            value=lengths,
            where="artifact.table",
            reason="the columns differ in length",
            fix="Make them equally long.",
        )
    return [str(name) for name in columns], [list(row) for row in zip(*cells, strict=True)]


def _image_bytes(source: Any) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if hasattr(source, "savefig"):
        buffer = BytesIO()
        source.savefig(buffer, format="png")
        return buffer.getvalue()
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return file.read()
    return b""


def _html_text(source: Any) -> Any:
    if isinstance(source, os.PathLike):
        with open(source, encoding="utf-8") as file:
            return file.read()
    make = getattr(source, "to_html", None)
    return make() if callable(make) else source
