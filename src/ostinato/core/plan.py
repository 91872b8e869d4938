"""The resume plan: which recorded calls a resumed run takes over, which run again, and why.

A call runs when the call that contains it runs and it has a reason: it did not end well, its
result is not kept, its code changed, something that it takes in runs again, or a call inside it
is out of date. A call inside one that is taken over is not reached at all. Each reason can only
add calls that run, so the plan is the smallest set that holds all reasons, found in one walk.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from ostinato.core.errors import PlanRefused
from ostinato.core.keys import nth_key
from ostinato.core.states import SUCCESSFUL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ostinato.core.records import FlowRun, Recall, TaskRun
    from ostinato.core.results import Lost, Result
    from ostinato.core.states import StateName

Changed: TypeAlias = Literal["rerun", "refuse", "reuse"]
"""What to do with a completed call whose code changed."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a resume does with one recorded call."""

    no: int
    """Position among the calls of `run_id`."""
    run_id: str
    """The flow run that made the call."""
    key: bytes
    task: str
    """Name of the task, or of the flow for a subflow."""
    name: str
    reuse: bool
    reason: str
    subflow_id: str = ""
    """The subflow's own run, for a call that is one."""


def plan(
    recall: Recall,
    versions: Mapping[str, str],
    changed: Changed = "rerun",
    has_blob: Callable[[str], bool] = bool,
) -> list[Decision]:
    """Give a decision for each recorded call below the root run: callers first, then by number.

    Args:
        recall: What is recorded of the root run.
        versions: Version of each task as the code is now, and of each subflow under `flow:NAME`;
            a task that is missing here has changed, a subflow that is missing is not compared.
        changed: What to do with completed calls whose version differs.
        has_blob: Says whether a stored value is still there; by default each one is.

    Raises:
        PlanRefused: (plan-refused) `changed` is `refuse`, and completed calls would run again for it.
    """
    calls = _read(recall)
    _walk(recall, calls, versions, changed, has_blob)
    if changed == "refuse":
        _refuse(recall, calls)
    return [call.decision() for call in _in_order(calls)]


def summary(decisions: Iterable[Decision]) -> str:
    """Give the plan in one line, such as "reuse 412, re-run 3 because `fit` changed"; subflows are not counted."""
    tasks = [decision for decision in decisions if not decision.subflow_id]
    causes = Counter(_cause(decision) for decision in tasks if not decision.reuse)
    shown = causes.most_common(_MOST_CAUSES)
    parts = [f"reuse {len(tasks) - causes.total()}", *(f"re-run {n} because {cause}" for cause, n in shown)]
    if len(causes) > len(shown):
        parts.append(f"re-run {causes.total() - sum(n for _, n in shown)} for other reasons")
    return ", ".join(parts)


def alike(tasks: Iterable[TaskRun]) -> tuple[set[bytes], set[bytes]]:
    """Give the keys of calls that only their ordinal tells apart, and of those that overlapped one of their like.

    A call overlaps the next one when that started (`no`) before it ended (`n_started`).
    """
    by_key = {row.key: row for row in tasks}
    told: set[bytes] = set()
    overlapped: set[bytes] = set()
    for first in by_key.values():
        if first.ordinal != 0 or nth_key(first.key, 1) not in by_key:
            continue
        group, ordinal = [first], 1
        while (row := by_key.get(nth_key(first.key, ordinal))) is not None:
            group.append(row)
            ordinal += 1
        told.update(row.key for row in group)
        group.sort(key=lambda row: row.no)
        longest = group[0]
        for row in group[1:]:
            if row.no <= longest.n_started or longest.state not in SUCCESSFUL:
                overlapped.update((longest.key, row.key))
            longest = max(longest, row, key=lambda one: one.n_started)
    return told, overlapped


