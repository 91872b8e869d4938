"""Where a model is: what its URI means, and the folder with its files.

models:/NAME@ALIAS | models:/NAME/VERSION | models:/NAME/STAGE | models:/m-ID | m-ID | runs:/RUN/NAME | a folder
"""

from __future__ import annotations

import os
import re
import tempfile
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ostinato.core.errors import BlobMissing, LoggedModelNotFound, ModelDamaged, TrackingRunNotFound
from ostinato.core.logged_models import PREFIX
from ostinato.core.paths import artifact_path
from ostinato.core.registry import split_uri

if TYPE_CHECKING:
    from ostinato.core.ports import Reader
    from ostinato.core.tracking import TrackedFile

_RUN: Final = re.compile(r"runs:/+(?P<run>[^/]+)/(?P<path>.+)")
_MODEL: Final = re.compile(rf"(?:models:/+)?(?P<id>{PREFIX}[0-9a-f]{{32}})")
_STORED: Final = re.compile(r"(?P<experiment>[^/]+)/(?P<middle>models/)?(?P<owner>[^/]+)/artifacts(?:/(?P<path>.*))?")
_PAGE: Final = 1000


def local_folder(uri: str) -> str | None:
    """Give the folder that a URI names on this machine, None when it names something else.

    Raises:
        LoggedModelNotFound: (logged-model-not-found) there is no such folder.
    """
    path = unquote(urlsplit(uri).path) if uri.startswith("file:") else uri
    if re.match(r"[a-z][a-z0-9+-]+:/", path) or _MODEL.fullmatch(path):
        return None
    if not os.path.isdir(path):
        raise LoggedModelNotFound(model=uri, reason="there is no such folder")
    return path


def fetch(reader: Reader, uri: str) -> str:
    """Bring the files of a model to a new folder, each checked against its hash; give the folder.

    Raises:
        LoggedModelNotFound: (logged-model-not-found), and what the registry says of a model or version.
        ModelDamaged: (model-damaged) a file is missing or not what was logged.
    """
    owner, under = _place(reader, uri)
    files = _files(reader, owner, under)
    if not files:
        raise LoggedModelNotFound(model=uri, reason="it has no files")
    folder = tempfile.mkdtemp(prefix="ostinato-model-")
    for file in files:
        relative = artifact_path(os.path.relpath(file.path, under) if under else file.path)
        path = os.path.join(folder, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            data = reader.blob(file.blob)
        except BlobMissing as error:
            raise ModelDamaged(model=uri, file=relative, how=str(error.values.get("how", "missing"))) from error
        with open(path, "wb") as target:
            target.write(data)
    return folder


def _place(reader: Reader, uri: str) -> tuple[str, str]:
    """Give who owns the files of a model, a tracking run or a logged model, and the path above them."""
    model = _MODEL.fullmatch(uri)
    if model is not None:
        found = reader.logged_model(model["id"])
        if found.state == "deleted":
            raise LoggedModelNotFound(model=uri, reason="it is deleted")
        return found.id, ""
    run = _RUN.fullmatch(uri)
    if run is not None:
        return _of_run(reader, uri, run["run"], run["path"].strip("/"))
    if uri.startswith("models:"):
        version = reader.find_version(*split_uri(uri))
        # The source of a version may be another version, which was there before: that ends.
        return (version.model_id, "") if version.model_id else _place(reader, version.source)
    stored = _STORED.fullmatch(urlsplit(uri).path.strip("/")) if uri.startswith("mlflow-artifacts:") else None
    if stored is None:
        reason = "it is in a place that Ostinato does not read"
        raise LoggedModelNotFound(model=uri, reason=reason)
    return stored["owner"], (stored["path"] or "").strip("/")


def _of_run(reader: Reader, uri: str, run: str, path: str) -> tuple[str, str]:
    try:
        run_id = reader.find_tracking_run(run).id
    except TrackingRunNotFound as error:
        raise LoggedModelNotFound(model=uri, reason=f"there is no tracking run {run}") from error
    logged = reader.logged_models_of(run_id, name=path, limit=1)
    if logged:
        return logged[0].id, ""
    if not reader.tracked_files(run_id, under=path, limit=1):
        others = ", ".join(dict.fromkeys(one.name for one in reader.logged_models_of(run_id, limit=20))) or "none"
        raise LoggedModelNotFound(model=uri, reason=f"the run has no files below {path!r}; its models are: {others}")
    return run_id, path


def _files(reader: Reader, owner: str, under: str) -> list[TrackedFile]:
    found: list[TrackedFile] = []
    while True:
        after = found[-1].path if found else ""
        page = reader.tracked_files(owner, under=under, after=after, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found
