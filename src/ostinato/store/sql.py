"""Named queries: SQL kept as documents in `queries/*.sql`.

A query starts with a line `-- its_name --` and a sentence of comment. A query that takes many
rows is written for one, `VALUES (?, ...)`, and `rows` gives it for n.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Final

FOLDER: Final = os.path.join(os.path.dirname(__file__), "queries")

_HEAD: Final = re.compile(r"^-- (\w+) --\n", re.MULTILINE)
_VALUES: Final = re.compile(r"\(\?(?:::\w+)?(?:, \?(?:::\w+)?)*\)")
_MANY: Final = re.compile(r"(VALUES )(\(\?(?:, \?)*\))((?:, \2)+)")


@cache
def load(subject: str) -> dict[str, str]:
    """Give the queries of `queries/<subject>.sql` by name, without their comments."""
    with open(os.path.join(FOLDER, f"{subject}.sql"), encoding="utf-8") as file:
        parts = _HEAD.split(file.read())
    return {name: _plain(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def rows(query: str, n_rows: int) -> str:
    """Give a query for so many rows: the group of `?` after VALUES is repeated."""
    found = _VALUES.search(query, query.index("VALUES"))
    if found is None:
        raise ValueError(query)
    return query[: found.start()] + ", ".join([found[0]] * n_rows) + query[found.end() :]


def single(query: str) -> tuple[str, int]:
    """Give what `rows` made a query from: that query, and the number of rows."""
    found = _MANY.search(query)
    if found is None:
        return query, 1
    n_rows = 1 + len(found[3]) // (len(found[2]) + 2)
    return query[: found.start()] + found[1] + found[2] + query[found.end() :], n_rows


def _plain(text: str) -> str:
    lines = (line for line in text.strip().splitlines() if not line.startswith("--"))
    return "\n".join(lines).removesuffix(";")
