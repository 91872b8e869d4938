"""The project around a file: what git knows of it, and which files belong to it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Final

import msgspec

GIT_S: Final = 20.0
"""git is given so long to answer."""
_LOGIN: Final = re.compile(r"^(\w+://)[^/@]*@")
_SHORT: Final = 12


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A folder under git."""

    root: str
    commit: str
    url: str
    """Of the remote that it is pushed to, without a login; empty when there is none."""
    changed: tuple[str, ...]
    """Files that differ from the commit, relative to the root."""

    @property
    def version(self) -> str:
        """The commit, marked when files differ from it."""
        return self.commit[:_SHORT] + ("+dirty" if self.changed else "")


def checkout_of(file: str) -> Checkout | None:
    """Give the checkout that tracks a file; None when none does, or git is not there."""
    folder, name = os.path.split(file)
    if git(folder, "ls-files", "--error-unmatch", "--", name) is None:
        return None
    root, commit = git(folder, "rev-parse", "--show-toplevel"), git(folder, "rev-parse", "--verify", "HEAD")
    if not root or not commit:  # nothing is committed yet
        return None
    status = git(folder, "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames") or ""
    return Checkout(
        root=root.strip(),
        commit=commit.strip(),
        url=_url(folder),
        changed=tuple(line[3:] for line in status.split("\0") if line),
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
