"""One person is signed out everywhere: by an owner, an operator, themselves, and at a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from django.core.management import call_command

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.domain.errors import NotAllowed, NotNow
from tenants.lifecycle.transitions import close
from tenants.members.roster import remove, sign_out
from tenants.models import AuditEvent, Member, OutgoingMail, Provisioning, SignIn
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.people import acting
from tests.world.stage import SOMEBODY, Stage, member_called
from tests.world.use_cases import acme

Browse = Callable[[CastMember], Browser]


def signed_out_entries(who: CastMember) -> list[tuple[str, str]]:
    entries = AuditEvent.objects.filter(action=Action.MEMBER_SIGNED_OUT, target=who.email).order_by("seq")
    return [(entry.actor_name, entry.why) for entry in entries]


@pytest.mark.parametrize("by", [ACME_OWNER, OPERATOR], ids=lambda by: by.email)
def test_an_owner_and_an_operator_do_it_on_the_members_page(browse_as: Browse, by: CastMember) -> None:
    them, door = browse_as(ACME_EDITOR), "/operators" if by is OPERATOR else ""
    browser, page = browse_as(by), f"{door}/members/{member_called(ACME_EDITOR.email).pk}"
    assert f"{page}/sign-out/" in browser.get(f"{page}/").content.decode()
    asked = browser.get(f"{page}/sign-out/").content.decode()
    assert "asks them to sign in again" in asked
    assert "for up to an hour" in asked
    done = browser.post(f"{page}/sign-out/", {"reason": "lost laptop"}, follow=True)
    assert "is signed out of the portal" in done.content.decode()
    assert them.get("/records/orders/").status_code == 401
    assert signed_out_entries(ACME_EDITOR) == [(by.email, "lost laptop")]
    assert them.sign_in(ACME_EDITOR, following="/records/orders/").status_code == 200


def test_those_who_may_not_are_refused(browse_as: Browse) -> None:
    owner, editor = member_called(ACME_OWNER.email), member_called(ACME_EDITOR.email)
    for by, member in ((ACME_EDITOR, owner), (ACME_VIEWER, editor), (GLOBEX_OWNER, editor)):
        with pytest.raises(NotAllowed):
            sign_out(member, by=acting(by.email))
    strangers = browse_as(GLOBEX_OWNER)
    assert strangers.post(f"/members/{editor.pk}/sign-out/", {"reason": ""}).status_code == 404
    assert signed_out_entries(ACME_OWNER) == signed_out_entries(ACME_EDITOR) == []


def test_everybody_may_sign_themselves_out(browse_as: Browse) -> None:
    for who in (ACME_VIEWER, ACME_OWNER):
        browsers = [browse_as(who), browse_as(who)]
        sign_out(member_called(who.email), by=acting(who.email))
        assert [browser.get("/records/").status_code for browser in browsers] == [401, 401]


@pytest.mark.parametrize("who", [ACME_OWNER, OPERATOR], ids=lambda who: who.email)
def test_ones_own_page_leads_to_the_account_to_do_it(browse_as: Browse, who: CastMember) -> None:
    browser, door = browse_as(who), "/operators" if who is OPERATOR else ""
    step = f"{door}/members/{member_called(who.email).pk}/sign-out/"
    for answer in (browser.get(step), browser.post(step, {"reason": ""})):
        assert (answer.status_code, answer["Location"]) == (302, "/account/sign-out/")
    assert signed_out_entries(who) == []


def test_nobody_is_signed_out_who_is_gone_or_shut_out(portal: World) -> None:
    editor = member_called(ACME_EDITOR.email)
    remove(editor, by=SOMEBODY)
    with pytest.raises(NotNow, match="removed already"):
        sign_out(editor, by=SOMEBODY)
    close(acme(), by=SOMEBODY, why="asked for")
    with pytest.raises(NotNow, match="is being closed"):
        sign_out(member_called(ACME_VIEWER.email), by=SOMEBODY)


def test_at_a_terminal_it_says_what_it_would_do_and_does_it(browse_as: Browse) -> None:
    them, out = browse_as(ACME_EDITOR), io.StringIO()
    call_command("member", "sign-out", ACME_EDITOR.email, "--dry-run", "--json", stdout=out, stderr=io.StringIO())
    assert any("sign out everywhere" in sentence for sentence in json.loads(out.getvalue())["would"])
    assert them.get("/records/orders/").status_code == 200
    out = io.StringIO()
    call_command(
        "member", "sign-out", ACME_EDITOR.email, "--json", "--reason", "lost", stdout=out, stderr=io.StringIO()
    )
    assert json.loads(out.getvalue())["email"] == ACME_EDITOR.email
    assert them.get("/records/orders/").status_code == 401
    # Owners are told what a terminal did.
    assert OutgoingMail.objects.filter(kind="changed_at_terminal", to=ACME_OWNER.email).exists()


def test_it_counts_at_once_while_cognito_is_away_and_the_worker_catches_up(
    stage: Stage, browse_as: Browse, switches: Switches
) -> None:
    them = browse_as(ACME_EDITOR)
    switches.fail(
        "CognitoIdentityProvider.AdminUserGlobalSignOut", code="InternalErrorException", status=500, count=None
    )
    sign_out(sign_out(member_called(ACME_EDITOR.email), by=SOMEBODY), by=SOMEBODY)
    assert them.get("/records/orders/").status_code == 401
    assert not SignIn.objects.exists()
    stage.try_once()
    assert member_called(ACME_EDITOR.email).sign_out
    switches.mend()
    Member.objects.filter(provisioning=Provisioning.DUE).update(due_at=member_called(ACME_EDITOR.email).created_at)
    switches.forget()
    stage.work()
    assert switches.calls()["CognitoIdentityProvider.AdminUserGlobalSignOut"] == 1
    assert not member_called(ACME_EDITOR.email).sign_out
