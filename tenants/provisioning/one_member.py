"""One member made to match in Cognito: the calls made, their answers applied, and all of it at once for a request.

`queue` hands out the members that are due; `finish` writes down what happened.
"""

from __future__ import annotations

import time
from functools import partial

from tenants.aws.directory import Directory
from tenants.aws.failures import scope_of
from tenants.domain.actor import WORKER, Actor
from tenants.domain.errors import (
    MailLimitReached,
    NotInvited,
    PortalError,
    UndeliverableMail,
    Unreachable,
    UserExists,
    UserGone,
)
from tenants.domain.user_plan import Create, Resend, Seen, is_mailed
from tenants.models import Halted, Member, Person
from tenants.provisioning.attempt import Call, Look
from tenants.provisioning.finish import finish, release
from tenants.provisioning.halt import halt_invitations, is_halted, resume_invitations, take_probe
from tenants.provisioning.pace import Pacer
from tenants.provisioning.queue import Claim, attempt_for, claim_one, hold
from tenants.provisioning.results import Outcome

# The longest that a request, or a person at a terminal, waits for one call.
_PATIENCE_SECONDS = 10.0


def make_call(directory: Directory, call: Call, seen: Seen | None) -> Seen | None:
    """Returns the user as it is afterwards. Knows no database, so any thread may use it."""
    return directory.look(call.name) if isinstance(call, Look) else directory.perform(call, seen)


def apply_answer(claim: Claim, call: Call, answer: Seen | PortalError | None) -> PortalError | None:
    """Gives Cognito's answer to the attempt. Returns a failure that ends the attempt."""
    attempt = claim.attempt
    match answer:
        case UserExists() if isinstance(call, Create):
            attempt.look_by_address()
        case UserGone():
            attempt.note_gone()
        case NotInvited() if isinstance(call, Resend):
            attempt.look_again()
        case UndeliverableMail() if is_mailed(call) and attempt.note_undelivered(answer.why):
            pass
        case MailLimitReached() if is_mailed(call):
            claim.is_probe = False
            halt_invitations(holder=claim.holder)
            attempt.note_mail_refused()
        case PortalError():
            return answer
        case _ if isinstance(call, Look):
            attempt.take_look(answer)
            _check_nobody_else_has_them(claim)
        case _:
            attempt.take_change(answer)
    if claim.is_probe and is_mailed(call) and _was_sent(answer):
        resume_invitations()
    if attempt.keeps_changing:
        return Unreachable("The user pool (Cognito)", "somebody else keeps changing this user")
    return None


def _was_sent(answer: Seen | PortalError | None) -> bool:
    """Also where it was not delivered: Cognito tried."""
    return not isinstance(answer, PortalError) or isinstance(answer, UndeliverableMail)


def may_mail(claim: Claim) -> bool:
    """False while invitations are halted, except now and then for one, which is a probe then."""
    if not is_halted(Halted.MAILS):
        return True
    claim.is_probe = claim.is_probe or take_probe(holder=claim.holder)
    return claim.is_probe


def _check_nobody_else_has_them(claim: Claim) -> None:
    """Before anything is done to a user who was found by the address."""
    attempt, person = claim.attempt, claim.member.person
    if not attempt.adopted or attempt.seen is None:
        return
    others = Person.objects.filter(sub=attempt.seen.sub).exclude(pk=person.pk).exclude(memberships=None)
    if others.exists():
        attempt.reject(
            f"The user pool's user {attempt.seen.email} is another member's already, whose address was changed there. "
            "Remove this member, and invite another address."
        )


def provision_member_now(
    member: Member, *, directory: Directory, pacer: Pacer, holder: str, by: Actor = WORKER
) -> Outcome | None:
    """Provisions one member at once. None where another holder works on it, or nothing is due.

    For a request that should not leave its own member to the worker. Call it outside a transaction. Where Cognito
    fails, or the queue for its calls is long, nothing is raised: the member is left to the worker.
    """
    claimed = claim_one(member, holder)
    if claimed is None:
        return None
    failure: PortalError | None = None
    while failure is None and (call := claimed.attempt.next_call()) is not None:
        if is_mailed(call) and not may_mail(claimed):
            failure = MailLimitReached()
            break
        at = pacer.reserve(call.category)
        if at - time.time() > _PATIENCE_SECONDS:
            release(claimed)
            return Outcome.LATER
        if not hold(claimed, at=at):
            release(claimed)
            return None
        answer = pacer.call_at(at, call.category, partial(make_call, directory, call, claimed.attempt.seen))
        failure = apply_answer(claimed, call, answer)
    if failure is not None and scope_of(failure) == "systemic":
        release(claimed)
        return Outcome.LATER
    return finish(claimed, failure, by=by)


def changes_for(member: Member, *, directory: Directory, pacer: Pacer) -> list[str]:
    """In words, what a worker would do for the member now. Looks where a worker would, and before a user is created.

    Raises what Cognito answers.
    """
    claimed = Claim(member, "", attempt_for(member), 0.0)
    attempt, has_looked = claimed.attempt, False
    while attempt.next_call() is not None:
        if any(isinstance(change, Create) for change in attempt.to_do) and not has_looked:
            attempt.look_by_address()
        call = attempt.next_call()
        if not isinstance(call, Look):
            break
        answer = pacer.call(call.category, partial(directory.look, call.name))
        if isinstance(answer, PortalError):
            raise answer
        apply_answer(claimed, call, answer)
        has_looked = True
    return [f"conflict: {attempt.conflict}"] if attempt.conflict else [change.in_words for change in attempt.to_do]