_MOST_CAUSES: Final = 3
_BECAUSE: Final = "because "
_GONE: Final = "is not defined in the file any more"
_CHANGED: Final = "changed"
_OVERLAPPED: Final = "ran at the same time as a call with the same inputs, and has no `key=`"
_ENDED: Final[dict[StateName, str]] = {
    "Failed": "failed",
    "TimedOut": "timed out",
    "Crashed": "crashed",
    "Cancelled": "was cancelled",
    "Skipped": "was skipped",
}
_LOST: Final[dict[Lost, str]] = {
    "too-large": "gave a result that was too large to keep",
    "unpicklable": "gave a result that cannot be pickled",
    "not-persisted": "does not keep its result",
    "dropped": "gave a result that was dropped",
}


class _Call:
    """A recorded call while the plan is made."""

    __slots__ = (
        "caller",
        "cause",
        "inside",
        "is_stale",
        "name",
        "phrase",
        "row",
        "run_id",
        "runs",
        "subflow_id",
        "told",
        "users",
        "wants",
    )

    def __init__(self, row: TaskRun | FlowRun, name: str, run_id: str, subflow_id: str = "") -> None:
        self.row = row
        self.name = name
        self.run_id = run_id
        self.subflow_id = subflow_id
        self.caller: _Call | None = None
        """The call that contains it; None when the root run itself made it."""
        self.inside: list[_Call] = []
        self.users: list[_Call] = []
        """Calls that take in its result, or waited for it."""
        self.told = False
        """Only its ordinal tells it from its like."""
        self.phrase = ""
        """Its own reason, said after its name."""
        self.cause = self
        """The call whose own reason makes this one run."""
        self.wants = False
        """It runs if its caller does."""
        self.is_stale = False
        """Its recorded result is out of date, and so is the result of what contains it."""
        self.runs = False

    def decision(self) -> Decision:
        row = self.row
        return Decision(
            no=row.no,
            run_id=self.run_id,
            key=row.key,
            task=self.name,
            name=row.name,
            reuse=not self.runs,
            reason=self.reason(),
            subflow_id=self.subflow_id,
        )

    def reason(self) -> str:
        if self.runs:
            return self.phrase if self.cause is self else f"{_BECAUSE}`{self.cause.name}` {self.cause.phrase}"
        if self.caller is not None and not self.caller.runs:
            return f"inside `{self.caller.name}`, which is taken over"
        return f"although it {self.phrase}" if self.phrase else ""


def _cause(decision: Decision) -> str:
    if decision.reason.startswith(_BECAUSE):
        return decision.reason.removeprefix(_BECAUSE)
    return f"`{decision.task}` {decision.reason}"


# --- from rows to calls that know their caller and their users


def _read(recall: Recall) -> list[_Call]:
    subflows = {run.id: _Call(run, run.flow, run.parent_id, run.id) for run in recall.runs if run.id != run.root_id}
    tasks = {(row.run_id, row.no): _Call(row, row.task, row.run_id) for row in recall.tasks}
    calls = [*subflows.values(), *tasks.values()]
    for call in calls:
        parent_no = getattr(call.row, "parent_no", 0)
        call.caller = tasks.get((call.run_id, parent_no)) if parent_no else subflows.get(call.run_id)
        if call.caller is not None:
            call.caller.inside.append(call)
    by_key: dict[bytes, list[_Call]] = {}
    for call in calls:
        by_key.setdefault(call.row.key, []).append(call)
    for call in calls:
        for key in call.row.upstream:
            for producer in by_key.get(key, ()):
                producer.users.append(call)
    return calls


def _in_order(calls: list[_Call]) -> Iterator[_Call]:
    """Give the calls as a tree is read: each one before what it called, neighbours by number."""
    waiting = sorted((call for call in calls if call.caller is None), key=_latest_first)
    while waiting:
        call = waiting.pop()
        yield call
        waiting.extend(sorted(call.inside, key=_latest_first))


def _latest_first(call: _Call) -> int:
    return -call.row.no


# --- the walk


