"""The project around a file: what git knows of it, and which files belong to it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Final

import msgspec

GIT_S: Final = 20.0
"""git is given so long to answer."""
_LOGIN: Final = re.compile(r"^(https?://)[^/@]*@")
_SHORT: Final = 12

LEFT_OUT: Final = frozenset(
    ".git .hg .svn .venv venv __pycache__ node_modules .env .DS_Store .ipynb_checkpoints .mypy_cache .pytest_cache"
    " .ruff_cache .tox .nox".split()
)
"""What never belongs to a project outside of git."""
MOST_WALKED: Final = 50_000
"""A folder with more files is no project; it is refused by their number."""


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A folder under git."""

    root: str
    commit: str
    url: str
    """Of the remote that it is pushed to, without a login; empty when there is none."""
    changed: tuple[str, ...]
    """Files that differ from the commit, relative to the root."""
    untracked: tuple[str, ...] = ()
    """Files, or folders of files, that git does not know and does not ignore."""

    @property
    def version(self) -> str:
        """The commit, marked when files differ from it."""
        return self.commit[:_SHORT] + ("+dirty" if self.changed else "")


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """The files that go along with a flow."""

    root: str
    files: list[str]
    """Relative to the root."""


def project_of(file: str, directory: str, home: str) -> Project:
    """Give the project of a file: its checkout without what git ignores, else the folder that it is run in.

    That folder is the working directory when the file is below it, else the one above its package. `home` is left out.
    """
    file = os.path.realpath(file)
    root = git(os.path.dirname(file), "rev-parse", "--show-toplevel")
    if root:
        project = Project(root=os.path.realpath(root.strip()), files=_known_to_git(os.path.realpath(root.strip())))
        if os.path.relpath(file, project.root) in project.files:
            return project
    folder = os.path.realpath(directory) if directory else ""
    if not folder or not file.startswith(folder + os.sep):
        folder = os.path.dirname(file)
        while os.path.isfile(os.path.join(folder, "__init__.py")):
            folder = os.path.dirname(folder)
    return Project(root=folder, files=_walk(folder, os.path.realpath(home)))


def _known_to_git(root: str) -> list[str]:
    """Give the files of a checkout that are not ignored, those of its submodules too."""
    listed = git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z") or ""
    files = []
    for name in filter(None, listed.split("\0")):
        path = os.path.join(root, name)
        if os.path.isdir(path):
            files += [os.path.join(name, inner) for inner in _known_to_git(path)]
        elif os.path.isfile(path) and not _is_bytecode(name):
            files.append(name)
    return files


def _is_bytecode(name: str) -> bool:
    """Tell what Python writes by the way: not everybody lets git ignore it."""
    return name.endswith(".pyc") or "__pycache__" in name.split("/")


def _walk(root: str, home: str) -> list[str]:
    files: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in LEFT_OUT
            and not name.endswith(".egg-info")
            and os.path.join(folder, name) != home
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        files += [
            os.path.relpath(os.path.join(folder, name), root)
            for name in names
            if name not in LEFT_OUT and not name.endswith(".pyc") and os.path.isfile(os.path.join(folder, name))
        ]
        if len(files) > MOST_WALKED:
            break
    return files


def checkout_of(file: str) -> Checkout | None:
    """Give the checkout that tracks a file; None when none does, or git is not there."""
    folder, name = os.path.split(file)
    if git(folder, "ls-files", "--error-unmatch", "--", name) is None:
        return None
    root, commit = git(folder, "rev-parse", "--show-toplevel"), git(folder, "rev-parse", "--verify", "HEAD")
    if not root or not commit:  # nothing is committed yet
        return None
    status = (git(folder, "status", "--porcelain", "-z", "--no-renames") or "").split("\0")
    return Checkout(
        root=root.strip(),
        commit=commit.strip(),
        url=_url(folder),
        changed=tuple(line[3:] for line in status if line and not line.startswith("??")),
        untracked=tuple(line[3:] for line in status if line.startswith("??") and not _is_bytecode(line[3:])),
    )


def is_pushed(checkout: Checkout) -> bool:
    """Say whether a remote is known to have the commit."""
    return bool((git(checkout.root, "branch", "--remotes", "--contains", checkout.commit) or "").strip())


def _url(folder: str) -> str:
    remotes = (git(folder, "remote") or "").split()
    remote = "origin" if "origin" in remotes else remotes[0] if remotes else ""
    found = git(folder, "remote", "get-url", remote) if remote else None
    return _LOGIN.sub(r"\1", (found or "").strip())


def git(folder: str, *words: str) -> str | None:
    """Give what git prints in a folder; None when it fails or is not installed."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own words, and paths behind `--`
            ["git", "-C", folder, *words],  # noqa: S607 - the user's git
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
