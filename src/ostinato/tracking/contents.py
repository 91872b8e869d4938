"""The bytes of what is logged as a file: JSON, figures, tables."""

from __future__ import annotations

import mimetypes
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.errors import TrackedValueInvalid
from ostinato.engine.artifacts import columns_and_rows

if TYPE_CHECKING:
    from collections.abc import Callable


def json_bytes(value: Any) -> bytes:
    """Give a value as JSON with two spaces of indent; what JSON does not know as a number or text."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2)


def table_bytes(rows: Any) -> bytes:
    """Give a table as JSON: its columns, and its rows as lists."""
    columns, body = columns_and_rows(rows)
    return msgspec.json.encode({"columns": columns, "data": body}, enc_hook=_plain)


def figure_bytes(figure: Any, path: str) -> bytes:
    """Give a figure of matplotlib (any of its formats) or plotly (`.html`, or an image where it can).

    Raises:
        TrackedValueInvalid: (tracked-value-invalid) it is no figure.
    """
    ending = path.rpartition(".")[2].lower()
    if hasattr(figure, "savefig"):
        image = BytesIO()
        figure.savefig(image, format=ending)
        return image.getvalue()
    if hasattr(figure, "write_html"):
        return _plotly_bytes(figure, ending)
    raise TrackedValueInvalid(
        what=f"A {type(figure).__name__}",
        reason="it is no figure of matplotlib or plotly",
        fix="Save it to a file, and keep that: log_artifact(path).",
    )


def _plotly_bytes(figure: Any, ending: str) -> bytes:
    if ending in ("html", "htm"):
        page = StringIO()
        figure.write_html(page, include_plotlyjs="cdn", auto_open=False)
        return page.getvalue().encode()
    to_image: Callable[..., bytes] = figure.to_image
    return to_image(format=ending)


def media_type(path: str) -> str:
    """Give the media type that the end of a path says, or ""."""
    return mimetypes.guess_type(path)[0] or ""


def _plain(value: Any) -> Any:
    """Give scalars and arrays of numpy as numbers and lists, everything else as text."""
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else str(value)
