"""A survey: one look at a run and all below it, cheap enough to be taken again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.core.records import FlowRun, TaskCount, TaskRun, TaskTally
from ostinato.core.states import TERMINAL, UNSUCCESSFUL, StateName

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
    n_superseded: int = 0
    """Task runs that ended badly before the last resume and were not called again; `states` is without them."""
    longest_us: int = 0
    total_us: int = 0
    """How long the one that took longest took, and all together; 0 as long as the flow run goes on."""
    most_attempts: int = 1

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
        return next((state for state in _TELLING if self.states.get(state)), "Skipped")


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
    def n_runs(self) -> int:
        """This run and all below it."""
        return 1 + sum(branch.n_runs for branch in self.branches if not is_left_behind(branch.run, self.run))

    @property
    def states(self) -> dict[StateName, int]:
        """How many task runs are in each state, in this run and all below it."""
        states: dict[StateName, int] = {}
        called = (branch.states for branch in self.branches if not is_left_behind(branch.run, self.run))
        for found in (*(group.states for group in self.groups), *called):
            for state, n in found.items():
                states[state] = states.get(state, 0) + n
        return states

    @property
    def n_superseded(self) -> int:
        """Task runs left from before the last resume, in this run and all below it."""
        n = sum(group.n_superseded for group in self.groups)
        for branch in self.branches:
            n += branch.n_superseded
            n += sum(branch.states.values()) if is_left_behind(branch.run, self.run) else 0
        return n

    @property
    def ended(self) -> bool:
        """The run is over in this epoch, and all below it."""
        return self.run.ended and all(branch.ended for branch in self.branches)


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
        # Every task run is read for it: not while a run goes on, unless it goes on after others.
        telling = run.state in TERMINAL or run.epoch > 1
        groups = groups_of(self._reader.counts(run.id), self._reader.tallies(run.id) if telling else (), run.epoch)
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
        if not n_bad:
            return ()
        limit = SHOWN_FAILURES + sum(group.n_superseded for group in groups)
        found = self._reader.task_runs(run.id, states=BAD, limit=limit)
        return tuple(task for task in found if not is_superseded(task, run))[:SHOWN_FAILURES]

    def _active(self, run: FlowRun, groups: tuple[Group, ...]) -> tuple[TaskRun, ...]:
        if not counted(groups, AT_WORK) or sum(group.total for group in groups) > SMALL:
            return ()
        return tuple(self._reader.task_runs(run.id, states=AT_WORK, limit=SHOWN_ACTIVE))


def counted(groups: Iterable[Group], states: tuple[StateName, ...]) -> int:
    """Give how many task runs of the groups are in one of the states."""
    return sum(group.states.get(state, 0) for group in groups for state in states)


def is_left_behind(child: FlowRun, run: FlowRun) -> bool:
    """Tell whether a subflow run ended badly before the last resume of its caller, which did not call it again."""
    return child.epoch < run.epoch and child.state in UNSUCCESSFUL


def is_superseded(task: TaskRun, run: FlowRun) -> bool:
    """Tell whether a task run ended badly before the last resume of its run, which did not call it again."""
    return task.epoch < run.epoch and task.state in UNSUCCESSFUL


def groups_of(counts: list[TaskCount], tallies: Iterable[TaskTally] = (), epoch: int = 1) -> tuple[Group, ...]:
    """Give the counters by task and `.map`, in order of first call; with durations where there are `tallies`."""
    rows: dict[tuple[str, str, int], dict[StateName, int]] = {}
    for count in counts:
        if count.n:
            rows.setdefault((count.task, count.group, count.first_no), {})[count.state] = count.n
    told: dict[tuple[str, str], list[TaskTally]] = {}
    for tally in tallies:
        told.setdefault((tally.task, tally.group), []).append(tally)
    return tuple(
        _group(Group(task=task, group=group, states=found, first_no=no), told.get((task, group), []), epoch)
        for (task, group, no), found in rows.items()
    )


def _group(group: Group, tallies: list[TaskTally], epoch: int) -> Group:
    old = [tally for tally in tallies if tally.epoch < epoch and tally.state in UNSUCCESSFUL]
    new = [tally for tally in tallies if tally not in old]
    if not tallies:
        return group
    states = dict(group.states)
    for tally in old:
        states[tally.state] = states.get(tally.state, 0) - tally.n
    return msgspec.structs.replace(
        group,
        states={state: n for state, n in states.items() if n > 0},
        n_superseded=sum(tally.n for tally in old),
        longest_us=max((tally.longest_us for tally in new), default=0),
        total_us=sum(tally.total_us for tally in new),
        most_attempts=max((tally.most_attempts for tally in new), default=1),
    )
