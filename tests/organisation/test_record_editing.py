"""Editing records through the portal's pages: as a browser without JavaScript sends its forms."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.urls import reverse

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.keys import PUBLIC_SPACE, Space
from tenants.domain.values import AttributeValue
from tests.world.closings import EVERY_TYPE, leaving_the_catalogue_as_it_was
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.pages import text_of

Browse = Callable[[CastMember], Browser]
TEXT: AttributeValue = {"S": "a text"}
KEY = "a key / with # and ü"


class FormParser(HTMLParser):
    """The forms of a page as a browser would send them: by the address, the values by name."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, list[str]]]] = []
        self._select = self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((about.get("action", ""), {}))
        elif self.forms and tag == "input" and "name" in about:
            if about.get("type") != "checkbox" or "checked" in about:
                self._add(about["name"], about.get("value", ""))
        elif tag == "select":
            self._select = about["name"]
        elif tag == "option" and self._select and "selected" in about:
            self._add(self._select, about["value"])
        elif tag == "textarea":
            self._textarea = about["name"]
            self._add(self._textarea, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            values = self.forms[-1][1][self._textarea]
            # A browser drops the first line break, and sends others as CR LF.
            values[-1] = values[-1].removeprefix("\n").replace("\n", "\r\n")
            self._textarea = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.forms[-1][1][self._textarea][-1] += data

    def _add(self, name: str, value: str) -> None:
        self.forms[-1][1].setdefault(name, []).append(value)


def form_of(page: Any, named: str) -> dict[str, Any]:
    """What would be sent with the form that has a field of this name."""
    parser = FormParser()
    parser.feed(page.content.decode())
    return next(fields for _, fields in parser.forms if named in fields)


def row_of(form: dict[str, Any], name: str) -> int:
    return next(
        int(field.split("_")[1]) for field, (value,) in form.items() if field.startswith("was_") and value == name
    )


class Rows:
    """The table itself, with all rights, as an application's writer."""

    def __init__(self, world: World, space: Space, collection: str) -> None:
        self.client = seeding.clients(world.emulator.endpoint_url, world.emulator.root)("dynamodb")
        self.name = world.settings["RECORDS_TABLE"]
        self.space, self.collection = space, collection

    def key(self, key: str) -> dict[str, Any]:
        return {"pk": {"S": self.space.collection(self.collection)}, "sk": {"S": key}}

    def put(self, key: str, **attributes: Any) -> None:
        self.client.put_item(TableName=self.name, Item={**self.key(key), **attributes})

    def get(self, key: str) -> dict[str, Any] | None:
        item = self.client.get_item(TableName=self.name, Key=self.key(key), ConsistentRead=True).get("Item")
        return item and {name: value for name, value in item.items() if name not in {"pk", "sk"}}

    def own(self, key: str) -> dict[str, Any]:
        return {name: value for name, value in (self.get(key) or {}).items() if not name.startswith("_")}

    def address(self, verb: str, *more: str) -> str:
        public = "public_" if self.space == PUBLIC_SPACE else ""
        return reverse(f"{public}edit_{verb}", args=[self.collection, *more])


@pytest.fixture(autouse=True)
def no_collections_left(world: World) -> Iterator[None]:
    """The world outlives a test, and other tests list Acme's collections."""
    yield from leaving_the_catalogue_as_it_was(world, ACME.org_id)


@pytest.fixture
def rows(portal: World) -> Rows:
    return Rows(portal, ACME.space, f"pages-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def owner(browse_as: Browse) -> Browser:
    return browse_as(ACME_OWNER)


def save(browser: Browser, page: Any, address: str, *, named: str = "opened", **changed: Any) -> Any:
    return browser.post(address, {**form_of(page, named), **changed})


def test_a_form_saved_unchanged_changes_no_byte_of_any_type(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, **EVERY_TYPE)
    before, address = rows.get(KEY), rows.address("change", KEY)
    assert save(owner, owner.get(address), address).status_code == 302
    assert rows.get(KEY) == before


def test_one_changed_attribute_leaves_the_others_as_they_were(owner: Browser, rows: Rows) -> None:
    breaks = {"S": "\n\nfirst\nsecond \n"}
    rows.put(KEY, **EVERY_TYPE, breaks=breaks)
    address = rows.address("change", KEY)
    page = owner.get(address)
    place = row_of(form_of(page, "opened"), "number")
    answer = save(owner, page, address, **{f"value_{place}": "7.50"})
    assert answer["Location"] == reverse("record", args=[rows.collection, KEY])
    after = rows.own(KEY)
    assert sorted(after.pop("texts")["SS"]) == sorted(EVERY_TYPE["texts"]["SS"])
    assert after == {
        **{name: value for name, value in EVERY_TYPE.items() if name != "texts"},
        "number": {"N": "7.5"},
        "breaks": breaks,
    }
    assert (rows.get(KEY) or {})["_version"] == {"N": "1"}


def test_attributes_are_added_removed_and_renamed(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT, two=TEXT, three=TEXT)
    address = rows.address("change", KEY)
    page = owner.get(address)
    form = form_of(page, "opened")
    blank = max(int(name.split("_")[1]) for name in form if name.startswith("name_"))
    changed = {
        f"remove_{row_of(form, 'one')}": "1",
        f"name_{row_of(form, 'two')}": "zwei",
        f"name_{blank}": "size",
        f"kind_{blank}": "NS",
        f"value_{blank}": "3\r\n1.50",
    }
    assert save(owner, page, address, **changed).status_code == 302
    after = rows.own(KEY)
    assert sorted(after.pop("size")["NS"]) == ["1.5", "3"]
    assert after == {"zwei": TEXT, "three": TEXT}


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("N", "1" * 39, "at most 38 digits"),
        ("N", "twelve", "is not a number"),
        ("SS", "", "at least one entry"),
        ("NS", "1\n1.0", "holds each entry once"),
        ("B", "not base64!", "not base64"),
        ("BOOL", "maybe", "true or false"),
        ("M", '{"a": 1}', "quotation marks"),
        ("M", '{"a": {"S": "1"}, "a": {"S": "2"}}', "twice"),
        ("L", '[{"L": ' * 34 + "[]" + "}]" * 34, "levels deep"),
        ("X", "text", "Choose a type"),
        ("S", "x" * 409_600, "at most 409,600 bytes"),
    ],
)
def test_a_refused_value_is_told_at_its_field_and_nothing_typed_is_lost(
    owner: Browser, rows: Rows, kind: str, text: str, message: str
) -> None:
    rows.put(KEY, one=TEXT, two=TEXT)
    address = rows.address("change", KEY)
    page = owner.get(address)
    form = form_of(page, "opened")
    one, two = row_of(form, "one"), row_of(form, "two")
    answer = save(owner, page, address, **{f"kind_{one}": kind, f"value_{one}": text, f"value_{two}": "typed"})
    assert answer.status_code == 400
    assert message in text_of(answer)
    assert re.search(rf'<a href="#((value|kind)_{one}|record)">', answer.content.decode())
    again = form_of(answer, "opened")
    assert (again[f"value_{one}"], again[f"value_{two}"]) == ([text.replace("\n", "\r\n")], ["typed"])
    assert rows.own(KEY) == {"one": TEXT, "two": TEXT}


