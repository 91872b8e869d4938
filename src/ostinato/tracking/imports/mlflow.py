"""The import of what MLflow has recorded: which kind of place it is in, then all of it."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ostinato.core.errors import ImportStopped, ImportUnreadable
from ostinato.tracking.imports.database import MlflowDatabase
from ostinato.tracking.imports.folder import MlflowFolder
from ostinato.tracking.imports.importer import Importer
from ostinato.tracking.imports.places import Places
from ostinato.tracking.imports.remote import MlflowServer
from ostinato.tracking.imports.shelf import take_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostinato.tracking.imports.material import Files, Source
    from ostinato.tracking.imports.report import Report

_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):")
_SQLITE: Final = re.compile(r"sqlite:///(?P<path>.+)")


def import_mlflow(
    path: str, *, artifacts: str = "", dry_run: bool = False, tell: Callable[[Report, str], None] | None = None
) -> Report:
    """Bring over what an MLflow has recorded in `mlflow.db` or `mlruns`, or behind its server; give what was done.

    `artifacts` is the folder with its files, when it is not where the records say. A dry run changes nothing. `tell`
    is told again and again how far it is, and in which experiment.

    Raises:
        ImportUnreadable: (import-unreadable) there is nothing of MLflow, or of a version that is not known.
        ImportStopped: (import-stopped) it cannot go on now; begun again it does.
    """
    begun_s = time.monotonic()
    source = source_at(path)
    try:
        importer = Importer(source, _files_of(source, artifacts), dry_run=dry_run, tell=tell)
        try:
            importer.take_experiments()
            take_models(importer)
        except OSError as error:
            raise ImportStopped(path=path, reason=str(error)) from error
        finally:
            importer.close()
        for what, n in source.beside().items():
            importer.report.remark(f"{n:,} {what} are left: Ostinato has none")
    finally:
        source.close()
    importer.report.took_s = round(time.monotonic() - begun_s, 3)
    return importer.report


def source_at(path: str) -> Source:
    """Give the source that a path or URL names: a database of SQLite, a folder, or a server.

    Raises:
        ImportUnreadable: (import-unreadable).
    """
    if path.startswith(("http://", "https://")):
        return MlflowServer(path)
    place = _local(path)
    if os.path.isdir(place):
        return MlflowFolder(place)
    if os.path.isfile(place):
        return MlflowDatabase(place)
    fix = "Name the file mlflow.db, or the folder mlruns, of MLflow."
    raise ImportUnreadable(path=path, reason="there is no such file or folder", fix=fix)


def _files_of(source: Source, artifacts: str) -> Files:
    if not isinstance(source, MlflowServer):
        return Places(source.folder, artifacts)
    if artifacts:
        reason = "a server gives the files itself"
        raise ImportUnreadable(path=source.path, reason=reason, fix="Leave --artifacts out.")
    return source


def _local(path: str) -> str:
    found = _SQLITE.fullmatch(path)
    if found is not None:
        return found["path"]
    if path.startswith("file:"):
        return unquote(urlsplit(path).path)
    scheme = _URL.match(path)
    if scheme is None:
        return path
    fix = "Name the file mlflow.db, the folder mlruns, or the address of MLflow's server: http://HOST:5000."
    raise ImportUnreadable(path=path, reason=f"a place of the kind {scheme['scheme']}: is not read", fix=fix)
