"""Whether a run that is due may start now, and if not, why: pure rules over what runs already."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostinato.core.deployments import Deployment, Queue

What: TypeAlias = Literal["go", "wait", "skip", "cancel-others"]
Scope: TypeAlias = Literal["", "deployment", "queue", "run"]
"""What else the same reason keeps from starting."""


ROUNDING: Final = 1e-9
"""What sums of amounts such as 0.1 may miss."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A run that waits for a worker."""

    id: str
    queue: str
    deployment_id: str
    tags: tuple[str, ...]
    due_at: int
    n_crashes: int = 0


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the hands of a worker."""

    id: str
    name: str
    queue: str
    deployment_id: str
    tags: tuple[str, ...]


class Load:
    """What runs now, counted in the ways in which it may be limited."""

    def __init__(self, busy: Iterable[Busy]) -> None:
        self.queues: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.deployments: dict[str, list[Busy]] = {}
        for run in busy:
            self.add(run)

    def add(self, run: Busy) -> None:
        """Count one more."""
        self.queues[run.queue] += 1
        self.tags.update(run.tags)
        self.deployments.setdefault(run.deployment_id, []).append(run)


class Verdict(msgspec.Struct, frozen=True):
    """What is to be done with a candidate."""

    what: What
    reason: str = ""
    scope: Scope = "run"


GO = Verdict("go")


def admit(
    run: Candidate,
    deployment: Deployment | None,
    queue: Queue,
    load: Load,
    limits: Mapping[str, int],
    now: int,
) -> Verdict:
    """Decide over one run. `limits` has the slots of each limited tag.

    Room on a worker is no matter of this rule.
    """
    if queue.paused:
        return Verdict("wait", f"queue {queue.name!r} is paused", "queue")
    late_s = (now - run.due_at) / 1e6
    if deployment is not None and deployment.skip_if_late_s is not None and late_s > deployment.skip_if_late_s:
        return Verdict("skip", f"{late_s:.0f} s late; skip_if_late_s is {deployment.skip_if_late_s:g}")
    others = [one for one in load.deployments.get(run.deployment_id, ()) if one.id != run.id]
    if deployment is not None and others:
        verdict = _beside(deployment, others)
        if verdict is not None:
            return verdict
    if queue.concurrency is not None and load.queues[queue.name] >= queue.concurrency:
        n = load.queues[queue.name]
        return Verdict("wait", f"queue {queue.name!r} runs {n} of at most {queue.concurrency}", "queue")
    for tag in run.tags:
        slots = limits.get(tag)
        if slots is not None and load.tags[tag] >= slots:
            return Verdict("wait", f"tag {tag!r} runs {load.tags[tag]} of at most {slots}")
    return GO


def _beside(deployment: Deployment, others: list[Busy]) -> Verdict | None:
    """Decide by what runs of the same deployment."""
    first = others[0].name
    if deployment.overlap == "skip":
        return Verdict("skip", f"run {first!r} of {deployment.title} was still going (overlap=skip)")
    if deployment.overlap == "queue":
        return Verdict("wait", f"run {first!r} of {deployment.title} goes first (overlap=queue)", "deployment")
    if deployment.overlap == "cancel-previous":
        return Verdict("cancel-others", f"run {first!r} of {deployment.title} is cancelled first", "deployment")
    if deployment.concurrency is not None and len(others) >= deployment.concurrency:
        text = f"deployment {deployment.title} runs {len(others)} of at most {deployment.concurrency}"
        return Verdict("wait", text, "deployment")
    return None


def is_plain(deployment: Deployment | None, queue: Queue, tags: Iterable[str], limits: Mapping[str, int]) -> bool:
    """Say whether a run may be handed out before it is due: nothing that happens until then can forbid it."""
    if deployment is not None and (deployment.overlap != "allow" or deployment.concurrency is not None):
        return False
    return queue.concurrency is None and not queue.paused and not any(tag in limits for tag in tags)


def missing(wanted: Mapping[str, float], left: Mapping[str, float]) -> str:
    """Say which resource a worker has too little of, "" when it has enough."""
    for name, amount in wanted.items():
        if left.get(name, 0.0) + ROUNDING < amount:
            return f"needs {name}={amount:g}, the worker has {left.get(name, 0.0):g} left"
    return ""
