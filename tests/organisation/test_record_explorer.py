"""What people do with a collection: search, filter, order, choose columns, count, copy, share, and come back."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from portal.demo.cast import ACME, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from tests.organisation.test_records import keys_on, link
from tests.world.faults import Switches
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
ORDERS = "/records/orders/"
NINE = '["items",">","N","8"]'


def read(browser: Browser, asked: str | list[tuple[str, str]] = "", address: str = ORDERS) -> str:
    query = asked if isinstance(asked, str) else urlencode(asked)
    return browser.get(f"{address}?{query}" if query else address).content.decode()


def order(number: int) -> str:
    return f"ORD-2026-{number:04d}"


def orders(first: int, last: int) -> list[str]:
    return [order(number) for number in range(first, last + 1)]


def only(*filters: list[str], **more: str) -> list[tuple[str, str]]:
    return [*(("f", json.dumps(one)) for one in filters), *more.items()]


def column(page: str, name: str) -> list[str]:
    return re.findall(rf'data-label="{re.escape(name)}">([^<]*)<', page)


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())


def heads(page: str) -> list[str]:
    return re.findall(r'<th scope="col" role="columnheader"[^>]*>(?:<bdi>)?([^<]+)', page)


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ("op=eq&key=ORD-2026-0007", orders(7, 7)),
        ("op=between&key=ORD-2026-0007&key_to=ORD-2026-0009", orders(7, 9)),
        ("op=lt&key=ORD-2026-0003", orders(1, 2)),
        ("op=le&key=ORD-2026-0003", orders(1, 3)),
        ("op=gt&key=ORD-2026-0258", orders(259, 260)),
        ("op=ge&key=ORD-2026-0258", orders(258, 260)),
        ("op=begins&key=ORD-2026-025&order=desc", orders(250, 259)[::-1]),
    ],
)
def test_keys_are_searched_by_every_condition(owner: Browser, asked: str, keys: list[str]) -> None:
    assert keys_on(read(owner, asked)) == keys


@pytest.mark.parametrize("asked", ["op=begins&key=ORD-2026-0007", "op=eq&key=ORD-2026-0007", "prefix=ORD-2026-0007"])
def test_a_search_for_a_whole_key_opens_its_record(owner: Browser, asked: str) -> None:
    assert owner.get(f"{ORDERS}?{asked}&open=1")["Location"] == f"{ORDERS}ORD-2026-0007/"
    partial = owner.get(f"{ORDERS}?{asked}&open=1", headers={"HX-Request": "true"})
    assert partial["HX-Redirect"] == f"{ORDERS}ORD-2026-0007/"
    # As somebody types, and by an address that was shared, the list stays a list.
    assert keys_on(read(owner, asked)) == orders(7, 7)


@pytest.mark.parametrize(
    "asked",
    [
        "op=begins&key=ORD-2026-000",
        "op=begins&key=ORD-2026-026",
        "op=ge&key=ORD-2026-0260",
        "op=eq&key=nothing",
        "op=eq&key=ORD-2026-0007&f=%5B%22items%22%2C%22exists%22%5D",
        "op=eq&key=ORD-2026-0007&view=json",
        "",
    ],
)
def test_every_other_search_stays_in_the_list(owner: Browser, asked: str) -> None:
    page = owner.get(f"{ORDERS}?{asked}&open=1")
    assert page.status_code == 200
    assert "open=1" not in page.content.decode()


@pytest.mark.parametrize("size", [250, 500, 1000])
def test_a_page_may_have_up_to_a_thousand_records(owner: Browser, size: int) -> None:
    assert keys_on(read(owner, f"size={size}")) == orders(1, min(size, 260))


def test_each_row_leads_its_writers_to_edit_and_delete(owner: Browser, browse_as: Browse) -> None:
    page = read(owner, "op=eq&key=ORD-2026-0007")
    for verb in ("change", "delete"):
        assert f'href="/records/edit/{verb}/orders/ORD-2026-0007/"' in page
    assert "/records/edit/" not in read(browse_as(ACME_VIEWER), "op=eq&key=ORD-2026-0007")


def test_the_next_filter_is_typed_where_the_last_one_was(owner: Browser) -> None:
    assert '<details id="add-filter" open>' in read(owner, only(["status", "=", "S", "open"]))
    assert '<details id="add-filter">' in read(owner)


def test_the_last_records_come_first_where_the_order_is_turned(owner: Browser) -> None:
    page = read(owner, "order=desc&size=50")
    assert keys_on(page) == orders(211, 260)[::-1]
    following = owner.get(link(page, "Next")).content.decode()
    assert keys_on(following) == orders(161, 210)[::-1]
    assert keys_on(owner.get(link(following, "Previous")).content.decode()) == orders(211, 260)[::-1]


def test_pages_say_which_records_they_show(owner: Browser) -> None:
    page = read(owner)
    assert "Records 1–25, ORD-2026-0001 … ORD-2026-0025" in text(page)
    page = owner.get(link(page, "Next")).content.decode()
    page = owner.get(link(page, "Next")).content.decode()
    assert "Records 51–75" in text(page)
    page = owner.get(link(page, "Previous")).content.decode()
    assert "Records 26–50" in text(page)
    assert "Records 1–25" in text(owner.get(link(page, "Previous")).content.decode())


def test_a_filter_says_how_many_records_it_looked_at(owner: Browser) -> None:
    page = read(owner, only(["status", "=", "S", "delivered"]))
    assert set(column(page, "status")) == {"delivered"}
    matched = int(re.findall(r"Looked at 260 records: (\d+) match", text(page))[0])
    assert matched > 25
    assert f"{matched} match, 25 of them here" in text(page)


def test_a_filter_is_paged_without_losing_or_repeating_a_record(owner: Browser) -> None:
    asked, pages = only(["status", "=", "S", "shipped"]), []
    page = read(owner, asked)
    pages.append(keys_on(page))
    while following := link(page, "Next"):
        page = owner.get(following).content.decode()
        pages.append(keys_on(page))
    everything = [key for keys in pages for key in keys]
    assert everything == sorted(set(everything))
    counted = text(read(owner, [*asked, ("count", "1")]))
    assert f"{len(everything)} records of 260 looked at" in counted
    backwards = [pages[-1]]
    while previous := link(page, "Previous"):
        page = owner.get(previous).content.decode()
        backwards.append(keys_on(page))
    assert backwards[::-1] == pages


def test_filters_are_joined_by_and_or_by_or(owner: Browser) -> None:
    asked = only(["status", "=", "S", "packed"], ["items", "=", "N", "2"])
    both = read(owner, asked)
    assert set(zip(column(both, "status"), column(both, "items"), strict=True)) == {("packed", "2")}
    either = owner.get(link(both, "Match any of them")).content.decode()
    shown = set(zip(column(either, "status"), column(either, "items"), strict=True))
    assert all("packed" in pair or "2" in pair for pair in shown)
    assert len(shown) > 1


def test_a_filter_is_added_by_a_form_and_removed_by_its_chip(owner: Browser) -> None:
    added = owner.get("/records/orders/?fa=items&fo=%3E&ft=N&fv=8&prefix=ORD-2026-00")
    assert added["Location"] == f"/records/orders/?{urlencode([('prefix', 'ORD-2026-00'), ('f', NINE)])}"
    page = owner.get(added["Location"]).content.decode()
    assert set(column(page, "items")) == {"9"}
    assert "items is more than 8" in text(page)
    removed = re.findall(r'href="([^"]+)" aria-label="Remove the filter items', page)
    assert removed == ["/records/orders/?prefix=ORD-2026-00"]
    hidden = re.findall(r'<input type="hidden" name="f" value="([^"]+)"', page)
    assert set(map(html.unescape, hidden)) == {NINE}


def test_a_filter_without_a_type_takes_that_of_the_records_shown(owner: Browser) -> None:
    page = read(owner)
    (types,) = re.findall(r'<input type="hidden" name="types" value="([^"]+)"', page)
    form = {"fa": "items", "fo": ">", "ft": "", "fv": "8", "types": html.unescape(types)}
    assert owner.get("/records/orders/", form)["Location"] == f"/records/orders/?{urlencode({'f': NINE})}"
    sets = {"fa": "texts", "fo": "contains", "fv": "amber", "types": '{"texts": "SS"}'}
    found = owner.get(owner.get("/records/samples/", sets)["Location"]).content.decode()
    assert "every-type" in keys_on(found)
    for unknown in (
        {"fa": "other", "fo": "="},
        {"fa": "items", "fo": "=", "types": "[1"},
        {"fa": "x", "fo": "type is"},
    ):
        answer = owner.get("/records/orders/", unknown)
        assert answer.status_code == 400
        assert "Choose a type" in answer.content.decode()


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (["total", "between", "N", "500", "520.2"], 2),
        (["status", "in", "S", "open, packed"], 5),
        (["status", "begins with", "S", "shi"], 1),
        (["ordered_by", "contains", "S", "Nadia"], 1),
        (["ordered_by", "not contains", "S", "a"], 1),
        (["nothing", "exists"], 0),
        (["nothing", "not exists"], 1),
        (["total", "type is", "N"], 1),
        (["total", "type is", "S"], 0),
        (["status", "size =", "", "4"], 1),
        (["items", "<>", "N", "2"], 1),
    ],
)
def test_every_comparison_finds_what_it_says(owner: Browser, one: list[str], found: int) -> None:
    assert (len(keys_on(read(owner, only(one)))) >= found) if found else not keys_on(read(owner, only(one)))


def test_a_key_in_a_filter_is_answered_with_where_to_search(owner: Browser) -> None:
    answer = owner.get("/records/orders/?fa=sk&fo=%3D&ft=S&fv=ORD")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Search by the key above" in page
    assert '<a href="#fa">' in page
    assert 'id="fa" name="fa" value="sk"' in page
    assert '<details id="add-filter" open>' in page


def test_a_problem_keeps_what_was_typed_and_the_filters_before(owner: Browser) -> None:
    typed = {"fa": "total", "fo": "between", "ft": "N", "fv": "x", "fw": "9", "key": "ORD"}
    page = read(owner, only(["status", "=", "S", "open"], **typed))
    assert "total: “x” is not a number." in text(page)
    assert "status is “open”" in text(page)
    assert '<option value="between" selected>' in page
    assert '<option value="N" selected>' in page
    assert 'id="fw" name="fw" value="9"' in page
    assert 'id="key" name="key" value="ORD"' in page


@pytest.mark.parametrize(
    "wrong", [{"op": "between", "key": "b", "key_to": "a"}, {"f": "no filter"}, {"after": "nowhere"}]
)
def test_a_problem_in_one_part_keeps_all_others(owner: Browser, wrong: dict[str, str]) -> None:
    page = read(owner, [*only(["status", "=", "S", "open"], order="desc", size="50", c="total"), *wrong.items()])
    assert "There is a problem" in page
    assert "status is “open”" in text(page)
    assert '<option value="desc" selected>' in page
    assert '<option value="50" selected>' in page
    assert '<input type="hidden" name="c" value="total">' in page
    back = re.search(r'href="([^"]+)">Back to the first page', page)
    assert back is None or "size=50" in back[1]


def test_a_problem_reaches_a_partial_update_too(owner: Browser) -> None:
    answer = owner.get("/records/orders/?op=between&key=b&key_to=a", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "comes after the second" in answer.content.decode()


def test_a_partial_update_pushes_the_short_address(owner: Browser) -> None:
    asked = "op=begins&key=ORD-2026-02&key_to=&order=asc&size=25"
    answer = owner.get(f"/records/orders/?{asked}", headers={"HX-Request": "true"})
    assert answer["HX-Push-Url"] == "/records/orders/?prefix=ORD-2026-02"
    following = owner.get(link(answer.content.decode(), "Next"), headers={"HX-Request": "true"})
    assert not following.has_header("HX-Push-Url")


def test_a_count_says_what_it_read_and_costs(owner: Browser) -> None:
    page = read(owner)
    counted = owner.get(link(page, "Count")).content.decode()
    assert re.search(r"260 records 1 request, [\d.]+ read units · \d+ ms", text(counted))
    part = owner.get(link(page, "Count"), headers={"HX-Request": "true"}).content.decode()
    assert part.startswith('<span id="count"')


def test_an_answer_says_what_it_cost(owner: Browser) -> None:
    assert re.search(r"[\d.]+ read units? · \d+ ms", text(read(owner)))


def test_columns_are_chosen_in_order_and_remembered(owner: Browser) -> None:
    form = {"name": ["status", "total", "items"], "at": ["2", "1", ""], "show": ["status", "total"], "more": "_version",
            "state": "prefix=ORD-2026-00&c=old"}  # fmt: skip
    answer = owner.post("/columns/records/orders/", form)
    assert answer["Location"] == "/records/orders/?prefix=ORD-2026-00&c=total&c=status&c=_version"
    assert heads(owner.get(answer["Location"]).content.decode()) == ["Key", "total", "status", "_version"]
    assert heads(read(owner)) == ["Key", "total", "status", "_version"]
    assert heads(read(owner, address="/records/products/"))[1] != "total"
    # A shared link shows its own.
    assert heads(read(owner, "c=items")) == ["Key", "items"]
    assert heads(read(owner)) == ["Key", "total", "status", "_version"]
    owner.post("/columns/records/orders/", {"name": ["status"], "at": ["1"]})
    assert len(heads(read(owner))) == 7


def test_a_ticked_column_without_a_place_comes_last(owner: Browser) -> None:
    form = {"name": ["status", "items", "total"], "at": ["2", "", "1"], "show": ["status", "items", "total"]}
    answer = owner.post("/columns/records/orders/", form)
    assert [value for name, value in parse_qsl(urlsplit(answer["Location"]).query)] == ["total", "status", "items"]


def test_public_columns_are_remembered_apart(browse_as: Browse) -> None:
    operator = browse_as(OPERATOR)
    shown = heads(read(operator, address="/public/news/"))
    operator.post("/columns/public/news/", {"name": [shown[2]], "at": ["1"], "show": [shown[2]]})
    assert heads(read(operator, address="/public/news/")) == ["Key", shown[2]]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"more": "sk"}, "The key is always the first column"),
        ({"more": "x" * 256}, "at most 255 bytes"),
        ({"name": [f"n{place}" for place in range(60)], "at": ["1"] * 60, "show": [f"n{place}" for place in range(60)]},
         "at most 20 columns"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be_are_refused(owner: Browser, form: dict[str, Any], problem: str) -> None:
    answer = owner.post("/columns/records/orders/", form)
    assert answer.status_code == 400
    assert problem in text(answer.content.decode())


def test_a_page_is_shown_as_the_json_of_dynamodb(owner: Browser) -> None:
    page = read(owner, "view=json&op=le&key=ORD-2026-0002")
    (shown,) = re.findall(r'<pre class="whole"><code data-copy dir="ltr">(\[.*?\])</code>', page, re.DOTALL)
    items = json.loads(html.unescape(shown))
    assert [item["sk"] for item in items] == [{"S": order(1)}, {"S": order(2)}]
    assert link(page, "As a table") == "/records/orders/?op=le&amp;key=ORD-2026-0002".replace("&amp;", "&")


def test_every_link_of_a_page_keeps_the_state(owner: Browser) -> None:
    asked = [*only(["total", "exists", "", ""], ["items", ">", "N", "1"], any="1"), ("order", "desc"), ("size", "50"),
             ("view", "json"), ("c", "total"), ("c", "items")]  # fmt: skip
    following = urlsplit(link(read(owner, asked), "Next"))
    kept = [(name, value) for name, value in parse_qsl(following.query) if name != "after"]
    assert [(name, json.loads(value) if name == "f" else value) for name, value in kept] == [
        (name, json.loads(value) if name == "f" else value) for name, value in asked
    ]


@pytest.mark.parametrize(
    "changed",
    ["prefix=ORD-2026-00", "order=desc", f"f={json.dumps(['total', 'exists', '', ''])}", "op=lt&key=ORD-2026-0100"],
)
def test_a_place_in_one_list_opens_no_other(owner: Browser, changed: str) -> None:
    place = link(read(owner), "Next").partition("?")[2]
    assert owner.get(f"/records/orders/?{place}").status_code == 200
    for address in (f"/records/orders/?{changed}&{place}", f"/records/products/?{place}"):
        answer = owner.get(address)
        assert answer.status_code == 400
        assert "not of this list" in answer.content.decode()


def test_a_place_of_another_organisation_opens_nothing(owner: Browser, browse_as: Browse) -> None:
    answer = browse_as(GLOBEX_OWNER).get(link(read(owner), "Next"))
    assert answer.status_code == 400
    assert ACME.org_id.value not in answer.content.decode()


def test_a_count_that_nobody_made_is_refused(owner: Browser) -> None:
    for forged in ("2", "x:y", link(read(owner), "Next").partition("after=")[2]):
        assert owner.get(f"/records/orders/?count={forged}").status_code == 400


@pytest.mark.parametrize("name", ["size", "a.b", "it's", 'a"b', "🦊", "#n0", "x" * 300])
def test_any_attribute_can_be_filtered_by(owner: Browser, name: str) -> None:
    added = owner.get("/records/orders/", {"fa": name, "fo": "exists"})
    assert owner.get(added["Location"]).status_code == 200


def test_every_value_that_a_form_accepts_dynamodb_accepts_too(owner: Browser) -> None:
    wide = only(*([f"n{place}", "in", "S", ",".join(map(str, range(50)))] for place in range(10)))
    for asked in (
        wide,
        only(["a", "=", "S", ""]),
        only(["a", "begins with", "S", ""]),
        only(["a", "contains", "S", ""]),
        only(["a", "=", "NULL", ""]),
        only(["a", "=", "N", "-" + "9" * 38]),
        only(["a", "=", "L", '[{"L":' * 30 + '[{"S":"x"}]' + "}]" * 30]),
        only(["a", "=", "BS", "AQ==\nAg=="]),
        only(["a", "size >=", "", "0"]),
        [("c", f"n{place}") for place in range(20)],
        [("op", "between"), ("key", "\x01"), ("key_to", "é" * 512)],
    ):
        assert owner.get(f"/records/orders/?{urlencode(asked)}").status_code == 200, asked


def test_a_viewer_explores_as_the_owner_does(browse_as: Browse) -> None:
    page = read(browse_as(ACME_VIEWER), only(["status", "=", "S", "open"]))
    assert set(column(page, "status")) == {"open"}


def test_public_records_are_explored_too(browse_as: Browse) -> None:
    page = read(browse_as(GLOBEX_OWNER), "order=desc&prefix=2026-01", "/public/news/")
    assert keys_on(page) == sorted(keys_on(page), reverse=True)
    assert "PUBLIC#news" in browse_as(GLOBEX_OWNER).get(link(page, "The same as code")).content.decode()


def test_the_same_as_code_names_the_table_the_partition_and_the_place(owner: Browser, switches: Switches) -> None:
    page = owner.get(link(read(owner, "size=50"), "Next")).content.decode()
    switches.forget()
    shown = owner.get(link(page, "The same as code")).content.decode()
    assert switches.calls() == {}
    code = text(shown)
    assert code.count(f"{ACME.org_id}#orders") == 6
    assert code.count("ORD-2026-0050") == 3
    assert owner.world.settings["RECORDS_TABLE"] in code
    assert "aws dynamodb query --no-paginate" in code
    assert keys_on(owner.get(link(shown, "Back")).content.decode()) == orders(51, 100)
    part = owner.get(link(page, "The same as code"), headers={"HX-Request": "true"}).content.decode()
    assert part.startswith('<section id="code"')


def test_a_record_says_its_size_and_is_copied_as_json(owner: Browser) -> None:
    page = owner.get("/records/samples/every-type/").content.decode()
    assert re.search(r"\d+ bytes, names included", text(page))
    (shown,) = re.findall(r"The record as DynamoDB JSON</summary>.*?<code[^>]*>(.*?)</code>", page, re.DOTALL)
    assert json.loads(html.unescape(shown))["sk"] == {"S": "every-type"}
    assert '<code data-copy="map" dir="ltr">' in page
    assert 'data-copy="long_number">12345678901234567890123.456<' in page
