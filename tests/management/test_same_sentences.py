"""Every step says the same at all doors before it is done: on operators’ and members’ pages, and in a dry run."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable
from html import unescape

import pytest
from django.core.management import call_command
from django.utils import timezone

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, CastMember
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import Role
from tenants.domain.steps import Step
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.steps import CREATE, TENANT_STEPS
from tenants.members.recovery import ask
from tenants.members.roster import disable
from tenants.members.steps import (
    ADD,
    ENABLE,
    MEMBER_STEPS,
    OWN_MEMBER_STEPS,
    RESEND,
    RESET_MFA,
    REVOKE,
    TRANSFER,
    TRY_NOW,
)
from tenants.models import Member, Person, Provisioning, SecondFactor, Tenant, Worker
from tests.world.fixtures import Browser
from tests.world.people import acting, signed_in_as
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import tenant_in

Browse = Callable[[CastMember], Browser]
S = TenantState
STATES = {"activate": S.PENDING, "reactivate": S.SUSPENDED, "reopen": S.CLOSING}
# What is typed after the subject.
TYPED = {
    "rename": ["Initrode"],
    "slug": ["initrode"],
    "plan": ["team"],
    "metadata": ['{"contract": 14}'],
    "suspend": ["--reason", "not paid"],
    "close": ["--reason", "asked for"],
    "role": ["viewer"],
    "transfer": ["--to", ACME_EDITOR.email],
    "recover-owner": ["new@initech.example", "--reason", "their owner left"],
}
# Only what was typed shows these: the dry run says more at its end.
SAY_MORE = {"create", "add-member", "role"}


def on_the_page(browser: Browser, address: str, *, door: str = "/operators") -> list[str]:
    page = browser.get(f"{door}/{address}/").content.decode()
    expects = re.search(r'<section class="expects".*?</section>', page, re.DOTALL)
    assert expects, page
    return [unescape(sentence) for sentence in re.findall(r"<li>(.*?)</li>", expects[0])]


def at_the_terminal(*command: str) -> list[str]:
    out = io.StringIO()
    call_command(*command, "--dry-run", "--json", stdout=out, stderr=io.StringIO())
    would: list[str] = json.loads(out.getvalue())["would"]
    return would


def check_both(name: str, page: list[str], terminal: list[str]) -> None:
    shared = terminal[: len(page)] if name in SAY_MORE else terminal
    # Of the moment until which a closing can be taken back, the minute may be another by now.
    assert [re.sub(r", \d\d:\d\d UTC", "", sentence) for sentence in page] == [
        re.sub(r", \d\d:\d\d UTC", "", sentence) for sentence in shared
    ]
    assert (len(terminal) > len(page)) is (name in SAY_MORE)


@pytest.fixture(params=[False, True], ids=["no worker", "a worker"])
def workers(request: pytest.FixtureRequest, db: None) -> bool:
    if request.param:
        Worker.objects.create(name="one")
    return bool(request.param)


def prepare(member: Member, step: Step, *, by: Actor) -> None:
    """So that the step is possible."""
    same = Member.objects.filter(pk=member.pk)
    if step is ENABLE:
        disable(member, by=by)
    if step is TRY_NOW:
        same.update(provisioning=Provisioning.STUCK, last_error="Cognito said no.")
    if step in (RESEND, REVOKE):
        same.update(seen_status="FORCE_CHANGE_PASSWORD", signed_in_at=None)
    if step is RESET_MFA:
        same.update(second_factor=SecondFactor.ENROLLED)
    if step is TRANSFER:
        signed_in_as(ACME_EDITOR.email)


@pytest.mark.parametrize("step", TENANT_STEPS, ids=lambda step: step.name)
def test_a_tenants_step_says_the_same_on_its_page_and_in_a_dry_run(
    operator: Browser, workers: bool, step: Step
) -> None:
    tenant = tenant_in(STATES.get(step.name, S.ACTIVE))
    if step.name == "cancel-recovery":
        Tenant.objects.filter(pk=tenant.pk).update(owner_signed_in_at=timezone.now())
        ask(tenant, email="new@initech.example", why="their owner left", by=SOMEBODY)
    page = on_the_page(operator, f"tenants/{tenant.org_id}/{step.name}")
    if step.name == "add-member":
        command = ["member", ADD.name, "new@initech.example", "--role", "viewer", "--tenant", tenant.slug]
    else:
        command = ["tenant", step.name, tenant.slug, *TYPED.get(step.name, [])]
    check_both(step.name, page, at_the_terminal(*command))


@pytest.mark.parametrize("step", MEMBER_STEPS, ids=lambda step: step.name)
def test_a_members_step_says_the_same_on_its_page_and_in_a_dry_run(
    operator: Browser, workers: bool, step: Step
) -> None:
    # An owner of the organisation resets the factor of anybody but an owner.
    member = member_called(ACME_OWNER.email if step is RESET_MFA else ACME_EDITOR.email)
    prepare(member, step, by=SOMEBODY)
    page = on_the_page(operator, f"members/{member.pk}/{step.name}")
    name = "retry" if step.name == "try-now" else step.name
    would = at_the_terminal("member", name, member.person.email, *TYPED.get(step.name, []))
    check_both(step.name, page, would)
    assert any("No worker is running" in sentence for sentence in page) is not workers


@pytest.mark.parametrize("step", OWN_MEMBER_STEPS, ids=lambda step: step.name)
def test_a_members_step_says_the_same_on_their_organisations_page(browse_as: Browse, workers: bool, step: Step) -> None:
    owner = browse_as(ACME_OWNER)
    member = member_called(ACME_OWNER.email if step is TRANSFER else ACME_EDITOR.email)
    prepare(member, step, by=acting(ACME_OWNER.email))
    page = on_the_page(owner, f"members/{member.pk}/{step.name}", door="")
    would = at_the_terminal("member", step.name, member.person.email, *TYPED.get(step.name, []))
    check_both(step.name, page, would)
    assert any("No worker is running" in sentence for sentence in page) is not workers


def test_inviting_says_the_same_on_its_page_and_in_a_dry_run(browse_as: Browse, workers: bool) -> None:
    page = on_the_page(browse_as(ACME_OWNER), "members/invite", door="")
    out = io.StringIO()
    command = ["member", "invite", "new@x.example", "--tenant", "acme", "--role", "viewer", "--dry-run"]
    call_command(*command, stdout=out)
    assert [line.removeprefix("- ") for line in out.getvalue().splitlines()[1:]] == page
    assert any("No worker is running" in sentence for sentence in page) is not workers


def test_creating_a_tenant_says_the_same_on_its_page_and_in_a_dry_run(operator: Browser, workers: bool) -> None:
    page = on_the_page(operator, "tenants/new")
    would = at_the_terminal("tenant", CREATE.name, "Umbrella", "--owner", "alice@umbrella.example")
    check_both(CREATE.name, page, would)


@pytest.mark.parametrize("name", ["disable", "remove", "role"])
def test_both_doors_say_that_issued_credentials_work_for_an_hour(operator: Browser, name: str) -> None:
    member = member_called(ACME_EDITOR.email)
    for said in (
        on_the_page(operator, f"members/{member.pk}/{name}"),
        at_the_terminal("member", name, ACME_EDITOR.email, *TYPED.get(name, [])),
    ):
        assert any("AWS credentials already issued" in one and "up to an hour" in one for one in said)


def test_what_disabling_says_of_cognito_is_what_the_worker_plans(operator: Browser) -> None:
    member = member_called(ACME_EDITOR.email)
    expected = "In Cognito the worker will disable, then sign out everywhere."
    assert expected in on_the_page(operator, f"members/{member.pk}/disable")
    disable(member, by=SOMEBODY)
    assert (
        "Still to do: disable, sign out everywhere."
        in operator.get(f"/operators/members/{member.pk}/").content.decode()
    )


def test_every_step_is_open_to_operators_until_an_owner_signs_in(db: None) -> None:
    tenant = tenant_in(S.ACTIVE)
    member = member_called("owner@initech.example")
    assert [step.allowed(tenant, SOMEBODY) for step in TENANT_STEPS] == [""] * len(TENANT_STEPS)
    assert [step.allowed(member, SOMEBODY) for step in MEMBER_STEPS] == [""] * len(MEMBER_STEPS)
    assert CREATE.allowed(None, SOMEBODY) == ""


def test_no_step_of_a_tenant_is_open_to_its_own_people_but_adding_a_member(db: None) -> None:
    tenant = tenant_in(S.ACTIVE)
    owner = member_called("owner@initech.example").person
    Person.objects.filter(pk=owner.pk).update(sub=uuid.UUID(int=7))
    by = Actor(str(uuid.UUID(int=7)), owner.email, ActorKind.MEMBER, Role.OWNER)
    assert [step.name for step in TENANT_STEPS if not step.allowed(tenant, by)] == ["add-member"]
