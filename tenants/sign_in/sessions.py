"""Being signed in: tokens kept on the server, renewed before they run out, ended on both sides.

The browser holds a session cookie and nothing else. The session holds the verified claims; the tokens are sealed in
`SignIn`, one row a browser.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.id_tokens import IdTokenVerifier
from tenants.aws.token_endpoint import TokenEndpoint, Tokens
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.claims import Claims
from tenants.domain.errors import (
    MembershipChanged,
    NoOrganisation,
    PortalError,
    SessionEnded,
    SignInFailed,
    Unavailable,
)
from tenants.domain.keys import Space, own_space
from tenants.domain.org_id import OrgId
from tenants.domain.roles import Role
from tenants.models import (
    MOST_BROWSER,
    MOST_EMAIL,
    MOST_NAME,
    Member,
    Person,
    Provisioning,
    SecondFactor,
    SignIn,
    Tenant,
)
from tenants.sign_in.break_glass import BreakGlass
from tenants.sign_in.idle import Uses
from tenants.sign_in.sealing import CannotOpen, Sealer
from tenants.sign_in.single_flight import SingleFlight
from tenants.sign_in.standing import Standing, check_may_enter, forget_standing

# Renewed this long before it runs out, so that no call is made with a token that expires on the way.
RENEW_BEFORE_SECONDS = 45
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person at the door: what their verified token says, and what the database says of them.

    With `break_glass` nobody has signed in: there is no token and no Person, only a link that was used. `known_at` is
    when `standing` was read, by `time.monotonic`. `endings` is the person's number when the session began.
    """

    sign_in_id: uuid.UUID
    claims: Claims
    standing: Standing
    break_glass: BreakGlass | None = None
    known_at: float = field(default_factory=time.monotonic, compare=False)
    endings: int = 0

    @property
    def is_over(self) -> bool:
        """Whether all sessions of the person were ended since this one began."""
        return self.endings != self.standing.endings

    def check_goes_on(self) -> None:
        """Raises SessionEnded if it is over, or what locks the person out: that says more."""
        if self.is_over:
            if self.standing.role:
                check_may_enter(self.standing)
            raise SessionEnded("all sessions of this person were ended")

    @property
    def actor(self) -> Actor:
        """Who this is in the audit trail."""
        if self.break_glass is not None:
            return self.break_glass.actor
        return _actor(self.claims.sub, self.standing.email or self.standing.name, self.standing.role)

    @property
    def org(self) -> uuid.UUID | None:
        """Whose audit trail shows it. None for the platform's own, and where the token's org is not an org id."""
        return _org_of(self.claims)

    @property
    def space(self) -> Space:
        """The rows of the person's own organisation, from the verified claims. Raises NoOrganisation."""
        if not self.claims.org:
            raise NoOrganisation
        return own_space(OrgId(self.claims.org))