@pytest.mark.parametrize("name", ["_version", "pk", "two", "", "é" * 33_000])
def test_a_refused_name_is_told_at_its_field(owner: Browser, rows: Rows, name: str) -> None:
    rows.put(KEY, one=TEXT, two=TEXT)
    address = rows.address("change", KEY)
    page = owner.get(address)
    form = form_of(page, "opened")
    blank = max(int(field.split("_")[1]) for field in form if field.startswith("name_"))
    answer = save(owner, page, address, **{f"name_{blank}": name, f"value_{blank}": "typed"})
    assert answer.status_code == 400
    assert rows.own(KEY) == {"one": TEXT, "two": TEXT}
    assert "typed" in text_of(answer)


def test_more_rows_are_added_to_those_still_blank(owner: Browser, rows: Rows) -> None:
    page = owner.get(reverse("edit_new", args=[rows.collection]))
    before = form_of(page, "opened")
    more = owner.post(reverse("edit_rows_new", args=[rows.collection]), before)
    assert number_of_rows(form_of(more, "opened")) == number_of_rows(before) + 5


def number_of_rows(form: dict[str, Any]) -> int:
    return sum(name.startswith("name_") for name in form)


def focused(page: Any) -> list[str]:
    return re.findall(r'<(?:input|textarea) id="(\w+)"[^>]* autofocus', page.content.decode())


