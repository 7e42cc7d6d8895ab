"""A stack that requires a second factor, from the sign-in pages into the portal; what pages say of it; a lost phone."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from django.core.management import CommandError, call_command
from django.template.loader import render_to_string
from django.utils import timezone

from emulator.client import seeding
from emulator.client.deploy import deploy
from emulator.cognito.totp import code_at, step_of
from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import STACK_NAME, TEMPLATE, World
from tenants.audit.actions import Action
from tenants.aws.stack import stack_settings
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import NotAllowed
from tenants.domain.steps import refusal_of
from tenants.members.roster import reset_mfa
from tenants.members.second_factor import check_may_reset, shown_second_factor
from tenants.models import AuditEvent, Member, OutgoingMail, Provisioning, SecondFactor
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.people import acting
from tests.world.stage import SOMEBODY, Stage, member_called

Browse = Callable[[CastMember], Browser]


@pytest.fixture
def guarded(portal: World, settings: Any) -> Iterator[World]:
    """The world's stack with RequireMfa=true, and the settings that `stack_env` prints for it."""
    _update_stack(portal, RequireMfa="true")
    settings.REQUIRE_MFA = _settings_of(portal)["REQUIRE_MFA"] == "true"
    assert settings.REQUIRE_MFA
    yield portal
    _update_stack(portal, RequireMfa="false")
    people = seeding.clients(portal.emulator.endpoint_url, portal.emulator.root)("cognito-idp")
    for email in portal.subs:
        people.admin_delete_software_token(UserPoolId=portal.settings["COGNITO_USER_POOL_ID"], Username=email)


