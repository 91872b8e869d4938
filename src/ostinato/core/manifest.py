"""What is wanted of a deployment, as a call, a command line or the file `ostinato.toml` says it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ostinato.core.deployments import Catchup, CodeKind, Overlap


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of `flow.deploy`."""

    schedules: Any = None
    cron: Any = None
    interval: Any = None
    rrule: Any = None
    timezone: str = ""
    parameters: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    queue: str = ""
    priority: int = 0
    concurrency: Annotated[int, Meta(ge=1)] | None = None
    overlap: Overlap = "allow"
    catchup: Catchup = "latest"
    skip_if_late: Any = None
    """Seconds, a timedelta, or a text such as `10m`."""
    crash_retries: Annotated[int, Meta(ge=0)] = 3
    cancel_grace: Any = 30.0
    """Seconds, a timedelta, or a text such as `2m`."""
    env: dict[str, str] = {}
    resources: dict[str, float] = {}
    description: str = ""
    version: str = ""
    code: CodeKind = "local"
    storage: str = ""
    paused: bool = False
