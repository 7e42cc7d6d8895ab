"""A signed-in person's temporary AWS credentials, with as few exchanges as possible.

Credentials are kept in this process and, sealed, in the shared cache, by sign-in, organisation and role, so that
another role or organisation never finds them. There is no fallback to the credentials of the process.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple, dataclass, field

from tenants.aws.failures import IdentityUnknown, TokenRefused
from tenants.aws.identity_pool import IdentityPool
from tenants.domain.credentials import Credentials
from tenants.domain.errors import SessionEnded, Unavailable
from tenants.sign_in.sealing import CannotOpen, Sealer
from tenants.sign_in.sessions import Sessions, SignedIn
from tenants.sign_in.single_flight import SharedCache, SingleFlight
from tenants.sign_in.standing import remember_identity

# In the last minutes of an hour one caller renews, and the others use what they have.
RENEW_BEFORE_SECONDS = 300
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
        """Raises SessionEnded where the identity pool refuses the token, and what `IdentityPool` raises."""
        key = _key(who)
        held = self._usable(self._held.get(key))
        if held is None:
            with self.flights.alone(key):
                return self._usable(self._held.get(key)) or self._find_or_exchange(key, who)
        if held.expire_within(RENEW_BEFORE_SECONDS, now=self.clock()):
            with self.flights.alone_or_not(key) as alone:
                return self._renew_early(key, who, held) if alone else held
        return held

    def drop(self, who: SignedIn) -> None:
        """Forgets the person's credentials: they signed out, or AWS no longer takes them."""
        with self._guard:
            self._held.pop(_key(who), None)
        self.cache.delete(_key(who))

    def _renew_early(self, key: str, who: SignedIn, held: Credentials) -> Credentials:
        try:
            return self._find_or_exchange(key, who)
        except Unavailable:
            # There are minutes left to try again in.
            return held

    def _usable(self, credentials: Credentials | None) -> Credentials | None:
        if credentials is None or credentials.expire_within(UNUSABLE_BEFORE_SECONDS, now=self.clock()):
            return None
        return credentials

    def _find_or_exchange(self, key: str, who: SignedIn) -> Credentials:
        shared = self._read_shared(key)
        if shared is None or shared.expire_within(RENEW_BEFORE_SECONDS, now=self.clock()):
            shared = self._exchange(who)
            self._share(key, shared)
        self._hold(key, shared)
        return shared

    def _exchange(self, who: SignedIn) -> Credentials:
        id_token = self.sessions.tokens_of(who.sign_in_id).id_token
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

    def _share(self, key: str, credentials: Credentials) -> None:
        sealed = self.sealer.seal(json.dumps(astuple(credentials)), bound_to=key)
        self.cache.set(key, sealed, timeout=max(1, credentials.expires_at - self.clock()))

    def _read_shared(self, key: str) -> Credentials | None:
        sealed = self.cache.get(key)
        if sealed is None:
            return None
        try:
            return Credentials(*json.loads(self.sealer.open(sealed, bound_to=key)))
        except CannotOpen:
            return None


def _key(who: SignedIn) -> str:
    return f"credentials:{who.sign_in_id}:{who.claims.org}:{who.claims.role}"
