"""A way into the operators' pages for when Cognito cannot sign anybody in: a link made at the terminal, used once.

Somebody who can run commands could change the portal's database anyway, so the link gives no new power. It opens
operators' pages for a while and nothing else: there is no token behind it, hence no AWS credentials.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.utils import timezone

from tenants.audit import record, record_refusal_once
from tenants.audit.actions import Action
from tenants.domain import log_context, texts
from tenants.domain.actor import VISITOR, Actor, ActorKind
from tenants.domain.networks import network_of
from tenants.limits import is_within
from tenants.models import BreakGlassLink

LINK_LASTS = timedelta(minutes=10)
ACCESS_LASTS = timedelta(minutes=30)
MOST_TRIES_A_MINUTE = 10
_KEY_BYTES = 32
_MOST_TYPED = 2_000


@dataclass(frozen=True, slots=True)
class NewLink:
    """`key` opens the portal. It is printed once and not kept."""

    key: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Access by a used link: who made the link, why, and when the access ends."""

    link_id: int
    made_by: str
    reason: str
    until: datetime

    @property
    def actor(self) -> Actor:
        """Who acts, in the audit trail. Nobody has signed in, so it is the link."""
        return Actor(f"break-glass {self.link_id}", f"break-glass link of {self.made_by}"[:254], ActorKind.BREAK_GLASS)


class Refused(Enum):
    """`NOT_GOOD`: used before, expired or made up; only the audit trail says which. `TOO_OFTEN`: not recorded."""

    NOT_GOOD = "not good"
    TOO_OFTEN = "too often"


def make_link(*, by: Actor, why: str) -> NewLink:
    """Raises InvalidInput for a missing or unusable reason."""
    why, key, now = texts.reason(why), secrets.token_urlsafe(_KEY_BYTES), timezone.now()
    with transaction.atomic():
        link = BreakGlassLink.objects.create(
            key_hash=_hash(key), made_by=by.name[:120], reason=why, made_at=now, expires_at=now + LINK_LASTS
        )
        record(
            Action.BREAK_GLASS_MADE,
            by=by,
            target=f"break-glass {link.pk}",
            after={"expires_at": link.expires_at},
            why=why,
        )
    return NewLink(key, link.expires_at)


def use_link(typed: str) -> BreakGlass | Refused:
    """Access for the first who uses the link. `typed` is its key, or the whole link.

    A good key opens however often somebody tried a bad one before: nobody finds 32 random bytes by trying, and who
    shares a network with an attacker must not be locked out. Only what is recorded and answered is limited.
    """
    key_hash = _hash(_key_in(typed))
    if opened := _open(key_hash):
        return opened
    if not is_within(MOST_TRIES_A_MINUTE, f"break-glass {_network()}"):
        return Refused.TOO_OFTEN
    _record_refused(key_hash)
    return Refused.NOT_GOOD


def _open(key_hash: str) -> BreakGlass | None:
    now = timezone.now()
    fresh = BreakGlassLink.objects.filter(key_hash=key_hash, used_at=None, expires_at__gt=now)
    # Read first, because a transaction takes SQLite's one lock, and anybody can send keys.
    if not fresh.exists():
        return None
    with transaction.atomic():
        # One statement: of two uses at once, the second finds no row.
        if fresh.update(used_at=now):
            opened = _access(BreakGlassLink.objects.get(key_hash=key_hash))
            record(
                Action.BREAK_GLASS_USED,
                by=opened.actor,
                target=f"break-glass {opened.link_id}",
                after={"made_by": opened.made_by, "until": opened.until},
                why=opened.reason,
            )
            return opened
    return None


def access_by(link_id: int) -> BreakGlass | None:
    """None once the access has ended, and for a link that was never used or is gone."""
    link = BreakGlassLink.objects.filter(pk=link_id, used_at__gt=timezone.now() - ACCESS_LASTS).first()
    return _access(link) if link else None


def _access(link: BreakGlassLink) -> BreakGlass:
    if link.used_at is None:
        raise TypeError("a link opens something once it was used")
    return BreakGlass(link.pk, link.made_by, link.reason, link.used_at + ACCESS_LASTS)


def _record_refused(key_hash: str) -> None:
    """The trail says why it was refused. The person who tried is not told."""
    link = BreakGlassLink.objects.filter(key_hash=key_hash).first()
    record_refusal_once(
        Action.BREAK_GLASS_REFUSED,
        by=VISITOR,
        target=f"break-glass {link.pk}" if link else "break-glass",
        refusal="no such link" if link is None else "used before" if link.used_at else "expired",
    )


def _key_in(typed: str) -> str:
    return typed[:_MOST_TYPED].strip().rpartition("#")[2]


def _hash(key: str) -> str:
    """Plain SHA-256 is enough: a key is 32 random bytes, which nobody finds by trying."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _network() -> str:
    return network_of(log_context.facts().get("address", ""))
