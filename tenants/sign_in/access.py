"""Who may open a view: declared on the view, enforced at the door. A view that declares nothing opens for nobody.

What a person may then do to rows is IAM's decision. Roles are asked here only so that people are told early.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.cache import cache
from django.http import HttpRequest

from tenants.domain.claims import Claims
from tenants.domain.errors import MembershipChanged, Misconfigured, OnlyOperatorsPages, RoleTooLow, SignInNeeded
from tenants.domain.log_context import note
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.sign_in.break_glass import ACCESS_LASTS, BreakGlass, opened_by
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import ClaimsOutOfDate, Standing, check_standing, standing_of
from tenants.sign_in.wiring import sessions

_SESSION_KEY = "sign_in"
_GLASS_KEY = "break_glass"
_NO_SIGN_IN = uuid.UUID(int=0)
# While token and database differ, Cognito is not asked for a newer token at every request.
LOOK_AGAIN_SECONDS = 15
_View = TypeVar("_View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """`in_words` is for the documentation and the tests' matrix; `roles` None means that nobody needs to sign in."""

    in_words: str
    roles: tuple[Role, ...] | None
    looks_at_session: bool = True


def _declare(access: Access) -> Callable[[_View], _View]:
    def declare(view: _View) -> _View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return declare


# The door does not even look: signing in and out, and what machines ask.
open_to_all = _declare(Access("everybody, signed in or not", None, looks_at_session=False))
# A visitor, or somebody signed in and in good standing.
visitors_welcome = _declare(Access("everybody", None))
signed_in_only = _declare(Access("everybody who is signed in", tuple(Role)))
members_only = _declare(Access("members of an organisation", IN_AN_ORGANISATION))
operators_only = _declare(Access("operators of the platform", (Role.OPERATOR,)))


def access_of(view: Callable[..., Any]) -> Access:
    """Raises Misconfigured for a view that declares nothing."""
    access = getattr(view, "access", None)
    if not isinstance(access, Access):
        raise Misconfigured(f"the view {getattr(view, '__qualname__', view)} does not say who may open it")
    return access


def admit(request: HttpRequest, access: Access) -> SignedIn | None:
    """The person at the door, renewed if need be and in good standing; None for a visitor where they are welcome.

    Raises SignInNeeded, SessionEnded, NoOrganisation, MembershipEnded, MembershipChanged, TenantSuspended, RoleTooLow,
    OnlyOperatorsPages or Unavailable.
    """
    who = presented(request) if access.looks_at_session else None
    if who is None:
        if access.roles is not None:
            raise SignInNeeded
        return None
    if who.break_glass is not None:
        return _through_the_glass(who, who.break_glass, access)
    note(sub=who.claims.sub, org=who.claims.org)
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


def presented(request: HttpRequest) -> SignedIn | None:
    """Who the session says it is, unchecked beyond that: enough for a page's header, not for opening a view.

    None as well for a session that this version of the portal did not write: they sign in again.
    """
    if _GLASS_KEY in request.session:
        return _behind_glass(request.session[_GLASS_KEY])
    stored: Any = request.session.get(_SESSION_KEY)
    try:
        sign_in_id, claims = uuid.UUID(stored["id"]), Claims.from_session(stored["claims"])
        standing = standing_of(int(stored["person"]))
    except (KeyError, TypeError, ValueError):
        return None
    return SignedIn(sign_in_id, claims, standing) if standing else None


def remember(request: HttpRequest, *, sign_in_id: uuid.UUID, person_id: int, claims: Claims) -> None:
    if request.session.pop(_GLASS_KEY, None) is not None:
        request.session.set_expiry(None)
    request.session[_SESSION_KEY] = {
        "id": str(sign_in_id),
        "person": person_id,
        "claims": claims.for_session(),
    }


def remember_break_glass(request: HttpRequest, opened: BreakGlass) -> None:
    """In a new session: whoever was signed in with this browser is not any more."""
    request.session.flush()
    request.session[_GLASS_KEY] = opened.link_id
    request.session.set_expiry(int(ACCESS_LASTS.total_seconds()))


def _behind_glass(link_id: Any) -> SignedIn | None:
    """Whoever used the link, as an operator without a token; None once that is over."""
    opened = opened_by(link_id) if type(link_id) is int else None
    if opened is None:
        return None
    claims = Claims(sub="", email="", name="", org="", role=Role.OPERATOR, expires_at=0)
    standing = Standing(person_id=0, sub="", email="", name="Break-glass access", role=Role.OPERATOR, enabled=True)
    return SignedIn(_NO_SIGN_IN, claims, standing, opened)


def _through_the_glass(who: SignedIn, opened: BreakGlass, access: Access) -> SignedIn:
    """Operators' pages and what is open to visitors; everything else needs credentials, of which there are none."""
    note(break_glass=str(opened.link_id))
    if access.roles not in {None, (Role.OPERATOR,)}:
        raise OnlyOperatorsPages
    return who


def _in_good_standing(request: HttpRequest, who: SignedIn) -> SignedIn:
    if sessions().needs_renewal(who.claims):
        who = _renewed(request, who, even_if_fresh=False)
    try:
        check_standing(who.standing, who.claims)
    except ClaimsOutOfDate:
        if not cache.add(f"looked-again:{who.sign_in_id}", 1, timeout=LOOK_AGAIN_SECONDS):
            raise MembershipChanged(_whose(who)) from None
        who = _renewed(request, who, even_if_fresh=True)
        _check_new_claims(who)
    return who


def _check_new_claims(who: SignedIn) -> None:
    try:
        check_standing(who.standing, who.claims)
    except ClaimsOutOfDate as error:
        raise MembershipChanged(_whose(who)) from error


def _whose(who: SignedIn) -> str:
    return who.standing.tenant_name or "the platform's operators"


def _renewed(request: HttpRequest, who: SignedIn, *, even_if_fresh: bool) -> SignedIn:
    claims = sessions().renew(who.sign_in_id, who.claims, even_if_fresh=even_if_fresh)
    remember(request, sign_in_id=who.sign_in_id, person_id=who.standing.person_id, claims=claims)
    return SignedIn(who.sign_in_id, claims, who.standing)
