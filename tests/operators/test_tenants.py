"""Tenants in the operators' portal: created, shown, taken through their life, with problems shown in place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import TestCase
from django.utils import timezone

from portal.demo.cast import ACME, ACME_OWNER, GLOBEX, OPERATOR, CastMember
from tenants.audit.actions import Action
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import change_metadata
from tenants.lifecycle.transitions import close, suspend
from tenants.models import AuditEvent, Member, Suspension, Tenant
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of
from tests.world.stage import SOMEBODY
from tests.world.use_cases import acme, last_entry, tenant_in

Browse = Callable[[CastMember], Browser]
NEW = "/operators/tenants/new/"
FILLED = {
    "name": "Initech",
    "email": "boss@initech.example",
    "plan": "team",
    "slug": "",
    "owner_name": "",
    "metadata": "",
}


def step(tenant: Tenant, name: str) -> str:
    return f"/operators/tenants/{tenant.org_id}/{name}/"


def entries_after(last: int) -> list[tuple[str, str]]:
    """The entries of the audit trail after this one, as (action, why)."""
    return list(AuditEvent.objects.filter(seq__gt=last).order_by("seq").values_list("action", "why"))


def test_a_new_tenant_is_created_with_its_owner_and_shown(operator: Browser) -> None:
    page = operator.post(NEW, {**FILLED, "owner_name": "Bill", "metadata": '{"contract": "2026-14"}'}, follow=True)
    tenant = Tenant.objects.get(slug="initech")
    assert page.redirect_chain == [(f"/operators/tenants/{tenant.org_id}/", 302)]
    assert "Initech was created" in text_of(page)
    assert (tenant.plan, tenant.state, tenant.metadata) == ("team", "pending", {"contract": "2026-14"})
    owner = Member.objects.select_related("person").get(tenant=tenant)
    assert (owner.role, owner.person.email, owner.person.name) == ("owner", "boss@initech.example", "Bill")
    created = AuditEvent.objects.get(action=Action.TENANT_CREATED, org=tenant.org_id)
    assert created.actor_name == OPERATOR.email


WRONG = {
    "no name": ({"name": "  "}, "name", "Enter a name."),
    "right-to-left": ({"name": "Init\u202eech"}, "name", "invisible"),
    "control character": ({"name": "Init\x07ech"}, "name", "invisible"),
    "no address": ({"email": ""}, "email", "Enter an e-mail address."),
    "address of another": ({"email": "OWNER@Acme.example"}, "email", "in another organisation"),
    "owner's name": ({"owner_name": "Bi\u200bll"}, "owner_name", "invisible"),
    "short name taken": ({"slug": "acme"}, "slug", "“acme” is taken"),
    "short name of ours": ({"slug": "admin"}, "slug", "is reserved"),
    "short name": ({"slug": "a b"}, "slug", "single hyphens"),
    "plan": ({"plan": "gold"}, "plan", "no plan “gold”"),
    "not JSON": ({"metadata": '{"a": 1,}'}, "metadata", "line 1, column"),
    "no object": ({"metadata": "[1]"}, "metadata", "JSON object"),
    "schema": ({"metadata": json.dumps({str(n): n for n in range(51)})}, "metadata", "does not fit its schema"),
}


def test_a_problem_is_shown_at_its_field_and_audited(operator: Browser) -> None:
    before, last, told = Tenant.objects.count(), last_entry(), []
    for case, (change, field, words) in WRONG.items():
        with TestCase.captureOnCommitCallbacks(execute=True):
            page = operator.post(NEW, {**FILLED, **change})
        assert page.status_code == 400, case
        ((at, message),) = errors_in(page).items()
        assert (at, words in message) == (field, True), (case, message)
        assert f'<a href="#{field}">' in page.content.decode(), case
        for value in {**FILLED, **change}.values():
            assert value.strip() in text_of(page), case
        told.append((str(Action.TENANT_REFUSED), message))
    assert Tenant.objects.count() == before
    assert entries_after(last) == told


def test_a_tenants_life_from_suspension_to_reopening(operator: Browser) -> None:
    tenant = acme()
    for name, form, state in (
        ("suspend", {"reason": "not paid", "confirm": "acme"}, "suspended"),
        ("rename", {"name": "Acme & Sons", "reason": ""}, "suspended"),
        ("close", {"reason": "asked for", "confirm": "acme"}, "closing"),
        ("reopen", {"reason": ""}, "suspended"),
        ("reactivate", {"reason": ""}, "active"),
        ("slug", {"slug": "acme-sons", "reason": "wished"}, "active"),
        ("plan", {"plan": "business", "reason": ""}, "active"),
        ("metadata", {"metadata": '{"a": [1, {"b": null}]}', "reason": ""}, "active"),
    ):
        asked = operator.get(step(tenant, name))
        assert asked.status_code == 200
        assert "What will happen" in text_of(asked)
        hidden = dict(re.findall(r'name="(over)" value="([^"]+)"', text_of(asked)))
        done = operator.post(step(tenant, name), {**form, **hidden}, follow=True)
        assert [place for place, _ in done.redirect_chain] == [f"/operators/tenants/{tenant.org_id}/"]
        assert 'class="notice good" role="status"' in text_of(done)
        tenant.refresh_from_db()
        assert tenant.state == state
    assert (tenant.name, tenant.slug, tenant.plan) == ("Acme & Sons", "acme-sons", "business")
    assert tenant.metadata == {"a": [1, {"b": None}]}
    whys = AuditEvent.objects.filter(org=tenant.org_id, actor_name=OPERATOR.email).order_by("seq")
    assert [event.why for event in whys] == ["not paid", "", "asked for", "", "", "wished", "", ""]


def test_a_grave_step_needs_a_reason_and_keeps_what_was_typed(operator: Browser) -> None:
    for name in ("suspend", "close"):
        missing = operator.post(step(acme(), name), {"reason": " ", "confirm": "acme"})
        assert (missing.status_code, list(errors_in(missing))) == (400, ["reason"])
        long = operator.post(step(acme(), name), {"reason": "x" * 501, "confirm": "acme"})
        assert "x" * 501 in text_of(long)
        assert "What will happen" in text_of(long)
    assert acme().state == "active"


@pytest.mark.parametrize("typed", ["", "Acme", "acme ltd", "globex"])
@pytest.mark.parametrize("name", ["suspend", "close"])
def test_a_grave_step_is_done_only_when_the_short_name_is_typed(operator: Browser, name: str, typed: str) -> None:
    assert f"Type acme to {name} it" in text_of(operator.get(step(acme(), name)))
    page = operator.post(step(acme(), name), {"reason": "not paid, see 4711", "confirm": typed})
    assert page.status_code == 400
    assert errors_in(page) == {"confirm": "Type acme, exactly as it is written here. Nothing was changed."}
    assert "not paid, see 4711</textarea>" in text_of(page)
    assert acme().state == "active"
    both = operator.post(step(acme(), name), {"reason": "", "confirm": typed})
    assert list(errors_in(both)) == ["reason", "confirm"]


def test_a_result_says_what_is_not_done_yet(operator: Browser) -> None:
    given = {"reason": "not paid", "confirm": "acme"}
    done = text_of(operator.post(step(acme(), "suspend"), given, follow=True))
    assert "Acme Ltd is suspended: the portal lets none of its members in." in done
    assert "Not done yet: disabling and signing out its members in Cognito and having AWS refuse the cred" in done
    now = timezone.now()
    Suspension.objects.update(signed_out_at=now, denied_at=now, deny_until=now + timedelta(hours=1))
    done = text_of(operator.post(step(acme(), "close"), given, follow=True))
    assert "Acme Ltd is being closed: the portal lets none of its members in." in done
    assert "Not done yet: disabling and signing out its members in Cognito. No worker is running." in done


@pytest.mark.parametrize(
    ("state", "name", "words"),
    [
        (TenantState.SUSPENDED, "suspend", "is suspended"),
        (TenantState.ACTIVE, "reactivate", "is active"),
        (TenantState.ACTIVE, "reopen", "is active"),
        (TenantState.ACTIVE, "activate", "is active"),
        (TenantState.CLOSING, "close", "is being closed"),
        (TenantState.CLOSING, "rename", "is being closed"),
        (TenantState.CLOSED, "close", "is closed for good"),
        (TenantState.CLOSED, "reopen", "is closed for good"),
    ],
)
def test_an_impossible_step_says_why_before_and_after_it_is_tried(
    operator: Browser, state: TenantState, name: str, words: str
) -> None:
    tenant = tenant_in(state)
    last = last_entry()
    asked = operator.get(step(tenant, name))
    assert words in text_of(asked)
    assert "<textarea" not in text_of(asked)
    with TestCase.captureOnCommitCallbacks(execute=True):
        tried = operator.post(step(tenant, name), {"reason": "because I say so", "name": "Another"})
    assert tried.status_code == 409
    assert "This cannot be done now" in text_of(tried)
    assert "because I say so" in text_of(tried)
    tenant.refresh_from_db()
    assert (tenant.state, tenant.name) == (state, "Initech")
    ((action, why),) = entries_after(last)
    assert action == Action.TENANT_REFUSED
    assert why in text_of(tried)


def test_only_possible_steps_are_offered(operator: Browser) -> None:
    offered = {}
    for state in TenantState:
        tenant = tenant_in(state, name=f"In {state}", domain=f"{state}.example")
        page = text_of(operator.get(f"/operators/tenants/{tenant.org_id}/"))
        offered[str(state)] = re.findall(rf'class="button[^"]*" href="{step(tenant, "([a-z]+)")}"', page)
    edits = ["rename", "slug", "plan", "metadata", "contact", "domains"]
    assert offered == {
        "pending": ["activate", *edits, "close"],
        "active": [*edits, "suspend", "close"],
        "suspended": [*edits, "reactivate", "close"],
        "closing": ["reopen"],
        "closed": [],
    }


def test_after_the_grace_period_a_closing_cannot_be_reopened(operator: Browser) -> None:
    tenant = close(acme(), by=SOMEBODY, why="asked for")
    over = timezone.now() - timedelta(hours=1)
    Tenant.objects.filter(pk=tenant.pk).update(closing_at=over, purge_after=over)
    page = text_of(operator.get(step(tenant, "reopen")))
    assert f"ended on {over:%-d %B %Y, %H:%M} UTC" in page
    assert step(tenant, "reopen") not in text_of(operator.get(f"/operators/tenants/{tenant.org_id}/"))


def test_typed_text_can_be_copied_after_the_session_has_ended(operator: Browser) -> None:
    address = f"/operators/tenants/{ACME.org_id}/metadata/"
    operator.cookies.clear()
    page = operator.post(address, {"metadata": '{"a": "<b>"}', "over": "f00d-cafe", "reason": " as agreed "})
    assert page.status_code == 401
    sent = page.content.decode()
    assert "{&quot;a&quot;: &quot;&lt;b&gt;&quot;}</pre>" in sent
    assert "Reason, as you wrote it</h2>" in sent
    assert "f00d-cafe" not in sent


def test_a_member_is_added_and_problems_are_shown_in_place(operator: Browser) -> None:
    address = f"/operators/tenants/{ACME.org_id}/add-member/"
    form = operator.get(address)
    assert "Cognito mails the invitation" in text_of(form)
    assert "No worker is running" in text_of(form)
    for wrong, field in (({"email": "x"}, "email"), ({"role": "king"}, "role"), ({"name": "a\u202eb"}, "name")):
        page = operator.post(address, {"email": "new@acme.example", "role": "editor", "name": "New", **wrong})
        assert (page.status_code, list(errors_in(page))) == (400, [field])
    given = {"email": "new@acme.example", "role": "editor", "name": "", "reason": "asked for"}
    assert "new@acme.example is editor of Acme Ltd now." in text_of(operator.post(address, given, follow=True))
    assert Member.objects.get(person__email="new@acme.example").tenant == acme()
    again = operator.post(address, {**given, "email": "NEW@acme.example"})
    assert (again.status_code, list(errors_in(again))) == (400, ["email"])
    suspend(acme(), by=SOMEBODY, why="not paid")
    assert "Cognito gets no user, and nobody is mailed" in text_of(operator.get(address))


def test_metadata_changed_by_somebody_else_is_not_overwritten(operator: Browser) -> None:
    address = f"/operators/tenants/{ACME.org_id}/metadata/"
    (over,) = re.findall(r'name="over" value="([^"]+)"', text_of(operator.get(address)))
    assert operator.post(address, {"metadata": '{"a": 1}', "over": over}).status_code == 302
    late = operator.post(address, {"metadata": '{"b": 2}', "over": over})
    assert late.status_code == 409
    assert "Somebody else has changed the metadata of Acme Ltd meanwhile" in text_of(late)
    assert '{"b": 2}' in text_of(late)
    assert over not in text_of(late)
    for without in ({}, {"over": ""}, {"over": " "}):
        page = operator.post(address, {"metadata": '{"b": 2}', **without})
        assert page.status_code == 409
        assert "did not say which metadata it replaces" in text_of(page)
    assert acme().metadata == {"a": 1}


def test_metadata_is_readable_at_every_depth_and_never_markup(operator: Browser) -> None:
    deep = {"contacts": [{"name": "<b>Ann</b>"}, {"tags": ["a", True, None, 1.5]}], "empty": {}, "none": ""}
    change_metadata(acme(), metadata={**deep, "down": {"a": {"b": {"c": [1]}}}}, by=SOMEBODY)
    page = operator.get(f"/operators/tenants/{ACME.org_id}/").content.decode()
    for words in ("&lt;b&gt;Ann&lt;/b&gt;", ">true<", ">null<", ">1.5<", "empty object", "empty text", "[1]"):
        assert words in page
    assert "{&#x27;" not in page


def test_operators_pages_show_no_row_and_call_no_aws(operator: Browser, switches: Switches) -> None:
    switches.forget()
    for address in (
        "/operators/",
        "/operators/tenants/",
        f"/operators/tenants/{ACME.org_id}/",
        f"/operators/tenants/{ACME.org_id}/timeline/",
        f"/operators/tenants/{ACME.org_id}/close/",
        "/operators/members/",
        "/operators/audit/",
    ):
        page = operator.get(address)
        assert page.status_code == 200
        assert "ORD-2026" not in page.content.decode()
    assert switches.calls() == {}, "no page of the operators' asks AWS for anything"
    assert operator.get("/records/orders/").status_code == 403


def test_an_unknown_tenant_is_not_found(operator: Browser) -> None:
    for name in ("", "suspend/", "timeline/"):
        missing = f"/operators/tenants/00000000-0000-4000-8000-000000000000/{name}"
        assert operator.get(missing).status_code == 404


def test_only_operators_get_links_to_their_pages(browse_as: Browse) -> None:
    assert 'href="/operators/"' in text_of(browse_as(OPERATOR).get("/"))
    assert "/operators/" not in text_of(browse_as(ACME_OWNER).get("/"))
    refused = text_of(browse_as(ACME_OWNER).get("/operators/tenants/"))
    assert GLOBEX.name not in refused
    assert "operators of the platform" in refused
