"""Of several identical posts one is carried out, and the others hear that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections as databases
from django.http import HttpResponseRedirect
from django.test import RequestFactory
from django.utils import timezone

from portal.demo.cast import ACME, ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.models import AuditEvent, Invitation, Member, SentForm, Tenant
from tenants.pages.sent_forms import GIVEN_UP_AFTER, finish
from tests.world.fixtures import Browser
from tests.world.pages import form_in, text_of

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "/operators/tenants/new/"
TENANT = {"name": "Initech", "email": "owner@initech.example", "owner_name": "", "plan": "free", "metadata": ""}
Strict = Callable[[CastMember], Browser]


@pytest.fixture
def strict(portal: World) -> Strict:
    def signed_in(member: CastMember) -> Browser:
        browser = Browser(portal)
        browser.handler.enforce_csrf_checks = True
        browser.sign_in(member)
        return browser

    return signed_in


def filled_in(browser: Browser, address: str, **typed: str) -> dict[str, Any]:
    return {**form_in(browser.get(address), of="step"), **typed}


def post_at_once(browser: Browser, address: str, form: dict[str, Any], times: int = 3) -> list[Any]:
    """The same browser's requests, sent in the same moment."""
    start = threading.Barrier(times)

    def post(_: int) -> Any:
        twin = Browser(browser.world)
        twin.handler.enforce_csrf_checks = browser.handler.enforce_csrf_checks
        twin.cookies.update(browser.cookies)
        try:
            start.wait(timeout=60)
            return twin.post(address, form)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(post, range(times)))


@pytest.mark.parametrize("slug", ["", "initech"])
def test_one_of_three_posts_makes_the_tenant(strict: Strict, slug: str) -> None:
    operator = strict(OPERATOR)
    answers = post_at_once(operator, NEW, filled_in(operator, NEW, **TENANT, slug=slug))
    tenant = Tenant.objects.get(name="Initech")
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {
        (302, f"/operators/tenants/{tenant.org_id}/")
    }
    assert "You had sent this form already" in text_of(operator.get(answers[0]["Location"]))
    assert AuditEvent.objects.filter(action=Action.TENANT_CREATED, target="Initech").count() == 1
    assert not AuditEvent.objects.filter(action=Action.TENANT_REFUSED).exists()


@pytest.mark.parametrize("slug", ["", "initech"])
def test_a_program_without_a_page_makes_it_once_as_well(browse_as: Strict, slug: str) -> None:
    answers = post_at_once(browse_as(OPERATOR), NEW, {**TENANT, "slug": slug})
    tenant = Tenant.objects.get(name="Initech")
    assert {answer["Location"] for answer in answers} == {f"/operators/tenants/{tenant.org_id}/"}


def test_one_of_three_posts_adds_the_member(strict: Strict, browse_as: Strict) -> None:
    address = f"/operators/tenants/{ACME.org_id}/add-member/"
    typed = {"email": "new@acme.example", "name": "", "role": "viewer", "reason": ""}
    for operator, form in ((strict(OPERATOR), None), (browse_as(OPERATOR), typed)):
        Member.objects.filter(person__email="new@acme.example").delete()
        answers = post_at_once(operator, address, form or filled_in(operator, address, **typed))
        assert {answer.status_code for answer in answers} == {302}
        assert Member.objects.filter(person__email="new@acme.example").count() == 1


def test_one_of_three_posts_invites(strict: Strict) -> None:
    owner = strict(ACME_OWNER)
    form = filled_in(owner, "/members/invite/", people="new@acme.example", role="viewer")
    form.pop("file", None)
    answers = post_at_once(owner, "/members/invite/", form)
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(302, "/members/")}
    assert Invitation.objects.filter(email="new@acme.example").count() == 1
    assert AuditEvent.objects.filter(action=Action.MEMBER_INVITED).count() == 1


