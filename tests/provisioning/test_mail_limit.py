"""Cognito's daily limit of mails: it halts invitations, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants.aws.failures import scope_of
from tenants.domain.errors import MailLimitReached
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import create_tenant
from tenants.members.invitation_state import Invited, invitation_state
from tenants.members.roster import add_member, disable, mark_due, remove, set_role
from tenants.models import AuditEvent, Halted, Lease, Member, Provisioning, SignUp, Tenant
from tenants.provisioning.dispatcher import Tally
from tenants.provisioning.halt import clear_halt, halt_invitations, is_halted, why_halted
from tenants.provisioning.one_member import changes_for, provision_member_now
from tenants.provisioning.results import Outcome
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, assert_all_agree, member_called

CREATE = "CognitoIdentityProvider.AdminCreateUser"
# AWS does not say whether it has made the user by then.
BEFORE, AFTER = CREATE, "Mail.Send"
OTHER_LIMIT = {"code": "LimitExceededException", "message": "Attempt limit exceeded.", "status": 400}


def tenant_at(stage: Stage, domain: str) -> Tenant:
    """Its owner is in Cognito, and was not mailed."""
    tenant = create_tenant(name="Initech", owner_email=f"owner@{domain}", mail_invitation=False, by=SOMEBODY)
    stage.work()
    return tenant


def invite(tenant: Tenant, domain: str, *names: str, mail: bool = True) -> None:
    for name in names:
        add_member(
            tenant=tenant, email=f"{name}@{domain}", name="", role=Role.VIEWER, mail_invitation=mail, by=SOMEBODY
        )


def reach_the_limit(stage: Stage, switches: Switches, where: str = AFTER) -> Tally:
    switches.fail(where, fault="daily-mail-limit", count=None)
    return stage.work(threads=1)


def let_a_probe_begin() -> None:
    """As if its time had come."""
    Lease.objects.update(until=timezone.now())


def waiting() -> set[str]:
    return set(
        Member.objects.filter(provisioning=Provisioning.DUE, last_error=MailLimitReached.WHY).values_list(
            "person__email", flat=True
        )
    )


@pytest.mark.parametrize("where", [BEFORE, AFTER])
def test_people_who_have_to_be_mailed_stay_due_and_has_not_failed(
    stage: Stage, switches: Switches, domain: str, where: str
) -> None:
    invite(tenant_at(stage, domain), domain, "a", "b", "c")
    tally = reach_the_limit(stage, switches, where)
    assert waiting() == {f"{name}@{domain}" for name in "abc"}
    assert not Member.objects.filter(attempts__gt=0).exists()
    assert (tally.failed, tally.throttled, tally.halted) == (0, 0, "")
    assert tally.invitations_halted == why_halted(Halted.MAILS) == MailLimitReached.WHY
    assert not is_halted()
    assert AuditEvent.objects.filter(action="invitations.halted").count() == 1
    assert not AuditEvent.objects.filter(action="member.stuck").exists()


def test_the_reason_names_what_sends_more_mails() -> None:
    for word in ("Amazon SES", "MailSource", "MailIdentityArn", "50"):
        assert word in MailLimitReached().for_operators
    assert scope_of(MailLimitReached()) == "mails"


@pytest.mark.parametrize("where", [BEFORE, AFTER])
def test_they_go_on_by_themselves_and_nobody_is_made_twice(
    stage: Stage, switches: Switches, domain: str, where: str
) -> None:
    invite(tenant_at(stage, domain), domain, "a", "b", "c")
    reach_the_limit(stage, switches, where)
    switches.mend()
    let_a_probe_begin()
    stage.work()
    assert (waiting(), is_halted(Halted.MAILS)) == (set(), False)
    assert [stage.mails_to(f"{name}@{domain}") for name in "abc"] == [1, 1, 1]
    assert all(invitation_state(member_called(f"{name}@{domain}")).name == Invited.INVITED for name in "abc")
    assert not Member.objects.filter(resend=True).exists()
    assert_all_agree(stage, domain, 4)


def test_a_user_whom_cognito_made_all_the_same_is_known_at_once(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, "a")
    reach_the_limit(stage, switches)
    member = member_called(f"a@{domain}")
    assert member.seen == stage.user(f"a@{domain}")
    assert (member.resend, member.mailed_at) == (True, None)
    assert changes_for(member, directory=stage.tools.directory, pacer=stage.tools.pacer)[-1] == (
        "mail the invitation again"
    )


def test_everything_that_is_not_mailed_goes_on(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = tenant_at(stage, domain)
    invite(tenant, domain, "role", "out", "away", mail=False)
    invite(tenant, domain, "mailed")
    reach_the_limit(stage, switches)
    invite(tenant, domain, "silent", mail=False)
    set_role(member_called(f"role@{domain}"), Role.EDITOR, by=SOMEBODY)
    disable(member_called(f"out@{domain}"), by=SOMEBODY)
    remove(member_called(f"away@{domain}"), by=SOMEBODY)
    set_role(member_called(f"mailed@{domain}"), Role.EDITOR, by=SOMEBODY)
    assert stage.work().settled == 4
    users = {user.email.partition("@")[0]: (user.role, user.enabled) for user in stage.users_of(domain)}
    assert users == {
        "owner": ("owner", True),
        "role": ("editor", True),
        "out": ("viewer", False),
        "silent": ("viewer", True),
        # Their user is there too, and only the mail is owed.
        "mailed": ("editor", True),
    }
    assert waiting() == {f"mailed@{domain}"}


def test_one_call_now_and_then_shows_whether_mails_go_again(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, *"abcdefgh")
    reach_the_limit(stage, switches)
    for expected in (0, 1, 0, 1):
        if expected:
            let_a_probe_begin()
        switches.forget()
        stage.work()
        assert switches.calls().get(CREATE, 0) == expected
    assert len(waiting()) == 8
    assert AuditEvent.objects.filter(action="invitations.halted").count() == 1


def test_invitations_of_later_wait_without_a_call(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = tenant_at(stage, domain)
    invite(tenant, domain, "a")
    reach_the_limit(stage, switches)
    switches.forget()
    invite(tenant, domain, "b", "c")
    stage.work()
    assert (CREATE in switches.calls(), waiting()) == (False, {f"{name}@{domain}" for name in "abc"})


def test_a_resend_waits_too(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, "a")
    stage.work()
    mark_due(Member.objects.filter(person__email=f"a@{domain}"), resend=True)
    reach_the_limit(stage, switches)
    assert waiting() == {f"a@{domain}"}
    switches.mend()
    let_a_probe_begin()
    stage.work()
    assert (stage.mails_to(f"a@{domain}"), waiting()) == (2, set())


def test_a_request_leaves_the_invitation_to_the_worker(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, "a", "b")
    reach_the_limit(stage, switches)
    switches.forget()
    tools: dict[str, Any] = {"directory": stage.tools.directory, "pacer": stage.tools.pacer}
    assert provision_member_now(member_called(f"a@{domain}"), holder="a request", **tools) == Outcome.WAITING
    assert CREATE not in switches.calls()


def test_a_probe_that_is_not_delivered_shows_that_mails_go_again(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, "a", "b")
    reach_the_limit(stage, switches)
    switches.fail(AFTER, fault="undelivered-mail", count=1)
    let_a_probe_begin()
    stage.work(threads=1)
    assert not is_halted(Halted.MAILS)
    assert sorted(invitation_state(member_called(f"{name}@{domain}")).name for name in "ab") == [
        Invited.INVITED,
        Invited.NOT_DELIVERED,
    ]


def test_nothing_is_halted_once_nobody_waits(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, "a")
    reach_the_limit(stage, switches)
    remove(member_called(f"a@{domain}"), by=SOMEBODY)
    let_a_probe_begin()
    stage.work()
    assert not is_halted(Halted.MAILS)


def test_a_sign_up_that_waits_keeps_invitations_halted(stage: Stage, switches: Switches, domain: str) -> None:
    halt_invitations(holder="a job")
    SignUp.objects.create(
        email=f"ira@{domain}",
        organisation="Initech",
        name="Ira",
        last_error=MailLimitReached.WHY,
        expires_at=timezone.now() + timedelta(days=7),
    )
    let_a_probe_begin()
    stage.work()
    assert is_halted(Halted.MAILS)


def test_somebody_who_began_to_wait_too_late_goes_on_all_the_same(
    stage: Stage, switches: Switches, domain: str
) -> None:
    invite(tenant_at(stage, domain), domain, "a", "b")
    reach_the_limit(stage, switches)
    switches.mend()
    clear_halt(Halted.MAILS)
    stage.work()
    stage.work()
    assert waiting() == set()
    assert [stage.mails_to(f"{name}@{domain}") for name in "ab"] == [1, 1]


def test_another_limit_is_a_throttle_and_halts_nothing(stage: Stage, switches: Switches, domain: str) -> None:
    invite(tenant_at(stage, domain), domain, "a")
    switches.fail(CREATE, count=1, **OTHER_LIMIT)
    assert (stage.work().throttled, is_halted(Halted.MAILS)) == (1, False)
    assert stage.mails_to(f"a@{domain}") == 1
