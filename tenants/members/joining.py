"""The worker makes members of the invitations that `invitations` wrote down, or writes why somebody could not join."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER, Actor, ActorKind
from tenants.domain.errors import NotNow
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import Role
from tenants.mail import outbox
from tenants.members import roster
from tenants.members.allowed_domains import why_not_invited
from tenants.members.rights import why_not_allowed
from tenants.models import Invitation, Member, RateCount

_log = logging.getLogger(__name__)
AT_A_TIME = 50
_DAY = 86_400
# Waiting for the worker to delete the user of a removed member.
_LOOKS_AGAIN_AFTER = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(hours=1)
_MOST_WAITS = 60
COULD_NOT_JOIN = (
    "The address belongs to somebody who is in another organisation. "
    "For now, one address is in one organisation. A mail told them that you invited them."
)
_MAY_NOT_INVITE = "The person who invited them may no longer invite people here."


def take_in() -> int:
    """A job of the worker: makes members of the next invitations. Returns how many it looked at.

    Each has a transaction of its own, so that a killed worker leaves nothing half done.
    """
    done = 0
    while done < AT_A_TIME and _take_next():
        done += 1
    return done


def _take_next() -> bool:
    due = Invitation.objects.filter(due_at__lte=timezone.now()).order_by("due_at", "id")
    # On SQLite a transaction locks the whole database, and most of the time there is nothing to do.
    if not due.exists():
        return False
    with transaction.atomic():
        invitation = (
            due.select_for_update(of=("self",), skip_locked=True).select_related("tenant", "invited_by").first()
        )
        if invitation is None:
            return False
        try:
            with transaction.atomic():
                _take_in(invitation)
        except Exception as error:  # noqa: BLE001 - one invitation must not stop all others
            _log.exception("invitation not taken in", extra={"invitation": invitation.pk, "why": type(error).__name__})
            _put_off(invitation, type(error).__name__)
    return True


def _take_in(invitation: Invitation) -> None:
    tenant, by = invitation.tenant, _inviter(invitation)
    if by is None or why_not_allowed(by, MemberAction.INVITE, tenant=tenant, new_role=invitation.role):
        _end(invitation, _MAY_NOT_INVITE)
        return
    if why := why_not_invited(tenant, invitation.email):
        _end(invitation, why)
        return
    present = Member.objects.select_related("tenant").filter(person__email=invitation.email).first()
    if present is None:
        _add(invitation, by)
    elif present.removed and invitation.attempts < _MOST_WAITS:
        # They may come back once Cognito has deleted their old user.
        _put_off(invitation, "the address is being freed", after=_LOOKS_AGAIN_AFTER)
    elif present.tenant_id == tenant.pk and not present.removed:
        # Somebody added them meanwhile.
        invitation.delete()
    else:
        _end(invitation, COULD_NOT_JOIN)
        _mail_once_a_day(invitation, by)


def _mail_once_a_day(invitation: Invitation, by: Actor) -> None:
    """To the owner of the address, who belongs to another organisation."""
    org = invitation.tenant.org_id
    if RateCount.objects.add_one(f"could not join {org} {invitation.email}", seconds=_DAY) == 1:
        about = {"organisation": invitation.tenant.name, "by": by.name}
        outbox.post("could_not_join", to=invitation.email, about=about, org=org)


def _add(invitation: Invitation, by: Actor) -> None:
    tenant, email = invitation.tenant, invitation.email
    if not roster.may_be_invited(tenant.org_id, email):
        _end(invitation, roster.TOO_OFTEN)
        return
    try:
        roster.add_member(
            tenant=tenant,
            email=email,
            name=invitation.name,
            role=invitation.role,
            by=by,
            invited_by=invitation.invited_by,
            mail_invitation=invitation.mail_invitation,
            language=invitation.language,
        )
    except NotNow as refusal:
        _end(invitation, refusal.message)
    else:
        invitation.delete()


def _inviter(invitation: Invitation) -> Actor | None:
    """With the rights that they have now. None for somebody who is in no organisation any more.

    For the terminal the worker acts: the trail names who typed the command, and the owners were told once for all.
    """
    if invitation.terminal:
        return WORKER
    membership = (
        Member.objects.select_related("person")
        .filter(person=invitation.invited_by_id, enabled=True, removed=False)
        .first()
    )
    if membership is None:
        return None
    kind = ActorKind.OPERATOR if membership.role == Role.OPERATOR else ActorKind.MEMBER
    role = "" if kind == ActorKind.OPERATOR else membership.role
    return Actor(str(membership.person.sub), str(membership.person), kind, role)


def _end(invitation: Invitation, why: str) -> None:
    Invitation.objects.filter(pk=invitation.pk).update(why=why, due_at=None, last_error="")
    record(Action.MEMBER_COULD_NOT_JOIN, by=WORKER, org=invitation.tenant.org_id, target=invitation.email, why=why)


def _put_off(invitation: Invitation, error: str, *, after: timedelta | None = None) -> None:
    pause = after or min(_LONGEST_PAUSE, timedelta(seconds=2 ** min(invitation.attempts, 12)))
    Invitation.objects.filter(pk=invitation.pk).update(
        due_at=timezone.now() + pause, attempts=invitation.attempts + 1, last_error=error
    )
