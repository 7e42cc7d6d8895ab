"""The life of a tenant: pending → active ⇄ suspended → closing → closed.

The database refuses every other step as well, whoever asks for it: see the triggers of the migrations.
"""

from __future__ import annotations

from enum import StrEnum

from tenants.domain.errors import NotNow


class TenantState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"


S = TenantState
# Closing ends in closed when the rows are gone, or goes back to where it came from while the grace period lasts.
STEPS: dict[TenantState, tuple[TenantState, ...]] = {
    S.PENDING: (S.ACTIVE, S.CLOSING),
    S.ACTIVE: (S.SUSPENDED, S.CLOSING),
    S.SUSPENDED: (S.ACTIVE, S.CLOSING),
    S.CLOSING: (S.PENDING, S.ACTIVE, S.SUSPENDED, S.CLOSED),
    S.CLOSED: (),
}
# Closing freezes as suspending does, and a pending tenant's first owner has to be able to come.
MAY_SIGN_IN = (S.PENDING, S.ACTIVE)
_SAID = {
    S.PENDING: "waits for its first owner",
    S.ACTIVE: "is active",
    S.SUSPENDED: "is suspended",
    S.CLOSING: "is being closed",
    S.CLOSED: "is closed for good",
}


def in_words(state: str) -> str:
    """As the second half of a sentence about a tenant."""
    return _SAID[TenantState(state)]


def check_step(*, name: str, now: str, to: str) -> None:
    """Raises NotNow where the tenant called `name` cannot go from `now` to `to`."""
    if TenantState(to) not in STEPS[TenantState(now)]:
        raise NotNow(f"{name} {in_words(now)}, so this cannot be done now. Nothing was changed.")
