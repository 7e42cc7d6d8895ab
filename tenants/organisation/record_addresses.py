"""Record keys and collection names as a part of an address.

Most keys are plain and stay readable. A browser or a proxy would change others, such as a slash, a dot alone or control
characters: those are written as `~` and base64url of their UTF-8 bytes. Every key has exactly one address.
"""

from __future__ import annotations

import base64
import binascii
import re

_PLAIN = re.compile(r"[A-Za-z0-9_:@=+,-][A-Za-z0-9_.:@=+,~-]*")
_MARK = "~"


def to_segment(key: str) -> str:
    if _PLAIN.fullmatch(key):
        return key
    return _MARK + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def from_segment(segment: str) -> str:
    """Raises ValueError for a segment that `to_segment` would not have written."""
    key = _decoded(segment[1:]) if segment.startswith(_MARK) else segment
    if not key or to_segment(key) != segment:
        raise ValueError("not an address of a record")
    return key


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not base64url of UTF-8") from error
