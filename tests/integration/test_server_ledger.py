"""The ledger: what was answered is there, what was refused is not, and a full disk undoes only what it must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ostinato.core.errors import DiskFull
from ostinato.core.events import VariableSet
from ostinato.session.home import Home
from ostinato.session.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.store.transaction import Tx


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    one = Ledger(Home(str(home)))
    yield one
    one.close()


def put(tx: Tx, name: str, value: bytes = b"1") -> str:
    tx.append(VariableSet(name, tx.now, value))
    return name


def names(ledger: Ledger) -> set[str]:
    return ledger.do(lambda tx: {row[0] for row in tx.db.execute("SELECT name FROM variables")})


def test_a_command_that_fails_leaves_nothing_and_hurts_no_other(ledger: Ledger) -> None:
    def fail(tx: Tx) -> None:
        put(tx, "bad")
        raise ValueError

    held = ledger.submit(lambda tx: put(tx, "first"))
    failed = ledger.submit(fail)
    after = ledger.submit(lambda tx: put(tx, "second"))
    assert held.result() == "first"
    assert after.result() == "second"
    with pytest.raises(ValueError, match=r"^$"):
        failed.result()
    assert names(ledger) == {"first", "second"}


@pytest.mark.only_sqlite(reason="its file may not grow; PostgreSQL has a test of its own")
def test_a_full_disk_is_told_to_whom_it_hits_and_the_ledger_goes_on(ledger: Ledger) -> None:
    put_ok = ledger.do(lambda tx: put(tx, "before"))
    assert put_ok == "before"
    pages: int = ledger.do(lambda tx: tx.db.execute("PRAGMA page_count").fetchone()[0])

    def shrink(tx: Tx) -> Any:
        return tx.db.execute(f"PRAGMA max_page_count = {pages + 5}").fetchone()

    ledger.do(shrink)
    with pytest.raises(DiskFull):
        ledger.do(lambda tx: put(tx, "large", b'"' + b"x" * 200_000 + b'"'))
    ledger.do(lambda tx: tx.db.execute("PRAGMA max_page_count = 100000").fetchone())
    assert ledger.do(lambda tx: put(tx, "after")) == "after"
    assert names(ledger) == {"before", "after"}


def test_it_tells_that_another_process_has_written(ledger: Ledger, home: Path) -> None:
    told: list[bool] = []
    ledger.listeners.append(told.append)
    ledger.do(lambda tx: put(tx, "one"))
    ledger.do(lambda tx: put(tx, "two"))
    other = Ledger(Home(str(home)))
    other.do(lambda tx: put(tx, "theirs"))
    other.close()
    ledger.do(lambda tx: put(tx, "three"))
    ledger.close()
    assert told == [False, False, True]
