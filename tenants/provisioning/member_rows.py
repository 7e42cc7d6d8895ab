"""Members' and people's rows as an attempt leaves them. Needs the transaction of `finish`, and records nothing."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from tenants.domain.tenant_state import TenantState
from tenants.domain.user_plan import Seen, SetRole
from tenants.models import MOST_REASON, Member, Person, Provisioning, SecondFactor
from tenants.provisioning.queue import Claim, ours
from tenants.provisioning.results import Attempted, Outcome
from tenants.sign_in.endings import end_sessions_of
from tenants.sign_in.standing import forget_standing

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2.0, 300.0
# Somebody who waits for mails is made due once they go again. This is for when that was missed.
WAIT_SECONDS = 3600.0
_LOST = "A worker that had been held up changed the user after another worker had taken the member over."
_FREE: Mapping[str, Any] = {"leased_until": None, "leased_by": ""}


def write_rows(held: Sequence[Attempted], unchanged: Sequence[Attempted]) -> None:
    """`held` are still leased to us; `unchanged` are those of them whose generation is the one that was attempted."""
    now, rows, leaving = timezone.now(), [], []
    for one in held:
        fields: dict[str, Any] = {**_seen_fields(one.claim, now), **_mail_fields(one.claim, now), **_FREE}
        if one in unchanged and one.outcome == Outcome.SETTLED and one.claim.attempt.desired is None:
            leaving.append(one.claim.member)
            continue
        if one in unchanged:
            fields |= _state_fields(one, now)
        rows.append((one.claim.member.pk, fields))
    _write_subs(held)
    if repaired := [one.claim.member.person_id for one in held if _was_given_its_role_back(one)]:
        end_sessions_of(*repaired)
    _update_alike(rows)
    if leaving:
        _delete_removed(leaving)


def _was_given_its_role_back(one: Attempted) -> bool:
    """Somebody had changed the role in Cognito. A change of it in the portal has ended the sessions already."""
    attempt = one.claim.attempt
    changed = any(isinstance(change, SetRole) for change in (*attempt.done, *attempt.found))
    return changed and not attempt.conflict and not one.claim.member.sign_out


def requeue_lost(lost: Sequence[Attempted]) -> None:
    """Makes members due that another holder has taken over: what was done here may have undone its work."""
    if lost:
        Member.objects.filter(pk__in=[one.claim.member.pk for one in lost]).update(
            provisioning=Provisioning.DUE,
            due_at=timezone.now(),
            generation=F("generation") + 1,
            # Makes the next attempt begin with a look, even where the holder now writes down what it saw before.
            attempts=1,
            last_error=_LOST,
        )


def mark_stuck(claim: Claim, *, why: str) -> bool:
    """Releases the member, stuck with this reason. False where it is due for a newer change."""
    unchanged = ours(claim).filter(generation=claim.member.generation)
    stuck = unchanged.update(**_FREE, provisioning=Provisioning.STUCK, last_error=why)
    ours(claim).update(**_FREE)
    return bool(stuck)


def _update_alike(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Members made at the same time mostly get the same fields: one UPDATE serves all of those."""
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for pk, fields in rows:
        alike[tuple(fields.items())].append(pk)
    for items, pks in alike.items():
        Member.objects.filter(pk__in=pks).update(**dict(items))


def _state_fields(one: Attempted, now: datetime) -> Mapping[str, Any]:
    match one.outcome:
        case Outcome.GIVEN_BACK:
            return {}
        case Outcome.SETTLED:
            settled = {"provisioning": Provisioning.SETTLED, "due_at": None, "attempts": 0, "last_error": ""}
            return {**settled, "sign_out": False, "reset_mfa": False, **_resend_fields(one)}
        case Outcome.LATER:
            attempts = one.claim.member.attempts + 1
            wait = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(attempts, 10))
            at = now + timedelta(seconds=random.uniform(0, wait))  # noqa: S311 - jitter
            return {"attempts": attempts, "due_at": at, "last_error": one.why, **_resend_fields(one)}
        case Outcome.WAITING:
            at = now + timedelta(seconds=WAIT_SECONDS * random.uniform(1, 1.5))  # noqa: S311 - jitter
            return {"due_at": at, "last_error": one.why}
        case _:
            state = Provisioning.STUCK if one.outcome == Outcome.STUCK else Provisioning.CONFLICT
            return {"provisioning": state, "last_error": one.why}


