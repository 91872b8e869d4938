"""The rule of a run, driven by a third driver: a virtual clock, random outcomes, the table of states checked."""

from __future__ import annotations

import random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ostinato.core.errors import OstinatoError, RunCancelled, StaleEpoch, TaskTimedOut, UpstreamFailed
from ostinato.core.retry import RetryPolicy
from ostinato.core.states import SUCCESSFUL, TABLE, TERMINAL, move
from ostinato.engine.effects import Cached, Found, Hook, Keep, Life, Move, Recall, Run, Settle, Sleep, Store, Wait
from ostinato.engine.interrupts import Terminated
from ostinato.engine.life import HOOKS, _to_its_end, flow_life, task_life

VALUE = "a value"

OUTCOMES: list[Any] = [
    VALUE,
    None,
    ValueError("of the user"),
    TaskTimedOut(name="t", timeout_s=1),
    RunCancelled(name="t"),
    StaleEpoch(run="r", epoch=2, own=1),
    KeyboardInterrupt(),
    SystemExit(3),
    Terminated(),
    RecursionError("deep"),
    MemoryError(),
]


class Options:
    effect = False


class Recorded:
    options = Options()

    def __init__(self, retry: RetryPolicy, *, caches: bool) -> None:
        self.retry = retry
        self.caches = caches


class Subject:
    """Stands for a call of a task, or for a flow run."""

    def __init__(self, retries: int, *, caches: bool, effect: bool, n_inputs: int, upstream_fails: bool) -> None:
        self.task = self.flow = Recorded(RetryPolicy(retries, (1.0, 2.0)), caches=caches)
        self.task.options = Options()
        self.task.options.effect = effect
        self.waits = list(range(n_inputs))
        self.marked = False
        self.upstream_fails = upstream_fails
        self.random = random.Random(1).random
        self.state = ""
        self.caches = False
        self.durability = "database" if effect else "relaxed"

    def take_inputs(self) -> UpstreamFailed | None:
        return UpstreamFailed(name="t", upstream="u", state="Failed", reason="x") if self.upstream_fails else None

    def wants_retry(self, error: BaseException, attempt: int) -> bool:
        return attempt <= self.task.retry.retries and isinstance(error, Exception)


class Simulation:
    """Carries out a life with a virtual clock; each effect may fail."""

    def __init__(self, subject: Subject, choices: st.DataObject, *, may_break: bool) -> None:
        self.subject = subject
        self.choices = choices
        self.may_break = may_break
        self.clock_s = 0.0
        self.moves: list[str] = []
        self.effects: list[Any] = []
        self.holds_claim = False
        self.hooks: list[str] = []
        self.n_runs = 0

    def drive(self, life: Any) -> Any:
        step, answer = life.send, None
        for _ in range(500):
            try:
                effect = step(answer)
            except StopIteration as stop:
                return stop.value
            self.effects.append(effect)
            step = life.send
            try:
                answer = self.carry_out(effect)
            except BaseException as error:  # noqa: BLE001 - handed to the rule, as drivers do
                step, answer = life.throw, error
        raise AssertionError("the life does not end")

    def carry_out(self, effect: Any) -> Any:
        self.check_room(effect)
        breaks = self.may_break and not self.is_ended() and self.choices.draw(st.integers(0, 30)) == 0
        if breaks and not isinstance(effect, Move):
            raise self.choices.draw(st.sampled_from([KeyboardInterrupt(), OstinatoError(detail="disk"), SystemExit(1)]))
        return getattr(self, f"do_{type(effect).__name__.lower()}")(effect)

    def is_ended(self) -> bool:
        return self.subject.state in TERMINAL

    def check_room(self, effect: Any) -> None:
        """After its end a run does no more than settle, let go and tell."""
        if self.is_ended():
            assert isinstance(effect, (Keep, Settle, Hook)), effect

    def do_move(self, effect: Move) -> None:
        current: Any = self.subject.state or "Pending"
        if self.subject.state or effect.state != "Pending":
            assert move(current, effect.state) == effect.state
        self.subject.state = effect.state
        self.moves.append(effect.state)

    def do_wait(self, effect: Wait) -> None:
        assert effect.futures == self.subject.waits

    def do_sleep(self, effect: Sleep) -> None:
        assert 0 <= effect.seconds < 4
        self.clock_s += effect.seconds

    def do_recall(self, _: Recall) -> Any:
        found = self.choices.draw(st.sampled_from([None, None, None, Found(VALUE)]))
        if found is not None:
            self.subject.state = "Completed"
        return found

    def do_cached(self, _: Cached) -> Any:
        answer = self.choices.draw(st.sampled_from([True, False, Found(VALUE)]))
        if answer is True:
            self.subject.caches = self.holds_claim = True
        elif answer is not False:
            self.do_move(Move("Cached"))
        return answer

    def do_keep(self, _: Keep) -> None:
        assert self.holds_claim
        self.holds_claim = False

    def do_settle(self, effect: Settle) -> None:
        assert effect.level == "database"

    def do_store(self, effect: Store) -> Any:
        return None if effect.value is None else ("stored", effect.value)

    def do_hook(self, effect: Hook) -> None:
        self.hooks.append(effect.name)

    def do_run(self, effect: Run) -> Any:
        self.n_runs += 1
        assert effect.attempt == self.n_runs
        assert self.subject.state in {"Running", "Retrying"}
        outcome = self.choices.draw(st.sampled_from(OUTCOMES))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@given(
    choices=st.data(), retries=st.integers(0, 3), caches=st.booleans(), effect=st.booleans(),
    n_inputs=st.integers(0, 2), upstream_fails=st.booleans(), is_flow=st.booleans(), may_break=st.booleans(),
)  # fmt: skip
def test_every_life_moves_along_the_table_and_ends(
    choices: st.DataObject, retries: int, caches: bool, effect: bool, n_inputs: int, upstream_fails: bool,
    is_flow: bool, may_break: bool,
) -> None:  # fmt: skip
    subject = Subject(
        retries, caches=caches and not is_flow, effect=effect and not is_flow, n_inputs=n_inputs,
        upstream_fails=upstream_fails,
    )  # fmt: skip
    simulation = Simulation(subject, choices, may_break=may_break)
    life: Any = (flow_life if is_flow else task_life)(subject)  # type: ignore[arg-type]
    try:
        value = simulation.drive(life)
    except StaleEpoch:
        assert subject.state not in TERMINAL
        return
    except BaseException as error:  # noqa: BLE001 - what user code raised
        assert subject.state in TERMINAL, simulation.moves
        if not isinstance(error, UpstreamFailed) and subject.state in HOOKS and subject.state != "Completed":
            assert HOOKS[subject.state] in simulation.hooks or may_break
    else:
        assert subject.state in SUCCESSFUL
        assert value in (VALUE, None)
    assert not simulation.holds_claim or may_break
    assert simulation.n_runs <= retries + 1
    assert simulation.moves.count("Retrying") <= retries
    assert all(state in TABLE for state in simulation.moves)


