"""The report of an import: what is new, what was there already, what is left and why."""

from __future__ import annotations

from typing import Final

import msgspec

MOST_REMARKS: Final = 1000
"""Remarks that are kept; more are counted."""


class Tally(msgspec.Struct, kw_only=True):
    """How many of one kind."""

    new: int = 0
    """Brought over, or brought up to date."""
    same: int = 0
    """Here already."""
    left: int = 0
    """Not brought over; remarks say why."""


class Report(msgspec.Struct, kw_only=True):
    """What an import did, or would do; it grows while the import goes on."""

    source: str
    dry_run: bool
    experiments: Tally = msgspec.field(default_factory=Tally)
    runs: Tally = msgspec.field(default_factory=Tally)
    logged_models: Tally = msgspec.field(default_factory=Tally)
    models: Tally = msgspec.field(default_factory=Tally)
    versions: Tally = msgspec.field(default_factory=Tally)
    points: int = 0
    """Values of metrics, of new runs; in a dry run they are not counted."""
    files: int = 0
    file_bytes: int = 0
    remarks: list[str] = []
    n_remarks: int = 0
    took_s: float = 0.0

    def remark(self, text: str) -> None:
        """Note what somebody should know."""
        self.n_remarks += 1
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append(text)
