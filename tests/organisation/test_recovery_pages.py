"""The pages that stop an owner recovery: with the mail's link and without a sign-in, and signed in."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from django.test import Client

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.observability import JsonLines
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import Role
from tenants.members.recovery import ask, cancel, open_recovery
from tenants.members.roster import disable, set_role
from tenants.models import OutgoingMail, OwnerRecovery, RecoveryResult, SentForm, Tenant
from tests.world.fixtures import Browser
from tests.world.pages import form_in, text_of
from tests.world.stage import SOMEBODY, member_called
from tests.world.tables import tables_with

Browse = Callable[[CastMember], Browser]
NEW = "new@acme.example"


@pytest.fixture
def acme(portal: World, browse_as: Browse) -> Tenant:
    """Its owner has signed in."""
    browse_as(ACME_OWNER)
    return Tenant.objects.get(org_id=ACME.org_id.value)


@pytest.fixture
def recovery(acme: Tenant) -> OwnerRecovery:
    asked = ask(acme, email=NEW, why="Ada has left.\nHer board asks.", by=SOMEBODY)
    assert asked
    return asked


def link() -> str:
    found = re.search(r"/recovery/[\w-]{43}/", OutgoingMail.objects.filter(kind="recovery_asked")[0].text)
    assert found
    return found[0]


def result(recovery: OwnerRecovery) -> str:
    return OwnerRecovery.objects.get(pk=recovery.pk).result


def test_the_link_shows_what_was_asked_and_changes_nothing(portal: World, recovery: OwnerRecovery) -> None:
    visitor = Browser(portal)
    page = text_of(visitor.get(link()))
    for words in (NEW, "Ada has left.<br>Her board asks.", "Acme Ltd", "Stop the owner recovery", "Operators can ask"):
        assert words in page
    visitor.head(link())
    assert result(recovery) == RecoveryResult.WAITING


def test_the_button_stops_it_without_a_sign_in_and_again_says_so(portal: World, recovery: OwnerRecovery) -> None:
    visitor, address = Browser(portal), link()
    stopped = visitor.post(address, follow=True)
    assert "nobody became an owner" in text_of(stopped)
    assert "stopped by the organisation" in text_of(stopped)
    assert result(recovery) == RecoveryResult.VETOED
    for answer in (visitor.get(address), visitor.post(address, follow=True)):
        assert answer.status_code == 200
        assert "Stop the owner recovery" not in text_of(answer)
        assert "Somebody stopped it with the link in the mail." in text_of(answer)


def test_the_key_is_kept_as_a_hash_only(portal: World, recovery: OwnerRecovery) -> None:
    visitor, address = Browser(portal), link()
    assert visitor.post(address, form_in(visitor.get(address), of="step"))["Location"] == address
    assert SentForm.objects.count() == 1
    assert tables_with(address.split("/")[2]) == {OutgoingMail._meta.db_table}


def test_the_form_of_another_site_stops_nothing(portal: World, recovery: OwnerRecovery) -> None:
    visitor = Client(enforce_csrf_checks=True, headers={"host": "localhost:8000"})
    assert visitor.post(link()).status_code == 403
    assert result(recovery) == RecoveryResult.WAITING


def test_a_forged_link_is_not_found(portal: World, recovery: OwnerRecovery) -> None:
    visitor, address = Browser(portal), link()
    for forged in (address[:-2] + "/", address.swapcase().replace("/RECOVERY/", "/recovery/"), "/recovery/x/"):
        assert visitor.get(forged).status_code == 404
        assert visitor.post(forged).status_code == 404
    assert visitor.put(address).status_code == 405
    assert result(recovery) == RecoveryResult.WAITING


def test_somebody_whom_operators_disabled_can_use_the_link(
    portal: World, browse_as: Browse, recovery: OwnerRecovery
) -> None:
    """Their session is refused every other page."""
    address = link()
    browser = browse_as(ACME_EDITOR)
    disable(member_called(ACME_EDITOR.email), by=SOMEBODY)
    assert browser.get("/records/").status_code == 403
    assert browser.get(address).status_code == 200


@pytest.mark.parametrize("ended", ["cancelled", "done"])
def test_the_link_says_how_it_ended(portal: World, recovery: OwnerRecovery, ended: str) -> None:
    if ended == "cancelled":
        cancel(recovery.tenant, by=SOMEBODY, why="Ada is back")
    else:
        OwnerRecovery.objects.update(result=RecoveryResult.DONE, why="Nobody stopped it.", ended_at=recovery.asked_at)
    page = text_of(Browser(portal).get(link()))
    assert ("Ada is back" if ended == "cancelled" else "It was not stopped") in page
    assert "<form class" not in page


def test_the_key_is_in_no_line_of_the_log(
    portal: World, recovery: OwnerRecovery, caplog: pytest.LogCaptureFixture
) -> None:
    visitor, address = Browser(portal), link()
    key = address.split("/")[2]
    caplog.set_level(logging.DEBUG)
    visitor.get(address)
    visitor.get(address[:-1])
    visitor.post(address)
    Client(enforce_csrf_checks=True, headers={"host": "localhost:8000"}).post(address)
    logged = "\n".join(JsonLines().format(record) for record in caplog.records)
    assert "/recovery/<key>/" in logged
    assert key not in logged


def test_owners_and_admins_see_it_on_every_page_and_stop_it(
    browse_as: Browse, recovery: OwnerRecovery, acme: Tenant
) -> None:
    set_role(member_called(ACME_EDITOR.email), Role.ADMIN, by=_owner())
    owner = browse_as(ACME_OWNER)
    for address in ("/", "/records/", "/records/orders/"):
        assert 'href="/recovery/"' in text_of(owner.get(address)), address
    assert NEW in text_of(owner.get("/recovery/"))
    assert result(recovery) == RecoveryResult.WAITING
    stopped = text_of(owner.post("/recovery/", follow=True))
    assert f"It was stopped by the owner {ACME_OWNER.email}." in stopped
    assert result(recovery) == RecoveryResult.VETOED
    assert "look at the owner recovery" not in text_of(owner.get("/"))
    assert "no owner recovery to stop any more" in text_of(owner.post("/recovery/", follow=True))


def _owner() -> Actor:
    member = member_called(ACME_OWNER.email)
    return Actor(str(member.person.sub), ACME_OWNER.email, ActorKind.MEMBER, Role.OWNER)


def test_others_neither_see_it_nor_stop_it(browse_as: Browse, recovery: OwnerRecovery) -> None:
    for who, status in ((ACME_EDITOR, 403), (OPERATOR, 403), (GLOBEX_OWNER, 200)):
        browser = browse_as(who)
        assert "look at the owner recovery" not in text_of(browser.get("/"))
        page = browser.get("/recovery/")
        assert page.status_code == status
        assert NEW not in text_of(page)
        browser.post("/recovery/")
    assert result(recovery) == RecoveryResult.WAITING


def test_a_visitor_is_asked_to_sign_in(portal: World, recovery: OwnerRecovery) -> None:
    assert Browser(portal).get("/recovery/").status_code == 302


def test_an_operator_asks_sees_and_cancels_it_on_the_tenants_page(operator: Browser, acme: Tenant) -> None:
    at = f"/operators/tenants/{acme.org_id}"
    assert "also without signing in" in text_of(operator.get(f"{at}/recover-owner/"))
    wrong = operator.post(f"{at}/recover-owner/", {"email": "x", "name": "", "reason": "left"})
    assert (wrong.status_code, "left" in text_of(wrong)) == (400, True)
    form = {"email": NEW, "name": "New", "reason": "Ada has left"}
    done = text_of(operator.post(f"{at}/recover-owner/", form, follow=True))
    assert f"{NEW} becomes an owner of Acme Ltd after" in done
    assert "Ada has left" in done
    assert OPERATOR.email in done
    assert f'href="{at}/recover-owner/"' not in done
    assert f'href="{at}/cancel-recovery/"' in done
    again = operator.post(f"{at}/recover-owner/", form)
    assert again.status_code == 409
    done = text_of(operator.post(f"{at}/cancel-recovery/", {"reason": "Ada is back"}, follow=True))
    assert "The owner recovery of Acme Ltd was cancelled." in done
    assert open_recovery(acme) is None
