"""Sign-ups of new organisations, as rows: what a visitor typed, until the owner signs in for the first time.

A request counts, writes one row and looks at nothing else, so that its answer cannot tell whether an address is known.
The worker (`tenants.provisioning.sign_ups`) is handed the rows address by address: to one holder at a time, until the
lease runs out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from tenants.domain.claims import Claims
from tenants.domain.errors import InvalidInput
from tenants.domain.networks import wide_network_of
from tenants.domain.texts import display_name
from tenants.domain.user_plan import INVITATION_LASTS
from tenants.members.addresses import address
from tenants.models import RateCount, SignUp, SignUpState

# As long as the temporary password in the mail works.
LASTS = INVITATION_LASTS
_AT_ONCE = timedelta(milliseconds=1)
_HOUR = 3600
# A school or an office may be one network: a class of twenty can sign up together.
MOST_OF_A_NETWORK = 20
# Each row becomes a mail. The worker sends a few a second, so an hour's worth is done within minutes.
MOST_OF_THE_SITE = 600
# Somebody who misses a mail asks again once or twice. More is somebody filling another person's mailbox.
MOST_MAILS_TO_AN_ADDRESS = 5
# Older counts are of no window any more. Nobody counts in windows longer than a day.
_COUNTS_KEPT_SECONDS = 2 * 86_400
_COUNTS_AT_ONCE = 500
LEASE_SECONDS = 60.0
_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class NewSignUp:
    """What a visitor typed, as it is stored."""

    organisation: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class TooMany:
    """So many sign-ups came from this network, or altogether, that no more are taken for `retry_after` seconds."""

    retry_after: int


_CHECKS: Mapping[str, tuple[Callable[[str], str], str]] = {
    "organisation": (partial(display_name, field="organisation"), "Enter the name of your organisation."),
    "name": (partial(display_name, field="name"), "Enter your name."),
    "email": (address, "Enter your e-mail address."),
}


def read(typed: Mapping[str, str]) -> NewSignUp | dict[str, str]:
    """What was typed, or all that is wrong with it: a sentence for each field."""
    read: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for field, (check, if_empty) in _CHECKS.items():
        text = typed.get(field, "")
        try:
            read[field] = check(text)
        except InvalidInput as problem:
            wrong[field] = problem.message if text.strip() else if_empty
    return wrong or NewSignUp(**read)


def ask(new: NewSignUp, *, client: str) -> TooMany | None:
    """Writes the sign-up down, unless too many came before. `client` is the visitor's address in the network."""
    counts = (
        (f"sign-ups of {wide_network_of(client)}", MOST_OF_A_NETWORK),
        ("sign-ups of the site", MOST_OF_THE_SITE),
    )
    # In this order: a network that sends too many does not use up what the others may send.
    if any(RateCount.objects.add_one(what, seconds=_HOUR) > most for what, most in counts):
        return TooMany(retry_after=_HOUR - int(time.time()) % _HOUR)
    now = timezone.now()
    SignUp.objects.create(
        organisation=new.organisation, name=new.name, email=new.email, created_at=now, expires_at=now + LASTS
    )
    return None


def may_be_mailed(email: str) -> bool:
    """Counts a mail to this address. False where it has had enough in this hour."""
    return RateCount.objects.add_one(f"sign-up mails to {email}", seconds=_HOUR) <= MOST_MAILS_TO_AN_ADDRESS


def may_be_told(email: str) -> bool:
    """Counts a mail that says that somebody tried to sign up with a known address: at most one an hour."""
    return RateCount.objects.add_one(f"told of a sign-up {email}", seconds=_HOUR) == 1


def give_way(*emails: str) -> bool:
    """Ends pending sign-ups of addresses that an organisation invites. Whether there were any.

    The worker deletes the sign-up's unused user, then the member's own is created.
    """
    # Just after its beginning, whatever the clocks of two machines say: a row cannot end before it began.
    return bool(SignUp.objects.filter(email__in=emails).update(expires_at=F("created_at") + _AT_ONCE, due_at=None))


def arriving(claims: Claims) -> SignUp | None:
    """The sign-up whose owner has signed in with these claims, locked until the transaction ends.

    Only the portal gives a user an organisation. A worker that was killed may not have written down the user's sub.
    None while it is being ended: its user may be deleted at any moment.
    """
    if not claims.may_own_an_organisation:
        return None
    theirs = Q(sub=UUID(claims.sub))
    if claims.email:
        theirs |= Q(sub=None, email=claims.email.casefold())
    there = SignUp.objects.exclude(state=SignUpState.ENDING).select_for_update()
    return there.filter(theirs, org_id=UUID(claims.org)).first()


def forget_old_counts() -> int:
    """Deletes some counts of windows that have ended. Returns how many."""
    ended = RateCount.objects.filter(began_at__lt=time.time() - _COUNTS_KEPT_SECONDS)
    old = list(ended.order_by("began_at").values_list("pk", flat=True)[:_COUNTS_AT_ONCE])
    # A count that has begun a new window meanwhile stays.
    return ended.filter(pk__in=old).delete()[0] if old else 0


