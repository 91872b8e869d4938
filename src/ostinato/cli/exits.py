"""Exit codes of the command line: one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostinato.core.states import SUCCESSFUL, TERMINAL

if TYPE_CHECKING:
    from ostinato.core.states import StateName

OK: Final = 0
RUN_FAILED: Final = 1
USAGE: Final = 2
CANCELLED: Final = 3
REFUSED: Final = 4
UNREACHABLE: Final = 5
FAULT: Final = 70

EXITS: Final[dict[int, str]] = {
    OK: "it worked; the run completed",
    RUN_FAILED: "the run failed, crashed or timed out",
    USAGE: "what was asked for cannot be done as written",
    CANCELLED: "the run was cancelled, or Ctrl-C",
    REFUSED: "the state of things forbids it",
    UNREACHABLE: "the home or the server cannot be used",
    FAULT: "a fault in Ostinato itself; please report it",
}


def of_state(state: StateName) -> int:
    """Give the exit code for a run that ended (or stopped for now) in this state."""
    if state == "Cancelled":
        return CANCELLED
    return RUN_FAILED if state in TERMINAL - SUCCESSFUL else OK
