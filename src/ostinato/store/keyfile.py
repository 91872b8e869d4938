"""The key that seals the secrets of a home: `secret.key` in its folder, unless OSTINATO_SECRET_KEY holds one."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from ostinato.core import seal
from ostinato.core.errors import HomeReadOnly, SecretKeyInvalid
from ostinato.core.settings import load
from ostinato.store.journal import sync_folder

NAME: Final = "secret.key"


def find_key(home: str) -> bytes | None:
    """Give the key of a home, None when there is none yet.

    Raises:
        SecretKeyInvalid: (secret-key-invalid) what is there is no key, or others may read it.
    """
    settings = load()
    if settings.secret_key:
        return seal.read_key(settings.secret_key, settings.where("secret_key"))
    path = os.path.join(home, NAME)
    try:
        with open(path, encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            text = file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyInvalid(where=path, reason=str(error)) from error
    if mode & 0o077:
        raise SecretKeyInvalid(where=path, reason=f"others may read it (mode {mode:o}; chmod 600 mends that)")
    return seal.read_key(text, path)


def find_or_make_key(home: str) -> bytes:
    """Give the key of a home, made now when there is none; two processes that make it at once get the same."""
    known = find_key(home)
    if known is not None:
        return known
    path = os.path.join(home, NAME)
    partial = f"{path}.{os.getpid()}"
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, seal.key_text(seal.new_key()).encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            with suppress(FileExistsError):  # another process was first
                os.link(partial, path)
        finally:
            os.unlink(partial)
        sync_folder(home)
    except OSError as error:
        raise HomeReadOnly(home=home, reason=error.strerror) from error
    made = find_key(home)
    if made is None:
        raise SecretKeyInvalid(where=path, reason="it was removed just now")
    return made
