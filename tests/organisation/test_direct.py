"""What the portal delivers for pages that ask AWS by themselves: to whom, with which settings, reaching which hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from tenants.sign_in.break_glass import make_link
from tests.world.fixtures import Browser
from tests.world.trail import SOMEBODY

Browse = Callable[[CastMember], Browser]
PUBLIC = ("/public/", "/public/news/", "/public/news/2026-01-05/")


def connects_to(answer: Any) -> str:
    parts = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    return str(parts["connect-src"])


def script_settings(page: str) -> dict[str, str]:
    """The settings that the page's script reads."""
    return dict(re.findall(r' data-([a-z-]+)="([^"]*)"', page))


@pytest.fixture
def on_aws(browser: Browser, settings: Any) -> Browser:
    """As in a deployment: without an endpoint of one's own."""
    settings.AWS_ENDPOINT_URL = None
    settings.COGNITO_DOMAIN = "https://acme.auth.eu-west-1.amazoncognito.com"
    settings.PORTAL_URL = "https://portal.example.com"
    return browser


def test_on_aws_a_page_reaches_three_hosts_and_no_other(on_aws: Browser) -> None:
    assert connects_to(on_aws.get("/direct/")) == (
        "https://dynamodb.eu-west-1.amazonaws.com https://cognito-identity.eu-west-1.amazonaws.com "
        "https://acme.auth.eu-west-1.amazoncognito.com"
    )


@pytest.mark.parametrize("address", PUBLIC)
def test_on_aws_a_guests_page_reaches_two_hosts_and_no_other(on_aws: Browser, address: str) -> None:
    assert connects_to(on_aws.get(address)) == (
        "https://dynamodb.eu-west-1.amazonaws.com https://cognito-identity.eu-west-1.amazonaws.com"
    )


def test_with_an_endpoint_it_is_the_one_host(browser: Browser) -> None:
    for address in (*PUBLIC, "/direct/"):
        assert connects_to(browser.get(address)) == browser.world.emulator.endpoint_url


def test_every_other_page_reaches_the_portal_alone(browser: Browser, browse_as: Browse) -> None:
    assert connects_to(browser.get("/")) == "'self'"
    owner = browse_as(ACME_OWNER)
    for address in ("/", "/records/", "/access/", *PUBLIC, "/no-such-page/"):
        assert connects_to(owner.get(address)) == "'self'"


def test_the_page_is_told_where_to_sign_in_and_nothing_secret(on_aws: Browser, settings: Any) -> None:
    page = on_aws.get("/direct/").content.decode()
    assert script_settings(page) == {
        "region": "eu-west-1",
        "dynamodb": "https://dynamodb.eu-west-1.amazonaws.com",
        "identity": "https://cognito-identity.eu-west-1.amazonaws.com",
        "identity-pool": settings.COGNITO_IDENTITY_POOL_ID,
        "table": settings.RECORDS_TABLE,
        "partition-key": "pk",
        "sort-key": "sk",
        "domain": "https://acme.auth.eu-west-1.amazoncognito.com",
        "client": settings.COGNITO_BROWSER_CLIENT_ID,
        "provider": f"cognito-idp.eu-west-1.amazonaws.com/{settings.COGNITO_USER_POOL_ID}",
        "page": "https://portal.example.com/direct/",
    }
    assert settings.OIDC_RP_CLIENT_SECRET not in page
    assert settings.OIDC_RP_CLIENT_ID not in page


@pytest.mark.parametrize("address", [*PUBLIC, "/direct/"])
def test_where_it_is_off_no_script_is_delivered_and_no_host_allowed(
    browser: Browser, settings: Any, address: str
) -> None:
    settings.PUBLIC_READS, settings.COGNITO_BROWSER_CLIENT_ID = False, ""
    answer = browser.get(address)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "sends nothing" in page
    assert 'type="module"' not in page
    assert script_settings(page) == {}
    assert connects_to(answer) == "'self'"


def test_the_first_page_and_the_header_lead_to_what_is_on(browser: Browser, settings: Any) -> None:
    page = browser.get("/").content.decode()
    assert (page.count('href="/public/"'), page.count('href="/direct/"')) == (2, 2)
    settings.PUBLIC_READS, settings.COGNITO_BROWSER_CLIENT_ID = False, ""
    page = browser.get("/").content.decode()
    assert (page.count('href="/public/"'), page.count('href="/direct/"')) == (0, 0)


@pytest.mark.parametrize("member", [ACME_OWNER, OPERATOR], ids=["member", "operator"])
def test_who_is_signed_in_gets_public_records_from_the_portal(browse_as: Browse, member: CastMember) -> None:
    page = browse_as(member).get("/public/news/").content.decode()
    assert "2026-01-05" in page
    assert 'type="module"' not in page


def test_nobody_reads_public_records_through_the_glass(browser: Browser) -> None:
    browser.post("/operators/break-glass/", {"key": make_link(by=SOMEBODY, why="Cognito is down").key})
    for address in PUBLIC:
        assert browser.get(address).status_code == 403


def test_a_visitor_signs_in_from_a_public_page_and_comes_back_to_it(browser: Browser, settings: Any) -> None:
    settings.PUBLIC_READS = False
    page = browser.get("/public/news/").content.decode()
    assert 'href="/oidc/authenticate/?next=/public/news/"' in page


def test_a_segment_that_names_no_key_is_not_found(browser: Browser) -> None:
    assert browser.get("/public/~!!!/").status_code == 404
