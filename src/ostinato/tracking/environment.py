"""What a tracking run tells by itself: who, where, which program, which commit, which packages."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from ostinato.tracking.models.requirements import requirements

if TYPE_CHECKING:
    from ostinato.engine.scopes import Scope

PLACES: Final = ("site-packages", "dist-packages")
"""Folders of installed packages."""
DEEPEST: Final = 64
"""Levels above a file in which a repository is looked for."""
COMPRESSED: Final = b"\0\0\0\4"
"""Version of an index of git that has no whole paths: what it names is taken to be there."""


class Facts(msgspec.Struct, frozen=True):
    """What is known when a run begins."""

    user: str
    source: str
    version: str
    tags: dict[str, str]


def facts(scope: Scope | None) -> Facts:
    """Give the facts of a run that begins in a scope, or in a plain program."""
    source, version = _program(), ""
    if scope is not None:
        flow = scope.flow.run.flow
        version = getattr(flow, "version", "")
        source = getattr(getattr(flow, "source", None), "file", "") or source
    commit = git_commit(source or os.getcwd())
    tags = {"ostinato.host": platform.node(), "ostinato.python": platform.python_version()}
    if commit:
        tags["ostinato.git_commit"] = commit
    return Facts(user(), source, version or commit, tags)


@cache
def user() -> str:
    """Give the name of the user of this process, or ""."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return ""


def _program() -> str:
    """Give the file of this program, "" for a notebook or a prompt."""
    file = sys.argv[0] if sys.argv else ""
    return os.path.abspath(file) if os.path.isfile(file) else ""


def git_commit(path: str) -> str:
    """Give the commit that is checked out where a folder is, or a file that git tracks; "" elsewhere.

    Nothing is started for it.
    """
    is_folder = os.path.isdir(path)
    folder = path if is_folder else os.path.dirname(path)
    for _ in range(DEEPEST):
        git = os.path.join(folder, ".git")
        if os.path.exists(git):
            git = _git_folder(git)
            known = is_folder or _is_tracked(git, os.path.relpath(path, folder).replace(os.sep, "/"))
            return _head(git) if known else ""
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    return ""


def _git_folder(git: str) -> str:
    """Give the folder of a repository; a worktree or submodule has a file that says where it is."""
    if not os.path.isfile(git):
        return git
    return os.path.join(os.path.dirname(git), _read(git).removeprefix("gitdir: "))


@cache
def _is_tracked(git: str, path: str) -> bool:
    """Say whether a repository has a file: its index has the length of the path, the path, and a zero byte."""
    try:
        with open(os.path.join(git, "index"), "rb") as opened:
            index = opened.read()
    except OSError:
        return False
    name = os.fsencode(path)
    compressed = index[4:8] == COMPRESSED
    return compressed or len(name).to_bytes(2, "big") + name + b"\0" in index


def _head(git: str) -> str:
    head = _read(os.path.join(git, "HEAD"))
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    shared = os.path.join(git, _read(os.path.join(git, "commondir")) or ".")
    commit = _read(os.path.join(git, name)) or _read(os.path.join(shared, name))
    return commit or _packed(os.path.join(shared, "packed-refs"), name)


def _packed(file: str, name: str) -> str:
    for line in _read(file).splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return ""


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read().strip()
    except OSError:
        return ""


def packages() -> str:
    """Give the installed packages of which modules are loaded, `name==version` with a blank between; "" when none."""
    return _versions(frozenset(_loaded()))


def _loaded() -> list[str]:
    """Give the top-level modules that come from installed packages."""
    found = []
    for name, module in list(sys.modules.items()):
        if "." in name or name.startswith("_"):
            continue
        file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        if any(place in file for place in PLACES):
            found.append(name)
    return found


@cache
def _versions(modules: frozenset[str]) -> str:
    return " ".join(requirements(modules))
