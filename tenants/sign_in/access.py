"""Who may open a view: declared on the view, enforced at the door. A view that declares nothing opens for nobody.

IAM decides what a person may do to rows. Roles are checked here only so that a refusal comes early.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.core.cache import cache
from django.http import HttpRequest

from tenants.domain.claims import Claims
from tenants.domain.errors import MembershipChanged, Misconfigured, OnlyOperatorsPages, RoleTooLow, SignInNeeded
from tenants.domain.log_context import note
from tenants.domain.permissions import MANAGERS
from tenants.domain.roles import IN_AN_ORGANISATION, RECORD_WRITERS, Role
from tenants.domain.tenant_permissions import SETTINGS_READERS
from tenants.sign_in.break_glass import ACCESS_LASTS, BreakGlass, access_by
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import (
    ClaimsOutOfDate,
    Standing,
    check_standing,
    standing_of,
)
from tenants.sign_in.wiring import sessions

_SESSION_KEY = "sign_in"
_BREAK_GLASS_KEY = "break_glass"
_NO_SIGN_IN = uuid.UUID(int=0)
# While token and database differ, a newer token is asked for once in this time, not at every request.
RENEWAL_PAUSE_SECONDS = 15
_View = TypeVar("_View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """`in_words` is for the documentation and the tests' matrix. With `roles` None nobody needs to sign in.

    `newcomers`: also people who have signed in and are members of nothing.
    """

    in_words: str
    roles: tuple[Role, ...] | None
    looks_at_session: bool = True
    newcomers: bool = False


def _declare(access: Access) -> Callable[[_View], _View]:
    def declare(view: _View) -> _View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return declare


# The door does not look at the session: signing in and out, and pages for machines.
open_to_all = _declare(Access("everybody, signed in or not", None, looks_at_session=False))
# A visitor, or somebody signed in and in good standing.
visitors_welcome = _declare(Access("everybody", None))
# The pages of a sign-up, where somebody may be signed in whose organisation does not exist yet.
visitors_and_newcomers = _declare(Access("everybody, members of nothing too", None, newcomers=True))
newcomers_welcome = _declare(Access("everybody who is signed in, members of nothing too", tuple(Role), newcomers=True))
signed_in_only = _declare(Access("everybody who is signed in", tuple(Role)))
members_only = _declare(Access("members of an organisation", IN_AN_ORGANISATION))
record_writers_only = _declare(Access("those who write an organisation’s records", RECORD_WRITERS))
owners_only = _declare(Access("owners of an organisation", (Role.OWNER,)))
# Which of them may do what to whom is asked again by each step.
managers_only = _declare(Access("those who manage an organisation’s members", MANAGERS))
settings_readers_only = _declare(Access("those who see an organisation’s settings", SETTINGS_READERS))
operators_only = _declare(Access("operators of the platform", (Role.OPERATOR,)))


def access_of(view: Callable[..., Any]) -> Access:
    """Raises Misconfigured for a view that declares nothing."""
    access = getattr(view, "access", None)
    if not isinstance(access, Access):
        raise Misconfigured(f"the view {getattr(view, '__qualname__', view)} does not say who may open it")
    return access


def admit(request: HttpRequest, access: Access) -> SignedIn | None:
    """The person at the door, in good standing and with renewed claims if need be; None for a welcome visitor.

    Raises SignInNeeded, SessionEnded, ArrivalNeeded, NoOrganisation, MembershipEnded, MembershipChanged,
    TenantSuspended, RoleTooLow, OnlyOperatorsPages or Unavailable.
    """
    who = person_of_session(request) if access.looks_at_session else None
    if who is None:
        if access.roles is not None:
            raise SignInNeeded
        return None
    if who.break_glass is not None:
        return _admit_break_glass(who, who.break_glass, access)
    note(sub=who.claims.sub, org=who.claims.org)
    who.check_goes_on()
    sessions().uses.note(who.sign_in_id)
    if sessions().needs_renewal(who.claims):
        who = _renew(request, who, even_if_fresh=False)
    if access.newcomers and not who.standing.role:
        return who
    who = _in_good_standing(request, who)
    if access.roles is not None and who.standing.role not in access.roles:
        raise RoleTooLow(have=who.standing.role, need=access.roles)
    return who


def signed_in_or_visitor(request: HttpRequest) -> SignedIn | None:
    """The person whom the door admitted, in a view that welcomes visitors."""
    who: SignedIn | None = request.signed_in  # type: ignore[attr-defined]
    return who


def signed_in(request: HttpRequest) -> SignedIn:
    """The person whom the door admitted, in a view that needs one."""
    who = signed_in_or_visitor(request)
    if who is None:
        raise TypeError("the door admitted a visitor to a view for people who are signed in")
    return who


def unchecked_person(request: HttpRequest) -> SignedIn | None:
    """The person whom the session names, unless it was ended: enough for a page's header, not for opening a view."""
    who = person_of_session(request)
    return None if who is None or who.is_over else who


