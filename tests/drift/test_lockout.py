"""A user whom the portal did not make: what they really reach, that the pages say so, and that they can be stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_EDITOR, CastMember
from tenants.domain.errors import NotNow
from tenants.drift import lockout
from tenants.models import AuditEvent, Drift, DriftKind, Lockout, Member, Reconciliation
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.pool import SOMEBODY_AT_A_TERMINAL, by_hand, compare_pool, set_by_hand, settled_tenant
from tests.world.stage import Stage

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")
REFUSED = r"Incorrect username or password|disabled"
KEY = {"pk": {"S": ACME.space.collection("orders")}, "sk": {"S": "ORD-2026-0001"}}


def stranger_of(stage: Stage, domain: str, role: str = "editor") -> CastMember:
    """Made in the pool by somebody with AdminCreateUser, with the demo's password and Acme's organisation."""
    email = f"stranger@{domain}"
    stage.make_by_hand(email, org=str(ACME.org_id), role=role)
    by_hand(stage, "admin_set_user_password", email, Password=stage.world.password, Permanent=True)
    return replace(ACME_EDITOR, email=email)


def reads_acme(stage: Stage, who: CastMember) -> bool:
    rows = seeding.clients(stage.world.emulator.endpoint_url, stage.world.credentials_of(who))("dynamodb")
    return "Item" in rows.get_item(TableName=stage.world.settings["RECORDS_TABLE"], Key=KEY)


def found(email: str) -> Drift:
    return Drift.objects.get(email=email, kind=DriftKind.UNKNOWN_USER)


def test_a_stranger_reaches_rows_until_they_are_disabled(stage: Stage, operator: Browser, domain: str) -> None:
    stranger = stranger_of(stage, domain)
    assert reads_acme(stage, stranger)
    compare_pool(stage)
    page = text_of(operator.get("/operators/drift/"))
    assert f"read and write the rows of {ACME.name} and read the public rows, whatever the portal decides" in page
    address = f"/operators/drift/{found(stranger.email).pk}/disable-user/"
    assert address in page
    asked = text_of(operator.get(address))
    assert "work until they expire, for up to an hour" in asked
    operator.post(address, {"reason": "not ours"})
    assert reads_acme(stage, stranger), "a page only asks"
    assert lockout.carry_out(stage.tools) == 1
    with pytest.raises(Exception, match=REFUSED):
        reads_acme(stage, stranger)
    seen = stage.user(stranger.email)
    assert seen is not None
    assert not seen.enabled
    page = text_of(operator.get("/operators/drift/"))
    assert "Disabled in Cognito: nobody signs in as this user" in page
    assert "The portal disabled it on" in page
    assert "editor, disabled, of organisation" in page
    assert address not in page
    told = {event.action: event for event in AuditEvent.objects.filter(target=stranger.email)}
    assert told["user.disable-asked"].why == "not ours"
    assert told["user.disabled"].actor == "worker"
    assert {event.org for event in told.values()} == {UUID(str(ACME.org_id))}


def test_a_stranger_is_refused_new_credentials_once_disabled(stage: Stage, domain: str) -> None:
    stranger = stranger_of(stage, domain)
    rows = seeding.clients(stage.world.emulator.endpoint_url, stage.world.credentials_of(stranger))("dynamodb")
    compare_pool(stage)
    lockout.ask(found(stranger.email), by=SOMEBODY_AT_A_TERMINAL)
    lockout.carry_out(stage.tools)
    with pytest.raises(Exception, match=REFUSED):
        stage.world.credentials_of(stranger)
    # As the page says: what AWS has issued before goes on for up to an hour.
    assert "Item" in rows.get_item(TableName=stage.world.settings["RECORDS_TABLE"], Key=KEY)


def test_the_terminal_asks_for_the_same(stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = stranger_of(stage, domain)
    with pytest.raises(CommandError, match="Compare first"):
        call_command("member", "disable-user", stranger.email)
    compare_pool(stage)
    call_command("member", "disable-user", stranger.email, "--dry-run", "--json")
    plan = json.loads(capsys.readouterr().out)
    assert plan["would"][0].startswith(f"Within a second or so the worker disables {stranger.email}")
    assert not Lockout.objects.exists()
    call_command("member", "disable-user", found(stranger.email).sub, "--json", "--reason", "not ours")
    assert json.loads(capsys.readouterr().out)["did"] == "disable-user"
    lockout.carry_out(stage.tools)
    with pytest.raises(CommandError, match="is disabled in Cognito already"):
        call_command("member", "disable-user", stranger.email)


def test_a_members_own_user_is_not_disabled_here(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Owned", 2, domain=domain)
    member = Member.objects.select_related("person").get(person__email=f"p1@{domain}")
    run = Reconciliation.objects.create(finished_at=timezone.now())
    drift = Drift.objects.create(
        reconciliation=run, kind=DriftKind.ORG, sub=str(member.person.sub), email=f"p1@{domain}",
        seen_org=str(tenant.org_id), seen_role="viewer", seen_enabled=True,
    )  # fmt: skip
    with pytest.raises(NotNow, match="Disable the member instead"):
        lockout.ask(drift, by=SOMEBODY_AT_A_TERMINAL)
    assert lockout.states([drift])[drift.pk].can_be_asked is False
    # One who became a member after somebody asked.
    Lockout.objects.create(sub=drift.sub, email=drift.email)
    assert lockout.carry_out(stage.tools) == 1
    seen = stage.user(member)
    assert seen is not None
    assert seen.enabled
    assert "is the user of a member by now" in Lockout.objects.get().last_error.lower()


def test_a_user_who_is_gone_ends_the_wish(stage: Stage, domain: str) -> None:
    stranger = stranger_of(stage, domain)
    compare_pool(stage)
    lockout.ask(found(stranger.email), by=SOMEBODY_AT_A_TERMINAL)
    by_hand(stage, "admin_delete_user", stranger.email)
    assert (lockout.carry_out(stage.tools), lockout.carry_out(stage.tools)) == (1, 0)
    ended = Lockout.objects.get()
    assert (ended.due_at, ended.done_at, ended.last_error) == (None, None, "There is no such user any more.")
    assert not AuditEvent.objects.filter(action="user.disabled").exists()


def test_cognito_away_leaves_the_wish_for_the_next_try(stage: Stage, switches: Switches, domain: str) -> None:
    stranger = stranger_of(stage, domain)
    compare_pool(stage)
    lockout.ask(found(stranger.email), by=SOMEBODY_AT_A_TERMINAL)
    switches.fail(
        "CognitoIdentityProvider.AdminUserGlobalSignOut", code="TooManyRequestsException", status=400, count=1
    )
    assert lockout.carry_out(stage.tools) == 1
    waiting = Lockout.objects.get()
    assert waiting.due_at is not None
    assert waiting.last_error
    Lockout.objects.update(due_at=timezone.now())
    assert lockout.carry_out(stage.tools) == 1
    assert Lockout.objects.get().done_at is not None


def test_another_role_says_what_it_reaches_and_offers_the_repair(stage: Stage, operator: Browser, domain: str) -> None:
    settled_tenant(stage, "Raised", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="owner")
    compare_pool(stage)
    member = Member.objects.get(person__email=f"p1@{domain}")
    page = text_of(operator.get("/operators/drift/"))
    assert "read and write the rows of Raised" in page
    assert f"/operators/members/{member.pk}/try-now/" in page
    own = text_of(operator.get(f"/operators/members/{member.pk}/"))
    assert "Until Cognito matches again: AWS lets" in own
    operator.post(f"/operators/members/{member.pk}/try-now/", {})
    stage.work()
    assert stage.attributes_of(f"p1@{domain}")["custom:role"] == "viewer"
    assert "Until Cognito matches again" not in text_of(operator.get(f"/operators/members/{member.pk}/"))


def test_another_organisation_says_what_it_reaches_and_can_be_disabled(
    stage: Stage, operator: Browser, domain: str
) -> None:
    settled_tenant(stage, "Emptied", 2, domain=domain)
    by_hand(stage, "admin_delete_user", f"p1@{domain}")
    stage.make_by_hand(f"p1@{domain}", org=str(ACME.org_id), role="owner")
    compare_pool(stage)
    drift = Drift.objects.get(kind=DriftKind.ORG)
    page = text_of(operator.get("/operators/drift/"))
    assert f"read and write the rows of {ACME.name}" in page
    operator.post(f"/operators/drift/{drift.pk}/disable-user/", {})
    lockout.carry_out(stage.tools)
    seen = stage.user(f"p1@{domain}")
    assert seen is not None
    assert not seen.enabled
