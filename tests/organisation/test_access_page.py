"""The page that shows what a member's credentials carry, and lets them try any key."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache

from portal.demo.cast import ACME, ACME_OWNER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.models import AuditEvent
from tests.world.cache_servers import NOBODY_LISTENS, caches_on
from tests.world.faults import Switches
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]


def try_key(browser: Browser, key: str) -> str:
    text: str = browser.post("/access/", {"pk": key}, follow=True).content.decode()
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


@pytest.mark.parametrize(
    ("key", "words"), [("", "Enter a partition key"), ("x" * 2049, "A partition key has at most 2048 bytes")]
)
def test_an_impossible_key_is_a_message_next_to_the_field(browse_as: Browse, key: str, words: str) -> None:
    answer = browse_as(ACME_OWNER).post("/access/", {"pk": key})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert f'href="#pk">{words}' in page
    assert words in page.split('id="pk-error">')[1]
    assert 'aria-invalid="true"' in page


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
    text: str = browser.post("/access/", {"path": path}, follow=True).content.decode()
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
    entry = AuditEvent.objects.filter(action=Action.PATH_REFUSED).latest("seq")
    assert (entry.after["refusal"], entry.after["asked_for"]) == ("DeniedByAws", str(GLOBEX.org_id))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["pk", "path"])
def test_a_link_fills_in_a_field_and_tries_nothing(browse_as: Browse, switches: Switches, name: str) -> None:
    browser, typed = browse_as(ACME_OWNER), f"{GLOBEX.org_id}#orders"
    last = AuditEvent.objects.latest("seq").seq
    switches.forget()
    answer = browser.get("/access/", {name: typed}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert f'value="{typed}"' in answer.content.decode()
    assert not {"DynamoDB.Query", "ExecuteApi.GET"} & set(switches.calls())
    assert AuditEvent.objects.latest("seq").seq == last


@pytest.mark.django_db(transaction=True)
def test_a_form_of_another_site_tries_nothing(portal: World) -> None:
    browser = Browser(portal)
    browser.handler.enforce_csrf_checks = True
    browser.sign_in(ACME_OWNER)
    last = AuditEvent.objects.latest("seq").seq
    page = browser.post("/access/", {"pk": f"{GLOBEX.org_id}#orders"}, headers={"Origin": "https://elsewhere.example"})
    assert page.status_code == 403
    assert AuditEvent.objects.latest("seq").seq == last


@pytest.mark.parametrize(
    "path", ["", "profile", "https://elsewhere.example/", "/a b", "/ü", "/x" * 300, "/a?b", "/a#b"]
)
def test_an_impossible_path_is_a_message_next_to_its_field(browse_as: Browse, path: str) -> None:
    answer = browse_as(ACME_OWNER).post("/access/", {"path": path})
    assert answer.status_code == 400
    assert 'id="path-error"' in answer.content.decode()


def test_without_an_api_there_is_nothing_to_call(browse_as: Browse, settings: Any) -> None:
    browser = browse_as(ACME_OWNER)
    settings.RECORDS_API_URL = ""
    page = try_path(browser, f"/{ACME.org_id}/profile")
    assert "Try a path of the API" not in page


def test_a_refusal_says_what_it_means_before_the_answer(browse_as: Browse) -> None:
    page = try_key(browse_as(ACME_OWNER), GLOBEX.space.collection("orders"))
    in_order = (
        "AWS refused this key",
        "It begins with another org id than yours.",
        "<mark>",
        "IAM compared the start",
        "<details>",
        "__type",
    )
    places = [page.index(words) for words in in_order]
    assert places == sorted(places)


def test_the_keys_org_is_above_the_own_tag_letter_by_letter(browse_as: Browse) -> None:
    page = try_key(browse_as(ACME_OWNER), GLOBEX.space.collection("orders"))
    asked, own = (re.sub("<[^>]+>", "", code) for code in re.findall(r"<dd><code>(.*?)</code></dd>", page)[:2])
    assert (asked, own) == (f"{GLOBEX.org_id}#", f"{ACME.org_id}#")
    assert "<mark>610b</mark>e" in page
    assert "of 37 characters differ, the first at place 1" in page


def test_a_missing_hash_is_the_difference_that_is_marked(browse_as: Browse) -> None:
    page = try_key(browse_as(ACME_OWNER), str(ACME.org_id))
    assert f"<code>{ACME.org_id}</code>" in page
    assert f"<code>{ACME.org_id}<mark>#</mark></code>" in page


def test_people_without_an_organisation_read_why_nothing_is_compared(browse_as: Browse) -> None:
    page = try_key(browse_as(OPERATOR), ACME.space.collection("orders"))
    assert "Your credentials have no tag org" in page
    assert "<mark>" not in page


def test_what_was_allowed_says_how_many_rows_came(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    assert "AWS sent 5 rows. This page asks for five at most." in try_key(browser, ACME.space.collection("orders"))
    assert "There are no rows with this key." in try_key(browser, ACME.space.collection("nothing"))


def test_reloading_the_answer_asks_aws_nothing_again(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    address = browser.post("/access/", {"pk": GLOBEX.space.collection("orders")})["Location"]
    assert address.startswith("/access/?answer=")
    assert str(GLOBEX.org_id) not in address
    switches.forget()
    assert "AWS refused this key" in browser.get(address).content.decode()
    assert "DynamoDB.Query" not in switches.calls()


def test_nobody_else_sees_the_answer(browse_as: Browse) -> None:
    address = browse_as(ACME_OWNER).post("/access/", {"pk": ACME.space.collection("orders")})["Location"]
    for somebody in (browse_as(GLOBEX_OWNER), browse_as(ACME_OWNER)):
        page = somebody.get(address).content.decode()
        assert "ORD-2026-0001" not in page
        assert "This answer is no longer kept" in page


def test_an_answer_copied_to_another_sign_in_does_not_open(browse_as: Browse) -> None:
    ada, gus = browse_as(ACME_OWNER), browse_as(GLOBEX_OWNER)
    name = ada.post("/access/", {"pk": ACME.space.collection("orders")})["Location"].partition("=")[2].split("#")[0]
    theirs, his = (browser.get("/access/").wsgi_request.signed_in.sign_in_id for browser in (ada, gus))
    cache.set(f"tried:{his}:{name}", cache.get(f"tried:{theirs}:{name}"))
    assert "ORD-2026-0001" in ada.get(f"/access/?answer={name}").content.decode()
    assert "ORD-2026-0001" not in gus.get(f"/access/?answer={name}").content.decode()


def test_without_the_cache_the_answer_comes_at_once(browse_as: Browse, settings: Any) -> None:
    browser = browse_as(ACME_OWNER)
    settings.CACHES = caches_on(NOBODY_LISTENS)
    answer = browser.post("/access/", {"pk": GLOBEX.space.collection("orders")})
    assert answer.status_code == 200
    assert "AWS refused this key" in answer.content.decode()


def test_another_org_is_offered_where_the_settings_name_one(browse_as: Browse, settings: Any) -> None:
    ada, gus = browse_as(ACME_OWNER), browse_as(GLOBEX_OWNER)
    settings.ACCESS_EXAMPLE_ORGS = [str(ACME.org_id), str(GLOBEX.org_id)]
    for browser, other in ((ada, GLOBEX), (gus, ACME)):
        page = browser.get("/access/").content.decode()
        assert f'value="{other.org_id}#orders"><button class="link" type="submit">Try another org<' in page
        assert other.name not in page
    settings.ACCESS_EXAMPLE_ORGS = []
    page = ada.get("/access/").content.decode()
    assert "Try an org id that nobody has" in page
    assert "Ask somebody there for their org id" in page