def due() -> QuerySet[SignUp]:
    """Sign-ups that somebody has to be mailed about, the longest due first."""
    there = _free().exclude(state=SignUpState.ENDING)
    return there.filter(due_at__lte=timezone.now()).order_by("due_at", "pk")


def expired() -> QuerySet[SignUp]:
    return _free().filter(expires_at__lte=timezone.now()).order_by("expires_at", "pk")


def claim(wanted: QuerySet[SignUp], holder: str) -> SignUp | None:
    """Leases the first one of `wanted` whose address nobody else works on. Its row as it was before the lease.

    All rows of the address become one before: the oldest, whose org id a user may have already, with what was typed
    last. So there is one user for an address and one org id, however often somebody sends the form.
    """
    # Outside a transaction: on SQLite that would keep all other processes from writing.
    for email in dict.fromkeys(wanted.values_list("email", flat=True)[:_CANDIDATES]):
        with transaction.atomic():
            if (sign_up := _claim_address(email, wanted, holder)) is not None:
                return sign_up
    return None


def may_have_user(sign_up: SignUp) -> bool:
    """Whether a worker has made its user, or began to and was killed."""
    has_begun = sign_up.state in (SignUpState.INVITED, SignUpState.ENDING)
    return has_begun or sign_up.attempts > 0 or bool(sign_up.leased_by)


def begin_to_end(sign_up: SignUp, holder: str) -> bool:
    """From now on nobody arrives with it. False where its owner has arrived, or another holder has it by now."""
    ours = SignUp.objects.filter(pk=sign_up.pk, leased_by=holder)
    return bool(ours.update(state=SignUpState.ENDING))


def put_back(sign_up: SignUp, holder: str, *, seconds: float) -> None:
    """As it was before `begin_to_end`, for nobody to take in so many seconds."""
    state = SignUpState.INVITED if sign_up.state == SignUpState.ENDING else sign_up.state
    SignUp.objects.filter(pk=sign_up.pk, leased_by=holder).update(state=state)
    put_off(sign_up, holder, seconds=seconds)


def finish(sign_up: SignUp, holder: str, **fields: Any) -> None:
    """Writes the fields and ends the lease, unless another holder has the row by now.

    Where the sign-up was ended meanwhile (`sign_up.give_way`), it stays ended.
    """
    ours = SignUp.objects.filter(pk=sign_up.pk, leased_by=holder)
    free: dict[str, Any] = {"leased_until": None, "leased_by": ""}
    if not ours.filter(expires_at=sign_up.expires_at).update(**fields, **free):
        lasting = {name: value for name, value in fields.items() if name not in ("due_at", "expires_at")}
        ours.update(**lasting, **free)


def put_off(sign_up: SignUp, holder: str, *, seconds: float) -> None:
    """Leaves it as it was, for nobody to take in so many seconds."""
    ours = SignUp.objects.filter(pk=sign_up.pk, leased_by=holder)
    ours.update(leased_until=Now() + timedelta(seconds=seconds))


def delete(sign_up: SignUp, holder: str) -> bool:
    """False where another holder has it by now."""
    return bool(SignUp.objects.filter(pk=sign_up.pk, leased_by=holder).delete()[0])


def _free() -> QuerySet[SignUp]:
    return SignUp.objects.filter(Q(leased_until=None) | Q(leased_until__lt=Now()))


def _claim_address(email: str, wanted: QuerySet[SignUp], holder: str) -> SignUp | None:
    rows = SignUp.objects.filter(email=email)
    locked = list(rows.select_for_update(skip_locked=True).order_by("created_at", "pk"))
    # One that is locked or leased is somebody else's, and the others wait for it.
    if not locked or rows.count() != len(locked) or rows.filter(leased_until__gte=Now()).exists():
        return None
    _make_one(locked)
    sign_up = wanted.filter(email=email).first()
    if sign_up is not None:
        until = Now() + timedelta(seconds=LEASE_SECONDS)
        rows.filter(pk=sign_up.pk).update(leased_by=holder, leased_until=until)
    return sign_up


def _make_one(rows: Sequence[SignUp]) -> None:
    """`rows` are all of an address, the oldest first."""
    first, last = rows[0], rows[-1]
    if first is last:
        return
    SignUp.objects.filter(pk__in=[row.pk for row in rows[1:]]).delete()
    SignUp.objects.filter(pk=first.pk).update(
        organisation=last.organisation,
        name=last.name,
        language=last.language,
        expires_at=last.expires_at,
        due_at=last.due_at,
        # Of a user that exists, somebody has to be mailed again.
        state=SignUpState.INVITED if may_have_user(first) else SignUpState.WAITING,
        attempts=0,
        leased_by="",
    )
