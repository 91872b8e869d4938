"""MLflow's artifacts: files of runs and logged models, streamed, listed, taken away.

The address of a file is `EXPERIMENT/RUN/artifacts/PATH`, or `EXPERIMENT/models/MODEL/artifacts/PATH`: what
`artifact_uri` of a run says, behind `mlflow-artifacts:/`.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core.commands import LogFile
from ostinato.core.paths import artifact_path
from ostinato.core.tracking import FileLogged
from ostinato.server.blobs import PART_BYTES
from ostinato.server.mlflow import parts
from ostinato.server.mlflow.faults import Fault, missing, not_found
from ostinato.server.mlflow.frame import NOTHING, Asked, Door, Doors, from_body, from_query
from ostinato.server.mlflow.logged_models import active_model
from ostinato.server.mlflow.runs import root_of
from ostinato.server.mlflow.wire import model_root, run_info
from ostinato.server.pages import JSON
from ostinato.store import logged_models, tracking
from ostinato.store.commands.handlers import carry_out

if TYPE_CHECKING:
    from ostinato.core.tracking import TrackedFile
    from ostinato.store.database import Connection
    from ostinato.store.transaction import Tx

MOST_FILES: Final = 1000
"""Entries of a folder in one answer."""
FILES: Final = "artifacts"
MODEL: Final = "m-"
"""How the ids of logged models begin."""
PLAIN: Final = "application/octet-stream"

_PLACE: Final = re.compile(r"(?:[^/]+/)*?(?P<owner>[0-9a-f]{32}|m-[0-9a-f]{32})/artifacts(?:/(?P<path>.*))?")
_BEYOND: Final = "\U0010ffff"


class Listing(msgspec.Struct, frozen=True):
    """Which folder of which run."""

    run_id: str = ""
    run_uuid: str = ""
    path: str = ""
    page_token: str = ""


class Folder(msgspec.Struct, frozen=True):
    """Which folder, by its whole address."""

    path: str = ""


class ModelFolder(msgspec.Struct, frozen=True):
    """Which folder of a logged model."""

    artifact_directory_path: str = ""
    page_token: str = ""


class ModelFile(msgspec.Struct, frozen=True):
    """Which file of a logged model."""

    artifact_file_path: str


class FileInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of a folder."""

    path: str
    is_dir: bool
    file_size: int = 0


async def serve(asked: Asked, address: str) -> None:
    """Answer a request for files below `mlflow-artifacts/`."""
    exchange = asked.exchange
    if address == FILES and exchange.method == "GET":
        await _list_folder(asked, from_query(exchange.scope["query_string"], Folder))
        return
    if address.startswith(parts.PREFIX):
        await _serve_parts(asked, address.removeprefix(parts.PREFIX))
        return
    if not address.startswith(f"{FILES}/"):
        raise Fault("ENDPOINT_NOT_FOUND", f"There is no {exchange.method} {exchange.path} here.")
    owner, path = _place(address.removeprefix(f"{FILES}/"))
    match exchange.method:
        case "PUT":
            await _put(asked, owner, artifact_path(path))
        case "GET" | "HEAD":
            await _get(asked, owner, artifact_path(path))
        case "DELETE":
            await _delete(asked, owner, artifact_path(path, empty=True))
        case _:
            raise Fault("ENDPOINT_NOT_FOUND", f"There is no {exchange.method} {exchange.path} here.")


async def _serve_parts(asked: Asked, address: str) -> None:
    """Answer a request about an upload in parts."""
    exchange = asked.exchange
    word, _, place = address.partition("/")
    asked.identity.check("track")
    if (exchange.method, word) == ("PUT", "part"):
        await parts.take(asked)
        return
    if exchange.method != "POST" or word not in ("create", "complete", "abort"):
        raise Fault("ENDPOINT_NOT_FOUND", f"There is no {exchange.method} {exchange.path} here.")
    owner, folder = _place(place)
    await asked.read(lambda shelf: _check_owner(shelf.db, owner))
    body = await exchange.body()
    if word == "create":
        await parts.begin(asked, from_body(body, parts.Begin))
        return
    if word == "complete":
        whole = from_body(body, parts.Whole)
        name = re.split(r"[/\\]", whole.path)[-1]
        path = artifact_path(f"{folder}/{name}" if folder else name)
        blob, size = await parts.join(asked, whole)
        await asked.write(lambda tx: _keep(tx, owner, path, blob, size))
    await exchange.answer(b"{}", JSON)


def _place(address: str) -> tuple[str, str]:
    """Give whose file an address means, and its path."""
    artifact_path(address)
    found = _PLACE.fullmatch(address)
    if found is None:
        raise not_found("Artifact", address)
    return found["owner"], found["path"] or ""


# --- one file


async def _put(asked: Asked, owner: str, path: str) -> None:
    """Take in a file as it comes; only when all of it is there it is one of the run."""
    asked.identity.check("track")
    await asked.read(lambda shelf: _check_owner(shelf.db, owner))
    arriving = await asyncio.to_thread(asked.office.blobs.arriving)
    size = 0
    try:
        async for part in asked.exchange.parts():
            size += len(part)
            await asyncio.to_thread(arriving.add, part)
        await asyncio.to_thread(arriving.finish)
        await asked.write(lambda tx: _keep(tx, owner, path, arriving.blob, size))
    finally:
        await asyncio.to_thread(arriving.close)
    await asked.exchange.answer(b"{}", JSON)


