"""What AWS answered to a call or a path that somebody tried, and what the policies say of it.

Kept for some minutes, so that a redirect can show it. Sealed as credentials are, and for one sign-in of one
membership: nobody else's page finds it. It can hold rows, so it is only in the shared cache, where it ends by itself.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass

from django.core.cache import cache

from tenants.aws.records_api import ApiAnswer
from tenants.aws.table_trials import RawAnswer
from tenants.isolation.explain import Verdict
from tenants.records.trying import OPERATIONS, USUAL, Operation
from tenants.sign_in.sealing import CannotOpen
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import sealer

KEPT_SECONDS = 5 * 60
# A longer answer is shown at once, without the redirect.
MOST_CHARACTERS = 100_000
_NAME = re.compile(r"[A-Za-z0-9_-]{16}")


@dataclass(frozen=True, slots=True)
class Tried:
    """`field` is pk or path, and `text` what was typed there. `operation`, `sort_key` and `rows` are of a pk only.

    `verdict` is what the policies say of the same call. `allowed` and `is_refused` are what AWS said; neither is true
    where AWS could not read the call.
    """

    field: str
    text: str
    allowed: bool
    status: int
    code: str
    request_id: str
    body: str
    verdict: Verdict
    rows: int = 0
    operation: str = USUAL.name
    sort_key: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether IAM said no. AWS has other answers too, such as that an API has no such path."""
        return self.code == "AccessDeniedException" or (self.field == "path" and self.status == 403)

    @property
    def differs(self) -> bool:
        """Whether AWS and the policies disagree. A path that the API does not have was let through too."""
        was_let_through = self.allowed or (self.field == "path" and not self.is_refused)
        return (was_let_through or self.is_refused) and was_let_through != self.verdict.allowed

    @property
    def kind(self) -> Operation:
        return OPERATIONS[self.operation]


def tried_call(operation: Operation, key: str, sort_key: str, answer: RawAnswer, verdict: Verdict) -> Tried:
    return Tried(
        "pk",
        key,
        answer.allowed,
        answer.status,
        answer.code,
        answer.request_id,
        answer.body,
        verdict,
        rows=answer.rows,
        operation=operation.name,
        sort_key=sort_key if operation.of_a_record else "",
    )


def tried_path(path: str, answer: ApiAnswer, verdict: Verdict) -> Tried:
    return Tried("path", path, answer.allowed, answer.status, "", answer.request_id, answer.body, verdict)


def keep(who: SignedIn, tried: Tried) -> str | None:
    """The name to find it by. None if it is too long, or if the cache is away."""
    name, text = secrets.token_urlsafe(12), json.dumps(asdict(tried))
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
        kept = json.loads(sealer().open(b64decode(sealed), bound_to=_bound(who, name)))
        return Tried(**{**kept, "verdict": Verdict(**kept["verdict"])})
    except (CannotOpen, TypeError, ValueError, KeyError):
        return None


def _key(who: SignedIn, name: str) -> str:
    return f"tried:{who.sign_in_id}:{name}"


def _bound(who: SignedIn, name: str) -> str:
    return f"{_key(who, name)}:{who.standing.generation}"
