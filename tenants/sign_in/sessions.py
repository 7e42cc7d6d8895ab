"""Being signed in: tokens kept on the server, renewed before they run out, ended on both sides.

The browser holds a session cookie and nothing else. The session holds the verified claims; the tokens are sealed in
`SignIn`, one row a browser.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.id_tokens import IdTokenVerifier
from tenants.aws.token_endpoint import TokenEndpoint, Tokens
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.claims import Claims
from tenants.domain.errors import MembershipChanged, NoOrganisation, PortalError, SessionEnded, SignInFailed
from tenants.domain.keys import Space, own_space
from tenants.domain.org_id import OrgId
from tenants.domain.roles import Role
from tenants.models import MOST_EMAIL, MOST_NAME, Member, Person, SignIn, Tenant
from tenants.sign_in.break_glass import BreakGlass
from tenants.sign_in.sealing import CannotOpen, Sealer
from tenants.sign_in.single_flight import SingleFlight
from tenants.sign_in.standing import Standing, forget_standing

# Renewed this long before it runs out, so that no call is made with a token that expires on the way.
RENEW_BEFORE_SECONDS = 45
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person at the door: what their verified token says, and what the database says of them.

    With `break_glass` nobody has signed in: there is no token and no Person, only a link that was used. `known_at` is
    when `standing` was read, by `time.monotonic`.
    """

    sign_in_id: uuid.UUID
    claims: Claims
    standing: Standing
    break_glass: BreakGlass | None = None
    known_at: float = field(default_factory=time.monotonic, compare=False)

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
    # How long a browser stays signed in without being used: the life of the pool's refresh tokens.
    lifetime: timedelta

    def begin(self, person: Person, tokens: Tokens, claims: Claims) -> uuid.UUID:
        """Keeps the tokens. Deletes those of the person's browsers that were last used more than `lifetime` ago."""
        sign_in = SignIn(person=person)
        sign_in.sealed_tokens = self._seal(sign_in.id, tokens)
        by = _actor(claims.sub, person.email or person.name, claims.role)
        with transaction.atomic():
            SignIn.objects.filter(person=person, renewed_at__lt=timezone.now() - self.lifetime).delete()
            sign_in.save()
            _note_sign_in(person)
            record(Action.SIGNED_IN, by=by, org=_org_of(claims), after={"role": claims.role})
        return sign_in.id

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
        return bool(row.update(sealed_tokens=self._seal(sign_in_id, tokens), renewed_at=timezone.now()))

    def end(self, who: SignedIn, *, why: str = "") -> None:
        """Deletes the tokens here, and revokes them if Cognito can be reached. The second time nothing happens."""
        try:
            refresh_token = self.tokens_of(who.sign_in_id).refresh_token
        except SessionEnded:
            refresh_token = ""
        with transaction.atomic():
            deleted, _ = SignIn.objects.filter(pk=who.sign_in_id).delete()
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
        claims = self._claims_in(fresh.id_token)
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


def _note_sign_in(person: Person) -> None:
    """An invitation is over. From an owner's first sign-in on, operators make nobody a member of the tenant."""
    now = timezone.now()
    # Locked before the member, as everywhere, and the member is read after that: somebody may just be replacing them.
    waiting = Tenant.objects.filter(members__person=person, owner_signed_in_at=None)
    tenant = waiting.select_for_update(of=("self",)).first()
    members = Member.objects.filter(person=person, removed=False)
    members.update(signed_in_at=now)
    if tenant is not None and members.filter(tenant=tenant, role=Role.OWNER).exists():
        Tenant.objects.filter(pk=tenant.pk).update(owner_signed_in_at=now)


def _place(sign_in_id: uuid.UUID) -> str:
    """What sealed tokens are bound to: in another row they do not open."""
    return f"sign-in {sign_in_id}"


def _org_of(claims: Claims) -> uuid.UUID | None:
    try:
        return uuid.UUID(claims.org)
    except ValueError:
        return None


def person_for(claims: Claims) -> Person:
    """Found by `sub` alone. E-mail and name are the token's; membership is not. Raises SignInFailed."""
    try:
        sub = uuid.UUID(claims.sub)
    except ValueError as error:
        raise SignInFailed("the token's sub is not a UUID") from error
    # Cognito takes longer names than a page shows, and compares addresses without case.
    email, name = claims.email.casefold()[:MOST_EMAIL], claims.name[:MOST_NAME]
    person = Person.objects.filter(sub=sub).first()
    if person is not None and (person.email, person.name) == (email, name):
        return person
    with transaction.atomic():
        # The pool has an address once: another person with it has a new address by now, or is gone from the pool.
        Person.objects.filter(email=email, sub__isnull=False).exclude(sub=sub).update(email="")
        invited = Person.objects.filter(email=email, sub=None).first()
        if invited is not None and person is None and _was_invited(invited, claims):
            Person.objects.filter(pk=invited.pk).update(sub=sub, name=name)
        else:
            known = {"email": "" if invited else email, "name": name}
            Person.objects.update_or_create(sub=sub, defaults=known)
    person = Person.objects.get(sub=sub)
    forget_standing(person.pk)
    return person


def _was_invited(invited: Person, claims: Claims) -> bool:
    """Whether the portal made this user for the invited person, and failed before it saved their sub.

    Only the portal gives a user an organisation or a role, so a token that carries the invitation's is theirs.
    """
    invitation = Q(tenant__org_id=claims.org) if claims.org else Q(tenant=None, role=claims.role)
    return invited.memberships.filter(invitation, removed=False).exists()


def _actor(sub: str, name: str, role: str) -> Actor:
    if role == Role.OPERATOR:
        return Actor(sub, name, ActorKind.OPERATOR)
    return Actor(sub, name, ActorKind.MEMBER, role)
