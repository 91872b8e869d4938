"""What a life asks its driver to do: values, no I/O.

`Run`, `Wait`, `Hold` and `Sleep` take time and differ between the sync and the async driver; the others
are carried out at once by the subject itself (the call of a task, or a flow run).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeAlias

import msgspec

from ostinato.core.states import StateName


class Run(msgspec.Struct):
    """Call the user's function; gives its value or raises what it raised."""

    attempt: int


class Wait(msgspec.Struct):
    """Wait until these futures are settled; gives None."""

    futures: Sequence[Any]


class Hold(msgspec.Struct):
    """Wait while the run is to pause; gives None."""


class Sleep(msgspec.Struct):
    """Wait so long; gives None."""

    seconds: float


class Move(msgspec.Struct):
    """Record a new state of the subject; gives None."""

    state: StateName
    message: str = ""
    value: Any = None
    """The value returned, when the state is Completed or Cached: a `core.results.Result` or None."""
    error: BaseException | None = None


class Store(msgspec.Struct):
    """Encode and keep a value; gives its Result (None for None)."""

    value: Any


class Recall(msgspec.Struct):
    """Look for the recorded outcome of this call; gives `Found` or None."""


class Found(msgspec.Struct):
    """The value that an earlier epoch, attempt or cached call gave."""

    value: Any


class Cached(msgspec.Struct):
    """Look into the cache; gives `Found`, or True when this call holds the claim, or False while another does."""


class Keep(msgspec.Struct):
    """Put a result into the cache, and let go of the claim; `result` unset lets go only."""

    result: Any = msgspec.UNSET


class Hook(msgspec.Struct):
    """Call the user's hooks of this name; gives None whatever they raise."""

    name: str
    value: Any = None
    error: BaseException | None = None


class Settle(msgspec.Struct):
    """Wait until everything recorded has reached a durability; gives None."""

    level: str


Effect: TypeAlias = Run | Wait | Hold | Sleep | Move | Store | Recall | Cached | Keep | Hook | Settle

Life: TypeAlias = Generator[Effect, Any, Any]
"""The rule of a run: yields effects, is sent their answers, returns the value of the run."""
