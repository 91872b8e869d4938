"""A server keeps its home in order by the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ostinato import flow, session
from ostinato.core.query import Query
from ostinato.server import office as office_of
from ostinato.server.office import Office
from ostinato.session.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_runs_older_than_retention_go_while_a_server_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @flow
    def short() -> int:
        return 1

    short()
    session.close()
    monkeypatch.setattr(office_of, "HOUSE_EVERY_S", 0.02)
    monkeypatch.setenv("OSTINATO_KEEP_RUNS_DAYS", "0")
    reader = session.reader(str(home))
    assert len(reader.runs(Query())[0]) == 1

    async def serve() -> None:
        office = Office(Home(str(home)))
        await office.start()
        async with asyncio.timeout(10):
            while reader.runs(Query())[0]:
                await office.committed.wait(office.committed.count, 0.05)
        await office.close()

    asyncio.run(serve())
    assert reader.runs(Query())[0] == []
    reader.close()
