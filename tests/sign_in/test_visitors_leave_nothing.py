"""Requests without a cookie leave no session behind, and a sign-in under way ends after ten minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME_OWNER
from portal.demo.world import World
from tenants.models import SentForm, SignIn
from tenants.sign_in.code_flows import CodeFlow
from tenants.sign_in.wiring import code_flows
from tests.house.test_matrix import addresses
from tests.world.fixtures import Browser

FORMS = {
    "/signup/": {"organisation": "Initech", "name": "Bill", "email": "bill@initech.example"},
    "/operators/break-glass/": {"key": "made up"},
    "/oidc/logout/": {},
    "/records/": {"reason": "x"},
    "/no/such/page/": {},
}


def without_a_cookie(portal: World) -> Browser:
    return Browser(portal)


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "options"])
def test_no_address_begins_a_session_for_somebody_without_a_cookie(portal: World, method: str) -> None:
    for address in [*addresses().values(), *FORMS, "/oidc/callback/?code=a&state=" + "x" * 22, "/?next=//evil"]:
        answer = getattr(without_a_cookie(portal), method)(address, FORMS.get(address, {}))
        assert "session" not in answer.cookies, address
    assert Session.objects.count() == 0


def test_fifty_sign_ins_that_nobody_finishes_write_nothing(portal: World) -> None:
    with CaptureQueriesContext(connection) as ran:
        for _ in range(50):
            assert without_a_cookie(portal).get("/oidc/authenticate/", {"next": "/records/"}).status_code == 302
    assert [query["sql"] for query in ran] == []
    assert (Session.objects.count(), SignIn.objects.count(), SentForm.objects.count()) == (0, 0, 0)


def kept_for(flow: CodeFlow, seconds: int) -> str:
    """The cookie of a sign-in that began so long ago, and which the browser kept beyond its time."""
    return code_flows()._sealed(replace(flow, started_at=flow.started_at - seconds))


@pytest.mark.parametrize(("seconds", "found"), [(0, True), (590, True), (601, False), (3_000, False)])
def test_the_server_itself_ends_a_sign_in_after_ten_minutes(seconds: int, found: bool) -> None:
    flow, request = code_flows().start(target="/records/"), RequestFactory().get("/")
    request.COOKIES = {f"sign-in-{flow.state}": kept_for(flow, seconds)}
    assert (code_flows().find(request, flow.state) is not None) == found


def test_a_callback_that_comes_too_late_signs_nobody_in(browser: Browser) -> None:
    callback = browser.callback_address(ACME_OWNER)
    (name,) = [name for name in browser.cookies if name.startswith("sign-in-")]
    request = RequestFactory().get("/")
    request.COOKIES = {name: browser.cookies[name].value}
    flow = code_flows().find(request, name.removeprefix("sign-in-"))
    assert flow is not None
    browser.cookies[name] = kept_for(flow, 601)
    assert browser.get(callback).status_code == 400
    assert not SignIn.objects.exists()
