"""The projection of the registry: what each of its events changes, as statements and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostinato.core import registry as r

if TYPE_CHECKING:
    from collections.abc import Callable

Step = tuple[str, tuple[Any, ...]]


def _model_set(event: r.ModelSet) -> list[Step]:
    return [
        ("add_model", (event.name, event.description, event.policy, event.actor, event.at, event.at)),
        ("change_model", (event.description, event.policy, event.at, event.name)),
    ]


def _model_renamed(event: r.ModelRenamed) -> list[Step]:
    old, new = event.name, event.new_name
    tables = ("versions", "tags", "aliases", "history", "results")
    return [
        ("unpin_model", (old,)),
        ("rename_model", (new, event.at, old)),
        *((f"rename_{table}", (new, old)) for table in tables),
        ("pin_model", (new, new, new)),
    ]


def _model_removed(event: r.ModelRemoved) -> list[Step]:
    tables = ("versions", "tags", "aliases", "history", "results", "model")
    return [("unpin_model", (event.name,)), *((f"delete_{table}", (event.name,)) for table in tables)]


def _tagged(event: r.ModelTagged) -> list[Step]:
    name, version = event.name, event.version
    return [
        *(
            ("delete_tag", (name, version, key)) if value is None else ("put_tag", (name, version, key, value))
            for key, value in event.tags.items()
        ),
        ("touch_version", (event.at, name, version)),
        ("touch_model", (event.at, name)),
    ]


def _version_made(event: r.VersionMade) -> list[Step]:
    name, version = event.name, event.version
    row = (
        *(name, version, event.description, event.source, event.run_id, event.model_id, event.run_link, event.actor),
        *(event.flow_run_id, event.task_no, event.at, event.at),
    )
    reason = f"model:{name}/{version}"
    return [
        ("add_version", row),
        ("count_version", (version, event.at, name)),
        *(("put_tag", (name, version, key, value)) for key, value in event.tags.items()),
        ("pin_tracking_run", (reason, event.run_id)),
        ("pin_flow_run", (reason, event.flow_run_id)),
    ]


def _version_changed(event: r.VersionChanged) -> list[Step]:
    return [("describe_version", (event.description, event.at, event.name, event.version))]


def _version_removed(event: r.VersionRemoved) -> list[Step]:
    return [
        ("unpin", (f"model:{event.name}/{event.version}",)),
        *((f"delete_version{part}", (event.name, event.version)) for part in ("", "_tags", "_results")),
        ("touch_model", (event.at, event.name)),
    ]


def _alias_moved(event: r.AliasMoved) -> list[Step]:
    name, alias = event.name, event.alias
    place: Step = ("put_alias", (name, alias, event.version)) if event.version else ("delete_alias", (name, alias))
    row = (event.at, name, alias, event.version, event.previous, event.how, event.actor)
    return [place, ("add_step", (*row, event.gate_run_id, event.reason)), ("touch_model", (event.at, name))]


def _stage_moved(event: r.StageMoved) -> list[Step]:
    return [
        ("stage_version", (event.stage, event.at, event.name, event.version)),
        ("touch_model", (event.at, event.name)),
    ]


def _checked(event: r.GateChecked) -> list[Step]:
    row = (
        *(event.at, event.name, event.version, event.alias, event.check, event.digest, int(event.passed)),
        *(event.detail, event.champion, event.gate_run_id, event.actor),
    )
    return [("add_result", row), ("pin_flow_run", (f"model:{event.name}/{event.version}", event.gate_run_id))]


STEPS: Final[dict[type, Callable[[Any], list[Step]]]] = {
    r.ModelSet: _model_set,
    r.ModelRenamed: _model_renamed,
    r.ModelRemoved: _model_removed,
    r.ModelTagged: _tagged,
    r.VersionMade: _version_made,
    r.VersionChanged: _version_changed,
    r.VersionRemoved: _version_removed,
    r.AliasMoved: _alias_moved,
    r.StageMoved: _stage_moved,
    r.GateChecked: _checked,
}
