"""Serving: a worker for one deployment, in the process that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core import settings as settings_of
from ostinato.core.errors import ServerNeeded
from ostinato.session import discovery
from ostinato.session.home import Home
from ostinato.workers.loop import Options, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.deployments import Deployment


def serve(title: str, deploy: Callable[[], Deployment], limit: int) -> Deployment:
    """Deploy, and start the runs of it until a signal comes; `limit` of them at once, 0 for the default of workers.

    Raises:
        ServerNeeded: (server-needed) there is no server to get runs from.
    """
    settings = settings_of.load()
    if discovery.find(settings, Home(settings.home)) is None:
        raise ServerNeeded(what=f"Serving {title}", home=settings.home)
    made = deploy()
    work(Options(deployments=(made.id,), slots=limit))
    return made
