"""Promotions over the public API: a worker runs the checks of a model's policy, and moves the alias."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar.params import JSONBody
from msgspec import Meta

from ostinato.core.codec import digest
from ostinato.core.commands import CreateRun, Deploy
from ostinato.core.deployments import Code, Deployment
from ostinato.core.errors import GateRefused
from ostinato.core.registry import TaskPasses, alias_of
from ostinato.core.views import RunView, run_view
from ostinato.engine.snapshots import pack
from ostinato.server.doors import MOST_INT, Ask, Ref, make_at
from ostinato.store import registry, work
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from ostinato.core.records import FlowRun
    from ostinato.store.places import Place
    from ostinato.store.transaction import Tx

FLOW: Final = "promotion"
NAME: Final = "gate"
DESCRIPTION: Final = "Checks versions of models before they get an alias."
FILE: Final = "promotion.py"
TEXT: Final = "from ostinato.tracking.gates import promotion\n\n__all__ = ['promotion']\n"
"""The snapshot that workers get, wherever they are: they have the flow itself."""
SCHEMA: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "integer", "minimum": 1},
        "to": {"type": "string", "default": "production"},
    },
    "required": ["name", "version"],
}
"""Of the flow's parameters."""


class NewPromotion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version that is to be checked, and the alias or stage that it is to have."""

    version: Annotated[int, Meta(ge=1, le=MOST_INT)]
    to: str = "production"


def run_name(name: str, version: int, alias: str) -> str:
    """Give the name of the flow run that promotes a version, as the flow itself names it."""
    return f"{name}-{version}-to-{alias}"


@make_at("/api/models/{name:str}/promotions")
async def create_promotion(request: Ask, name: Ref, data: JSONBody[NewPromotion]) -> RunView:
    """Have a worker run the checks of a model's policy on a version; it gets the alias when they pass.

    The answer is the flow run, of the deployment `promotion/gate`. Checks that are tasks of your own are no part of
    the server: such a policy is refused, and `ostinato promote` runs it where its files are.
    """
    request.identity.check("run")
    request.identity.check("track")
    revision = await asyncio.to_thread(_kept, request.office.blobs)
    return run_view(await request.office.write(lambda tx: _begin(tx, revision, name, data), request.identity.actor))


def _kept(blobs: Place) -> str:
    """Keep the snapshot; give what names it."""
    with tempfile.TemporaryDirectory(prefix="ostinato-promotion-") as folder:
        with open(os.path.join(folder, FILE), "w", encoding="utf-8") as file:
            file.write(TEXT)
        packed = pack(folder, [FILE], 1 << 20)
    return blobs.put(packed, digest(packed))


def _begin(tx: Tx, revision: str, name: str, wanted: NewPromotion) -> FlowRun:
    """Make the run.

    Raises:
        GateRefused: (gate-refused) a check is a task of the user's own.
    """
    alias = alias_of(wanted.to)
    version = registry.get_version(tx.db, name, wanted.version)
    policy = registry.find_model(tx.db, name).policy
    checks = policy.checks if policy is not None and alias in policy.aliases else {}
    reasons = [
        f"{check}: {rule.task} is not on the server" for check, rule in checks.items() if isinstance(rule, TaskPasses)
    ]
    if reasons:
        raise GateRefused(name=name, version=version.version, alias=alias, reasons="; ".join(reasons))
    deployment = work.deployment_by_name(tx.db, FLOW, NAME)
    if deployment is None or deployment.code.revision != revision:
        code = Code(kind="snapshot", file=FILE, function=FLOW, revision=revision)
        made = Deployment(id="", flow=FLOW, name=NAME, code=code, parameter_schema=SCHEMA, description=DESCRIPTION)
        deployment = carry_out(tx, Deploy(deployment=made))
    parameters = {"name": name, "version": version.version, "to": alias}
    title = run_name(name, version.version, alias)
    return carry_out(tx, CreateRun(deployment=deployment.id, parameters=parameters, name=title))


HANDLERS: Final = (create_promotion,)
