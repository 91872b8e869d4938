"""Variables: which names they may have."""

from __future__ import annotations

from typing import Final

from ostinato.core.errors import BadOption

LONGEST_NAME: Final = 500


def check_variable_name(name: str) -> None:
    """Let the name of a variable pass: any text that an address and a database can hold.

    Raises:
        BadOption: (option-invalid).
    """
    reason = ""
    if not name:
        reason = "it is empty"
    elif len(name) > LONGEST_NAME:
        reason = f"it is longer than {LONGEST_NAME} characters"
    elif "\0" in name:
        reason = "it has a zero byte"
    elif name in (".", ".."):
        reason = "it means another place in the address of a variable"
    if reason:
        fix = "Take another name: letters, digits, dashes, dots and slashes are fine."
        raise BadOption(option="name", value=name, where="a variable", reason=reason, fix=fix)
