"""The implementations that the contract suite runs over, as fixture parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from ostinato import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.ports import Reader, Recorder


class Store(NamedTuple):
    """One store as two ends see it."""

    recorder: Recorder
    reader: Reader


@pytest.fixture(params=["embedded"])
def store(request: pytest.FixtureRequest, home: Path) -> Iterator[Store]:
    """Give a Recorder and a Reader of the same empty store."""
    reader = session.reader()
    yield Store(session.recorder(), reader)
    reader.close()
