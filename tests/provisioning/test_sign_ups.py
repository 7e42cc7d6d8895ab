"""The worker's part of a sign-up: one user and one mail for an unknown address, and word to a known one's owner."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connections as databases
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from portal.demo.cast import ACME_OWNER, OPERATOR
from tenants.aws.directory import Directory
from tenants.domain.claims import Claims
from tenants.domain.roles import Role
from tenants.domain.user_plan import Seen
from tenants.lifecycle.transitions import create_tenant
from tenants.members import sign_up as sign_ups
from tenants.members.roster import add_member, remove
from tenants.members.sign_up import LASTS, NewSignUp, arriving, ask, give_way
from tenants.models import (
    AuditEvent,
    Halt,
    Halted,
    Lease,
    Member,
    OutgoingMail,
    Provisioning,
    RateCount,
    SignUp,
    SignUpState,
    Tenant,
)
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.sign_ups import expire, process
from tests.world.stage import SOMEBODY, Stage, member_called

Mails = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def mails(stage: Stage) -> Mails:
    """What the emulator's mailbox has for an address, the newest first."""

    def to(address: str) -> list[dict[str, Any]]:
        mailbox = f"{stage.world.emulator.endpoint_url}/mailbox.json"
        return list(requests.get(mailbox, params={"to": address}, timeout=60).json()["mails"])

    return to


def wish(email: str, organisation: str = "Initech", *, seconds_ago: float = 60) -> None:
    assert ask(NewSignUp(organisation, "Bill Lumbergh", email), client="192.0.2.1") is None
    row = SignUp.objects.order_by("-created_at")[0]
    at = timezone.now() - timedelta(seconds=seconds_ago)
    SignUp.objects.filter(pk=row.pk).update(created_at=at, due_at=at)


def later(**fields: Any) -> None:
    """As if the present sign-ups had been worked on a minute ago."""
    ago = timedelta(minutes=1)
    SignUp.objects.update(mailed_at=F("mailed_at") - ago, created_at=F("created_at") - ago, **fields)


