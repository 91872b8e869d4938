"""Parts of a worker: jobs on their way, last output, what is held when answers come late or twice."""

from __future__ import annotations

import os
import selectors
import signal
import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ostinato.core.deployments import Code
from ostinato.core.events import Source
from ostinato.core.records import FlowRun
from ostinato.core.results import Result
from ostinato.core.work import Answer, Assignment, Order
from ostinato.core.workers import Worker, WorkerInfo
from ostinato.server.roster import Roster
from ostinato.workers import jobs
from ostinato.workers.launcher import Launcher
from ostinato.workers.processes import TAIL_BYTES, Tail
from ostinato.workers.supervisor import MOST_REMEMBERED, Supervisor
from ostinato.workers.zygotes import key_of

if TYPE_CHECKING:
    from ostinato.core.commands import Ended

CODE = Code(kind="local", file="/code/flow.py", function="train", directory="/code")


def run_of(run_id: str = "r1", epoch: int = 1, data: bytes = b"") -> FlowRun:
    return FlowRun(
        id=run_id, name="quiet-otter", flow="train", state="Pending", message="", epoch=epoch, attempt=1,
        root_id=run_id, parent_id="", key=b"", no=0, upstream=(), created_at=1, expected_at=1, started_at=None,
        ended_at=None, parameters=b"{}", arguments=Result("m", data, "", len(data), b""), tags=(), version="",
        source=Source("", "", "", ""), stream="", result=None, error=None, n_reused=0, n_logs_dropped=0,
    )  # fmt: skip


def assignment(run_id: str = "r1", epoch: int = 1, *, due_in_ms: float = 60_000, gpu: float = 0) -> Assignment:
    return Assignment(run=run_of(run_id, epoch), code=CODE, due_in_ms=due_in_ms, resources={"gpu": gpu} if gpu else {})


def supervisor(slots: int = 4) -> tuple[Supervisor, list[Ended]]:
    """Give a supervisor that starts fresh processes only, and what it reports."""
    reports: list[Ended] = []
    one = Supervisor("w", slots, {"gpu": 2}, {}, reports.append)
    one.launcher = Launcher(selectors.DefaultSelector(), one.ended, lambda _: None, 0)
    return one, reports


# --- jobs


def test_a_job_of_any_size_arrives() -> None:
    for size in (0, 1, 5_000_000):
        job = jobs.Job(run=run_of(data=os.urandom(size)), code=CODE, env={"A": "b"})
        assert jobs.read_job(jobs.write_job(job)) == job


def test_jobs_share_a_zygote_when_code_and_environment_are_equal() -> None:
    job = jobs.Job(run=run_of("r1"), code=CODE, env={"A": "1", "B": "2"})
    assert key_of(job) == key_of(jobs.Job(run=run_of("r2"), code=CODE, env={"B": "2", "A": "1"}))
    assert key_of(job) != key_of(replace(job, env={"A": "1"}))
    assert key_of(job) != key_of(replace(job, code=replace(CODE, directory="/elsewhere")))


def test_an_end_is_told_in_words() -> None:
    assert jobs.ending(0) == "exit code 0"
    assert jobs.ending(3 << 8) == "exit code 3"
    assert jobs.ending(signal.SIGKILL) == "signal SIGKILL"
    assert jobs.ending(40) == "signal 40"


# --- last output


def test_the_tail_is_what_was_written_last_from_the_beginning_of_a_line() -> None:
    tail = Tail()
    tail.add(b"short\n")
    assert tail.text() == "short\n"
    for n in range(100_000):
        tail.add(b"line %d\n" % n)
    text = tail.text()
    assert text.endswith("line 99999\n")
    assert text.startswith("line ")
    assert TAIL_BYTES - 20 < len(text) <= TAIL_BYTES


def test_the_tail_of_a_fork_begins_with_that_of_the_import() -> None:
    before, tail = Tail(), Tail()
    before.add(b"imported\n")
    tail.before = before
    tail.add(b"\xff ran\n")
    assert tail.text() == "imported\n\ufffd ran\n"


# --- what is held


def test_what_is_handed_out_twice_is_held_once() -> None:
    one, _ = supervisor()
    assert one.take(Answer(assignments=(assignment(),))) == 1
    assert one.take(Answer(assignments=(assignment(),))) == 0
    assert [(held.run_id, held.epoch) for held in one.held()] == [("r1", 1)]
    assert one.free() == 3


