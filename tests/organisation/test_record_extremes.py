"""Records that only an application writes, and forms sent twice or in part: nothing is lost, and no more is claimed."""

from __future__ import annotations

import re
import uuid
from copy import copy
from typing import Any

import pytest
from django.urls import reverse

from portal.demo.cast import ACME_OWNER
from tests.organisation.test_record_editing import (
    Browse,
    Rows,
    chosen,
    form_of,
    no_collections_left,
    row_of,
    rows,
    save,
)
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.pages import text_of

__all__ = ["no_collections_left", "rows"]
TEXT: dict[str, Any] = {"S": "a text"}
# No field's: these are also what the fields of the forms are called.
LIKE_FIELDS = ["record_key", "key", "collection", "record"]


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


def deleted(owner: Browser, rows: Rows, *keys: str) -> list[str]:
    """The copies of records that were deleted just now, in the order of the keys."""
    for key in keys:
        rows.put(key, title=TEXT)
        address = rows.address("delete", key)
        assert save(owner, owner.get(address), address, named="shown").status_code == 302
    copies = {one.key: one.id for one in owner.get(rows.address("deleted")).context["copies"]}
    return [copies[key] for key in keys]


def named(rows: Rows, collection: str) -> Rows:
    other = copy(rows)
    other.collection = collection
    return other


@pytest.mark.parametrize("name", ["x" * 1_900, "_of an application", " spaced "], ids=["long", "underscore", "spaces"])
def test_a_record_comes_back_whatever_its_collection_is_called(owner: Browser, rows: Rows, name: str) -> None:
    odd = named(rows, f"{name[:-8]}{uuid.uuid4().hex[:8]}" if len(name) > 100 else name)
    (copied,) = deleted(owner, odd, "one")
    assert owner.post(odd.address("restore"), {"copy": copied}).status_code == 302
    assert odd.own("one") == {"title": TEXT}
    address = odd.address("key", "one")
    assert save(owner, owner.get(address), address, named="shown", record_key="two").status_code == 302
    assert odd.own("two") == {"title": TEXT}
    odd.client.delete_item(TableName=odd.name, Key=odd.key("two"))


def test_a_listed_collection_takes_records_whatever_it_is_called(owner: Browser, rows: Rows) -> None:
    odd = named(rows, f" _{uuid.uuid4().hex[:8]} ")
    address = odd.address("new")
    typed = {"record_key": "one", "name_0": "title", "value_0": "a text"}
    assert save(owner, owner.get(address), address, **typed).status_code == 400
    entry = {"pk": {"S": odd.space.catalogue}, "sk": {"S": odd.collection}}
    odd.client.put_item(TableName=odd.name, Item=entry)
    assert save(owner, owner.get(address), address, **typed).status_code == 302
    assert odd.own("one") == {"title": TEXT}


def test_a_key_that_no_field_holds_changes_only_if_another_is_typed(owner: Browser, rows: Rows) -> None:
    odd = named(rows, f"{rows.collection}\nb")
    odd.put("one\nkey", title=TEXT)
    address = odd.address("key", "one\nkey")
    form = form_of(owner.get(address), "shown")
    assert (form["collection"], form["record_key"]) == ([""], [""])
    owner.post(address, {**form, "collection": rows.collection})
    assert (rows.own("one\nkey"), odd.get("one\nkey")) == ({"title": TEXT}, None)
    address = rows.address("key", "one\nkey")
    save(owner, owner.get(address), address, named="shown", record_key="two")
    assert (rows.own("two"), rows.get("one\nkey")) == ({"title": TEXT}, None)


def test_a_deleted_record_is_not_made_again_with_a_key_cut_short(owner: Browser, rows: Rows) -> None:
    rows.put("one\nkey", title=TEXT)
    address = rows.address("change", "one\nkey")
    page = owner.get(address)
    rows.client.delete_item(TableName=rows.name, Key=rows.key("one\nkey"))
    place = row_of(form_of(page, "opened"), "title")
    gone = save(owner, page, address, **{f"value_{place}": "mine"})
    assert "deleted meanwhile" in text_of(gone)
    assert form_of(gone, "opened")["record_key"] == [""]


@pytest.mark.parametrize("name", LIKE_FIELDS)
def test_an_error_of_the_key_is_not_told_at_an_attribute(owner: Browser, rows: Rows, name: str) -> None:
    rows.put("taken", title=TEXT)
    address = rows.address("new")
    for key in ("taken", "x" * 1_025, ""):
        answer = save(owner, owner.get(address), address, record_key=key, name_0=name, value_0="x")
        assert [problem.name for problem in answer.context["wrong"]] == ["record_key"]
    large = save(owner, owner.get(address), address, record_key="large", name_0=name, value_0="x" * 409_600)
    assert [problem.name for problem in large.context["wrong"]] == ["record"]