def person_of_session(request: HttpRequest) -> SignedIn | None:
    """As `unchecked_person`, also of a session that was ended: enough to write down who was refused.

    None for a session that another version of the portal wrote: the person signs in again.
    """
    if _BREAK_GLASS_KEY in request.session:
        return _break_glass_person(request.session[_BREAK_GLASS_KEY])
    stored: Any = request.session.get(_SESSION_KEY)
    try:
        sign_in_id, claims = uuid.UUID(stored["id"]), Claims.from_session(stored["claims"])
        standing, endings = standing_of(int(stored["person"])), int(stored["endings"])
    except (KeyError, TypeError, ValueError):
        return None
    return SignedIn(sign_in_id, claims, standing, endings=endings) if standing else None


def remember(request: HttpRequest, *, sign_in_id: uuid.UUID, person_id: int, claims: Claims, endings: int) -> None:
    """`endings` is the person's number when the sign-in began: never one that was read later."""
    if request.session.pop(_BREAK_GLASS_KEY, None) is not None:
        request.session.set_expiry(None)
    request.session[_SESSION_KEY] = {
        "id": str(sign_in_id),
        "person": person_id,
        "claims": claims.for_session(),
        "endings": endings,
    }


def remember_break_glass(request: HttpRequest, opened: BreakGlass) -> None:
    """In a new session: a person who was signed in with this browser is signed out."""
    request.session.flush()
    request.session[_BREAK_GLASS_KEY] = opened.link_id
    request.session.set_expiry(int(ACCESS_LASTS.total_seconds()))


def _break_glass_person(link_id: Any) -> SignedIn | None:
    """An operator without a token; None once the link's access has ended."""
    opened = access_by(link_id) if type(link_id) is int else None
    if opened is None:
        return None
    claims = Claims(sub="", email="", name="", org="", role=Role.OPERATOR, expires_at=0)
    standing = Standing(person_id=0, sub="", email="", name="Break-glass access", role=Role.OPERATOR, enabled=True)
    return SignedIn(_NO_SIGN_IN, claims, standing, opened)


def _admit_break_glass(who: SignedIn, opened: BreakGlass, access: Access) -> SignedIn:
    """Opens operators' pages and visitors' pages. Others need AWS credentials, and there are none."""
    note(break_glass=str(opened.link_id))
    if access.roles not in {None, (Role.OPERATOR,)}:
        raise OnlyOperatorsPages
    return who


def _in_good_standing(request: HttpRequest, who: SignedIn) -> SignedIn:
    try:
        check_standing(who.standing, who.claims)
    except ClaimsOutOfDate:
        if not cache.add(f"renewed-early:{who.sign_in_id}", 1, timeout=RENEWAL_PAUSE_SECONDS):
            raise MembershipChanged(_organisation_of(who)) from None
        who = _renew(request, who, even_if_fresh=True)
        _check_new_claims(who)
    return who


def _check_new_claims(who: SignedIn) -> None:
    try:
        check_standing(who.standing, who.claims)
    except ClaimsOutOfDate as error:
        raise MembershipChanged(_organisation_of(who)) from error


def _organisation_of(who: SignedIn) -> str:
    return who.standing.tenant_name or "the platform's operators"


def _renew(request: HttpRequest, who: SignedIn, *, even_if_fresh: bool) -> SignedIn:
    claims = sessions().renew(who.sign_in_id, who.claims, even_if_fresh=even_if_fresh)
    remember(
        request,
        sign_in_id=who.sign_in_id,
        person_id=who.standing.person_id,
        claims=claims,
        endings=who.endings,
    )
    return replace(who, claims=claims)