def scripted(outcomes: list[Any], **options: Any) -> tuple[Subject, list[Any], Any]:
    """Drive a task's life through given outcomes; give the subject, the effects and the end."""
    subject = Subject(
        options.pop("retries", 0), caches=False, effect=options.pop("effect", False), n_inputs=0, upstream_fails=False
    )
    effects: list[Any] = []
    life: Any = task_life(subject)  # type: ignore[arg-type]
    step, answer = life.send, None
    left = list(outcomes)
    try:
        while True:
            effect = step(answer)
            effects.append(effect)
            step, answer = life.send, None
            if isinstance(effect, Move):
                subject.state = effect.state
            if isinstance(effect, Run):
                outcome = left.pop(0)
                if isinstance(outcome, BaseException):
                    step, answer = life.throw, outcome
                else:
                    answer = outcome
    except StopIteration as stop:
        return subject, effects, stop.value
    except BaseException as error:  # noqa: BLE001 - the end is looked at
        return subject, effects, error


def test_delays_follow_the_policy() -> None:
    _, effects, end = scripted([ValueError(1), ValueError(2), ValueError(3), "end"], retries=3)
    assert end == "end"
    assert [effect.seconds for effect in effects if isinstance(effect, Sleep)] == [1.0, 2.0, 2.0]
    assert [effect.state for effect in effects if isinstance(effect, Move)] == [
        "Running", *["AwaitingRetry", "Retrying"] * 3, "Completed",
    ]  # fmt: skip


def test_an_effect_settles_before_each_attempt_and_after_its_end() -> None:
    _, effects, _ = scripted([ValueError(1), "end"], retries=1, effect=True)
    kinds = [type(effect).__name__ for effect in effects if isinstance(effect, (Settle, Run))]
    assert kinds == ["Settle", "Run", "Settle", "Run", "Settle"]
    _, effects, _ = scripted([ValueError(1)], effect=True)
    assert [type(effect).__name__ for effect in effects if isinstance(effect, (Settle, Run))] == [
        "Settle", "Run", "Settle",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError(), "Failed"), (KeyboardInterrupt(), "Cancelled"), (Terminated(), "Crashed"), (SystemExit(), "Failed"),
     (TaskTimedOut(name="t", timeout_s=1), "TimedOut"), (RunCancelled(name="t"), "Cancelled")],
)  # fmt: skip
def test_each_exception_has_its_end(error: BaseException, state: str) -> None:
    subject, effects, end = scripted([error], retries=0)
    assert end is error
    assert subject.state == state
    assert [effect.name for effect in effects if isinstance(effect, Hook)] == ["on_running", HOOKS[state]]


def test_a_life_that_nobody_drives_any_more_ends_without_a_word() -> None:
    subject = Subject(0, caches=False, effect=False, n_inputs=0, upstream_fails=False)
    life: Any = task_life(subject)  # type: ignore[arg-type]
    for _ in range(4):
        next(life)
    life.close()


def test_a_second_interrupt_while_the_end_is_recorded_leaves_no_run_without_one() -> None:
    """`timeout --signal=INT` sends two; the second one came while the first was recorded, and the run was Crashed."""

    class Subject:
        state, caches, durability = "Running", False, "relaxed"

    def interrupted() -> Life:
        yield Run(1)

    life = _to_its_end(Subject(), interrupted())  # type: ignore[arg-type]
    assert isinstance(next(life), Run)
    first, second = KeyboardInterrupt(), KeyboardInterrupt()
    move = life.throw(first)
    assert isinstance(move, Move)
    again = life.throw(second)
    assert isinstance(again, Move)
    assert (move.state, again.state, again.error) == ("Cancelled", "Cancelled", first)
    with pytest.raises(KeyboardInterrupt):
        next(life)
