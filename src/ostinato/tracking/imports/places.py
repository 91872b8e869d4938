"""Where the files of runs and models are: on this machine, where they can be read, or elsewhere."""

from __future__ import annotations

import os
import re
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ostinato.core.errors import ImportUnreadable
from ostinato.tracking.imports.material import FoundFile

if TYPE_CHECKING:
    from collections.abc import Iterator

PROXIED: Final = "mlflow-artifacts:"
"""Where MLflow's server keeps files itself."""
USUAL: Final = ("mlartifacts", "mlruns")
"""Folders beside the database in which it does so."""
TRASH: Final = ".trash"
"""Where deleted experiments are."""

URL: Final = re.compile(r"[a-z][a-z0-9+.-]+:")
"""How a location begins that is no path."""


class Places:
    """Finds the folders that MLflow calls by paths and URLs, also when they have been moved."""

    def __init__(self, source_folder: str, artifacts: str = "") -> None:
        """Look beside the source, and first in the folder that is named.

        Raises:
            ImportUnreadable: (import-unreadable) there is no such folder.
        """
        if artifacts and not os.path.isdir(artifacts):
            fix = "Name the folder that `mlflow server --artifacts-destination` has."
            raise ImportUnreadable(path=artifacts, reason="there is no such folder", fix=fix)
        self._above = source_folder
        self._named = [os.path.abspath(artifacts)] if artifacts else []
        beside = [os.path.join(source_folder, name) for name in USUAL]
        self._served = [*self._named, *beside]
        """Where files may be that MLflow's server keeps."""
        self._roots = [*self._served, source_folder, os.path.join(source_folder, TRASH)]

    def is_elsewhere(self, location: str) -> bool:
        """Say whether a location is a URL of another kind than a path, such as `s3://bucket/1`."""
        return bool(URL.match(location)) and not location.startswith(("file:", PROXIED))

    def of(self, location: str, owner: str) -> list[FoundFile]:
        """Give the files of a run or a model that are on this machine."""
        folder = self.folder(location, owner)
        return list(files(folder)) if folder else []

    def open(self, file: FoundFile) -> IO[bytes]:
        """Open one of them for reading."""
        return open(file.place, "rb")

    def folder(self, location: str, owner: str) -> str:
        """Give the folder with the files of a run or a model, "" when there is none on this machine.

        What a database says is not trusted: it must be a folder of this owner, as MLflow names them all.
        """
        path, tail = self._split(location)
        if tail[-2:] != [owner, "artifacts"]:
            return ""
        for place in (path, *(os.path.join(root, *tail) for root in self._roots)):
            if os.path.isdir(place) and os.path.realpath(place).split(os.sep)[-2:] == tail[-2:]:
                return place
        return ""

    def lacks(self, location: str) -> str:
        """Give the folder above all experiments when it is not there; "" when it is, and has no such files."""
        path, tail = self._split(location)
        if not tail or self._named:
            return ""
        if location.startswith(PROXIED):
            return "" if any(map(os.path.isdir, self._served)) else self._served[0]
        root = path.removesuffix("/".join(tail)).rstrip("/") or "/"
        there = (root, *(os.path.join(one, tail[0]) for one in self._roots))
        return "" if any(map(os.path.isdir, there)) else root

    def _split(self, location: str) -> tuple[str, list[str]]:
        """Give a location as a path, and what stands in it behind the folder above all experiments.

        That is `EXPERIMENT/RUN/artifacts`, or `EXPERIMENT/models/MODEL/artifacts`; nothing when it is no path.
        """
        if not location or self.is_elsewhere(location):
            return "", []
        is_url = location.startswith(("file:", PROXIED))
        path = unquote(urlsplit(location).path) if is_url else location
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            return "", []
        tail = parts[-4:] if parts[-3:-2] == ["models"] else parts[-3:]
        if location.startswith(PROXIED):
            return os.path.join(self._served[0], *parts), tail
        return os.path.join(self._above, path), tail


def files(folder: str) -> Iterator[FoundFile]:
    """Give all files below a folder; a link that leads out of it is left out."""
    top = os.path.realpath(folder)
    for where, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            place = os.path.join(where, name)
            leads_out = not os.path.realpath(place).startswith(f"{top}{os.sep}")
            if leads_out or not os.path.isfile(place):
                continue
            facts = os.stat(place)
            yield FoundFile(
                path=os.path.relpath(place, top).replace(os.sep, "/"),
                place=place,
                size=facts.st_size,
                changed_ns=facts.st_mtime_ns,
            )
