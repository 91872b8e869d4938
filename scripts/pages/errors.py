"""The page of error codes, from core/errors.py."""

from __future__ import annotations

import re

from ostinato.core.errors import OstinatoError, all_errors
from pages.text import GENERATED, first_line


def names() -> list[str]:
    """Give every error code."""
    return sorted(all_errors())


def page() -> str:
    """Give the page: families, and in each the codes with message, hint and exit code."""
    out = [
        "# Errors",
        GENERATED,
        "",
        "Every error that Ostinato raises on purpose has a code, a message with the values at hand, and a hint: the",
        "next command or line to write. `ostinato explain CODE` prints the same. All are subclasses of",
        "`OstinatoError`. What stands in `{braces}` is filled in.",
    ]
    for family in OstinatoError.__subclasses__():
        members = [one for one in all_errors().values() if issubclass(one, family)]
        out += [
            "",
            f"## {first_line(family).rstrip('.')}",
            "",
            f"Class `{family.__name__}`, exit code {family.exit_code}.",
        ]
        for one in members:
            exit_code = f" (exit code {one.exit_code})" if one.exit_code != family.exit_code else ""
            out += ["", f"### `{one.code}`", "", f"Class `{one.__name__}`{exit_code}.", ""]
            out += ["```text", _plain(one.template), "```", "", f"**Hint:** {_plain(one.hint_template)}"]
            if one.__doc__ and one.__doc__ != family.__doc__:
                out += ["", first_line(one)]
    return "\n".join(out)


def _plain(template: str) -> str:
    return re.sub(r"\{(\w+)![rsa]\}", r"{\1}", template).replace("{{", "{").replace("}}", "}")
