"""Members: one address, one membership, one owner at least; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.members.roster import add_member, desired_user, disable, enable, remove, set_role, try_now
from tenants.models import AuditEvent, Member, Person, Provisioning, Tenant
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import at_once, entries_since, last_entry, refused, tenant_in

S = TenantState
OWNER, PETER = "owner@initech.example", "peter@initech.example"
CHANGES: dict[str, Callable[[Member], Any]] = {
    "role": lambda member: set_role(member, Role.EDITOR, by=SOMEBODY),
    "disable": lambda member: disable(member, by=SOMEBODY),
    "remove": lambda member: remove(member, by=SOMEBODY),
}


def added(tenant: Tenant | None, **given: Any) -> Member:
    return add_member(**{"tenant": tenant, "email": PETER, "name": "", "role": Role.VIEWER, "by": SOMEBODY, **given})


def operator(email: str) -> Member:
    return added(None, email=email, role=Role.OPERATOR)


@pytest.mark.django_db
def test_somebody_new_is_to_be_made_in_cognito_and_everything_about_it_is_written_down() -> None:
    tenant = tenant_in(S.ACTIVE)
    before = last_entry()
    peter = added(tenant, email=" Peter@Initech.Example ", name="Peter  Gibbons", language="en-GB", why="new")
    assert (peter.person.email, peter.person.name, peter.person.language) == (PETER, "Peter Gibbons", "en-gb")
    assert (peter.provisioning, peter.enabled, peter.sign_out) == (Provisioning.DUE, True, False)
    (entry,) = entries_since(before)
    assert (entry.action, entry.target, entry.after, entry.why) == (
        Action.MEMBER_ADDED,
        PETER,
        {"role": "viewer"},
        "new",
    )
    assert entry.org == tenant.org_id


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "says", "field"),
    [
        ({"email": "peter"}, "with one @", "email"),
        ({"email": "peter@"}, "a domain", "email"),
        ({"email": "pe\u202eter@initech.example"}, "letters from a to z", "email"),
        ({"email": "peter@initech.example\x00"}, "a domain", "email"),
        ({"name": "Peter\u200b"}, r"U\+200B", "name"),
        ({"language": "English"}, "as a code", "language"),
        ({"role": Role.OPERATOR}, "Choose one of the roles owner, admin", "role"),
        ({"tenant": None}, "Only operators are in none", "role"),
    ],
)
def test_what_cannot_be_used_is_named_and_adds_nobody(given: dict[str, Any], says: str, field: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    with refused(InvalidInput, says, recorded_as=Action.MEMBER_REFUSED) as told:
        added(given.pop("tenant", tenant), **given)
    assert told.value.field == field
    assert told.value.message.isprintable()


@pytest.mark.django_db
@pytest.mark.parametrize("email", [PETER, "PETER@Initech.Example"])
def test_an_address_is_one_persons_however_it_is_written(email: str) -> None:
    tenant, other = tenant_in(S.ACTIVE), tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    added(tenant)
    with refused(InvalidInput, "is a member of Initech already", recorded_as=Action.MEMBER_REFUSED):
        added(tenant, email=email)
    for elsewhere, role in ((other, Role.OWNER), (None, Role.OPERATOR)):
        with refused(InvalidInput, "is in another organisation", recorded_as=Action.MEMBER_REFUSED) as told:
            added(elsewhere, email=email, role=role)
        assert "Initech" not in told.value.message


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["somebody new", "somebody who was here before"])
def test_of_two_who_invite_the_same_person_at_once_one_is_told(known: bool) -> None:
    if known:
        Person.objects.create(email=PETER)
    tenants = [tenant_in(S.ACTIVE), tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")]
    answers = at_once(*(lambda tenant=tenant: added(tenant) for tenant in tenants * 2))
    assert len([answer for answer in answers if answer is None]) == 1
    assert all(isinstance(answer, InvalidInput | None) for answer in answers)
    assert Member.objects.filter(person__email=PETER).count() == Person.objects.filter(email=PETER).count() == 1
    assert AuditEvent.objects.filter(action=Action.MEMBER_REFUSED).count() == 3


@pytest.mark.django_db
def test_somebody_removed_can_be_invited_again_once_cognito_has_let_them_go() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = remove(added(tenant, name="Peter"), by=SOMEBODY)
    with refused(InvalidInput, "Cognito still has their user", recorded_as=Action.MEMBER_REFUSED):
        added(tenant)
    peter.delete()
    assert added(tenant, name="Peter Gibbons").person == peter.person
    assert Person.objects.get(email=PETER).name == "Peter Gibbons"


@pytest.mark.django_db
def test_a_name_that_cognito_knows_is_not_changed_by_an_invitation() -> None:
    person = Person.objects.create(email=PETER, name="Peter", sub="5f0b9c1e-0000-4000-8000-000000000001")
    assert added(tenant_in(S.ACTIVE), name="Somebody Else").person == person
    assert Person.objects.get(pk=person.pk).name == "Peter"


@pytest.mark.django_db
@pytest.mark.parametrize("change", list(CHANGES))
def test_the_only_owner_stays_one_until_somebody_else_is(change: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    owner = member_called(OWNER)
    added(tenant, role=Role.ADMIN)
    disable(added(tenant, email="milton@initech.example", role=Role.OWNER), by=SOMEBODY)
    with refused(NotNow, "only owner of Initech. Make somebody else an owner", recorded_as=Action.MEMBER_REFUSED):
        CHANGES[change](owner)
    set_role(member_called(PETER), Role.OWNER, by=SOMEBODY)
    CHANGES[change](owner)
    assert Member.objects.get(pk=owner.pk).provisioning == Provisioning.DUE


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_step_down_at_once_one_is_told_and_stays() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = added(tenant, role=Role.OWNER)
    answers = at_once(
        lambda: set_role(member_called(OWNER), Role.VIEWER, by=SOMEBODY), lambda: remove(peter, by=SOMEBODY)
    )
    assert [type(answer) for answer in answers].count(NotNow) == 1
    assert Member.objects.filter(tenant=tenant, role=Role.OWNER, enabled=True, removed=False).count() == 1
    assert AuditEvent.objects.filter(action=Action.MEMBER_REFUSED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_platform_keeps_an_operator_too() -> None:
    members = [operator(f"o{number}@platform.example") for number in range(2)]
    answers = at_once(*(lambda member=member: disable(member, by=SOMEBODY) for member in members))
    assert [type(answer) for answer in answers].count(NotNow) == 1
    assert Member.objects.filter(tenant=None, enabled=True).count() == 1
    assert "the only operator. Add another one first" in str(next(answer for answer in answers if answer))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "may"), [(S.PENDING, 1), (S.ACTIVE, 1), (S.SUSPENDED, 1), (S.CLOSING, 0), (S.CLOSED, 0)]
)
def test_members_change_until_their_tenant_is_closed(state: TenantState, may: int) -> None:
    tenant = tenant_in(state)
    if may:
        assert set_role(added(tenant), Role.EDITOR, by=SOMEBODY).role == Role.EDITOR
        return
    for ask in (lambda: added(tenant), lambda: set_role(member_called(OWNER), Role.VIEWER, by=SOMEBODY)):
        with refused(NotNow, "so its members stay as they are", recorded_as=Action.MEMBER_REFUSED):
            ask()


@pytest.mark.django_db
def test_nobody_becomes_an_operator_or_stops_being_one_by_a_change_of_role() -> None:
    added(tenant_in(S.ACTIVE))
    operator("olive@platform.example")
    for email, role in ((PETER, Role.OPERATOR), ("olive@platform.example", Role.OWNER)):
        with refused(InvalidInput, "by a change of role", recorded_as=Action.MEMBER_REFUSED):
            set_role(member_called(email), role, by=SOMEBODY)


@pytest.mark.django_db
def test_what_is_changed_is_due_again_and_written_down_and_what_stays_as_it_was_is_neither() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = added(tenant)
    Member.objects.filter(pk=peter.pk).update(provisioning=Provisioning.SETTLED, due_at=None)
    before = last_entry()
    enable(peter, by=SOMEBODY)
    set_role(peter, Role.VIEWER, by=SOMEBODY)
    assert (entries_since(before), member_called(PETER).provisioning) == ([], Provisioning.SETTLED)
    disabled = disable(peter, by=SOMEBODY, why="left")
    assert (disabled.provisioning, disabled.sign_out, disabled.generation) == (Provisioning.DUE, True, 2)
    should_be = desired_user(disabled)
    assert should_be
    assert not should_be.enabled
    (entry,) = entries_since(before)
    assert (entry.before, entry.after, entry.why) == ({"enabled": True}, {"enabled": False}, "left")


@pytest.mark.django_db
@pytest.mark.parametrize("gone", ["removed", "deleted"])
def test_somebody_who_is_gone_is_told_so_whoever_asks_late(gone: str) -> None:
    peter = added(tenant_in(S.ACTIVE))
    remove(peter, by=SOMEBODY)
    if gone == "deleted":
        Member.objects.filter(pk=peter.pk).delete()
    for change in CHANGES.values():
        with refused(NotNow, "peter@initech.example has been removed already", recorded_as=Action.MEMBER_REFUSED):
            change(peter)


@pytest.mark.django_db
def test_a_member_who_is_stuck_is_tried_again_when_somebody_says_so() -> None:
    peter = added(tenant_in(S.ACTIVE))
    stuck = {"provisioning": Provisioning.STUCK, "last_error": "no such domain", "attempts": 3}
    Member.objects.filter(pk=peter.pk).update(**stuck)
    before = last_entry()
    try_now(member_called(PETER), by=SOMEBODY)
    again = member_called(PETER)
    assert (again.provisioning, again.attempts, again.last_error) == (Provisioning.DUE, 0, "")
    (entry,) = entries_since(before)
    assert (entry.action, entry.why) == (Action.MEMBER_RETRIED, "no such domain")
    Member.objects.filter(pk=peter.pk).delete()
    with refused(NotNow, "removed already", recorded_as=Action.MEMBER_REFUSED):
        try_now(again, by=SOMEBODY)
