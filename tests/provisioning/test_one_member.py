"""Members made to match in Cognito: one call for a new person, and what happens when Cognito does not do as asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.domain.errors import Throttled
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import close, reactivate, reopen, suspend
from tenants.members.roster import add_member, disable, enable, mark_due, remove, set_role, try_now
from tenants.models import AuditEvent, Member, Person, Provisioning, SignIn
from tenants.provisioning.finish import finish
from tenants.provisioning.one_member import provision_member_now
from tenants.provisioning.queue import claim
from tenants.provisioning.results import Outcome
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, member_called, recorded_actions, tenant_with_people


def test_a_new_tenant_takes_one_call_a_person_and_becomes_active(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = tenant_with_people("Newcomers", 3, domain=domain)
    switches.forget()
    tally = stage.work()
    assert tally.settled == tally.applied == 3
    people = list(stage.users_of(domain))
    assert {user.org for user in people} == {str(tenant.org_id)}
    assert sorted(user.role for user in people) == ["owner", "viewer", "viewer"]
    calls = {
        name: count for name, count in switches.calls().items() if name.startswith("CognitoIdentityProvider.Admin")
    }
    assert calls == {"CognitoIdentityProvider.AdminCreateUser": 3}
    tenant.refresh_from_db()
    assert tenant.state == TenantState.ACTIVE
    owner = member_called(f"p0@{domain}")
    assert owner.person.sub
    assert owner.seen_role == "owner"
    assert owner.seen_enabled is True
    assert recorded_actions(f"p0@{domain}") == ["member.added", "member.provisioned"]
    assert AuditEvent.objects.get(target=f"p0@{domain}", action="member.provisioned").after == {
        "changes": [f"create p0@{domain} as owner"]
    }


def test_a_second_run_makes_no_call_and_writes_nothing(stage: Stage, switches: Switches, domain: str) -> None:
    tenant_with_people("Settled", 3, domain=domain)
    stage.work()
    before, rows = recorded_actions(), list(Member.objects.order_by("pk").values())
    switches.forget()
    assert stage.work().applied == 0
    assert not [name for name in switches.calls() if "Admin" in name]
    assert recorded_actions() == before
    assert list(Member.objects.order_by("pk").values()) == rows


def test_a_role_a_lock_out_and_its_end_reach_the_pool(stage: Stage, domain: str) -> None:
    tenant_with_people("Changing", 2, domain=domain)
    stage.work()
    member = member_called(f"p1@{domain}")
    disable(set_role(member, Role.EDITOR, by=SOMEBODY), by=SOMEBODY)
    stage.work()
    user = stage.user(member)
    assert user is not None
    assert (user.role, user.enabled) == ("editor", False)
    last = AuditEvent.objects.filter(action="member.provisioned").latest("seq")
    assert last.after == {"changes": ["set the role to editor", "disable", "sign out everywhere"]}
    assert not member_called(f"p1@{domain}").sign_out
    enable(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    user = stage.user(member)
    assert user is not None
    assert user.enabled


def test_a_removed_members_user_and_row_go_and_the_person_stays(stage: Stage, domain: str) -> None:
    tenant_with_people("Leaving", 2, domain=domain)
    stage.work()
    member = member_called(f"p1@{domain}")
    SignIn.objects.create(person=member.person, sealed_tokens=b"")
    remove(member, by=SOMEBODY)
    stage.work()
    assert stage.user(f"p1@{domain}") is None
    assert not Member.objects.filter(pk=member.pk).exists()
    person = Person.objects.get(email=f"p1@{domain}")
    assert person.sub is None
    assert person.name == "Person 1"
    assert not person.sign_ins.exists()
    assert recorded_actions(f"p1@{domain}")[-1] == "member.deleted"


def test_a_member_removed_before_they_were_created_leaves_no_user(stage: Stage, domain: str) -> None:
    tenant_with_people("Never", 2, domain=domain)
    remove(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    assert stage.user(f"p1@{domain}") is None
    assert not Member.objects.filter(person__email=f"p1@{domain}").exists()


def test_a_user_deleted_outside_the_portal_is_created_again(stage: Stage, domain: str) -> None:
    tenant_with_people("Deleted", 2, domain=domain)
    stage.work()
    member = member_called(f"p1@{domain}")
    stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=str(member.person.sub))
    set_role(member, Role.EDITOR, by=SOMEBODY)
    stage.work()
    again = member_called(f"p1@{domain}")
    user = stage.user(again)
    assert user is not None
    assert user.role == "editor"
    assert str(again.person.sub) == user.sub != str(member.person.sub)


def test_a_failure_that_passes_puts_the_member_off_with_growing_patience(stage: Stage, domain: str) -> None:
    tenant_with_people("Put off", 1, domain=domain)
    for attempts in (1, 2, 3):
        Member.objects.filter(person__email=f"p0@{domain}").update(due_at=timezone.now())
        (claimed,) = claim("worker", most=10)
        assert finish(claimed, Throttled("The user pool (Cognito)", "TooManyRequestsException")) == Outcome.LATER
        member = member_called(f"p0@{domain}")
        assert member.attempts == attempts
        assert member.provisioning == Provisioning.DUE
        assert member.due_at
        assert member.due_at < timezone.now() + timedelta(seconds=2 * 2**attempts + 1)
    assert "TooManyRequests" in member_called(f"p0@{domain}").last_error
    try_now(member_called(f"p0@{domain}"), by=SOMEBODY)
    stage.work()
    assert member_called(f"p0@{domain}").attempts == 0


@pytest.mark.parametrize("fault", [{"fault": "throttling"}, {"fault": "server-error"}, {"drop": True}])
def test_a_call_that_failed_is_made_again_and_creates_no_user_twice(
    stage: Stage, switches: Switches, domain: str, fault: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.provisioning.member_rows.FIRST_RETRY_SECONDS", 0.2)
    tenant_with_people("Weather", 3, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", count=2, **fault)
    stage.work()
    assert len(stage.users_of(domain)) == 3
    assert not Member.objects.exclude(provisioning=Provisioning.SETTLED).exists()


@pytest.mark.parametrize(
    "code", ["InvalidParameterException", "UserLambdaValidationException", "CodeDeliveryFailureException"]
)
def test_a_member_that_cognito_refuses_is_stuck_with_cognitos_words(
    stage: Stage, switches: Switches, domain: str, code: str
) -> None:
    tenant_with_people("Stuck", 2, domain=domain)
    Member.objects.exclude(person__email=f"p1@{domain}").update(provisioning=Provisioning.SETTLED, due_at=None)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message="No such mailbox.", status=400, count=1)
    stage.work()
    member = member_called(f"p1@{domain}")
    assert member.provisioning == Provisioning.STUCK
    assert "No such mailbox." in member.last_error
    event = AuditEvent.objects.get(action="member.stuck")
    assert event.why == member.last_error
    try_now(member, by=SOMEBODY)
    stage.work()
    assert member_called(f"p1@{domain}").provisioning == Provisioning.SETTLED


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ExpiredTokenException", "AccessDeniedException"])
def test_a_failure_that_concerns_all_changes_no_member_and_is_said_once(
    stage: Stage, switches: Switches, domain: str, code: str
) -> None:
    tenant_with_people("Halted", 5, domain=domain)
    before = list(Member.objects.order_by("pk").values())
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message="No such pool.", status=400, count=None)
    assert stage.work().halted
    assert stage.work().halted
    after = list(Member.objects.order_by("pk").values())
    assert [(row["provisioning"], row["attempts"], row["leased_by"]) for row in after] == [
        (row["provisioning"], row["attempts"], "") for row in before
    ]
    assert recorded_actions().count("provisioning.halted") == 1
    switches.mend()
    assert not stage.work().halted
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message="No such pool.", status=400, count=None)
    tenant_with_people("Halted again", 1, domain=f"again.{domain}")
    stage.work()
    assert recorded_actions().count("provisioning.halted") == 2


def test_members_of_a_suspended_tenant_go_before_all_others(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Suspended", 2, domain=domain)
    stage.work()
    tenant_with_people("Many others", 5, domain=f"others.{domain}")
    Member.objects.filter(provisioning=Provisioning.DUE).update(due_at=timezone.now() - timedelta(hours=1))
    tenant.refresh_from_db()
    suspend(tenant, by=SOMEBODY, why="not paid")
    assert {one.member.tenant_id for one in claim("worker", most=2)} == {tenant.pk}


def test_suspending_disables_all_and_reactivating_enables_who_should_be(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("To and fro", 3, domain=domain)
    stage.work()
    disable(member_called(f"p2@{domain}"), by=SOMEBODY)
    tenant.refresh_from_db()
    suspend(tenant, by=SOMEBODY, why="not paid")
    stage.work()
    assert not any(user.enabled for user in stage.users_of(domain))
    tenant.refresh_from_db()
    reactivate(tenant, by=SOMEBODY)
    stage.work()
    assert sorted(user.email for user in stage.users_of(domain) if user.enabled) == [f"p0@{domain}", f"p1@{domain}"]


def test_a_tenant_closed_before_its_owner_was_created_stays_closing(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Stillborn", 1, domain=domain)
    close(tenant, by=SOMEBODY, why="a mistake")
    stage.work()
    tenant.refresh_from_db()
    assert tenant.state == TenantState.CLOSING
    assert stage.user(f"p0@{domain}") is None
    reopen(tenant, by=SOMEBODY)
    stage.work()
    user = stage.user(f"p0@{domain}")
    assert user is not None
    assert user.enabled


def test_no_user_is_created_while_their_tenant_is_suspended(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Shut", 2, domain=domain)
    stage.work()
    gone = member_called(f"p1@{domain}")
    stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=str(gone.person.sub))
    tenant.refresh_from_db()
    suspend(tenant, by=SOMEBODY, why="not paid")
    add_member(tenant=tenant, email=f"late@{domain}", name="", role=Role.VIEWER, by=SOMEBODY)
    stage.work()
    assert [user.email for user in stage.users_of(domain)] == [f"p0@{domain}"]
    assert not Member.objects.exclude(provisioning=Provisioning.SETTLED).exists()
    reactivate(tenant, by=SOMEBODY)
    stage.work()
    assert [user.enabled for user in stage.users_of(domain)] == [True] * 3


def test_a_request_can_provision_its_own_member_at_once(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Impatient", 1, domain=domain)
    member = member_called(f"p0@{domain}")
    tools = stage.tools
    outcome = provision_member_now(
        member, directory=tools.directory, pacer=tools.pacer, holder="a request", by=SOMEBODY
    )
    assert outcome == Outcome.SETTLED
    tenant.refresh_from_db()
    assert tenant.state == TenantState.ACTIVE
    again = provision_member_now(member, directory=tools.directory, pacer=tools.pacer, holder="a request")
    assert again is None


def test_a_request_that_meets_a_failure_leaves_its_member_to_the_worker(
    stage: Stage, switches: Switches, domain: str
) -> None:
    tenant_with_people("Unlucky", 1, domain=domain)
    member, tools = member_called(f"p0@{domain}"), stage.tools
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="expired-credentials", count=1)
    made = provision_member_now(member, directory=tools.directory, pacer=tools.pacer, holder="a request")
    assert made == Outcome.LATER
    assert member_called(f"p0@{domain}").leased_by == ""
    stage.work()
    assert member_called(f"p0@{domain}").provisioning == Provisioning.SETTLED


def test_a_member_that_needed_no_call_is_not_noted_as_seen(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Unasked", 1, domain=domain)
    stage.work()
    before = member_called(f"p0@{domain}").seen_at
    mark_due(tenant.members.all())
    stage.work()
    after = member_called(f"p0@{domain}")
    assert (after.provisioning, after.seen_at) == (Provisioning.SETTLED, before)


def test_somebody_let_in_by_hand_is_shut_out_with_their_tenant(stage: Stage, domain: str) -> None:
    """Though the row, which nobody has compared, says that they are shut out already."""
    tenant = tenant_with_people("Let in", 2, domain=domain)
    stage.work()
    disable(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    pool_id = stage.tools.directory.pool_id
    stage.by_hand.admin_enable_user(UserPoolId=pool_id, Username=f"p1@{domain}")
    suspend(tenant, by=SOMEBODY, why="A test.")
    stage.work()
    user = stage.user(f"p1@{domain}")
    assert user
    assert not user.enabled


def test_only_a_look_moves_the_time_when_a_user_was_last_seen(stage: Stage, domain: str) -> None:
    tenant_with_people("Seen", 2, domain=domain)
    stage.work()
    email, seen_at = f"p1@{domain}", member_called(f"p1@{domain}").seen_at
    assert seen_at
    set_role(member_called(email), Role.EDITOR, by=SOMEBODY)
    stage.work()
    assert (member_called(email).seen_role, member_called(email).seen_at) == ("editor", seen_at)
    Member.objects.filter(person__email=email).update(attempts=1, provisioning=Provisioning.DUE, due_at=timezone.now())
    stage.work()
    assert (member_called(email).seen_at or seen_at) > seen_at
