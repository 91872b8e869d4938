"""Which call produced a value: by identity, best effort.

Losing an entry loses an edge, never correctness. Atoms have no identity worth remembering. What
can be weakly referenced is forgotten when it is collected; the rest (list, dict, tuple) is held
in a bounded LRU.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from threading import Lock
from typing import Final, NamedTuple

from ostinato.core.keys import ATOMS

HELD_MOST: Final = 256
ITEMS_MOST: Final = 64


class Origin(NamedTuple):
    """Where a value comes from."""

    key: bytes
    """Key of the producing call."""
    item: int
    """Place among the items of its result, -1 for the result itself."""
    epoch: int
    """Epoch in which the producer ran."""


class Lineage:
    """Remembers the producers of values during one root run."""

    def __init__(self) -> None:
        self._weak: dict[int, tuple[weakref.ref[object], Origin]] = {}
        self._held: OrderedDict[int, tuple[object, Origin]] = OrderedDict()
        self._lock = Lock()

    def find(self, value: object) -> Origin | None:
        """Give the origin of `value` if it is remembered."""
        weak = self._weak.get(id(value))
        if weak is not None and weak[0]() is value:
            return weak[1]
        held = self._held.get(id(value))
        return held[1] if held is not None and held[0] is value else None

    def remember(self, value: object, key: bytes, epoch: int) -> None:
        """Note that the call `key` gave `value`, and the items of it one level deep."""
        self._note(value, Origin(key, -1, epoch))
        for index, item in enumerate(_items(value)):
            if type(item) not in ATOMS:
                self._note(item, Origin(key, index, epoch))

    def _note(self, value: object, origin: Origin) -> None:
        identity = id(value)
        try:
            ref = weakref.ref(value, lambda _, i=identity, weak=self._weak: weak.pop(i, None))  # type: ignore[misc]
        except TypeError:
            with self._lock:
                self._held[identity] = (value, origin)
                self._held.move_to_end(identity)
                if len(self._held) > HELD_MOST:
                    self._held.popitem(last=False)
        else:
            self._weak[identity] = (ref, origin)


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        items = list(value.values()) if len(value) <= ITEMS_MOST else []
    elif isinstance(value, (tuple, list)):
        items = list(value) if len(value) <= ITEMS_MOST else []
    elif hasattr(type(value), "__dataclass_fields__"):
        items = [getattr(value, name, None) for name in list(vars(type(value))["__dataclass_fields__"])[:ITEMS_MOST]]
    else:
        items = []
    return items
