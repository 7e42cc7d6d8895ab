"""What AWS answered to a key or a path that somebody tried, kept for some minutes, so that a redirect can show it.

Sealed as credentials are, and for one sign-in of one membership: nobody else's page finds it. It can hold rows, so it
is only in the shared cache, where it ends by itself.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import astuple, dataclass

from django.core.cache import cache

from tenants.aws.records_api import ApiAnswer
from tenants.aws.records_table import RawAnswer
from tenants.sign_in.sealing import CannotOpen
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import sealer

KEPT_SECONDS = 5 * 60
# A longer answer is shown at once, without the redirect.
MOST_CHARACTERS = 100_000
_NAME = re.compile(r"[A-Za-z0-9_-]{16}")


@dataclass(frozen=True, slots=True)
class Tried:
    """`field` is pk or path, and `text` what was typed there. `rows` is 0 for a path."""

    field: str
    text: str
    allowed: bool
    status: int
    code: str
    request_id: str
    body: str
    rows: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether IAM said no. AWS has other answers too, such as that an API has no such path."""
        return self.code == "AccessDeniedException" or (self.field == "path" and self.status == 403)


def tried_key(key: str, answer: RawAnswer) -> Tried:
    return Tried(
        "pk", key, answer.allowed, answer.status, answer.code, answer.request_id, answer.body, rows=answer.rows
    )


def tried_path(path: str, answer: ApiAnswer) -> Tried:
    return Tried("path", path, answer.allowed, answer.status, "", answer.request_id, answer.body)


def keep(who: SignedIn, tried: Tried) -> str | None:
    """The name to find it by. None if it is too long, or if the cache is away."""
    name, text = secrets.token_urlsafe(12), json.dumps(astuple(tried))
    if len(text) > MOST_CHARACTERS:
        return None
    sealed = b64encode(sealer().seal(text, bound_to=_bound(who, name))).decode()
    cache.set(_key(who, name), sealed, timeout=KEPT_SECONDS)
    return name if cache.get(_key(who, name)) == sealed else None


def find(who: SignedIn, name: str) -> Tried | None:
    """None for one that is no longer kept, or somebody else's."""
    sealed = cache.get(_key(who, name)) if _NAME.fullmatch(name) else None
    if not isinstance(sealed, str):
        return None
    try:
        return Tried(*json.loads(sealer().open(b64decode(sealed), bound_to=_bound(who, name))))
    except (CannotOpen, TypeError, ValueError):
        return None


def _key(who: SignedIn, name: str) -> str:
    return f"tried:{who.sign_in_id}:{name}"


def _bound(who: SignedIn, name: str) -> str:
    return f"{_key(who, name)}:{who.standing.generation}"
