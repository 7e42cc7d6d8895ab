"""Sign-ups on their way to Cognito: an unknown address gets a user and an invitation, a known one is told by mail.

The tenant is made when the owner first signs in. Until then its org id is only in the sign-up and in the user, and
where nobody comes, both are deleted.
"""

from __future__ import annotations

import random
import secrets
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import assert_never

from django.db import transaction
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.failures import scope_of
from tenants.domain.actor import WORKER
from tenants.domain.errors import PortalError, UserExists, UserGone
from tenants.domain.roles import Role
from tenants.domain.user_plan import DesiredUser, Quota, Seen
from tenants.mail import outbox
from tenants.members import sign_up_queue as queue
from tenants.members.roster import mark_due
from tenants.members.sign_up import LASTS, forget_old_counts, may_be_mailed, may_be_told
from tenants.models import MOST_REASON, Member, Provisioning, SignUp, SignUpState, Tenant
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.halt import halt, is_halted

# One after the other, so that a turn ends within seconds.
_AT_ONCE = 20
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 2.0, 300.0
# A form that is sent again so soon was sent twice by mistake: a second mail would end the first one's password.
_TWICE_BY_MISTAKE = timedelta(seconds=10)
# Cognito's status of a user who has not signed in yet.
_UNUSED = "FORCE_CHANGE_PASSWORD"


class _Next(Enum):
    CREATE = "create a user, who is mailed"
    RESEND = "mail the user again"
    NOTE_MADE = "a worker that was killed has made the user"
    TELL = "tell the owner of the address"


def process(tools: Tools) -> int:
    """Works on up to 20 addresses that somebody signed up with. Returns how many.

    Several workers may do it at once. After a kill, the next round finds the user by the address and the org id.
    """
    holder, done = secrets.token_hex(8), 0
    while done < _AT_ONCE and not is_halted() and (sign_up := queue.claim(queue.due(), holder)) is not None:
        _work_on(sign_up, tools, holder)
        done += 1
    return done


def expire(tools: Tools) -> int:
    """Ends up to 20 sign-ups that nobody came for, on both sides, and deletes old counts. Returns how many.

    Somebody who has signed in keeps their user and their sign-up.
    """
    holder, done = secrets.token_hex(8), 0
    while done < _AT_ONCE and not is_halted() and (sign_up := queue.claim(queue.expired(), holder)) is not None:
        if not _end(sign_up, tools, holder):
            break
        done += 1
    return done + forget_old_counts()


def _work_on(sign_up: SignUp, tools: Tools, holder: str) -> None:
    seen = tools.pacer.call(Quota.READ, partial(tools.directory.look, sign_up.email))
    if isinstance(seen, PortalError):
        _note_failure(sign_up, holder, seen)
        return
    is_member = Member.objects.filter(person__email=sign_up.email).exists()
    match _next(sign_up, seen, is_member=is_member):
        case _Next.TELL:
            _tell(sign_up, seen, holder, is_member=is_member)
        case _Next.NOTE_MADE if seen is not None:
            _note_mailed(sign_up, seen, holder)
        case step if _is_one_too_many(sign_up):
            queue.finish(sign_up, holder, due_at=None, last_error=f"not done: {step.value}, mailed too often")
        case _Next.CREATE | _Next.RESEND | _Next.NOTE_MADE:
            _mail(sign_up, seen, tools, holder)
        case never:
            assert_never(never)


def _next(sign_up: SignUp, seen: Seen | None, *, is_member: bool) -> _Next:
    """`is_member`: the address belongs to a member of something, or to one who was just removed."""
    if is_member or (seen is not None and not _is_left_unused(sign_up, seen)):
        return _Next.TELL
    if seen is None:
        return _Next.CREATE
    return _Next.RESEND if sign_up.state == SignUpState.INVITED else _Next.NOTE_MADE


def _is_left_unused(sign_up: SignUp, seen: Seen) -> bool:
    """Whether the user is this sign-up's, and nobody has signed in as them."""
    return seen.org == str(sign_up.org_id) and seen.status == _UNUSED


