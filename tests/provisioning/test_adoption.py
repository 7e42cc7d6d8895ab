"""A user who is in the pool already: adopted where they are certainly the member's, else a conflict."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from portal.demo.cast import GLOBEX
from tenants.domain.roles import Role
from tenants.members.roster import add_member, disable, remove, set_role, try_now
from tenants.models import AuditEvent, Member, Person, Provisioning
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, member_called, recorded_actions, tenant_with_people


def test_a_user_made_by_a_killed_worker_is_recognised_compared_and_adopted(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Killed", 2, domain=domain)
    sub = stage.make_by_hand(f"P1@{domain}", org=str(tenant.org_id), role="admin")
    stage.work()
    member = member_called(f"p1@{domain}")
    assert str(member.person.sub) == sub
    assert member.provisioning == Provisioning.SETTLED
    assert recorded_actions(f"p1@{domain}") == ["member.added", "member.adopted", "member.provisioned"]
    user = stage.user(member)
    assert user is not None
    assert user.role == "viewer"


def test_a_user_of_another_organisation_is_a_conflict_and_is_never_touched(stage: Stage, domain: str) -> None:
    tenant_with_people("Wanting", 2, domain=domain)
    stage.make_by_hand(f"p1@{domain}", org=str(GLOBEX.org_id), role="owner")
    before = stage.user(f"p1@{domain}")
    stage.work()
    member = member_called(f"p1@{domain}")
    assert member.provisioning == Provisioning.CONFLICT
    assert str(GLOBEX.org_id) in member.last_error
    assert member.person.sub is None
    assert member.seen_at is None
    assert recorded_actions(f"p1@{domain}") == ["member.added", "member.conflict"]
    remove(member, by=SOMEBODY)
    stage.work()
    assert stage.user(f"p1@{domain}") == before
    assert not Member.objects.filter(pk=member.pk).exists()


def test_a_stranger_with_an_invited_operators_address_is_no_operator(stage: Stage, domain: str) -> None:
    stage.make_by_hand(f"op@{domain}")
    add_member(tenant=None, email=f"op@{domain}", name="Op", role=Role.OPERATOR, by=SOMEBODY, mail_invitation=False)
    stage.work()
    assert member_called(f"op@{domain}").provisioning == Provisioning.CONFLICT
    user = stage.user(f"op@{domain}")
    assert user is not None
    assert user.role == ""


def test_a_sign_in_before_the_id_was_written_down_makes_no_second_person(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Quick", 2, domain=domain)
    sub = stage.make_by_hand(f"p1@{domain}", org=str(tenant.org_id), role="viewer")
    Person.objects.create(sub=uuid.UUID(sub), email="", name="Themselves")
    stage.work()
    assert Person.objects.get(sub=uuid.UUID(sub)) == member_called(f"p1@{domain}").person


def member_with_the_owners_new_address(stage: Stage, domain: str) -> Member:
    """A viewer is invited with an address that was given to the owner's user in the pool by hand."""
    tenant = tenant_with_people("Twice", 1, domain=domain)
    stage.work()
    owner = member_called(f"p0@{domain}")
    stage.by_hand.admin_update_user_attributes(
        UserPoolId=stage.tools.directory.pool_id,
        Username=str(owner.person.sub),
        UserAttributes=[{"Name": "email", "Value": f"new@{domain}"}, {"Name": "email_verified", "Value": "true"}],
    )
    tenant.refresh_from_db()
    return add_member(
        tenant=tenant, email=f"new@{domain}", name="", role=Role.VIEWER, by=SOMEBODY, mail_invitation=False
    )


def test_another_members_user_is_a_conflict_and_keeps_their_role(stage: Stage, domain: str) -> None:
    invited = member_with_the_owners_new_address(stage, domain)
    before = stage.user(f"new@{domain}")
    stage.work()
    member = member_called(f"new@{domain}")
    assert member.provisioning == Provisioning.CONFLICT
    assert "another member's" in member.last_error
    assert member.person.sub is None
    assert before is not None
    assert before.role == "owner"
    assert stage.user(f"new@{domain}") == before
    assert recorded_actions(f"new@{domain}") == ["member.added", "member.conflict"]
    remove(invited, by=SOMEBODY)
    stage.work()
    assert stage.user(f"new@{domain}") == before
    assert not Member.objects.filter(pk=invited.pk).exists()


