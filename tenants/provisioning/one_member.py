"""Members made to match in Cognito: what is done for each, step by step, and what happens when nobody can be.

`queue` hands out the members that are due; `results` writes down what happened.
"""

from __future__ import annotations

import time

from tenants.aws.directory import Directory
from tenants.aws.failures import scope_of
from tenants.domain.actor import WORKER, Actor
from tenants.domain.errors import PortalError, Throttled, Unreachable, UserExists, UserGone
from tenants.domain.user_plan import Create, Seen
from tenants.models import Member, Person
from tenants.provisioning.attempt import Look, Step
from tenants.provisioning.pace import Pacer
from tenants.provisioning.queue import Claim, attempt_for, claim_one, hold
from tenants.provisioning.results import Outcome, finish, release

# What a request, or somebody at a terminal, waits for its turn at the most.
_PATIENCE_SECONDS = 10.0


def make_call(directory: Directory, step: Step, seen: Seen | None) -> Seen | None:
    """The user as it is after it. Knows no database, so it may be called in any thread."""
    return directory.look(step.name) if isinstance(step, Look) else directory.perform(step, seen)


def apply_answer(claim: Claim, step: Step, answer: Seen | PortalError | None) -> PortalError | None:
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
        failure = apply_answer(claimed, step, answer)
    if failure is not None and scope_of(failure) == "systemic":
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
        apply_answer(claimed, step, directory.look(step.name))
        looked = True
    return [f"conflict: {attempt.conflict}"] if attempt.conflict else [change.in_words for change in attempt.planned]
