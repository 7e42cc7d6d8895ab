"""A sent form is never lost: the page that refuses it keeps what was typed and can send it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from portal.demo.cast import ACME, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.lifecycle.transitions import suspend
from tenants.models import AuditEvent, SignIn, Tenant
from tests.house.test_matrix import addresses
from tests.world.fixtures import Browser
from tests.world.pages import form_in, text_of
from tests.world.stage import SOMEBODY

Browse = Callable[[CastMember], Browser]
OURS = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
TYPED = {
    "name": "My words, <b>typed</b>",
    "reason": "a\nlong\nreason",
    "over": "f00d",
    "key": "s3cret",
    "role": "owner",
}
STALE = {**TYPED, "csrfmiddlewaretoken": "x" * 64}
RENAME = f"/operators/tenants/{ACME.org_id}/rename/"


@pytest.fixture
def strict(portal: World) -> Callable[[CastMember | None], Browser]:
    """People whose forms need a CSRF token, as outside the tests."""

    def signed_in(member: CastMember | None) -> Browser:
        browser = Browser(portal)
        browser.handler.enforce_csrf_checks = True
        if member:
            browser.sign_in(member)
        return browser

    return signed_in


def is_stale(page: Any) -> bool:
    return not page.streaming and "This form is out of date" in text_of(page)


def assert_keeps_what_was_typed(page: Any) -> dict[str, list[str]]:
    form = form_in(page, of="kept")
    kept = {name: value for name, (value,) in form.items() if name != "csrfmiddlewaretoken"}
    assert kept == {**TYPED, "key": ""}
    assert "s3cret" not in text_of(page)
    assert "x" * 64 not in text_of(page)
    return form


@pytest.mark.parametrize("person", [None, OPERATOR, ACME_OWNER], ids=str)
def test_every_address_keeps_a_form_with_a_stale_token(
    strict: Callable[[CastMember | None], Browser], person: CastMember | None
) -> None:
    browser = strict(person)
    for address in addresses().values():
        page = browser.post(address, STALE, headers=OURS)
        if page.status_code in {302, 404}:
            # Answered before the forms are looked at: /livez and the like.
            continue
        assert (page.status_code, is_stale(page)) == (403, True), address
        form = assert_keeps_what_was_typed(page)
        if address != "/oidc/logout/":
            again = browser.post(address, form, headers=OURS)
            assert not is_stale(again), address


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000.elsewhere.example"},
        {"Origin": "http://localhost"},
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_site_is_never_offered_again(
    strict: Callable[[CastMember | None], Browser], headers: dict[str, str]
) -> None:
    browser = strict(OPERATOR)
    page = browser.post(RENAME, STALE, headers=headers)
    assert page.status_code == 403
    assert "Send again" not in text_of(page)
    assert "My words" not in page.content.decode()


def test_without_a_word_from_the_browser_text_can_only_be_copied(
    strict: Callable[[CastMember | None], Browser],
) -> None:
    page = strict(OPERATOR).post(RENAME, STALE)
    assert "Send again" not in text_of(page)
    assert "Name, as you wrote it" in text_of(page)
    assert "s3cret" not in text_of(page)


def test_a_browser_without_origin_on_forms_is_believed_by_fetch_metadata(
    strict: Callable[[CastMember | None], Browser],
) -> None:
    page = strict(OPERATOR).post(RENAME, STALE, headers={"Sec-Fetch-Site": "same-origin"})
    assert_keeps_what_was_typed(page)


def test_after_signing_in_again_the_form_is_sent_and_says_as_whom(
    strict: Callable[[CastMember | None], Browser],
) -> None:
    browser = strict(OPERATOR)
    typed = {"name": "Acme Renamed", "reason": "agreed"}
    token = browser.cookies["csrf"].value if "csrf" in browser.cookies else ""
    browser.get(RENAME)
    token = browser.cookies["csrf"].value
    SignIn.objects.all().delete()
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = 1
    session.save()
    ended = browser.post(RENAME, {**typed, "csrfmiddlewaretoken": token}, headers=OURS)
    assert ended.status_code == 401
    assert 'target="_blank"' in text_of(ended)
    browser.sign_in(OPERATOR)
    asked = browser.post(RENAME, form_in(ended, of="kept"), headers=OURS)
    assert is_stale(asked)
    assert "If you send it again, you do it as this person." in text_of(asked)
    assert OPERATOR.name in text_of(asked)
    assert browser.post(RENAME, form_in(asked, of="kept"), headers=OURS).status_code == 302
    assert Tenant.objects.get(org_id=str(ACME.org_id)).name == "Acme Renamed"


def test_sending_again_as_another_person_is_checked_as_theirs(
    strict: Callable[[CastMember | None], Browser],
) -> None:
    browser = strict(ACME_VIEWER)
    page = browser.post(RENAME, STALE, headers=OURS)
    refused = browser.post(RENAME, form_in(page, of="kept"), headers=OURS)
    assert (refused.status_code, "Your role cannot open this page" in text_of(refused)) == (403, True)
    assert_keeps_what_was_typed(refused)


def test_every_kind_of_refusal_keeps_the_form(browse_as: Browse, settings: Any) -> None:
    operator, owner = browse_as(OPERATOR), browse_as(ACME_OWNER)
    pages = [
        Browser(operator.world).post(RENAME, TYPED, headers=OURS),
        owner.post(RENAME, TYPED, headers=OURS),
        operator.post("/members/invite/", TYPED, headers=OURS),
    ]
    assert [page.status_code for page in pages] == [401, 403, 403]
    suspend(Tenant.objects.get(slug="acme"), by=SOMEBODY, why="not paid")
    pages.append(owner.post("/members/invite/", TYPED, headers=OURS))
    assert "is suspended" in text_of(pages[-1])
    for page in pages:
        assert_keeps_what_was_typed(page)


def test_a_form_to_an_address_that_is_gone_can_be_copied(browse_as: Browse) -> None:
    page = browse_as(GLOBEX_OWNER).post("/members/999999/role/", TYPED, headers=OURS)
    assert page.status_code == 404
    assert "My words" in page.content.decode()
    assert "Send again" not in text_of(page)


def test_a_failing_portal_keeps_the_form(browse_as: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browse_as(OPERATOR)
    browser.raise_request_exception = False

    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("tenants.pages.step_pages.typed_in", explode)
    page = browser.post(RENAME, TYPED, headers=OURS)
    assert page.status_code == 500
    assert_keeps_what_was_typed(page)


def test_a_step_that_is_not_possible_now_keeps_its_form(browse_as: Browse) -> None:
    browser = browse_as(OPERATOR)
    suspend(Tenant.objects.get(slug="acme"), by=SOMEBODY, why="not paid")
    page = browser.post(f"/operators/tenants/{ACME.org_id}/suspend/", {"reason": "as agreed"})
    assert page.status_code == 409
    assert form_in(page, of="step")["reason"] == ["as agreed"]


def test_too_much_is_not_kept_and_says_so(
    strict: Callable[[CastMember | None], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = strict(OPERATOR)
    monkeypatch.setattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", 5_000)
    monkeypatch.setattr("tenants.pages.kept_form.MOST_KEPT", 500)
    for size, status in ((1_000, 403), (10_000, 413)):
        page = browser.post(RENAME, {**STALE, "name": "w" * size}, headers=OURS)
        assert (page.status_code, "too long to be shown" in text_of(page)) == (status, True)
        assert "wwww" not in page.content.decode()


def test_files_are_not_kept_and_the_page_says_so(strict: Callable[[CastMember | None], Browser]) -> None:
    file = SimpleUploadedFile("people.csv", b"email\nnew@acme.example\n")
    page = strict(ACME_OWNER).post("/members/invite/", {**STALE, "file": file}, headers=OURS)
    assert "Files are not kept: <bdi>people.csv</bdi>" in text_of(page)
    assert "new@acme.example" not in text_of(page)


def test_no_refused_form_writes_what_was_typed_into_the_trail(browse_as: Browse) -> None:
    browse_as(ACME_VIEWER).post(RENAME, TYPED, headers=OURS)
    assert not [event for event in AuditEvent.objects.all() if "My words" in str(event.content())]