@pytest.mark.parametrize(
    ("step", "typed", "action"),
    [
        ("suspend", {"reason": "not paid", "confirm": "acme"}, Action.TENANT_SUSPENDED),
        ("rename", {"name": "Acme Renamed"}, Action.TENANT_RENAMED),
        ("close", {"reason": "asked for", "confirm": "acme"}, Action.TENANT_CLOSING),
    ],
)
def test_a_step_that_is_sent_twice_is_taken_once(
    strict: Strict, step: str, typed: dict[str, str], action: Action
) -> None:
    operator, address = strict(OPERATOR), f"/operators/tenants/{ACME.org_id}/{step}/"
    form = filled_in(operator, address, **typed)
    assert [operator.post(address, form).status_code for _ in range(3)] == [302] * 3
    assert AuditEvent.objects.filter(action=action).count() == 1


def test_a_form_of_a_page_opened_later_is_another_one(strict: Strict) -> None:
    operator = strict(OPERATOR)
    for _ in range(2):
        for step, confirmed in (("suspend", {"confirm": "acme"}), ("reactivate", {})):
            address = f"/operators/tenants/{ACME.org_id}/{step}/"
            assert (
                operator.post(address, filled_in(operator, address, reason="the same", **confirmed)).status_code == 302
            )
    assert AuditEvent.objects.filter(action=Action.TENANT_SUSPENDED).count() == 2


def test_a_form_that_was_refused_may_be_sent_again(strict: Strict) -> None:
    operator = strict(OPERATOR)
    form = filled_in(operator, NEW, **{**TENANT, "email": "nobody"}, slug="")
    assert [operator.post(NEW, form).status_code for _ in range(2)] == [400, 400]
    assert operator.post(NEW, {**form, "email": TENANT["email"]}).status_code == 302


def test_a_form_under_way_is_waited_for_and_then_given_up(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = strict(OPERATOR)
    form = filled_in(operator, NEW, **TENANT, slug="")
    assert operator.post(NEW, form).status_code == 302
    # As if the first one were still at it.
    SentForm.objects.update(address="")
    monkeypatch.setattr("tenants.pages.sent_forms.WAIT_SECONDS", 0.2)
    page = operator.post(NEW, form)
    assert (page.status_code, "still being carried out" in text_of(page)) == (409, True)
    # Its process was killed after it had made the tenant.
    SentForm.objects.update(begun_at=timezone.now() - GIVEN_UP_AFTER - timedelta(seconds=1))
    assert operator.post(NEW, form)["Location"].startswith("/operators/tenants/")
    assert Tenant.objects.filter(name="Initech").count() == 1


def test_an_address_that_does_not_open_any_more_leads_nowhere(strict: Strict, settings: Any) -> None:
    operator = strict(OPERATOR)
    form = filled_in(operator, NEW, **TENANT, slug="")
    operator.post(NEW, form)
    for kept in ("/operators/", "c29tZXRoaW5n", "c29tZXRoaW5"):
        SentForm.objects.update(address=kept)
        page = operator.post(NEW, form)
        assert (page.status_code, "You had sent this form already" in text_of(page)) == (409, True)
    assert Tenant.objects.filter(name="Initech").count() == 1


def test_an_address_too_long_to_be_kept_fails_nothing() -> None:
    for letters, kept in ((1_400, 1), (2_100, 0)):
        SentForm.objects.all().delete()
        request = RequestFactory().post("/")
        request.sent_form = "k" * 64  # type: ignore[attr-defined]
        SentForm.objects.create(pk="k" * 64)
        finish(request, HttpResponseRedirect(f"/{'a' * letters}"))
        assert SentForm.objects.count() == kept
        SentForm(address=SentForm.objects.values_list("address", flat=True).first() or "").clean_fields({"key"})


def test_what_was_sent_is_not_kept(strict: Strict) -> None:
    operator = strict(OPERATOR)
    form = filled_in(operator, NEW, **TENANT, slug="")
    operator.post(NEW, form)
    (row,) = SentForm.objects.values()
    assert "initech" not in str(row).casefold()
    assert str(Tenant.objects.get(name="Initech").org_id) not in str(row)
    SentForm.objects.update(begun_at=timezone.now() - timedelta(minutes=11))
    operator.post("/operators/tenants/suspend/", filled_in(operator, NEW, **TENANT, slug=""))
    assert not SentForm.objects.filter(key=row["key"]).exists()
