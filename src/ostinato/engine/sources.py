"""Where workers find the code of a flow: on this machine, in a snapshot, or in a commit of a repository."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostinato.core import codec
from ostinato.core import settings as settings_of
from ostinato.core.deployments import Code
from ostinato.core.errors import DeploymentInvalid
from ostinato.core.ports import RECORDER, resolve
from ostinato.engine import projects
from ostinato.engine.snapshots import pack

if TYPE_CHECKING:
    from ostinato.core.deployments import CodeKind
    from ostinato.core.events import Source
    from ostinato.engine.flows import Flow

_SHOWN: Final = 5


class Located(msgspec.Struct, frozen=True):
    """Where the code is, its version, and what who deploys it should know."""

    code: Code
    version: str
    notes: tuple[str, ...]


def locate(flow: Flow[Any, Any], title: str, kind: CodeKind, storage: str) -> Located:
    """Give where workers find a flow; a snapshot is made and stored now.

    Raises:
        DeploymentInvalid: (deployment-invalid) they could not find it.
        SnapshotTooLarge: (snapshot-too-large).
    """
    source = flow.source
    if not source.file:
        reason = "the flow exists only in a notebook or a prompt"
        raise DeploymentInvalid(name=title, reason=reason, fix="Put it into a file, and deploy it from there.")
    if "<" in source.function:
        reason = f"{source.function} is made inside a function, where workers cannot find it"
        raise DeploymentInvalid(name=title, reason=reason, fix=f"Move it to the top of {source.file}.")
    if storage and kind != "snapshot":
        fix = 'Leave storage= out, or write code="snapshot".'
        raise DeploymentInvalid(name=title, reason=f"code={kind!r} stores nothing in {storage!r}", fix=fix)
    checkout = projects.checkout_of(source.file)
    if kind == "local":
        return _local(flow, source, checkout)
    if kind == "git":
        return _git(title, source, checkout)
    return _snapshot(source, checkout, storage)


def _local(flow: Flow[Any, Any], source: Source, checkout: projects.Checkout | None) -> Located:
    code = Code(kind="local", file=source.file, function=source.function, directory=source.directory)
    version = checkout.version if checkout is not None else flow.version
    here = socket.gethostname()
    return Located(code, version, (f"It runs only on machines that have its file, such as {here}.",))


def _git(title: str, source: Source, checkout: projects.Checkout | None) -> Located:
    if checkout is None:
        reason = f"{source.file} is in no git repository, or not committed"
        raise DeploymentInvalid(name=title, reason=reason, fix='Commit it, or write code="snapshot".')
    if not checkout.url:
        reason = f"the repository {checkout.root} has no remote from which workers could fetch it"
        raise DeploymentInvalid(name=title, reason=reason, fix='Add one, or write code="snapshot".')
    notes = []
    commit = checkout.commit[:12]
    if checkout.changed:
        shown = ", ".join(checkout.changed[:_SHOWN])
        more = f" and {len(checkout.changed) - _SHOWN} more" if len(checkout.changed) > _SHOWN else ""
        notes.append(f"Changes that are not committed do not go along: {shown}{more}.")
    if not projects.is_pushed(checkout):
        notes.append(f"Commit {commit} is on no branch of a remote: workers cannot fetch it until it is pushed.")
    file, directory = _within(checkout.root, source)
    code = Code(
        kind="git",
        file=file,
        function=source.function,
        directory=directory,
        location=checkout.url,
        revision=checkout.commit,
    )
    return Located(code, commit, tuple(notes))


def _snapshot(source: Source, checkout: projects.Checkout | None, storage: str) -> Located:
    settings = settings_of.load()
    project = projects.project_of(source.file, source.directory, settings.home)
    data = pack(project.root, project.files, int(settings.snapshot_limit_mb * 1_000_000))
    place = storage if "://" in storage or not storage else os.path.abspath(storage)
    revision = resolve(RECORDER)().put_blob(data, codec.digest(data), place)
    file, directory = _within(project.root, source)
    code = Code(
        kind="snapshot",
        file=file,
        function=source.function,
        directory=directory,
        location=place,
        revision=revision,
    )
    version = revision[:12]
    if checkout is not None:
        is_other = checkout.changed or checkout.untracked  # than the commit
        version = f"{checkout.commit[:12]}+dirty.{revision[:6]}" if is_other else checkout.version
    return Located(code, version, ())


def _within(root: str, source: Source) -> tuple[str, str]:
    """Give file and working directory relative to the root; the root itself for a directory outside."""
    directory = os.path.relpath(os.path.realpath(source.directory or root), root)
    outside = directory == os.pardir or directory.startswith(os.pardir + os.sep)
    return os.path.relpath(os.path.realpath(source.file), root), "" if outside or directory == os.curdir else directory