def test_more_rows_put_the_focus_on_the_first_blank_one(owner: Browser, rows: Rows) -> None:
    page = owner.get(rows.address("new"))
    assert focused(page) == ["record_key"]
    page = save(owner, page, rows.address("rows_new"), record_key="k", name_0="a", name_2="b")
    assert focused(page) == ["name_2"]


def test_an_attribute_is_edited_from_where_it_is_shown(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, **{"plain": TEXT, "a b&c": {"N": "1"}})
    shown = text_of(owner.get(reverse("record", args=[rows.collection, KEY])))
    address = re.findall(r'href="([^"]+)" aria-label="Edit a b&c"', shown)[0]
    page = owner.get(address)
    assert focused(page) == [f"value_{row_of(form_of(page, 'opened'), 'a b&c')}"]
    assert focused(owner.get(rows.address("change", KEY) + "?attribute=none")) == []


def test_pages_with_one_thing_to_type_begin_there(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, plain=TEXT)
    assert focused(owner.get(rows.address("duplicate", KEY))) == ["record_key"]
    assert focused(owner.get(rows.address("json", KEY))) == ["json"]
    assert focused(owner.get(reverse("edit_collection_new"))) == ["collection"]
    # What will happen is read first.
    assert focused(owner.get(rows.address("key", KEY))) == []


def test_more_rows_keep_what_was_typed_and_write_nothing(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT)
    page = owner.get(rows.address("change", KEY))
    answer = owner.post(rows.address("rows", KEY), {**form_of(page, "opened"), "name_1": "new", "value_1": "typed"})
    form = form_of(answer, "opened")
    assert len([name for name in form if name.startswith("name_")]) == 2 + 5
    assert form["value_1"] == ["typed"]
    assert rows.own(KEY) == {"one": TEXT}


def test_both_people_see_three_versions_and_nothing_is_lost(browse_as: Browse, owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT, two=TEXT, three=TEXT, _version={"N": "1"})
    editor, address = browse_as(ACME_EDITOR), rows.address("change", KEY)
    mine, theirs = owner.get(address), editor.get(address)
    form = form_of(mine, "opened")
    one, two, three = (f"value_{row_of(form, name)}" for name in ("one", "two", "three"))
    assert save(editor, theirs, address, **{one: "theirs", two: "theirs too"}).status_code == 302
    conflict = save(owner, mine, address, **{one: "mine", three: "mine too"})
    assert conflict.status_code == 409
    assert [version in text_of(conflict) for version in ("a text", "theirs", "mine")] == [True] * 3
    assert rows.own(KEY) == {"one": {"S": "theirs"}, "two": {"S": "theirs too"}, "three": TEXT}
    assert save(owner, conflict, address).status_code == 302
    assert rows.own(KEY) == {"one": {"S": "mine"}, "two": {"S": "theirs too"}, "three": {"S": "mine too"}}
    assert (rows.get(KEY) or {})["_version"] == {"N": "3"}


def test_an_application_without_versions_is_not_overwritten(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT)
    address = rows.address("change", KEY)
    page = owner.get(address)
    rows.put(KEY, one={"S": "the application's"})
    answer = save(owner, page, address, value_0="mine")
    assert answer.status_code == 409
    assert rows.own(KEY) == {"one": {"S": "the application's"}}


