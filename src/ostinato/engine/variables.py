"""Variables: small named values that flows read and people change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.errors import BadOption, VariableMissing
from ostinato.core.events import VariableSet
from ostinato.core.ports import RECORDER, resolve
from ostinato.core.variables import check_variable_name
from ostinato.engine.scopes import now_us

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISSING: Any = object()


class Variable:
    """Get, set and unset variables; values are anything that JSON can hold."""

    @staticmethod
    def get(name: str, default: Any = _MISSING) -> Any:
        """Give the value of a variable.

        Raises:
            VariableMissing: (variable-not-found) there is none and no `default`.
        """
        found = resolve(RECORDER)().find_variable(name)
        if found is not None:
            return msgspec.json.decode(found.value)
        if default is _MISSING:
            raise VariableMissing(name=name)
        return default

    @staticmethod
    def set(name: str, value: Any, tags: Sequence[str] = ()) -> None:
        """Set a variable; it is in the database when this returns.

        Raises:
            BadOption: (option-invalid) JSON cannot hold the value, or the name is none that an address can hold.
        """
        check_variable_name(name)
        try:
            encoded = msgspec.json.encode(value)
        except (TypeError, ValueError) as error:
            fix = "Use numbers, text, lists and dicts."
            raise BadOption(
                option="value", value=type(value).__name__, where=f"variable {name!r}", reason=str(error), fix=fix
            ) from error
        _record(VariableSet(name, now_us(), encoded, tuple(tags)))

    @staticmethod
    def unset(name: str) -> None:
        """Forget a variable; nothing happens when there is none."""
        _record(VariableSet(name, now_us(), None))


def _record(event: VariableSet) -> None:
    recorder = resolve(RECORDER)()
    recorder.record(event)
    recorder.settle("database", 30.0)