def _seen_fields(claim: Claim, now: datetime) -> Mapping[str, Any]:
    """Empty for a conflict, whose user is another person's, and where Cognito was not asked.

    A change that Cognito took shows what it changed. What the row says of the rest is no newer for it.
    """
    attempt = claim.attempt
    if attempt.conflict or not attempt.answers:
        return {}
    seen = attempt.seen
    return {
        **({"seen_at": now} if attempt.looked else {}),
        # Cut, since an edit by hand may have made them anything.
        "seen_org": seen.org[:36] if seen else "",
        "seen_role": seen.role[:16] if seen else "",
        "seen_enabled": seen.enabled if seen else None,
        "seen_status": seen.status[:32] if seen else "",
        **_second_factor_fields(seen, now),
    }


def _second_factor_fields(seen: Seen | None, now: datetime) -> Mapping[str, Any]:
    """Empty where Cognito was asked for something that does not show it."""
    if seen is None:
        return {"second_factor": "", "second_factor_seen_at": None}
    if seen.has_authenticator is None:
        return {}
    state = SecondFactor.ENROLLED if seen.has_authenticator else SecondFactor.NONE
    return {"second_factor": state, "second_factor_seen_at": now}


def _mail_fields(claim: Claim, now: datetime) -> Mapping[str, Any]:
    """A user who is new, or another one, was not mailed before and has not signed in."""
    mail = claim.attempt.mail
    fields: dict[str, Any] = {}
    if claim.attempt.conflict:
        return {}
    if mail.is_void:
        # Unless the user is the one whom the row does not know yet.
        problem = claim.member.mail_problem if claim.member.seen is None else ""
        fields = {"mailed_at": None, "mail_problem": problem, "signed_in_at": None}
    if mail.sent or mail.sent_before:
        # The clock that says when the temporary password lapses is AWS's, which may be ahead of ours.
        fields |= {"mailed_at": now if mail.sent else min(now, mail.sent_before or now), "mail_problem": ""}
    if mail.problem:
        fields["mail_problem"] = mail.problem[:MOST_REASON]
    return fields | ({"resend": True} if mail.refused else {})


def _resend_fields(one: Attempted) -> Mapping[str, Any]:
    """The invitation stays owed to somebody who may not sign in now."""
    attempt = one.claim.attempt
    may_sign_in = attempt.desired is not None and attempt.desired.enabled
    is_through = one.outcome == Outcome.SETTLED and may_sign_in
    return {"resend": False} if is_through or attempt.mail.sent or attempt.mail.problem else {}


def _write_subs(held: Sequence[Attempted]) -> None:
    subs: dict[int, UUID] = {}
    known: list[int] = []
    for one in held:
        attempt, person = one.claim.attempt, one.claim.member.person
        if attempt.seen is not None and not attempt.conflict and str(person.sub) != attempt.seen.sub:
            subs[person.pk] = UUID(attempt.seen.sub)
            known += [person.pk] if person.sub else []
    if not subs:
        return
    # The person signed in before their id was written down: that row is theirs too, and its sign-ins end with it.
    Person.objects.filter(sub__in=subs.values(), memberships=None).delete()
    Person.objects.bulk_update([Person(pk=pk, sub=sub) for pk, sub in subs.items()], ["sub"])
    if known:
        # What began as another user does not go on.
        end_sessions_of(*known)
    forget_standing(*subs)


def _delete_removed(leaving: Sequence[Member]) -> None:
    """Deletes the rows of members whose users are gone. The people stay, without an id and signed out.

    Also deletes people who deleted their account, or belonged only to a tenant that is closed for good.
    """
    people = [member.person_id for member in leaving]
    end_sessions_of(*people)
    Member.objects.filter(pk__in=[member.pk for member in leaving]).delete()
    Person.objects.filter(pk__in=people).update(sub=None)
    Person.objects.filter(pk__in=_forgotten(leaving), memberships=None).delete()
    forget_standing(*people)


def _forgotten(leaving: Sequence[Member]) -> list[int]:
    """Of the people, those of whom nothing stays."""
    closed = TenantState.CLOSED
    return [one.person_id for one in leaving if one.forgotten or (one.tenant and one.tenant.state == closed)]