@dataclass(frozen=True, slots=True)
class Sessions:
    sealer: Sealer
    tokens: TokenEndpoint
    verifier: IdTokenVerifier
    flights: SingleFlight
    uses: Uses

    def begin(
        self, person: Person, tokens: Tokens, claims: Claims, *, session_hash: str = "", browser: str = ""
    ) -> uuid.UUID:
        """Keeps the tokens, and in which browser. `person` as read before.

        Raises SignInFailed if their sessions were ended since.
        """
        sign_in = SignIn(person=person, session_hash=session_hash, browser=browser[:MOST_BROWSER])
        sign_in.sealed_tokens = self._seal(sign_in.id, tokens)
        with transaction.atomic():
            _note_sign_in(person)
            _check_not_ended(person)
            sign_in.save()
            _record_sign_in(person, claims)
        return sign_in.id

    def begin_again(self, sign_in_id: uuid.UUID, person: Person, tokens: Tokens, claims: Claims) -> bool:
        """Puts newer tokens of the same person in place of the kept ones. False where that sign-in has ended."""
        with self.flights.alone(f"renew:{sign_in_id}"):
            try:
                replaced = self.tokens_of(sign_in_id)
            except SessionEnded:
                return False
            with transaction.atomic():
                # The member before the sign-in's row: code that ends sessions locks them in this order too.
                _note_sign_in(person)
                _check_not_ended(person)
                if not self.replace_tokens(sign_in_id, tokens):
                    return False
                SignIn.objects.filter(pk=sign_in_id).update(created_at=timezone.now())
                _record_sign_in(person, claims)
        self._revoke(replaced.refresh_token)
        return True

    def needs_renewal(self, claims: Claims) -> bool:
        return time.time() + RENEW_BEFORE_SECONDS >= claims.expires_at

    def renew(self, sign_in_id: uuid.UUID, old: Claims, *, even_if_fresh: bool = False) -> Claims:
        """New claims by the refresh token. Of many requests at once, one renews and the others get its claims.

        With `even_if_fresh`, claims that are still good are renewed too, unless another request just did that. Raises
        SessionEnded where Cognito refuses the refresh token, Throttled or Unreachable where Cognito does not answer.
        """
        with self.flights.alone(f"renew:{sign_in_id}"):
            kept = self.tokens_of(sign_in_id)
            claims = self._claims_in(kept.id_token)
            if claims and claims != old and not self.needs_renewal(claims):
                return claims
            if claims and not self.needs_renewal(claims) and not even_if_fresh:
                return claims
            return self._renew_now(sign_in_id, kept, old)

    def tokens_of(self, sign_in_id: uuid.UUID) -> Tokens:
        """Raises SessionEnded."""
        sealed = SignIn.objects.filter(pk=sign_in_id).values_list("sealed_tokens", flat=True).first()
        if sealed is None:
            raise SessionEnded("signed out")
        try:
            id_token, refresh_token = json.loads(self.sealer.open(bytes(sealed), bound_to=_place(sign_in_id)))
        except CannotOpen as error:
            raise SessionEnded(f"tokens cannot be opened: {error}") from error
        return Tokens(id_token=id_token, refresh_token=refresh_token)

    def id_token_for(self, who: SignedIn) -> str:
        """Raises SessionEnded, and MembershipChanged if another request has got a token for another role meanwhile.

        Otherwise credentials would be kept as those of a role that they are not for.
        """
        id_token = self.tokens_of(who.sign_in_id).id_token
        claims = self._claims_in(id_token)
        if claims and (claims.org, claims.role) != (who.claims.org, who.claims.role):
            raise MembershipChanged(who.standing.tenant_name)
        return id_token

    def replace_tokens(self, sign_in_id: uuid.UUID, tokens: Tokens) -> bool:
        """False where the browser has signed out meanwhile: then nothing is kept."""
        row = SignIn.objects.filter(pk=sign_in_id)
        return bool(row.update(sealed_tokens=self._seal(sign_in_id, tokens), used_at=timezone.now()))

    def end(self, who: SignedIn, *, why: str = "") -> None:
        """Deletes the tokens here, and revokes them if Cognito can be reached. The second time nothing happens."""
        try:
            refresh_token = self.tokens_of(who.sign_in_id).refresh_token
        except SessionEnded:
            refresh_token = ""
        with transaction.atomic():
            deleted, _ = SignIn.objects.filter(pk=who.sign_in_id).delete()
            self.uses.forget(who.sign_in_id)
            if deleted or who.break_glass:
                record(Action.SIGNED_OUT, by=who.actor, org=who.org, why=why)
        if refresh_token:
            self._revoke(refresh_token)

    def _revoke(self, refresh_token: str) -> None:
        try:
            self.tokens.revoke(refresh_token)
        except PortalError as error:
            _log.warning("refresh token not revoked", extra={"why": type(error).__name__})

    def _renew_now(self, sign_in_id: uuid.UUID, kept: Tokens, old: Claims) -> Claims:
        fresh = self.tokens.renew(kept.refresh_token)
        try:
            claims = self._claims_in(fresh.id_token)
        except Unavailable:
            # Cognito does not take the old refresh token again, so the new one is needed for the next try.
            self.replace_tokens(sign_in_id, replace(kept, refresh_token=fresh.refresh_token or kept.refresh_token))
            raise
        if claims is None or claims.sub != old.sub:
            raise SessionEnded("the renewed token is not this person's")
        rotated = Tokens(id_token=fresh.id_token, refresh_token=fresh.refresh_token or kept.refresh_token)
        if not self.replace_tokens(sign_in_id, rotated):
            self._revoke(rotated.refresh_token)
            raise SessionEnded("signed out meanwhile")
        return claims

    def _claims_in(self, unverified_token: str) -> Claims | None:
        try:
            return self.verifier.verify(unverified_token)
        except SignInFailed:
            return None

    def _seal(self, sign_in_id: uuid.UUID, tokens: Tokens) -> bytes:
        text = json.dumps([tokens.id_token, tokens.refresh_token])
        return self.sealer.seal(text, bound_to=_place(sign_in_id))


