"""Pages that write one record: a new one, a copy, and its attributes in a form or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.domain.entered_values import item_text, read_item
from tenants.domain.errors import InvalidInput, RecordChanged, RecordNotFound
from tenants.domain.record_edits import RecordPlace, own_attributes
from tenants.domain.value_limits import check_item
from tenants.domain.values import Item
from tenants.organisation.record_conflict import Conflict, conflict_between
from tenants.organisation.record_form import (
    BLANK_ROWS,
    MORE_ROWS,
    MOST_ROWS,
    FormRow,
    Problem,
    about_attribute,
    fits_an_input,
    more_blank_rows,
    problems_in,
    read_rows,
    rows_of,
    rows_sent,
    with_blank_rows,
)
from tenants.organisation.record_ground import Ground
from tenants.organisation.record_opened import open_item, seal_item
from tenants.records.wiring import editing
from tenants.sign_in.access import signed_in

# Of the body of a request, which also holds the record as it was opened.
_MOST_TEXT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE - 200_000
_MOST_INDENTED = 500_000
_FORM = "organisation/records/edit/form.html"
_JSON = "organisation/records/edit/json.html"


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it is being filled in. `place.key` is "" for a new record, whose `record_key` was typed.

    `opened` is the record as it was opened, with the portal's attributes and without its key.
    """

    place: RecordPlace
    opened: Item
    record_key: str = ""
    rows: Sequence[FormRow] = ()
    text: str = ""
    problems: Sequence[Problem] = ()
    conflict: Conflict | None = None
    blank: int = BLANK_ROWS
    focused_row: int | None = None
    is_gone: bool = False
    status: int = 200

    @property
    def is_new(self) -> bool:
        return not self.place.key


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    place = _new_place(ground, collection)
    if request.method != "POST":
        return _form(request, ground, Draft(place, {}, blank=MORE_ROWS))
    draft, attributes = _sent(request, place)
    if draft.problems:
        return _form(request, ground, draft)
    return _create(request, ground, draft, attributes, _FORM)


@require_safe
def duplicate(request: HttpRequest, ground: Ground, collection: str, key: str) -> HttpResponse:
    """The form of a new record, filled in; it is sent where that of any new record is."""
    item = _item(request, RecordPlace(ground.space, collection, key))
    own = own_attributes(item, editing().keys)
    if len(own) > MOST_ROWS:
        return _json(request, ground, Draft(_new_place(ground, collection), own, key, text=_text(own)))
    return _form(request, ground, Draft(_new_place(ground, collection), own, key, rows_of(own)))


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, ground: Ground, collection: str, key: str) -> HttpResponse:
    place = RecordPlace(ground.space, collection, key)
    if request.method != "POST":
        opened = _opened(_item(request, place))
        own = own_attributes(opened, editing().keys)
        if len(own) > MOST_ROWS:
            messages.warning(request, f"This record has more than {MOST_ROWS} attributes, so it is edited as JSON.")
            return HttpResponseRedirect(ground.edit("json", collection, key))
        rows = rows_of(own)
        focused = next((number for number, row in enumerate(rows) if row.name == request.GET.get("attribute")), None)
        return _form(request, ground, Draft(place, opened, rows=rows, focused_row=focused))
    draft, attributes = _sent(request, place)
    if draft.problems:
        return _form(request, ground, draft)
    return _save(request, ground, draft, attributes, _FORM)


@require_POST
def more_rows(request: HttpRequest, ground: Ground, collection: str, key: str = "") -> HttpResponse:
    """The same form with more rows for new attributes. Writes nothing."""
    draft, _ = _sent(request, RecordPlace(ground.space, collection, key))
    rows = [replace(row, error="", wrong="") for row in draft.rows]
    blank = more_blank_rows(request.POST, rows)
    shown = replace(draft, rows=rows, problems=(), blank=blank, focused_row=len(rows), status=200)
    return _form(request, ground, shown)


