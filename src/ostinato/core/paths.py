"""Paths of artifacts: relative, `/` between their parts, and never out of the place where they belong."""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import unquote

from ostinato.core.errors import PathInvalid

LONGEST: Final = 1024
"""Bytes of a path: what an index of PostgreSQL holds is bounded."""


def artifact_path(text: str, *, empty: bool = False) -> str:
    """Give a path in its one form; "" is the folder of all artifacts, when it is allowed.

    Raises:
        PathInvalid: (path-invalid) it is absolute, leads out, or is not one that every system can keep.

    Example:
        >>> artifact_path("model/./MLmodel"), artifact_path("", empty=True)
        ('model/MLmodel', '')
    """
    for form in {text, unquote(text)}:  # a name that hides `..` as %2e%2e is meant to be decoded somewhere
        reason = _reason(form)
        if reason:
            raise PathInvalid(path=text[:200], reason=reason)
    path = posixpath.normpath(text) if text else ""
    if path in ("", "."):
        if not empty:
            raise PathInvalid(path=text, reason="it names no file")
        return ""
    return path


def _reason(text: str) -> str:
    """Say why a path is refused, "" when it is not."""
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if any(ord(letter) < 32 or letter == "\x7f" for letter in text):
        return "it holds control characters"
    if "\\" in text:
        return "it holds a backslash"
    if text.startswith("/"):
        return "it is absolute"
    if text[1:3] in (":/", ":") and text[0].isalpha():
        return "it names a drive"
    if ".." in text.split("/"):
        return "it leads out by `..`"
    return ""
