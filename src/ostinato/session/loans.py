"""Loans: while a flow run goes on, its process lends MLflow's client the address of the server and a token of the run.

They stand in MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN, unless the user has set one of them. Without a
server there is nothing to lend, and nothing that goes wrong here concerns the run.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from ostinato.core.errors import OstinatoError
from ostinato.session import discovery
from ostinato.session.home import Home

if TYPE_CHECKING:
    from ostinato.core.settings import Settings

ADDRESS: Final = "MLFLOW_TRACKING_URI"
TOKEN: Final = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - the name of a variable
ASK_S: Final = 5.0
"""Longest wait for a server elsewhere."""

_lock: Final = threading.Lock()
_lent: Final[dict[str, tuple[str, str]]] = {}
"""Address and token, by the flow runs of this process that have them; the last one's stand in the environment."""


def lend(settings: Settings, run_id: str) -> None:
    """Let MLflow's client find the server, as a part of this flow run."""
    with _lock:
        if not _lent and (os.environ.get(ADDRESS) or os.environ.get(TOKEN)):
            return  # the user's own
        try:
            found = _ask(settings, run_id) if settings.api_url else _mint(settings, run_id)
        except (OstinatoError, OSError):
            return
        if found is not None:
            _lent[run_id] = found
            _show()


def take_back(run_id: str) -> None:
    """End what was lent to a flow run."""
    with _lock:
        if _lent.pop(run_id, None) is not None:
            _show()


def _show() -> None:
    if not _lent:
        for name in (ADDRESS, TOKEN):
            os.environ.pop(name, None)
        return
    os.environ[ADDRESS], os.environ[TOKEN] = next(reversed(_lent.values()))


def _mint(settings: Settings, run_id: str) -> tuple[str, str] | None:
    """Make a token with the key of the home, when a server runs on it."""
    home = Home(settings.home)
    card = discovery.Lookout(home, checked=False).look()
    if card is None:
        return None
    from ostinato.core.runtokens import run_token
    from ostinato.store.keyfile import find_or_make_key

    return card.url, run_token(find_or_make_key(home.folder), run_id)


def _ask(settings: Settings, run_id: str) -> tuple[str, str] | None:
    """Have the server make a token; None when what it answers makes no sense."""
    import msgspec

    from ostinato.client import Address, Client

    client = Client(Address(url=settings.api_url, token=settings.api_key))
    try:
        body = msgspec.msgpack.encode((run_id,))
        answer = client.call("/api/rpc/memory/run_token", body, repeatable=True, timeout_s=ASK_S)
    finally:
        client.close()
    try:
        return settings.api_url, msgspec.msgpack.decode(answer, type=str)
    except msgspec.MsgspecError:
        return None
