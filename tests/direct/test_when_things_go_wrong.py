"""Renewal, clocks, throttling and broken connections, as a page that asks AWS by itself meets them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME
from tests.direct.conftest import Direct, Window
from tests.direct.visits import open_public, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
MINUTE = 60


@dataclass
class Time:
    """What AWS and the browser take for now."""

    window: Window
    direct: Direct
    minutes: float = 0.0

    def pass_to(self, minutes: float) -> None:
        """Counted from the beginning of the test."""
        self.direct.switches.move_clock(minutes * MINUTE)
        self.window.page.clock.fast_forward(int((minutes - self.minutes) * MINUTE * 1000))
        self.minutes = minutes


@pytest.fixture
def time(window: Window, direct: Direct) -> Time:
    window.page.clock.install()
    return Time(window, direct)


def grants(window: Window) -> list[str]:
    """What was asked of the token endpoint."""
    forms = [request.post_data or "" for request in window.requests if request.url.endswith("/oauth2/token")]
    return [form.split("grant_type=")[1].split("&")[0] for form in forms]


def test_credentials_are_renewed_once_in_time_without_the_portal(window: Window, direct: Direct, time: Time) -> None:
    sign_in(window, direct)
    direct.portal.stop()
    window.forget()
    time.pass_to(50)
    window.page.get_by_role("link", name="orders").click()
    window.page.locator("tbody tr").first.wait_for()
    assert grants(window) == []
    # Several of the page's parts find that the end is near while the renewal is still under way.
    direct.switches.fail("oauth2.token", delay_seconds=2, count=1)
    time.pass_to(56)
    for button in ("Try to write", "Try PartiQL", "Show more records"):
        window.page.get_by_role("button", name=button).click()
    window.page.get_by_text("in 60 minutes").wait_for()
    window.page.locator("#reader").get_by_text("50 records").wait_for()
    assert grants(window) == ["refresh_token"]
    calls = direct.switches.calls()
    assert (calls["CognitoIdentity.GetId"], calls["CognitoIdentity.GetCredentialsForIdentity"]) == (1, 2)
    # The last credentials that this sign-in can give live for an hour more.
    time.pass_to(100)
    window.page.get_by_role("link", name="Collections").click()
    window.page.get_by_role("link", name="news").wait_for()
    assert window.requests_to(direct.portal.url) == []
    time.pass_to(120)
    window.page.get_by_text("This sign-in has ended").wait_for()
    expect(window.page.get_by_role("button", name="Sign in with Cognito")).to_be_visible()
    expect(window.page.locator("#reader")).to_be_hidden()
    window.forget()
    time.pass_to(130)
    assert window.requests == []


def test_a_refresh_token_is_used_once_and_its_successor_afterwards(window: Window, direct: Direct, time: Time) -> None:
    sign_in(window, direct)
    for minutes in (6, 12):
        time.pass_to(minutes)
        direct.switches.fail("DynamoDB.Query", fault="expired-credentials", count=1)
        window.page.get_by_role("button", name="Try another").click()
        window.page.locator("#answer .notice").wait_for()
        expect(window.page.locator("#answer")).to_contain_text("AccessDeniedException")
    sent = [request.post_data for request in window.requests if "grant_type=refresh_token" in (request.post_data or "")]
    assert len(sent) == len(set(sent)) == 2


def test_credentials_that_ended_early_are_renewed_and_the_call_repeated(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    direct.switches.fail("DynamoDB.Query", fault="expired-credentials", count=1)
    window.page.get_by_role("link", name="orders").click()
    window.page.locator("tbody tr").first.wait_for()
    expect(window.page.locator("#requests")).to_contain_text("ExpiredTokenException")


def test_a_sign_in_that_was_ended_gives_no_new_credentials(window: Window, direct: Direct, time: Time) -> None:
    sign_in(window, direct)
    direct.switches.fail("oauth2.token", code="invalid_grant", status=400)
    time.pass_to(56)
    window.page.get_by_text("This sign-in has ended. Sign in again.").wait_for()
    # Those of the beginning, and no others.
    assert direct.switches.calls()["CognitoIdentity.GetCredentialsForIdentity"] == 1
    expect(window.page.locator("tbody tr")).to_have_count(0)


@pytest.mark.parametrize("fault", ["throttling", "server-error"])
def test_a_busy_aws_is_asked_again(window: Window, direct: Direct, fault: str) -> None:
    sign_in(window, direct)
    direct.switches.fail("DynamoDB.Query", fault=fault, count=2)
    window.page.get_by_role("link", name="orders").click()
    window.page.locator("tbody tr").first.wait_for()
    direct.switches.forget()
    direct.switches.fail("DynamoDB.Query", fault=fault, count=100)
    window.page.get_by_role("button", name="Show more records").click()
    window.page.locator("#reader").get_by_text("Try again in a few seconds").wait_for()
    assert direct.switches.calls()["DynamoDB.Query"] == 4
    direct.switches.mend()
    window.page.get_by_role("button", name="Show more records").click()
    window.page.locator("#reader").get_by_text("50 records").wait_for()


def test_a_broken_connection_is_told_and_can_be_tried_again(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    direct.switches.fail("DynamoDB.Query", drop=True, count=100)
    window.page.get_by_role("link", name="news").click()
    host = direct.world.emulator.endpoint_url.removeprefix("http://")
    window.page.locator(".notice").get_by_text(f"No answer from {host}.").wait_for()
    direct.switches.mend()
    window.page.get_by_role("button", name="Try again").click()
    window.page.locator("tbody tr").first.wait_for()
    expect(window.page.locator(".notice").get_by_text("No answer from")).to_be_hidden()


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_wrong_clock_is_put_right_by_awss_own(window: Window, direct: Direct, minutes: int) -> None:
    direct.switches.move_clock(minutes * MINUTE)
    open_public(window, direct)
    signed_twice = re.compile(r"Signature .*Signature ", re.DOTALL)
    expect(window.page.locator("#requests")).to_contain_text("Signature ")
    expect(window.page.locator("#requests")).not_to_contain_text(signed_twice)
    window.page.get_by_role("link", name="news").click()
    window.page.locator("tbody tr").first.wait_for()
    expect(window.page.locator("#requests")).to_contain_text("Signature ")
    expect(window.page.locator("#requests")).not_to_contain_text(signed_twice)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"host": "dynamodb.example"}, "No answer from dynamodb.example"),
        ({"status": 400, "code": "InvalidSignatureException", "text": "Signature expired: now", "skew": -1_800_000},
         "This computer’s clock differs from AWS’s by about 30 minutes"),
        ({"status": 400, "code": "ThrottlingException"}, "Try again in a few seconds"),
        ({"status": 429, "code": ""}, "Try again in a few seconds"),
        ({"status": 400, "code": "ExpiredTokenException"}, "Sign in again"),
        ({"status": 400, "code": "invalid_grant"}, "Sign in again"),
        ({"status": 400, "code": "NotAuthorizedException", "text": "Token is inactive."}, "Sign in again"),
        ({"status": 400, "code": "AccessDeniedException", "text": "User is not authorized"},
         "AWS refused this: User is not authorized"),
        ({"status": 403, "code": "", "text": "Forbidden"}, "AWS refused this: Forbidden"),
        ({"status": 503, "code": "x"}, "AWS could not answer at the moment"),
        ({"status": 400, "code": "ValidationException", "text": "Too long"},
         "AWS did not accept the request: Too long"),
    ],
)  # fmt: skip
def test_each_error_is_a_sentence_for_the_person(chromium: Any, assets: str, error: dict[str, Any], told: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{assets}/favicon.svg")
    say = """async ({module, error}) => {
      const { AwsError, sentenceOf } = await import(module);
      return sentenceOf(new AwsError(error));
    }"""
    assert told in page.evaluate(say, {"module": f"{assets}/aws-direct.js", "error": error})
    context.close()


def test_an_answer_that_comes_late_does_not_replace_what_was_opened_since(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    direct.switches.fail("DynamoDB.Query", delay_seconds=1.0, count=1)
    page.get_by_role("link", name="orders").click()
    page.get_by_role("link", name="news").click()
    page.locator("tbody tr").first.wait_for()
    page.wait_for_timeout(1500)
    expect(page.locator("#reader h3")).to_have_text("news")
    expect(page.locator("#requests")).to_contain_text(ACME.space.collection("orders"))
