"""What a tracking run tells by itself: who, where, which program, which commit, which packages."""

from __future__ import annotations

import getpass
import os
import platform
import sys
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ostinato.engine.scopes import Scope

PLACES: Final = ("site-packages", "dist-packages")
"""Folders of installed packages."""
DEEPEST: Final = 64
"""Levels above a file in which a repository is looked for."""


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
    commit = git_commit(os.path.dirname(source) or os.getcwd())
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


def git_commit(folder: str) -> str:
    """Give the commit that is checked out where a folder is, "" outside a repository; nothing is started for it."""
    for _ in range(DEEPEST):
        git = os.path.join(folder, ".git")
        if os.path.exists(git):
            return _head(git)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    return ""


def _head(git: str) -> str:
    if os.path.isfile(git):  # a worktree or submodule: it says where its repository is
        git = os.path.join(os.path.dirname(git), _read(git).removeprefix("gitdir: "))
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
    found: dict[str, str] = {}
    for module in modules:
        for name in _distributions(module):
            found[name] = metadata.version(name)
    return " ".join(f"{name}=={version}" for name, version in sorted(found.items(), key=lambda one: one[0].lower()))


@cache
def _distributions(module: str) -> tuple[str, ...]:
    """Give the packages that a module belongs to. Most have its name; for others all must be looked through."""
    try:
        return (metadata.distribution(module).metadata["Name"],)
    except metadata.PackageNotFoundError:
        return tuple(_by_module().get(module, ()))


@cache
def _by_module() -> dict[str, list[str]]:
    return {module: sorted(set(names)) for module, names in metadata.packages_distributions().items()}
