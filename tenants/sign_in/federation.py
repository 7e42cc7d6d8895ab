"""A signed-in person's temporary AWS credentials, with as few exchanges as possible.

Credentials are kept in this process and, sealed, in the shared cache, by sign-in, organisation and role, so that
another role or organisation never finds them. They are bound to the membership's generation as well: those from before
a change of the membership are of no use to anybody, also where they could not be deleted. Whether the person still is
what they are for, the door asks, and in a long request each use asks again.
There is no fallback to the credentials of the process.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field, replace
from functools import partial

from django.core.cache import cache
from django.db import transaction

from tenants.aws.failures import IdentityUnknown, TokenRefused
from tenants.aws.identity_pool import IdentityPool
from tenants.domain.credentials import Credentials
from tenants.domain.errors import MembershipChanged, SessionEnded, Unavailable
from tenants.domain.roles import Role
from tenants.sign_in.sealing import CannotOpen, Sealer
from tenants.sign_in.sessions import Sessions, SignedIn
from tenants.sign_in.single_flight import SharedCache, SingleFlight
from tenants.sign_in.standing import ClaimsOutOfDate, check_standing, remember_identity, standing_of

# In the last minutes of an hour one caller renews, and the others use what they have.
RENEW_BEFORE_SECONDS = 300
# What the door has just read need not be read again: it costs a fifth of a short page.
_KNOWN_FOR_SECONDS = 1.0
# Not handed out: a call signed with them might arrive too late.
UNUSABLE_BEFORE_SECONDS = 30
MOST_PEOPLE_HELD = 20_000


@dataclass(slots=True)
class Federation:
    pool: IdentityPool
    sessions: Sessions
    sealer: Sealer
    cache: SharedCache
    flights: SingleFlight
    clock: Callable[[], float] = time.time
    _held: OrderedDict[str, Credentials] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def credentials_for(self, who: SignedIn) -> Credentials:
        """Raises SessionEnded where the identity pool refuses the token, and what `IdentityPool` raises.

        Raises what `check_standing` raises, and MembershipChanged, where the membership changed since the door, and
        SessionEnded where their sessions were ended since.
        """
        _check_is_still(who)
        key = _key(who)
        held = self._usable(self._held.get(_bound(who)))
        if held is None:
            with self.flights.alone(key):
                return self._usable(self._held.get(_bound(who))) or self._find_or_exchange(who)
        if held.expire_within(RENEW_BEFORE_SECONDS, now=self.clock()):
            with self.flights.alone_or_not(key) as alone:
                return self._renew_early(who, held) if alone else held
        return held

    def kept_for(self, who: SignedIn) -> Credentials | None:
        """Those at hand, None where the next call to AWS would fetch new ones. Asks nobody."""
        return self._usable(self._held.get(_bound(who))) or self._usable(self._read_shared(who))

    def drop(self, who: SignedIn) -> None:
        """Forgets the person's credentials: they signed out, or AWS no longer takes them."""
        with self._guard:
            self._held.pop(_bound(who), None)
        self.cache.delete(_key(who))

    def _renew_early(self, who: SignedIn, held: Credentials) -> Credentials:
        try:
            return self._find_or_exchange(who)
        except Unavailable:
            # There are minutes left to try again in.
            return held

    def _usable(self, credentials: Credentials | None) -> Credentials | None:
        if credentials is None or credentials.expire_within(UNUSABLE_BEFORE_SECONDS, now=self.clock()):
            return None
        return credentials

    def _find_or_exchange(self, who: SignedIn) -> Credentials:
        shared = self._read_shared(who)
        if shared is None or shared.expire_within(RENEW_BEFORE_SECONDS, now=self.clock()):
            shared = self._exchange(who)
            self._share(who, shared)
        self._hold(_bound(who), shared)
        return shared

    def _exchange(self, who: SignedIn) -> Credentials:
        id_token = self.sessions.id_token_for(who)
        try:
            if who.standing.identity_id:
                try:
                    return self.pool.credentials(who.standing.identity_id, id_token)
                except (IdentityUnknown, TokenRefused):
                    # The identity is of a pool that was replaced, or of another login: GetId tells, or refuses too.
                    pass
            identity_id = self.pool.identity_id(id_token)
            remember_identity(who.standing.person_id, identity_id)
            return self.pool.credentials(identity_id, id_token)
        except (TokenRefused, IdentityUnknown) as error:
            raise SessionEnded(f"the identity pool answered: {error.answer}") from error

    def _hold(self, key: str, credentials: Credentials) -> None:
        with self._guard:
            self._held[key] = credentials
            self._held.move_to_end(key)
            while len(self._held) > MOST_PEOPLE_HELD:
                self._held.popitem(last=False)

    def _share(self, who: SignedIn, credentials: Credentials) -> None:
        sealed = self.sealer.seal(json.dumps(astuple(credentials)), bound_to=_bound(who))
        self.cache.set(_key(who), b64encode(sealed).decode(), timeout=max(1, credentials.expires_at - self.clock()))

    def _read_shared(self, who: SignedIn) -> Credentials | None:
        """None also for a damaged copy, and for one from before the membership changed."""
        sealed = self.cache.get(_key(who))
        if not isinstance(sealed, str):
            return None
        try:
            return Credentials(*json.loads(self.sealer.open(b64decode(sealed), bound_to=_bound(who))))
        except (CannotOpen, TypeError, ValueError):
            return None


def forget_credentials(sign_ins: Iterable[tuple[uuid.UUID, str]]) -> None:
    """Drops what the shared cache holds of these sign-ins, each with the org id of its person, for every role."""
    keys = [_name(sign_in, org, role) for sign_in, org in sign_ins for role in Role]
    transaction.on_commit(partial(cache.delete_many, keys))


def _check_is_still(who: SignedIn) -> None:
    if time.monotonic() - who.known_at < _KNOWN_FOR_SECONDS:
        return
    now = standing_of(who.standing.person_id)
    try:
        if now is not None:
            check_standing(now, who.claims)
            replace(who, standing=now).check_goes_on()
            return
    except ClaimsOutOfDate:
        pass
    raise MembershipChanged(who.standing.tenant_name)


def _key(who: SignedIn) -> str:
    return _name(who.sign_in_id, who.claims.org, who.claims.role)


def _bound(who: SignedIn) -> str:
    return f"{_key(who)}:{who.standing.generation}"


def _name(sign_in_id: uuid.UUID, org: str, role: str) -> str:
    return f"credentials:{sign_in_id}:{org}:{role}"
