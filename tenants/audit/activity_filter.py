"""Filters of an organisation's activity: by person and by kind. Nobody is found here who is not in its own trail."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.db.models import Q, QuerySet

from tenants.audit.actions import Action
from tenants.audit.activity import BREAK_GLASS, TERMINAL, Reader
from tenants.audit.kinds import OWN_GROUPS, actions_of
from tenants.audit.timeline import entries_of
from tenants.domain.actor import VISITOR, WORKER
from tenants.domain.errors import InvalidInput
from tenants.models import AuditEvent, Member, Person

MOST_SUGGESTED = 200
# A page about a member must not read the whole trail of a large organisation.
LOOKED_THROUGH = 5_000


def _by_operators() -> Q:
    subs = Member.objects.filter(tenant=None, person__sub__isnull=False).values_list("person__sub", flat=True)
    return Q(actor__in=[*map(str, subs)]) | Q(actor__startswith=BREAK_GLASS)


# Who is no member, by the words that sentences use.
OTHERS: dict[str, Callable[[], Q]] = {
    "An operator": _by_operators,
    "The terminal": lambda: Q(actor=TERMINAL),
    "The worker": lambda: Q(actor=WORKER.id),
    "Somebody not signed in": lambda: Q(actor=VISITOR.id),
}
_OTHERS = {words.casefold(): condition for words, condition in OTHERS.items()}


def suggested_people(org: UUID) -> list[tuple[str, str]]:
    """(what to type, name) of the first members, and of those who are none."""
    members = Member.objects.filter(tenant__org_id=org).exclude(person__email="").select_related("person")
    first = members.order_by("person__email")[:MOST_SUGGESTED]
    return [*((words, "") for words in OTHERS), *((str(member.person), member.person.name) for member in first)]


def of_person(reader: Reader, text: str, *, address: str) -> Q:
    """What the person did and what was done to them; for programs and operators, what they did.

    `text` is as somebody typed it, `address` in the spelling of people's addresses. Raises
    InvalidInput for somebody who is not in the trail of the reader's organisation.
    """
    if made := _OTHERS.get(text.casefold()):
        return made()
    condition = _of_members(reader.org, text, address) or _of_former(reader.org, {text, text.lower(), address})
    if condition is None:
        why = f"The trail knows nobody called “{text}”. Enter the whole e-mail address, or choose from the list."
        raise InvalidInput(why, field="person")
    return condition


def of_kind(text: str) -> Q:
    """Raises InvalidInput for an unknown kind."""
    actions = actions_of(text, OWN_GROUPS)
    if not actions:
        raise InvalidInput(f"Unknown kind “{text}”. Choose one from the list.", field="kind")
    return Q(action__in=actions)


def _of_members(org: UUID, text: str, address: str) -> Q | None:
    """Raises InvalidInput where several have the name."""
    of_org = Member.objects.filter(tenant__org_id=org).select_related("person")
    found = list(of_org.filter(Q(person__email=address) | Q(person__name__iexact=text))[:2])
    if not found:
        return None
    if len(found) > 1:
        raise InvalidInput(f"Several people are called “{text}”. Enter the e-mail address.", field="person")
    return by_or_about(found[0].person)


def by_or_about(person: Person) -> Q:
    targets = {str(person), person.email} - {""}
    by_them = Q(actor=str(person.sub)) if person.sub else Q()
    return Q(target__in=targets) | by_them


def newest_about(member: Member, *, most: int = 10) -> list[AuditEvent]:
    """What the member did and what was done to them, among the newest LOOKED_THROUGH entries of the organisation.

    Of an operator, who is in none, what they did.
    """
    if member.tenant is None:
        return list(AuditEvent.objects.filter(actor=str(member.person.sub)).order_by("-seq")[:most])
    entries = entries_of(member.tenant.org_id)
    oldest = entries.order_by("-seq").values_list("seq", flat=True)[LOOKED_THROUGH : LOOKED_THROUGH + 1]
    newest = entries.filter(seq__gt=next(iter(oldest), 0))
    return list(newest.filter(by_or_about(member.person)).order_by("-seq")[:most])


def _of_former(org: UUID, names: set[str]) -> Q | None:
    """By the sub of somebody who signed in to the organisation under this address: never that of an operator."""
    entries: QuerySet[AuditEvent] = entries_of(org)
    sign_ins = entries.filter(action=Action.SIGNED_IN, actor_name__in=names).order_by("-seq")
    subs = list(sign_ins.values_list("actor", flat=True)[:1])
    about = Q(target__in=[name for name in names if "@" in name])
    if subs:
        return about | Q(actor__in=subs)
    return about if entries.filter(about).exists() else None