def _own_phrase(call: _Call, versions: Mapping[str, str], has_blob: Callable[[str], bool]) -> tuple[str, bool]:
    """Give why a call cannot stand, judged by itself alone, and whether it is for its code; empty if it can."""
    row = call.row
    if row.state not in SUCCESSFUL:
        return _ENDED.get(row.state, f"was {row.state} when the process ended"), False
    version = versions.get(f"flow:{call.name}", row.version) if call.subflow_id else versions.get(call.name)
    if version != row.version:
        return (_GONE if version is None else _CHANGED), True
    return _lost_phrase(row.result, has_blob), False


def _lost_phrase(result: Result | None, has_blob: Callable[[str], bool]) -> str:
    if result is None:
        return ""
    if result.lost:
        return _LOST[result.lost]
    is_gone = result.blob and not result.storage and not has_blob(result.blob)
    return "gave a result whose stored value is gone" if is_gone else ""


def _walk(
    recall: Recall,
    calls: list[_Call],
    versions: Mapping[str, str],
    changed: Changed,
    has_blob: Callable[[str], bool],
) -> None:
    """Mark the calls that run, beginning with those that have a reason of their own."""
    told, overlapped = alike(recall.tasks)
    spread = _Spread(calls)
    for call in _in_order(calls):
        call.told = call.row.key in told
        call.phrase, is_code = _own_phrase(call, versions, has_blob)
        if is_code and changed == "reuse":
            lost = _lost_phrase(call.row.result, has_blob)
            if not lost:
                continue
            call.phrase, is_code = lost, False
        if not call.phrase and call.row.key in overlapped:
            call.phrase = _OVERLAPPED
        if is_code:
            spread.make_stale(call, call)
        elif call.phrase:
            spread.make_wanted(call, call)
    spread.run()


class _Spread:
    """Carries reasons from call to call until nothing changes; each call is visited a bounded number of times."""

    def __init__(self, calls: list[_Call]) -> None:
        self._waiting: deque[_Call] = deque()
        self._earliest: dict[_Call | str, int] = {}
        """Lowest number that runs among the calls of one caller."""
        self._told: dict[_Call | str, list[_Call]] = {}
        self._calls = calls

    def make_wanted(self, call: _Call, cause: _Call) -> None:
        if call.wants:
            return
        call.wants = True
        call.cause = cause
        if call.caller is None or call.caller.runs:
            self._start(call)

    def make_stale(self, call: _Call, cause: _Call) -> None:
        one: _Call | None = call
        while one is not None and not one.is_stale:
            one.is_stale = True
            self.make_wanted(one, cause)
            one = one.caller

    def _start(self, call: _Call) -> None:
        call.runs = True
        self._waiting.append(call)

    def run(self) -> None:
        for call in self._calls:
            if call.told:
                self._told.setdefault(call.caller or call.run_id, []).append(call)
        while self._waiting:
            call = self._waiting.popleft()
            for inner in call.inside:
                if inner.wants and not inner.runs:
                    self._start(inner)
            for user in call.users:
                self.make_stale(user, call.cause)
            self._touch_later(call)

    def _touch_later(self, call: _Call) -> None:
        """A call told by its ordinal alone stands only while nothing before it in its caller runs again."""
        caller = call.caller or call.run_id
        earliest = self._earliest.get(caller)
        if earliest is not None and earliest <= call.row.no:
            return
        self._earliest[caller] = call.row.no
        for other in self._told.get(caller, ()):
            if call.row.no < other.row.no and (earliest is None or other.row.no <= earliest):
                self.make_stale(other, call.cause)


def _refuse(recall: Recall, calls: list[_Call]) -> None:
    """Raise when completed calls run again for changed code."""
    again = [call for call in _in_order(calls) if call.runs and call.row.state in SUCCESSFUL and _is_code(call.cause)]
    if not again:
        return
    root = next(run for run in recall.runs if run.id == run.root_id)
    first = again[0]
    reason = first.reason() if first.cause is not first else f"it {first.phrase}"
    raise PlanRefused(run=root.name, n=len(again), task=first.name, reason=reason.removeprefix(_BECAUSE))


def _is_code(call: _Call) -> bool:
    return call.phrase in (_CHANGED, _GONE)