def test_an_unknown_address_gets_one_user_with_a_fresh_org_id(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    assert process(stage.tools) == 1
    row, user = SignUp.objects.get(), stage.user(email)
    assert user is not None
    assert (user.org, user.role, user.enabled, user.name) == (str(row.org_id), Role.OWNER, True, "Bill Lumbergh")
    assert (row.state, str(row.sub), row.due_at) == (SignUpState.INVITED, user.sub, None)
    assert row.mailed_at is not None
    assert row.expires_at == row.mailed_at + LASTS
    assert len(mails(email)) == 1
    assert not Tenant.objects.filter(org_id=row.org_id).exists()
    assert process(stage.tools) == 0


def test_what_the_worker_did_is_in_the_trail_without_the_address(stage: Stage, domain: str) -> None:
    wish(f"bill@{domain}")
    process(stage.tools)
    entry = AuditEvent.objects.get(action="sign-up.mailed")
    assert (entry.org, entry.target) == (SignUp.objects.get().org_id, "Initech")
    assert domain not in str(entry.content())


def test_a_members_address_is_told_and_cognito_is_left_alone(stage: Stage) -> None:
    before = stage.user(ACME_OWNER.email)
    for _ in range(3):
        wish(ACME_OWNER.email)
        process(stage.tools)
        later()
    assert stage.user(ACME_OWNER.email) == before
    assert SignUp.objects.get().state == SignUpState.KNOWN
    assert [mail.kind for mail in OutgoingMail.objects.filter(to=ACME_OWNER.email)] == ["sign_up_known"]


def test_the_address_of_a_user_made_by_hand_is_known(stage: Stage, domain: str) -> None:
    email = f"byhand@{domain}"
    stage.make_by_hand(email)
    wish(email)
    process(stage.tools)
    assert SignUp.objects.get().state == SignUpState.KNOWN
    assert OutgoingMail.objects.filter(to=email, kind="sign_up_known").count() == 1


def test_a_removed_member_whom_cognito_still_has_is_known(stage: Stage, domain: str) -> None:
    email = f"gone@{domain}"
    tenant = create_tenant(name="Initrode", owner_email=f"owner@{domain}", mail_invitation=False, by=SOMEBODY)
    member = add_member(tenant=tenant, email=email, name="", role=Role.VIEWER, by=SOMEBODY, mail_invitation=False)
    stage.work()
    remove(member, by=SOMEBODY)
    wish(email)
    process(stage.tools)
    assert SignUp.objects.get().state == SignUpState.KNOWN


def test_a_second_sign_up_takes_over_the_unused_user_of_the_first(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email, "Initech")
    process(stage.tools)
    first = SignUp.objects.get()
    later()
    wish(email, "Initech International", seconds_ago=0)
    assert process(stage.tools) == 1
    row = SignUp.objects.get()
    assert (row.org_id, row.sub, row.organisation) == (first.org_id, first.sub, "Initech International")
    assert len(mails(email)) == 2
    assert [user.email for user in stage.users_of(domain)] == [email]


def test_a_form_sent_twice_by_mistake_is_one_mail(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    for _ in range(3):
        wish(email, seconds_ago=0)
    process(stage.tools)
    wish(email, "Newer", seconds_ago=0)
    process(stage.tools)
    assert SignUp.objects.get().organisation == "Newer"
    assert len(mails(email)) == 1


def test_an_address_is_mailed_so_often_an_hour_and_no_more(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    for _ in range(sign_ups.MOST_MAILS_TO_AN_ADDRESS + 2):
        wish(email, seconds_ago=0)
        process(stage.tools)
        later()
    assert len(mails(email)) == sign_ups.MOST_MAILS_TO_AN_ADDRESS
    assert SignUp.objects.get().state == SignUpState.INVITED
    assert process(stage.tools) == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"code": "TooManyRequestsException", "status": 400, "message": "Too many requests"},
        {"code": "InternalErrorException", "status": 500, "message": "try again"},
        {"drop": True},
    ],
    ids=["throttled", "down", "no answer"],
)
def test_a_passing_failure_is_tried_again(stage: Stage, switches: Any, domain: str, fault: dict[str, Any]) -> None:
    email = f"bill@{domain}"
    wish(email)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", count=1, **fault)
    process(stage.tools)
    row = SignUp.objects.get()
    assert (row.attempts, row.state, row.leased_by) == (1, SignUpState.WAITING, "")
    assert row.last_error
    SignUp.objects.update(due_at=timezone.now())
    process(stage.tools)
    assert SignUp.objects.get().state == SignUpState.INVITED
    assert len(stage.users_of(domain)) == 1


