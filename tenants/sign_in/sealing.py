"""Encryption of secrets in the database and the cache: AES-256-GCM, bound to the place they are stored in.

A sealed text does not open in another place. To rotate keys, put a new one first: the first key seals, every key opens.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_ID_BYTES = 4
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """Altered, moved from where it was sealed, or sealed with a key that is no longer in the settings."""


class Sealer:
    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` of 32 bytes each."""
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._first = _key_id(keys[0])

    def seal(self, text: str, *, bound_to: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._first + nonce + self._keys[self._first].encrypt(nonce, text.encode(), bound_to.encode())

    def open(self, sealed: bytes, *, bound_to: str) -> str:
        """Raises CannotOpen."""
        cipher = self._keys.get(sealed[:_ID_BYTES])
        if cipher is None:
            raise CannotOpen("sealed with a key that is not in the settings")
        nonce, content = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES], sealed[_ID_BYTES + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, content, bound_to.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("altered, or moved from where it was sealed") from error


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key id" + key).digest()[:_ID_BYTES]
