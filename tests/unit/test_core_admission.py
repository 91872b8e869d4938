"""Whether a due run may start: pure rules, checked against what must never happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ostinato.core.admission import GO, Busy, Candidate, Load, admit, is_plain, missing
from ostinato.core.deployments import Code, Deployment, Overlap, Queue

if TYPE_CHECKING:
    from collections.abc import Sequence

SECOND = 1_000_000
CODE = Code(kind="local", file="/f.py", function="f")


def deployment(**fields: Any) -> Deployment:
    return Deployment(id="d", flow="train", name="d", code=CODE, **fields)


def candidate(run_id: str = "new", tags: Sequence[str] = (), due_at: int = 0) -> Candidate:
    return Candidate(id=run_id, queue="q", deployment_id="d", tags=tuple(tags), due_at=due_at)


def busy(run_id: str = "old", deployment_id: str = "d", tags: Sequence[str] = (), queue: str = "q") -> Busy:
    return Busy(id=run_id, name=f"{run_id}-name", queue=queue, deployment_id=deployment_id, tags=tuple(tags))


def verdict(one: Deployment | None, queue: Queue | None = None, *runs: Busy, now: int = 0, **limits: int) -> Any:
    return admit(candidate(tags=tuple(limits)), one, queue or Queue(name="q"), Load(runs), limits, now)


def test_a_run_that_nothing_limits_starts() -> None:
    assert verdict(deployment(), None, busy(), busy("other")) == GO
    assert verdict(None, None, busy()) == GO


def test_a_paused_queue_and_a_full_one_stop_all_that_is_in_them() -> None:
    paused = verdict(deployment(), Queue(name="q", paused=True))
    assert (paused.what, paused.scope) == ("wait", "queue")
    full = verdict(deployment(), Queue(name="q", concurrency=1), busy(deployment_id="e"))
    assert (full.what, full.scope, full.reason) == ("wait", "queue", "queue 'q' runs 1 of at most 1")
    assert verdict(deployment(), Queue(name="q", concurrency=2), busy(), busy("x", queue="r")) == GO
    assert verdict(deployment(), Queue(name="q", concurrency=0)).what == "wait"


def test_what_overlaps_waits_is_skipped_or_cancels_the_other() -> None:
    whats = {overlap: verdict(deployment(overlap=overlap), None, busy()).what for overlap in get_args(Overlap)}
    assert whats == {"allow": "go", "queue": "wait", "skip": "skip", "cancel-previous": "cancel-others"}
    assert all(
        verdict(deployment(overlap=overlap), None, busy(deployment_id="e")) == GO for overlap in get_args(Overlap)
    )


def test_a_run_is_not_in_its_own_way() -> None:
    assert verdict(deployment(overlap="skip", concurrency=1), None, busy("new")) == GO


def test_the_limit_of_a_deployment_stops_its_other_runs_only() -> None:
    one = verdict(deployment(concurrency=1), None, busy())
    assert (one.what, one.scope, one.reason) == ("wait", "deployment", "deployment train/d runs 1 of at most 1")
    assert verdict(deployment(concurrency=2), None, busy(), busy("x", "e")) == GO


def test_a_full_tag_stops_this_run_only() -> None:
    one = verdict(deployment(), None, busy(tags=("gpu",)), gpu=1)
    assert (one.what, one.scope, one.reason) == ("wait", "run", "tag 'gpu' runs 1 of at most 1")
    assert verdict(deployment(), None, busy(tags=("cpu",)), gpu=1) == GO


@pytest.mark.parametrize(("late_s", "what"), [(59, "go"), (60, "go"), (61, "skip")])
def test_a_run_that_is_too_late_is_skipped(late_s: int, what: str) -> None:
    assert verdict(deployment(skip_if_late_s=60), now=late_s * SECOND).what == what


def test_ten_tenths_of_a_resource_are_all_of_it() -> None:
    left = 1.0
    for _ in range(10):
        assert missing({"gpu": 0.1}, {"gpu": left}) == ""
        left -= 0.1
    assert missing({"gpu": 0.1}, {"gpu": left})


def test_resources_are_compared_by_name() -> None:
    assert missing({}, {}) == ""
    assert missing({"gpu": 1}, {"gpu": 1, "memory": 2}) == ""
    assert missing({"gpu": 1}, {"memory": 2}) == "needs gpu=1, the worker has 0 left"
    assert missing({"memory": 1.5}, {"memory": 1}) == "needs memory=1.5, the worker has 1 left"


runs = st.lists(
    st.builds(
        busy,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["d", "e"]),
        st.lists(st.sampled_from(["gpu", "db"]), unique=True),
        st.sampled_from(["q", "r"]),
    ),
    max_size=6,
    unique_by=lambda run: run.id,
)
slots = st.integers(min_value=1, max_value=3)


@given(
    runs=runs,
    overlap=st.sampled_from(get_args(Overlap)),
    concurrency=st.none() | slots,
    queue=st.builds(Queue, name=st.just("q"), concurrency=st.none() | st.integers(0, 3), paused=st.booleans()),
    tags=st.lists(st.sampled_from(["gpu", "db"]), unique=True),
    limits=st.dictionaries(st.sampled_from(["gpu", "db"]), slots),
)
def test_what_starts_exceeds_no_limit_and_what_starts_early_could_not_have_been_refused(
    runs: list[Busy],
    overlap: Overlap,
    concurrency: int | None,
    queue: Queue,
    tags: list[str],
    limits: dict[str, int],
) -> None:
    one, load = deployment(overlap=overlap, concurrency=concurrency), Load(runs)
    found = admit(candidate(tags=tags), one, queue, load, limits, 0)
    assert (found.what == "go") == (found == GO)
    if found == GO:
        load.add(busy("new", tags=tags))
        assert queue.concurrency is None or load.queues["q"] <= queue.concurrency
        assert concurrency is None or len(load.deployments["d"]) <= concurrency
        assert all(load.tags[tag] <= limits[tag] for tag in tags if tag in limits)
        assert overlap == "allow" or len(load.deployments["d"]) == 1
        assert not queue.paused
    else:
        assert found.reason
        assert not is_plain(one, queue, tags, limits)
