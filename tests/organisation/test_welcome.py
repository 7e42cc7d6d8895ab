"""Arrival: an owner's first sign-in makes the tenant, once, and for nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections as databases
from django.utils import timezone

from portal.demo.cast import ACME_OWNER, CastMember
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.org_id import OrgId
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import create_tenant
from tenants.members.roster import add_member, planned_changes, remove
from tenants.members.sign_up import NewSignUp, ask
from tenants.models import AuditEvent, Member, Person, Provisioning, SignUp, Tenant
from tenants.provisioning.sign_ups import process
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.stage import SOMEBODY, Stage, member_called

Arrive = Callable[..., Browser]


def choose_password(stage: Stage, email: str) -> None:
    stage.by_hand.admin_set_user_password(
        UserPoolId=stage.tools.directory.pool_id, Username=email, Password=stage.world.password, Permanent=True
    )


def somebody(email: str) -> CastMember:
    return CastMember(email, "Bill Lumbergh", Role.OWNER, None)


@pytest.fixture
def signed_up(stage: Stage, domain: str) -> CastMember:
    """The owner of a sign-up, who has chosen a password and not come to the portal yet."""
    email = f"bill@{domain}"
    assert ask(NewSignUp("Initech", "Bill Lumbergh", email), client="192.0.2.1") is None
    process(stage.tools)
    choose_password(stage, email)
    return somebody(email)


def test_the_link_in_the_mail_leads_home_with_a_tenant(stage: Stage, signed_up: CastMember) -> None:
    org_id = SignUp.objects.get().org_id
    browser = Browser(stage.world)
    assert browser.get("/welcome/")["Location"] == "/oidc/authenticate/?next=%2Fwelcome%2F"
    page = browser.sign_in(signed_up, following="/welcome/")
    assert page.request["PATH_INFO"] == "/"
    assert "Initech is set up. Its short name is “initech”." in text_of(page)
    assert "What to do next" in text_of(page)
    tenant = Tenant.objects.get(org_id=org_id)
    assert (tenant.name, tenant.slug, tenant.state) == ("Initech", "initech", TenantState.ACTIVE)
    assert tenant.owner_signed_in_at is not None
    assert not SignUp.objects.exists()
    assert browser.get("/records/").status_code == 200
    actions = list(AuditEvent.objects.filter(org=org_id).order_by("seq").values_list("action", flat=True))
    assert actions == ["sign-up.mailed", "person.signed-in", "tenant.created", "member.added", "tenant.activated"]


def test_the_worker_has_nothing_to_do_for_who_arrived(stage: Stage, signed_up: CastMember) -> None:
    Browser(stage.world).sign_in(signed_up, following="/welcome/")
    member = member_called(signed_up.email)
    assert (member.role, member.seen_at, member.seen) == (Role.OWNER, None, None), "nobody has looked yet"
    assert stage.work().applied == 0
    member = member_called(signed_up.email)
    assert (member.provisioning, member.due_at) == (Provisioning.SETTLED, None)
    assert planned_changes(member) == ()
    seen, user = member.seen, stage.user(member)
    assert seen is not None
    assert user is not None
    assert (seen.sub, seen.org, seen.role, seen.status) == (user.sub, user.org, user.role, user.status)
    assert stage.work().applied == 0


@pytest.mark.parametrize("address", ["/", "/records/", "/access/", "/public/", "/signup/sent/"])
def test_any_page_leads_there_first(stage: Stage, signed_up: CastMember, address: str) -> None:
    browser = Browser(stage.world)
    callback = browser.get(browser.callback_address(signed_up, following=address))
    assert callback["Location"] == address
    before = "/" if address == "/signup/sent/" else address
    if before != address:
        assert browser.get(address)["Location"] == before
    assert browser.get(before)["Location"] == "/welcome/"
    assert browser.get("/welcome/")["Location"] == "/"
    assert "Initech is set up" in text_of(browser.get("/"))


def test_a_form_or_a_partial_update_makes_nothing(stage: Stage, signed_up: CastMember) -> None:
    browser = Browser(stage.world)
    browser.get(browser.callback_address(signed_up, following="/"))
    refused = browser.post("/signup/sent/")
    assert refused.status_code == 302
    update = browser.get("/records/", headers={"HX-Request": "true"})
    assert update["HX-Redirect"] == "/records/"
    assert browser.head("/welcome/").status_code == 405
    assert SignUp.objects.count() == 1
    assert not Tenant.objects.filter(name="Initech").exists()


def test_arriving_again_leads_home_and_makes_no_second_tenant(stage: Stage, signed_up: CastMember) -> None:
    browser = Browser(stage.world)
    browser.sign_in(signed_up, following="/welcome/")
    for answer in (browser.get("/welcome/"), browser.post("/welcome/")):
        assert (answer.status_code, answer["Location"]) == (302, "/")
    other = Browser(stage.world)
    other.sign_in(signed_up, following="/welcome/")
    assert Tenant.objects.filter(name="Initech").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["portal", "hosted-ui"])
def test_many_tabs_at_once_make_one_tenant(stage: Stage, signed_up: CastMember, settings: Any, mode: str) -> None:
    settings.SIGN_UP = mode
    if mode == "hosted-ui":
        SignUp.objects.all().delete()
    tabs = []
    for _ in range(6):
        browser = Browser(stage.world)
        browser.get(browser.callback_address(signed_up, following="/"))
        tabs.append(browser)

    def arrive(browser: Browser) -> tuple[int, str]:
        try:
            answer = browser.post("/welcome/", {"name": "Initech", "slug": ""})
            return answer.status_code, answer.headers.get("Location", "")
        finally:
            databases.close_all()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(arrive, tabs))
    assert answers == [(302, "/")] * 6
    assert Tenant.objects.filter(name="Initech").count() == 1
    assert Member.objects.filter(person__email=signed_up.email).count() == 1


def test_a_tab_that_waited_for_another_one_does_not_believe_an_older_copy(stage: Stage, signed_up: CastMember) -> None:
    first, second = Browser(stage.world), Browser(stage.world)
    for browser in (first, second):
        browser.get(browser.callback_address(signed_up, following="/"))
    copy = f"standing-of:{Person.objects.get(email=signed_up.email).pk}"
    assert first.head("/welcome/").status_code == 405
    older = cache.get(copy)
    assert first.post("/welcome/")["Location"] == "/"
    # The copy is deleted after the commit, and a tab that waited for the commit may be faster.
    cache.set(copy, older)
    answer = second.post("/welcome/")
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_short_name_taken_meanwhile_is_changed_and_said(stage: Stage, signed_up: CastMember, domain: str) -> None:
    create_tenant(name="Initech", owner_email=f"first@{domain}", mail_invitation=False, by=SOMEBODY)
    page = text_of(Browser(stage.world).sign_in(signed_up, following="/welcome/"))
    assert "Its short name is “initech-2”, since another organisation has “initech” already." in page


def test_a_sign_up_of_another_sub_is_nobody_elses(
    stage: Stage, signed_up: CastMember, django_capture_on_commit_callbacks: Any
) -> None:
    SignUp.objects.update(sub=uuid.uuid4())
    with django_capture_on_commit_callbacks(execute=True):
        page = Browser(stage.world).sign_in(signed_up, following="/welcome/")
    assert page.status_code == 403
    assert "This sign-up has ended" in text_of(page)
    assert AuditEvent.objects.filter(action="person.refused", target="/welcome/").exists()
    assert not Tenant.objects.filter(name="Initech").exists()


def test_a_worker_killed_before_it_wrote_the_sub_does_not_keep_them_out(stage: Stage, signed_up: CastMember) -> None:
    SignUp.objects.update(sub=None, state="waiting")
    assert Browser(stage.world).sign_in(signed_up, following="/welcome/").status_code == 200
    assert Tenant.objects.filter(name="Initech").exists()


@pytest.mark.parametrize("mode", ["portal", "hosted-ui"])
def test_a_removed_owner_makes_no_tenant_of_an_old_token(stage: Stage, domain: str, settings: Any, mode: str) -> None:
    tenant = create_tenant(name="Initrode", owner_email=f"first@{domain}", mail_invitation=False, by=SOMEBODY)
    email = f"second@{domain}"
    member = add_member(tenant=tenant, email=email, name="", role=Role.OWNER, by=SOMEBODY, mail_invitation=False)
    stage.work()
    choose_password(stage, email)
    browser = Browser(stage.world)
    browser.sign_in(somebody(email))
    settings.SIGN_UP = mode
    # The organisation keeps an owner who can get in.
    Member.objects.filter(tenant=tenant).update(signed_in_at=timezone.now())
    remove(member, by=SOMEBODY)
    assert browser.get("/welcome/").status_code == 403
    stage.work()
    assert not Member.objects.filter(pk=member.pk).exists()
    for answer in (browser.get("/welcome/"), browser.post("/welcome/", {"name": "Mine", "slug": ""})):
        assert answer.status_code in {302, 401, 403}
    assert Tenant.objects.filter(org_id=tenant.org_id).count() == 1
    assert not Tenant.objects.filter(name="Mine").exists()


def test_a_forged_session_with_an_org_of_nobody_makes_nothing(stage: Stage) -> None:
    browser = Browser(stage.world)
    browser.sign_in(ACME_OWNER)
    person = Person.objects.create(sub=uuid.uuid4(), email="new@forged.example")
    session = browser.session
    session["sign_in"]["person"] = person.pk
    session["sign_in"]["claims"]["org"] = str(uuid.uuid4())
    session.save()
    assert browser.get("/welcome/").status_code == 403
    assert not Member.objects.filter(person=person).exists()


class TestHostedUi:
    """On a stack where people sign up at Cognito, the organisation is named first."""

    @pytest.fixture(autouse=True)
    def hosted(self, settings: Any) -> None:
        settings.SIGN_UP = "hosted-ui"

    @pytest.fixture
    def confirmed(self, stage: Stage, domain: str) -> CastMember:
        """As the function of the stack leaves somebody who has confirmed their address."""
        email = f"ann@{domain}"
        stage.make_by_hand(email, org=str(uuid.uuid4()), role="owner")
        choose_password(stage, email)
        return somebody(email)

    def test_the_organisation_is_named_and_adopted(self, stage: Stage, confirmed: CastMember) -> None:
        browser, user = Browser(stage.world), stage.user(confirmed.email)
        page = browser.sign_in(confirmed, following="/welcome/")
        assert "Name your organisation" in text_of(page)
        assert not Member.objects.filter(person__email=confirmed.email).exists()
        answer = browser.post("/welcome/", {"name": "Vandelay Industries", "slug": "vandelay"}, follow=True)
        assert "Vandelay Industries is set up" in text_of(answer)
        tenant = Tenant.objects.get(slug="vandelay")
        assert user is not None
        assert (str(tenant.org_id), tenant.state) == (user.org, TenantState.ACTIVE)
        assert OrgId(user.org)
        assert browser.get("/records/").status_code == 200
        assert stage.work().applied == 0

    def test_all_problems_are_shown_at_once_and_kept(self, stage: Stage, confirmed: CastMember) -> None:
        browser = Browser(stage.world)
        browser.sign_in(confirmed, following="/welcome/")
        page = browser.post("/welcome/", {"name": "A\0b", "slug": "No Spaces"})
        assert (page.status_code, set(errors_in(page))) == (400, {"name", "slug"})
        assert 'value="No Spaces"' in text_of(page)

    @pytest.mark.parametrize("slug", ["signup", "acme"])
    def test_reserved_and_taken_short_names_are_refused(self, stage: Stage, confirmed: CastMember, slug: str) -> None:
        browser = Browser(stage.world)
        browser.sign_in(confirmed, following="/welcome/")
        page = browser.post("/welcome/", {"name": "Vandelay", "slug": slug})
        assert (page.status_code, set(errors_in(page))) == (400, {"slug"})
        assert 'value="Vandelay"' in text_of(page)

    def test_a_member_of_nothing_without_an_org_is_told_so(self, stage: Stage, domain: str) -> None:
        email = f"nobody@{domain}"
        stage.make_by_hand(email)
        choose_password(stage, email)
        page = Browser(stage.world).sign_in(somebody(email), following="/welcome/")
        assert page.status_code == 403
        assert "not a member of an organisation" in text_of(page)


def test_home_says_to_invite_people_until_somebody_is_invited(stage: Stage, signed_up: CastMember, domain: str) -> None:
    browser = Browser(stage.world)
    browser.sign_in(signed_up, following="/welcome/")
    assert "Invite people" in text_of(browser.get("/"))
    tenant = Tenant.objects.get(name="Initech")
    by = Actor("command", "a test", ActorKind.TERMINAL)
    add_member(tenant=tenant, email=f"peter@{domain}", name="", role=Role.VIEWER, by=by)
    assert "Invite people" not in text_of(browser.get("/"))


def test_an_arrival_after_the_seven_days_still_counts(stage: Stage, signed_up: CastMember) -> None:
    now = timezone.now()
    SignUp.objects.update(created_at=now - timedelta(days=9), expires_at=now - timedelta(days=1))
    assert Browser(stage.world).sign_in(signed_up, following="/welcome/").status_code == 200
    assert Tenant.objects.filter(name="Initech").exists()
