"""Deployments, queues and limits as values: which flow runs where, when, and beside how many others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from ostinato.core.schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable

Overlap: TypeAlias = Literal["allow", "queue", "skip", "cancel-previous"]
"""What a due run does while another one of its deployment runs."""

Catchup: TypeAlias = Literal["none", "latest", "all"]
"""Which runs that came due while no server ran are made up for."""

CodeKind: TypeAlias = Literal["local", "snapshot", "git"]

DEFAULT_QUEUE: Final = "default"

SCHEDULED_TAG: Final = "auto-scheduled"
"""Every run that a schedule makes has it."""

LATE_US: Final = 15_000_000
"""A run is late when it has not begun so long after its due time."""

MOST_AMOUNT: Final = 1e12
MOST_PRIORITY: Final = 1_000_000
MOST_S: Final = 36_525 * 86_400
"""A hundred years."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Slug: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """Where a worker finds the code of a flow."""

    kind: CodeKind
    file: str
    """Absolute for `local`, else relative to the root of the tree."""
    function: str
    """Qualified name of the flow function in `file`."""
    directory: str = ""
    """Working directory: absolute for `local`, else relative to the root of the tree."""
    location: str = ""
    """`snapshot`: folder or URL that holds it, empty for the server's home; `git`: URL of the repository."""
    revision: str = ""
    """`snapshot`: digest of its content; `git`: the commit."""


class Timetable(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule of a deployment."""

    slug: Slug
    """Its name, unique in the deployment."""
    schedule: Schedule
    parameters: dict[str, Any] = {}
    """On top of those of the deployment."""
    active: bool = True


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that workers can run: code, parameters, schedules and rules."""

    id: str
    flow: Name
    name: Name
    code: Code
    version: str = ""
    """Version of the code: a git commit, or a hash of the content."""
    description: str = ""
    parameters: dict[str, Any] = {}
    parameter_schema: dict[str, Any] = {}
    """JSON schema of the flow's parameters."""
    tags: tuple[str, ...] = ()
    queue: str = ""
    """Empty: the first queue whose filter fits, else `default`."""
    priority: int = 0
    """The larger, the earlier among runs that are due."""
    schedules: tuple[Timetable, ...] = ()
    concurrency: Annotated[int, Meta(ge=1)] | None = None
    """At most so many of its runs at once."""
    overlap: Overlap = "allow"
    catchup: Catchup = "latest"
    skip_if_late_s: Annotated[float, Meta(gt=0)] | None = None
    """A run that has not started so long after its due time is skipped."""
    crash_retries: Annotated[int, Meta(ge=0)] = 3
    """How often a run whose process or worker died is taken up again."""
    cancel_grace_s: Annotated[float, Meta(ge=0)] = 30.0
    """Seconds that user code has to end after a cancellation, before it is killed."""
    env: dict[str, str] = {}
    """Environment variables of the process."""
    resources: dict[str, float] = {}
    """What a run occupies of its worker, such as {"gpu": 1, "memory": 8}."""
    paused: bool = False
    """No run is made by its schedules."""
    created_at: int = 0
    updated_at: int = 0

    @property
    def title(self) -> str:
        """Give `flow/name`, by which people call it."""
        return f"{self.flow}/{self.name}"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A line in which runs wait for workers."""

    name: Name
    description: str = ""
    tags: tuple[str, ...] = ()
    """Takes runs of deployments without a queue that have all of these tags."""
    deployments: tuple[str, ...] = ()
    """Takes runs of these deployments (`flow/name`) without a queue."""
    concurrency: Annotated[int, Meta(ge=0)] | None = None
    """At most so many of its runs at once."""
    priority: int = 0
    """The larger, the earlier a worker that serves several queues looks here."""
    paused: bool = False


class QueueLoad(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs of a queue wait and run."""

    name: str
    n_waiting: int = 0
    """Runs that are due, the late ones too."""
    n_late: int = 0
    n_later: int = 0
    """Runs that are due later."""
    n_running: int = 0


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A number of slots: for runs with a tag (`tag:NAME`), or for blocks of code (`concurrency(NAME)`)."""

    name: Name
    slots: Annotated[int, Meta(ge=0)]
    n_taken: int = 0


def fault_of(one: Deployment) -> tuple[str, str] | None:
    """Say what of a deployment could not be kept, or not be done by any worker, and how to mend that."""
    slugs = [each.slug for each in one.schedules]
    twice = next((slug for slug in slugs if slugs.count(slug) > 1), None)
    if twice is not None:
        return f"two schedules are called {twice!r}", "Give each a slug of its own."
    if "/" in one.name:
        return "its name has a slash", "Use letters, digits, - and _."
    unfit = next((text for text in (one.flow, one.name, *one.tags, *slugs) if not text or not text.isprintable()), None)
    if unfit is not None:
        return f"{unfit!r} is no name", "Names of flows, deployments, tags and schedules are printable text."
    if one.queue and (len(one.queue) > 200 or not one.queue.isprintable()):
        return f"{one.queue[:50]!r} is no name of a queue", "Use letters, digits, - and _, 200 at most."
    for name, amount in one.resources.items():
        if not name or not 0 <= amount <= MOST_AMOUNT:
            return f"resource {name!r} is {amount:g}", "Write an amount of 0 or more, such as gpu=1."
    for name, seconds in (("skip_if_late_s", one.skip_if_late_s), ("cancel_grace_s", one.cancel_grace_s)):
        if seconds is not None and not 0 <= seconds <= MOST_S:
            return f"{name} is {seconds:g}", "Write seconds from 0 to 100 years."
    if abs(one.priority) > MOST_PRIORITY:
        return f"priority is {one.priority}", f"Write a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}."
    for name, text in one.env.items():
        if not name or "=" in name or "\0" in name + text:
            return f"no process can have the environment variable {name!r}", "Leave out `=` and zero bytes."
    return None


def queue_for(deployment: Deployment, tags: tuple[str, ...], queues: Iterable[Queue]) -> str:
    """Give the queue of a run with these tags: that of its deployment, or the first whose filter takes it."""
    if deployment.queue:
        return deployment.queue
    for queue in queues:
        if deployment.title in queue.deployments or (queue.tags and set(queue.tags) <= set(tags)):
            return queue.name
    return DEFAULT_QUEUE
