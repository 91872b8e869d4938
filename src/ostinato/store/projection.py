"""From events to rows: folds the events of one commit, so that each row is written once.

The rules, which the tests repeat in a slow and plain form:

- An event whose epoch is below that of its root run changes nothing (log lines and artifacts excepted).
- A move happens only along the table of states, within the epoch of its row.
- `RunCreated` and `TaskStarted` make a row. Of a row that exists they make a new life: in a newer
  epoch, or (task runs) in the same one when they name the terminal state that the row is in, which
  is how the next attempt of a flow runs a failed task again.
- A flow run that moves in a newer epoch than its row begins that epoch as Pending; so does a subflow
  run in the same epoch, when the move names the terminal state that the row is in.
- What names a flow run that does not exist changes nothing (log lines and artifacts excepted).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, get_args

import msgspec

from ostinato.core import events as ev
from ostinato.core.datasets import DatasetEvent
from ostinato.core.events import (
    ArtifactMade,
    CacheStored,
    CheckpointSaved,
    Logged,
    LogsDropped,
    RunAsked,
    RunCreated,
    RunMoved,
    RunReleased,
    TaskMoved,
    TaskStarted,
    VariableSet,
)
from ostinato.core.logged_models import LoggedModelEvent
from ostinato.core.registry import RegistryEvent
from ostinato.core.states import TABLE, TERMINAL, UNSUCCESSFUL
from ostinato.core.tracking import TrackingEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ostinato.core.events import Error, Event
    from ostinato.core.results import Result

Row: TypeAlias = list[Any]
"""Values of one row, or of several one after the other, in the order of the query's columns."""

HOUR_US: Final = 3_600_000_000

# Places in a row of `put_tasks`; a row of which only these are known has no key.
NO, EPOCH, STATE, ATTEMPT, TASK, GROUP, KEY = 1, 2, 3, 4, 5, 7, 8
MESSAGE, STARTED, ENDED, N_STARTED, RESULT, ERROR = 14, 16, 17, 18, 19, 20

NOT_PLANNED: Final = ev.Planned("", "", "", 0)

APART: Final = frozenset(
    (
        VariableSet,
        *(ev.StreamLost, ev.TickPlanned, ev.SchedulePlanned, ev.DeploymentSet, ev.DeploymentRemoved, ev.QueueSet),
        *(ev.LimitSet, ev.WorkerJoined, ev.WorkerLeft, ev.UserSet, ev.KeySet, ev.SecretSet, ev.Audited),
        *get_args(TrackingEvent),
        *get_args(LoggedModelEvent),
        *get_args(DatasetEvent),
        *get_args(RegistryEvent),
    )
)
"""Events that are about no flow run."""

pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class RunHead(msgspec.Struct, array_like=True):
    """What the database knows of a flow run."""

    id: str
    root_id: str
    flow: str
    epoch: int
    state: str
    stream: str
    created_at: int
    started_at: int | None
    pinned: int
    last_no: int | None


class TaskHead(msgspec.Struct, array_like=True):
    """What the database knows of a task run."""

    no: int
    epoch: int
    state: str
    task: str
    group: str
    started_at: int | None


class Heads(Protocol):
    """Looks up what the database held before this commit."""

    def runs(self, ids: Iterable[str]) -> list[RunHead]:
        """Give these flow runs and their root runs, as far as they exist."""

    def tasks(self, run_id: str, nos: Iterable[int]) -> list[TaskHead]:
        """Give these task runs of a flow run, as far as they exist."""


