"""Members made to match in Cognito: what is done for each, step by step, and what happens when nobody can be.

Who is due is handed out by `tenants.due_members`; what came of it is written down by `tenants.outcomes`.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from tenants.audit import WORKER, Actor, record
from tenants.aws.directory import Directory
from tenants.aws.failures import kind_of
from tenants.domain.actions import Action
from tenants.domain.attempt import Look, Step
from tenants.domain.errors import PortalError, Throttled, Unreachable, UserExists, UserGone
from tenants.domain.provisioning import Create, Seen
from tenants.due_members import Claim, attempt_for, claim_one, hold
from tenants.models import AuditEvent, Lease, Member, Person
from tenants.outcomes import Outcome, finish, in_words, release
from tenants.pacing import Pacer

_HALTED = "provisioning-halted"
# What a request, or somebody at a terminal, waits for its turn at the most.
_PATIENCE_SECONDS = 10.0


def make_call(directory: Directory, step: Step, seen: Seen | None) -> Seen | None:
    """The user as it is after it. Knows no database, so it may be called in any thread."""
    return directory.look(step.name) if isinstance(step, Look) else directory.perform(step, seen)


def take_in(claim: Claim, step: Step, answer: Seen | PortalError | None) -> PortalError | None:
    """Tells the attempt what came of a step; a failure that ends the attempt comes back."""
    attempt = claim.attempt
    match answer:
        case UserExists() if isinstance(step, Create):
            attempt.exists()
        case UserGone():
            attempt.gone()
        case PortalError():
            return answer
        case _ if isinstance(step, Look):
            attempt.looked(answer)
            _check_nobody_else_has_them(claim)
        case _:
            attempt.did(answer)
    if attempt.restless:
        return Unreachable("The user pool (Cognito)", "somebody else keeps changing this user")
    return None


def _check_nobody_else_has_them(claim: Claim) -> None:
    """Before anything is done to a user who was found by the address."""
    attempt, person = claim.attempt, claim.member.person
    if not attempt.adopted or attempt.seen is None:
        return
    others = Person.objects.filter(sub=attempt.seen.sub).exclude(pk=person.pk).exclude(memberships=None)
    if others.exists():
        attempt.is_not_theirs(
            f"The user pool's user {attempt.seen.email} is another member's already, whose address was changed there. "
            "Remove this member, and invite another address."
        )


def provision_member_now(
    member: Member, *, directory: Directory, pacer: Pacer, holder: str, by: Actor = WORKER
) -> Outcome | None:
    """The whole of it for one member, at once. None where somebody else is on it, or nothing is due.

    For a request that should not leave its own member to the worker. Call it outside a transaction. A failure of
    Cognito's is not raised, and a long queue not waited for: the member is left to the worker.
    """
    claimed = claim_one(member, holder)
    if claimed is None:
        return None
    failure: PortalError | None = None
    while failure is None and (step := claimed.attempt.next_step()) is not None:
        at = pacer.reserve(step.category)
        if at - time.time() > _PATIENCE_SECONDS:
            release(claimed)
            return Outcome.LATER
        if not hold(claimed, at=at):
            release(claimed)
            return None
        time.sleep(max(0.0, at - time.time()))
        answer = _answer(directory, step, claimed.attempt.seen)
        if isinstance(answer, Throttled):
            pacer.push_back(step.category)
        failure = take_in(claimed, step, answer)
    if failure is not None and kind_of(failure) == "systemic":
        release(claimed)
        return Outcome.LATER
    return finish(claimed, failure, by=by)


def _answer(directory: Directory, step: Step, seen: Seen | None) -> Seen | PortalError | None:
    try:
        return make_call(directory, step, seen)
    except PortalError as error:
        return error


def changes_for(member: Member, *, directory: Directory, pacer: Pacer) -> list[str]:
    """In words, what a worker would do for the member now. Looks where a worker would, and before creating anybody."""
    claimed = Claim(member, "", attempt_for(member), 0.0)
    attempt, looked = claimed.attempt, False
    while attempt.next_step() is not None:
        if any(isinstance(change, Create) for change in attempt.planned) and not looked:
            attempt.exists()
        step = attempt.next_step()
        if not isinstance(step, Look):
            break
        pacer.wait(step.category)
        take_in(claimed, step, directory.look(step.name))
        looked = True
    return [f"conflict: {attempt.conflict}"] if attempt.conflict else [change.in_words for change in attempt.planned]


def halt(error: PortalError) -> None:
    """Nobody can be provisioned at the moment: said once, by whoever finds it first."""
    with transaction.atomic():
        _, first = Lease.objects.get_or_create(
            name=_HALTED, defaults={"holder": "", "until": timezone.now() + timedelta(days=36500)}
        )
        if first:
            record(Action.PROVISIONING_HALTED, by=WORKER, why=in_words(error))


def halted() -> bool:
    return Lease.objects.filter(name=_HALTED).exists()


def why_halted() -> str:
    """ "" where it is not."""
    if not halted():
        return ""
    entry = AuditEvent.objects.filter(action=Action.PROVISIONING_HALTED).order_by("-seq").first()
    return entry.why if entry and entry.why else "The worker’s log says why."


def go_on() -> None:
    Lease.objects.filter(name=_HALTED).delete()
