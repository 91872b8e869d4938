"""The registry of a source: its models with all their versions, each model in one step or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ostinato.core.commands import ImportedVersion, ImportModel
from ostinato.core.errors import ModelInvalid, ModelNotFound, OstinatoError, UsageError
from ostinato.core.logged_models import PREFIX
from ostinato.core.registry import STAGE_OF, alias_of, check_model_name, stage_of
from ostinato.core.tracking import IMPORTED
from ostinato.tracking.imports.importer import run_id_of
from ostinato.tracking.imports.material import Damaged

if TYPE_CHECKING:
    from ostinato.core.registry import Model, ModelVersion, Stage
    from ostinato.tracking.imports.importer import Importer
    from ostinato.tracking.imports.material import SourceModel, SourceVersion

REMOVED: Final = "Deleted_Internal"
"""Stage of a version that MLflow has deleted."""
PAGE: Final = 1000

_OF_RUN: Final = re.compile(r"(?:^runs:/+|/)(?P<run>[0-9a-f]{32})/(?:artifacts/)?(?P<path>.+)$")
_LOGGED: Final = re.compile(rf"(?:^models:/+|/models/)(?P<model>{PREFIX}[0-9a-f]{{32}})(?:/|$)")


def take_models(importer: Importer) -> None:
    """Import all registered models of a source."""
    n_prompts = 0
    for one in importer.source.models():
        if isinstance(one, Damaged):
            importer.report.models.left += 1
            importer.report.remark(f"{one.what}: {one.reason}")
        elif one.is_prompt:
            n_prompts += 1
        else:
            _take(importer, one)
    if n_prompts:
        importer.report.remark(f"{n_prompts:,} prompts are left: Ostinato has none")


def _take(importer: Importer, one: SourceModel) -> None:
    report, label = importer.report, f"registered model {one.name!r}"
    reason = ""
    here: Model | None = None
    try:
        check_model_name(one.name)
        here = importer.reader.find_model(one.name)
        if IMPORTED not in here.tags:
            reason = "another one of this name is here. `ostinato models rename` one of them, then import again"
    except ModelNotFound:
        pass
    except ModelInvalid as error:
        reason = error.message
    new: list[ImportedVersion] = []
    if not reason:
        new = _versions(importer, one, here)
        reason = _ask(importer, one, new, here)
    if reason:
        report.models.left += 1
        report.versions.left += len(new) or len(one.versions)
        report.remark(f"{label} is left: {reason}")
        return
    report.versions.new += len(new)
    if here is None:
        report.models.new += 1
    else:
        report.models.same += 1


def _ask(importer: Importer, one: SourceModel, new: list[ImportedVersion], here: Model | None) -> str:
    """Have a model, or its new versions, taken over; give why it is not, or ""."""
    aliases = _aliases(importer, one, new, here)
    if here is not None and not new:
        return ""
    command = ImportModel(
        name=one.name,
        description=one.description,
        tags=importer.texts("tag", one.tags, f"registered model {one.name!r}"),
        created_at=one.created_at,
        versions=tuple(new),
        last_version=max((each.version for each in one.versions), default=0),
        aliases=aliases,
    )
    importer.settle()  # what its versions were made from comes first
    try:
        importer.do(command)
    except UsageError as error:
        return error.message
    return ""


def _versions(importer: Importer, one: SourceModel, here: Model | None) -> list[ImportedVersion]:
    """Give the versions that are not here; of those that are, say which are others."""
    known = {} if here is None else _known(importer, one.name)
    last = here.last_version if here is not None else 0
    found = []
    for each in one.versions:
        if each.stage == REMOVED:
            continue
        made = _version(importer, one.name, each)
        if each.version > last:
            found.append(made)
            continue
        importer.report.versions.same += each.version in known
        other = known.get(each.version)
        if other is None or other.source != made.source:
            importer.report.versions.left += 1
            importer.report.versions.same -= other is not None
            what = "was removed here" if other is None else "is another one here"
            importer.report.remark(f"version {each.version} of {one.name!r} is left: it {what}")
    return found


def _known(importer: Importer, name: str) -> dict[int, ModelVersion]:
    found: dict[int, ModelVersion] = {}
    before = 1 << 62
    while True:
        page = importer.reader.model_versions(name, before=before, limit=PAGE)
        found |= {one.version: one for one in page}
        if len(page) < PAGE:
            return found
        before = page[-1].version


def _version(importer: Importer, name: str, one: SourceVersion) -> ImportedVersion:
    label = f"version {one.version} of {name!r}"
    source, run_id, model_id = _source(importer, one, label)
    return ImportedVersion(
        version=one.version,
        source=source,
        stage=_stage(one.stage),
        description=one.description,
        run_id=run_id,
        model_id=model_id,
        run_link=one.run_link,
        actor=one.user,
        tags=importer.texts("tag", one.tags, label),
        created_at=one.created_at,
    )


def _source(importer: Importer, one: SourceVersion, label: str) -> tuple[str, str, str]:
    """Give where the files of a version are here, and the tracking run and logged model that they belong to."""
    run_id = run_id_of(one.run_id) if one.run_id else ""
    if importer.places.is_elsewhere(one.source) and not one.source.startswith(("models:", "runs:")):
        return one.source, run_id, ""
    logged = _LOGGED.search(one.source)
    if logged is not None:
        return f"models:/{logged['model']}", run_id, logged["model"]
    made = _OF_RUN.search(one.source)
    if made is not None:
        return f"runs:/{made['run']}/{made['path'].rstrip('/')}", made["run"], ""
    if not one.source.startswith("models:"):  # it may be a copy of another version
        importer.report.remark(f"{label}: its files stay at {one.source}, which belongs to no run")
    return one.source, run_id, ""


def _stage(text: str) -> Stage:
    try:
        return stage_of(text)
    except OstinatoError:
        return "None"


def _aliases(importer: Importer, one: SourceModel, new: list[ImportedVersion], here: Model | None) -> dict[str, int]:
    """Give the aliases that can be set, and say which cannot."""
    label = f"registered model {one.name!r}"
    staged: dict[Any, int] = {each.stage: each.version for each in new}
    found = {}
    for alias, version in one.aliases.items():
        try:
            name = alias_of(alias)
        except ModelInvalid as error:
            importer.report.remark(f"{label}: {error.message}")
            continue
        if here is not None:
            if here.aliases.get(name) != version:
                importer.report.remark(
                    f"{label}: the alias {alias} stays as it is here, and is version {version} there"
                )
        elif name in STAGE_OF and staged.get(STAGE_OF[name]) != version:
            importer.report.remark(f"{label}: the alias {alias} is left: here it is the version of the stage")
        else:
            found[name] = version
    return found