def test_a_record_deleted_meanwhile_can_be_created_again(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT, odd={"S": "a\x00b"})
    address = rows.address("change", KEY)
    page = owner.get(address)
    rows.client.delete_item(TableName=rows.name, Key=rows.key(KEY))
    value = f"value_{row_of(form_of(page, 'opened'), 'one')}"
    answer = save(owner, page, address, **{value: "mine"})
    assert answer.status_code == 409
    assert "deleted meanwhile" in text_of(answer)
    assert rows.get(KEY) is None
    assert save(owner, answer, rows.address("new")).status_code == 302
    assert rows.own(KEY) == {"one": {"S": "mine"}, "odd": {"S": "a\x00b"}}


def test_a_form_sent_twice_writes_once(owner: Browser, rows: Rows) -> None:
    address = rows.address("new")
    form = {**form_of(owner.get(address), "opened"), "record_key": KEY, "name_0": "one", "value_0": "x"}
    answers = [owner.post(address, form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert rows.own(KEY) == {"one": {"S": "x"}}


@pytest.mark.parametrize("key", ["", "é" * 513])
def test_an_impossible_key_is_told_at_its_field(owner: Browser, rows: Rows, key: str) -> None:
    address = rows.address("new")
    answer = save(owner, owner.get(address), address, record_key=key, name_0="one", value_0="typed")
    assert answer.status_code == 400
    assert 'href="#record_key"' in answer.content.decode()
    assert "typed" in text_of(answer)


def test_a_duplicate_has_every_byte_of_the_record(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, **EVERY_TYPE)
    page = owner.get(rows.address("duplicate", KEY))
    assert save(owner, page, rows.address("new")).status_code == 400
    assert save(owner, page, rows.address("new"), record_key="copy").status_code == 302
    assert rows.own("copy") == rows.own(KEY)


def test_json_saved_unchanged_changes_no_byte_of_any_type(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, **EVERY_TYPE)
    before, address = rows.get(KEY), rows.address("json", KEY)
    assert save(owner, owner.get(address), address).status_code == 302
    assert rows.get(KEY) == before


@pytest.mark.parametrize("verb", ["change", "json"])
def test_a_record_of_400_kb_is_edited_without_loss(owner: Browser, rows: Rows, verb: str) -> None:
    rows.put(KEY, text={"S": "ü" * 100_000}, numbers={"L": [{"N": str(number)} for number in range(20_000)]}, one=TEXT)
    before, address = rows.own(KEY), rows.address(verb, KEY)
    page = owner.get(address)
    form = form_of(page, "opened")
    changed = (
        {f"value_{row_of(form, 'one')}": "mine"}
        if verb == "change"
        else {"json": form["json"][0].replace("a text", "mine")}
    )
    assert save(owner, page, address, **changed).status_code == 302
    assert rows.own(KEY) == {**before, "one": {"S": "mine"}}


def test_a_record_too_long_for_a_page_offers_no_form_that_would_be_lost(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, flags={"L": [{"BOOL": True}] * 180_000})
    for verb in ("change", "json"):
        page = owner.get(rows.address(verb, KEY))
        assert "too long for a page" in text_of(page)
        assert ">Save</button>" not in text_of(page)


def test_a_record_of_many_attributes_is_edited_as_json(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, **{f"n{number}": TEXT for number in range(200)})
    answer = owner.get(rows.address("change", KEY))
    assert answer["Location"] == rows.address("json", KEY)


def test_json_writes_what_it_says(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT, two=TEXT)
    address = rows.address("json", KEY)
    wanted = {"one": TEXT, "a.b": {"M": {"x": {"L": [{"NULL": True}]}}}}
    assert save(owner, owner.get(address), address, json=json.dumps(wanted)).status_code == 302
    assert rows.own(KEY) == wanted


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"_x": {"S": ""}}', '{"pk": {"S": ""}}', '{"a": {"SS": []}}'])
def test_json_that_is_refused_stays_in_the_box(owner: Browser, rows: Rows, text: str) -> None:
    rows.put(KEY, one=TEXT)
    address = rows.address("json", KEY)
    answer = save(owner, owner.get(address), address, json=text)
    assert answer.status_code == 400
    assert form_of(answer, "opened")["json"] == [text]
    assert rows.own(KEY) == {"one": TEXT}


def test_json_on_a_changed_record_is_compared_too(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT, two=TEXT)
    address = rows.address("json", KEY)
    page = owner.get(address)
    rows.put(KEY, one={"S": "the application's"}, two=TEXT)
    answer = save(owner, page, address, json=json.dumps({"one": {"S": "mine"}, "two": TEXT}))
    assert answer.status_code == 409
    assert save(owner, answer, address).status_code == 302
    assert rows.own(KEY) == {"one": {"S": "mine"}, "two": TEXT}


def test_a_new_collection_is_added_and_its_name_checked(owner: Browser, rows: Rows) -> None:
    address = reverse("edit_collection_new")
    page = owner.get(address)
    answer = save(owner, page, address, named="collection", collection=rows.collection, description="What is in it")
    assert answer["Location"] == reverse("collection", args=[rows.collection])
    for refused in (rows.collection, "_deleted", "", "x" * 1025):
        again = save(owner, page, address, named="collection", collection=refused)
        assert again.status_code == 400, refused
        assert 'href="#collection"' in again.content.decode()


def test_a_key_is_changed_and_never_onto_another_record(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT)
    rows.put("taken", two=TEXT)
    address = rows.address("key", KEY)
    page = owner.get(address)
    refused = save(owner, page, address, named="shown", record_key="taken")
    assert refused.status_code == 400
    assert 'href="#record_key"' in refused.content.decode()
    assert save(owner, page, address, named="shown", record_key="free").status_code == 302
    assert (rows.get(KEY), rows.own("free"), rows.own("taken")) == (None, {"one": TEXT}, {"two": TEXT})


def test_a_deleted_record_is_brought_back(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, **EVERY_TYPE)
    before, address = rows.get(KEY), rows.address("delete", KEY)
    answer = save(owner, owner.get(address), address, named="shown")
    assert answer["Location"] == rows.address("deleted")
    assert rows.get(KEY) is None
    listed = owner.get(answer["Location"])
    assert KEY in text_of(listed)
    assert save(owner, listed, rows.address("restore"), named="copy").status_code == 302
    assert rows.get(KEY) == before
    assert owner.get("/records/_deleted/").status_code == 400


def test_all_that_were_deleted_are_brought_back_at_once(owner: Browser, rows: Rows) -> None:
    for key in ("a", "b", "c"):
        rows.put(key, one={"S": key})
    preview = chosen(owner, rows, "bulk_delete", keys=["a", "b", "c"])
    save(owner, preview, rows.address("bulk_delete_now"))
    rows.put("b", one={"S": "new"})
    listed = owner.get(rows.address("deleted"))
    forms = FormParser()
    forms.feed(listed.content.decode())
    everything = next(fields for to, fields in forms.forms if to == rows.address("restore_all"))
    again = owner.post(rows.address("restore_all"), everything, follow=True)
    assert "2 records brought back." in text_of(again)
    assert "there is a new record with this key" in text_of(again)
    assert [rows.own(key)["one"]["S"] for key in ("a", "b", "c")] == ["a", "new", "c"]


def test_a_record_that_changed_is_shown_again_before_it_is_deleted(owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT)
    address = rows.address("delete", KEY)
    page = owner.get(address)
    rows.put(KEY, one={"S": "the application's"})
    again = save(owner, page, address, named="shown")
    assert again.status_code == 409
    assert rows.get(KEY) is not None
    assert save(owner, again, address, named="shown").status_code == 302
    assert rows.get(KEY) is None


def test_a_deletion_without_undo_is_said_beforehand(owner: Browser, rows: Rows) -> None:
    import random

    rows.put(KEY, big={"B": random.Random(1).randbytes(409_000)})
    address = rows.address("delete", KEY)
    page = owner.get(address)
    assert "cannot be brought back" in text_of(page)
    assert save(owner, page, address, named="shown")["Location"] == reverse("collection", args=[rows.collection])


def chosen(owner: Browser, rows: Rows, verb: str, *, keys: list[str]) -> Any:
    page = owner.get(reverse("collection", args=[rows.collection]))
    return owner.post(rows.address(verb), {**form_of(page, "query"), "chosen": keys})


def test_selected_records_are_deleted_after_a_preview(owner: Browser, rows: Rows) -> None:
    for key in ("a", "b", "c"):
        rows.put(key, one=TEXT)
    page = owner.get(reverse("collection", args=[rows.collection]))
    assert page.content.decode().count('name="chosen"') == 3
    preview = chosen(owner, rows, "bulk_delete", keys=["a", "b", "gone"])
    assert "Delete 2 records" in text_of(preview)
    assert rows.get("a")
    rows.put("b", one={"S": "the application's"})
    result = save(owner, preview, rows.address("bulk_delete_now"))
    assert "1 deleted, 1 changed meanwhile" in text_of(result)
    assert [bool(rows.get(key)) for key in ("a", "b", "c")] == [False, True, True]
    assert "1 already done" in text_of(save(owner, preview, rows.address("bulk_delete_now")))


def test_selected_records_are_changed_after_a_preview(owner: Browser, rows: Rows) -> None:
    for key in ("a", "b"):
        rows.put(key, one=TEXT)
    form = chosen(owner, rows, "bulk_change", keys=["a", "b"])
    wrong = save(owner, form, rows.address("bulk_preview"), attribute="_x", kind="N", value="12")
    assert (wrong.status_code, form_of(wrong, "opened")["value"]) == (400, ["12"])
    preview = save(owner, wrong, rows.address("bulk_preview"), attribute="size", kind="N", value="12.0")
    assert "12" in text_of(preview)
    assert rows.own("a") == {"one": TEXT}
    result = save(owner, preview, rows.address("bulk_change_now"))
    assert "2 changed" in text_of(result)
    assert [rows.own(key) for key in ("a", "b")] == [{"one": TEXT, "size": {"N": "12"}}] * 2


def test_all_that_match_are_deleted_in_parts(owner: Browser, rows: Rows) -> None:
    for number in range(230):
        rows.put(f"x{number:03}", one=TEXT)
    rows.put("y", one=TEXT)
    page = owner.get(reverse("collection", args=[rows.collection]) + "?prefix=x")
    answer = owner.post(rows.address("bulk_delete"), {**form_of(page, "query"), "all": "1"})
    counts = []
    for _ in range(3):
        answer = save(owner, answer, rows.address("bulk_delete_now"))
        counts.append(re.search(r"(\d+) deleted", text_of(answer))[1])  # type: ignore[index]
    assert counts == ["100", "100", "30"]
    assert 'name="opened"' not in answer.content.decode()
    assert rows.get("y")


WRITE = "DynamoDB.TransactWriteItems"


def test_credentials_that_end_half_way_are_renewed_once(owner: Browser, rows: Rows, switches: Switches) -> None:
    for key in ("a", "b", "c"):
        rows.put(key, one=TEXT)
    preview = chosen(owner, rows, "bulk_delete", keys=["a", "b", "c"])
    switches.fail(WRITE, code="ExpiredTokenException", status=400, count=1)
    assert "3 deleted" in text_of(save(owner, preview, rows.address("bulk_delete_now")))


def test_what_ended_credentials_left_is_told_and_goes_on(owner: Browser, rows: Rows, switches: Switches) -> None:
    for key in ("a", "b", "c"):
        rows.put(key, one=TEXT)
    preview = chosen(owner, rows, "bulk_delete", keys=["a", "b", "c"])
    switches.fail(WRITE, code="ExpiredTokenException", status=400, count=2)
    told = save(owner, preview, rows.address("bulk_delete_now"))
    assert "3 not done" in text_of(told)
    assert "Go on with 3 not done" in text_of(told)
    assert "3 deleted" in text_of(save(owner, told, rows.address("bulk_delete_now")))


def test_what_was_throttled_is_told_and_goes_on(owner: Browser, rows: Rows, switches: Switches) -> None:
    for key in ("a", "b"):
        rows.put(key, one=TEXT)
    preview = chosen(owner, rows, "bulk_delete", keys=["a", "b"])
    switches.fail(WRITE, code="ThrottlingException", status=400, count=3)
    told = save(owner, preview, rows.address("bulk_delete_now"))
    assert "1 deleted, 1 not done" in text_of(told)
    assert "1 deleted" in text_of(save(owner, told, rows.address("bulk_delete_now")))
    assert [rows.get(key) for key in ("a", "b")] == [None, None]


def test_all_that_match_a_filter_are_changed_and_no_others(owner: Browser, rows: Rows) -> None:
    for number in range(120):
        rows.put(f"x{number:03}", one={"S": "even" if number % 2 == 0 else "odd"})
    page = owner.get(reverse("collection", args=[rows.collection]), {"f": json.dumps(["one", "=", "S", "even"])})
    form = owner.post(rows.address("bulk_change"), {**form_of(page, "query"), "all": "1"})
    preview = save(owner, form, rows.address("bulk_preview"), attribute="size", kind="N", value="1")
    assert "60 changed" in text_of(save(owner, preview, rows.address("bulk_change_now")))
    assert ("size" in rows.own("x000"), "size" in rows.own("x001"), "size" in rows.own("x118")) == (True, False, True)


@pytest.mark.parametrize("member", [ACME_VIEWER, OPERATOR], ids=lambda member: member.email)
def test_who_may_not_write_sees_no_controls_and_is_refused(browse_as: Browse, rows: Rows, member: CastMember) -> None:
    rows.put(KEY, one=TEXT)
    browser = browse_as(member)
    of_records = [(verb, [KEY]) for verb in ("change", "json", "key", "delete", "rows")]
    of_collections = [
        (verb, list[str]())
        for verb in ("new", "new_json", "restore", "bulk_delete", "bulk_delete_now", "bulk_change", "bulk_change_now")
    ]
    for verb, more in [*of_records, *of_collections]:
        assert browser.post(rows.address(verb, *more), {"opened": "x"}).status_code == 403
    if member is ACME_VIEWER:
        for address in ("/records/", "/records/orders/", "/records/orders/ORD-2026-0001/"):
            assert "/edit/" not in browser.get(address).content.decode()


def test_nothing_of_a_form_reaches_another_organisation(browse_as: Browse, owner: Browser, rows: Rows) -> None:
    rows.put(KEY, one=TEXT)
    stranger, address = browse_as(GLOBEX_OWNER), rows.address("change", KEY)
    assert stranger.get(address).status_code == 404
    form = form_of(owner.get(address), "opened")
    assert stranger.post(address, {**form, "value_0": "theirs"}).status_code == 400
    preview = form_of(chosen(owner, rows, "bulk_delete", keys=["a"]), "csrfmiddlewaretoken")
    assert stranger.post(rows.address("bulk_delete_now"), {**preview, "opened": form["opened"]}).status_code == 400
    for value in ("", "x", form["opened"][0][:-1], form["opened"][0] + "x"):
        assert owner.post(address, {**form, "opened": value}).status_code == 400
    other = owner.get(rows.address("new"))
    assert owner.post(address, {**form, "opened": form_of(other, "opened")["opened"]}).status_code == 400
    assert rows.own(KEY) == {"one": TEXT}


def test_operators_edit_public_records_on_the_same_pages(browse_as: Browse, portal: World) -> None:
    operator, rows = browse_as(OPERATOR), Rows(portal, PUBLIC_SPACE, "news")
    key = f"ZZZ-{uuid.uuid4().hex}"
    address = rows.address("new")
    answer = save(operator, operator.get(address), address, record_key=key, name_0="one", value_0="x")
    assert answer["Location"] == reverse("public_record", args=["news", key])
    assert address in operator.get("/public/news/").content.decode()
    assert rows.own(key) == {"one": {"S": "x"}}
    delete = rows.address("delete", key)
    assert save(operator, operator.get(delete), delete, named="shown").status_code == 302
    assert browse_as(ACME_OWNER).get(address).status_code == 403
