"""Secrets: small texts that flows use, kept encrypted, covered in log lines and output."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ostinato.core.errors import BadOption, SecretMissing
from ostinato.core.ports import COMMANDS, RECORDER, resolve
from ostinato.engine import masks

if TYPE_CHECKING:
    from ostinato.core.commands import Command

D = TypeVar("D")

_MISSING: Any = object()


class Secret:
    """Get, set and unset secrets; a value is text (JSON, where there is more to it)."""

    @overload
    @staticmethod
    def get(name: str) -> str: ...

    @overload
    @staticmethod
    def get(name: str, default: D) -> str | D: ...

    @staticmethod
    def get(name: str, default: Any = _MISSING) -> Any:
        """Give the value of a secret; from now on this process shows `********` in its place.

        Raises:
            SecretMissing: (secret-not-found) there is none and no `default`.
            SecretKeyMismatch: (secret-key-mismatch) it was sealed with another key.
        """
        found: bytes | None = resolve(RECORDER)().find_secret(name)
        if found is not None:
            value = found.decode()
            masks.hide([value])
            return value
        if default is _MISSING:
            raise SecretMissing(name=name)
        return default

    @staticmethod
    def set(name: str, value: str) -> None:
        """Set a secret; it is encrypted and in the database when this returns.

        Raises:
            NameInvalid: (name-invalid).
            BadOption: (option-invalid) the value is no text.
        """
        given: object = value
        if not isinstance(given, str):
            fix = "`json.dumps` makes text of other values."
            reason = f"a {type(given).__name__} is no text"
            raise BadOption(option="value", value="...", where=f"secret {name!r}", reason=reason, fix=fix)
        masks.hide([value])
        _do(import_module("ostinato.core.commands").SetSecret(name=name, value=value))

    @staticmethod
    def unset(name: str) -> None:
        """Forget a secret.

        Raises:
            SecretMissing: (secret-not-found) there is none.
        """
        _do(import_module("ostinato.core.commands").UnsetSecret(name=name))


def _do(command: Command[None]) -> None:
    commands = resolve(COMMANDS)()
    try:
        commands.do(command)
    finally:
        commands.close()
