"""Members: one address, one membership, at least one owner; and what is refused."""

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
from tests.world.use_cases import assert_refused, entries_since, last_entry, run_at_once, tenant_in

S = TenantState
OWNER, PETER = "owner@initech.example", "peter@initech.example"
CHANGES: dict[str, Callable[[Member], Any]] = {
    "role": lambda member: set_role(member, Role.EDITOR, by=SOMEBODY),
    "disable": lambda member: disable(member, by=SOMEBODY),
    "remove": lambda member: remove(member, by=SOMEBODY),
}


def add(tenant: Tenant | None, **given: Any) -> Member:
    return add_member(**{"tenant": tenant, "email": PETER, "name": "", "role": Role.VIEWER, "by": SOMEBODY, **given})


def operator(email: str) -> Member:
    return add(None, email=email, role=Role.OPERATOR)


@pytest.mark.django_db
def test_a_new_member_is_due_and_recorded() -> None:
    tenant = tenant_in(S.ACTIVE)
    before = last_entry()
    peter = add(tenant, email=" Peter@Initech.Example ", name="Peter  Gibbons", language="en-GB", why="new")
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
        ({"email": "pe\u202eter@initech.example"}, r"U\+202E", "email"),
        ({"email": "peter@initech.example\x00"}, r"U\+0000", "email"),
        ({"name": "Peter\u200b"}, r"U\+200B", "name"),
        ({"language": "English"}, "as a code", "language"),
        ({"role": Role.OPERATOR}, "Choose one of the roles owner, admin", "role"),
        ({"tenant": None}, "Only operators are in none", "role"),
    ],
)
def test_input_that_cannot_be_used_is_named_and_adds_nobody(given: dict[str, Any], says: str, field: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    with assert_refused(InvalidInput, says, recorded_as=Action.MEMBER_REFUSED) as raised:
        add(given.pop("tenant", tenant), **given)
    assert raised.value.field == field
    assert raised.value.message.isprintable()


@pytest.mark.django_db
@pytest.mark.parametrize("email", [PETER, "PETER@Initech.Example"])
def test_an_address_belongs_to_one_person_in_any_spelling(email: str) -> None:
    tenant, other = tenant_in(S.ACTIVE), tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    add(tenant)
    with assert_refused(InvalidInput, "is a member of Initech already", recorded_as=Action.MEMBER_REFUSED):
        add(tenant, email=email)
    for elsewhere, role in ((other, Role.OWNER), (None, Role.OPERATOR)):
        with assert_refused(InvalidInput, "is in another organisation", recorded_as=Action.MEMBER_REFUSED) as raised:
            add(elsewhere, email=email, role=role)
        assert "Initech" not in raised.value.message


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["new person", "known person"])
def test_only_one_of_several_invitations_at_once_succeeds(known: bool) -> None:
    if known:
        Person.objects.create(email=PETER)
    tenants = [tenant_in(S.ACTIVE), tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")]
    answers = run_at_once(*(lambda tenant=tenant: add(tenant) for tenant in tenants * 2))
    assert len([answer for answer in answers if answer is None]) == 1
    assert all(isinstance(answer, InvalidInput | None) for answer in answers)
    assert Member.objects.filter(person__email=PETER).count() == Person.objects.filter(email=PETER).count() == 1
    assert AuditEvent.objects.filter(action=Action.MEMBER_REFUSED).count() == 3


@pytest.mark.django_db
def test_a_removed_person_can_be_invited_again_after_their_deletion() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = remove(add(tenant, name="Peter"), by=SOMEBODY)
    with assert_refused(InvalidInput, "Cognito still has their user", recorded_as=Action.MEMBER_REFUSED):
        add(tenant)
    peter.delete()
    assert add(tenant, name="Peter Gibbons").person == peter.person
    assert Person.objects.get(email=PETER).name == "Peter Gibbons"


@pytest.mark.django_db
def test_an_invitation_does_not_change_a_name_that_cognito_knows() -> None:
    person = Person.objects.create(email=PETER, name="Peter", sub="5f0b9c1e-0000-4000-8000-000000000001")
    assert add(tenant_in(S.ACTIVE), name="Somebody Else").person == person
    assert Person.objects.get(pk=person.pk).name == "Peter"


@pytest.mark.django_db
@pytest.mark.parametrize("change", list(CHANGES))
def test_the_only_owner_stays_owner_until_there_is_another(change: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    owner = member_called(OWNER)
    add(tenant, role=Role.ADMIN)
    disable(add(tenant, email="milton@initech.example", role=Role.OWNER), by=SOMEBODY)
    says = "only owner of Initech. Make somebody else an owner"
    with assert_refused(NotNow, says, recorded_as=Action.MEMBER_REFUSED):
        CHANGES[change](owner)
    set_role(member_called(PETER), Role.OWNER, by=SOMEBODY)
    CHANGES[change](owner)
    assert Member.objects.get(pk=owner.pk).provisioning == Provisioning.DUE


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_step_down_at_once_one_is_refused() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = add(tenant, role=Role.OWNER)
    answers = run_at_once(
        lambda: set_role(member_called(OWNER), Role.VIEWER, by=SOMEBODY), lambda: remove(peter, by=SOMEBODY)
    )
    assert [type(answer) for answer in answers].count(NotNow) == 1
    assert Member.objects.filter(tenant=tenant, role=Role.OWNER, enabled=True, removed=False).count() == 1
    assert AuditEvent.objects.filter(action=Action.MEMBER_REFUSED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_platform_keeps_an_operator() -> None:
    members = [operator(f"o{number}@platform.example") for number in range(2)]
    answers = run_at_once(*(lambda member=member: disable(member, by=SOMEBODY) for member in members))
    assert [type(answer) for answer in answers].count(NotNow) == 1
    assert Member.objects.filter(tenant=None, enabled=True).count() == 1
    assert "the only operator. Add another one first" in str(next(answer for answer in answers if answer))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "may"), [(S.PENDING, 1), (S.ACTIVE, 1), (S.SUSPENDED, 1), (S.CLOSING, 0), (S.CLOSED, 0)]
)
def test_members_can_change_until_their_tenant_is_being_closed(state: TenantState, may: int) -> None:
    tenant = tenant_in(state)
    if may:
        assert set_role(add(tenant), Role.EDITOR, by=SOMEBODY).role == Role.EDITOR
        return
    for ask in (lambda: add(tenant), lambda: set_role(member_called(OWNER), Role.VIEWER, by=SOMEBODY)):
        with assert_refused(NotNow, "so its members stay as they are", recorded_as=Action.MEMBER_REFUSED):
            ask()


@pytest.mark.django_db
def test_a_change_of_role_makes_no_operator_and_ends_none() -> None:
    add(tenant_in(S.ACTIVE))
    operator("olive@platform.example")
    for email, role in ((PETER, Role.OPERATOR), ("olive@platform.example", Role.OWNER)):
        with assert_refused(InvalidInput, "A change of role cannot make", recorded_as=Action.MEMBER_REFUSED):
            set_role(member_called(email), role, by=SOMEBODY)


@pytest.mark.django_db
def test_only_a_real_change_is_due_and_recorded() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = add(tenant)
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
def test_changing_a_removed_member_is_refused(gone: str) -> None:
    peter = add(tenant_in(S.ACTIVE))
    remove(peter, by=SOMEBODY)
    if gone == "deleted":
        Member.objects.filter(pk=peter.pk).delete()
    for change in CHANGES.values():
        with assert_refused(
            NotNow, "peter@initech.example has been removed already", recorded_as=Action.MEMBER_REFUSED
        ):
            change(peter)


@pytest.mark.django_db
def test_try_now_makes_a_stuck_member_due_again() -> None:
    peter = add(tenant_in(S.ACTIVE))
    stuck = {"provisioning": Provisioning.STUCK, "last_error": "no such domain", "attempts": 3}
    Member.objects.filter(pk=peter.pk).update(**stuck)
    before = last_entry()
    try_now(member_called(PETER), by=SOMEBODY)
    again = member_called(PETER)
    assert (again.provisioning, again.attempts, again.last_error) == (Provisioning.DUE, 0, "")
    (entry,) = entries_since(before)
    assert (entry.action, entry.why) == (Action.MEMBER_RETRIED, "no such domain")
    Member.objects.filter(pk=peter.pk).delete()
    with assert_refused(NotNow, "removed already", recorded_as=Action.MEMBER_REFUSED):
        try_now(again, by=SOMEBODY)