def _is_one_too_many(sign_up: SignUp) -> bool:
    """A retry was counted before."""
    if sign_up.attempts:
        return False
    mailed, asked = sign_up.mailed_at, sign_up.due_at
    if mailed is not None and asked is not None and asked < mailed + _TWICE_BY_MISTAKE:
        return True
    return not may_be_mailed(sign_up.email)


def _mail(sign_up: SignUp, seen: Seen | None, tools: Tools, holder: str) -> None:
    directory = tools.directory
    call = partial(directory.create, _desired(sign_up)) if seen is None else partial(directory.resend, seen.sub)
    answer = tools.pacer.call(Quota.CREATION, call)
    if isinstance(answer, PortalError):
        _note_failure(sign_up, holder, answer)
    else:
        _note_mailed(sign_up, answer, holder)


def _desired(sign_up: SignUp) -> DesiredUser:
    return DesiredUser(email=sign_up.email, name=sign_up.name, org=str(sign_up.org_id), role=Role.OWNER, enabled=True)


def _note_mailed(sign_up: SignUp, seen: Seen, holder: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        queue.finish(
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
        queue.finish(sign_up, holder, **fields)
        if may_be_told(sign_up.email):
            outbox.post("sign_up_known", to=sign_up.email, about={"link": "/"})


def _note_failure(sign_up: SignUp, holder: str, problem: PortalError) -> None:
    scope, attempts = scope_of(problem), sign_up.attempts + 1
    if scope == "systemic":
        queue.put_off(sign_up, holder, seconds=_FIRST_RETRY_SECONDS)
        halt(problem)
    elif scope == "passing" or isinstance(problem, UserExists | UserGone):
        wait = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(sign_up.attempts, 10))
        at = timezone.now() + timedelta(seconds=wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        queue.finish(sign_up, holder, due_at=at, attempts=attempts, last_error=problem.for_operators[:MOST_REASON])
    else:
        # The address is refused, or no mail reaches it. Its user may exist, so the attempt counts.
        why = problem.for_operators[:MOST_REASON]
        queue.finish(sign_up, holder, state=SignUpState.FAILED, due_at=None, attempts=attempts, last_error=why)


def _end(sign_up: SignUp, tools: Tools, holder: str) -> bool:
    """False where Cognito did not answer: the sign-up is left to a later round."""
    seen = tools.pacer.call(Quota.READ, partial(tools.directory.look, sign_up.email))
    if isinstance(seen, PortalError):
        queue.put_off(sign_up, holder, seconds=_FIRST_RETRY_SECONDS)
        return False
    if seen is None or seen.org != str(sign_up.org_id) or Tenant.objects.filter(org_id=sign_up.org_id).exists():
        _forget(sign_up, holder)
        return True
    if not _is_left_unused(sign_up, seen):
        # They chose a password, so they may come any day.
        queue.finish(sign_up, holder, expires_at=timezone.now() + LASTS, sub=seen.sub, state=SignUpState.INVITED)
        return True
    return _delete_user(sign_up, seen, tools, holder)


def _delete_user(sign_up: SignUp, seen: Seen, tools: Tools, holder: str) -> bool:
    answer = tools.pacer.call(Quota.UPDATE, partial(tools.directory.delete, seen.sub))
    if isinstance(answer, PortalError) and not isinstance(answer, UserGone):
        queue.put_off(sign_up, holder, seconds=_FIRST_RETRY_SECONDS)
        return False
    _forget(sign_up, holder)
    return True


def _forget(sign_up: SignUp, holder: str) -> None:
    """Its user may have been in the way of a member with this address."""
    with transaction.atomic():
        if not queue.delete(sign_up, holder):
            return
        mark_due(Member.objects.filter(person__email=sign_up.email).exclude(provisioning=Provisioning.SETTLED))
        if sign_up.state == SignUpState.INVITED:
            record(Action.SIGN_UP_ENDED, by=WORKER, org=sign_up.org_id, target=sign_up.organisation)
