"""What server and workers say to one another, as values."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from ostinato.core.deployments import Code
from ostinato.core.records import FlowRun

WORKER_GONE: Final = "its worker is gone"
"""Why a run crashed whose worker died."""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a worker is to start."""

    run: FlowRun
    code: Code
    due_in_ms: float
    """By the clock of the server; 0 or less means now."""
    env: dict[str, str] = {}
    resources: dict[str, float] = {}
    """What it occupies of the worker."""
    crash_retries: int = 0
    shared_home: str = ""
    """Folder of the server's home: a worker that sees it need not send values."""


OrderKind: TypeAlias = Literal["cancel", "pause", "go-on", "stop"]
"""`stop`: the run goes on elsewhere, or is nobody's; the process is ended without a word."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a worker is to do to a run that it holds. Sent until it has happened."""

    kind: OrderKind
    run_id: str
    epoch: int
    reason: str = ""
    grace_s: float = 30.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll of a worker gives."""

    assignments: tuple[Assignment, ...] = ()
    orders: tuple[Order, ...] = ()
    next_due_ms: float | None = None
    """When the next run of the worker's queues is due."""
    known: bool = True
    """False: the server has forgotten the worker; it is to join again."""
