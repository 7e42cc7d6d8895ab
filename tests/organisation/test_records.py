"""Reading records through the portal: pages, prefixes, single records, and exactly one call to DynamoDB for each."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.urls import reverse

from portal.demo.cast import ACME, ACME_OWNER, ACME_VIEWER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]


def keys_on(page: str) -> list[str]:
    return re.findall(r'<th scope="row" role="rowheader"><a [^>]+>([^<]+)</a>', page)


def link(page: str, label: str) -> str:
    """The address behind a link or "" where there is none."""
    found = re.search(rf'<a[^>]*href="([^"]+)"[^>]*>\s*(?:<[^>]+>\s*)*{label}', page)
    return found[1].replace("&amp;", "&") if found else ""


def test_a_members_collections_are_those_of_the_catalogue(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/records/").content.decode()
    for name in ("orders", "products", "invoices", "samples"):
        assert f'href="/records/{name}/"' in page


def test_a_collection_is_paged_by_key_forwards_and_back_again(browse_as: Browse) -> None:
    browser, address, forwards = browse_as(ACME_OWNER), "/records/orders/", []
    while address:
        page = browser.get(address).content.decode()
        forwards.append(keys_on(page))
        address = link(page, "Next")
    assert [len(keys) for keys in forwards] == [25] * 10 + [10]
    assert [key for keys in forwards for key in keys] == [f"ORD-2026-{place:04d}" for place in range(1, 261)]

    backwards = [forwards[-1]]
    while previous := link(page, "Previous"):
        page = browser.get(previous).content.decode()
        backwards.append(keys_on(page))
    assert backwards[::-1] == forwards


def test_a_full_last_page_offers_no_next_page(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/records/orders/?prefix=ORD-2026-000").content.decode()
    assert len(keys_on(page)) == 9
    browser = browse_as(ACME_OWNER)
    full = browser.get(link(browser.get("/records/orders/?op=gt&key=ORD-2026-0210").content.decode(), "Next"))
    full = full.content.decode()
    assert keys_on(full) == [f"ORD-2026-{place:04d}" for place in range(236, 261)]
    assert link(full, "Next") == ""
    assert link(full, "Previous")


def test_a_prefix_filters_the_page_and_is_kept_on_the_next(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    page = browser.get("/records/orders/?prefix=ORD-2026-01").content.decode()
    assert keys_on(page)[0] == "ORD-2026-0100"
    following = link(page, "Next")
    assert "prefix=ORD-2026-01" in following
    assert keys_on(browser.get(following).content.decode())[0] == "ORD-2026-0125"


def test_a_prefix_without_matches_offers_to_clear_it(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/records/orders/?prefix=zzz").content.decode()
    assert keys_on(page) == []
    assert link(page, "Clear") == "/records/orders/"


def test_a_partial_update_is_the_rows_alone(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/records/orders/", headers={"HX-Request": "true"}).content.decode()
    assert len(keys_on(page)) == 25
    assert "<html" not in page


def test_a_record_shows_a_value_of_every_type(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/records/samples/every-type/").content.decode()
    for expected in (
        "12345678901234567890123.456",
        "Grüße, 世界, مرحبا",
        "&lt;b&gt;not bold&lt;/b&gt;",
        "48 bytes",
        "53.35",
    ):
        assert expected in page
    assert "<b>not bold" not in page


@pytest.mark.parametrize("key", ["a key / with a slash", ".."])
def test_a_record_with_an_awkward_key_is_reached_by_its_link(browse_as: Browse, key: str) -> None:
    browser = browse_as(ACME_OWNER)
    page = browser.get("/records/samples/").content.decode()
    address = re.search(rf'href="([^"]+)">{re.escape(key)}</a>', page)
    assert address
    record = browser.get(address[1])
    assert record.status_code == 200
    assert key in record.content.decode()


def test_public_records_are_read_by_everybody_who_is_signed_in(browse_as: Browse) -> None:
    for member in (ACME_VIEWER, GLOBEX_OWNER, OPERATOR):
        browser = browse_as(member)
        assert 'href="/public/news/"' in browser.get("/public/").content.decode()
        assert len(keys_on(browser.get("/public/news/").content.decode())) == 25
        assert browser.get("/public/news/2026-01-05/").status_code == 200


def test_the_same_address_shows_each_member_their_own_organisation(browse_as: Browse) -> None:
    acme = browse_as(ACME_OWNER).get("/records/orders/").content
    globex = browse_as(GLOBEX_OWNER).get("/records/orders/").content
    assert str(ACME.org_id).encode() not in globex
    assert str(GLOBEX.org_id).encode() not in acme


@pytest.mark.parametrize("address", [f"/records/{GLOBEX.org_id}%23orders/", f"/records/..%2F{GLOBEX.org_id}%23orders/"])
def test_no_address_leads_out_of_ones_own_organisation(browse_as: Browse, address: str) -> None:
    answer = browse_as(ACME_OWNER).get(address)
    assert answer.status_code == 404
    assert keys_on(answer.content.decode()) == []


def test_a_name_like_another_tenants_key_is_ones_own_collection(browse_as: Browse) -> None:
    address = reverse("collection", args=[f"{GLOBEX.org_id}#orders"])
    answer = browse_as(ACME_OWNER).get(address)
    assert answer.status_code == 200
    assert keys_on(answer.content.decode()) == []


def test_a_missing_record_is_not_found(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    missing = browser.get("/records/orders/NO-SUCH-KEY/")
    assert missing.status_code == 404
    assert "NO-SUCH-KEY" in missing.content.decode()
    assert browser.get("/records/orders/~%21/").status_code == 404


@pytest.mark.parametrize(
    "query", [f"prefix={'x' * 1025}", f"op=eq&key={'é' * 600}", f"op=between&key=a&key_to={'x' * 1025}"]
)
def test_impossible_keys_are_a_message_not_a_crash(browse_as: Browse, query: str) -> None:
    answer = browse_as(ACME_OWNER).get(f"/records/orders/?{query}")
    assert answer.status_code == 400
    assert "at most 1024 bytes" in answer.content.decode()


@pytest.mark.parametrize("edge", ["after", "before"])
@pytest.mark.parametrize("forged", ["AAA", "é" * 600, "WyJBQUEiLDFd:AAAA", "x:y:z"])
def test_a_place_that_the_portal_did_not_write_is_refused(browse_as: Browse, edge: str, forged: str) -> None:
    answer = browse_as(ACME_OWNER).get("/records/orders/", {edge: forged})
    assert answer.status_code == 400
    assert "not of this list" in answer.content.decode()
    assert keys_on(answer.content.decode()) == []


def test_pages_of_a_person_are_never_kept_by_the_browser(browse_as: Browse) -> None:
    for address in ("/", "/records/", "/records/orders/", "/access/"):
        assert browse_as(ACME_OWNER).get(address)["Cache-Control"] == "no-store"
