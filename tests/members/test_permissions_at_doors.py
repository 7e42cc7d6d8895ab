"""What operators' pages and commands offer and take is what the table of permissions says."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from portal.demo.cast import ACME, OPERATOR
from portal.demo.world import World
from tenants.domain.actor import ActorKind
from tenants.domain.roles import Role
from tenants.lifecycle.steps import TENANT_STEPS
from tenants.members.roster import add_member
from tenants.members.steps import MEMBER_STEPS, OWN_MEMBER_STEPS
from tenants.models import Member, Provisioning, SecondFactor, Tenant
from tenants.sign_in.break_glass import make_link
from tests.members.test_permissions import OUTSIDE
from tests.world.fixtures import Browser
from tests.world.stage import SOMEBODY


@pytest.fixture
def acme(portal: World) -> Tenant:
    tenant = Tenant.objects.get(org_id=ACME.org_id.value)
    for name, role in (("invited", Role.VIEWER), ("theirs", Role.EDITOR), ("ours", Role.EDITOR)):
        add_member(tenant=tenant, email=f"{name}@acme.example", name="", role=role, by=SOMEBODY)
    for name, flag in (("ours", True), ("theirs", False)):
        Member.objects.filter(person__email=f"{name}@acme.example").update(enabled=False, disabled_by_operator=flag)
    Member.objects.filter(tenant=tenant).update(provisioning=Provisioning.STUCK, last_error="x")
    return tenant


def glass(portal: World) -> Browser:
    browser = Browser(portal)
    browser.post("/operators/break-glass/", {"key": make_link(by=SOMEBODY, why="x").key})
    return browser


@pytest.mark.parametrize("owner_has_signed_in", [False, True], ids=["no owner yet", "an owner has signed in"])
@pytest.mark.parametrize("kind", [ActorKind.OPERATOR, ActorKind.BREAK_GLASS])
def test_operators_pages_offer_and_take_what_the_table_says(
    portal: World, acme: Tenant, operator: Browser, kind: ActorKind, owner_has_signed_in: bool
) -> None:
    at = timezone.now() if owner_has_signed_in else None
    Tenant.objects.filter(pk=acme.pk).update(owner_signed_in_at=at)
    browser, by = operator if kind == ActorKind.OPERATOR else glass(portal), OUTSIDE[kind]
    wrong = []
    for member in Member.objects.filter(tenant=acme).select_related("person", "tenant"):
        page = browser.get(f"/operators/members/{member.pk}/").content.decode()
        for step in MEMBER_STEPS:
            address = f"/operators/members/{member.pk}/{step.name}/"
            may = not step.allowed(member, by)
            can = may and not step.prevented(member)
            with transaction.atomic():
                sent = browser.post(address, {"role": "viewer", "reason": "x"}).status_code
                transaction.set_rollback(True)
            answers = (browser.get(address).status_code == 403, sent == 403, f'href="{address}"' in page)
            if answers != (not may, not may, can):
                wrong.append((member.person.email, step.name, answers))
    assert wrong == []


@pytest.mark.parametrize("owner_has_signed_in", [False, True], ids=["no owner yet", "an owner has signed in"])
@pytest.mark.parametrize("kind", [ActorKind.OPERATOR, ActorKind.BREAK_GLASS])
def test_a_tenants_page_offers_what_somebody_may_and_says_why_not(
    portal: World, acme: Tenant, operator: Browser, kind: ActorKind, owner_has_signed_in: bool
) -> None:
    at = timezone.now() if owner_has_signed_in else None
    Tenant.objects.filter(pk=acme.pk).update(owner_signed_in_at=at)
    browser, by = operator if kind == ActorKind.OPERATOR else glass(portal), OUTSIDE[kind]
    acme = Tenant.objects.get(pk=acme.pk)
    page = browser.get(f"/operators/tenants/{acme.org_id}/").content.decode()
    for step in TENANT_STEPS:
        address = f"/operators/tenants/{acme.org_id}/{step.name}/"
        why, prevented = step.allowed(acme, by), step.prevented(acme)
        assert (f'href="{address}"' in page) is (not why and not prevented), step.name
        assert (browser.get(address).status_code == 403) is bool(why), step.name
    refused = {step.name for step in TENANT_STEPS if step.allowed(acme, by)}
    if kind == ActorKind.BREAK_GLASS:
        assert refused == {"activate", "add-member", "recover-owner", "cancel-recovery"}
        assert "Break-glass access makes, raises and enables nobody." in page
        assert browser.get("/operators/tenants/new/").status_code == 403
        form = {"name": "Hooli", "email": "owner@hooli.example", "plan": "free"}
        assert browser.post("/operators/tenants/new/", form).status_code == 403
    else:
        assert refused == ({"add-member"} if owner_has_signed_in else set())
        assert ("ask for an owner recovery" in page) is owner_has_signed_in
    assert OPERATOR.email not in page


def test_the_terminal_may_take_every_step(acme: Tenant) -> None:
    editor = Member.objects.filter(person__email="editor@acme.example")
    editor.update(signed_in_at=timezone.now(), second_factor=SecondFactor.ENROLLED)
    Tenant.objects.filter(pk=acme.pk).update(owner_signed_in_at=timezone.now())
    commands = (
        ("add", "new@acme.example", "--role", "owner", "--tenant", "acme"),
        ("role", "editor@acme.example", "owner"),
        ("disable", "editor@acme.example"),
        ("enable", "ours@acme.example"),
        ("enable", "theirs@acme.example"),
        ("resend", "invited@acme.example"),
        ("revoke", "invited@acme.example"),
        ("remove", "editor@acme.example"),
        ("sign-out", "editor@acme.example"),
        ("reset-mfa", "editor@acme.example"),
        ("transfer", "owner@acme.example", "--to", "editor@acme.example"),
        ("retry", "editor@acme.example"),
    )
    for command in commands:
        call_command("member", *command, "--dry-run", stdout=io.StringIO())
    names = {"retry" if step.name == "try-now" else step.name for step in (*MEMBER_STEPS, *OWN_MEMBER_STEPS)}
    assert names | {"add"} == {command[0] for command in commands}
    recover = ("tenant", "recover-owner", "acme", "new@acme.example", "--reason", "x")
    call_command(*recover, "--dry-run", stdout=io.StringIO())
    call_command(*recover, "--now", "--dry-run", stdout=io.StringIO())
    with pytest.raises(CommandError, match="No owner recovery of Acme Ltd waits"):
        call_command("tenant", "cancel-recovery", "acme", stdout=io.StringIO())
