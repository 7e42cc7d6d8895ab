"""A person's own account: who they are, their sessions, how pages look to them, and deleting it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.sessions import SessionStore
from portal.template import read_template, role_documents
from tenants.domain.roles import Role
from tenants.members.roster import add_member, remove
from tenants.models import AuditEvent, Member, OutgoingMail, Person, SecondFactor, SignIn
from tenants.organisation.account import REACH
from tenants.sign_in.own_sessions import hashed_id
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.stage import SOMEBODY, Stage, member_called

Browse = Callable[[CastMember], Browser]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1"
)


def signed_in_with(portal: World, who: CastMember, user_agent: str) -> Browser:
    browser = Browser(portal)
    browser.defaults["HTTP_USER_AGENT"] = user_agent
    assert browser.sign_in(who).status_code == 200
    return browser


def listed(browser: Browser) -> list[str]:
    """The browsers in the table of sessions."""
    found = re.findall(r'rowheader">([^<]*)', browser.get("/account/").content.decode())
    return [name.strip() for name in found]


def others(browser: Browser) -> list[str]:
    """The ids that the page's buttons would end."""
    return re.findall(r'name="session" value="([^"]*)"', browser.get("/account/").content.decode())


def signed_out_whys(who: CastMember) -> list[str]:
    entries = AuditEvent.objects.filter(action="person.signed-out", actor_name=who.email)
    return list(entries.values_list("why", flat=True))


@pytest.mark.parametrize("who", [ACME_OWNER, ACME_VIEWER, OPERATOR], ids=lambda who: who.email)
def test_it_says_who_somebody_is_to_the_portal_and_to_aws(browse_as: Browse, who: CastMember) -> None:
    browser = browse_as(who)
    text = text_of(browser.get("/account/"))
    role, organisation = Role(who.role), "Acme Ltd" if who.organisation else "operators belong to no organisation"
    for part in (who.name, who.email, role.in_words, organisation, REACH[role].format("Acme Ltd"), who.org):
        assert part in text
    assert settings.TENANT_ROLE_ARN.rpartition("/")[2] in text


def test_nothing_is_fetched_from_aws_only_to_draw_it(browser: Browser) -> None:
    browser.sign_in_only(ACME_VIEWER)
    assert "none at the moment" in text_of(browser.get("/account/"))
    browser.get("/records/orders/")
    text = text_of(browser.get("/account/"))
    assert "none at the moment" not in text
    assert member_called(ACME_VIEWER.email).identity_id in text


@pytest.mark.parametrize("who", [ACME_EDITOR, OPERATOR], ids=str)
def test_it_says_what_is_known_of_ones_second_factor(browse_as: Browse, settings: Any, who: CastMember) -> None:
    browser = browse_as(who)
    text = text_of(browser.get("/account/"))
    assert "A password is enough to sign in." in text
    assert "<dt>Yours</dt>" not in text
    settings.REQUIRE_MFA = True
    assert "<dt>Yours</dt><dd>Not looked at yet</dd>" in text_of(browser.get("/account/"))
    Member.objects.filter(person__email=who.email).update(
        second_factor=SecondFactor.ENROLLED, second_factor_seen_at=datetime(2026, 3, 1, 10, 39, tzinfo=UTC)
    )
    text = text_of(browser.get("/account/"))
    for words in ("Everybody signs in with a password and a code", "An authenticator app is set up", "10:39 UTC"):
        assert words in text


def test_what_it_says_of_each_role_is_what_the_policy_allows() -> None:
    by_sid = {
        statement["Sid"]: statement["Condition"]["StringEquals"]["aws:PrincipalTag/role"]
        for document in role_documents(read_template(), "TenantRole").values()
        for statement in document["Statement"]
        if "aws:PrincipalTag/role" in statement.get("Condition", {}).get("StringEquals", {})
    }
    writes, reads = by_sid["WriteOwnRows"], by_sid["ReadOwnAndPublicRows"]
    assert {role for role in Role if "read and write the records" in REACH[role]} == set(writes)
    assert {role for role in Role if "the records of {}" in REACH[role]} == set(reads)


def test_its_sessions_are_listed_with_their_browsers_this_one_first(portal: World) -> None:
    phone = signed_in_with(portal, ACME_EDITOR, PHONE)
    desk = signed_in_with(portal, ACME_EDITOR, FIREFOX)
    signed_in_with(portal, ACME_VIEWER, "curl/8")
    assert listed(desk) == ["Firefox on Linux", "Safari on an iPhone"]
    assert listed(phone) == ["Safari on an iPhone", "Firefox on Linux"]
    assert "Mozilla" not in text_of(desk.get("/account/"))
    assert list(SignIn.objects.filter(browser__contains="Mozilla")) == []


