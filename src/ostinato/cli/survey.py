"""A survey: one look at a run and all below it, cheap enough to be taken again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.records import FlowRun, TaskCount, TaskRun
from ostinato.core.states import TERMINAL, StateName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostinato.core.ports import Reader

SHOWN_FAILURES: Final = 5
"""So many failures of a run are read; the rest is counted."""

SHOWN_ACTIVE: Final = 20
"""So many of its running tasks are read, in runs of at most `SMALL` tasks."""

SMALL: Final = 500

BAD: Final[tuple[StateName, ...]] = ("Failed", "TimedOut", "Crashed")
AT_WORK: Final[tuple[StateName, ...]] = ("Running", "Retrying", "AwaitingRetry")

_TELLING: Final[tuple[StateName, ...]] = (
    *BAD,
    "Running",
    "Retrying",
    "AwaitingRetry",
    "Cancelling",
    "Paused",
    "Pending",
    "Late",
    "Scheduled",
    "Cancelled",
    "Skipped",
    "Completed",
    "Cached",
)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The task runs of one task (or of one `.map`) in a flow run, counted."""

    task: str
    group: str
    states: dict[StateName, int]
    first_no: int = 0
    """Position of the first of them among the calls of the flow run."""

    @property
    def total(self) -> int:
        """Task runs that exist."""
        return sum(self.states.values())

    @property
    def n_done(self) -> int:
        """Task runs that ended."""
        return sum(n for state, n in self.states.items() if state in TERMINAL)

    @property
    def state(self) -> StateName:
        """The one state that says most about all of them: what went wrong, else what runs, else what waits."""
        return next(state for state in _TELLING if self.states.get(state))


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A flow run with its tasks and its subflow runs."""

    run: FlowRun
    groups: tuple[Group, ...] = ()
    failures: tuple[TaskRun, ...] = ()
    """The first task runs that failed, timed out or crashed."""
    active: tuple[TaskRun, ...] = ()
    """Some task runs that run now."""
    branches: tuple[Branch, ...] = ()

    @property
    def ended(self) -> bool:
        """The run is over in this epoch, and all below it."""
        return self.run.state in TERMINAL and all(branch.ended for branch in self.branches)


class Survey:
    """Looks at one run; what cannot have changed is not read again."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._last: dict[tuple[str, int], Branch] = {}

    def take(self, run: FlowRun) -> Branch:
        """Give the run as it is now, with all below it."""
        last = self._last.get((run.id, run.epoch))
        if last is not None and last.ended and last.run == run:
            return last
        groups = groups_of(self._reader.counts(run.id))
        branch = Branch(
            run=run,
            groups=groups,
            failures=self._failures(run, groups, last),
            active=self._active(run, groups),
            branches=tuple(self.take(child) for child in self._reader.subflow_runs(run.id)),
        )
        self._last[run.id, run.epoch] = branch
        return branch

    def _failures(self, run: FlowRun, groups: tuple[Group, ...], last: Branch | None) -> tuple[TaskRun, ...]:
        n_bad = counted(groups, BAD)
        if last is not None and (len(last.failures) == SHOWN_FAILURES or counted(last.groups, BAD) == n_bad):
            return last.failures
        return tuple(self._reader.task_runs(run.id, states=BAD, limit=SHOWN_FAILURES)) if n_bad else ()

    def _active(self, run: FlowRun, groups: tuple[Group, ...]) -> tuple[TaskRun, ...]:
        if not counted(groups, AT_WORK) or sum(group.total for group in groups) > SMALL:
            return ()
        return tuple(self._reader.task_runs(run.id, states=AT_WORK, limit=SHOWN_ACTIVE))


def counted(groups: Iterable[Group], states: tuple[StateName, ...]) -> int:
    """Give how many task runs of the groups are in one of the states."""
    return sum(group.states.get(state, 0) for group in groups for state in states)


def groups_of(counts: list[TaskCount]) -> tuple[Group, ...]:
    """Give the counters by task and `.map`, in order of first call."""
    rows: dict[tuple[str, str, int], dict[StateName, int]] = {}
    for count in counts:
        if count.n:
            rows.setdefault((count.task, count.group, count.first_no), {})[count.state] = count.n
    return tuple(Group(task=task, group=group, states=found, first_no=no) for (task, group, no), found in rows.items())