def test_a_description_is_as_short_as_that_of_a_declared_collection(owner: Browser, rows: Rows) -> None:
    address = reverse("edit_collection_new")
    for wrong in ("x" * 201, "hidden\u202e"):
        answer = owner.post(address, {"collection": rows.collection, "description": wrong})
        assert (answer.status_code, [one.name for one in answer.context["wrong"]]) == (400, ["description"])
        assert form_of(answer, "description")["description"] == [wrong]


def test_what_was_brought_back_before_aws_failed_is_told(owner: Browser, rows: Rows, switches: Switches) -> None:
    copies = deleted(owner, rows, "one", "two", "three")
    switches.fail("DynamoDB.TransactWriteItems", code="ExpiredTokenException", status=400, count=2)
    told = text_of(owner.post(rows.address("restore_all"), {"copy": copies}, follow=True))
    assert "was not brought back" in told
    switches.mend()
    again = text_of(owner.post(rows.address("restore_all"), {"copy": copies}, follow=True))
    assert "3 records brought back" in again


@pytest.mark.parametrize("ends", [253_402_300_799, 10**30, -1])
def test_a_copy_that_ends_when_none_of_the_portals_does_is_no_copy(owner: Browser, rows: Rows, ends: int) -> None:
    (copied,) = deleted(owner, rows, "one")
    place = {"pk": {"S": rows.space.deleted}, "sk": {"S": copied}}
    kept = rows.client.get_item(TableName=rows.name, Key=place)["Item"]
    rows.client.put_item(TableName=rows.name, Item={**kept, "_expires_at": {"N": str(ends)}})
    assert owner.get(rows.address("deleted")).context["copies"] == []
    assert owner.post(rows.address("restore"), {"copy": copied}).status_code == 409
    assert rows.get("one") is None


def test_the_form_of_a_change_deletes_nothing(owner: Browser, rows: Rows) -> None:
    rows.put("one", title=TEXT)
    form = chosen(owner, rows, "bulk_change", keys=["one"])
    preview = save(owner, form, rows.address("bulk_preview"), attribute="size", kind="N", value="1")
    for page in (form, preview):
        assert save(owner, page, rows.address("bulk_delete_now")).status_code == 400
    deletion = chosen(owner, rows, "bulk_delete", keys=["one"])
    assert save(owner, deletion, rows.address("bulk_preview"), attribute="size", what="remove").status_code == 400
    assert rows.own("one") == {"title": TEXT}


def test_a_value_too_large_for_any_record_is_told_before_the_preview(owner: Browser, rows: Rows) -> None:
    rows.put("one", title=TEXT)
    form = chosen(owner, rows, "bulk_change", keys=["one"])
    answer = save(owner, form, rows.address("bulk_preview"), attribute="text", kind="S", value="x" * 409_600)
    assert (answer.status_code, [one.name for one in answer.context["wrong"]]) == (400, ["value"])


def test_a_preview_of_many_large_values_is_no_large_page(owner: Browser, rows: Rows) -> None:
    keys = [f"k{number}" for number in range(5)]
    for key, value in zip(keys, ({"S": "x" * 390_000}, {"B": b"x" * 390_000}, {"L": [TEXT] * 9_000}), strict=False):
        rows.put(key, text=value)
    form = chosen(owner, rows, "bulk_change", keys=keys)
    preview = save(owner, form, rows.address("bulk_preview"), attribute="text", kind="S", value="x" * 100_000)
    assert len(form_of(preview, "opened")["opened"][0]) + 60_000 > len(preview.content)
    assert "3 changed" in text_of(save(owner, preview, rows.address("bulk_change_now")))


def test_a_record_that_outgrew_its_form_is_compared_as_json(owner: Browser, rows: Rows) -> None:
    rows.put("one", title=TEXT)
    address = rows.address("change", "one")
    page = owner.get(address)
    place = row_of(form_of(page, "opened"), "title")
    rows.put("one", title={"S": "theirs"}, **{f"a{number}": TEXT for number in range(150)})
    told = save(owner, page, address, **{f"value_{place}": "mine"})
    assert told.status_code == 409
    assert save(owner, told, rows.address("json", "one")).status_code == 302
    assert rows.own("one") == {"title": {"S": "mine"}, **{f"a{number}": TEXT for number in range(150)}}


def test_the_trail_does_not_say_that_a_step_was_done(owner: Browser, rows: Rows, switches: Switches) -> None:
    rows.put("one", title=TEXT)
    preview = chosen(owner, rows, "bulk_delete", keys=["one"])
    switches.fail("DynamoDB.TransactWriteItems", code="ThrottlingException", status=400, count=3)
    assert "1 not done" in text_of(save(owner, preview, rows.address("bulk_delete_now")))
    words = re.sub("<[^>]*>", "", owner.get("/activity/").content.decode())
    assert f"began to delete 1 record of the collection {rows.collection}" in words
