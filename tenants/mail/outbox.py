"""The portal's own mails. A use case posts one in its own transaction, and the worker sends it within a second.

Invitations and codes are not among them: Cognito sends those.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import assert_never
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from tenants.domain.actor import Actor, ActorKind
from tenants.mail import queue, sending
from tenants.mail.rendering import render
from tenants.mail.sending import Answer, Said, Server
from tenants.models import MailOutage, OutgoingMail

_log = logging.getLogger(__name__)

# What `about` may hold. All are texts of one line, but `reason` may have several lines, and `what` may be a list.
#   organisation  its name                             before  the role until now
#   person        whom it is about: name or address    until   a formatted date
#   by            who did it, in words                 reason  as the person who did it typed it
#   role          the new role                         what    sentences: what was done, or how it ended
#   link          an address of the portal, or a path of it; without it, the mail links to the first page
KEYS = frozenset({"organisation", "person", "by", "role", "before", "until", "reason", "link", "what"})

# kind -> the keys that it needs. A comment says to whom it goes.
KINDS: Mapping[str, frozenset[str]] = MappingProxyType({
    # Somebody with a user, because a visitor signed up with their address. Names nothing that the visitor typed.
    "sign_up_known": frozenset({"link"}),
    # Somebody whom an organisation invited although they are in another one.
    "could_not_join": frozenset({"organisation", "by"}),
    # The member who was removed, got another role, was disabled, was enabled, was made owner.
    "removed": frozenset({"organisation", "by"}),
    "role_changed": frozenset({"organisation", "by", "role", "before"}),
    "disabled": frozenset({"organisation", "by"}),
    "enabled": frozenset({"organisation", "by"}),
    "made_owner": frozenset({"organisation", "by"}),
    # The member whose second factor was reset, and the owners.
    "mfa_reset": frozenset({"organisation", "by"}),
    "mfa_reset_owners": frozenset({"organisation", "by", "person"}),
    # Owners and admins.
    "closing": frozenset({"organisation", "by", "until", "reason"}),
    "reopened": frozenset({"organisation", "by"}),
    # Owners, where one of them closes it. `link` reopens it without a sign-in; each has another.
    "closing_by_owner": frozenset({"organisation", "by", "until", "reason", "link"}),
    # Owners and admins. `person` would become an owner, `link` stops it without a sign-in.
    "recovery_asked": frozenset({"organisation", "person", "by", "until", "reason", "link"}),
    "recovery_ended": frozenset({"organisation", "person", "what"}),
    # Owners.
    "changed_at_terminal": frozenset({"organisation", "by", "what"}),
    # Somebody who deleted their account.
    "account_deleted": frozenset({"organisation"}),
})  # fmt: skip

_IN_WORDS: Mapping[ActorKind, str] = MappingProxyType({
    ActorKind.OPERATOR: "an operator of the platform",
    ActorKind.BREAK_GLASS: "an operator of the platform",
    ActorKind.TERMINAL: "somebody at the platform’s terminal",
    ActorKind.WORKER: "the portal itself",
    ActorKind.VISITOR: "somebody who was not signed in",
})  # fmt: skip

_BATCH = 20
# A batch that takes longer than this leaves the rest of its mails to the next one, well before its leases end.
_MOST_SECONDS = queue.LEASE_SECONDS / 2


def post(kind: str, *, to: str, about: Mapping[str, object], org: UUID | None = None) -> None:
    """Posts a mail of one of the KINDS to an address, in the caller's transaction.

    Posts nothing where `to` is "": that person has no address now. Raises ValueError for an unknown kind, a missing or
    an unknown key, and a link that leads outside the portal. `org` is the org id of the tenant it is about.
    """
    post_to_all(kind, to=[to], about=about, org=org)


def post_to_all(kind: str, *, to: Iterable[str], about: Mapping[str, object], org: UUID | None = None) -> None:
    """The same mail to each address, in a mail of its own."""
    _check(kind, about)
    letter = render(kind, about)
    OutgoingMail.objects.bulk_create(
        OutgoingMail(
            id=(key := uuid.uuid4()),
            message_id=f"<{key}@{urlsplit(settings.PORTAL_URL).hostname}>",
            to=address,
            kind=kind,
            org=org,
            subject=letter.subject,
            text=letter.text,
            html=letter.html,
            # By the clock that the worker compares it with.
            due_at=Now(),
        )
        for address in to
        if address
    )


def in_words(by: Actor) -> str:
    """For the key `by`: a member's name. Operators are not named to organisations."""
    return _IN_WORDS.get(by.kind, by.name)


def _check(kind: str, about: Mapping[str, object]) -> None:
    if kind not in KINDS:
        raise ValueError(f"There is no mail of the kind {kind!r}.")
    if missing := sorted(KINDS[kind] - about.keys()):
        raise ValueError(f"The mail {kind!r} needs {', '.join(missing)}.")
    if unknown := sorted(about.keys() - KEYS):
        raise ValueError(f"No mail says {', '.join(unknown)}.")


def send_due() -> int:
    """Sends up to 20 mails that are due, over one connection. Where none is, deletes old rows.

    Returns how many mails the server answered, or how many rows were deleted; 0 while the server is away. Several
    workers may do it at once. A mail is marked once the server took it, so a kill in between sends it twice.
    """
    holder = uuid.uuid4().hex
    mails = [] if MailOutage.objects.lasts() else queue.claim(holder, most=_BATCH)
    if not mails:
        return queue.delete_old()
    try:
        server = sending.connect()
        if isinstance(server, Answer):
            _note_outage(server.why)
            return 0
        try:
            return _send(server, mails, holder)
        finally:
            sending.close(server)
    finally:
        queue.give_back(holder)


def _send(server: Server, mails: Iterable[OutgoingMail], holder: str) -> int:
    ends, answers = time.monotonic() + _MOST_SECONDS, 0
    for mail in mails:
        if time.monotonic() > ends:
            break
        answer = sending.send(server, mail)
        _write_down(answer, mail, holder)
        answers += 1
        if answer.said is Said.AWAY:
            break
    return answers


def _write_down(answer: Answer, mail: OutgoingMail, holder: str) -> None:
    match answer.said:
        case Said.TAKEN:
            queue.mark_sent(mail)
            MailOutage.objects.end()
        case Said.REFUSED:
            queue.give_up(mail, holder, answer.why)
        case Said.LATER:
            queue.put_off(mail, holder, answer.why)
        case Said.AWAY:
            # The mail may be why the server hung up, so the others go first after that.
            queue.put_off(mail, holder, answer.why)
            _note_outage(answer.why)
        case _:
            assert_never(answer.said)
    # Neither the address nor what the server said of it.
    _log.info("mail", extra={"kind": mail.kind, "mail": str(mail.pk), "said": answer.said.value, "code": answer.code})


def _note_outage(why: str) -> None:
    MailOutage.objects.prolong(why)
    queue.give_up_old(why)
