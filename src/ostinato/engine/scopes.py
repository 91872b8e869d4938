"""Who is calling: the scope of a flow run or task run, kept in one context variable."""

from __future__ import annotations

import itertools
import sys
import time
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from ostinato.core.errors import KeyTaken, RunCancelled, StaleEpoch
from ostinato.core.keys import chosen_key, nth_key
from ostinato.core.names import run_name
from ostinato.core.states import TERMINAL
from ostinato.engine.effects import Move
from ostinato.engine.lineage import Lineage
from ostinato.engine.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.core.events import CheckpointSaved, Event
    from ostinato.core.ports import Recorder
    from ostinato.core.records import Checkpoint
    from ostinato.core.settings import Settings
    from ostinato.engine.memory import Memory


def now_us() -> int:
    """Give the instant now in UTC microseconds."""
    return time.time_ns() // 1000


class Root:
    """One execution of a root run and its subflows: they share stream, epoch and lineage."""

    __slots__ = (
        "abandoned",
        "checkpoints",
        "epoch",
        "id",
        "lineage",
        "memory",
        "name",
        "push",
        "recorder",
        "settings",
        "unrecorded",
        "values",
    )

    asked: ClassVar[str] = ""
    """What a supervisor asks of this process (see `control`): `pause`, `cancel`, or nothing."""
    is_supervised: ClassVar[bool] = False
    """Whether a supervisor is there, who sees to what this process leaves when it ends."""
    hold: ClassVar[Callable[[Scope], None]]
    """Waits as long as it is to pause, refuses when it is to stop; set by what sets `asked`."""

    def __init__(self, recorder: Recorder, settings: Settings, run_id: str, epoch: int, name: str) -> None:
        self.recorder = recorder
        self.push: Callable[[Event], None] = recorder.record
        self.settings = settings
        self.values = Values(recorder, int(settings.result_limit_mb * (1 << 20)))
        self.checkpoints: dict[bytes, CheckpointSaved | Checkpoint] = {}
        """The newest ones of this process."""
        self.id = run_id
        self.epoch = epoch
        self.name = name or run_name()
        self.lineage = Lineage()
        self.memory: Memory | None = None
        """What earlier epochs or attempts recorded; None in a first attempt."""
        self.abandoned = 0
        """Functions of timed-out tasks that were left behind; told at the end of the run."""
        self.unrecorded: list[tuple[Any, Move]] = []
        """Ends of runs that could not be recorded where they happened, since the stack was full."""

    def note_unrecorded(self, subject: Any, effect: object) -> None:
        """Keep an end that could not be recorded for a caller with more room on the stack."""
        if isinstance(effect, Move) and effect.state in TERMINAL:
            self.unrecorded.append((subject, effect))

    def record_late(self) -> None:
        """Record the ends that were kept."""
        while self.unrecorded:
            subject, effect = self.unrecorded.pop()
            try:
                subject.move(effect.state, effect.message, effect.value, effect.error)
            except RecursionError:
                self.unrecorded.append((subject, effect))
                raise


