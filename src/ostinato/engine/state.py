"""A state as users see it: `state = flow(return_state=True)`."""

from __future__ import annotations

from typing import Any

import msgspec

from ostinato.core.states import SUCCESSFUL, TERMINAL, StateName


class State(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """How a run ended (or stands), with its value or its exception."""

    name: StateName
    message: str = ""
    value: Any = None
    error: BaseException | None = None
    run_id: str = ""

    @property
    def type(self) -> str:
        """The name in capitals, as Prefect's users know it."""
        return self.name.upper()

    def result(self, raise_on_failure: bool = True) -> Any:  # noqa: FBT001, FBT002 - known name
        """Give the value; raise (or give, with `raise_on_failure=False`) the exception."""
        if self.error is not None and raise_on_failure:
            raise self.error
        return self.value if self.error is None else self.error

    def is_completed(self) -> bool:
        """Completed or Cached."""
        return self.name in SUCCESSFUL

    def is_failed(self) -> bool:
        """Failed or TimedOut."""
        return self.name in {"Failed", "TimedOut"}

    def is_crashed(self) -> bool:
        """Crashed."""
        return self.name == "Crashed"

    def is_cancelled(self) -> bool:
        """Cancelled."""
        return self.name == "Cancelled"

    def is_skipped(self) -> bool:
        """Skipped: it could not run because something before it failed."""
        return self.name == "Skipped"

    def is_final(self) -> bool:
        """Tell whether the run has ended."""
        return self.name in TERMINAL

    def __repr__(self) -> str:
        return f"{self.name}({self.message!r})" if self.message else f"{self.name}()"