def test_one_other_session_ends_on_its_next_request(portal: World) -> None:
    phone, desk = signed_in_with(portal, ACME_EDITOR, PHONE), signed_in_with(portal, ACME_EDITOR, FIREFOX)
    assert phone.get("/records/orders/").status_code == 200
    answer = desk.post("/account/sessions/end/", {"session": others(desk)[0]}, follow=True)
    assert "Ended: Safari on an iPhone." in text_of(answer)
    assert listed(desk) == ["Firefox on Linux"]
    assert phone.get("/records/orders/")["Location"].startswith("/oidc/authenticate/")
    assert phone.post("/account/appearance/", {"theme": "dark"}).status_code == 401
    assert desk.get("/records/orders/").status_code == 200
    assert signed_out_whys(ACME_EDITOR) == ["ended from another browser"]


@pytest.mark.parametrize("first", [ACME_VIEWER, OPERATOR], ids=str)
def test_a_second_person_in_a_browser_has_a_session_like_any_other(portal: World, first: CastMember) -> None:
    shared, phone = signed_in_with(portal, first, FIREFOX), signed_in_with(portal, ACME_EDITOR, PHONE)
    shared.pages.cookies.clear()
    shared.sign_in_only(ACME_EDITOR)
    assert listed(shared) == ["Firefox on Linux", "Safari on an iPhone"]
    assert "this one" in text_of(shared.get("/account/"))
    assert listed(phone) == ["Safari on an iPhone", "Firefox on Linux"]
    answer = phone.post("/account/sessions/end/", {"session": others(phone)[0]}, follow=True)
    assert "Ended: Firefox on Linux." in text_of(answer)
    assert shared.get("/records/orders/")["Location"].startswith("/oidc/authenticate/")
    assert not SignIn.objects.filter(person__email=first.email).exists()


def test_a_session_without_an_id_has_no_hash() -> None:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    with pytest.raises(RuntimeError):
        hashed_id(request)


@pytest.mark.parametrize(
    ("who", "whom", "unless"),
    [
        (
            ACME_OWNER,
            "another owner or an operator",
            "while you are the only owner: make somebody else an owner first.",
        ),
        (ACME_VIEWER, "an owner or an admin", ""),
        (OPERATOR, "another operator", "while you are the only operator: add another one first."),
    ],
    ids=str,
)
def test_it_promises_no_more_of_an_ended_session_than_cognito_keeps(
    portal: World, who: CastMember, whom: str, unless: str
) -> None:
    phone, desk = signed_in_with(portal, who, PHONE), signed_in_with(portal, who, FIREFOX)
    sessions = text_of(desk.get("/account/")).split('<h2 id="sessions">')[1].split("</section>")[0]
    answer = text_of(desk.post("/account/sessions/end/", {"session": others(desk)[0]}, follow=True))
    message = answer.split('class="notice good"')[1].split("</div>")[0]
    for words in (sessions, message):
        assert "For up to an hour after its last sign-in, it may come back without a password" in words
        assert f"change your password on the sign-in page, and ask {whom} to disable you for an hour" in words
        assert unless in words
        assert ("Nobody can do that" in words) == bool(unless)
        assert "has to sign in again" not in words
    # And so it does: this address would not get past the form.
    phone.sign_in_only(replace(who, email="nobody@nowhere.example"))
    assert who.email in text_of(phone.get("/account/"))


def test_a_request_under_way_does_not_write_an_ended_session_back(portal: World) -> None:
    phone, desk = signed_in_with(portal, ACME_EDITOR, PHONE), signed_in_with(portal, ACME_EDITOR, FIREFOX)
    session = phone.session
    assert "sign_in" in session
    desk.post("/account/sessions/end/", {"session": others(desk)[0]})
    session["changed"] = True
    with pytest.raises(UpdateError):
        session.save()
    assert phone.get("/records/orders/").status_code == 302


def test_nobody_sees_or_ends_the_session_of_somebody_else(portal: World, browse_as: Browse) -> None:
    theirs = browse_as(ACME_OWNER)
    sign_in = str(SignIn.objects.get(person__email=ACME_OWNER.email).pk)
    for who in (ACME_EDITOR, GLOBEX_OWNER, OPERATOR):
        browser = browse_as(who)
        assert sign_in not in text_of(browser.get("/account/", {"session": sign_in, "person": "1", "pk": "1"}))
        answer = browser.post("/account/sessions/end/", {"session": sign_in}, follow=True)
        assert "had ended already" in text_of(answer)
    assert theirs.get("/records/orders/").status_code == 200
    assert signed_out_whys(ACME_OWNER) == []


@pytest.mark.parametrize("session", ["", "1", "nonsense", "../1"])
def test_what_is_no_session_is_refused(browse_as: Browse, session: str) -> None:
    assert browse_as(ACME_EDITOR).post("/account/sessions/end/", {"session": session}).status_code == 400


