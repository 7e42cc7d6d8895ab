"""The page that shows what a member's credentials carry, and lets them try any key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal.demo.cast import ACME, ACME_OWNER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.models import AuditEvent
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]


def try_key(browser: Browser, key: str) -> str:
    text: str = browser.get("/access/", {"pk": key}).content.decode()
    return text


def test_it_shows_tags_role_and_expiry(browse_as: Browse, stack: World) -> None:
    page = browse_as(ACME_OWNER).get("/access/").content.decode()
    assert str(ACME.org_id) in page
    assert stack.settings["TENANT_ROLE_ARN"] in page
    assert stack.settings["COGNITO_CLIENT_ID"] in page
    assert "owner" in page
    assert "<time" in page


def test_an_own_key_is_answered_with_rows(browse_as: Browse) -> None:
    page = try_key(browse_as(ACME_OWNER), ACME.space.collection("orders"))
    assert "ORD-2026-0001" in page
    assert "200" in page


def test_another_organisations_key_shows_the_refusal_of_aws_verbatim(browse_as: Browse, stack: World) -> None:
    page = try_key(browse_as(ACME_OWNER), GLOBEX.space.collection("orders"))
    assert "&quot;__type&quot;: &quot;com.amazon.coral.service#AccessDeniedException&quot;" in page
    assert "is not authorized to perform: dynamodb:Query on resource: " + stack.outputs["TableArn"] in page
    assert "because no identity-based policy allows the dynamodb:Query action" in page
    assert "ORD-" not in page


def test_organisations_are_kept_apart_and_the_operator_from_both(browse_as: Browse) -> None:
    globex, operator = browse_as(GLOBEX_OWNER), browse_as(OPERATOR)
    assert "AccessDeniedException" in try_key(globex, ACME.space.collection("orders"))
    for organisation in (ACME, GLOBEX):
        assert "AccessDeniedException" in try_key(operator, organisation.space.collection("orders"))
    assert "2026-01-05" in try_key(operator, "PUBLIC#news")


@pytest.mark.parametrize(("key", "words"), [("", "Enter a partition key"), ("x" * 2049, "at most 2048 bytes")])
def test_an_impossible_key_is_a_message_next_to_the_field(browse_as: Browse, key: str, words: str) -> None:
    answer = browse_as(ACME_OWNER).get("/access/", {"pk": key})
    assert answer.status_code == 400
    assert words in answer.content.decode()


@pytest.mark.parametrize(
    "key",
    [
        "*",
        "*#orders",
        "${aws:PrincipalTag/org}#orders",
        f"{ACME.org_id}",
        f" {ACME.org_id}#orders",
        "<script>alert(1)</script>",
    ],
)
def test_aws_refuses_keys_that_only_look_like_ones_own(browse_as: Browse, key: str) -> None:
    page = try_key(browse_as(ACME_OWNER), key)
    assert "AccessDeniedException" in page
    assert "<script>alert" not in page


def try_path(browser: Browser, path: str) -> str:
    text: str = browser.get("/access/", {"path": path}).content.decode()
    return text


def test_the_own_path_of_the_api_answers_with_the_profile(browse_as: Browse) -> None:
    page = try_path(browse_as(ACME_OWNER), f"/{ACME.org_id}/profile")
    assert "Allowed: the API answered" in page
    assert f"&quot;org&quot;: &quot;{ACME.org_id}&quot;" in page


@pytest.mark.parametrize(
    "path", [f"/{GLOBEX.org_id}/profile", f"/{GLOBEX.org_id}/{ACME.org_id}/profile", f"//{ACME.org_id}/profile", "/"]
)
def test_every_other_path_is_refused_by_aws(browse_as: Browse, path: str) -> None:
    page = try_path(browse_as(ACME_OWNER), path)
    assert "Allowed: the API answered" not in page
    assert "&quot;message&quot;: &quot;" in page


@pytest.mark.django_db(transaction=True)
def test_a_refused_path_is_in_the_audit_trail_with_its_org(browse_as: Browse) -> None:
    try_path(browse_as(ACME_OWNER), f"/{GLOBEX.org_id}/profile")
    entry = AuditEvent.objects.filter(action=Action.REFUSED).latest("seq")
    assert (entry.after["refusal"], entry.after["asked_for"]) == ("DeniedByAws", str(GLOBEX.org_id))


@pytest.mark.parametrize(
    "path", ["", "profile", "https://elsewhere.example/", "/a b", "/ü", "/x" * 300, "/a?b", "/a#b"]
)
def test_an_impossible_path_is_a_message_next_to_its_field(browse_as: Browse, path: str) -> None:
    answer = browse_as(ACME_OWNER).get("/access/", {"path": path})
    assert answer.status_code == 400
    assert 'id="path-error"' in answer.content.decode()


def test_without_an_api_there_is_nothing_to_call(browse_as: Browse, settings: Any) -> None:
    browser = browse_as(ACME_OWNER)
    settings.RECORDS_API_URL = ""
    page = try_path(browser, f"/{ACME.org_id}/profile")
    assert "Try a path of the API" not in page