def _check_owner(db: Connection, owner: str) -> None:
    """Refuse a file that would be nobody's before it is taken in."""
    if owner.startswith(MODEL):
        logged_models.logged_model(db, owner)
    elif tracking.tracking_run(db, owner) is None:
        raise not_found("Run", owner)


def _keep(tx: Tx, owner: str, path: str, blob: str, size: int = 0) -> None:
    """Have a stored value be a file of a run or a logged model; without one the file is taken away."""
    kind = mimetypes.guess_type(path)[0] or PLAIN
    if owner.startswith(MODEL):
        _check_owner(tx.db, owner)
        tx.append(FileLogged(owner, tx.now, path, blob, size, kind))
    else:
        carry_out(tx, LogFile(run=owner, path=path, blob=blob, size=size, media_type=kind))


async def _get(asked: Asked, owner: str, path: str) -> None:
    found = await asked.read(lambda shelf: tracking.file(shelf.db, owner, path))
    if found is None:
        raise not_found("Artifact", path)
    await send(asked, found)


async def send(asked: Asked, found: TrackedFile) -> None:
    """Stream a file; nothing in it is shown or run by a browser that opens its address."""
    exchange = asked.exchange
    file, size = await asyncio.to_thread(asked.office.blobs.open, found.blob)
    with file:
        headers = [
            (b"content-type", (found.media_type or PLAIN).encode("latin-1", "replace")),
            (b"content-length", b"%d" % size),
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await exchange.begin(200, headers)
        while exchange.method == "GET" and (part := await asyncio.to_thread(file.read, PART_BYTES)):
            await exchange.more(part)
        await exchange.more(b"", last=True)


async def _delete(asked: Asked, owner: str, path: str) -> None:
    """Take away a file, or all files of a folder."""

    def work(tx: Tx) -> None:
        gone = [one.path for one in tracking.files(tx.db, owner, under=path, limit=MOST_FILES * 10)]
        if tracking.file(tx.db, owner, path) is not None:
            gone.append(path)
        if not gone:
            raise not_found("Artifact", path)
        for each in gone:
            _keep(tx, owner, each, "")

    await asked.write(work)
    await asked.exchange.answer(b"{}", JSON)


# --- folders


async def _list_folder(asked: Asked, folder: Folder) -> None:
    """Answer what a folder holds, each entry by its own name."""
    owner, path = _place(folder.path)
    under = artifact_path(path, empty=True)
    entries, _ = await asked.read(lambda shelf: _entries(shelf.db, owner, under, "", MOST_FILES))
    cut = len(under) + 1 if under else 0
    named = [msgspec.structs.replace(one, path=one.path[cut:]) for one in entries]
    await asked.exchange.answer(msgspec.json.encode({"files": named}), JSON)


async def _list(asked: Asked, listing: Listing) -> Any:
    """Answer what a folder of a run holds, each entry by its path."""
    run_id = listing.run_id or listing.run_uuid
    if not run_id:
        raise missing("run_id")
    under = artifact_path(listing.path, empty=True)

    def question(db: Connection) -> dict[str, Any]:
        run = tracking.tracking_run(db, run_id)
        if run is None:
            raise not_found("Run", run_id)
        entries, token = _entries(db, run_id, under, listing.page_token, MOST_FILES)
        root_uri = run_info(run, root_of(db, run.experiment_id)).artifact_uri
        answer = {"root_uri": root_uri, "files": entries}
        return answer | ({"next_page_token": token} if token else {})

    return await asked.read(lambda shelf: question(shelf.db))


async def _list_model(asked: Asked, folder: ModelFolder) -> Any:
    """Answer what a folder of a logged model holds, each entry by its path."""
    under = artifact_path(folder.artifact_directory_path, empty=True)

    def question(db: Connection) -> dict[str, Any]:
        model = active_model(db, asked.parts["model_id"])
        entries, token = _entries(db, model.id, under, folder.page_token, MOST_FILES)
        answer = {"root_uri": model_root(root_of(db, model.experiment_id), model), "files": entries}
        return answer | ({"next_page_token": token} if token else {})

    return await asked.read(lambda shelf: question(shelf.db))


async def _send_model(asked: Asked, wanted: ModelFile) -> Any:
    """Answer a file of a logged model."""
    path = artifact_path(wanted.artifact_file_path)
    model = await asked.read(lambda shelf: active_model(shelf.db, asked.parts["model_id"]))
    await _get(asked, model.id, path)
    return NOTHING


def _entries(db: Connection, owner: str, under: str, after: str, limit: int) -> tuple[list[FileInfo], str]:
    """Give files and folders right below a folder, and where to go on, "" when these are all.

    What a folder below holds is leapt over, however much it is.
    """
    found: list[FileInfo] = []
    cut = len(under) + 1 if under else 0
    while len(found) <= limit:
        files = tracking.files(db, owner, under=under, after=after, limit=limit)
        if not files:
            return found, ""
        for one in files:
            name, inside, _ = one.path[cut:].partition("/")
            path = one.path[:cut] + name
            if inside:
                found.append(FileInfo(path, is_dir=True))
                after = f"{path}/{_BEYOND}"
                break
            found.append(FileInfo(path, is_dir=False, file_size=one.size))
            after = one.path
            if len(found) > limit:
                break
    last = found[limit - 1]
    return found[:limit], f"{last.path}/{_BEYOND}" if last.is_dir else last.path


DOORS: Final[Doors] = {
    ("GET", "artifacts/list"): Door(Listing, _list),
    ("GET", "logged-models/{model_id}/artifacts/directories"): Door(ModelFolder, _list_model),
    ("GET", "logged-models/{model_id}/artifacts/files"): Door(ModelFile, _send_model),
}
