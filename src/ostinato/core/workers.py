"""Workers: the processes that take runs and see to their processes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

Amount: TypeAlias = Annotated[float, Meta(ge=-1e12, le=1e12)]
"""Of a resource; less than nothing may be left of it when its worker was given less than it has under way."""
LeaseS: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells of itself."""

    id: str
    name: str
    host: str
    pid: int
    queues: tuple[str, ...] = ()
    """The queues that it serves; none means all."""
    deployments: tuple[str, ...] = ()
    """Serves runs of these deployments (ids) only; none means all."""
    slots: int = 1
    """Runs at once."""
    resources: dict[str, Amount] = {}
    version: str = ""
    lease_s: LeaseS = 15.0
    """So long after its last word its runs are taken over."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """One worker as the server knows it."""

    info: WorkerInfo
    joined_at: int
    seen_at: int
    lease_until: int
    left_at: int | None
    message: str
    n_held: int = 0
    """Runs that it has under way."""

    def is_silent(self, now: int) -> bool:
        """Say whether it has missed its polls: two thirds of its lease are over."""
        return self.left_at is None and self.lease_until - now < self.info.lease_s * 1e6 / 3


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A run in the hands of a worker."""

    run_id: str
    epoch: int
