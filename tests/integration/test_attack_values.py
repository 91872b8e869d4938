"""Numbers and names that nobody could keep or read again are refused by the doors, and harm nothing that is there."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.served import DEPLOYMENT, Served, problem, served

from ostinato.core.commands import CreateRun, Deploy, Join, Poll, SetLimit, SetQueue, TakeSlots
from ostinato.core.deployments import Code, Deployment, Limit, Queue
from ostinato.core.workers import WorkerInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostinato.core.commands import Command


def joined(**fields: Any) -> Join:
    return Join(worker=WorkerInfo(id="w", name="w", host="h", pid=1, **fields))


def deployed(**fields: Any) -> Deploy:
    code = Code(kind="local", file="/flows.py", function="train")
    return Deploy(deployment=Deployment(id="", flow="train", name="odd", code=code, **fields))


ODD: list[Command[Any]] = [
    *(joined(lease_s=lease_s) for lease_s in (nan, inf, 0.0, -1.0, 1e300)),
    *(joined(resources={"gpu": amount}) for amount in (nan, inf)),
    *(Poll(worker_id="v", wait_s=wait_s) for wait_s in (nan, inf, -1.0)),
    Poll(worker_id="v", resources={"gpu": nan}),
    *(TakeSlots(name="db", holder="a", lease_s=lease_s) for lease_s in (nan, inf, -1.0)),
    *(TakeSlots(name="db", holder="a", n=n) for n in (0, -5)),
    *(SetQueue(queue=Queue(name=name)) for name in ("a\nb", " ", "")),
    SetQueue(queue=Queue(name="a", priority=1 << 63)),
    SetLimit(limit=Limit(name="a\0", slots=1)),
    SetLimit(limit=Limit(name="a", slots=(1 << 64) - 1)),
    *(deployed(resources={"gpu": amount}) for amount in (nan, inf, -1.0)),
    deployed(queue="q" * 300),
    deployed(env={"A=B": "c"}),
    CreateRun(deployment="train/nightly", queue="nowhere"),
    CreateRun(deployment="train/nightly", due_at=(1 << 64) - 1),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("values")
    with served(folder / "home", folder) as one:
        assert one.http.post("/api/deployments", json=DEPLOYMENT).status_code == 201
        yield one


@pytest.mark.parametrize("command", ODD, ids=lambda one: type(one).__name__)
def test_what_could_not_be_kept_is_refused_and_harms_nothing(server: Served, command: Command[Any]) -> None:
    """One worker with a resource of `nan` was enough that nobody could list workers any more."""
    status, _ = problem(server.rpc("do", command))
    assert status in (400, 404)
    for path in ("/api/workers", "/api/queues", "/api/limits", "/api/runs", "/api/deployments", "/metrics"):
        assert server.http.get(path).status_code == 200
