"""Forms of records that no browser sent: each is refused in words, and writes nothing."""

from __future__ import annotations

import uuid
from copy import copy
from typing import Any

import pytest

from portal.demo.cast import ACME, ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.keys import PUBLIC_SPACE, Space
from tenants.domain.values import AttributeValue
from tests.organisation.test_record_editing import Browse, Rows, form_of, no_collections_left, rows
from tests.world.fixtures import Browser
from tests.world.pages import text_of

__all__ = ["no_collections_left", "rows"]
TEXT: AttributeValue = {"S": "a text"}


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


def opened_of(owner: Browser, address: str) -> str:
    return str(form_of(owner.get(address), "opened")["opened"][0])


@pytest.mark.parametrize("step", ["bulk_delete_now", "bulk_change_now", "bulk_preview"])
def test_a_record_is_no_step_for_many(owner: Browser, rows: Rows, step: str) -> None:
    rows.put("bulk", began=TEXT, selected=TEXT, everything=TEXT, query=TEXT, after=TEXT, change=TEXT)
    opened = opened_of(owner, rows.address("change", "bulk"))
    form = {"opened": opened, "what": "remove", "attribute": "began"}
    assert owner.post(rows.address(step), form).status_code == 400


def test_a_record_opened_is_of_its_own_collection_and_key_only(owner: Browser, rows: Rows) -> None:
    other = copy(rows)
    other.collection = f"{rows.collection}\na"
    other.put("b", title=TEXT)
    rows.put("a\nb", title=TEXT)
    opened = opened_of(owner, other.address("json", "b"))
    answer = owner.post(rows.address("json", "a\nb"), {"opened": opened, "json": '{"title": {"S": "changed"}}'})
    assert (answer.status_code, rows.own("a\nb")) == (400, {"title": TEXT})


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\ud83d and more"'])
def test_half_a_letter_is_no_text(owner: Browser, rows: Rows, text: str) -> None:
    form: dict[str, Any] = form_of(owner.get(rows.address("new_json")), "json")
    value, name = f'{{"title": {{"S": {text}}}}}', f'{{{text}: {{"S": "a"}}}}'
    for json in (value, name, f'{{"a": {{"M": {{{text}: {{"SS": [{text}]}}}}}}}}', f"{{{text}: 0, {text}: 0}}"):
        answer = owner.post(rows.address("new_json"), {**form, "record_key": "half", "json": json})
        assert (answer.status_code, rows.get("half")) == (400, None)


DAMAGED: dict[str, dict[str, Any]] = {
    "without a row": {},
    "with a row of another type": {"_deleted_row": TEXT},
    "with a row that is not packed": {"_deleted_row": {"B": b"{}"}},
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_copy_that_somebody_damaged_is_told_and_keeps_no_other_back(
    owner: Browser, rows: Rows, damage: dict[str, Any]
) -> None:
    for key in ("one", "two"):
        rows.put(key, title=TEXT)
        owner.post(rows.address("delete", key), form_of(owner.get(rows.address("delete", key)), "shown"))
    every = owner.get(rows.address("deleted")).context["copies"]
    last = next(one.id for one in every if one.key == "two")
    place = {"pk": {"S": rows.space.deleted}, "sk": {"S": last}}
    kept = rows.client.get_item(TableName=rows.name, Key=place)["Item"]
    kept.pop("_deleted_row")
    rows.client.put_item(TableName=rows.name, Item={**kept, **damage})
    assert owner.post(rows.address("restore"), {"copy": last}).status_code == 400
    owner.post(rows.address("restore_all"), {"copy": [one.id for one in every]})
    assert (rows.own("one"), rows.get("two")) == ({"title": TEXT}, None)


HALF = "\\ud800"
ODD_QUERIES = {
    "a filter's value": {"f": f'["title","=","S","{HALF}",""]'},
    "a filter's name": {"f": f'["{HALF}","=","S","a",""]'},
    "a new filter's value": {"fa": "title", "fo": "=", "ft": "SS", "fv": f'["{HALF}"]'},
    "a new filter's map": {"fa": "title", "fo": "=", "ft": "M", "fv": f'{{"{HALF}": {{"S": "a"}}}}'},
    "the types": {"fa": "title", "fo": "=", "fv": "a", "types": f'{{"{HALF}": "S"}}'},
}


@pytest.mark.parametrize("asked", ODD_QUERIES.values(), ids=ODD_QUERIES)
def test_half_a_letter_in_an_address_is_told(owner: Browser, rows: Rows, asked: dict[str, str]) -> None:
    rows.put("one", title=TEXT)
    assert owner.get(f"/records/{rows.collection}/", asked).status_code in {200, 302, 400}


@pytest.mark.parametrize(
    ("member", "space"), [(OPERATOR, PUBLIC_SPACE), (ACME_OWNER, ACME.space)], ids=["public", "own"]
)
def test_the_copy_of_a_public_record_is_said_to_be_public(
    browse_as: Browse, portal: World, member: CastMember, space: Space
) -> None:
    rows, key = Rows(portal, space, "news"), uuid.uuid4().hex
    rows.put(key, title=TEXT)
    try:
        page = text_of(browse_as(member).get(rows.address("delete", key)))
    finally:
        rows.client.delete_item(TableName=rows.name, Key=rows.key(key))
    assert ("can still read it" in page) is (space == PUBLIC_SPACE)
