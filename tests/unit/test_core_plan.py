"""The resume plan: worked cases, and its laws over random recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.codec import encode, lost_result
from ostinato.core.errors import PlanRefused
from ostinato.core.events import Source
from ostinato.core.keys import nth_key
from ostinato.core.plan import Changed, Decision, alike, plan, summary
from ostinato.core.records import FlowRun, Recall, TaskRun
from ostinato.core.states import SUCCESSFUL, StateName

if TYPE_CHECKING:
    from ostinato.core.results import Result

ROOT = "root"
SOURCE = Source("", "", "", "")
ONE = encode(1, 1000)[0]
BLOB = encode(b"x" * 20_000, 100_000)[0]
VERSIONS = {"load": "v1", "fit": "v1", "score": "v1", "outer": "v1"}
CHANGED_FIT = VERSIONS | {"fit": "v2"}


def key_of(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def task(no: int, name: str, *upstream: str, **more: Any) -> TaskRun:
    """Give a completed task run; `name` is `task` or `task:what` and gives the key too."""
    fields: dict[str, Any] = {
        "run_id": ROOT,
        "no": no,
        "key": key_of(name),
        "task": name.partition(":")[0],
        "name": f"{name}-{no}",
        "state": "Completed",
        "message": "",
        "epoch": 1,
        "attempt": 1,
        "ordinal": 0,
        "parent_no": 0,
        "upstream": tuple(key_of(one) for one in upstream),
        "version": "v1",
        "tags": (),
        "group": "",
        "created_at": 1,
        "started_at": 1,
        "ended_at": 2,
        "n_started": no,
        "result": ONE,
        "error": None,
    }
    return TaskRun(**{**fields, **more})


def subflow(run_id: str, no: int, *upstream: str, **more: Any) -> FlowRun:
    fields: dict[str, Any] = {
        "id": run_id,
        "name": f"{run_id}-name",
        "flow": run_id,
        "state": "Completed",
        "message": "",
        "epoch": 1,
        "attempt": 1,
        "root_id": ROOT,
        "parent_id": ROOT,
        "key": key_of(run_id),
        "no": no,
        "upstream": tuple(key_of(one) for one in upstream),
        "created_at": 1,
        "expected_at": 1,
        "started_at": 1,
        "ended_at": 2,
        "parameters": b"{}",
        "arguments": None,
        "tags": (),
        "version": "v1",
        "source": SOURCE,
        "stream": "s",
        "result": None,
        "error": None,
        "n_reused": 0,
        "n_logs_dropped": 0,
    }
    return FlowRun(**{**fields, **more})


THE_ROOT = subflow(ROOT, 0, state="Crashed", parent_id="", key=b"", name="quiet-otter")


def recalled(*rows: Row) -> Recall:
    return Recall(
        runs=[THE_ROOT, *(row for row in rows if isinstance(row, FlowRun))],
        tasks=[row for row in rows if isinstance(row, TaskRun)],
        checkpoints=[],
    )


def reasons(recall: Recall, versions: dict[str, str] = VERSIONS, changed: Changed = "rerun") -> dict[str, str]:
    """Give the reason of each call that runs again, by name."""
    return {one.name: one.reason for one in plan(recall, versions, changed) if not one.reuse}


def test_completed_calls_with_the_same_code_are_taken_over() -> None:
    decisions = plan(recalled(task(1, "load"), task(2, "fit", "load", state="Cached")), VERSIONS)
    assert [(one.task, one.reuse, one.reason) for one in decisions] == [("load", True, ""), ("fit", True, "")]
    assert summary(decisions) == "reuse 2"


def test_a_changed_task_runs_again_with_all_that_depends_on_it() -> None:
    recall = recalled(task(1, "load"), task(2, "fit", "load"), task(3, "score", "fit"), task(4, "score:b", "score"))
    assert reasons(recall, CHANGED_FIT) == {
        "fit-2": "changed",
        "score-3": "because `fit` changed",
        "score:b-4": "because `fit` changed",
    }
    assert summary(plan(recall, CHANGED_FIT)) == "reuse 1, re-run 3 because `fit` changed"


def test_a_task_that_is_gone_counts_as_changed() -> None:
    recall = recalled(task(1, "old"), task(2, "fit", "old"))
    assert reasons(recall) == {
        "old-1": "is not defined in the file any more",
        "fit-2": "because `old` is not defined in the file any more",
    }
    assert reasons(recall, changed="reuse") == {}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("Failed", "failed"),
        ("TimedOut", "timed out"),
        ("Crashed", "crashed"),
        ("Cancelled", "was cancelled"),
        ("Skipped", "was skipped"),
        ("Running", "was Running when the process ended"),
        ("AwaitingRetry", "was AwaitingRetry when the process ended"),
    ],
)
def test_what_did_not_end_well_runs_again_and_says_how_it_ended(state: StateName, reason: str) -> None:
    recall = recalled(task(1, "load", state=state), task(2, "fit", "load"))
    assert reasons(recall) == {"load-1": reason, "fit-2": f"because `load` {reason}"}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (lost_result("too-large", "70 MiB"), "gave a result that was too large to keep"),
        (lost_result("unpicklable", "a lock"), "gave a result that cannot be pickled"),
        (lost_result("not-persisted", ""), "does not keep its result"),
        (lost_result("dropped", ""), "gave a result that was dropped"),
        (BLOB, "gave a result whose stored value is gone"),
    ],
)
def test_a_call_whose_result_is_not_kept_runs_again(result: Result, reason: str) -> None:
    recall = recalled(task(1, "load", result=result), task(2, "fit", "load"))
    decisions = plan(recall, VERSIONS, has_blob=lambda _: False)
    assert [one.reason for one in decisions] == [reason, f"because `load` {reason}"]


def test_a_stored_value_that_is_there_and_the_value_none_are_kept() -> None:
    recall = recalled(task(1, "load", result=BLOB), task(2, "fit", result=None))
    assert reasons(recall) == {}


def test_the_policy_decides_over_changed_code() -> None:
    recall = recalled(task(1, "load"), task(2, "fit", "load"), task(3, "score", "fit"))
    kept = plan(recall, CHANGED_FIT, "reuse")
    assert [(one.reuse, one.reason) for one in kept] == [(True, ""), (True, "although it changed"), (True, "")]
    with pytest.raises(PlanRefused) as caught:
        plan(recall, CHANGED_FIT, "refuse")
    assert "'quiet-otter'" in caught.value.message
    assert "2 completed tasks would run again, first 'fit' because it changed" in caught.value.message
    assert "--changed reuse" in caught.value.hint


def test_refuse_lets_pass_what_runs_again_for_other_reasons() -> None:
    recall = recalled(task(1, "load", state="Failed"), task(2, "fit", "load", state="Skipped", version="v0"))
    assert set(reasons(recall, changed="refuse")) == {"load-1", "fit-2"}


def test_even_under_reuse_a_lost_result_of_changed_code_runs_again() -> None:
    recall = recalled(task(1, "fit", result=lost_result("dropped", "")))
    assert reasons(recall, CHANGED_FIT, "reuse") == {"fit-1": "gave a result that was dropped"}


def test_a_completed_subflow_is_taken_over_whole() -> None:
    recall = recalled(
        subflow("prepare", 1),
        task(1, "load", run_id="prepare", result=lost_result("not-persisted", "")),
        task(2, "score", run_id="prepare", state="Failed"),
        task(2, "fit", "prepare"),
    )
    decisions = plan(recall, VERSIONS)
    assert all(one.reuse for one in decisions)
    assert [one.reason for one in decisions] == ["", *["inside `prepare`, which is taken over"] * 2, ""]
    assert [one.subflow_id for one in decisions] == ["prepare", "", "", ""]


def test_a_change_inside_a_completed_subflow_runs_it_again_and_what_depends_on_it() -> None:
    recall = recalled(
        subflow("prepare", 1),
        task(1, "load", run_id="prepare"),
        task(2, "fit", run_id="prepare"),
        task(2, "score", "prepare"),
    )
    assert reasons(recall, CHANGED_FIT) == {
        "prepare-name": "because `fit` changed",
        "fit-2": "changed",
        "score-2": "because `fit` changed",
    }


def test_a_subflow_whose_own_code_changed_runs_again_and_keeps_its_tasks() -> None:
    recall = recalled(subflow("prepare", 1), task(1, "load", run_id="prepare"), task(2, "score", "prepare"))
    found = reasons(recall, VERSIONS | {"flow:prepare": "v2"})
    assert found == {"prepare-name": "changed", "score-2": "because `prepare` changed"}


def test_a_crashed_subflow_keeps_its_completed_tasks() -> None:
    recall = recalled(
        subflow("prepare", 1, state="Crashed"),
        task(1, "load", run_id="prepare"),
        task(2, "fit", run_id="prepare", state="Running"),
    )
    assert reasons(recall) == {"prepare-name": "crashed", "fit-2": "was Running when the process ended"}


def test_a_subflow_that_takes_in_a_changed_task_runs_again() -> None:
    recall = recalled(task(1, "fit"), subflow("report", 2, "fit"), task(1, "score", run_id="report"))
    assert reasons(recall, CHANGED_FIT) == {"fit-1": "changed", "report-name": "because `fit` changed"}


def test_calls_inside_a_completed_task_follow_it() -> None:
    recall = recalled(task(1, "outer"), task(2, "load", parent_no=1, state="Failed"), task(3, "score", "outer"))
    assert reasons(recall) == {}


def test_calls_inside_a_task_that_runs_again_are_judged_by_themselves() -> None:
    recall = recalled(
        task(1, "outer", state="Crashed"),
        task(2, "load", parent_no=1),
        task(3, "fit", "load", parent_no=1, state="Running"),
    )
    assert set(reasons(recall)) == {"outer-1", "fit-3"}


def test_a_completed_task_with_changed_code_inside_runs_again() -> None:
    recall = recalled(task(1, "outer"), task(2, "load", parent_no=1), task(3, "fit", parent_no=1))
    assert reasons(recall, CHANGED_FIT) == {"outer-1": "because `fit` changed", "fit-3": "changed"}


def like(name: str, ordinal: int, no: int, **more: Any) -> TaskRun:
    return task(no, name, key=nth_key(key_of(name), ordinal), ordinal=ordinal, **more)


def test_calls_told_apart_by_order_alone_run_again_after_anything_that_does() -> None:
    before, after = task(2, "load", version="v0"), task(5, "load:b", version="v0")
    recall = recalled(like("score", 0, 1), before, like("score", 1, 3), like("score", 2, 4), after)
    assert reasons(recall) == {
        "load-2": "changed",
        "score-3": "because `load` changed",
        "score-4": "because `load` changed",
        "load:b-5": "changed",
    }


def test_order_counts_too_when_the_earlier_reason_comes_from_afar() -> None:
    recall = recalled(
        task(1, "fit"),
        task(2, "load", "fit"),
        subflow("report", 3, state="Crashed"),
        like("score", 0, 1, run_id="report"),
        task(2, "load:b", "load", run_id="report"),
        like("score", 1, 3, run_id="report"),
        task(4, "score:b", run_id="report", state="Failed"),
    )
    assert reasons(recall, CHANGED_FIT)["score-3"] == "because `fit` changed"


def test_like_calls_that_overlapped_run_again_unless_they_have_a_key() -> None:
    recall = recalled(like("score", 0, 1, n_started=2), like("score", 1, 2, n_started=3), like("score", 2, 4))
    found = reasons(recall)
    assert set(found) == {"score-1", "score-2", "score-4"}
    assert "key=" in found["score-1"]
    assert alike(recall.tasks)[1] == {key_of("score"), nth_key(key_of("score"), 1)}


def test_the_summary_names_the_greatest_causes_and_counts_the_rest() -> None:
    rows = [
        task(no, f"t{cause}:{no}", task=f"t{cause}", version="v0")
        for no, cause in enumerate([1, 1, 1, 2, 2, 3, 3, 4, 5], start=1)
    ]
    versions = {f"t{number}": "v1" for number in range(9)}
    assert summary(plan(recalled(*rows), versions)) == (
        "reuse 0, re-run 3 because `t1` changed, re-run 2 because `t2` changed, re-run 2 because `t3` changed, "
        "re-run 2 for other reasons"
    )


def test_a_chain_of_twenty_thousand_calls_is_planned_without_recursion() -> None:
    rows = [task(no, f"fit:{no}", f"fit:{no - 1}") for no in range(1, 20_001)]
    decisions = plan(recalled(*rows), CHANGED_FIT)
    assert not any(one.reuse for one in decisions)


# --- laws


class Case(NamedTuple):
    recall: Recall
    versions: dict[str, str]
    stored: bool


STATES: tuple[StateName, ...] = ("Completed", "Completed", "Completed", "Cached", "Failed", "Running", "Skipped")
RESULTS = (ONE, ONE, None, BLOB, lost_result("too-large", ""))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Give a random recorded run: subflows in subflows, tasks in tasks, edges to earlier calls, like calls."""
    choose = draw(st.randoms(use_true_random=False))
    rows: list[Row] = []
    runs = [ROOT]
    n_calls: dict[str, int] = {ROOT: 0}
    n_like: dict[bytes, int] = {}
    for position in range(draw(st.integers(0, 14))):
        owner = choose.choice(runs)
        n_calls[owner] += 1
        no = n_calls[owner]
        more: dict[str, Any] = {
            "state": choose.choice(STATES),
            "version": choose.choice(("v1", "v1", "v1", "v0")),
            "result": choose.choice(RESULTS),
            "upstream": tuple(row.key for row in rows if choose.random() < 0.2),
        }
        if choose.random() < 0.2:
            name = f"flow{position}"
            rows.append(subflow(name, no, parent_id=owner, **more))
            runs.append(name)
            n_calls[name] = 0
            continue
        first = key_of(choose.choice(("fit", "load", f"fit:{position}", f"score:{position}")) + owner)
        ordinal = n_like.get(first, 0)
        n_like[first] = ordinal + 1
        inside = [row.no for row in rows if isinstance(row, TaskRun) and row.run_id == owner]
        more["parent_no"] = choose.choice([0, 0, *inside])
        more["n_started"] = no + choose.choice((0, 0, 0, 1, 3))
        name = first.rstrip(b"\0").decode()
        task_name = next(known for known in ("fit", "load", "score") if name.startswith(known))
        rows.append(task(no, name, run_id=owner, task=task_name, key=nth_key(first, ordinal), ordinal=ordinal, **more))
    versions = {"fit": choose.choice(("v1", "v1", "v2")), "load": "v1", "score": "v1"}
    if choose.random() < 0.1:
        del versions["load"]
    return Case(recalled(*rows), versions, stored=choose.random() < 0.7)