def test_the_session_that_asks_is_not_ended_here(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    own = SignIn.objects.get(person__email=ACME_EDITOR.email).pk
    assert browser.post("/account/sessions/end/", {"session": str(own)}).status_code == 400
    assert browser.get("/records/orders/").status_code == 200
    unknown = browser.post("/account/sessions/end/", {"session": str(uuid.uuid4())}, follow=True)
    assert "had ended already" in text_of(unknown)


def test_sessions_that_have_ended_are_not_listed(portal: World) -> None:
    desk = signed_in_with(portal, ACME_EDITOR, FIREFOX)
    for change in ({"used_at": timezone.now() - timedelta(minutes=61)},
                   {"created_at": timezone.now() - timedelta(hours=13)}):  # fmt: skip
        signed_in_with(portal, ACME_EDITOR, PHONE)
        SignIn.objects.filter(browser__contains="iPhone").update(**change)
        assert listed(desk) == ["Firefox on Linux"]
    signed_out = signed_in_with(portal, ACME_EDITOR, PHONE)
    assert len(listed(desk)) == 2
    signed_out.post("/oidc/logout/")
    assert listed(desk) == ["Firefox on Linux"]
    # The browser's session is gone, and its tokens are not yet: a refused refresh token does that.
    lost = signed_in_with(portal, ACME_EDITOR, PHONE)
    assert Session.objects.filter(session_key=SignIn.objects.latest("created_at").session_hash).delete()[0]
    cache.clear()
    assert lost.get("/records/orders/").status_code == 302
    assert listed(desk) == ["Firefox on Linux"]


def test_signing_out_everywhere_lands_on_a_page_that_says_so(stage: Stage, portal: World) -> None:
    phone, desk = signed_in_with(portal, ACME_EDITOR, PHONE), signed_in_with(portal, ACME_EDITOR, FIREFOX)
    assert "All your sessions end at once" in text_of(desk.get("/account/sign-out/"))
    assert SignIn.objects.count() == 2, "looking changes nothing"
    done = desk.post("/account/sign-out/")
    # Cognito's own session in this browser ends as well.
    assert done["Location"].startswith(f"{portal.settings['COGNITO_DOMAIN']}/logout?")
    home = text_of(desk.get("/"))
    assert "You are signed out everywhere." in home
    assert "Not signed in" in home
    assert 'href="/oidc/authenticate/"' in home
    assert "session has ended" not in home
    assert phone.get("/records/orders/").status_code == 401
    assert not SignIn.objects.filter(person__email=ACME_EDITOR.email).exists()
    entry = AuditEvent.objects.get(action="member.signed-out")
    assert (entry.actor_name, entry.target) == (ACME_EDITOR.email, ACME_EDITOR.email)
    stage.work()
    assert not member_called(ACME_EDITOR.email).sign_out


def test_an_operator_signs_out_everywhere_too(browse_as: Browse) -> None:
    here, there = browse_as(OPERATOR), browse_as(OPERATOR)
    here.post("/account/sign-out/")
    assert "You are signed out everywhere." in text_of(here.get("/"))
    assert there.get("/operators/").status_code == 401


def test_an_account_is_deleted_here_and_in_cognito_once_it_is_confirmed(stage: Stage, browse_as: Browse) -> None:
    email = "gone@acme.example"
    member = add_member(tenant=member_called(ACME_OWNER.email).tenant, email=email, name="Gone", role="viewer",
                        by=SOMEBODY)  # fmt: skip
    stage.work()
    stage.choose_password(email)
    stage.by_hand.admin_set_user_password(
        UserPoolId=stage.tools.directory.pool_id, Username=email, Password=stage.world.password, Permanent=True
    )
    browser = Browser(stage.world)
    who = CastMember(email=email, name="Gone", role=Role.VIEWER, organisation=ACME_VIEWER.organisation)
    assert browser.sign_in(who).status_code == 200
    asked = text_of(browser.get("/account/delete/"))
    for part in ("deletes your user in Cognito", "The audit trail keeps", "This cannot be undone"):
        assert part in asked
    assert list(errors_in(browser.post("/account/delete/", {"email": ACME_OWNER.email}))) == ["email"]
    assert not Member.objects.get(pk=member.pk).removed
    done = browser.post("/account/delete/", {"email": email.upper()})
    assert done.status_code == 302
    assert "Your account is deleted." in text_of(browser.get("/"))
    assert browser.get("/account/").status_code == 302
    assert list(OutgoingMail.objects.filter(to=email).values_list("kind", flat=True)) == ["account_deleted"]
    entry = AuditEvent.objects.get(action="member.left", target=email)
    assert (entry.actor_name, entry.why) == (email, "deleted their account")
    stage.work()
    assert stage.user(email) is None
    assert not Member.objects.filter(pk=member.pk).exists()
    assert not Person.objects.filter(email=email).exists()


def test_somebody_who_is_removed_by_others_stays_known(stage: Stage) -> None:
    email = "back@acme.example"
    add_member(tenant=member_called(ACME_OWNER.email).tenant, email=email, name="", role="viewer", by=SOMEBODY)
    stage.work()
    remove(member_called(email), by=SOMEBODY)
    stage.work()
    assert Person.objects.filter(email=email).exists()


@pytest.mark.parametrize(
    ("who", "says"),
    [
        (ACME_OWNER, "You are the only owner of Acme Ltd. Make somebody else an owner first. You can transfer"),
        (ACME_OWNER, "to another member, or close the organisation in its settings."),
        (OPERATOR, "You are the only operator"),
    ],
    ids=["owner", "owner, instead", "operator"],
)
def test_the_last_owner_and_the_only_operator_cannot(browse_as: Browse, who: CastMember, says: str) -> None:
    browser = browse_as(who)
    Member.objects.filter(tenant=None).exclude(person__email=OPERATOR.email).delete()
    page = text_of(browser.get("/account/"))
    assert says in page
    assert "/account/delete/" not in page
    assert says in text_of(browser.get("/account/delete/"))
    assert browser.post("/account/delete/", {"email": who.email}).status_code == 409
    assert not member_called(who.email).removed
    assert browser.get("/account/").status_code == 200


def test_an_operator_deletes_their_own_account_while_another_remains(browse_as: Browse) -> None:
    browser = browse_as(OPERATOR)
    other = add_member(tenant=None, email="second@platform.example", name="", role="operator", by=SOMEBODY)
    Member.objects.filter(pk=other.pk).update(signed_in_at=timezone.now())
    Person.objects.filter(pk=other.person_id).update(sub=uuid.uuid4())
    assert browser.post("/account/delete/", {"email": OPERATOR.email}).status_code == 302
    assert member_called(OPERATOR.email).forgotten


def theme_of(page: Any) -> str:
    found = re.search(r'<html[^>]* data-theme="(\w*)"', page.content.decode())
    return found[1] if found else ""


def test_a_theme_and_a_time_zone_follow_the_person(portal: World, browse_as: Browse) -> None:
    desk, phone = browse_as(ACME_EDITOR), browse_as(ACME_EDITOR)
    joined = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    Member.objects.filter(person__email=ACME_EDITOR.email).update(created_at=joined)
    assert theme_of(phone.get("/")) == ""
    saved = desk.post("/account/appearance/", {"theme": "dark", "time_zone": "Asia/Kolkata"}, follow=True)
    assert "Pages show times in Asia/Kolkata" in text_of(saved)
    for browser in (desk, phone):
        page = browser.get("/account/")
        assert theme_of(page) == "dark"
        assert '<time datetime="2026-07-02T04:00:00+05:30">2 Jul 2026, 04:00 IST</time>' in text_of(page)
    assert theme_of(browse_as(ACME_OWNER).get("/account/")) == ""
    assert "UTC</time>" in text_of(browse_as(ACME_OWNER).get("/account/"))
    # The next visitor in the same thread has neither.
    assert theme_of(Browser(portal).get("/")) == ""
    assert timezone.get_current_timezone_name() == "UTC"


def test_both_wrong_choices_are_named_at_once_and_kept_out(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    for zone in ("Mars/Olympus", "../../etc/passwd", "Europe/", "x" * 300):
        wrong = browser.post("/account/appearance/", {"theme": "pink", "time_zone": zone})
        assert wrong.status_code == 400
        assert set(errors_in(wrong)) == {"theme", "time_zone"}
    person = Person.objects.get(email=ACME_EDITOR.email)
    assert (person.theme, person.time_zone) == ("", "")


def test_a_zone_that_the_machine_no_longer_knows_is_utc(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    Person.objects.filter(email=ACME_EDITOR.email).update(time_zone="Europe/Gone")
    cache.clear()
    assert "UTC</time>" in text_of(browser.get("/account/"))


def test_the_page_asks_the_database_few_things_however_many_sessions(portal: World) -> None:
    desk = signed_in_with(portal, ACME_EDITOR, FIREFOX)
    counted = []
    for _ in range(2):
        desk.get("/account/")
        with CaptureQueriesContext(connection) as queries:
            desk.get("/account/")
        counted.append(len(queries))
        for _ in range(4):
            signed_in_with(portal, ACME_EDITOR, PHONE)
    assert counted[0] == counted[1] <= 6


def test_the_header_leads_to_it(browse_as: Browse) -> None:
    assert '<a href="/account/">' in text_of(browse_as(ACME_VIEWER).get("/"))
