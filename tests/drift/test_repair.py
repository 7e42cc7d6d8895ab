"""Repairs: what is made to match, whose users are never touched, and when `--repair` alone is not enough."""

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
    RunLog,
    by_hand,
    compare_pool,
    crowd,
    differences,
    set_by_hand,
    settled_tenant,
    state_of_members,
    with_the_cast_only,
)
from tests.world.stage import SOMEBODY, Stage, member_called

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")


def test_a_repair_makes_the_pool_match_and_leaves_others_users_alone(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Repaired", 7, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_disable_user", f"p1@{domain}")
    for email in (f"p2@{domain}", f"p3@{domain}", f"p4@{domain}"):
        by_hand(stage, "admin_delete_user", email)
    stage.make_by_hand(f"p3@{domain}", org=str(GLOBEX.org_id), role="owner")
    sub = stage.make_by_hand(f"p4@{domain}", org=str(tenant.org_id), role="owner")
    stage.make_by_hand(f"x1@{domain}", org=str(tenant.org_id), role="owner")
    others = [stage.user(f"p3@{domain}"), stage.user(f"x1@{domain}")]
    done = compare_pool(stage, repair=True)
    assert (done.run.found, done.run.repaired, done.left) == (6, 4, 2)
    assert [stage.user(f"p3@{domain}"), stage.user(f"x1@{domain}")] == others
    for email in (f"p1@{domain}", f"p2@{domain}", f"p4@{domain}"):
        user = stage.user(email)
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
    assert made.after == {"changes": ["set the role to viewer", "sign out everywhere", "enable"]}
    assert made.actor_name == "olive@console"
    assert compare_pool(stage, repair=True).found == {"org": 1, "unknown-user": 1}


def test_a_user_changed_again_before_the_repair_is_repaired_as_it_is_then(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Twice", 3, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_delete_user", f"p2@{domain}")
    moments = iter(
        [
            lambda: None,
            lambda: by_hand(stage, "admin_delete_user", f"p1@{domain}"),
        ]
    )
    log = RunLog(then=lambda _done: next(moments, lambda: None)())
    done = compare_pool(stage, log, repair=True)
    assert done.left == 0
    assert stage.user(f"p2@{domain}")


