"""Instants and durations in words, as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from ostinato.core import zones


def now_us() -> int:
    """Give the present instant in UTC microseconds."""
    return time.time_ns() // 1000


def took(us: int) -> str:
    """Give a duration in at most six characters.

    Example:
        >>> took(340_000), took(12_300_000), took(72_000_000), took(7_500_000_000)
        ('340ms', '12.3s', '1m12s', '2h05m')
    """
    seconds = max(us, 0) / 1_000_000
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, big, part, small in ((3600, "m", 60, "s"), (86_400, "h", 3600, "m")):
        if whole < size:
            return f"{whole // part}{big}{whole % part * 60 // part:02d}{small}"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def ago(at: int, now: int) -> str:
    """Give how long ago an instant was, its date when that is long.

    Example:
        >>> ago(0, 12_000_000), ago(0, 3 * 86_400_000_000)
        ('12s ago', '3d ago')
    """
    seconds = (now - at) // 1_000_000
    if seconds < 0:
        return f"in {took(at - now)}"
    for unit, size, most in (("s", 1, 60), ("m", 60, 60), ("h", 3600, 24), ("d", 86_400, 30)):
        if seconds < size * most:
            return f"{seconds // size}{unit} ago"
    return local(at)[:10]


def local(at: int) -> str:
    """Give an instant in the machine's time zone, to the second."""
    return datetime.fromtimestamp(at / 1_000_000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def in_zone(at: int, zone: str) -> str:
    """Give an instant as the clock of a zone shows it, with seconds only where there are some.

    Example:
        >>> in_zone(1_675_303_200_000_000, "Europe/Berlin")
        '2023-02-02 03:00'
    """
    return zones.shown(at, zone)


def clock(at: int) -> str:
    """Give the time of day of an instant in the machine's time zone, to the millisecond."""
    return datetime.fromtimestamp(at // 1_000_000).astimezone().strftime("%H:%M:%S") + f".{at // 1000 % 1000:03d}"


def iso(at: int | None) -> str | None:
    """Give an instant as ISO 8601 in UTC, for `--json`: as the API does, with microseconds when there are any."""
    if at is None:
        return None
    seconds, us = divmod(at, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (f".{us:06}Z" if us else "Z")