def _update_stack(world: World, **changed: str) -> None:
    where = (world.emulator.endpoint_url, world.emulator.root)
    stacks = seeding.clients(*where)("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    now = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stacks[0]["Parameters"]}
    deploy(*where, template=TEMPLATE, stack_name=STACK_NAME, parameters={**now, **changed})


def _settings_of(world: World) -> dict[str, str]:
    endpoint_url = world.emulator.endpoint_url
    made = seeding.clients(endpoint_url, world.emulator.root)
    return stack_settings(made("cloudformation"), made("cognito-idp"), STACK_NAME, endpoint_url=endpoint_url)


# ── A person at the sign-in pages ───────────────────────────────────────────────────────────────────────────────────


def send(browser: Browser, page: requests.Response, **typed: str) -> requests.Response:
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    action = re.search(r'action="([^"]+)"', page.text)
    assert action is not None
    where = urljoin(page.url, unescape(action[1]))
    return browser.pages.post(where, data={**hidden, **typed}, allow_redirects=False, timeout=60)


def after_password(browser: Browser, who: CastMember, *, following: str = "/") -> requests.Response:
    browser.pages.cookies.clear()
    start = browser.get("/oidc/authenticate/", {"next": following})
    page = browser.pages.get(start["Location"], timeout=60)
    return send(browser, page, username=who.email, password=browser.world.password)


def arrive(browser: Browser, answer: requests.Response) -> Any:
    """Follows Cognito's redirect into the portal."""
    address = answer.headers["Location"]
    assert address.startswith(f"{browser.world.portal_url}/oidc/callback/")
    return browser.get(address.removeprefix(browser.world.portal_url), follow=True)


def secret_on(page: requests.Response) -> str:
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert found is not None, page.text
    return found[1]


def code(secret: str, *, steps: int = 0) -> str:
    """The next step's code is accepted too, and not used up by a sign-in of this step."""
    return code_at(secret, step_of(time.time()) + steps)


def signed_in_with_a_new_authenticator(world: World, who: CastMember) -> tuple[Browser, str]:
    browser = Browser(world)
    page = after_password(browser, who, following="/records/")
    secret = secret_on(page)
    assert arrive(browser, send(browser, page, code=code(secret))).status_code == 200
    return browser, secret


def settled() -> None:
    Member.objects.update(provisioning=Provisioning.SETTLED, due_at=None)


# ── Signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_people_set_up_an_authenticator_and_come_into_the_portal_with_it(guarded: World, stage: Stage) -> None:
    browser, secret = signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    assert browser.get("/records/orders/").status_code == 200
    page = after_password(browser, ACME_EDITOR, following="/records/")
    assert "Enter your code" in page.text
    assert "Location" not in page.headers
    assert arrive(browser, send(browser, page, code=code(secret, steps=1))).status_code == 200


def test_a_password_alone_does_not_open_the_portal(guarded: World) -> None:
    signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    thief = Browser(guarded)
    page = after_password(thief, ACME_EDITOR)
    wrong = send(thief, page, code="000000" if code("A" * 32) != "000000" else "111111")
    assert "Invalid code received for user" in wrong.text
    assert thief.get("/records/").status_code == 302


def test_the_worker_looks_after_a_sign_in_and_the_pages_say_what_it_saw(guarded: World, stage: Stage) -> None:
    settled()
    assert shown_second_factor(member_called(ACME_OWNER.email)).in_words == "Not looked at yet"
    browser, _ = signed_in_with_a_new_authenticator(guarded, ACME_OWNER)
    assert member_called(ACME_OWNER.email).provisioning == Provisioning.DUE
    stage.work()
    owner = member_called(ACME_OWNER.email)
    assert (owner.provisioning, owner.second_factor) == (Provisioning.SETTLED, SecondFactor.ENROLLED)
    assert owner.second_factor_seen_at is not None
    page = browser.get(f"/members/{owner.pk}/").content.decode()
    assert "An authenticator app is set up" in page
    assert "Everybody signs in with a password and a code from an authenticator app." in page


def test_nobody_is_looked_at_again_whose_authenticator_was_seen(guarded: World, stage: Stage) -> None:
    settled()
    browser, secret = signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    stage.work()
    page = after_password(browser, ACME_EDITOR)
    arrive(browser, send(browser, page, code=code(secret, steps=1)))
    assert member_called(ACME_EDITOR.email).provisioning == Provisioning.SETTLED


def test_without_the_rule_a_sign_in_makes_nobody_due(browse_as: Browse) -> None:
    settled()
    browse_as(ACME_EDITOR)
    assert member_called(ACME_EDITOR.email).provisioning == Provisioning.SETTLED


def test_without_the_rule_the_pages_say_that_a_password_is_enough(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get(f"/members/{member_called(ACME_EDITOR.email).pk}/").content.decode()
    assert "A password is enough to sign in." in page
    assert "Not looked at yet" not in page
    assert "reset-mfa/" not in page


# ── A lost phone ────────────────────────────────────────────────────────────────────────────────────────────────────


def mails(kind: str) -> set[str]:
    return set(OutgoingMail.objects.filter(kind=kind).values_list("to", flat=True))


def test_an_owner_resets_it_and_a_new_one_is_set_up(guarded: World, stage: Stage) -> None:
    owner, _ = signed_in_with_a_new_authenticator(guarded, ACME_OWNER)
    them, old = signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    stage.work()
    page = f"/members/{member_called(ACME_EDITOR.email).pk}"
    assert f"{page}/reset-mfa/" in owner.get(f"{page}/").content.decode()
    asked = owner.get(f"{page}/reset-mfa/").content.decode()
    assert "delete their authenticator, then sign out everywhere" in asked
    assert "Anybody who knows their password can do that" in asked
    done = owner.post(f"{page}/reset-mfa/", {"reason": "phone in the lake"}, follow=True).content.decode()
    assert "Not done yet: deleting their authenticator. The worker does it next." in done
    assert "Being reset" in owner.get(f"{page}/").content.decode()
    assert them.get("/records/").status_code == 401
    stage.work()
    editor = member_called(ACME_EDITOR.email)
    assert (editor.provisioning, editor.reset_mfa, editor.second_factor) == ("settled", False, "none")
    anew = after_password(them, ACME_EDITOR, following="/records/")
    assert secret_on(anew) != old
    assert "Invalid code" in send(them, anew, code=code(old)).text
    assert arrive(them, send(them, anew, code=code(secret_on(anew)))).status_code == 200
    entry = AuditEvent.objects.get(action=Action.MEMBER_MFA_RESET)
    assert (entry.actor_name, entry.target, entry.why) == (ACME_OWNER.email, ACME_EDITOR.email, "phone in the lake")


def test_the_person_and_the_owners_are_told(guarded: World, stage: Stage) -> None:
    for who in (ACME_OWNER, ACME_EDITOR):
        signed_in_with_a_new_authenticator(guarded, who)
    reset_mfa(member_called(ACME_EDITOR.email), by=acting(ACME_OWNER.email), why="lost")
    assert mails("mfa_reset") == {ACME_EDITOR.email}
    assert mails("mfa_reset_owners") == {ACME_OWNER.email}
    text = OutgoingMail.objects.get(kind="mfa_reset").text
    assert f"The owner {ACME_OWNER.email} reset your second factor" in text
    assert "> lost" in text
    # Operators are not named, and an owner hears of their own once.
    OutgoingMail.objects.all().delete()
    reset_mfa(member_called(ACME_OWNER.email), by=SOMEBODY)
    assert (mails("mfa_reset"), mails("mfa_reset_owners")) == ({ACME_OWNER.email}, set())
    assert SOMEBODY.name not in OutgoingMail.objects.get().text


def test_nobody_resets_their_own_and_operators_only_those_of_owners(guarded: World) -> None:
    Member.objects.update(signed_in_at=timezone.now())
    owner, editor = member_called(ACME_OWNER.email), member_called(ACME_EDITOR.email)
    operator = member_called(OPERATOR.email)
    for by, member, why in (
        (acting(ACME_OWNER.email), owner, "cannot reset your own"),
        (acting(ACME_VIEWER.email), editor, "Only owners and admins"),
        (acting(GLOBEX_OWNER.email), editor, "not a member of this organisation"),
        (SOMEBODY, editor, "only for owners"),
        (Actor(str(operator.person.sub), OPERATOR.email, ActorKind.OPERATOR), operator, "cannot reset your own"),
    ):
        with pytest.raises(NotAllowed, match=why):
            reset_mfa(member, by=by)
    assert not Member.objects.filter(reset_mfa=True).exists()
    assert reset_mfa(owner, by=SOMEBODY).reset_mfa


def test_what_cognito_refuses_is_done_later(guarded: World, stage: Stage, switches: Switches) -> None:
    signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    operation = "CognitoIdentityProvider.AdminDeleteSoftwareToken"
    switches.fail(operation, code="InternalErrorException", status=500, count=None)
    reset_mfa(member_called(ACME_EDITOR.email), by=acting(ACME_OWNER.email))
    stage.try_once()
    assert member_called(ACME_EDITOR.email).reset_mfa
    switches.mend()
    Member.objects.filter(provisioning=Provisioning.DUE).update(due_at=member_called(ACME_EDITOR.email).created_at)
    stage.work()
    assert not member_called(ACME_EDITOR.email).reset_mfa
    assert member_called(ACME_EDITOR.email).second_factor == SecondFactor.NONE


def test_an_authenticator_that_is_gone_costs_no_call(guarded: World, stage: Stage, switches: Switches) -> None:
    settled()
    Member.objects.update(signed_in_at=timezone.now())
    reset_mfa(member_called(ACME_EDITOR.email), by=acting(ACME_OWNER.email))
    switches.forget()
    stage.work()
    assert "CognitoIdentityProvider.AdminDeleteSoftwareToken" not in switches.calls()
    assert not member_called(ACME_EDITOR.email).reset_mfa


def test_a_terminal_says_what_it_would_do(guarded: World) -> None:
    signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    out = io.StringIO()
    call_command("member", "reset-mfa", ACME_EDITOR.email, "--dry-run", "--json", stdout=out, stderr=io.StringIO())
    would = " ".join(json.loads(out.getvalue())["would"])
    assert "delete their authenticator" in would
    assert "set up a new authenticator app" in would
    assert not member_called(ACME_EDITOR.email).reset_mfa


@pytest.mark.parametrize(
    ("required", "seen", "signed_in", "why"),
    [
        (True, "", True, ""),
        (True, "none", True, ""),
        (True, "", False, "has never signed in"),
        (False, "none", True, "has no second factor"),
        (False, "", True, "has no second factor"),
        (False, "enrolled", True, ""),
    ],
)
def test_a_reset_is_offered_where_there_may_be_one(
    portal: World, settings: Any, *, required: bool, seen: str, signed_in: bool, why: str
) -> None:
    settings.REQUIRE_MFA = required
    member = member_called(ACME_EDITOR.email)
    member.second_factor, member.seen_status = seen, "FORCE_CHANGE_PASSWORD"
    member.signed_in_at = member.created_at if signed_in else None
    refusal = refusal_of(lambda: check_may_reset(member))
    assert why in refusal
    assert bool(refusal) is bool(why)


def test_a_command_says_why_there_is_nothing_to_reset(portal: World) -> None:
    with pytest.raises(CommandError, match="has no second factor"):
        call_command("member", "reset-mfa", ACME_EDITOR.email, stdout=io.StringIO(), stderr=io.StringIO())


@pytest.mark.parametrize(("seen", "says"), [("", "Not looked at yet"), ("none", "No authenticator app is set up")])
def test_the_part_of_the_account_page_says_the_rule_and_what_was_seen(
    portal: World, settings: Any, seen: str, says: str
) -> None:
    settings.REQUIRE_MFA = True
    member = member_called(ACME_EDITOR.email)
    member.second_factor = seen
    shown = {"second_factor": shown_second_factor(member)}
    part = render_to_string("organisation/account/_second_factor.html", shown)
    assert says in part
    assert "If you lose your phone, ask an owner or an admin to reset your second factor." in part


@pytest.mark.parametrize(
    ("required", "seen", "rule", "helped"),
    [
        (True, "", "Everybody signs in with a password and a code", True),
        (True, "enrolled", "Everybody signs in with a password and a code", True),
        (False, "enrolled", "Cognito asks everybody who has set up an authenticator app for a code.", True),
        (False, "none", "A password is enough to sign in.", False),
        (False, "", "A password is enough to sign in.", False),
    ],
)
def test_the_pages_say_who_is_asked_for_a_code_and_who_helps(
    browse_as: Browse, settings: Any, *, required: bool, seen: str, rule: str, helped: bool
) -> None:
    settings.REQUIRE_MFA = required
    Member.objects.update(second_factor=seen)
    for who, whom in ((ACME_OWNER, "another owner or an operator"), (OPERATOR, "another operator")):
        page = browse_as(who).get("/account/").content.decode()
        assert rule in page
        assert ("A password is enough" in page) == (not helped)
        assert (f"If you lose your phone, ask {whom} to reset your second factor." in page) == helped
    editor = member_called(ACME_EDITOR.email)
    for who, address in ((ACME_OWNER, "members"), (OPERATOR, "operators/members")):
        assert rule in browse_as(who).get(f"/{address}/{editor.pk}/").content.decode()


def test_somebody_with_an_authenticator_is_asked_where_none_is_required(guarded: World) -> None:
    """Which is what the page says."""
    browser, secret = signed_in_with_a_new_authenticator(guarded, ACME_EDITOR)
    _update_stack(guarded, RequireMfa="false")
    page = after_password(browser, ACME_EDITOR)
    assert "Enter your code" in page.text
    assert arrive(browser, send(browser, page, code=code(secret, steps=1))).status_code == 200
