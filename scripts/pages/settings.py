"""The page of settings, from core/settings.py."""

from __future__ import annotations

import msgspec

from ostinato.core.settings import describe
from pages.text import GENERATED, table


def names() -> list[str]:
    """Give every setting as its environment variable."""
    return [one.variable for one in describe()]


def page() -> str:
    """Give the page: one table."""
    out = [
        "# Settings",
        GENERATED,
        "",
        "A setting is read from the environment variable, else from `ostinato.toml` in the working directory, else",
        "from `ostinato.toml` in the home, else it has its default. `ostinato doctor` shows the value that holds, and",
        "where it comes from.",
        "",
    ]
    rows = (
        (f"`{one.variable}`", f"`{one.name}`", f"`{msgspec.json.encode(one.default).decode()}`", one.doc)
        for one in describe()
    )
    return "\n".join([*out, *table(("variable", "in ostinato.toml", "default", "what it does"), rows)])
