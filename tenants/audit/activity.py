"""An organisation's part of the audit trail, as its own people read it.

Owners and admins read all entries of their organisation, others read what they did themselves. People of the
platform have no names here, as in mails, and only those of their reasons are shown that the portal also mails.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.timezone import get_current_timezone

from tenants.audit.actions import Action
from tenants.audit.sentences import EntryFacts, SentencePart, sentence
from tenants.audit.timeline import TimelineEntry, entries_of, mood_of
from tenants.domain.actor import VISITOR, WORKER, Actor, ActorKind
from tenants.domain.metadata_marks import open_properties
from tenants.domain.permissions import MANAGERS
from tenants.models import AuditEvent, Member

OPERATOR_IN_WORDS = "An operator of the platform"
TERMINAL_IN_WORDS = "An operator at the terminal"
BREAK_GLASS_IN_WORDS = "An operator with emergency access"
GONE_IN_WORDS = "Somebody who is no longer here"
PROGRAMS = {WORKER.id, VISITOR.id}
TERMINAL = "command"
BREAK_GLASS = "break-glass "
# The portal mails these reasons to the person or to the owners, or shows them on the members' pages.
_REASON_IS_TOLD = {
    Action.MEMBER_ADDED,
    Action.MEMBER_ROLE_CHANGED,
    Action.MEMBER_DISABLED,
    Action.MEMBER_ENABLED,
    Action.MEMBER_REMOVED,
    Action.MEMBER_COULD_NOT_JOIN,
    Action.MEMBER_NOT_REACHED,
    Action.MEMBER_MFA_RESET,
    Action.TENANT_CLOSING,
    Action.OWNERSHIP_TRANSFERRED,
    Action.RECOVERY_ASKED,
    Action.RECOVERY_DONE,
    Action.RECOVERY_VETOED,
    Action.RECOVERY_CANCELLED,
    Action.RECOVERY_ENDED,
}
# The same of what is done at the terminal.
_REASON_IS_TOLD_FROM_TERMINAL = {
    Action.MEMBER_INVITED,
    Action.MEMBER_LEFT,
    Action.MEMBER_SIGNED_OUT,
    Action.MEMBER_REVOKED,
    Action.MEMBER_RESENT,
}
# The reason is a code of AWS, and the sentence says it in words.
_REASON_IS_A_CODE = {Action.KEY_REFUSED, Action.PATH_REFUSED}
# Where operators keep exports.
_OPERATORS_FACTS = {"to"}


@dataclass(frozen=True, slots=True)
class Reader:
    """`only_by` is a sub: entries of this person's acts are all they read. None means all of the organisation's."""

    org: UUID
    only_by: str | None


def reader(org: UUID, by: Actor) -> Reader:
    """`org` is the organisation of `by`, which is not checked here."""
    reads_all = by.kind == ActorKind.MEMBER and by.role in MANAGERS
    return Reader(org, None if reads_all else by.id)


def readable_entries(reader: Reader) -> QuerySet[AuditEvent]:
    entries = entries_of(reader.org)
    return entries if reader.only_by is None else entries.filter(actor=reader.only_by)


def recent_activity(org: UUID, *, by: Actor, limit: int = 5) -> tuple[TimelineEntry, ...]:
    """The newest entries that `by`, somebody of this organisation, may read: the newest first."""
    of = reader(org, by)
    return told(of.org, list(readable_entries(of).order_by("-seq")[:limit]))


def told(org: UUID, entries: Sequence[AuditEvent], *, zone: tzinfo | None = None) -> tuple[TimelineEntry, ...]:
    """The entries as their organisation reads them. Their numbers are those of its own chain. Two queries at most.

    Points in time within a sentence are in `zone`, or in the reader's.
    """
    people, zone = People.of(org, entries), zone or get_current_timezone()
    return tuple(_told(org, entry, people, zone) for entry in entries)


@dataclass(frozen=True, slots=True)
class People:
    """Who is who in some entries: `names` by address, `addresses` of members by sub, and who is not a member now."""

    names: Mapping[str, str]
    addresses: Mapping[str, str]
    operators: Collection[str]
    former: Collection[str]

    @classmethod
    def of(cls, org: UUID, entries: Iterable[AuditEvent]) -> People:
        entries = list(entries)
        subs = {entry.actor for entry in entries if _is_uuid(entry.actor)}
        known = list(_known(org, subs, _addresses_in(entries)))
        own = [member.person for member in known if member.org_id == org]
        operators = {str(member.person.sub) for member in known if member.tenant is None}
        addresses = {str(person.sub): str(person) for person in own if person.sub}
        others = subs - operators - set(addresses)
        return cls(
            names={str(person): person.name for person in own if person.name and "@" in str(person)},
            addresses=addresses,
            operators=operators,
            former=_who_has_signed_in(org, others),
        )

    def who(self, entry: AuditEvent) -> str:
        """The address of a member or former member; words for all others."""
        if entry.actor in self.addresses:
            return self.addresses[entry.actor]
        if entry.actor in self.former:
            return entry.actor_name
        if entry.actor == TERMINAL:
            return TERMINAL_IN_WORDS
        if entry.actor.startswith(BREAK_GLASS):
            return BREAK_GLASS_IN_WORDS
        return OPERATOR_IN_WORDS if entry.actor in self.operators else GONE_IN_WORDS

    def is_of_the_organisation(self, actor: str) -> bool:
        return actor in self.addresses or actor in self.former


def _known(org: UUID, subs: Collection[str], addresses: Collection[str]) -> QuerySet[Member]:
    named = Q(tenant__org_id=org, person__email__in=addresses)
    return Member.objects.select_related("person", "tenant").filter(Q(person__sub__in=subs) | named)


def _who_has_signed_in(org: UUID, subs: Collection[str]) -> set[str]:
    """Operators never sign in to an organisation, so the others were members of it."""
    if not subs:
        return set()
    sign_ins = entries_of(org).filter(actor__in=subs, action=Action.SIGNED_IN)
    return set(sign_ins.values_list("actor", flat=True).distinct())


def _addresses_in(entries: Iterable[AuditEvent]) -> set[str]:
    return {entry.target for entry in entries if "@" in entry.target}


def _told(org: UUID, entry: AuditEvent, people: People, zone: tzinfo) -> TimelineEntry:
    words = _told_sentence(org, entry, people, zone)
    return TimelineEntry(
        entry.org_seq or 0, entry.at, entry.action, words, told_reason(entry, people), mood_of(entry.action)
    )


def _told_sentence(org: UUID, entry: AuditEvent, people: People, zone: tzinfo) -> tuple[SentencePart, ...]:
    facts = EntryFacts(
        action=entry.action,
        actor=entry.actor if entry.actor in PROGRAMS else "",
        actor_name=people.who(entry),
        target="somebody without an address" if _is_uuid(entry.target) else entry.target,
        before=_open_facts(entry.before),
        after=_open_facts(entry.after),
        reader=str(org),
        zone=zone,
    )
    return tuple(_with_name(part, people) for part in sentence(facts))


def _open_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what operators keep to themselves. Of the metadata, only keys that the schema opens."""
    kept = {name: value for name, value in facts.items() if name not in _OPERATORS_FACTS}
    if isinstance(metadata := kept.get("metadata"), Mapping):
        opened = open_properties(settings.TENANT_METADATA_SCHEMA)
        kept["metadata"] = {key: value for key, value in metadata.items() if key in opened}
    return kept


def told_reason(entry: AuditEvent, people: People) -> str:
    if entry.action in _REASON_IS_A_CODE:
        return ""
    at_terminal = entry.actor == TERMINAL and entry.action in _REASON_IS_TOLD_FROM_TERMINAL
    is_told = at_terminal or people.is_of_the_organisation(entry.actor) or entry.action in _REASON_IS_TOLD
    return entry.why if is_told else ""


def _with_name(part: SentencePart, people: People) -> SentencePart:
    name = people.names.get(part.text) if part.is_name else None
    return replace(part, text=name, address=part.text) if name else part


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