class Run:
    """A flow run while its events are folded; the public columns of `move_run` and more."""

    __slots__ = (
        "asked",
        "attempt",
        "before",
        "counted",
        "created_at",
        "due_at",
        "ended_at",
        "epoch",
        "error",
        "flow",
        "held",
        "id",
        "last_no",
        "made",
        "message",
        "moved",
        "n_crashes",
        "n_logs_dropped",
        "n_reused",
        "pinned",
        "placed",
        "result",
        "root",
        "started_at",
        "state",
        "stream",
        "tasks",
        "worker",
    )

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.root = self
        self.state = ""
        """Empty while the run does not exist."""
        self.epoch = self.attempt = self.n_reused = self.n_logs_dropped = self.created_at = 0
        self.flow = self.stream = self.message = ""
        self.started_at: int | None = None
        self.ended_at: int | None = None
        self.result: bytes | None = None
        self.error: bytes | None = None
        self.worker: str | None = None
        self.held: int | None = None
        self.asked: str | None = None
        self.due_at: int | None = None
        self.n_crashes: int | None = None
        """These five: None while they stay as they are in the database."""
        self.made: RunCreated | None = None
        """What the whole row is written from."""
        self.pinned = False
        """Its stored values stay when it ends well: somebody needs them, or it is a run of a deployment."""
        self.placed = False
        """Who holds it, or what is asked of it, is to be updated."""
        self.moved = False
        """The row in the database is to be updated."""
        self.counted: tuple[str, str, int] | None = None
        """Counter that holds the run in the database."""
        self.last_no = 0
        """Highest `no` among its task runs in the database."""
        self.tasks: dict[int, Row] = {}
        """Rows of task runs by `no`."""
        self.before: dict[int, tuple[str, str, str]] = {}
        """Counters that hold its task runs in the database."""


