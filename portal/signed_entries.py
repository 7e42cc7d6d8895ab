"""Entries of the shared cache as bytes: JSON, with a MAC over the key, the end of the entry's life and the value.

Somebody else may write to the cache. Nothing of an entry is parsed before its MAC is checked, and an entry that is
copied to another key or changed in any way is not ours. An entry of ours that is put back is believed until its end.
The MAC's key is made from SECRET_KEY. A process without it writes and reads no entries.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.encoding import force_bytes

_PURPOSE = b"portal.signed_entries.v1"
_DIGEST = "sha256"
# No part of an entry looks like a count.
_BEGINS = b"hmac:"
_MAC_LETTERS = len(_BEGINS) + 64


class NotOurs(Exception):
    """Not signed by the portal for this key, or past its end."""


class NoKey(Exception):
    """This process has no SECRET_KEY, so it cannot tell whether an entry is the portal's."""


def signed(key: str, value: Any, *, until: float | None) -> bytes:
    """`key` with its prefix and version. `until` in seconds since 1970, None for no end.

    Raises NoKey, and TypeError for a value that JSON does not have, such as bytes.
    """
    body = json.dumps([until, value], separators=(",", ":")).encode("ascii")
    return _mac(_keys()[0], key, body) + body


def verified(key: str, entry: bytes, *, now: float) -> Any:
    """The value. Raises NotOurs and NoKey."""
    mac, body = entry[:_MAC_LETTERS], entry[_MAC_LETTERS:]
    if not any(hmac.compare_digest(mac, _mac(signing_key, key, body)) for signing_key in _keys()):
        raise NotOurs
    until, value = json.loads(body)
    if until is not None and until <= now:
        raise NotOurs
    return value


def _mac(signing_key: bytes, key: str, body: bytes) -> bytes:
    name = key.encode("utf-8", "surrogatepass")
    # The length keeps key and body apart.
    return _BEGINS + hmac.digest(signing_key, b"%d:%b%b" % (len(name), name, body), _DIGEST).hex().encode("ascii")


def _keys() -> list[bytes]:
    """The first signs, every one verifies."""
    try:
        secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    except ImproperlyConfigured as error:
        raise NoKey from error
    return [hmac.digest(force_bytes(secret), _PURPOSE, _DIGEST) for secret in secrets]
