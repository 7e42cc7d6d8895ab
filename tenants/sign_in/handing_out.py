"""Handing a person their own temporary credentials, for a terminal.

They are those of this sign-in, and carry its tags. They go into no log, no address and no entry of the audit trail,
which only says that they were taken and when they end.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.credentials import Credentials
from tenants.domain.errors import NotNow
from tenants.limits import is_within
from tenants.sign_in.federation import Federation
from tenants.sign_in.sessions import SignedIn

MOST_A_MINUTE = 3
# With less left, new ones are fetched: they would end while somebody still types.
LEAST_SECONDS = 20 * 60


def hand_out_credentials(who: SignedIn, federation: Federation) -> Credentials:
    """Recorded before they are returned. Raises NotNow if this sign-in asks too often, and what `Federation` does."""
    if not is_within(MOST_A_MINUTE, f"credentials of {who.sign_in_id}"):
        raise NotNow("You took your credentials often in this minute. Wait a minute and try again.")
    credentials = federation.credentials_for(who)
    if credentials.expire_within(LEAST_SECONDS, now=time.time()):
        federation.drop(who)
        credentials = federation.credentials_for(who)
    until = datetime.fromtimestamp(credentials.expires_at, tz=UTC).isoformat()
    record(Action.CREDENTIALS_TAKEN, by=who.actor, org=who.org, after={"until": until})
    return credentials
