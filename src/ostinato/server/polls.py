"""Polls of workers: answered when there is something to tell, however many wait."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ostinato.store.commands import workers

if TYPE_CHECKING:
    from ostinato.core.commands import Poll
    from ostinato.core.work import Answer
    from ostinato.server.office import Office

MOST_WAIT_S: Final = 60.0
REMIND_S: Final = 1.0
"""Orders that a worker was told already are told again so often until they are carried out."""
SLACK_S: Final = 0.002
"""So much after an instant one looks, so as not to be early by a rounding."""


class Polls:
    """Waits for the workers."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._told: dict[str, frozenset[tuple[str, str, int]]] = {}
        """The orders last told to each worker."""

    async def poll(self, command: Poll, actor: str) -> Answer:
        """Renew a lease at once; answer when there are runs or new orders, or the wait is over."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        wait_s = min(command.wait_s, MOST_WAIT_S)
        asked, renews = replace(command, wait_s=0.0), True
        while True:
            seen = self.office.work.count
            # A lease that a power cut undid would be given again, in the same epoch, while its run goes on elsewhere.
            look = partial(workers.poll, command=asked, renews=renews)
            answer = await self.office.write(look, actor, relaxed=not asked.free)
            renews = False
            if answer.assignments or not answer.known:
                return answer
            orders = frozenset((order.kind, order.run_id, order.epoch) for order in answer.orders)
            if not orders:
                self.forget(command.worker_id)
            elif orders != self._told.get(command.worker_id):
                self._told[command.worker_id] = orders
                return answer
            left_s = begin + (min(wait_s, REMIND_S) if orders else wait_s) - loop.time()
            if left_s <= 0 or self.office.closing.is_set():
                return answer
            await self.office.work.wait(seen, min(left_s, _until_due(answer)))

    def forget(self, worker_id: str) -> None:
        """A worker begins anew, is gone, or has nothing to carry out."""
        self._told.pop(worker_id, None)


def _until_due(answer: Answer) -> float:
    """Give the seconds until a run may be handed out: early, or when it is due."""
    if answer.next_due_ms is None:
        return MOST_WAIT_S
    early_s = answer.next_due_ms / 1000 - workers.EARLY_US / 1e6
    return (early_s if early_s > 0 else answer.next_due_ms / 1000) + SLACK_S