class Scope:
    """A running flow or task from which calls are made."""

    __slots__ = (
        "_chosen",
        "_lock",
        "_names",
        "attempt",
        "began_at",
        "cut",
        "flow",
        "key",
        "log_prints",
        "name",
        "newest",
        "no",
        "root",
        "tracking",
    )

    def __init__(self, root: Root, key: bytes, no: int, name: str) -> None:
        self.root = root
        self.key = key
        self.no = no
        self.name = name
        self.attempt = 1
        self.began_at = now_us()
        self.newest = 0
        """Newest epoch among the calls made so far: what the ordinal rule compares with."""
        self.cut = ""
        """Why no further calls are allowed (timed out, cancelled), or empty."""
        self.log_prints = False
        self.tracking: Any = None
        """The tracking runs that were opened here; told by `end(state)` when this ends."""
        self._names: dict[bytes, int] | None = None
        self._chosen: set[bytes] | None = None
        self._lock = _NAMES_LOCK

    flow: FlowScope

    def ordinal_of(self, name: bytes) -> int:
        """Give how many calls with this name were made before, and count this one."""
        with self._lock:
            names = self._names
            if names is None:
                names = self._names = {}
            ordinal = names.get(name, 0)
            names[name] = ordinal + 1
        return ordinal

    def next_key(self, name: bytes) -> tuple[bytes, int]:
        """Give the key and ordinal of the next call with this name."""
        ordinal = self.ordinal_of(name)
        return nth_key(name, ordinal), ordinal

    def claim_key(self, task: str, key: str) -> bytes:
        """Give the task key for a chosen `key=`.

        Raises:
            KeyTaken: (task-key-taken) a call in this scope has it already.
        """
        found = chosen_key(self.key, task, key)
        with self._lock:
            if self._chosen is None:
                self._chosen = set()
            if found in self._chosen:
                raise KeyTaken(parent=self.name, key=key, task=task)
            self._chosen.add(found)
        return found

    def check(self, *, hold: bool = True) -> None:
        """Stop here when this scope may make no further calls; wait here (with `hold`) while the run is to pause.

        Raises:
            RunCancelled: (run-cancelled) it timed out or was cancelled.
            StaleEpoch: (epoch-stale) the run goes on elsewhere.
        """
        root = self.root
        if self.cut or self.flow.cut:
            raise RunCancelled(name=self.name, reason=self.cut or self.flow.cut)
        if root.asked and (hold or root.asked == "cancel"):
            Root.hold(self)
        newer = root.recorder.is_stale(root.id)
        if newer > root.epoch:
            raise StaleEpoch(run=root.name, epoch=newer, own=root.epoch)


_NAMES_LOCK = Lock()


class FlowScope(Scope):
    """A running flow."""

    __slots__ = (
        "awaited",
        "expected_at",
        "id",
        "last_no",
        "numbers",
        "parameters",
        "parent",
        "pending",
        "run",
        "runner",
        "storage",
        "tags",
        "task_numbers",
    )

    def __init__(self, root: Root, key: bytes, run: Any, first_no: int) -> None:
        super().__init__(root, key, 0, run.name)
        self.flow = self
        self.id: str = run.id
        self.run = run
        self.parent: Scope | None = run.caller
        self.parameters: dict[str, object] = run.arguments
        self.expected_at: int = run.expected_at
        self.tags: tuple[str, ...] = run.tags
        self.numbers = itertools.count(first_no)
        self.last_no = first_no - 1
        self.task_numbers: dict[str, int] = {}
        above = run.caller.flow.storage if run.caller is not None else ""
        self.storage: str = str(run.flow.options.result_storage or above)
        """Folder or URL for large results; empty for the home."""
        self.runner: Any = None
        """Made at the first submit."""
        self.awaited: Any = None
        """The asyncio task in which an async flow runs."""
        self.pending: list[Any] = []
        """Futures whose outcome nobody has looked at yet."""

    def next_no(self) -> int:
        """Give the next position among the calls of this run."""
        no = self.last_no = next(self.numbers)
        return no

    def task_number(self, task: str) -> int:
        """Give how many runs of this task the flow run had before, and count this one."""
        numbers = self.task_numbers
        number = numbers.get(task, 0)
        numbers[task] = number + 1
        return number


class TaskScope(Scope):
    """A running task."""

    __slots__ = ("task",)

    def __init__(self, root: Root, flow: FlowScope, key: bytes, no: int, name: str, task: Any) -> None:
        super().__init__(root, key, no, name)
        self.flow = flow
        self.task = task


current: ContextVar[Scope | None] = ContextVar("ostinato_scope", default=None)
"""The scope of the code that runs now."""

roots: dict[str, FlowScope] = {}
"""Root flow runs that are running in this process."""


def find_scope() -> Scope | None:
    """Give the calling scope; a thread without context belongs to the only running root of the process."""
    scope = current.get()
    if scope is None and len(roots) == 1:
        return next(iter(roots.values()))
    return scope


def running_loop() -> Any:
    """Give the event loop that runs in this thread, or None; does not import asyncio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio._get_running_loop() if asyncio is not None else None  # noqa: SLF001 - the only form that does not raise
