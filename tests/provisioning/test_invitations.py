"""Invitations on their way: mailed once, mailed again, not delivered, and found after a kill."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.domain.errors import UndeliverableMail, Unreachable
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle import details, transitions
from tenants.lifecycle.transitions import create_tenant
from tenants.members.invitation_state import InvitationState, Invited, invitation_state, needing_a_resend
from tenants.members.roster import add_member, mark_due, remove
from tenants.models import AuditEvent, Member, Person, Provisioning, Tenant
from tenants.provisioning.attempt import Look
from tenants.provisioning.finish import finish
from tenants.provisioning.one_member import apply_answer, make_call
from tenants.provisioning.queue import claim
from tenants.provisioning.results import Outcome
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, make_all_calls, member_called, recorded_actions

SENDING, CREATE = "Mail.Send", "CognitoIdentityProvider.AdminCreateUser"
LONG_AGO = timedelta(days=8)


def invite(domain: str, name: str = "nina", *, mail: bool = True) -> Member:
    """An editor of a tenant with an owner who was not mailed."""
    tenant = Tenant.objects.filter(members__person__email=f"owner@{domain}").first() or create_tenant(
        name="Initech", owner_email=f"owner@{domain}", mail_invitation=False, by=SOMEBODY
    )
    return add_member(
        tenant=tenant,
        email=f"{name}@{domain}",
        name="Nina",
        role=Role.EDITOR,
        mail_invitation=mail,
        invited_by=Person.objects.get(email=f"owner@{domain}"),
        by=SOMEBODY,
    )


def ask_to_resend(member: Member, **fields: bool) -> None:
    mark_due(Member.objects.filter(pk=member.pk), resend=True, **fields)


def state_of(email: str) -> InvitationState:
    return invitation_state(member_called(email))


def kill_the_holder() -> None:
    """As if a minute had passed since a worker was killed."""
    Member.objects.exclude(leased_by="").update(leased_until=timezone.now())


def test_an_invitation_is_mailed_with_the_user_and_says_when(stage: Stage, domain: str) -> None:
    before = timezone.now()
    invite(domain)
    stage.work()
    member = member_called(f"nina@{domain}")
    assert stage.mails_to(f"nina@{domain}") == 1
    assert member.mailed_at is not None
    assert before <= member.mailed_at <= timezone.now()
    assert state_of(f"nina@{domain}").name == Invited.INVITED
    assert state_of(f"owner@{domain}").name == Invited.NOT_MAILED


def test_a_user_carries_what_the_mail_is_made_from(stage: Stage, domain: str) -> None:
    invite(domain)
    stage.work()
    attributes = stage.attributes_of(f"nina@{domain}")
    assert (attributes["custom:org_name"], attributes["custom:invited_by"]) == ("Initech", f"owner@{domain}")
    assert "custom:invited_by" not in stage.attributes_of(f"owner@{domain}")


def test_an_operator_carries_no_names(stage: Stage, domain: str) -> None:
    add_member(tenant=None, email=f"olga@{domain}", name="Olga", role=Role.OPERATOR, by=SOMEBODY)
    stage.work()
    assert not {"custom:org_name", "custom:invited_by"} & set(stage.attributes_of(f"olga@{domain}"))


def test_a_resend_mails_once_more_and_takes_the_names_of_today(stage: Stage, switches: Switches, domain: str) -> None:
    member = invite(domain)
    stage.work()
    Member.objects.filter(pk=member.pk).update(mailed_at=timezone.now() - LONG_AGO)
    assert state_of(f"nina@{domain}").name == Invited.LAPSED
    assert member.tenant is not None
    details.rename(member.tenant, name="Initech Ltd", by=SOMEBODY)
    ask_to_resend(member)
    switches.forget()
    assert stage.work().settled == 1
    calls = {name.partition(".")[2]: count for name, count in switches.calls().items() if "Admin" in name}
    assert calls == {"AdminGetUser": 1, "AdminUpdateUserAttributes": 1, "AdminCreateUser": 1}
    assert stage.mails_to(f"nina@{domain}") == 2
    assert stage.attributes_of(f"nina@{domain}")["custom:org_name"] == "Initech Ltd"
    member = member_called(f"nina@{domain}")
    assert (member.resend, member.mail_problem) == (False, "")
    assert state_of(f"nina@{domain}").name == Invited.INVITED
    assert AuditEvent.objects.filter(action="member.provisioned").latest("seq").after["changes"] == [
        "set who invites them, for the mail",
        "mail the invitation again",
    ]


def test_names_that_did_not_change_are_not_set_again(stage: Stage, switches: Switches, domain: str) -> None:
    member = invite(domain)
    stage.work()
    ask_to_resend(member)
    switches.forget()
    stage.work()
    assert "CognitoIdentityProvider.AdminUpdateUserAttributes" not in switches.calls()
    assert stage.mails_to(f"nina@{domain}") == 2


def test_somebody_who_has_a_password_is_not_mailed_again(stage: Stage, switches: Switches, domain: str) -> None:
    member = invite(domain)
    stage.work()
    stage.choose_password(f"nina@{domain}")
    ask_to_resend(member)
    switches.forget()
    assert stage.work().settled == 1
    assert CREATE not in switches.calls()
    member = member_called(f"nina@{domain}")
    assert (member.resend, member.provisioning) == (False, Provisioning.SETTLED)
    assert state_of(f"nina@{domain}").in_words == "has signed in"


def test_somebody_who_signs_in_just_before_the_mail_is_looked_at_again(stage: Stage, domain: str) -> None:
    member = invite(domain)
    stage.work()
    ask_to_resend(member)
    (claimed,) = claim("worker", most=1)
    look = claimed.attempt.next_call()
    assert isinstance(look, Look)
    assert apply_answer(claimed, look, make_call(stage.tools.directory, look, None)) is None
    stage.choose_password(f"nina@{domain}")
    make_all_calls(stage, claimed)
    assert finish(claimed) == Outcome.SETTLED
    assert (stage.mails_to(f"nina@{domain}"), member_called(f"nina@{domain}").resend) == (1, False)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_resend_mails_also_where_the_user_is_created(stage: Stage, domain: str, is_gone: bool) -> None:
    member = invite(domain, mail=False)
    if is_gone:
        stage.work()
        stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=f"nina@{domain}")
    ask_to_resend(member)
    stage.work()
    assert stage.mails_to(f"nina@{domain}") == 1
    assert state_of(f"nina@{domain}").name == Invited.INVITED
    assert not member_called(f"nina@{domain}").resend


def test_a_mail_that_is_owed_waits_until_they_may_sign_in(stage: Stage, domain: str) -> None:
    member = invite(domain)
    stage.work()
    tenant = member.tenant
    assert tenant is not None
    tenant.refresh_from_db()
    transitions.suspend(tenant, why="unpaid", by=SOMEBODY)
    ask_to_resend(member)
    stage.work()
    assert (stage.mails_to(f"nina@{domain}"), member_called(f"nina@{domain}").resend) == (1, True)
    transitions.reactivate(tenant, by=SOMEBODY)
    stage.work()
    assert (stage.mails_to(f"nina@{domain}"), member_called(f"nina@{domain}").resend) == (2, False)


def test_a_user_found_after_a_kill_counts_as_mailed_when_it_was_made(stage: Stage, domain: str) -> None:
    invite(domain, mail=True)
    for claimed in claim("killed", most=10):
        make_all_calls(stage, claimed)
    kill_the_holder()
    stage.work()
    user, member = stage.user(f"nina@{domain}"), member_called(f"nina@{domain}")
    assert user is not None
    assert member.mailed_at == user.modified_at
    assert state_of(f"nina@{domain}").name == Invited.INVITED
    assert stage.mails_to(f"nina@{domain}") == 1
    assert state_of(f"owner@{domain}").name == Invited.NOT_MAILED


def test_a_resend_that_was_killed_is_made_again(stage: Stage, domain: str) -> None:
    member = invite(domain)
    stage.work()
    ask_to_resend(member)
    (claimed,) = claim("killed", most=10)
    make_all_calls(stage, claimed)
    kill_the_holder()
    stage.work()
    assert stage.mails_to(f"nina@{domain}") == 3
    assert not member_called(f"nina@{domain}").resend


def test_a_user_made_by_hand_was_not_mailed_and_can_be(stage: Stage, domain: str) -> None:
    member = invite(domain)
    assert member.tenant is not None
    stage.make_by_hand(f"nina@{domain}", org=str(member.tenant.org_id), role="editor")
    stage.work()
    state = state_of(f"nina@{domain}")
    assert (state.name, state.can_be_resent, stage.mails_to(f"nina@{domain}")) == (Invited.NOT_MAILED, True, 0)
    ask_to_resend(member)
    stage.work()
    assert stage.mails_to(f"nina@{domain}") == 1


def test_a_user_made_anew_by_hand_has_neither_a_mail_nor_signed_in(stage: Stage, domain: str) -> None:
    member = invite(domain)
    stage.work()
    Member.objects.filter(pk=member.pk).update(signed_in_at=timezone.now())
    stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=f"nina@{domain}")
    assert member.tenant is not None
    stage.make_by_hand(f"nina@{domain}", org=str(member.tenant.org_id), role="editor")
    mark_due(Member.objects.filter(pk=member.pk))
    Member.objects.filter(pk=member.pk).update(attempts=1)
    stage.work()
    state = state_of(f"nina@{domain}")
    assert (state.name, state.can_be_resent) == (Invited.NOT_MAILED, True)


# ── Not delivered ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_that_is_not_delivered_leaves_a_member_who_is_settled(
    stage: Stage, switches: Switches, domain: str
) -> None:
    invite(domain)
    switches.fail(SENDING, fault="undelivered-mail", count=1)
    tally = stage.work()
    member = member_called(f"nina@{domain}")
    assert (tally.failed, member.provisioning, member.attempts) == (0, Provisioning.SETTLED, 0)
    assert (member.mail_problem, member.mailed_at) == ("Unable to deliver the message.", None)
    assert [user.email for user in stage.users_of(domain)].count(f"nina@{domain}") == 1
    state = state_of(f"nina@{domain}")
    assert state == InvitationState(
        Invited.NOT_DELIVERED, "mail not delivered: Unable to deliver the message.", can_be_resent=True
    )
    assert recorded_actions(f"nina@{domain}") == ["member.added", "member.provisioned", "member.mail-not-delivered"]
    switches.mend()
    ask_to_resend(member)
    stage.work()
    assert (stage.mails_to(f"nina@{domain}"), state_of(f"nina@{domain}").name) == (1, Invited.INVITED)


def test_a_lost_mail_is_remembered_where_the_look_after_it_fails(stage: Stage, switches: Switches, domain: str) -> None:
    member = invite(domain)
    (claimed,) = [one for one in claim("worker", most=10) if one.member.pk == member.pk]
    switches.fail(SENDING, fault="undelivered-mail", count=1)
    create = claimed.attempt.next_call()
    assert create is not None
    with pytest.raises(UndeliverableMail) as raised:
        make_call(stage.tools.directory, create, None)
    assert apply_answer(claimed, create, raised.value) is None
    assert finish(claimed, Unreachable("The user pool (Cognito)", "gone")) == Outcome.LATER
    kill_the_holder()
    Member.objects.update(due_at=timezone.now())
    stage.work()
    assert state_of(f"nina@{domain}").name == Invited.NOT_DELIVERED
    assert stage.mails_to(f"nina@{domain}") == 0


def test_an_owner_whose_mail_is_not_delivered_opens_the_tenant(stage: Stage, switches: Switches, domain: str) -> None:
    switches.fail(SENDING, fault="undelivered-mail", count=1)
    tenant = create_tenant(name="Initech", owner_email=f"owner@{domain}", by=SOMEBODY)
    stage.work()
    tenant.refresh_from_db()
    assert tenant.state == TenantState.ACTIVE


def test_a_resend_that_is_not_delivered_is_not_tried_again(stage: Stage, switches: Switches, domain: str) -> None:
    member = invite(domain)
    stage.work()
    switches.fail(SENDING, fault="undelivered-mail", count=1)
    ask_to_resend(member)
    stage.work()
    member = member_called(f"nina@{domain}")
    assert (member.provisioning, member.resend) == (Provisioning.SETTLED, False)
    assert (stage.mails_to(f"nina@{domain}"), state_of(f"nina@{domain}").name) == (1, Invited.NOT_DELIVERED)


def test_a_failed_delivery_without_a_user_is_the_members_failure(stage: Stage, switches: Switches, domain: str) -> None:
    invite(domain)
    fault = {"code": "CodeDeliveryFailureException", "message": "Unable to deliver the message.", "status": 400}
    switches.fail(CREATE, count=None, **fault)
    stage.work()
    member = member_called(f"nina@{domain}")
    assert (member.provisioning, member.seen) == (Provisioning.STUCK, None)
    assert member.last_error == "The invitation could not be delivered: Unable to deliver the message."


def test_those_without_a_working_mail_are_found(stage: Stage, switches: Switches, domain: str) -> None:
    for name in ("lapsed", "fine", "away", "removed"):
        invite(domain, name)
    stage.work()
    switches.fail(SENDING, fault="undelivered-mail", count=1)
    invite(domain, "lost")
    stage.work()
    lapsed = Member.objects.exclude(person__email__in=[f"fine@{domain}", f"lost@{domain}", f"owner@{domain}"])
    lapsed.filter(tenant__name="Initech").update(mailed_at=timezone.now() - LONG_AGO)
    Member.objects.filter(person__email=f"away@{domain}").update(enabled=False)
    remove(member_called(f"removed@{domain}"), by=SOMEBODY)
    found = {member.person.email for member in needing_a_resend(Member.objects.select_related("person"))}
    everybody = Member.objects.select_related("person", "tenant")
    assert found == {one.person.email for one in everybody if invitation_state(one).needs_a_resend}
    assert found == {f"lapsed@{domain}", f"lost@{domain}"}