def planned(case: Case, changed: Changed = "rerun", **versions: str) -> list[Decision]:
    return plan(case.recall, case.versions | versions, changed, has_blob=lambda _: case.stored)


Place = tuple[str, int]
Row = TaskRun | FlowRun


def place(row: Row) -> Place:
    return (row.run_id if isinstance(row, TaskRun) else row.parent_id, row.no)


def all_rows(recall: Recall) -> list[Row]:
    """Give each recorded call below the root."""
    return [*(run for run in recall.runs if run.parent_id), *recall.tasks]


def running(case: Case) -> set[Place]:
    """Give what runs, from the words of the rule, by asking every call again until nothing changes."""
    rows = all_rows(case.recall)
    flows = {row.id: place(row) for row in case.recall.runs if row.parent_id}
    told, overlapped = alike(case.recall.tasks)

    def caller(row: Row) -> Place | None:
        if isinstance(row, TaskRun) and row.parent_no:
            return (row.run_id, row.parent_no)
        return flows.get(place(row)[0])

    def is_changed(row: Row) -> bool:
        return isinstance(row, TaskRun) and row.state in SUCCESSFUL and case.versions.get(row.task) != row.version

    def is_bad(row: Row) -> bool:
        lost = row.result is not None and (bool(row.result.lost) or (bool(row.result.blob) and not case.stored))
        return row.state not in SUCCESSFUL or lost or row.key in overlapped

    runs: set[Place] = set()
    stale: set[Place] = set()
    while True:
        sizes = (len(runs), len(stale))
        for row in rows:
            own = place(row)
            disturbed = row.key in told and any(
                caller(other) == caller(row)
                and place(other)[0] == own[0]
                and other.no < row.no
                and place(other) in runs
                for other in rows
            )
            fed = any(place(other) in runs for other in rows if other.key in row.upstream)
            holds_stale = any(caller(other) == own and place(other) in stale for other in rows)
            if is_changed(row) or disturbed or fed or holds_stale:
                stale.add(own)
            above = caller(row)
            if (own in stale or is_bad(row)) and (above is None or above in runs):
                runs.add(own)
        if sizes == (len(runs), len(stale)):
            return runs


