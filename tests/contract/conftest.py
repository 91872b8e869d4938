"""The implementations that the contract suite runs over, as fixture parameters."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ostinato import session
from ostinato.server.lifecycle import Options, serve
from ostinato.session.discovery import read_card
from ostinato.session.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.ports import Reader, Recorder
    from ostinato.session.discovery import Card


class Store(NamedTuple):
    """One store as two ends see it."""

    recorder: Recorder
    reader: Reader


@pytest.fixture(params=["embedded", "served", "remote"])
def store(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Give a Recorder and a Reader of the same empty store.

    `embedded`: this process writes the database; `served`: the server of the home does, and this
    process reads; `remote`: a server elsewhere does both.
    """
    if request.param == "embedded":
        reader = session.reader()
        yield Store(session.recorder(), reader)
        reader.close()
        return
    with server_on(home) as card:
        if request.param == "remote":
            monkeypatch.setenv("OSTINATO_HOME", str(tmp_path / "far away"))
            monkeypatch.setenv("OSTINATO_API_URL", card.url)
            monkeypatch.setenv("OSTINATO_API_KEY", card.token)
        reader = session.reader()
        yield Store(session.recorder(), reader)
        reader.close()
        session.close()


@contextmanager
def server_on(home: Path) -> Iterator[Card]:
    """Have a server on a home, in a process forked from this one: it need not load anything."""
    pid = os.fork()
    if pid == 0:
        try:
            serve(Home(str(home)), Options(port=0), lambda *_: None)
        finally:
            os._exit(0)
    try:
        end = time.monotonic() + 20
        while (card := read_card(Home(str(home)))) is None:
            assert time.monotonic() < end, "the server does not begin"
            time.sleep(0.005)
        yield card
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
