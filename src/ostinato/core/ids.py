"""Identifiers: the one function that makes them."""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """Give 32 hex characters, ordered by time of making (UUID version 7, RFC 9562)."""
    number = int.from_bytes(os.urandom(10), "big")
    unix_ms = time.time_ns() // 1_000_000
    high = (unix_ms << 16) | 0x7000 | (number >> 68)
    low = (number & ((1 << 62) - 1)) | (1 << 63)
    return f"{(high << 64) | low:032x}"
