"""The command that takes over a registered model from elsewhere: all of it in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core import registry as rules
from ostinato.core.errors import ModelExists, ModelInvalid
from ostinato.core.registry import (
    STAGE_OF,
    AliasMoved,
    ModelSet,
    ModelTagged,
    StageMoved,
    VersionMade,
    VersionRemoved,
)
from ostinato.core.tracking import IMPORTED, check_texts
from ostinato.store import registry
from ostinato.store.commands.registry import check_lengths

if TYPE_CHECKING:
    from ostinato.core.commands import ImportedVersion, ImportModel
    from ostinato.core.registry import Model
    from ostinato.store.transaction import Tx

REASON = "as it was when it was imported"
"""Why an alias moved."""


def import_model(tx: Tx, command: ImportModel) -> Model:
    """Take over a model, or the newer versions of one that was taken over before."""
    _check(command)
    found = registry.model(tx.db, command.name)
    if found is not None and IMPORTED not in found.tags:
        raise ModelExists(name=command.name)
    last = found.last_version if found is not None else 0
    if found is None:
        tags: dict[str, str | None] = {**command.tags, IMPORTED: "mlflow"}
        tx.append(
            ModelSet(command.name, command.created_at or tx.now, tx.actor, command.description, ""),
            ModelTagged(command.name, tx.now, tx.actor, tags),
        )
    for one in sorted(command.versions, key=lambda each: each.version):
        if one.version > last:
            last = one.version
            _add(tx, command.name, one)
            if found is None and one.stage != "None":
                tx.append(StageMoved(command.name, one.version, tx.now, tx.actor, one.stage, "None"))
    if command.last_version > last:  # a number is never used twice
        removed = (command.name, command.last_version, tx.now, tx.actor)
        tx.append(VersionMade(*removed, source="removed"), VersionRemoved(*removed))
    if found is None:
        _set_aliases(tx, command)
    return registry.find_model(tx.db, command.name)


def _check(command: ImportModel) -> None:
    rules.check_model_name(command.name)
    check_lengths(command.description)
    check_texts("tag", command.tags)
    for one in command.versions:
        if one.version < 1:
            raise ModelInvalid(what=f"version {one.version}", reason="versions count from 1")
        check_lengths(one.description, one.source, one.run_link, one.run_id, one.model_id, one.actor)
        check_texts("tag", one.tags)


def _add(tx: Tx, name: str, one: ImportedVersion) -> None:
    made_at = one.created_at or tx.now
    tx.append(
        VersionMade(
            name, one.version, made_at, one.actor or tx.actor, one.source, one.run_id, one.model_id, one.run_link,
            one.description, tags=one.tags,
        )
    )  # fmt: skip


def _set_aliases(tx: Tx, command: ImportModel) -> None:
    """Set aliases; those that are stages follow from the stages, the highest version of each has it."""
    there = {one.version for one in command.versions}
    meant = {rules.alias_of(alias): version for alias, version in command.aliases.items() if version in there}
    for alias, stage in STAGE_OF.items():
        numbers = [one.version for one in command.versions if one.stage == stage]
        if numbers:
            meant[alias] = max(numbers)
        else:
            meant.pop(alias, None)
    for alias, version in sorted(meant.items()):
        tx.append(AliasMoved(command.name, alias, tx.now, tx.actor, version, 0, "set", "", REASON))