def test_a_user_without_an_organisation_is_a_conflict_and_is_never_touched(stage: Stage, domain: str) -> None:
    tenant_with_people("Without", 2, domain=domain)
    stage.make_by_hand(f"p1@{domain}")
    before = stage.user(f"p1@{domain}")
    stage.work()
    member = member_called(f"p1@{domain}")
    assert member.provisioning == Provisioning.CONFLICT
    assert "belongs to no organisation" in member.last_error
    assert stage.user(f"p1@{domain}") == before


def test_a_conflict_ends_when_the_other_user_is_gone_and_it_is_tried_again(stage: Stage, domain: str) -> None:
    tenant_with_people("Freed", 2, domain=domain)
    stage.make_by_hand(f"p1@{domain}", org=str(GLOBEX.org_id), role="owner")
    stage.work()
    stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=f"p1@{domain}")
    try_now(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    assert member_called(f"p1@{domain}").provisioning == Provisioning.SETTLED


def test_an_address_removed_in_one_tenant_gets_a_new_user_in_another(stage: Stage, domain: str) -> None:
    tenant_with_people("Left", 2, domain=domain)
    stage.work()
    before = member_called(f"p1@{domain}")
    remove(before, by=SOMEBODY)
    stage.work()
    other = tenant_with_people("Joined", 1, domain=f"other.{domain}")
    add_member(tenant=other, email=f"P1@{domain}", name="", role=Role.EDITOR, by=SOMEBODY, mail_invitation=False)
    stage.work()
    again, user = member_called(f"p1@{domain}"), stage.user(f"p1@{domain}")
    assert user is not None
    assert (user.org, user.role) == (str(other.org_id), "editor")
    assert str(again.person.sub) == user.sub != str(before.person.sub)


@pytest.mark.parametrize("code", ["UsernameExistsException", "AliasExistsException"])
def test_a_user_is_created_though_cognito_first_says_that_one_exists(
    stage: Stage, switches: Switches, domain: str, code: str
) -> None:
    tenant_with_people("Ghost", 2, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message="Exists.", status=400, count=1)
    stage.work()
    assert not Member.objects.exclude(provisioning=Provisioning.SETTLED).exists()
    assert len(stage.users_of(domain)) == 2


def test_changes_of_a_killed_worker_are_found_and_written_down(stage: Stage, domain: str) -> None:
    tenant_with_people("Cut off", 4, domain=domain)
    stage.work()
    changed, locked_out, deleted = (member_called(f"p{number}@{domain}") for number in (1, 2, 3))
    set_role(changed, Role.EDITOR, by=SOMEBODY)
    disable(locked_out, by=SOMEBODY)
    Member.objects.filter(pk=locked_out.pk).update(sign_out=False)
    remove(deleted, by=SOMEBODY)
    directory = stage.tools.directory
    directory.set_role(str(changed.person.sub), "editor")
    directory.disable(str(locked_out.person.sub))
    directory.delete(str(deleted.person.sub))
    Member.objects.filter(provisioning=Provisioning.DUE).update(leased_by="killed", leased_until=timezone.now())
    stage.work()
    recorded = {
        event.target: event.after
        for event in AuditEvent.objects.filter(actor="worker", target__endswith=domain).order_by("seq")
    }
    # Nothing shows whether they were signed out as well, so they are signed out.
    assert recorded[f"p1@{domain}"] == {"changes": ["sign out everywhere"], "found": ["set the role to editor"]}
    assert recorded[f"p2@{domain}"] == {"changes": ["sign out everywhere"], "found": ["disable"]}
    assert recorded[f"p3@{domain}"] == {"changes": [], "found": ["delete"]}
    assert recorded_actions(f"p3@{domain}")[-1] == "member.deleted"


def test_a_user_who_may_not_sign_in_is_looked_up_before_it_is_settled(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Locked out", 2, domain=domain)
    stage.make_by_hand(f"p1@{domain}", org=str(tenant.org_id), role="viewer")
    disable(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    user = stage.user(f"p1@{domain}")
    assert user is not None
    assert not user.enabled
