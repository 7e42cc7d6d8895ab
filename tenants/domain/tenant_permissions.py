"""Who may change an organisation as such. The one table: pages, commands and use cases ask it, and tests read it.

`permissions` beside it is about the people of an organisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import IN_AN_ORGANISATION, Role


class TenantAction(StrEnum):
    """`SEE` opens the settings. `REOPEN` is for a closing that the organisation itself began."""

    SEE = "see"
    RENAME = "rename"
    CHANGE_SLUG = "slug"
    CHANGE_CONTACT = "contact"
    CHANGE_METADATA = "metadata"
    CHANGE_DOMAINS = "domains"
    CHANGE_PLAN = "plan"
    CLOSE = "close"
    REOPEN = "reopen"


A = TenantAction
_ADMIN = frozenset({A.SEE, A.RENAME, A.CHANGE_CONTACT, A.CHANGE_METADATA})
# The short name is what scripts and commands call the organisation by.
_OWNER = _ADMIN | {A.CHANGE_SLUG, A.CHANGE_DOMAINS, A.CLOSE, A.REOPEN}
_EVERYTHING = frozenset(A)

# By the role of a member of the organisation, or by the kind of any other actor. What is missing is a no.
MAY: Mapping[str, frozenset[TenantAction]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.EDITOR: frozenset(),
    Role.VIEWER: frozenset(),
    ActorKind.OPERATOR: _EVERYTHING,
    ActorKind.BREAK_GLASS: _EVERYTHING,
    ActorKind.TERMINAL: _EVERYTHING,
    ActorKind.WORKER: _EVERYTHING,
    ActorKind.VISITOR: frozenset(),
}
# The roles that open an organisation's settings.
SETTINGS_READERS = tuple(role for role in IN_AN_ORGANISATION if A.SEE in MAY[role])


def why_may_not(by: Actor, action: TenantAction) -> str:
    """Why `by` may not do it, "" where they may. Not checked: that a member is one of this organisation."""
    role = by.role if by.kind == ActorKind.MEMBER else by.kind
    if action in MAY.get(role, frozenset()):
        return ""
    if action not in _OWNER:
        return "Only operators can do this."
    return "Only owners and admins can do this." if action in _ADMIN else "Only owners can do this."
