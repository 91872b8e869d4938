"""The states of flow runs and task runs: one table, one pure function.

Terminal states are final within an epoch; resume and retry open the next epoch
(`reopen`), which is the only way out of them.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from ostinato.core.errors import TransitionRefused

StateName: TypeAlias = Literal[
    "Scheduled",
    "Late",
    "Pending",
    "Running",
    "Retrying",
    "AwaitingRetry",
    "Paused",
    "Cancelling",
    "Completed",
    "Cached",
    "Failed",
    "TimedOut",
    "Crashed",
    "Cancelled",
    "Skipped",
]

_ENDS: Final[tuple[StateName, ...]] = ("Completed", "Failed", "TimedOut", "Crashed", "Cancelled")

TABLE: Final[dict[StateName, tuple[StateName, ...]]] = {
    "Scheduled": ("Late", "Pending", "Paused", "Cancelled", "Skipped"),
    "Late": ("Pending", "Paused", "Cancelled", "Skipped"),
    "Pending": ("Running", "Cached", "Paused", "Cancelling", "Cancelled", "Failed", "Skipped", "Crashed"),
    "Running": ("AwaitingRetry", "Paused", "Cancelling", *_ENDS),
    "AwaitingRetry": ("Retrying", "Cancelling", "Cancelled", "Crashed"),
    "Retrying": ("AwaitingRetry", "Paused", "Cancelling", *_ENDS),
    "Paused": ("Pending", "Running", "Cancelling", "Cancelled", "Failed", "TimedOut", "Crashed"),
    "Cancelling": ("Cancelled", "Completed", "Failed", "Crashed"),
    "Completed": (),
    "Cached": (),
    "Failed": (),
    "TimedOut": (),
    "Crashed": (),
    "Cancelled": (),
    "Skipped": (),
}

TERMINAL: Final[frozenset[StateName]] = frozenset(name for name, following in TABLE.items() if not following)
SUCCESSFUL: Final[frozenset[StateName]] = frozenset(("Completed", "Cached"))
UNSUCCESSFUL: Final[frozenset[StateName]] = TERMINAL - SUCCESSFUL
ACTIVE: Final[frozenset[StateName]] = frozenset(TABLE) - TERMINAL


def move(current: StateName, wanted: StateName) -> StateName:
    """Give `wanted` if the table allows it after `current`.

    Raises:
        TransitionRefused: (transition-refused) the table has no such step.
    """
    if wanted in TABLE[current]:
        return wanted
    raise TransitionRefused(current=current, wanted=wanted)


def reopen(current: StateName) -> StateName:
    """Give the first state of the next epoch of a run that was in `current`.

    A run that ended well, was skipped, or has not ended has no next epoch; a paused one has.

    Raises:
        TransitionRefused: (transition-refused) the run has nothing left to do.
    """
    if current != "Paused" and (current not in UNSUCCESSFUL or current == "Skipped"):
        raise TransitionRefused(current=current, wanted="Pending")
    return "Pending"
