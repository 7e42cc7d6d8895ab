"""The life of a tenant: pending → active ⇄ suspended → closing → closed."""

from __future__ import annotations

from enum import StrEnum


class TenantState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSING = "closing"
    CLOSED = "closed"