def test_many_missing_users_are_created_again_only_by_their_number(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Missing", 7, domain=domain)
    set_by_hand(stage, f"p0@{domain}", role="admin")
    for number in range(1, 7):
        by_hand(stage, "admin_delete_user", f"p{number}@{domain}")
    before = state_of_members()
    refused = compare_pool(stage, repair=True)
    assert "6 of 12 members have no user in this pool. More than 5" in refused.refused
    assert (refused.left, refused.run.repaired) == (7, 0)
    assert state_of_members() == before
    assert AuditEvent.objects.get(action="reconciliation.finished").why == refused.refused
    assert compare_pool(stage, repair=True, recreate=5).refused
    assert stage.user(f"p1@{domain}") is None
    done = compare_pool(stage, repair=True, recreate=6)
    assert (done.refused, done.left) == ("", 0)
    assert stage.user(f"p6@{domain}")


def test_a_few_missing_among_many_members_are_created_again(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Large", 1, domain=domain)
    crowd(stage, tenant, 2 * PAGE, domain=domain)
    for number in range(6):
        by_hand(stage, "admin_delete_user", f"c{number}@{domain}")
    assert (compare_pool(stage, repair=True).run.repaired, compare_pool(stage).found) == (6, {})


def test_a_members_user_in_another_organisation_is_listed_and_left_alone(stage: Stage, domain: str) -> None:
    elsewhere, here = (settled_tenant(stage, name, 2, domain=f"{name}.{domain}") for name in ("from", "to"))
    email = f"p1@from.{domain}"
    Member.objects.filter(person__email=email).update(tenant=here)
    before = stage.user(email)
    compare_pool(stage, repair=True)
    assert differences() == {("org", email, f"organisation {here.org_id}", f"organisation {elsewhere.org_id}")}
    assert stage.user(email) == before
    assert member_called(email).seen_org == str(elsewhere.org_id)


def test_an_emptied_pool_can_be_filled_again_by_giving_the_number(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Emptied", 2, domain=domain)
    Member.objects.exclude(person__email__endswith=domain).update(
        provisioning=Provisioning.STUCK, last_error="An earlier failure."
    )
    with_the_cast_only(stage)
    Person.objects.exclude(email__endswith=domain).update(sub=None)
    with pytest.raises(Misconfigured):
        compare_pool(stage, repair=True)
    assert compare_pool(stage, repair=True, recreate=2).run.repaired == 2
    assert stage.user(f"p1@{domain}")


def test_stuck_members_are_listed_and_not_repaired(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Stuck", 3, domain=domain)
    stuck = Member.objects.filter(person__email=f"p1@{domain}")
    stuck.update(provisioning=Provisioning.STUCK, last_error="The invitation could not be delivered.", due_at=None)
    by_hand(stage, "admin_delete_user", f"p1@{domain}")
    before = state_of_members()
    done = compare_pool(stage, repair=True)
    assert (done.found, done.left) == ({"missing-user": 1}, 1)
    assert state_of_members() == before


def test_a_conflict_is_repaired_once_the_other_user_is_deleted(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Conflicting", 1, domain=domain)
    stage.make_by_hand(f"taken@{domain}", org=str(GLOBEX.org_id), role="owner")
    add_member(tenant=tenant, email=f"taken@{domain}", name="", role=Role.VIEWER, by=SOMEBODY, mail_invitation=False)
    stage.work()
    assert member_called(f"taken@{domain}").provisioning == Provisioning.CONFLICT
    assert compare_pool(stage, repair=True).found == {"org": 1}
    by_hand(stage, "admin_delete_user", f"taken@{domain}")
    assert compare_pool(stage, repair=True).left == 0
    assert member_called(f"taken@{domain}").provisioning == Provisioning.SETTLED


def test_a_user_made_by_hand_never_becomes_an_operator(stage: Stage) -> None:
    operator = member_called(OPERATOR.email)
    sub = str(operator.person.sub)
    Member.objects.filter(pk=operator.pk).update(person=operator.person)
    mallory = "mallory@platform.example"
    type(operator.person).objects.filter(pk=operator.person_id).update(email=mallory, sub=None)
    Member.objects.filter(pk=operator.pk).update(provisioning=Provisioning.STUCK, last_error="As a test has it.")
    stage.make_by_hand(mallory)
    compare_pool(stage, repair=True)
    assert ("org", mallory, "no organisation", "somebody else's user") in differences()
    user = stage.user(mallory)
    assert user
    assert user.role == ""
    type(operator.person).objects.filter(pk=operator.person_id).update(email=OPERATOR.email, sub=sub)


def test_a_user_with_another_members_address_stays_who_they_are(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Swapped", 3, domain=domain)
    by_hand(stage, "admin_delete_user", f"p2@{domain}")
    set_by_hand(stage, f"p1@{domain}", email=f"p2@{domain}")
    subs = [member_called(f"p{number}@{domain}").person.sub for number in (1, 2)]
    compare_pool(stage, repair=True)
    assert differences() == {("org", f"p2@{domain}", f"organisation {tenant.org_id}", "somebody else's user")}
    assert [member_called(f"p{number}@{domain}").person.sub for number in (1, 2)] == subs


def test_members_changed_before_their_repair_end_as_they_then_should_be(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Overtaken", 4, domain=domain)
    for number in range(4):
        set_by_hand(stage, f"p{number}@{domain}", role="admin")

    def meanwhile(done: int) -> None:
        if done == 1:
            set_role(member_called(f"p1@{domain}"), Role.EDITOR, by=SOMEBODY)
            remove(member_called(f"p2@{domain}"), by=SOMEBODY)

    done = compare_pool(stage, RunLog(then=meanwhile), repair=True)
    assert done.run.repaired == 3
    users = [stage.user(f"p{number}@{domain}") for number in range(4)]
    assert [user and user.role for user in users] == ["owner", "editor", None, "viewer"]
    repaired = AuditEvent.objects.filter(action="drift.repaired").order_by("target")
    assert [(event.before, event.after) for event in repaired] == [
        ({"role": "admin"}, {"role": "owner"}),
        ({"role": "admin"}, {"role": "editor"}),
        ({"role": "admin"}, {"role": "viewer"}),
    ]


def test_a_member_that_a_worker_has_in_hand_is_left_to_the_worker(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Held", 2, domain=domain)
    set_by_hand(stage, f"p0@{domain}", role="admin")
    set_by_hand(stage, f"p1@{domain}", role="admin")
    member = Member.objects.filter(person__email=f"p1@{domain}")

    def meanwhile(done: int) -> None:
        if done == 1:
            set_role(member.get(), Role.EDITOR, by=SOMEBODY)
            later = timezone.now() + timedelta(seconds=60)
            member.update(leased_by="worker", leased_until=later, attempts=1)

    done = compare_pool(stage, RunLog(then=meanwhile), repair=True)
    assert (done.run.repaired, done.left) == (1, 1)
    user = stage.user(f"p1@{domain}")
    assert user
    assert user.role == "admin"
    assert (member.get().leased_by, member.get().attempts) == ("worker", 1)


def test_a_repair_stops_when_cognito_fails_and_goes_on_the_next_time(
    stage: Stage, switches: Switches, domain: str
) -> None:
    settled_tenant(stage, "Untaken", 6, domain=domain)
    for number in range(1, 6):
        set_by_hand(stage, f"p{number}@{domain}", role="admin")
    switches.fail("CognitoIdentityProvider.AdminUpdateUserAttributes", fault="server-error", count=None)
    with pytest.raises(Unreachable):
        compare_pool(stage, repair=True)
    assert Member.objects.filter(provisioning=Provisioning.DUE).count() == 3
    switches.mend()
    Member.objects.update(due_at=F("due_at") - timedelta(minutes=10))
    stage.work()
    log = RunLog()
    done = compare_pool(stage, log, repair=True)
    assert (done.run.repaired, done.left) == (5, 0)
    assert AuditEvent.objects.filter(action="drift.repaired").count() == 5