def test_a_lost_answer_makes_no_second_user_and_no_second_mail(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    # Cognito carried the call out, and the worker only knows that it failed.
    sub = stage.make_by_hand(email, org=str(SignUp.objects.get().org_id), role="owner")
    SignUp.objects.update(attempts=1, last_error="no answer")
    process(stage.tools)
    row = SignUp.objects.get()
    assert (row.state, str(row.sub), row.attempts) == (SignUpState.INVITED, sub, 0)
    assert mails(email) == []


def test_a_worker_killed_after_the_creation_leaves_it_to_the_next(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    claimed = sign_ups.claim(sign_ups.due(), "killed")
    assert claimed is not None
    stage.make_by_hand(email, org=str(claimed.org_id), role="owner")
    assert process(stage.tools) == 0
    SignUp.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert process(stage.tools) == 1
    row, user = SignUp.objects.get(), stage.user(email)
    assert user is not None
    assert (row.state, str(row.sub), user.org) == (SignUpState.INVITED, user.sub, str(row.org_id))


def test_a_newer_sign_up_waits_while_another_worker_has_the_address(stage: Stage, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    assert sign_ups.claim(sign_ups.due(), "another") is not None
    wish(email, "Newer")
    wish(f"other@{domain}", "Other")
    assert process(stage.tools) == 1
    assert SignUp.objects.count() == 3
    SignUp.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    process(stage.tools)
    assert sorted(row.organisation for row in SignUp.objects.all()) == ["Newer", "Other"]


def test_an_address_that_cognito_refuses_ends_as_failed(stage: Stage, switches: Any, domain: str) -> None:
    wish(f"bill@{domain}")
    switches.fail(
        "CognitoIdentityProvider.AdminCreateUser", count=1, code="InvalidParameterException", status=400, message="no"
    )
    process(stage.tools)
    row = SignUp.objects.get()
    assert (row.state, row.due_at) == (SignUpState.FAILED, None)
    assert "no" in row.last_error


def test_a_failure_of_the_stack_halts_and_loses_nothing(stage: Stage, switches: Any, domain: str) -> None:
    wish(f"bill@{domain}")
    switches.fail(
        "CognitoIdentityProvider.AdminGetUser", count=1, code="AccessDeniedException", status=400, message="no right"
    )
    process(stage.tools)
    assert Halt.objects.exists()
    assert process(stage.tools) == 0
    SignUp.objects.update(leased_until=None)
    # One worker of all has tried just now; somebody tries again after a while, and goes on if that helps.
    assert process(stage.tools) == 0
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert process(stage.tools) == 1
    assert SignUp.objects.get().state == SignUpState.INVITED
    assert not Halt.objects.exists()


def test_the_daily_limit_of_mails_halts_invitations_and_owes_the_mail(
    stage: Stage, switches: Any, mails: Mails, domain: str
) -> None:
    for number in range(3):
        wish(f"p{number}@{domain}")
    limit = "Exceeded daily email limit for the operation or the account."
    create = "CognitoIdentityProvider.AdminCreateUser"
    switches.fail(create, count=1, code="LimitExceededException", status=400, message=limit)
    process(stage.tools)
    assert Halt.objects.get().pk == Halted.MAILS
    assert SignUp.objects.filter(state=SignUpState.INVITED, attempts=1).count() == 1
    # Meanwhile those whom Cognito need not mail are answered.
    wish(ACME_OWNER.email)
    process(stage.tools)
    assert SignUp.objects.get(email=ACME_OWNER.email).state == SignUpState.KNOWN
    assert stage.users_of(domain) == []
    for _ in range(3):
        now = timezone.now()
        Lease.objects.update(until=now - timedelta(seconds=1))
        SignUp.objects.update(leased_until=None)
        SignUp.objects.exclude(due_at=None).update(due_at=now)
        process(stage.tools)
    assert not Halt.objects.exists()
    assert [len(mails(f"p{number}@{domain}")) for number in range(3)] == [1, 1, 1]


def end_of(row: SignUp) -> None:
    SignUp.objects.filter(pk=row.pk).update(
        created_at=timezone.now() - LASTS - timedelta(days=1), expires_at=timezone.now() - timedelta(seconds=1)
    )


def test_after_seven_days_row_and_user_are_gone(stage: Stage, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    process(stage.tools)
    assert expire(stage.tools) == 0
    end_of(SignUp.objects.get())
    assert expire(stage.tools) == 1
    assert not SignUp.objects.exists()
    assert stage.user(email) is None
    assert AuditEvent.objects.filter(action="sign-up.ended", target="Initech").exists()


def test_somebody_who_has_chosen_a_password_keeps_user_and_sign_up(stage: Stage, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    process(stage.tools)
    stage.by_hand.admin_set_user_password(
        UserPoolId=stage.tools.directory.pool_id, Username=email, Password="Correct-horse-9", Permanent=True
    )
    end_of(SignUp.objects.get())
    expire(stage.tools)
    assert stage.user(email) is not None
    assert SignUp.objects.get().expires_at > timezone.now()


def test_a_user_whose_org_became_a_tenant_is_not_deleted(stage: Stage, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    process(stage.tools)
    row = SignUp.objects.get()
    Tenant.objects.create(org_id=row.org_id, name="Initech", slug=f"initech-{uuid.uuid4().hex[:8]}")
    end_of(row)
    expire(stage.tools)
    assert stage.user(email) is not None
    assert not SignUp.objects.exists()


def test_a_user_of_somebody_else_outlives_a_known_sign_up(stage: Stage, domain: str) -> None:
    email = f"byhand@{domain}"
    stage.make_by_hand(email)
    wish(email)
    process(stage.tools)
    end_of(SignUp.objects.get())
    expire(stage.tools)
    assert not SignUp.objects.exists()
    assert stage.user(email) is not None


@pytest.mark.parametrize("was_done", [False, True])
def test_an_end_without_an_answer_is_finished_by_the_next_round(
    stage: Stage, switches: Any, domain: str, *, was_done: bool
) -> None:
    email = f"bill@{domain}"
    wish(email)
    process(stage.tools)
    end_of(SignUp.objects.get())
    switches.fail("CognitoIdentityProvider.AdminDeleteUser", count=1, drop=True)
    expire(stage.tools)
    assert SignUp.objects.count() == 1
    if was_done:
        stage.by_hand.admin_delete_user(UserPoolId=stage.tools.directory.pool_id, Username=email)
    SignUp.objects.update(leased_until=None)
    expire(stage.tools)
    assert not SignUp.objects.exists()
    assert stage.user(email) is None


@dataclass(frozen=True, slots=True)
class Interrupted(Directory):
    """A pool where `then` happens after it has answered a look, or just before it deletes somebody."""

    after_look: Callable[[], object] = lambda: None
    before_deletion: Callable[[], object] = lambda: None

    def look(self, name: str) -> Seen | None:
        seen = Directory.look(self, name)
        self.after_look()
        return seen

    def delete(self, sub: str) -> None:
        self.before_deletion()
        Directory.delete(self, sub)


def tools_with(stage: Stage, **moments: Callable[[], object]) -> Tools:
    directory = stage.tools.directory
    return replace(stage.tools, directory=Interrupted(directory.client, directory.pool_id, **moments))


def arrival_of(row: SignUp) -> SignUp | None:
    """Whether the owner could make the tenant now."""
    claims = Claims(str(row.sub), row.email, "", str(row.org_id), Role.OWNER, int(time.time()) + 600)
    with transaction.atomic():
        return arriving(claims)


@pytest.mark.parametrize("moment", ["after_look", "before_deletion"])
def test_nobody_arrives_with_a_sign_up_that_is_being_ended(stage: Stage, domain: str, moment: str) -> None:
    email, arrived = f"late@{domain}", list[object]()
    wish(email)
    process(stage.tools)
    row = SignUp.objects.get()
    assert arrival_of(row) == row
    end_of(row)
    assert expire(tools_with(stage, **{moment: lambda: arrived.append(arrival_of(row))})) == 1
    assert arrived == [None]
    assert (stage.user(email), SignUp.objects.count()) == (None, 0)
    assert AuditEvent.objects.latest("seq").action == "sign-up.ended"


def test_an_owner_who_arrives_just_before_the_end_keeps_their_user(stage: Stage, domain: str) -> None:
    email = f"just@{domain}"
    wish(email)
    process(stage.tools)
    row = SignUp.objects.get()
    end_of(row)
    claimed = sign_ups.claim(sign_ups.expired(), "a worker")
    assert claimed
    arriving_row = arrival_of(row)
    assert arriving_row
    arriving_row.delete()
    assert not sign_ups.begin_to_end(claimed, "a worker")
    assert stage.user(email)


def test_an_owner_with_a_password_can_arrive_once_it_is_put_back(stage: Stage, domain: str) -> None:
    email, arrived = f"back@{domain}", list[object]()
    wish(email)
    process(stage.tools)
    stage.choose_password(email)
    row = SignUp.objects.get()
    end_of(row)
    expire(tools_with(stage, after_look=lambda: arrived.append(arrival_of(row))))
    assert arrived == [None]
    assert SignUp.objects.get().state == SignUpState.INVITED
    assert arrival_of(row) == row


def test_an_end_that_cognito_did_not_answer_is_put_back(stage: Stage, switches: Any, domain: str) -> None:
    wish(f"away@{domain}")
    process(stage.tools)
    row = SignUp.objects.get()
    end_of(row)
    switches.fail("CognitoIdentityProvider.AdminGetUser", fault="server-error", count=None)
    expire(stage.tools)
    assert SignUp.objects.get().state == SignUpState.INVITED
    switches.mend()


def test_a_worker_killed_while_ending_leaves_it_to_the_next(stage: Stage, domain: str) -> None:
    email = f"killed@{domain}"
    wish(email)
    process(stage.tools)
    end_of(SignUp.objects.get())
    SignUp.objects.update(state=SignUpState.ENDING, due_at=timezone.now())
    assert process(stage.tools) == 0
    assert expire(stage.tools) == 1
    assert (stage.user(email), SignUp.objects.count()) == (None, 0)


def test_an_invitation_replaces_a_pending_sign_up(stage: Stage, mails: Mails, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    process(stage.tools)
    tenant = create_tenant(name="Initrode", owner_email=f"owner@{domain}", mail_invitation=False, by=SOMEBODY)
    member = add_member(tenant=tenant, email=email, name="", role=Role.VIEWER, by=SOMEBODY)
    assert member.due_at is not None
    assert member.due_at > timezone.now()
    # Even where the member comes first all the same, the sign-up's user is in the way for a moment only.
    Member.objects.update(due_at=timezone.now())
    stage.work()
    assert member_called(email).provisioning == Provisioning.CONFLICT
    process(stage.tools)
    expire(stage.tools)
    assert not SignUp.objects.exists()
    stage.work()
    user = stage.user(email)
    assert user is not None
    assert (user.org, user.role) == (str(tenant.org_id), Role.VIEWER)
    assert member_called(email).provisioning == Provisioning.SETTLED
    assert not give_way(email)


def test_where_the_sign_up_ends_first_the_member_never_sees_a_conflict(stage: Stage, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    process(stage.tools)
    tenant = create_tenant(name="Initrode", owner_email=f"owner@{domain}", mail_invitation=False, by=SOMEBODY)
    add_member(tenant=tenant, email=email, name="", role=Role.VIEWER, by=SOMEBODY)
    expire(stage.tools)
    Member.objects.update(due_at=timezone.now())
    stage.work()
    assert member_called(email).provisioning == Provisioning.SETTLED
    assert not AuditEvent.objects.filter(action="member.conflict").exists()


def test_a_sign_up_that_gave_way_during_its_creation_stays_ended(stage: Stage, domain: str) -> None:
    email = f"bill@{domain}"
    wish(email)
    claimed = sign_ups.claim(sign_ups.due(), "slow")
    assert claimed is not None
    give_way(email)
    sub = stage.make_by_hand(email, org=str(claimed.org_id), role="owner")
    sign_ups.finish(claimed, "slow", state=SignUpState.INVITED, sub=sub, due_at=None, expires_at=timezone.now() + LASTS)
    expire(stage.tools)
    assert not SignUp.objects.exists()
    assert stage.user(email) is None


def test_old_counts_are_deleted_and_those_of_today_stay(stage: Stage) -> None:
    RateCount.objects.add_one("today", seconds=3600)
    RateCount.objects.create(key="old", began_at=1, times=3)
    assert expire(stage.tools) == 1
    assert RateCount.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_once_make_one_user_for_an_address(stage: Stage, mails: Mails, domain: str) -> None:
    emails = [f"p{number}@{domain}" for number in range(6)]
    for email in emails * 3:
        wish(email)

    def work(_: int) -> int:
        try:
            return process(stage.tools)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            list(pool.map(work, range(4)))
    rows = {row.email: row for row in SignUp.objects.all()}
    users = stage.users_of(domain)
    assert sorted(rows) == emails == sorted(user.email for user in users)
    assert all(user.org == str(rows[user.email].org_id) for user in users)
    assert [len(mails(email)) for email in emails] == [1] * 6


def test_an_operators_address_is_known(stage: Stage) -> None:
    wish(OPERATOR.email)
    process(stage.tools)
    assert SignUp.objects.get().state == SignUpState.KNOWN
    assert OutgoingMail.objects.get().to == OPERATOR.email
