"""The state machine: one table, walked at random."""

from __future__ import annotations

from typing import get_args

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ostinato.core.errors import TransitionRefused
from ostinato.core.states import ACTIVE, SUCCESSFUL, TABLE, TERMINAL, UNSUCCESSFUL, StateName, move, reopen

NAMES: tuple[StateName, ...] = get_args(StateName)
FIRST: tuple[StateName, ...] = ("Scheduled", "Pending")
names = st.sampled_from(NAMES)


def reached_from(start: StateName) -> set[StateName]:
    found: set[StateName] = set()
    waiting = [start]
    while waiting:
        for following in TABLE[waiting.pop()]:
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found


def test_the_table_has_a_row_for_each_state_and_names_only_states() -> None:
    assert set(TABLE) == set(NAMES)
    assert {following for row in TABLE.values() for following in row} <= set(NAMES)


def test_no_state_follows_itself_or_is_listed_twice() -> None:
    for name, following in TABLE.items():
        assert name not in following
        assert len(set(following)) == len(following)


def test_each_state_is_either_active_or_terminal_and_each_terminal_one_good_or_bad() -> None:
    assert set(NAMES) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL
    assert SUCCESSFUL | UNSUCCESSFUL == TERMINAL
    assert not SUCCESSFUL & UNSUCCESSFUL


def test_every_state_is_reached_from_a_first_state() -> None:
    reached = set(FIRST).union(*(reached_from(name) for name in FIRST))
    assert reached == set(NAMES)


@given(names)
def test_from_every_active_state_an_end_can_be_reached(name: StateName) -> None:
    assert name in TERMINAL or reached_from(name) & TERMINAL


@given(names)
def test_every_active_state_can_be_cancelled(name: StateName) -> None:
    assert name in TERMINAL or "Cancelled" in reached_from(name)


@given(names, names)
def test_a_move_is_allowed_exactly_where_the_table_has_it(current: StateName, wanted: StateName) -> None:
    if wanted in TABLE[current]:
        assert move(current, wanted) == wanted
    else:
        with pytest.raises(TransitionRefused) as caught:
            move(current, wanted)
        assert caught.value.code == "transition-refused"
        assert current in str(caught.value)
        assert wanted in str(caught.value)


@given(names)
def test_only_a_run_that_ended_badly_or_is_paused_has_a_next_epoch(name: StateName) -> None:
    if name != "Paused" and (name in ACTIVE or name in SUCCESSFUL or name == "Skipped"):
        with pytest.raises(TransitionRefused):
            reopen(name)
    else:
        assert reopen(name) == "Pending"


class Runs(RuleBasedStateMachine):
    """A run that is asked for anything, in any order, over several epochs."""

    state: StateName
    epoch: int
    history: list[tuple[int, StateName]]

    @initialize(first=st.sampled_from(FIRST))
    def begins(self, first: StateName) -> None:
        self.state = first
        self.epoch = 1
        self.history = [(1, first)]

    @rule(wanted=names)
    def is_asked_to_move(self, wanted: StateName) -> None:
        try:
            self.state = move(self.state, wanted)
        except TransitionRefused:
            return
        self.history.append((self.epoch, self.state))

    @rule()
    def is_taken_up_again(self) -> None:
        try:
            self.state = reopen(self.state)
        except TransitionRefused:
            return
        self.epoch += 1
        self.history.append((self.epoch, self.state))

    @invariant()
    def nothing_follows_an_end_within_its_epoch(self) -> None:
        for (epoch, state), (next_epoch, _) in zip(self.history, self.history[1:], strict=False):
            assert state not in TERMINAL or next_epoch > epoch

    @invariant()
    def a_run_that_ended_well_never_moves_again(self) -> None:
        assert all(state not in SUCCESSFUL for _, state in self.history[:-1])

    @invariant()
    def a_cancelled_run_never_starts_again_in_its_epoch(self) -> None:
        cancelled = {epoch for epoch, state in self.history if state == "Cancelled"}
        for epoch in cancelled:
            assert [state for own, state in self.history if own == epoch][-1] == "Cancelled"

    @invariant()
    def a_run_completes_only_after_it_ran_or_while_it_was_being_cancelled(self) -> None:
        for position, (epoch, state) in enumerate(self.history):
            if state == "Completed":
                earlier = {name for own, name in self.history[:position] if own == epoch}
                assert earlier & {"Running", "Retrying", "Cancelling"}


TestRuns = Runs.TestCase
