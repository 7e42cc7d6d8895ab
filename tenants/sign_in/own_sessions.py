"""A person's signed-in browsers, as they see them, and ending one of them from another.

Listed is what the door would let in: a sign-in that is not idle or too old, whose browser still has its session.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tenants.domain.errors import InvalidInput
from tenants.models import SignIn
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import federation, sessions

MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class OwnSession:
    """`browser` is "" where it did not say. `used_at` is exact to the minute. `is_this`: the one that asks."""

    id: uuid.UUID
    browser: str
    began_at: datetime
    used_at: datetime
    is_this: bool


def hashed_id(request: HttpRequest) -> str:
    """What the browser's session is known by at rest. Raises RuntimeError before the session has its id."""
    found = str(request.session.hashed_id)  # type: ignore[attr-defined]
    if not found:
        raise RuntimeError("this session has no id yet; save it first")
    return found


def own_sessions(who: SignedIn) -> list[OwnSession]:
    """This one first, then those used last, `MOST_LISTED` at most."""
    rows = _alive(who).order_by("-used_at").values_list("pk", "browser", "created_at", "used_at")
    found = [OwnSession(*row, is_this=row[0] == who.sign_in_id) for row in rows[:MOST_LISTED]]
    return sorted(found, key=lambda session: not session.is_this)


def end_own_session(who: SignedIn, sign_in_id: uuid.UUID) -> OwnSession | None:
    """Takes effect on the other browser's next request. None where it has ended, or is somebody else's.

    Raises InvalidInput for the session that asks.
    """
    if sign_in_id == who.sign_in_id:
        raise InvalidInput("This is the browser that you are using now. To end its session, sign out.")
    row = SignIn.objects.filter(pk=sign_in_id, person_id=who.standing.person_id).first()
    if row is None:
        return None
    other = replace(who, sign_in_id=row.pk)
    _session_store().end_by_hash(row.session_hash)
    federation().drop(other)
    sessions().end(other, why="ended from another browser")
    return OwnSession(row.pk, row.browser, row.created_at, row.used_at, is_this=False)


def _alive(who: SignedIn) -> QuerySet[SignIn]:
    now, uses = timezone.now(), sessions().uses
    with_browser = Session.objects.filter(session_key=OuterRef("session_hash"), expire_date__gt=now)
    return SignIn.objects.filter(
        Exists(with_browser),
        person_id=who.standing.person_id,
        used_at__gt=now - uses.idle,
        created_at__gt=now - uses.lifetime,
    )


def _session_store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore
