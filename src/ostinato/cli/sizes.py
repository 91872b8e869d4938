"""Sizes in words."""

from __future__ import annotations


def size(n_bytes: int) -> str:
    """Give a number of bytes as people read it.

    Example:
        >>> size(900), size(1_500_000), size(70_000_000_000)
        ('900 B', '1.5 MB', '70.0 GB')
    """
    amount, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
