"""Sign-ups on their way to Cognito: an unknown address gets a user and an invitation, a known one is told by mail.

The tenant is made when the owner first signs in. Until then its org id is only in the sign-up and in the user, and
where nobody comes, both are deleted.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import Enum
from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.directory import Directory
from tenants.aws.failures import scope_of
from tenants.domain.actor import WORKER
from tenants.domain.errors import NotInvited, PortalError, UserExists, UserGone
from tenants.domain.roles import Role
from tenants.domain.user_plan import Conflict, DesiredUser, Quota, Seen, plan
from tenants.mail import outbox
from tenants.members import sign_up as rows
from tenants.members.roster import mark_due
from tenants.members.sign_up import LASTS, forget_old_counts, may_be_mailed, may_be_told
from tenants.models import MOST_REASON, Halted, Lease, Member, Provisioning, SignUp, SignUpState, Tenant
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.halt import (
    clear_halt,
    halt,
    halt_invitations,
    is_halted,
    resume_invitations,
    take_probe,
)

# One after the other, so that a turn ends within seconds.
_AT_ONCE = 20
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 2.0, 300.0
# A form that is sent again so soon was sent twice by mistake: a second mail would end the first one's password.
_TWICE_BY_MISTAKE = timedelta(seconds=5)
# While something stops all of them, one is tried so often.
_PROBE, _PROBE_SECONDS = "sign-up-probe", 30.0


class _Next(Enum):
    CREATE = "create a user, who is mailed"
    RESEND = "mail the user again"
    NOTE_MADE = "a worker that was killed has made the user"
    TELL = "tell the owner of the address"


def process(tools: Tools) -> int:
    """Works on up to 20 addresses that somebody signed up with. Returns how many.

    Several workers may do it at once. After a kill, the next round finds the user by the address and the org id.
    """
    return _take_turns(rows.due, partial(_work_on, tools=tools))


def expire(tools: Tools) -> int:
    """Ends up to 20 sign-ups that nobody came for, on both sides, and deletes old counts. Returns how many.

    Somebody who has signed in keeps their user and their sign-up.
    """
    return _take_turns(rows.expired, partial(_end, tools=tools)) + forget_old_counts()


def _take_turns(wanted: Callable[[], QuerySet[SignUp]], work: Callable[..., bool]) -> int:
    """Until Cognito fails, which is no sign-up's own fault."""
    holder, done, goes_on = secrets.token_hex(8), 0, True
    while goes_on and done < _AT_ONCE:
        halted = is_halted()
        if halted and not Lease.objects.take(_PROBE, holder=holder, seconds=_PROBE_SECONDS):
            break
        sign_up = rows.claim(wanted(), holder)
        if sign_up is None:
            break
        goes_on = work(sign_up, holder=holder)
        done += 1
        if goes_on and halted:
            clear_halt()
    return done


def _work_on(sign_up: SignUp, *, tools: Tools, holder: str) -> bool:
    """False where the next one would fail too."""
    seen = tools.pacer.call(Quota.READ, partial(tools.directory.look, sign_up.email))
    if isinstance(seen, PortalError):
        return _note_failure(sign_up, holder, seen)
    is_member = Member.objects.filter(person__email=sign_up.email).exists()
    match _next(sign_up, seen, is_member=is_member):
        case _Next.TELL:
            _tell(sign_up, seen, holder, is_member=is_member)
        case _Next.NOTE_MADE if seen is not None:
            _note_mailed(sign_up, seen, holder)
        case _ if is_halted(Halted.MAILS) and not take_probe(holder=holder):
            rows.put_off(sign_up, holder, seconds=_PROBE_SECONDS)
        case step if _is_one_too_many(sign_up):
            rows.finish(sign_up, holder, due_at=None, last_error=f"not done: {step.value}, mailed too often")
        case _:
            return _mail(sign_up, seen, tools, holder)
    return True


def _next(sign_up: SignUp, seen: Seen | None, *, is_member: bool) -> _Next:
    """`is_member`: the address belongs to a member of something, or to one who was just removed."""
    if is_member or (seen is not None and not (_is_left_unused(sign_up, seen) and seen.enabled)):
        return _Next.TELL
    if seen is None:
        return _Next.CREATE
    return _Next.RESEND if sign_up.state == SignUpState.INVITED else _Next.NOTE_MADE


def _is_left_unused(sign_up: SignUp, seen: Seen) -> bool:
    """Whether the user is this sign-up's, and nobody has signed in as them."""
    return seen.org == str(sign_up.org_id) and seen.is_invited


def _is_one_too_many(sign_up: SignUp) -> bool:
    """A retry was counted before."""
    if sign_up.attempts:
        return False
    mailed, asked = sign_up.mailed_at, sign_up.due_at
    if mailed is not None and asked is not None and asked < mailed + _TWICE_BY_MISTAKE:
        return True
    return not may_be_mailed(sign_up.email)


def _mail(sign_up: SignUp, seen: Seen | None, tools: Tools, holder: str) -> bool:
    for call, category in _calls(sign_up, seen, tools.directory):
        answer = tools.pacer.call(category, call)
        if isinstance(answer, PortalError):
            return _note_failure(sign_up, holder, answer)
        seen = answer or seen
    if seen is not None:
        _note_mailed(sign_up, seen, holder)
    if is_halted(Halted.MAILS):
        resume_invitations()
    return True


