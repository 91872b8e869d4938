"""Markdown from docstrings and templates."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GENERATED = "<!-- Written by scripts/reference from the code: change the code, then run it. -->"

_SECTION = re.compile(r"(Args|Raises|Returns|Yields|Examples?|Note|Source):(.*)")
_ITEM = re.compile(r"([\w.*]+(?: or [\w.*]+)*):\s+(.*)")


def first_line(thing: object) -> str:
    """Give the first sentence of a docstring, or an empty string."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def from_docstring(thing: object) -> list[str]:
    """Give the docstring of `thing` as lines of markdown; doctests become `pycon` blocks."""
    out: list[str] = []
    in_section = in_doctest = False
    # The docstring of a module has no margin, and what is indented in it is code.
    text_of = (thing.__doc__ or "").strip() if inspect.ismodule(thing) else inspect.getdoc(thing) or ""
    for line in text_of.splitlines():
        section = _SECTION.fullmatch(line)
        text = line.strip()
        if in_doctest and not text:
            out.append("```")
            in_doctest = False
        if section:
            in_section = True
            out += [f"**{section[1]}:**{section[2]}", ""]
        elif text.startswith(">>>") and not in_doctest:
            in_doctest = True
            out += ["```pycon", text]
        elif in_section and not in_doctest and (item := _ITEM.fullmatch(text)):
            out.append(f"- `{item[1]}`: {item[2]}")
        elif in_section and not in_doctest and text:
            out.append(f"  {text}" if out and out[-1].startswith(("- ", "  ")) else text)
        else:
            in_section = in_section and (not line or line.startswith(" "))
            out.append(text if in_doctest else line)
    return [*out, "```"] if in_doctest else out


def row(cells: Iterable[str]) -> str:
    """Give one row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Give a table as lines."""
    names = list(head)
    return [row(names), row("---" for _ in names), *(row(cells) for cells in rows)]
