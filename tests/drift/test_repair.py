"""Differences repaired: what is made to match, whose user is never touched, and when it takes more than `--repair`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from portal.demo.cast import GLOBEX, OPERATOR
from tenants.aws.directory import PAGE
from tenants.domain.errors import Misconfigured, Unreachable
from tenants.domain.roles import Role
from tenants.members.roster import add_member, remove, set_role
from tenants.models import AuditEvent, Member, Person, Provisioning
from tests.world.faults import Switches
from tests.world.pool import (
    Heard,
    by_hand,
    compared,
    crowd,
    differences,
    set_by_hand,
    settled_tenant,
    state_of_members,
    with_the_cast_only,
)
from tests.world.stage import SOMEBODY, Stage, member_called

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")


def test_repairing_makes_the_pool_match_and_leaves_other_peoples_users_alone(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Repaired", 7, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_disable_user", f"p1@{domain}")
    for somebody in (f"p2@{domain}", f"p3@{domain}", f"p4@{domain}"):
        by_hand(stage, "admin_delete_user", somebody)
    stage.make_by_hand(f"p3@{domain}", org=str(GLOBEX.org_id), role="owner")
    sub = stage.make_by_hand(f"p4@{domain}", org=str(tenant.org_id), role="owner")
    stage.make_by_hand(f"x1@{domain}", org=str(tenant.org_id), role="owner")
    others = [stage.user(f"p3@{domain}"), stage.user(f"x1@{domain}")]
    done = compared(stage, repair=True)
    assert (done.run.found, done.run.repaired, done.left) == (6, 4, 2)
    assert [stage.user(f"p3@{domain}"), stage.user(f"x1@{domain}")] == others
    for somebody in (f"p1@{domain}", f"p2@{domain}", f"p4@{domain}"):
        user = stage.user(somebody)
        assert user
        assert (user.role, user.enabled, user.org) == ("viewer", True, str(tenant.org_id))
    assert str(member_called(f"p4@{domain}").person.sub) == sub
    repaired = AuditEvent.objects.filter(action="drift.repaired", org=tenant.org_id)
    assert {event.target: (event.before, event.after) for event in repaired} == {
        f"p1@{domain}": (
            {"role": "admin", "enabled": "disabled"},
            {"role": "viewer", "enabled": "enabled"},
        ),
        f"p2@{domain}": ({"missing-user": "no user"}, {"missing-user": "viewer, enabled"}),
        f"p4@{domain}": (
            {"missing-user": "another user with this address, owner, enabled"},
            {"missing-user": "viewer, enabled"},
        ),
    }
    made = AuditEvent.objects.filter(action="member.provisioned", target=f"p1@{domain}").latest("seq")
    assert made.after == {"changes": ["set the role to viewer", "enable"]}
    assert made.actor_name == "olive@console"
    assert compared(stage, repair=True).found == {"org": 1, "unknown-user": 1}


def test_a_pool_that_was_changed_once_more_before_the_repair_is_repaired_as_it_is_then(
    stage: Stage, domain: str
) -> None:
    settled_tenant(stage, "Twice", 3, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_delete_user", f"p2@{domain}")
    moments = iter(
        [
            lambda: None,
            lambda: by_hand(stage, "admin_delete_user", f"p1@{domain}"),
        ]
    )
    heard = Heard(then=lambda _done: next(moments, lambda: None)())
    done = compared(stage, heard, repair=True)
    assert done.left == 0
    assert stage.user(f"p2@{domain}")


def test_more_missing_users_than_a_few_are_created_again_only_when_their_number_is_given(
    stage: Stage, domain: str
) -> None:
    settled_tenant(stage, "Missing", 7, domain=domain)
    set_by_hand(stage, f"p0@{domain}", role="admin")
    for number in range(1, 7):
        by_hand(stage, "admin_delete_user", f"p{number}@{domain}")
    before = state_of_members()
    refused = compared(stage, repair=True)
    assert "6 of 12 members have no user in this pool. More than 5" in refused.refused
    assert (refused.left, refused.run.repaired) == (7, 0)
    assert state_of_members() == before
    assert AuditEvent.objects.get(action="reconciliation.finished").why == refused.refused
    assert compared(stage, repair=True, recreate=5).refused
    assert stage.user(f"p1@{domain}") is None
    done = compared(stage, repair=True, recreate=6)
    assert (done.refused, done.left) == ("", 0)
    assert stage.user(f"p6@{domain}")


def test_a_few_among_many_members_are_created_again_unasked(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Large", 1, domain=domain)
    crowd(stage, tenant, 2 * PAGE, domain=domain)
    for number in range(6):
        by_hand(stage, "admin_delete_user", f"c{number}@{domain}")
    assert (compared(stage, repair=True).run.repaired, compared(stage).found) == (6, {})


def test_a_members_own_user_in_another_organisation_is_told_and_left_alone(stage: Stage, domain: str) -> None:
    elsewhere, here = (settled_tenant(stage, name, 2, domain=f"{name}.{domain}") for name in ("from", "to"))
    email = f"p1@from.{domain}"
    Member.objects.filter(person__email=email).update(tenant=here)
    before = stage.user(email)
    compared(stage, repair=True)
    assert differences() == {("org", email, f"organisation {here.org_id}", f"organisation {elsewhere.org_id}")}
    assert stage.user(email) == before
    assert member_called(email).seen_org == str(elsewhere.org_id)


def test_an_emptied_pool_can_be_filled_again_by_giving_the_number(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Emptied", 2, domain=domain)
    Member.objects.exclude(person__email__endswith=domain).update(
        provisioning=Provisioning.STUCK, last_error="Of before."
    )
    with_the_cast_only(stage)
    Person.objects.exclude(email__endswith=domain).update(sub=None)
    with pytest.raises(Misconfigured):
        compared(stage, repair=True)
    assert compared(stage, repair=True, recreate=2).run.repaired == 2
    assert stage.user(f"p1@{domain}")


def test_members_that_are_parked_are_shown_and_not_repaired(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Parked", 3, domain=domain)
    parked = Member.objects.filter(person__email=f"p1@{domain}")
    parked.update(provisioning=Provisioning.STUCK, last_error="The invitation could not be delivered.", due_at=None)
    by_hand(stage, "admin_delete_user", f"p1@{domain}")
    before = state_of_members()
    done = compared(stage, repair=True)
    assert (done.found, done.left) == ({"missing-user": 1}, 1)
    assert state_of_members() == before


def test_a_conflict_is_told_with_its_member_until_somebody_deletes_the_user_and_then_it_is_repaired(
    stage: Stage, domain: str
) -> None:
    tenant = settled_tenant(stage, "Conflicting", 1, domain=domain)
    stage.make_by_hand(f"taken@{domain}", org=str(GLOBEX.org_id), role="owner")
    add_member(tenant=tenant, email=f"taken@{domain}", name="", role=Role.VIEWER, by=SOMEBODY, mail_invitation=False)
    stage.work()
    assert member_called(f"taken@{domain}").provisioning == Provisioning.CONFLICT
    assert compared(stage, repair=True).found == {"org": 1}
    by_hand(stage, "admin_delete_user", f"taken@{domain}")
    assert compared(stage, repair=True).left == 0
    assert member_called(f"taken@{domain}").provisioning == Provisioning.SETTLED


def test_a_user_made_by_hand_with_an_operators_address_never_becomes_an_operator(stage: Stage) -> None:
    operator = member_called(OPERATOR.email)
    sub = str(operator.person.sub)
    Member.objects.filter(pk=operator.pk).update(person=operator.person)
    mallory = "mallory@platform.example"
    type(operator.person).objects.filter(pk=operator.person_id).update(email=mallory, sub=None)
    Member.objects.filter(pk=operator.pk).update(provisioning=Provisioning.STUCK, last_error="As a test has it.")
    stage.make_by_hand(mallory)
    compared(stage, repair=True)
    assert ("org", mallory, "no organisation", "somebody else's user") in differences()
    user = stage.user(mallory)
    assert user
    assert user.role == ""
    type(operator.person).objects.filter(pk=operator.person_id).update(email=OPERATOR.email, sub=sub)


def test_an_address_that_was_given_to_another_members_user_is_told_and_nobody_becomes_somebody_else(
    stage: Stage, domain: str
) -> None:
    tenant = settled_tenant(stage, "Swapped", 3, domain=domain)
    by_hand(stage, "admin_delete_user", f"p2@{domain}")
    set_by_hand(stage, f"p1@{domain}", email=f"p2@{domain}")
    subs = [member_called(f"p{number}@{domain}").person.sub for number in (1, 2)]
    compared(stage, repair=True)
    assert differences() == {("org", f"p2@{domain}", f"organisation {tenant.org_id}", "somebody else's user")}
    assert [member_called(f"p{number}@{domain}").person.sub for number in (1, 2)] == subs


def test_members_who_are_changed_or_removed_before_their_repair_end_as_they_should_be_by_then(
    stage: Stage, domain: str
) -> None:
    settled_tenant(stage, "Overtaken", 4, domain=domain)
    for number in (1, 2, 3):
        set_by_hand(stage, f"p{number}@{domain}", role="admin")

    def meanwhile(done: int) -> None:
        if done == 9:
            set_role(member_called(f"p1@{domain}"), Role.EDITOR, by=SOMEBODY)
            remove(member_called(f"p2@{domain}"), by=SOMEBODY)

    done = compared(stage, Heard(then=meanwhile), repair=True)
    assert done.run.repaired == 2
    users = [stage.user(f"p{number}@{domain}") for number in (1, 2, 3)]
    assert [user and user.role for user in users] == ["editor", None, "viewer"]
    repaired = AuditEvent.objects.filter(action="drift.repaired").order_by("target")
    assert [(event.before, event.after) for event in repaired] == [
        ({"role": "admin"}, {"role": "editor"}),
        ({"role": "admin"}, {"role": "viewer"}),
    ]


def test_a_member_whom_a_worker_has_in_hand_is_left_to_it(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Held", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    member = Member.objects.filter(person__email=f"p1@{domain}")

    def meanwhile(done: int) -> None:
        if done == 7:
            set_role(member.get(), Role.EDITOR, by=SOMEBODY)
            later = timezone.now() + timedelta(seconds=60)
            member.update(leased_by="worker", leased_until=later, attempts=1)

    done = compared(stage, Heard(then=meanwhile), repair=True)
    assert (done.run.repaired, done.left) == (0, 1)
    user = stage.user(f"p1@{domain}")
    assert user
    assert user.role == "admin"
    assert (member.get().leased_by, member.get().attempts) == ("worker", 1)


def test_repairing_stops_when_cognito_takes_none_of_it_and_goes_on_the_next_time(
    stage: Stage, switches: Switches, domain: str
) -> None:
    settled_tenant(stage, "Untaken", 6, domain=domain)
    for number in range(1, 6):
        set_by_hand(stage, f"p{number}@{domain}", role="admin")
    switches.fail("CognitoIdentityProvider.AdminUpdateUserAttributes", fault="server-error", count=None)
    with pytest.raises(Unreachable):
        compared(stage, repair=True)
    assert Member.objects.filter(provisioning=Provisioning.DUE).count() == 3
    switches.mend()
    Member.objects.update(due_at=F("due_at") - timedelta(minutes=10))
    stage.work()
    heard = Heard()
    done = compared(stage, heard, repair=True)
    assert (done.run.repaired, done.left) == (5, 0)
    assert AuditEvent.objects.filter(action="drift.repaired").count() == 5
