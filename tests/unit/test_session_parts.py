"""Small parts of the session: the bell, the cleaning of events."""

from __future__ import annotations

import threading

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.events import Error, Logged, RunMoved, TaskMoved
from ostinato.core.results import Result
from ostinato.session.bell import Bell
from ostinato.session.clean import clean


def test_a_ring_before_the_wait_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert bell.wait(0)
    assert not bell.wait(0)


def test_a_ring_wakes_the_waiter() -> None:
    bell = Bell()
    heard: list[bool] = []
    waiter = threading.Thread(target=lambda: heard.append(bell.wait(10)))
    waiter.start()
    bell.ring()
    waiter.join(10)
    assert heard == [True]


def test_many_may_ring_at_once() -> None:
    bell = Bell()

    def ring_often() -> None:
        for _ in range(500):
            bell.ring()

    ringers = [threading.Thread(target=ring_often) for _ in range(4)]
    for ringer in ringers:
        ringer.start()
    for ringer in ringers:
        ringer.join()
    assert bell.wait(0)
    assert not bell.wait(0)


def test_an_event_in_order_is_left_as_it_is() -> None:
    event = Logged("r", 1, 2, 20, "user", "naïve")
    assert clean(event) is event


@given(st.text(st.characters(categories=["L", "Cs"]), max_size=5))
def test_text_of_any_kind_can_be_encoded_after_cleaning(text: str) -> None:
    event = RunMoved("r", 1, 2, "Failed", "Running", text, error=Error("E", text, text, inputs=text))
    cleaned = clean(event)
    assert isinstance(cleaned, RunMoved)
    assert cleaned.error is not None
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(cleaned), type=RunMoved) == cleaned
    assert (cleaned.run_id, cleaned.epoch, cleaned.at, cleaned.state) == ("r", 1, 2, "Failed")


def test_what_cannot_be_mended_is_told_in_its_place() -> None:
    value = Result("m", object(), "", 1, b"d")  # type: ignore[arg-type]
    told = clean(TaskMoved("r", 1, 5, 3, "Completed", "Running", result=value))
    assert isinstance(told, Logged)
    assert (told.run_id, told.no, told.at, told.level) == ("r", 3, 5, 40)
    assert told.text.startswith("a TaskMoved could not be recorded")
