"""Sign-ups that are due, handed out address by address: each to one holder at a time, until the lease runs out.

Before an address is handed out, its rows become one: the oldest, whose org id a user may have already, with what was
typed last. So there is one user for an address and one org id, however often somebody sends the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from tenants.models import SignUp, SignUpState

LEASE_SECONDS = 60.0
_CANDIDATES = 20


def due() -> QuerySet[SignUp]:
    """Sign-ups that somebody has to be mailed about, the longest due first."""
    return _free().filter(due_at__lte=timezone.now()).order_by("due_at", "pk")


def expired() -> QuerySet[SignUp]:
    return _free().filter(expires_at__lte=timezone.now()).order_by("expires_at", "pk")


def claim(wanted: QuerySet[SignUp], holder: str) -> SignUp | None:
    """Leases the first one of `wanted` whose address nobody else works on. Its row as it was before the lease."""
    # Outside a transaction: on SQLite that would keep all other processes from writing.
    for email in dict.fromkeys(wanted.values_list("email", flat=True)[:_CANDIDATES]):
        with transaction.atomic():
            if (sign_up := _claim_address(email, wanted, holder)) is not None:
                return sign_up
    return None


def may_have_user(sign_up: SignUp) -> bool:
    """Whether a worker has made its user, or began to and was killed."""
    return sign_up.state == SignUpState.INVITED or sign_up.attempts > 0 or bool(sign_up.leased_by)


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
