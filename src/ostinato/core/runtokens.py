"""Tokens of flow runs: what MLflow's client inside a flow run shows to the server.

The text is `osr_<run id>_<proof>`; the proof follows from the run id and the key of the home, so nothing is kept
of it, and a server that was started anew still knows it. It holds while its flow run does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from typing import Final

from ostinato.core.errors import KeyRefused

PREFIX: Final = "osr_"
GRACE_US: Final = 60_000_000
"""So long after the end of its flow run a token holds, for what is still on its way."""

_TEXT: Final = re.compile(r"osr_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
_PURPOSE: Final = b"ostinato token of a flow run\0"


def run_token(key: bytes, run_id: str) -> str:
    """Give the token of a flow run, by the key of the home."""
    return f"{PREFIX}{run_id}_{_proof(key, run_id)}"


def run_of_token(key: bytes | None, text: str) -> str:
    """Give the flow run that a token is of; `key` is None where there is none yet.

    Raises:
        KeyRefused: (key-refused) it was not made with this key.
    """
    found = _TEXT.fullmatch(text)
    if key is None or found is None or not hmac.compare_digest(found[2], _proof(key, found[1])):
        raise KeyRefused(key="of a flow run", reason="it was not made here")
    return found[1]


def _proof(key: bytes, run_id: str) -> str:
    digest = hmac.digest(key, _PURPOSE + run_id.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")