@require_http_methods(["GET", "HEAD", "POST"])
def new_json(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    place = _new_place(ground, collection)
    if request.method != "POST":
        return _json(request, ground, Draft(place, {}, text='{\n  "title": {"S": "A text"}\n}'))
    draft, attributes = _sent_json(request, place)
    if draft.problems:
        return _json(request, ground, draft)
    return _create(request, ground, draft, attributes, _JSON)


@require_http_methods(["GET", "HEAD", "POST"])
def json(request: HttpRequest, ground: Ground, collection: str, key: str) -> HttpResponse:
    place = RecordPlace(ground.space, collection, key)
    if request.method != "POST":
        opened = _opened(_item(request, place))
        return _json(request, ground, Draft(place, opened, text=_text(own_attributes(opened, editing().keys))))
    draft, attributes = _sent_json(request, place)
    if draft.problems:
        return _json(request, ground, draft)
    return _save(request, ground, draft, attributes, _JSON)


def _new_place(ground: Ground, collection: str) -> RecordPlace:
    return RecordPlace(ground.space, collection, "")


def _item(request: HttpRequest, place: RecordPlace) -> Item:
    """Raises RecordNotFound."""
    item = editing().as_it_is(signed_in(request), place)
    if item is None:
        raise RecordNotFound(place.collection, place.key)
    return item


def _opened(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in {*editing().keys}}


def _text(attributes: Item) -> str:
    """Indented, unless that makes it very long."""
    text = item_text(attributes)
    return text if len(text) <= _MOST_INDENTED else item_text(attributes, indent=None)


def _sealed_place(place: RecordPlace) -> Sequence[str]:
    return "one", place.partition, place.key


def _sent(request: HttpRequest, place: RecordPlace) -> tuple[Draft, Item]:
    """The form as it was sent, with what is wrong with it, and the attributes that it describes."""
    opened = open_item(request.POST.get("opened", ""), who=signed_in(request), place=_sealed_place(place))
    own = own_attributes(opened, editing().keys)
    sent = rows_sent(request.POST, own)
    attributes, rows = read_rows(sent, own, editing().keys)
    problems = problems_in(rows)
    draft = Draft(place, opened, request.POST.get("record_key", ""), rows, problems=problems)
    return replace(draft, status=400 if problems else 200), attributes


def _sent_json(request: HttpRequest, place: RecordPlace) -> tuple[Draft, Item]:
    opened = open_item(request.POST.get("opened", ""), who=signed_in(request), place=_sealed_place(place))
    text = request.POST.get("json", "").replace("\r\n", "\n")
    draft = Draft(place, opened, request.POST.get("record_key", ""), text=text)
    try:
        attributes = read_item(text)
        editing().check_own(attributes)
        check_item(attributes)
    except InvalidInput as error:
        return replace(draft, problems=[Problem("json", error.message)], status=400), {}
    return draft, attributes


def _create(request: HttpRequest, ground: Ground, draft: Draft, attributes: Item, template: str) -> HttpResponse:
    place = replace(draft.place, key=draft.record_key)
    try:
        editing().create(signed_in(request), place, attributes)
    except InvalidInput as error:
        return _show(request, ground, _with_error(draft, error), template)
    messages.success(request, "The record was created.")
    return HttpResponseRedirect(ground.record(place))


def _save(request: HttpRequest, ground: Ground, draft: Draft, attributes: Item, template: str) -> HttpResponse:
    who = signed_in(request)
    try:
        saved = editing().save(who, draft.place, opened=draft.opened, attributes=attributes)
    except InvalidInput as error:
        return _show(request, ground, _with_error(draft, error), template)
    except RecordChanged:
        return _show(request, ground, _changed_meanwhile(request, draft, attributes), template)
    messages.success(request, "Saved." if saved else "Nothing was changed: this is what was there already.")
    return HttpResponseRedirect(ground.record(draft.place))


def _with_error(draft: Draft, error: InvalidInput) -> Draft:
    """With an error of the whole record: at the attribute that it is about, if the form has it."""
    rows = about_attribute(draft.rows, error)
    name = "record_key" if error.field in {"key", "record_key"} else "record"
    return replace(draft, rows=rows, problems=problems_in(rows) or [Problem(name, error.message)], status=400)


def _changed_meanwhile(request: HttpRequest, draft: Draft, attributes: Item) -> Draft:
    """The draft on top of the record as it is now, or as a new record if it is gone."""
    keys, now = editing().keys, editing().as_it_is(signed_in(request), draft.place)
    if now is None:
        own = own_attributes(draft.opened, keys)
        again = Draft(replace(draft.place, key=""), own, draft.place.key, draft.rows, draft.text, is_gone=True)
        return replace(again, status=409)
    opened, yours = own_attributes(draft.opened, keys), attributes
    conflict = conflict_between(opened=opened, now=own_attributes(now, keys), yours=yours)
    merged = conflict.merged
    return Draft(draft.place, _opened(now), rows=rows_of(merged), text=_text(merged), conflict=conflict, status=409)


def _show(request: HttpRequest, ground: Ground, draft: Draft, template: str) -> HttpResponse:
    """As JSON too where others added more attributes than a form has."""
    is_form = template == _FORM and len(draft.rows) <= MOST_ROWS
    return _form(request, ground, draft) if is_form else _json(request, ground, draft)


def _form(request: HttpRequest, ground: Ground, draft: Draft) -> HttpResponse:
    address = [draft.place.collection] if draft.is_new else [draft.place.collection, draft.place.key]
    rows = with_blank_rows(draft.rows, draft.blank)
    problems = problems_in(rows) or draft.problems
    more = {
        "rows": rows,
        "size": sum(2 * _sent_bytes(row.name) + _sent_bytes(row.text) for row in rows),
        "wrong": problems,
        "focused_row": draft.focused_row,
        "action": ground.edit("new" if draft.is_new else "change", *address),
        "rows_address": ground.edit("rows_new" if draft.is_new else "rows", *address),
        "other": ground.edit("new_json" if draft.is_new else "json", *address),
    }
    return _page(request, ground, draft, _FORM, more)


def _json(request: HttpRequest, ground: Ground, draft: Draft) -> HttpResponse:
    address = [draft.place.collection] if draft.is_new else [draft.place.collection, draft.place.key]
    more = {
        "text": draft.text,
        "size": _sent_bytes(draft.text),
        "lines": min(max(draft.text.count("\n") + 2, 8), 40),
        "action": ground.edit("new_json" if draft.is_new else "json", *address),
        "other": ground.edit("new" if draft.is_new else "change", *address),
    }
    return _page(request, ground, draft, _JSON, more)


def _sent_bytes(text: str) -> int:
    """A browser sends each line break as two characters."""
    return len(text.encode("utf-8", "surrogatepass")) + text.count("\n")


def _page(request: HttpRequest, ground: Ground, draft: Draft, template: str, more: Mapping[str, Any]) -> HttpResponse:
    place = draft.place
    opened = seal_item(draft.opened, who=signed_in(request), place=_sealed_place(place))
    context = {
        "space": ground.space,
        "collection": place.collection,
        "collection_address": ground.collection(place.collection),
        "key": place.key,
        # An input would change it, and with it the record that is made.
        "record_key": draft.record_key if fits_an_input(draft.record_key) else "",
        "is_new": draft.is_new,
        "is_gone": draft.is_gone,
        "conflict": draft.conflict,
        "opened": opened,
        "is_too_large": len(opened) + more["size"] > _MOST_TEXT,
        "back": ground.collection(place.collection) if draft.is_new else ground.record(place),
        "wrong": draft.problems,
        "errors": {problem.name: problem.error for problem in draft.problems},
        **more,
    }
    return render(request, template, context, status=draft.status)
