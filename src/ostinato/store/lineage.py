"""Lineage across runs: from a version of a model back to code and data, and from data forward to versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.registry import DataModel, DataUse, VersionOrigin
from ostinato.store import datasets, registry, sql

if TYPE_CHECKING:
    from ostinato.store.database import Connection, Cursor

MOST: Final = 1000
"""Versions of data, or of models, that are told."""


def version_origin(db: Connection, name: str, number: int) -> VersionOrigin:
    """Give where a version of a model comes from, as far as it is recorded.

    Raises:
        ModelNotFound: (model-not-found), ModelVersionNotFound: (model-version-not-found).
    """
    one = registry.get_version(db, name, number)
    facts: dict[str, Any] = {"flow_run_id": one.flow_run_id, "task_no": one.task_no}
    around = []
    row = _ask(db, "tracking_run", one.run_id).fetchone()
    if row is not None:
        run_name, experiment_id, experiment, version, source, flow_run_id, task_no, parent_id = row
        facts |= {"run_name": run_name, "experiment_id": experiment_id, "experiment": experiment}
        facts |= {"code_version": version, "code_file": source}
        if flow_run_id:
            facts |= {"flow_run_id": flow_run_id, "task_no": task_no}
        around = [one.run_id, parent_id] if parent_id else [one.run_id]
    flow = _ask(db, "flow_run", facts["flow_run_id"]).fetchone()
    if flow is not None:
        facts |= {"flow_run": flow[0], "flow": flow[1], "root_run_id": flow[2]}
        facts["code_version"] = facts.get("code_version") or flow[3]
    task = _ask(db, "task_run", facts["flow_run_id"], facts["task_no"]).fetchone()
    if task is not None:
        facts |= {"task_run": task[0], "task_version": task[1]}
    data = (*_data_of_tracking(db, around), *_data_of_flow(db, facts.get("root_run_id", "")))
    known = dict.fromkeys(one.digest for one in data)
    kept = tuple(next(one for one in data if one.digest == digest) for digest in known)
    return VersionOrigin(
        name=one.name,
        version=one.version,
        source=one.source,
        model_id=one.model_id,
        run_id=one.run_id,
        data=kept,
        **facts,
    )


def models_from_data(db: Connection, ref: str) -> list[DataModel]:
    """Give the versions of models that a version of data went into, by name and version.

    `ref` is its digest, a unique beginning of it, or its name (the newest).

    Raises:
        DatasetNotFound: (dataset-not-found), DatasetAmbiguous: (dataset-ambiguous).
    """
    # Clients of MLflow give digests of their own to data that we have not seen.
    is_used = _ask(db, "input", ref).fetchone() is not None
    digest = ref if is_used else datasets.find_dataset(db, ref).digest
    direct = _ask(db, "versions_from_inputs", digest, digest, MOST).fetchall()
    wider = _ask(db, "versions_from_flow_runs", digest, MOST).fetchall()
    rows = [(*row, "tracking-run") for row in direct] + [(*row, "flow-run") for row in wider]
    found: dict[tuple[str, int], DataModel] = {}
    for name, version, stage, run_id, context, via in rows:
        one = DataModel(name=name, version=version, stage=stage, run_id=run_id, context=context, via=via)
        found.setdefault((name, version), one)
    return [found[key] for key in sorted(found)]


def _data_of_tracking(db: Connection, run_ids: list[str]) -> list[DataUse]:
    ids = msgspec.json.encode(run_ids).decode()
    rows = _ask(db, "data_of_tracking_runs", ids, MOST).fetchall() if run_ids else []
    return [DataUse(digest=a, name=b, context=c, via="tracking-run", run_id=d) for a, b, c, d in rows]


def _data_of_flow(db: Connection, root_id: str) -> list[DataUse]:
    rows = _ask(db, "data_of_flow_run", root_id, MOST).fetchall() if root_id else []
    return [DataUse(digest=a, name=b, context=c, via="flow-run", run_id=d) for a, b, c, d in rows]


def _ask(db: Connection, query: str, *values: object) -> Cursor:
    return db.execute(sql.load("registry")[query], values)
