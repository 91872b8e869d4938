"""Discovery: whether a server is to be asked, and where it is."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.errors import OstinatoError

if TYPE_CHECKING:
    from ostinato.client import Address
    from ostinato.core.settings import Settings
    from ostinato.session.home import Home

HEALTH_S: Final = 2.0
"""Longest wait for the word of a server that it is the one of the home."""
AGAIN_S: Final = 5.0
"""Until a card whose server did not say so is checked again."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What `server.json` says of the server that holds the lock."""

    id: str
    url: str
    token: str
    pid: int
    started_at: int

    @property
    def address(self) -> Address:
        """Give where it is, and what it is to be shown."""
        from ostinato.client import Address

        return Address(url=self.url, token=self.token)


class _Health(msgspec.Struct):
    id: str


_read_card: Final = msgspec.json.Decoder(Card).decode


def find(settings: Settings, home: Home) -> Address | None:
    """Give the server named by the settings, else the one that runs on the home, else None."""
    if settings.api_url:
        from ostinato.client import Address

        return Address(url=settings.api_url, token=settings.api_key)
    card = Lookout(home).look()
    return None if card is None else card.address


def read_card(home: Home) -> Card | None:
    """Give what the server of a home has written of itself; it may be gone."""
    try:
        with open(home.server_card, "rb") as file:
            return _read_card(file.read())
    except (OSError, msgspec.DecodeError):  # there is none, or it is another user's
        return None


def is_held(home: Home) -> bool:
    """Say whether a server lives on a home: it holds the lock as long as its process does."""
    try:
        fd = os.open(home.server_lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Lookout:
    """Looks for the server of a home again and again; cheap while there is none, or the same one."""

    def __init__(self, home: Home, *, checked: bool = True) -> None:
        """Look at a home; unless `checked`, its server is not asked whether it is the one."""
        self.home = home
        self._asks = checked
        self._seen = (0, 0)
        """Inode and time of the card that was last read."""
        self._card: Card | None = None
        """The card, when its server lives."""
        self._checked_s = 0.0
        """Monotonic instant."""

    def look(self) -> Card | None:
        """Give the card of the server that runs on the home."""
        try:
            stat = os.stat(self.home.server_card)
        except OSError:
            self.forget()
            return None
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen != self._seen or (self._card is None and time.monotonic() - self._checked_s > AGAIN_S):
            self._card = self._find()
            self._seen = seen
            self._checked_s = time.monotonic()
        return self._card

    def _find(self) -> Card | None:
        card = read_card(self.home)
        if card is None or not is_held(self.home) or (self._asks and not _is_the_one(card)):
            return None
        return card

    def forget(self) -> None:
        """Check again at the next look."""
        self._seen, self._card = (0, 0), None


def _is_the_one(card: Card) -> bool:
    """Say whether what answers at the address of a card is the server that wrote it."""
    from ostinato.client import Client

    client = Client(card.address)
    try:
        health = msgspec.json.decode(client.call("/health", method="GET", timeout_s=HEALTH_S), type=_Health)
    except (OstinatoError, msgspec.DecodeError):
        return False
    finally:
        client.close()
    return health.id == card.id