def _check_not_ended(person: Person) -> None:
    """Locks the person, so that their sessions are ended before this one begins, or with it."""
    now = Person.objects.select_for_update(no_key=True).filter(pk=person.pk).first()
    if now is None or now.endings != person.endings:
        raise SignInFailed("your sessions were ended while you signed in")


def _record_sign_in(person: Person, claims: Claims) -> None:
    by = _actor(claims.sub, person.email or person.name, claims.role)
    record(Action.SIGNED_IN, by=by, org=_org_of(claims), after={"role": claims.role})


def _note_sign_in(person: Person) -> None:
    """An invitation is over. From an owner's first sign-in on, operators make nobody a member of the tenant."""
    now = timezone.now()
    # Locked before the member, as everywhere, and the member is read after that: somebody may just be replacing them.
    waiting = Tenant.objects.filter(members__person=person, owner_signed_in_at=None)
    tenant = waiting.select_for_update(of=("self",)).first()
    members = Member.objects.filter(person=person, removed=False)
    members.update(signed_in_at=now)
    if settings.REQUIRE_MFA:
        _have_second_factor_seen(members, now)
    if tenant is not None and members.filter(tenant=tenant, role=Role.OWNER).exists():
        Tenant.objects.filter(pk=tenant.pk).update(owner_signed_in_at=now)


def _have_second_factor_seen(members: QuerySet[Member], now: datetime) -> None:
    """They have just set an authenticator up, or somebody will: the worker looks. The token does not say."""
    unseen = members.filter(provisioning=Provisioning.SETTLED).exclude(second_factor=SecondFactor.ENROLLED)
    # An attempt that is not the first begins with a look.
    unseen.update(provisioning=Provisioning.DUE, due_at=now, attempts=1)


def _place(sign_in_id: uuid.UUID) -> str:
    """What sealed tokens are bound to: in another row they do not open."""
    return f"sign-in {sign_in_id}"


def _org_of(claims: Claims) -> uuid.UUID | None:
    try:
        return uuid.UUID(claims.org)
    except ValueError:
        return None


def person_for(claims: Claims) -> Person:
    """Found by `sub` alone, never by an address. Name and e-mail are the token's; membership is not.

    So a user made anew in the pool is another person and no member, until the worker or a repair takes that user over.
    An address that Cognito has not verified is nobody's: a known person keeps theirs, and a new one does not get in.
    Raises SignInFailed.
    """
    try:
        sub = uuid.UUID(claims.sub)
    except ValueError as error:
        raise SignInFailed("the token's sub is not a UUID") from error
    # Cognito takes longer names than a page shows, and compares addresses without case.
    email, name = claims.email.casefold()[:MOST_EMAIL], claims.name[:MOST_NAME]
    known = Person.objects.filter(sub=sub).first()
    if not email:
        if known is None:
            raise SignInFailed("Cognito has not verified your e-mail address")
        email = known.email
    if known is not None and (known.email, known.name) == (email, name):
        return known
    with transaction.atomic():
        if not _is_free(email, sub):
            email = known.email if known else ""
        person, _ = Person.objects.update_or_create(sub=sub, defaults={"email": email, "name": name})
    forget_standing(person.pk)
    return person


def _is_free(email: str, sub: uuid.UUID) -> bool:
    """Takes the address from people who are members of nothing, whose users are gone or have another one by now.

    A member or somebody invited keeps theirs, though the pool has it for another user: nobody could name them without.
    """
    others = Person.objects.filter(email=email).exclude(sub=sub)
    others.filter(sub__isnull=False, memberships=None).update(email="")
    return not others.exists()


def _actor(sub: str, name: str, role: str) -> Actor:
    if role == Role.OPERATOR:
        return Actor(sub, name, ActorKind.OPERATOR)
    return Actor(sub, name, ActorKind.MEMBER, role)
