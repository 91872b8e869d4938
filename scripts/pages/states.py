"""The page of states with their diagram, from the table in core/states.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core.errors import TransitionRefused
from ostinato.core.states import SUCCESSFUL, TABLE, TERMINAL, reopen
from pages.text import GENERATED, table

if TYPE_CHECKING:
    from ostinato.core.states import StateName


def page() -> str:
    """Give the page: the diagram, then the same as a table."""
    out = [
        "# States",
        GENERATED,
        "",
        "Flow runs and task runs move along this table and no other way. Final states are final within an epoch;",
        "`resume` and `retry` open the next epoch of a flow run, which begins in Pending.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> Scheduled",
        "    [*] --> Pending",
        *(f"    {state} --> {following}" for state, all_following in TABLE.items() for following in all_following),
        *(f"    {state} --> [*]" for state in TABLE if state in TERMINAL),
        "```",
        "",
    ]
    rows = ((f"`{state}`", _kind(state), ", ".join(TABLE[state]) or _next_epoch(state)) for state in TABLE)
    return "\n".join([*out, *table(("state", "kind", "may become"), rows)])


def _kind(state: StateName) -> str:
    if state not in TERMINAL:
        return "active"
    return "final, successful" if state in SUCCESSFUL else "final"


def _next_epoch(state: StateName) -> str:
    try:
        return f"{reopen(state)} in the next epoch"
    except TransitionRefused:
        return "nothing"
