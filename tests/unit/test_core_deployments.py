"""What cannot be a deployment, whichever door it comes through."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostinato.core.deployments import Code, Deployment, Timetable, fault_of
from ostinato.core.schedules import Interval

PLAIN = Deployment(id="", flow="train", name="nightly", code=Code(kind="local", file="/f.py", function="train"))
HOURLY = Timetable(slug="s", schedule=Interval(3600))


def test_an_ordinary_deployment_has_no_fault() -> None:
    assert fault_of(PLAIN) is None
    full = replace(
        PLAIN, flow="ü/train", tags=("a b",), queue="gpu", resources={"gpu": 0.5}, env={"A": "b=c"}, skip_if_late_s=60,
        schedules=(HOURLY, Timetable(slug="t", schedule=Interval(60))), priority=-5,
    )  # fmt: skip
    assert fault_of(full) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "a/b"}, "its name has a slash"),
        ({"name": "a\nb"}, "'a\\nb' is no name"),
        ({"flow": "a\0"}, "'a\\x00' is no name"),
        ({"tags": ("ok", "")}, "'' is no name"),
        ({"queue": "q" * 300}, f"{'q' * 50!r} is no name of a queue"),
        ({"schedules": (HOURLY, HOURLY)}, "two schedules are called 's'"),
        ({"resources": {"gpu": -1}}, "resource 'gpu' is -1"),
        ({"resources": {"gpu": float("nan")}}, "resource 'gpu' is nan"),
        ({"resources": {"gpu": float("inf")}}, "resource 'gpu' is inf"),
        ({"cancel_grace_s": 1e308}, "cancel_grace_s is 1e+308"),
        ({"skip_if_late_s": float("nan")}, "skip_if_late_s is nan"),
        ({"priority": 1 << 70}, f"priority is {1 << 70}"),
        ({"env": {"A=B": "c"}}, "no process can have the environment variable 'A=B'"),
        ({"env": {"A": "b\0"}}, "no process can have the environment variable 'A'"),
    ],
)
def test_a_fault_is_named_with_what_to_write_instead(fields: dict[str, Any], reason: str) -> None:
    """An infinite amount and a queue with a long name could be written, and never be read again by anybody."""
    fault = fault_of(replace(PLAIN, **fields))
    assert fault is not None
    assert fault[0] == reason
    assert fault[1].endswith(".")