class Fold:
    """Collects what the events of one commit change."""

    def __init__(self, heads: Heads, stream: str) -> None:
        self.heads = heads
        self.stream = stream
        self.runs: dict[str, Run] = {}
        self.stale: dict[str, int] = {}
        """Newer epochs of root runs for which old events came."""
        self.states: Row = []
        self.logs: Row = []
        self.artifacts: Row = []
        self.tags: Row = []
        self.variables: list[Row] = []
        self.cached: list[Row] = []
        self.tracking: list[TrackingEvent] = []
        self.others: list[Event] = []
        """What has a projection of its own, see `subjects`."""
        self.ended_well: list[str] = []
        """Root runs that Completed and are not pinned: what they needed before can go."""
        self._blob_refs: list[tuple[Run, str]] = []
        self._checkpoints: list[tuple[Run, CheckpointSaved]] = []
        self._late: list[tuple[Run, TaskStarted | TaskMoved]] = []
        """Events of task runs in the database that are not looked up yet."""
        self._rare: dict[type, Callable[[Any], None]] = {
            RunCreated: self._run_created,
            RunMoved: self._run_moved,
            RunAsked: self._run_asked,
            RunReleased: self._run_released,
            LogsDropped: self._logs_dropped,
            ArtifactMade: self._artifact,
            CheckpointSaved: self._checkpoint,
            CacheStored: self._cache,
            VariableSet: self._variable,
            **dict.fromkeys(get_args(TrackingEvent), self.tracking.append),
        }

    def add(self, events: Sequence[Event]) -> None:
        """Take in all events of one commit, in order."""
        self._look_up_runs(events)
        runs, logs, run, run_id = self.runs, self.logs, Run(""), ""
        for event in events:
            if isinstance(event, (TaskMoved, TaskStarted)):
                if event.run_id is not run_id:
                    run_id = event.run_id
                    run = runs[run_id]
                if event.epoch < run.root.epoch:
                    self.stale[run.root.id] = run.root.epoch
                elif event.no not in run.tasks and event.no <= run.last_no:
                    self._late.append((run, event))
                elif isinstance(event, TaskMoved):
                    if event.no in run.tasks:
                        self._task_moved(run, run.tasks[event.no], event)
                else:
                    self._task_started(run, event)
            elif isinstance(event, Logged):
                logs += (event.run_id, event.no, event.at, event.level, event.logger, event.text)
            else:
                self._rare.get(type(event), self.others.append)(event)
        self._catch_up()

    # --- what is in the database

    def _look_up_runs(self, events: Sequence[Event]) -> None:
        ids = {event.run_id for event in events if type(event) not in APART}  # type: ignore[union-attr]
        ids.update([event.root_id for event in events if isinstance(event, RunCreated)])
        runs = self.runs
        for run_id in ids:
            runs[run_id] = Run(run_id)
        heads = self.heads.runs(ids)
        for head in heads:
            run = runs.get(head.id) or runs.setdefault(head.id, Run(head.id))
            run.flow = head.flow
            run.epoch = head.epoch
            run.state = head.state
            run.stream = head.stream
            run.created_at = head.created_at
            run.started_at = head.started_at
            run.pinned = bool(head.pinned)
            run.last_no = head.last_no or 0
            run.counted = (head.flow, head.state, head.created_at // HOUR_US * HOUR_US)
        for head in heads:
            runs[head.id].root = runs[head.root_id] if head.root_id in runs else Run(head.root_id)

    def _catch_up(self) -> None:
        """Fold the events of task runs that had to be looked up first."""
        late, self._late = self._late, []
        wanted: dict[Run, list[int]] = {}
        for run, event in late:
            wanted.setdefault(run, []).append(event.no)
        for run, nos in wanted.items():
            for head in self.heads.tasks(run.id, nos):
                row: Row = [None] * 21
                row[0], row[NO], row[EPOCH], row[STATE] = run.id, head.no, head.epoch, head.state
                row[TASK], row[GROUP], row[STARTED] = head.task, head.group, head.started_at
                run.tasks[head.no] = row
                run.before[head.no] = (head.task, head.group, head.state)
        for run, event in late:
            if isinstance(event, TaskStarted):
                self._task_started(run, event)
            elif event.no in run.tasks:
                self._task_moved(run, run.tasks[event.no], event)

    # --- task runs

    def _task_started(self, run: Run, event: TaskStarted) -> None:
        row = run.tasks.get(event.no)
        state = event.state
        if row is not None:
            again = event.epoch == row[EPOCH] and event.previous == row[STATE] and row[STATE] in TERMINAL
            if event.epoch <= row[EPOCH] and not again:
                return
        elif not run.state:
            return
        run.tasks[event.no] = [
            run.id,
            event.no,
            event.epoch,
            state,
            1,
            event.task,
            event.name,
            event.group,
            event.key,
            event.ordinal,
            event.parent_no,
            b"".join(event.upstream) if event.upstream else None,
            event.version,
            _tags(event.tags) if event.tags else None,
            event.message,
            event.at,
            event.at if state == "Running" else None,
            event.at if state in TERMINAL else None,
            0,
            None,
            None,
        ]

    def _task_moved(self, run: Run, row: Row, event: TaskMoved) -> None:
        state = event.state
        if state not in TABLE[row[STATE]] or event.epoch != row[EPOCH]:
            return
        row[STATE] = state
        row[ATTEMPT] = event.attempt
        row[MESSAGE] = event.message
        row[N_STARTED] = event.n_started
        row[RESULT] = None if event.result is None else self._pack_result(run, event.result)
        row[ERROR] = None if event.error is None else pack(event.error)
        if state in TERMINAL:
            row[ENDED] = event.at
        elif state == "Running" and row[STARTED] is None:
            row[STARTED] = event.at

    # --- flow runs

    def _run_created(self, event: RunCreated) -> None:
        run = self.runs[event.run_id]
        previous = run.state
        if not previous:
            run.root = self.runs[event.root_id]
            run.created_at = event.at
        if event.epoch < run.root.epoch:
            self.stale[run.root.id] = run.root.epoch
            return
        if previous and event.epoch <= run.epoch:
            return
        if run.root is run:
            self._catch_up()
        run.made = event
        run.pinned = run.pinned or event.planned is not None
        run.flow = event.flow
        run.epoch = event.epoch
        run.state = event.state
        run.message = ""
        run.attempt = 1
        run.stream = self.stream
        run.started_at = event.at if event.state == "Running" else None
        run.ended_at = event.at if event.state in TERMINAL else None
        run.result = run.error = run.worker = run.held = run.asked = run.due_at = run.n_crashes = None
        run.n_reused = 0
        for tag in event.tags:
            self.tags += (tag, event.run_id)
        if event.arguments is not None:
            self._pack_result(run, event.arguments)
        self._note(run, event.at, previous)

    def _run_moved(self, event: RunMoved) -> None:
        run = self.runs[event.run_id]
        previous = run.state
        if event.epoch < run.root.epoch:
            self.stale[run.root.id] = run.root.epoch
            return
        if not previous or event.epoch < run.epoch:
            return
        again = event.epoch > run.epoch or (previous in TERMINAL and event.previous == previous and run.root is not run)
        if again:
            if event.state not in ("Pending", "Scheduled") and event.state not in TABLE["Pending"]:
                return
            if run.root is run:
                self._catch_up()
            run.epoch = event.epoch
            run.stream = self.stream
            run.started_at = None
        elif event.state not in TABLE[previous]:  # type: ignore[index]
            return
        run.moved = True
        if event.state == "Running":
            run.stream = self.stream
        self._place(run, event, again=again)
        run.state = event.state
        run.message = event.message
        run.attempt = event.attempt
        run.n_reused = event.n_reused
        run.ended_at = event.at if event.state in TERMINAL else None
        if run.started_at is None and event.state == "Running":
            run.started_at = event.at
        run.result = None if event.result is None else self._pack_result(run, event.result)
        run.error = None if event.error is None else pack(event.error)
        if run.root is run and event.state == "Completed" and not run.pinned:
            self._end_well(run)
        self._note(run, event.at, previous)

    def _place(self, run: Run, event: RunMoved, *, again: bool) -> None:
        """Note where and when the run is to go on."""
        if event.worker is not None:
            run.worker, run.held = event.worker, int(bool(event.worker))
        elif again:
            run.worker, run.held = "", 0
        if event.due_at is not None:
            run.due_at = event.due_at
        if event.n_crashes is not None:
            run.n_crashes = event.n_crashes
        if again or event.state in TERMINAL or event.state == "Paused" or run.state == "Paused":
            run.asked = ""

    def _run_asked(self, event: RunAsked) -> None:
        run = self.runs[event.run_id]
        if run.state and run.state not in TERMINAL and event.epoch == run.epoch:
            run.asked, run.placed = event.asked, True

    def _run_released(self, event: RunReleased) -> None:
        run = self.runs[event.run_id]
        if run.state and event.epoch == run.epoch:
            run.held, run.placed = 0, True

    def _note(self, run: Run, at: int, previous: str) -> None:
        self.states += (run.id, at, run.epoch, run.attempt, run.state, previous, run.message)

    def _logs_dropped(self, event: LogsDropped) -> None:
        run = self.runs[event.run_id]
        if run.state:
            run.n_logs_dropped += event.n_dropped

    # --- the rest

    def _artifact(self, event: ArtifactMade) -> None:
        self.artifacts += (event.run_id, event.no, event.key, event.kind, event.description, event.at)
        self.artifacts += (event.data, event.blob, event.media_type)

    def _checkpoint(self, event: CheckpointSaved) -> None:
        run = self.runs[event.run_id]
        if event.epoch < run.root.epoch:
            self.stale[run.root.id] = run.root.epoch
        elif run.state and (run.root.state != "Completed" or run.root.pinned):
            self._checkpoints.append((run, event))

    def _cache(self, event: CacheStored) -> None:
        result = event.result
        row = [event.cache_key, event.at, event.expires_at, event.run_id, event.no]
        row += (None, "") if result is None else (pack(result), _blob_at_home(result))
        self.cached.append(row)

    def _variable(self, event: VariableSet) -> None:
        tags = _tags(event.tags) if event.tags else None
        self.variables.append([event.name, event.value, tags, event.at])

    def _pack_result(self, run: Run, result: Result) -> bytes:
        if _blob_at_home(result) and (run.root.state != "Completed" or run.root.pinned):
            self._blob_refs.append((run, result.blob))
        return pack(result)

    def _end_well(self, root: Run) -> None:
        self.ended_well.append(root.id)
        self._blob_refs = [ref for ref in self._blob_refs if ref[0].root is not root]
        self._checkpoints = [saved for saved in self._checkpoints if saved[0].root is not root]

    # --- what to write

    def blob_refs(self) -> Row:
        """Give which runs need which stored values, for `add_blob_refs`."""
        return [value for run, blob in self._blob_refs for value in (run.id, blob)]

    def checkpoints(self) -> list[Row]:
        """Give the checkpoints, oldest first, for `put_checkpoint`."""
        return [
            [run.id, event.key, event.version, event.at, pack(event.value), _blob_at_home(event.value)]
            for run, event in self._checkpoints
        ]

    def run_rows(self) -> Row:
        """Give whole rows of flow runs, for `put_runs`."""
        rows: Row = []
        for run in self.runs.values():
            event = run.made
            if event is None:
                continue
            rows += (run.id, event.root_id, event.parent_id, event.no, event.flow, event.name, run.state, run.message)
            rows += (run.epoch, run.attempt, run.stream, run.created_at, event.expected_at, run.started_at)
            rows += (run.ended_at, event.version, _tags(event.tags) if event.tags else None, event.key)
            rows += (b"".join(event.upstream) if event.upstream else None, event.parameters)
            rows += (_packed(event.arguments), pack(event.source), run.result, run.error, run.n_reused, 0)
            plan = event.planned or NOT_PLANNED
            rows += (plan.deployment_id, plan.deployment, plan.queue, plan.priority, plan.schedule)
            rows += (run.due_at or plan.due_at, run.worker or "", run.held or 0, run.asked or "", run.n_crashes or 0)
            rows.append(plan.actor)
        return rows

    def run_moves(self) -> list[Row]:
        """Give what changed in rows of flow runs, for `move_run`."""
        return [
            [
                *(run.state, run.message, run.epoch, run.attempt, run.stream, run.started_at, run.ended_at),
                *(run.result, run.error, run.n_reused, run.worker, run.held, run.asked, run.due_at, run.n_crashes),
                run.id,
            ]
            for run in self.runs.values()
            if run.moved and run.made is None
        ]

    def run_places(self) -> list[Row]:
        """Give who holds runs that did not move, and what is asked of them, for `place_run`."""
        return [
            [run.held, run.asked, run.id]
            for run in self.runs.values()
            if run.placed and not run.moved and run.made is None
        ]

    def ended_badly(self) -> list[tuple[str, str, int | None]]:
        """Give state, id and end of flow runs that ended in another way than well: what they track ends with them."""
        return [
            (run.state, run.id, run.ended_at) for run in self.runs.values() if run.moved and run.state in UNSUCCESSFUL
        ]

    def flow_counts(self) -> Row:
        """Give the changes of the counters of flow runs, for `add_flow_counts`."""
        counts: dict[tuple[str, str, int], int] = {}
        for run in self.runs.values():
            if run.made is None and not run.moved:
                continue
            for sign, counter in ((-1, run.counted), (1, (run.flow, run.state, run.created_at // HOUR_US * HOUR_US))):
                if counter is not None:
                    for key in (counter, ("", counter[1], 0)):
                        counts[key] = counts.get(key, 0) + sign
        return [value for key, n in counts.items() if n for value in (*key, n)]

    def task_rows(self) -> tuple[Row, Row, Row]:
        """Give whole rows for `put_tasks`, changes for `move_tasks`, and counters for `add_task_counts`."""
        puts: Row = []
        moves: Row = []
        counters: Row = []
        for run in self.runs.values():
            counts: dict[tuple[str, str, str], list[int]] = {}
            for no, row in run.tasks.items():
                if row[KEY] is not None:
                    puts += row
                elif row[MESSAGE] is not None:
                    moves += row[:TASK]
                    moves += (row[MESSAGE], *row[STARTED:])
                key = (row[TASK], row[GROUP], row[STATE])
                count = counts.get(key)
                if count is None:
                    counts[key] = [1, no]
                else:
                    count[0] += 1
                    count[1] = min(count[1], no)
            for no, key in run.before.items():
                count = counts.setdefault(key, [0, no])
                count[0] -= 1
            for key, count in counts.items():
                if count[0]:
                    counters += (run.id, *key, *count)
        return puts, moves, counters


def _tags(tags: tuple[str, ...]) -> str:
    return _json(tags).decode()


def _blob_at_home(result: Result) -> str:
    """Give the blob that retention has to know of: what the user keeps elsewhere is the user's."""
    return "" if result.storage else result.blob


def _packed(value: Result | Error | None) -> bytes | None:
    return None if value is None else pack(value)