@given(cases())
def test_the_plan_is_what_the_words_of_the_rule_say(case: Case) -> None:
    assert {(one.run_id, one.no) for one in planned(case) if not one.reuse} == running(case)


@given(cases())
def test_there_is_one_decision_for_each_recorded_call_and_callers_come_first(case: Case) -> None:
    decisions = planned(case)
    places = [(one.run_id, one.no) for one in decisions]
    assert sorted(places) == sorted(place(row) for row in all_rows(case.recall))
    seen: set[str] = {ROOT}
    for one in decisions:
        assert one.run_id in seen
        seen.add(one.subflow_id)
    nested = {place(row): row.parent_no for row in case.recall.tasks if row.parent_no}
    for own, parent_no in nested.items():
        assert places.index((own[0], parent_no)) < places.index(own)


@given(cases())
def test_nothing_that_takes_in_a_call_that_runs_is_taken_over(case: Case) -> None:
    decisions = planned(case)
    upstream = {place(row): row.upstream for row in all_rows(case.recall)}
    again = {one.key for one in decisions if not one.reuse}
    assert not any(one.reuse and again.intersection(upstream[one.run_id, one.no]) for one in decisions)


@given(cases())
def test_a_further_change_only_adds_calls_that_run(case: Case) -> None:
    before = {one.key for one in planned(case) if one.reuse}
    after = {one.key for one in planned(case, score="v9") if one.reuse}
    assert after <= before


@given(cases())
def test_the_policies_are_ordered(case: Case) -> None:
    rerun = {one.key for one in planned(case) if one.reuse}
    reuse = {one.key for one in planned(case, "reuse") if one.reuse}
    assert rerun <= reuse
    try:
        assert {one.key for one in planned(case, "refuse") if one.reuse} == rerun
    except PlanRefused:
        assert rerun < reuse or any(one.reason.endswith(("changed", "any more")) for one in planned(case))


@given(cases())
def test_every_call_that_runs_has_a_reason_and_the_summary_counts_every_task(case: Case) -> None:
    decisions = planned(case)
    assert all(one.reason for one in decisions if not one.reuse)
    words = summary(decisions).replace(",", "").split()
    counted = [int(words[spot + 1]) for spot, word in enumerate(words) if word in ("reuse", "re-run")]
    assert sum(counted) == sum(not one.subflow_id for one in decisions)


@given(cases())
def test_the_order_in_which_rows_are_read_does_not_matter(case: Case) -> None:
    turned = Recall(runs=case.recall.runs[::-1], tasks=case.recall.tasks[::-1], checkpoints=[])
    assert [one.reuse for one in planned(case)] == [one.reuse for one in planned(case._replace(recall=turned))]