def _calls(
    sign_up: SignUp, seen: Seen | None, directory: Directory
) -> Iterator[tuple[Callable[[], Seen | None], Quota]]:
    """What makes the user as the sign-up says, the last of it with a mail."""
    desired = DesiredUser(
        email=sign_up.email,
        name=sign_up.name,
        org=str(sign_up.org_id),
        role=Role.OWNER,
        enabled=True,
        resend=True,
        organisation=sign_up.organisation,
    )
    if seen is not None and seen.name != sign_up.name:
        yield partial(directory.set_own_name, seen.sub, sign_up.name), Quota.UPDATE
    changes = plan(desired, seen, org=desired.org)
    for change in () if isinstance(changes, Conflict) else changes:
        yield partial(directory.perform, change, seen), change.category


def _note_mailed(sign_up: SignUp, seen: Seen, holder: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        rows.finish(
            sign_up,
            holder,
            state=SignUpState.INVITED,
            sub=seen.sub,
            mailed_at=now,
            expires_at=now + LASTS,
            due_at=None,
            attempts=0,
            last_error="",
        )
        # Without the address: the trail is kept for years, and nothing shows yet that its owner wants anything.
        record(Action.SIGN_UP_MAILED, by=WORKER, org=sign_up.org_id, target=sign_up.organisation)


def _tell(sign_up: SignUp, seen: Seen | None, holder: str, *, is_member: bool) -> None:
    """Mails the owner of the address that somebody tried. Only they learn that it is known."""
    theirs = seen is not None and seen.org == str(sign_up.org_id)
    fields: dict[str, object] = {"due_at": None, "attempts": 0, "last_error": ""}
    if theirs and is_member:
        # An organisation has invited them meanwhile, so the sign-up's own user goes.
        fields |= {"expires_at": timezone.now()}
    elif not theirs:
        fields |= {"state": SignUpState.KNOWN}
    with transaction.atomic():
        rows.finish(sign_up, holder, **fields)
        if may_be_told(sign_up.email):
            outbox.post("sign_up_known", to=sign_up.email, about={"link": "/"})


def _note_failure(sign_up: SignUp, holder: str, problem: PortalError) -> bool:
    """False where the next sign-up would meet the same."""
    scope, why, attempts = scope_of(problem), problem.for_operators[:MOST_REASON], sign_up.attempts + 1
    match scope:
        case "systemic":
            rows.put_off(sign_up, holder, seconds=_FIRST_RETRY_SECONDS)
            halt(problem)
        case "mails":
            # Cognito may have made the user, who is owed the mail.
            at = timezone.now() + timedelta(seconds=_PROBE_SECONDS)
            rows.finish(sign_up, holder, state=SignUpState.INVITED, due_at=at, attempts=attempts, last_error=why)
            halt_invitations(holder=holder)
        case "member" if not isinstance(problem, UserExists | UserGone | NotInvited):
            # The address is refused, or no mail reaches it. Its user may exist, so the attempt counts.
            rows.finish(sign_up, holder, state=SignUpState.FAILED, due_at=None, attempts=attempts, last_error=why)
            return True
        case _:
            wait = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(sign_up.attempts, 10))
            at = timezone.now() + timedelta(seconds=wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            rows.finish(sign_up, holder, due_at=at, attempts=attempts, last_error=why)
    return scope == "member"


def _end(sign_up: SignUp, *, tools: Tools, holder: str) -> bool:
    """Marks it first, so that nobody arrives between the look and the deletion: their tenant would have no user.

    False where Cognito did not do it: the sign-up is left to a later round.
    """
    if not rows.begin_to_end(sign_up, holder):
        return True
    seen = tools.pacer.call(Quota.READ, partial(tools.directory.look, sign_up.email))
    if isinstance(seen, PortalError):
        return _leave_for_later(sign_up, holder, seen)
    if seen is None or seen.org != str(sign_up.org_id) or Tenant.objects.filter(org_id=sign_up.org_id).exists():
        _forget(sign_up, holder)
    elif not _is_left_unused(sign_up, seen):
        # They chose a password, so they may come any day.
        rows.finish(sign_up, holder, expires_at=timezone.now() + LASTS, sub=seen.sub, state=SignUpState.INVITED)
    else:
        answer = tools.pacer.call(Quota.UPDATE, partial(tools.directory.delete, seen.sub))
        if isinstance(answer, PortalError) and not isinstance(answer, UserGone):
            return _leave_for_later(sign_up, holder, answer)
        _forget(sign_up, holder)
    return True


def _leave_for_later(sign_up: SignUp, holder: str, problem: PortalError) -> bool:
    rows.put_back(sign_up, holder, seconds=_FIRST_RETRY_SECONDS)
    if scope_of(problem) == "systemic":
        halt(problem)
    return False


def _forget(sign_up: SignUp, holder: str) -> None:
    """Its user may have been in the way of a member with this address."""
    with transaction.atomic():
        if not rows.delete(sign_up, holder):
            return
        mark_due(Member.objects.filter(person__email=sign_up.email).exclude(provisioning=Provisioning.SETTLED))
        if sign_up.mailed_at is not None:
            record(Action.SIGN_UP_ENDED, by=WORKER, org=sign_up.org_id, target=sign_up.organisation)
