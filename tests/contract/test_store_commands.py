"""What every store decides about runs: who makes, gets, pauses, cancels, resumes and forgets them, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ostinato.core import commands as asked
from ostinato.core.deployments import Code, Deployment, Limit, Queue, Timetable
from ostinato.core.errors import (
    ControlRefused,
    DeploymentAmbiguous,
    DeploymentInvalid,
    DeploymentNotFound,
    LimitNotFound,
    ParametersMisfit,
    QueueNotFound,
    RunNotFound,
)
from ostinato.core.events import InputAsked, RunCreated, RunMoved, Source, TaskMoved, TaskStarted
from ostinato.core.ids import new_id
from ostinato.core.inputs import ANSWERED_BY
from ostinato.core.schedules import Interval
from ostinato.core.work import WORKER_GONE
from ostinato.core.workers import Held, WorkerInfo
from ostinato.session.home import Home
from ostinato.session.home_reader import EmbeddedReader
from ostinato.session.ledger import Ledger
from ostinato.store.commands import workers
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.events import Event
    from ostinato.core.records import FlowRun
    from ostinato.core.work import Answer

T0 = 1_700_000_000_000_000
SECOND = 1_000_000
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}


class Desk:
    """A home whose clock is driven, with what a server would ask of it."""

    def __init__(self, home: Path) -> None:
        self.now = T0
        self.ledger = Ledger(Home(str(home)), lambda: self.now)
        self.reader = EmbeddedReader(Home(str(home)))

    def do(self, command: asked.Command[Any], actor: str = "ann") -> Any:
        return self.ledger.do(lambda tx: carry_out(tx, command), actor=actor)

    def record(self, *events: Event) -> None:
        self.ledger.do(lambda tx: tx.append(*events))

    def deploy(self, name: str = "d", flow: str = "train", **fields: Any) -> Deployment:
        code = Code(kind="local", file="/flows.py", function=flow, directory="/")
        deployed: Deployment = self.do(
            asked.Deploy(deployment=Deployment(id="", flow=flow, name=name, code=code, **fields))
        )
        return deployed

    def create(self, deployment: str = "train/d", **fields: Any) -> FlowRun:
        run: FlowRun = self.do(asked.CreateRun(deployment=deployment, **fields))
        return run

    def join(self, name: str = "w", **fields: Any) -> str:
        worker_id = new_id()
        self.do(asked.Join(worker=WorkerInfo(id=worker_id, name=name, host="h", pid=1, **fields)))
        return worker_id

    def poll(self, worker: str, *held: FlowRun, free: int = 10, **fields: Any) -> Answer:
        there = tuple(Held(run.id, run.epoch) for run in held)
        answer: Answer = self.do(asked.Poll(worker_id=worker, held=there, free=free, **fields))
        return answer

    def lease(self, worker: str, *held: FlowRun, **fields: Any) -> list[FlowRun]:
        return [one.run for one in self.poll(worker, *held, **fields).assignments]

    def begin(self, worker: str, *held: FlowRun) -> FlowRun:
        """Give the one run that a worker gets, now Running."""
        (run,) = self.lease(worker, *held)
        return self.move(run, "Running")

    def move(self, run: FlowRun, state: Any, message: str = "") -> FlowRun:
        """Record what the process of a run would."""
        now = self.see(run)
        self.record(RunMoved(run.id, run.epoch, self.now, state, now.state, message))
        return self.see(run)

    def ended(self, worker: str, run: FlowRun, how: str = "signal SIGKILL", **fields: Any) -> FlowRun:
        self.do(asked.Ended(worker_id=worker, run_id=run.id, epoch=run.epoch, how=how, **fields))
        return self.see(run)

    def why(self, run: FlowRun) -> str:
        """Say why it does not run, by the clock of the desk."""
        return self.ledger.do(lambda tx: workers.why_waiting(tx.db, self.see(run), tx.now))

    def see(self, run: FlowRun) -> FlowRun:
        return self.reader.find_run(run.id)

    def tell(self, worker: str, *held: FlowRun) -> list[tuple[str, str]]:
        return [(order.kind, order.reason) for order in self.poll(worker, *held, free=0).orders]

    def by_hand(self, state: Any = "Running", message: str = "") -> FlowRun:
        """Give a run that a process of its own has begun."""
        run_id = new_id()
        source = Source("/flows.py", "train", "/", "")
        self.record(
            RunCreated(
                run_id, 1, self.now, "train", "by-hand", "Pending", run_id, "", b"", 0, (), b"{}", None, (), "",
                source, self.now,
            ),
            RunMoved(run_id, 1, self.now, "Running", "Pending"),
        )  # fmt: skip
        if state != "Running":
            self.record(RunMoved(run_id, 1, self.now, state, "Running", message))
        return self.reader.find_run(run_id)


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    one = Desk(home)
    yield one
    one.reader.close()
    one.ledger.close()


# --- making runs


def test_a_run_has_the_parameters_tags_and_queue_of_its_deployment_and_its_own_on_top(desk: Desk) -> None:
    desk.deploy(parameters={"n": 1, "m": 2}, tags=("a",), queue="ml", priority=3)
    desk.do(asked.SetQueue(queue=Queue(name="ml")))
    run = desk.create(parameters={"n": 5}, tags=("b", "a"), name="mine")
    assert (run.state, run.epoch, run.name, run.queue, run.priority) == ("Scheduled", 1, "mine", "ml", 3)
    assert (run.tags, run.actor, run.deployment) == (("a", "b"), "ann", "train/d")
    assert msgspec.json.decode(run.parameters) == {"n": 5, "m": 2}
    assert (run.due_at, run.expected_at) == (T0, T0)


def test_parameters_that_do_not_fit_make_no_run(desk: Desk) -> None:
    desk.deploy(parameter_schema=SCHEMA)
    with pytest.raises(ParametersMisfit, match='n: "x" is not a whole number'):
        desk.create(parameters={"n": "x"})
    with pytest.raises(ParametersMisfit, match="k"):
        desk.create(parameters={"k": 1})
    assert desk.create(parameters={"n": 1}).state == "Scheduled"


def test_a_deployment_whose_runs_could_not_have_its_parameters_is_not_made(desk: Desk) -> None:
    hourly = Timetable(slug="hourly", schedule=Interval(3600))
    needs = {**SCHEMA, "required": ["n"]}
    with pytest.raises(DeploymentInvalid, match="its parameters do not fit the flow: n: "):
        desk.deploy(parameter_schema=needs, parameters={"n": "many"})
    with pytest.raises(DeploymentInvalid, match="its schedule 'hourly' would make runs whose parameters do not fit"):
        desk.deploy(parameter_schema=needs, schedules=(hourly,))
    desk.deploy(parameter_schema=needs)  # who asks for a run gives them
    desk.deploy(parameter_schema=needs, parameters={"n": 1}, schedules=(hourly,))


def test_a_run_cannot_wait_in_a_queue_that_is_not_there(desk: Desk) -> None:
    desk.deploy()
    with pytest.raises(QueueNotFound):
        desk.create(queue="nowhere")


def test_deployments_are_named_by_title_id_and_a_name_that_only_one_has(desk: Desk) -> None:
    first = desk.deploy()
    desk.deploy(flow="score")
    assert desk.create(first.id).deployment == "train/d"
    with pytest.raises(DeploymentAmbiguous):
        desk.create("d")
    with pytest.raises(DeploymentNotFound, match="train/d"):
        desk.create("train/x")


def test_a_second_command_with_the_same_key_gives_the_run_of_the_first(desk: Desk) -> None:
    desk.deploy()
    first, second, other = desk.create(key="k"), desk.create(key="k"), desk.create(key="l")
    assert first.id == second.id != other.id


# --- who gets a run


def test_runs_go_out_when_due_the_most_urgent_first_and_only_once(desk: Desk) -> None:
    desk.deploy()
    later = desk.create(due_at=T0 + 60 * SECOND)
    old, new, urgent = desk.create(due_at=T0 - 9 * SECOND), desk.create(), desk.create(priority=5)
    worker = desk.join()
    given = desk.lease(worker)
    assert [run.id for run in given] == [urgent.id, old.id, new.id]
    assert all((run.state, run.worker, run.held) == ("Pending", worker, True) for run in given)
    assert desk.lease(worker, *given) == []
    assert desk.see(later).state == "Scheduled"


def test_a_plain_run_goes_out_two_seconds_early_and_one_that_may_be_forbidden_when_it_is_due(desk: Desk) -> None:
    desk.deploy()
    desk.deploy("alone", concurrency=1)
    early = desk.create(due_at=T0 + 2 * SECOND)
    desk.create("train/alone", due_at=T0 + SECOND)
    worker = desk.join()
    answer = desk.poll(worker)
    assert [one.run.id for one in answer.assignments] == [early.id]
    assert answer.assignments[0].due_in_ms == 2000
    desk.now += SECOND
    assert len(desk.lease(worker, early)) == 1


def test_what_an_answer_that_got_lost_gave_is_given_again(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    (first,) = desk.lease(worker)
    (again,) = desk.lease(worker)
    assert (first.id, first.epoch) == (again.id, again.epoch)
    assert desk.lease(worker, again) == []


def test_a_worker_gets_no_more_than_it_has_room_for_and_only_of_its_queues_and_deployments(desk: Desk) -> None:
    wanted = desk.deploy("wanted")
    desk.deploy("other")
    desk.do(asked.SetQueue(queue=Queue(name="ml")))
    ours = [desk.create("train/wanted", queue="ml") for _ in range(3)]
    desk.create("train/other", queue="ml")
    desk.create("train/wanted")
    worker = desk.join(queues=("ml",), deployments=(wanted.id,))
    first = desk.lease(worker, free=2)
    assert [run.id for run in first] == [run.id for run in ours[:2]]
    assert [run.id for run in desk.lease(worker, *first)] == [ours[2].id]
    assert desk.lease(worker, *first, ours[2]) == []


def test_a_queue_with_a_limit_hands_out_no_more_and_says_why(desk: Desk) -> None:
    desk.do(asked.SetQueue(queue=Queue(name="db", concurrency=1)))
    desk.deploy(queue="db")
    desk.create(), desk.create()
    worker = desk.join()
    (first,) = desk.lease(worker)
    waiting = next(run for run in desk.reader.preview("db", T0) if run.id != first.id)
    assert desk.reader.why_waiting(waiting.id) == "queue 'db' runs 1 of at most 1"
    desk.ended(worker, desk.move(desk.move(first, "Running"), "Completed"), "exit code 0")
    assert [run.id for run in desk.lease(worker)] == [waiting.id]


def test_a_paused_queue_hands_out_nothing(desk: Desk) -> None:
    desk.do(asked.SetQueue(queue=Queue(name="default", paused=True)))
    desk.deploy()
    run, worker = desk.create(), desk.join()
    assert desk.lease(worker) == []
    assert desk.reader.why_waiting(run.id) == "queue 'default' is paused"


def test_a_limit_of_a_tag_counts_over_all_deployments(desk: Desk) -> None:
    desk.do(asked.SetLimit(limit=Limit(name="tag:gpu", slots=1)))
    desk.deploy(tags=("gpu",))
    desk.deploy("e", tags=("gpu",))
    desk.create(), desk.create("train/e")
    free = desk.create(tags=())
    desk.deploy("plain")
    plain = desk.create("train/plain")
    worker = desk.join()
    given = desk.lease(worker)
    assert len(given) == 2
    assert plain.id in {run.id for run in given}
    assert free.id not in {run.id for run in given}
    assert desk.reader.why_waiting(free.id) == "tag 'gpu' runs 1 of at most 1"


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        ("allow", ["Running", "Pending"]),
        ("queue", ["Running", "Scheduled"]),
        ("skip", ["Running", "Skipped"]),
        ("cancel-previous", ["Cancelling", "Scheduled"]),
    ],
)
def test_what_a_due_run_does_beside_another_of_its_deployment(desk: Desk, overlap: Any, states: list[str]) -> None:
    desk.deploy(overlap=overlap)
    first, worker = desk.create(), desk.join()
    desk.begin(worker)
    second = desk.create()
    desk.poll(worker, first)
    assert [desk.see(run).state for run in (first, second)] == states


def test_a_run_that_is_too_late_is_skipped(desk: Desk) -> None:
    desk.deploy(skip_if_late_s=60)
    run, worker = desk.create(), desk.join()
    desk.now += 61 * SECOND
    assert desk.lease(worker) == []
    assert (desk.see(run).state, desk.see(run).message) == ("Skipped", "61 s late; skip_if_late_s is 60")


def test_resources_are_given_as_far_as_they_reach(desk: Desk) -> None:
    desk.deploy(resources={"gpu": 1})
    desk.create(), desk.create()
    worker, poor = desk.join(resources={"gpu": 1}), desk.join()
    assert desk.lease(poor) == []
    (first,) = desk.lease(worker)
    assert desk.lease(worker, first, resources={"gpu": 0}) == []
    assert len(desk.lease(worker, first, resources={"gpu": 1})) == 1


def test_why_a_due_run_waits_is_said_in_one_line(desk: Desk) -> None:
    desk.deploy(resources={"gpu": 2})
    desk.deploy("e")
    run, plain = desk.create(), desk.create("train/e")
    assert desk.reader.why_waiting(run.id).startswith("no worker serves queue 'default'")
    worker = desk.join(resources={"gpu": 1}, slots=1)
    assert desk.reader.why_waiting(run.id) == "needs gpu=2, the worker has 1 left"
    assert desk.reader.why_waiting(plain.id) == ""
    desk.lease(worker, free=1)
    late = desk.create("train/e")
    assert desk.reader.why_waiting(late.id) == "all workers are busy"


def test_a_run_in_the_hands_of_a_silent_worker_says_what_becomes_of_it(desk: Desk) -> None:
    desk.deploy(crash_retries=1)
    desk.create()
    worker = desk.join(lease_s=9)
    run = desk.begin(worker)
    assert desk.why(run) == ""
    desk.now += 7 * SECOND
    assert desk.why(run) == "worker w is silent; it goes on elsewhere within 2 s"
    crashed = desk.move(run, "Crashed", WORKER_GONE)
    assert not crashed.ended
    assert desk.why(crashed) == "worker w is gone; it goes on elsewhere within 2 s"
    desk.now += 3 * SECOND
    desk.ledger.do(workers.expire)
    again = desk.begin(desk.join("x", lease_s=9))
    crashed = desk.move(again, "Crashed", "the process was told to end")
    assert desk.why(crashed) == "its process ended; it has no tries left"
    assert desk.ended(crashed.worker, crashed).ended
    assert desk.do(asked.ResumeRun(run=run.id)).epoch == 3


def test_a_run_that_is_crashed_and_about_to_go_on_is_resumed_at_once_or_let_go(desk: Desk) -> None:
    desk.deploy()
    worker = desk.join()
    desk.create()
    first = desk.move(desk.begin(worker), "Crashed")
    assert desk.why(first) == "its process ended; it goes on (try 1 of 3)"
    resumed = desk.do(asked.ResumeRun(run=first.id))
    assert (resumed.state, resumed.epoch, resumed.held) == ("Scheduled", 2, False)
    assert desk.ended(worker, first).epoch == 2, "the end of the old process changes nothing"
    second = desk.move(desk.begin(worker), "Crashed")
    let_go = desk.do(asked.CancelRun(run=second.id))
    assert let_go.ended
    assert desk.ended(worker, second).state == "Crashed"


# --- leases


def test_the_runs_of_a_silent_worker_are_taken_over_in_the_next_epoch(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    silent, other = desk.join(lease_s=3), desk.join("x", lease_s=1000)
    run = desk.begin(silent)
    desk.now += 2 * SECOND
    desk.poll(silent, run)
    desk.now += 3 * SECOND
    assert desk.ledger.do(workers.expire) == 0
    desk.now += 1
    assert desk.ledger.do(workers.expire) == 1
    lost = desk.see(run)
    assert (lost.state, lost.epoch, lost.n_crashes, lost.held) == ("Scheduled", 2, 1, False)
    (again,) = desk.lease(other)
    assert (again.id, again.epoch) == (run.id, 2)
    assert not desk.poll(silent, run).known
    desk.record(RunMoved(run.id, 1, desk.now, "Completed", "Running"))
    assert desk.see(run).state == "Pending"


def test_a_run_that_goes_on_elsewhere_is_stopped_where_it_was(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.ended(worker, run)
    assert desk.tell(worker, run) == [("stop", "it goes on elsewhere")]


def test_a_worker_that_leaves_gives_back_what_it_holds_at_once(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.do(asked.Leave(worker_id=worker, reason="upgrade"))
    assert (desk.see(run).state, desk.see(run).epoch) == ("Scheduled", 2)


# --- ends of processes


def test_a_run_whose_process_died_is_tried_again_at_once_then_later_and_then_no_more(desk: Desk) -> None:
    desk.deploy(crash_retries=2)
    desk.create()
    worker = desk.join()
    waits = []
    for _ in range(2):
        run = desk.ended(worker, desk.begin(worker))
        assert run.state == "Scheduled"
        waits.append((run.due_at - desk.now) // SECOND)
        desk.now = run.due_at
    assert waits == [0, 1]
    run = desk.ended(worker, desk.begin(worker), tail="Segmentation fault")
    assert (run.state, run.epoch, run.n_crashes, run.held) == ("Crashed", 3, 2, False)
    assert run.error is not None
    assert (run.error.message, run.error.trace) == ("signal SIGKILL", "Segmentation fault")


def test_a_process_that_could_not_be_started_is_not_tried_again_where_that_is_no_use(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    assert desk.ended(worker, desk.begin(worker), "it could not be started", retry=False).state == "Crashed"


def test_the_end_of_a_process_in_an_old_epoch_changes_nothing(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker, other = desk.join(), desk.join("x")
    old = desk.begin(worker)
    desk.ended(worker, old)
    new = desk.begin(other)
    assert desk.ended(worker, old).state == "Running"
    assert desk.see(new).epoch == 2


def test_tasks_of_a_dead_process_are_crashed(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.record(
        TaskStarted(run.id, 1, desk.now, 1, b"k" * 16, "a", "a-1", "Running", "", 0, 0, (), ""),
        TaskStarted(run.id, 1, desk.now, 2, b"l" * 16, "b", "b-1", "Running", "", 0, 0, (), ""),
        TaskMoved(run.id, 1, desk.now, 1, "Completed", "Running"),
    )
    desk.ended(worker, run)
    assert [task.state for task in desk.reader.task_runs(run.id)] == ["Completed", "Crashed"]


# --- cancel


def test_a_run_that_waits_is_cancelled_at_once(desk: Desk) -> None:
    desk.deploy()
    run = desk.create()
    cancelled = desk.do(asked.CancelRun(run=run.id, reason="wrong month"))
    assert (cancelled.state, cancelled.message) == ("Cancelled", "cancelled by ann: wrong month")
    assert desk.lease(desk.join()) == []


@pytest.mark.parametrize(
    "steps",
    [
        [],
        ["Running"],
        ["Running", "Paused"],
        ["Running", "AwaitingRetry"],
        ["Running", "AwaitingRetry", "Retrying"],
    ],
)
def test_a_run_in_the_hands_of_a_worker_is_cancelled_through_it(desk: Desk, steps: list[str]) -> None:
    desk.deploy(cancel_grace_s=7)
    desk.create()
    worker = desk.join()
    (run,) = desk.lease(worker)
    for step in steps:
        desk.move(run, step)
    assert desk.do(asked.CancelRun(run=run.id)).state == "Cancelling"
    assert desk.do(asked.CancelRun(run=run.id, reason="again")).message == "cancelled by ann"
    (order,) = desk.poll(worker, run).orders
    assert (order.kind, order.reason, order.grace_s) == ("cancel", "cancelled by ann", 7)
    ended = desk.ended(worker, run)
    assert (ended.state, ended.message, ended.held, ended.epoch) == ("Cancelled", "cancelled by ann", False, 1)


def test_a_run_that_ends_well_while_it_is_cancelled_has_ended_well(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.do(asked.CancelRun(run=run.id))
    desk.move(run, "Completed")
    assert desk.ended(worker, run, "exit code 0").state == "Completed"


def test_a_worker_that_is_lost_with_a_run_that_is_cancelled_leaves_it_cancelled(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.do(asked.CancelRun(run=run.id))
    desk.do(asked.Leave(worker_id=worker))
    assert (desk.see(run).state, desk.see(run).epoch) == ("Cancelled", 1)


def test_what_ended_what_is_no_root_and_what_another_process_runs_is_not_cancelled(desk: Desk) -> None:
    desk.deploy()
    run = desk.create()
    desk.do(asked.CancelRun(run=run.id))
    with pytest.raises(ControlRefused, match="it is Cancelled"):
        desk.do(asked.CancelRun(run=run.id))
    by_hand = desk.by_hand()
    with pytest.raises(ControlRefused, match="no worker runs it, but process") as refused:
        desk.do(asked.CancelRun(run=by_hand.id))
    assert refused.value.values["stream"] == by_hand.stream
    below = new_id()
    desk.record(
        RunCreated(
            below, 1, desk.now, "sub", "sub-run", "Pending", by_hand.id, by_hand.id, b"k" * 16, 1, (), b"{}", None, (),
            "", Source("", "", "", ""), desk.now,
        )
    )  # fmt: skip
    with pytest.raises(ControlRefused, match="it is a subflow"):
        desk.do(asked.CancelRun(run=below))
    with pytest.raises(RunNotFound):
        desk.do(asked.CancelRun(run="nobody"))


def test_a_run_that_waits_without_a_process_is_cancelled_whoever_started_it(desk: Desk) -> None:
    run = desk.by_hand("Paused", "suspended, waits for input (a)")
    assert desk.do(asked.CancelRun(run=run.id)).state == "Cancelled"


# --- pause and resume


def test_a_run_that_waits_is_paused_at_once_and_goes_out_when_it_is_resumed(desk: Desk) -> None:
    desk.deploy()
    run, worker = desk.create(), desk.join()
    assert desk.do(asked.PauseRun(run=run.id)).message == "paused by ann"
    assert desk.lease(worker) == []
    resumed = desk.do(asked.ResumeRun(run=run.id))
    assert (resumed.state, resumed.epoch) == ("Scheduled", 2)
    assert [one.id for one in desk.lease(worker)] == [run.id]


def test_a_running_run_is_asked_to_pause_and_to_go_on(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    assert desk.do(asked.PauseRun(run=run.id)).asked == "pause"
    assert desk.tell(worker, run) == [("pause", "")]
    desk.move(run, "Paused", "paused at a call of a task")
    assert desk.tell(worker, run) == []
    with pytest.raises(ControlRefused, match="it is Paused"):
        desk.do(asked.PauseRun(run=run.id))
    assert desk.do(asked.ResumeRun(run=run.id)).asked == "go-on"
    assert [kind for kind, _ in desk.tell(worker, run)] == ["go-on"]
    desk.move(run, "Running")
    assert desk.tell(worker, run) == []
    assert desk.see(run).epoch == 1


def test_a_pause_that_has_not_happened_yet_is_taken_back(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.do(asked.PauseRun(run=run.id))
    desk.do(asked.ResumeRun(run=run.id))
    assert [kind for kind, _ in desk.tell(worker, run)] == ["go-on"]
    with pytest.raises(ControlRefused, match="it is Running"):
        desk.do(asked.ResumeRun(run=run.id))


@pytest.mark.parametrize("state", ["Failed", "TimedOut", "Cancelled"])
def test_what_ended_badly_goes_on_in_the_next_epoch_for_any_worker(desk: Desk, state: str) -> None:
    desk.deploy(crash_retries=0)
    desk.create()
    worker, other = desk.join(), desk.join("x")
    run = desk.move(desk.begin(worker), state)
    assert run.held
    with pytest.raises(ControlRefused, match=f"it is {state}"):
        desk.do(asked.ResumeRun(run=run.id))
    desk.ended(worker, run, "exit code 1")
    resumed = desk.do(asked.ResumeRun(run=run.id, changed="reuse"))
    assert (resumed.state, resumed.epoch, resumed.worker, resumed.asked) == ("Scheduled", 2, "", "reuse")
    (given,) = desk.poll(other).assignments
    assert (given.run.epoch, given.run.asked) == (2, "reuse")


def test_what_a_resume_does_about_changed_tasks_holds_after_a_crash_too(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    desk.ended(worker, desk.move(desk.begin(worker), "Failed"), "exit code 1")
    run = desk.reader.find_run("last")
    desk.do(asked.ResumeRun(run=run.id, changed="refuse"))
    assert desk.ended(worker, desk.begin(worker)).asked == "refuse"


def test_what_ended_well_or_waits_for_a_worker_is_not_resumed(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.move(desk.begin(worker), "Completed")
    desk.ended(worker, run, "exit code 0")
    with pytest.raises(ControlRefused, match="it is Completed"):
        desk.do(asked.ResumeRun(run=run.id))
    with pytest.raises(ControlRefused, match="it waits for a worker"):
        desk.do(asked.ResumeRun(run=desk.create().id))


def test_input_is_checked_against_its_schema_and_the_first_one_stands(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    schema = msgspec.json.encode(SCHEMA)
    desk.record(
        InputAsked(run.id, 1, desk.now, "earlier", msgspec.json.encode({"type": "string"}), 0),
        InputAsked(run.id, 1, desk.now + 1, "approval", schema, 0),
    )
    desk.move(run, "Paused")
    with pytest.raises(ControlRefused, match="its input does not fit: n:"):
        desk.do(asked.ResumeRun(run=run.id, input={"n": "x"}))
    assert desk.tell(worker, run) == []
    desk.do(asked.ResumeRun(run=run.id, input={"n": 1}))
    earlier, approval = desk.reader.inputs(run.id)
    assert earlier.given_at is None
    assert (approval.key, approval.value, approval.actor, approval.schema) == ("approval", b'{"n":1}', "ann", schema)
    assert [kind for kind, _ in desk.tell(worker, run)] == ["go-on"]


def test_only_those_who_are_asked_may_answer_and_the_run_waits_on(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    schema = msgspec.json.encode({"type": "boolean", ANSWERED_BY: ["bo", "cy"]})
    desk.record(InputAsked(run.id, 1, desk.now, "boss", schema, 0))
    desk.move(run, "Paused")
    with pytest.raises(ControlRefused, match="it asks bo, cy, and you are ann"):
        desk.do(asked.ResumeRun(run=run.id, input=True))
    assert (desk.see(run).state, desk.reader.inputs(run.id)[0].given_at) == ("Paused", None)
    desk.do(asked.ResumeRun(run=run.id, input=True), actor="key:cy/3f2a")
    assert desk.reader.inputs(run.id)[0].actor == "key:cy/3f2a"


def test_a_run_whose_process_has_ended_in_its_pause_goes_on_in_the_next_epoch(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.record(InputAsked(run.id, 1, desk.now, "a", b"", 0))
    desk.move(run, "Paused", "suspended, waits for a word to go on (a)")
    desk.ended(worker, run, "exit code 0")
    assert (desk.see(run).state, desk.see(run).held) == ("Paused", False)
    resumed = desk.do(asked.ResumeRun(run=run.id))
    assert (resumed.state, resumed.epoch) == ("Scheduled", 2)
    (found,) = desk.reader.inputs(run.id)
    assert (found.value, found.given_at) == (b"null", desk.now)


def test_a_resume_that_meets_the_end_of_a_suspended_process_is_not_lost(desk: Desk) -> None:
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    desk.record(InputAsked(run.id, 1, desk.now, "a", b"", 0))
    desk.move(run, "Paused", "suspended, waits for a word to go on (a)")
    desk.do(asked.ResumeRun(run=run.id))
    ended = desk.ended(worker, run, "exit code 0")
    assert (ended.state, ended.epoch, ended.n_crashes) == ("Scheduled", 2, 0)


def test_a_run_started_by_hand_is_given_its_input_and_no_more(desk: Desk) -> None:
    run = desk.by_hand("Paused", "waits for input (a)")
    desk.record(InputAsked(run.id, 1, desk.now, "a", b'{"type":"integer"}', 0))
    given = desk.do(asked.ResumeRun(run=run.id, input=3))
    assert (given.state, given.epoch) == ("Paused", 1)
    assert desk.reader.inputs(run.id)[0].value == b"3"
    with pytest.raises(ControlRefused, match="no worker runs it"):
        desk.do(asked.ResumeRun(run=run.id, input=4))
    with pytest.raises(ControlRefused, match="no worker runs it"):
        desk.do(asked.PauseRun(run=desk.by_hand().id))


# --- delete


def test_runs_that_nobody_runs_are_forgotten(desk: Desk) -> None:
    desk.deploy()
    waiting, worker = desk.create(), desk.join()
    desk.do(asked.DeleteRun(run=waiting.id))
    with pytest.raises(RunNotFound):
        desk.see(waiting)
    desk.create()
    run = desk.begin(worker)
    with pytest.raises(ControlRefused, match="it is Running"):
        desk.do(asked.DeleteRun(run=run.id))
    desk.move(run, "Completed")
    with pytest.raises(ControlRefused, match="it is Completed"):  # its process lives
        desk.do(asked.DeleteRun(run=run.id))
    desk.ended(worker, run, "exit code 0")
    desk.do(asked.DeleteRun(run=run.id))
    assert desk.reader.state_counts() == {}
    with pytest.raises(ControlRefused, match="it is Running"):
        desk.do(asked.DeleteRun(run=desk.by_hand().id))


# --- slots


def test_slots_are_taken_renewed_and_given_back(desk: Desk) -> None:
    desk.do(asked.SetLimit(limit=Limit(name="db", slots=2)))

    def take(holder: str, n: int = 1) -> bool:
        taken: bool = desk.do(asked.TakeSlots(name="db", holder=holder, n=n, lease_s=30))
        return taken

    assert [take("a"), take("b"), take("c"), take("a"), take("b", 2)] == [True, True, False, True, False]
    assert desk.reader.limits()[0].n_taken == 0  # by the clock of the machine, years later, the leases are over
    desk.do(asked.GiveSlots(name="db", holder="a"))
    assert take("c")
    desk.now += 31 * SECOND
    assert take("d", 2)


def test_without_a_limit_nobody_is_held_up_unless_that_is_asked_for(desk: Desk) -> None:
    assert desk.do(asked.TakeSlots(name="db", holder="a", n=100)) is True
    with pytest.raises(LimitNotFound):
        desk.do(asked.TakeSlots(name="db", holder="a", strict=True))


def test_slots_of_a_run_are_free_as_soon_as_its_process_has_ended(desk: Desk) -> None:
    desk.do(asked.SetLimit(limit=Limit(name="db", slots=1)))
    desk.deploy()
    desk.create()
    worker = desk.join()
    run = desk.begin(worker)
    assert desk.do(asked.TakeSlots(name="db", holder=f"{run.id}/x"))
    assert not desk.do(asked.TakeSlots(name="db", holder="other"))
    desk.ended(worker, run)
    assert desk.do(asked.TakeSlots(name="db", holder="other"))