def test_a_late_answer_starts_nothing_that_has_ended() -> None:
    one, reports = supervisor()
    one.take(Answer(assignments=(assignment(),)))
    one.take(Answer(orders=(Order(kind="cancel", run_id="r1", epoch=1),)))
    assert [ended.how for ended in reports] == ["it had not been started"]
    assert [held.run_id for held in one.held()] == ["r1"], "until the server knows"
    one.reported(reports[0])
    assert one.idle
    assert one.take(Answer(assignments=(assignment(),))) == 0
    assert one.take(Answer(assignments=(assignment(epoch=2),))) == 1


def test_a_newer_epoch_takes_the_place_of_an_older_one_and_not_the_other_way_round() -> None:
    one, reports = supervisor()
    one.take(Answer(assignments=(assignment(epoch=2),)))
    assert one.take(Answer(assignments=(assignment(epoch=1),))) == 0
    assert one.take(Answer(assignments=(assignment(epoch=3),))) == 1
    assert [held.epoch for held in one.held()] == [3]
    assert not reports


def test_orders_for_another_epoch_change_nothing() -> None:
    one, reports = supervisor()
    one.take(Answer(assignments=(assignment(epoch=2),)))
    one.take(Answer(orders=(Order(kind="stop", run_id="r1", epoch=1), Order(kind="cancel", run_id="r9", epoch=1))))
    assert [held.epoch for held in one.held()] == [2]
    one.take(Answer(orders=(Order(kind="stop", run_id="r1", epoch=2),)))
    assert one.idle
    assert not reports


def test_resources_are_taken_and_given_back() -> None:
    one, _ = supervisor()
    one.take(Answer(assignments=(assignment(gpu=1.5),)))
    assert one.left() == {"gpu": 0.5}
    one.take(Answer(orders=(Order(kind="cancel", run_id="r1", epoch=1),)))
    assert one.left() == {"gpu": 2}


def test_a_supervisor_that_drains_or_wants_what_is_due_takes_nothing_else() -> None:
    one, _ = supervisor()
    one.only_due = True
    assert one.take(Answer(assignments=(assignment(),))) == 0
    one.only_due, one.drains = False, True
    assert one.take(Answer(assignments=(assignment(),))) == 0
    assert one.free() == 0


def test_the_memory_for_ended_runs_is_bounded() -> None:
    one, _ = supervisor(slots=1 << 20)
    for n in range(MOST_REMEMBERED + 10):
        one.take(Answer(assignments=(assignment(f"r{n}"),)))
        one.take(Answer(orders=(Order(kind="stop", run_id=f"r{n}", epoch=1),)))
    assert len(one._past) == MOST_REMEMBERED


def test_the_next_look_is_when_the_first_run_is_due() -> None:
    one, _ = supervisor()
    assert one.tick() is None
    one.take(Answer(assignments=(assignment("r1", due_in_ms=9_000), assignment("r2", due_in_ms=3_000))))
    begin_s = time.monotonic()
    wait_s = one.tick()
    assert wait_s is not None
    assert 2.5 < wait_s <= 3.0 + (time.monotonic() - begin_s)


def test_a_line_is_said_of_each_run_that_begins_and_ends() -> None:
    one, _ = supervisor()
    said: list[str] = []
    one.tell = said.append
    given = assignment(due_in_ms=0)
    run = replace(given.run, epoch=2, deployment="train/nightly")
    one.take(Answer(assignments=(replace(given, run=run),)))
    one.launcher.close()
    assert said == [
        "quiet-otter of train/nightly goes on in epoch 2",
        f"quiet-otter of train/nightly died{said[1].partition('died')[2]}",
    ]
    assert said[1].endswith("s: signal SIGKILL")


# --- what a server says of workers


def worker_of(name: str, seen_at: int, **fields: Any) -> Worker:
    info = WorkerInfo(id=name, name=name, host="h", pid=1, slots=8, lease_s=9.0)
    until = seen_at + 9_000_000
    return Worker(**{"info": info, "joined_at": 0, "seen_at": seen_at, "lease_until": until, "left_at": None,
                     "message": "", **fields})  # fmt: skip


def test_a_server_says_who_joins_falls_silent_comes_back_and_is_gone() -> None:
    roster = Roster()
    assert list(roster.changes([worker_of("a", 0)], 1)) == [], "who is there when it begins is no news"
    both = [worker_of("a", 0), worker_of("b", 0)]
    assert list(roster.changes(both, 1)) == ["worker b joined, 8 runs at once"]
    assert list(roster.changes(both, 7_000_000)) == ["worker a is silent", "worker b is silent"]
    gone = worker_of("a", 0, left_at=1, message="worker a was not heard of for 9 s; it held 2 runs")
    back = worker_of("b", 7_000_000)
    lines = ["worker a was not heard of for 9 s; it held 2 runs", "worker b is back"]
    assert list(roster.changes([gone, back], 8_000_000)) == lines
    assert list(roster.changes([gone, back], 8_000_000)) == []
