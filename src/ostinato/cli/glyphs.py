"""How a state looks: a glyph, always beside its word, and a colour that says nothing alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.core.states import StateName

GLYPHS: Final[dict[StateName, tuple[str, str]]] = {
    "Scheduled": ("○", "yellow"),
    "Late": ("◔", "yellow"),
    "Pending": ("◌", "dim"),
    "Running": ("◐", "blue"),
    "Retrying": ("↻", "yellow"),
    "AwaitingRetry": ("↺", "yellow"),
    "Paused": ("‖", "cyan"),
    "Cancelling": ("⊖", "dim"),
    "Completed": ("✓", "green"),
    "Cached": ("▣", "magenta"),
    "Failed": ("✕", "red"),
    "TimedOut": ("◷", "red"),
    "Crashed": ("⚡", "magenta"),
    "Cancelled": ("⊘", "dim"),
    "Skipped": ("»", "dim"),
}

ORDER: Final[tuple[StateName, ...]] = (
    "Completed",
    "Cached",
    "Failed",
    "TimedOut",
    "Crashed",
    "Cancelled",
    "Skipped",
    "Running",
    "Retrying",
    "AwaitingRetry",
    "Paused",
    "Cancelling",
    "Pending",
    "Scheduled",
    "Late",
)
"""The order in which counts of states are shown: what ended first."""
