"""Sealed values: secrets as the database keeps them, encrypted with AES-256-GCM.

A sealed value is one byte for the format, 8 bytes that name the key, 12 random bytes (the nonce), and the cipher text
with its tag. The name of the secret is authenticated too, so a value that is moved to another name does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from importlib import import_module
from typing import Any, Final

from ostinato.core.errors import SecretDamaged, SecretKeyInvalid, SecretKeyMismatch

KEY_BYTES: Final = 32

_FORMAT: Final = b"\x01"
_ID_END: Final = 9
_NONCE_END: Final = 21
_TAG_BYTES: Final = 16


def new_key() -> bytes:
    """Give a new random key."""
    return os.urandom(KEY_BYTES)


def key_text(key: bytes) -> str:
    """Give a key as the key file and OSTINATO_SECRET_KEY hold it."""
    return base64.b64encode(key).decode()


def read_key(text: str, where: str) -> bytes:
    """Give the key that a text holds.

    Raises:
        SecretKeyInvalid: (secret-key-invalid) it is not base64 of 32 bytes; the text is not repeated.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretKeyInvalid(where=where, reason="it is not base64") from error
    if len(key) != KEY_BYTES:
        raise SecretKeyInvalid(where=where, reason=f"it has {len(key)} bytes, not {KEY_BYTES}")
    return key


def key_id(key: bytes) -> bytes:
    """Give the 8 bytes by which a key is recognised; they tell nothing of it."""
    return hashlib.blake2b(key, digest_size=8, person=b"ostinato-key-id").digest()


def seal(key: bytes, name: str, value: bytes) -> bytes:
    """Give a value sealed under the name of its secret."""
    head = _FORMAT + key_id(key)
    nonce = os.urandom(_NONCE_END - _ID_END)
    sealed: bytes = _cipher(key).encrypt(nonce, value, head + name.encode())
    return head + nonce + sealed


def unseal(key: bytes | None, name: str, sealed: bytes) -> bytes:
    """Give the value of a sealed secret; `key` is None where there is none.

    Raises:
        SecretKeyMismatch: (secret-key-mismatch) it was sealed with another key.
        SecretDamaged: (secret-damaged) it was changed, cut, or moved from another name.
    """
    if sealed[:1] != _FORMAT or len(sealed) < _NONCE_END + _TAG_BYTES:
        raise SecretDamaged(name=name)
    used = sealed[1:_ID_END]
    if key is None or used != key_id(key):
        own = "none" if key is None else key_id(key).hex()
        raise SecretKeyMismatch(name=name, used=used.hex(), own=own)
    invalid = import_module("cryptography.exceptions").InvalidTag
    try:
        value: bytes = _cipher(key).decrypt(
            sealed[_ID_END:_NONCE_END], sealed[_NONCE_END:], sealed[:_ID_END] + name.encode()
        )
    except invalid as error:
        raise SecretDamaged(name=name) from error
    return value


def _cipher(key: bytes) -> Any:
    # It takes 30 ms to import, which only processes that use secrets pay.
    return import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)
