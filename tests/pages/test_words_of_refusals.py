"""Every refusal says what to do next, and offers a link or a button for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import RequestFactory

from portal.demo.cast import ACME_OWNER, ACME_VIEWER, CastMember
from tenants.domain import errors
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import close, suspend
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.stage import SOMEBODY
from tests.world.use_cases import acme

Browse = Callable[[CastMember], Browser]
FOLDER = settings.BASE_DIR / "templates" / "pages" / "refusals"
PAGES = sorted(path.stem for path in FOLDER.glob("[a-z]*.html") if path.stem != "page")
STATES = [state for state in TenantState if state != TenantState.ACTIVE]
# What the pages show of an error. The others need its message only.
ROLES = (("viewer", "owner"), ("viewer", "operator"), ("operator", "owner"))
ERRORS: dict[str, list[errors.PortalError]] = {
    "denied_by_aws": [errors.DeniedByAws(code="C", answer="{}", action="", resource="", aws_request_id="1")],
    "role_too_low": [errors.RoleTooLow(have=role, need=(need,)) for role, need in ROLES],
    "unavailable": [errors.Unreachable("DynamoDB", "no answer")],
    "arrival_needed": [errors.ArrivalNeeded()],
    "membership_changed": [errors.MembershipChanged("Acme")],
    "suspended": [errors.TenantSuspended("Acme", state, role=role) for state in STATES for role in ("owner", "viewer")],
}
CASES = [(page, error) for page in PAGES for error in ERRORS.get(page, [errors.NotNow("It is so.")])]
TO_DO = re.compile(
    r"\b(?:ask|try|sign (?:in|out)|check|go (?:back|to|up)|write to|send|change|start|set it up|quote|press)\b",
    re.IGNORECASE,
)


def main_of(page: str) -> str:
    found = re.search(r"<main.*?</main>", page, re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize(("page", "error"), CASES, ids=lambda part: str(part)[:40])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refusal_says_what_to_do_and_leads_there(page: str, error: errors.PortalError, method: str) -> None:
    request = RequestFactory().generic(method, "/records/")
    values = {"error": error, "sign_in_address": "/oidc/authenticate/", "most": "2 MB"}
    main = main_of(render_to_string(f"pages/refusals/{page}.html", values, request))
    paragraphs = " ".join(re.findall(r"<p(?: [^>]*)?>(.*?)</p>", main, re.DOTALL))
    assert TO_DO.search(unescape(re.sub("<[^>]+>", "", paragraphs))), paragraphs
    assert re.search(r'<a class="button[^>]* href="[^"]+|<button', main)


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("help@platform.example", '<a href="mailto:help@platform.example">help@platform.example</a>'),
        ("https://help.example/ask", '<a href="https://help.example/ask">help.example/ask</a>'),
        ("", "write to the operators of this portal"),
    ],
)
def test_an_owner_of_a_suspended_organisation_reads_whom_to_write_to(
    browse_as: Browse, settings: Any, contact: str, link: str
) -> None:
    settings.SUPPORT_CONTACT = contact
    owner, viewer = browse_as(ACME_OWNER), browse_as(ACME_VIEWER)
    suspend(acme(), by=SOMEBODY, why="not paid since May")
    theirs, others = (main_of(text_of(browser.get("/records/"))) for browser in (owner, viewer))
    assert "Acme Ltd is suspended" in theirs
    assert link in theirs
    assert link not in others
    assert "Ask an owner of your organisation" in others


def test_nobody_reads_why_the_operators_suspended_it(browse_as: Browse) -> None:
    owner = browse_as(ACME_OWNER)
    suspend(acme(), by=SOMEBODY, why="not paid since May")
    assert "not paid" not in text_of(owner.get("/"))


def test_an_owner_of_an_organisation_being_closed_can_have_it_reopened(browse_as: Browse, settings: Any) -> None:
    settings.SUPPORT_CONTACT = "help@platform.example"
    owner = browse_as(ACME_OWNER)
    close(acme(), by=SOMEBODY, why="asked for")
    page = main_of(text_of(owner.get("/")))
    assert "Acme Ltd is being closed" in page
    assert "the mail to each owner has a link that reopens it" in page
    link = '<a href="mailto:help@platform.example">help@platform.example</a>'
    assert f"If an operator closed it, only operators can reopen it: write to {link} before that day." in page
