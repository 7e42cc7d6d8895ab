"""Who may change an organisation as such: every actor, every action."""

from __future__ import annotations

import pytest

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_permissions import SETTINGS_READERS, TenantAction, why_may_not

A = TenantAction
# Written again here, because the test checks the table.
OF_MEMBERS = {
    Role.OWNER: set(A) - {A.CHANGE_PLAN},
    Role.ADMIN: {A.SEE, A.RENAME, A.CHANGE_CONTACT, A.CHANGE_METADATA},
    Role.EDITOR: set(),
    Role.VIEWER: set(),
}  # fmt: skip
OPERATORS = (ActorKind.OPERATOR, ActorKind.BREAK_GLASS, ActorKind.TERMINAL, ActorKind.WORKER)


def may(by: Actor) -> set[TenantAction]:
    return {action for action in TenantAction if not why_may_not(by, action)}


@pytest.mark.parametrize("role", IN_AN_ORGANISATION)
def test_a_member_may_what_the_role_says(role: Role) -> None:
    assert may(Actor("a", "a", ActorKind.MEMBER, role)) == OF_MEMBERS[role]


@pytest.mark.parametrize("kind", OPERATORS)
def test_operators_and_programs_may_everything(kind: ActorKind) -> None:
    assert may(Actor("a", "a", kind)) == set(TenantAction)


@pytest.mark.parametrize(
    ("kind", "role"), [(ActorKind.VISITOR, ""), (ActorKind.MEMBER, ""), (ActorKind.MEMBER, "boss")]
)
def test_an_unknown_role_may_nothing(kind: ActorKind, role: str) -> None:
    assert may(Actor("a", "a", kind, role)) == set()


def test_owners_and_admins_read_the_settings() -> None:
    assert set(SETTINGS_READERS) == {Role.OWNER, Role.ADMIN}
