"""Each answer of Cognito to the creation of a user leads to a clear message and a stable state, and loses nothing."""

from __future__ import annotations

import pytest

from tenants.members.roster import try_now
from tenants.models import AuditEvent, Member, Provisioning
from tenants.provisioning.one_member import provision_member_now
from tenants.provisioning.results import Outcome
from tests.world.cognito_answers import ANSWERS
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, member_called, tenant_with_people

# The portal looks in the pool and goes on, so no operator hears of these.
HANDLED = {"UsernameExistsException", "AliasExistsException", "UserNotFoundException"}


def provision_now(stage: Stage, member: Member) -> Outcome | None:
    tools = stage.tools
    return provision_member_now(member, directory=tools.directory, pacer=tools.pacer, holder="a request")


@pytest.mark.parametrize(("code", "message", "kind"), ANSWERS)
def test_each_answer_leaves_a_state_that_says_why_and_that_ends(
    stage: Stage, switches: Switches, domain: str, code: str, message: str, kind: str
) -> None:
    tenant_with_people("Answered", 1, domain=domain)
    status = 500 if code == "InternalErrorException" else 400
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message=message, status=status, count=1)
    outcome = provision_now(stage, member_called(f"p0@{domain}"))
    member = member_called(f"p0@{domain}")
    entries = AuditEvent.objects.filter(target=f"p0@{domain}", action="member.stuck")
    if code in HANDLED:
        assert outcome == Outcome.SETTLED
    elif kind == "member":
        assert (outcome, member.provisioning) == (Outcome.STUCK, Provisioning.STUCK)
        assert message in member.last_error
        assert [entry.why for entry in entries] == [member.last_error]
    else:
        assert (outcome, member.provisioning) == (Outcome.LATER, Provisioning.DUE)
        assert member.attempts == (1 if kind == "passing" else 0)
        assert (code in member.last_error) == (kind == "passing")
        assert not entries
    assert member.leased_by == ""
    if outcome != Outcome.SETTLED:
        try_now(member, by=SOMEBODY)
        assert provision_now(stage, member) == Outcome.SETTLED
    assert [user.role for user in stage.users_of(domain)] == ["owner"]


@pytest.mark.parametrize(("code", "message", "kind"), [answer for answer in ANSWERS if answer[2] == "systemic"])
def test_an_answer_that_concerns_all_halts_and_changes_no_member(
    stage: Stage, switches: Switches, domain: str, code: str, message: str, kind: str
) -> None:
    tenant_with_people("Halted", 3, domain=domain)
    before = list(Member.objects.order_by("pk").values())
    switches.fail("CognitoIdentityProvider.AdminCreateUser", code=code, message=message, status=400, count=None)
    for _ in range(2):
        assert stage.work().halted == f"The user pool (Cognito) answered {code}: {message}"
    assert list(Member.objects.order_by("pk").values()) == before
    (entry,) = AuditEvent.objects.filter(action="provisioning.halted")
    assert message in entry.why
    switches.mend()
    assert stage.work().settled == 3
