"""The life of a tenant: pending → active ⇄ suspended → closing → closed.

Triggers in the database refuse all other transitions too, also those that do not come through this program.
"""

from __future__ import annotations

from enum import StrEnum

from tenants.domain.errors import NotNow

# Of a grace period, after which a tenant's rows may be purged.
MOST_GRACE_DAYS = 3650


class TenantState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"

    @property
    def may_be_changed(self) -> bool:
        """Whether the tenant's details and members may change: not once it is being closed."""
        return self not in (TenantState.CLOSING, TenantState.CLOSED)


_S = TenantState
# Closing ends in closed once the rows are deleted. Until the grace period ends, a tenant can be reopened as it was.
TRANSITIONS: dict[TenantState, tuple[TenantState, ...]] = {
    _S.PENDING: (_S.ACTIVE, _S.CLOSING),
    _S.ACTIVE: (_S.SUSPENDED, _S.CLOSING),
    _S.SUSPENDED: (_S.ACTIVE, _S.CLOSING),
    _S.CLOSING: (_S.PENDING, _S.ACTIVE, _S.SUSPENDED, _S.CLOSED),
    _S.CLOSED: (),
}
# The states in which users are enabled in Cognito. The first owner has to be, before the tenant becomes active.
MAY_SIGN_IN = (_S.PENDING, _S.ACTIVE)
_IN_WORDS = {
    _S.PENDING: "waits for its first owner",
    _S.ACTIVE: "is active",
    _S.SUSPENDED: "is suspended",
    _S.CLOSING: "is being closed",
    _S.CLOSED: "is closed for good",
}


def in_words(state: str) -> str:
    """The state as the end of a sentence that begins with the tenant's name."""
    return _IN_WORDS[TenantState(state)]


def check_transition(*, name: str, now: str, to: str) -> None:
    """Raises NotNow if the tenant called `name` cannot go from state `now` to state `to`."""
    if TenantState(to) not in TRANSITIONS[TenantState(now)]:
        raise NotNow(f"{name} {in_words(now)}, so this cannot be done now. Nothing was changed.")
