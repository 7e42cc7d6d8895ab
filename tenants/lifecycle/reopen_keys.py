"""Links with which owners reopen their organisation. While it is being closed, nobody in it can sign in.

Every owner gets a key of their own, in a mail, so the trail can say who reopened it. A key is a random text; the
database has its hash.
"""

from __future__ import annotations

import hashlib
import secrets

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import Role
from tenants.mail import outbox
from tenants.models import Closing, Member, Person, ReopenKey, signed_in_members

_KEY_BYTES = 32


def make_key(closing: Closing, person: Person) -> str:
    key = secrets.token_urlsafe(_KEY_BYTES)
    ReopenKey.objects.create(closing=closing, person=person, key_hash=_hash(key))
    return key


def key_called(key: str) -> ReopenKey | None:
    """Also where it opens nothing any more."""
    return ReopenKey.objects.select_related("closing__tenant", "person").filter(key_hash=_hash(key)).first()


def address_of(key: str) -> str:
    return f"/organisation/closing/{key}/"


def holder_of(found: ReopenKey) -> Actor:
    """The person of the key, with the role that they have now: "" where they are no member any more."""
    person = found.person
    members = Member.objects.filter(tenant=found.closing.tenant_id, person=person, enabled=True, removed=False)
    role = members.values_list("role", flat=True).first() or ""
    return Actor(str(person.sub or ""), str(person), ActorKind.MEMBER, role)


def person_of(by: Actor) -> Person | None:
    """The owner who closes, None for an operator."""
    return Person.objects.filter(sub=by.id).first() if by.kind == ActorKind.MEMBER else None


def mail_owners(closing: Closing, *, until: str, by: Actor, why: str) -> None:
    """To each owner who has signed in, with a link of their own."""
    tenant = closing.tenant
    owners = tenant.members.filter(signed_in_members(), role=Role.OWNER, enabled=True, removed=False)
    for owner in owners.select_related("person").order_by("pk"):
        about = {"organisation": tenant.name, "by": outbox.in_words(by), "until": until, "reason": why}
        link = address_of(make_key(closing, owner.person))
        outbox.post("closing_by_owner", to=owner.person.email, about={**about, "link": link}, org=tenant.org_id)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
