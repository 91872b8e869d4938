"""What the store needs of a database, whichever it is: SQLite in the home, or PostgreSQL by its URL.

Statements are written once, for SQLite; the other database translates them (`dialect.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

PATIENCE_S: Final = 10.0
"""How long a caller waits for the right to write."""
ALL: Final = (1 << 63) - 1
"""As a LIMIT: all there are."""


class Cursor(Protocol):
    """The rows that a statement gives."""

    @property
    def rowcount(self) -> int:
        """Rows that the statement changed."""

    @property
    def description(self) -> Any:
        """The columns: a name and more for each."""

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Runs statements of the named queries, their values as `?`."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, failed or not."""

    def execute(self, query: str, values: Sequence[Any] = (), /) -> Cursor: ...


class WriteConnection(Connection, Protocol):
    """Runs statements that write, too."""

    def together(self) -> AbstractContextManager[object]:
        """Send the statements of a block without waiting for each; what they give is not to be asked for."""


class Database(Protocol):
    """One connection of this process, with its part in the lock that all writers share.

    Not for use by two threads at once.
    """

    path: str
    """The file, or the address without its password; for messages."""
    folder: str
    """Of the home; for messages."""

    @property
    def db(self) -> WriteConnection:
        """The connection."""

    def close(self) -> None:
        """Let go of the database."""

    def abandon(self) -> None:
        """Let go of what a forked child has inherited, without touching the database."""

    def try_begin(self) -> bool:
        """Begin a write unless somebody else is writing."""

    def commit(self) -> None:
        """Commit, and let the next one write."""

    def rollback(self) -> None:
        """Undo, and let the next one write."""

    def writing(self, *, sync: bool = True) -> AbstractContextManager[WriteConnection]:
        """Hold the right to write for one transaction; without `sync` a power cut may undo it.

        Raises:
            DatabaseBusy: (database-busy) somebody else did not let go in time.
        """

    def read_only(self) -> None:
        """Refuse to write from now on."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Have all reads of a block see one moment."""

    def news(self) -> int:
        """Give a number that changes when another connection has committed."""

    def leads(self) -> bool:
        """Say whether this connection is the one that looks after schedules; it stays so while it lives."""

    def depose(self) -> None:
        """End the connection that looks after schedules, whoever has it."""

    def now_us(self) -> int:
        """Give the UTC microseconds of the clock that all who share the database go by."""

    def version(self) -> int:
        """Give the number of the newest migration that the database has."""

    def damage(self, limit: int) -> list[str]:
        """Give what is wrong inside it, as far as it can tell."""

    def tidy(self) -> None:
        """Give freed room back when it is much, and have the planner look at the tables again."""


def named(cursor: Cursor) -> list[dict[str, Any]]:
    """Give all rows, each by the names of its columns."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
