"""Who asks: the check of a request's token or key."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Final

from ostinato.core.access import LOCAL, USE_NOTED_EVERY_US, Identity
from ostinato.core.errors import NotAuthenticated
from ostinato.store import access

if TYPE_CHECKING:
    from ostinato.server.exchange import Exchange
    from ostinato.server.office import Office

BEARER: Final = "bearer "


class Guard:
    """Tells who asks."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._token = office.token.encode()
        self._noted: dict[str, int] = {}
        """When the use of each key was last noted."""

    def identify(self, exchange: Exchange) -> Identity:
        """Give who asks.

        Raises:
            NotAuthenticated: (not-authenticated) the request carries no token.
            KeyRefused: (key-refused) the key does not hold.
        """
        header = exchange.header(b"authorization")
        if header[: len(BEARER)].lower() != BEARER:
            raise NotAuthenticated(reason="it carries no token")
        text = header[len(BEARER) :].strip()
        if hmac.compare_digest(text.encode(), self._token):
            return LOCAL
        if not text.startswith("ost_"):
            raise NotAuthenticated(reason="its token is not that of this server")
        now = time.time_ns() // 1000
        found = access.authenticate(self.office.db, text, now)
        if now - self._noted.get(found.key_id, 0) > USE_NOTED_EVERY_US:
            self._noted[found.key_id] = now
            self.office.ledger.submit(lambda tx: access.note_use(tx.db, found.key_id, tx.now), relaxed=True)
        return found
