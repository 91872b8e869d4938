"""Tokens of flow runs: made and read with one key, and nothing else reads them."""

from __future__ import annotations

import pytest

from ostinato.core.access import of_run
from ostinato.core.errors import AccessRefused, KeyRefused
from ostinato.core.runtokens import PREFIX, run_of_token, run_token

KEY = bytes(range(32))
RUN = "0123456789abcdef" * 2


def test_a_token_tells_its_flow_run() -> None:
    token = run_token(KEY, RUN)
    assert token.startswith(PREFIX)
    assert run_of_token(KEY, token) == RUN


def test_a_token_of_another_key_or_run_is_refused() -> None:
    token = run_token(KEY, RUN)
    other = token.replace(RUN, "f" * 32)
    for key, text in ((bytes(32), token), (None, token), (KEY, other), (KEY, token[:-1]), (KEY, "osr_"), (KEY, "")):
        with pytest.raises(KeyRefused):
            run_of_token(key, text)


def test_a_flow_run_may_read_and_track_and_nothing_else() -> None:
    one = of_run(RUN)
    assert one.actor == f"run:{RUN}"
    one.check("read")
    one.check("track")
    for action in ("run", "record", "deploy", "work", "open-secret", "manage-access", "manage-home", "set-secret"):
        with pytest.raises(AccessRefused):
            one.check(action)
