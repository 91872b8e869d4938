"""The code of a run on this machine: a local file as it is, a snapshot or a commit fetched once.

What was fetched lies below `code` in the home of this machine, a folder for each snapshot and commit. Runs work in
there: what they write to their working directory stays with it. A folder that nobody used for a month goes.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import shutil
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ostinato.core import settings as settings_of
from ostinato.core.errors import BlobMissing, CodeMissing, ExtraMissing
from ostinato.core.ports import RECORDER, resolve
from ostinato.engine.snapshots import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostinato.core.deployments import Code

FETCH_S: Final = 600.0
"""git has so long to fetch a commit."""
KEEP_S: Final = 30 * 86_400.0
UNFINISHED: Final = ".new"
TOKEN_SECRET: Final = "git-token"  # noqa: S105 - its name
"""The secret that is asked for a token when the setting has none."""

_numbers = itertools.count()


def prepare(code: Code, deployment: str, folder: str = "") -> Code:
    """Give the code as it lies on this machine, with absolute paths; fetch it if it is not there.

    Raises:
        CodeMissing: (code-missing) it cannot be had; another try would end the same way.
        ServerUnreachable: (server-unreachable) another try may go well.
    """
    if code.kind == "local":
        root = ""
    else:
        fill = _fill_from_snapshot if code.kind == "snapshot" else _fill_from_git
        root = _fetched(code, folder or os.path.join(settings_of.load().home, "code"), deployment, fill)
    file, directory = os.path.join(root, code.file), os.path.join(root, code.directory).rstrip(os.sep)
    if not os.path.isfile(file):
        where = root or f"machine {os.uname().nodename}"
        reason = f"there is no file {code.file} on {where}" if not root else f"{where} has no file {code.file}"
        fix = "Deploy it again, or with code='snapshot', which takes it along."
        raise CodeMissing(deployment=deployment, reason=reason, fix=fix)
    return replace(code, kind="local", file=file, directory=directory)


def _fetched(code: Code, folder: str, deployment: str, fill: Callable[[Code, str, str], None]) -> str:
    """Give the folder of a snapshot or commit, filled by the first who needs it; several may try at once."""
    name = code.revision
    if code.kind == "git":
        name = hashlib.blake2b(f"{code.location}\n{code.revision}".encode(), digest_size=16).hexdigest()
    there = os.path.join(folder, name)
    if not os.path.isdir(there):
        os.makedirs(folder, exist_ok=True)
        _remove_old(folder)
        mine = f"{there}.{os.getpid()}.{next(_numbers)}{UNFINISHED}"
        os.mkdir(mine)
        try:
            fill(code, mine, deployment)
            os.rename(mine, there)
        except OSError:
            if not os.path.isdir(there):  # else another one was faster
                raise
        finally:
            shutil.rmtree(mine, ignore_errors=True)
    os.utime(there)
    return there


def _remove_old(folder: str) -> None:
    before = time.time() - KEEP_S
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another worker renamed it, or was faster
                if entry.stat().st_mtime < before:
                    shutil.rmtree(entry.path, ignore_errors=True)


# --- snapshots


def _fill_from_snapshot(code: Code, folder: str, deployment: str) -> None:
    try:
        unpack(resolve(RECORDER)().get_blob(code.revision, code.location), folder)
    except (BlobMissing, ValueError) as error:
        where = code.location or "the home of the server"
        how = f"is {error.values['how']}" if isinstance(error, BlobMissing) else f"cannot be read ({error})"
        reason = f"its snapshot {code.revision} {how} in {where}"
        fix = "Deploy it again: `ostinato deploy FILE:FLOW --name NAME --code snapshot`."
        raise CodeMissing(deployment=deployment, reason=reason, fix=fix) from error
    except ExtraMissing as error:
        raise CodeMissing(deployment=deployment, reason=error.message.rstrip("."), fix=error.hint) from error


# --- git


def _fill_from_git(code: Code, folder: str, deployment: str) -> None:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", **_login(code.location)}
    said = [_git(folder, environment, "init", "--quiet")]
    said += [_git(folder, environment, "fetch", "--quiet", "--depth", "1", code.location, code.revision)]
    if said[-1]:  # some servers give branches and tags only
        refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        said += [_git(folder, environment, "fetch", "--quiet", code.location, *refs)]
    said += [_git(folder, environment, "checkout", "--quiet", "--detach", code.revision)]
    if not said[-1] and os.path.exists(os.path.join(folder, ".gitmodules")):
        said += [_git(folder, environment, "submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1")]
    if said[-1]:
        lines = next(text for text in reversed(said[1:]) if text).splitlines()
        reason = f"commit {code.revision[:12]} of {code.location} was not fetched: {lines[-1]}"
        fix = "Push it, and let this machine read the repository (OSTINATO_GIT_TOKEN, or what git itself knows)."
        raise CodeMissing(deployment=deployment, reason=reason, fix=fix)


def _git(folder: str, environment: Mapping[str, str], *words: str) -> str:
    """Run git; give what it said of its failure, nothing when it did well."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own words; the address comes from who may deploy
            ["git", "-C", folder, *words],  # noqa: S607 - the machine's git
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=FETCH_S,
            check=False,
        )
    except FileNotFoundError:
        return "git is not installed"
    except subprocess.TimeoutExpired:
        return f"it took more than {FETCH_S:g} s"
    return "" if ended.returncode == 0 else ended.stderr.strip() or f"git ended with {ended.returncode}"


def _login(url: str) -> dict[str, str]:
    """Give the environment by which git sends a token to the host of this address, and to no other one."""
    if not url.startswith(("https://", "http://")):
        return {}
    token = settings_of.load().git_token
    if not token:
        secret = resolve(RECORDER)().find_secret(TOKEN_SECRET)
        token = secret.decode() if secret else ""
    if not token:
        return {}
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{'/'.join(url.split('/')[:3])}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }
