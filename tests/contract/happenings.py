"""Events as flows make them, short to write."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ostinato.core.events import RunCreated, RunMoved, Source, TaskMoved, TaskStarted

if TYPE_CHECKING:
    from ostinato.core.events import Error
    from ostinato.core.results import Result
    from ostinato.core.states import StateName

SOURCE = Source("/flows/train.py", "train", "/flows", "python3")


def now_us() -> int:
    return time.time_ns() // 1000


def key_of(no: int) -> bytes:
    return no.to_bytes(16, "big")


def created(
    run: str,
    root: str = "",
    *,
    parent: str = "",
    epoch: int = 1,
    flow: str = "train",
    name: str = "quiet-otter",
    tags: tuple[str, ...] = (),
    arguments: Result | None = None,
    at: int = 0,
    no: int = 0,
) -> RunCreated:
    at = at or now_us()
    key = key_of(no) if parent else b""
    identity = (run, epoch, at, flow, name, "Pending", root or run, parent, key, no, ())
    return RunCreated(*identity, b"{}", arguments, tags, "v1", SOURCE, at)  # type: ignore[arg-type]


def moved(
    run: str,
    state: StateName,
    previous: StateName = "Running",
    *,
    epoch: int = 1,
    at: int = 0,
    message: str = "",
    result: Result | None = None,
    error: Error | None = None,
) -> RunMoved:
    return RunMoved(run, epoch, at or now_us(), state, previous, message, 1, result, error)


def started(
    run: str,
    no: int,
    *,
    state: StateName = "Running",
    task: str = "fit",
    group: str = "",
    previous: str = "",
    epoch: int = 1,
    at: int = 0,
    tags: tuple[str, ...] = (),
) -> TaskStarted:
    at = at or now_us()
    upstream = (key_of(no - 1),) if no > 1 else ()
    return TaskStarted(
        *(run, epoch, at, no, key_of(no), task, f"{task}-{no}", state, previous, 0, 0, upstream, "v2", tags, "", group)
    )


def ended(
    run: str,
    no: int,
    state: StateName = "Completed",
    *,
    previous: StateName = "Running",
    epoch: int = 1,
    at: int = 0,
    result: Result | None = None,
    error: Error | None = None,
) -> TaskMoved:
    return TaskMoved(run, epoch, at or now_us(), no, state, previous, no, 1, "", result, error)
