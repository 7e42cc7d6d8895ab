"""Pages of collections and records: a tenant's own, and the public ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from tenants.domain.entered_values import item_lines
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import PUBLIC_SPACE, Space
from tenants.domain.record_filters import Filter
from tenants.domain.record_query import RecordQuery, check_count, read_new_filter, read_query, read_what_can_be_read
from tenants.domain.value_limits import item_size
from tenants.domain.values import AttributeValue, Item, ValueView, show
from tenants.organisation.direct import visitors_read_themselves
from tenants.organisation.record_addresses import to_segment
from tenants.organisation.record_columns import remembered_columns
from tenants.organisation.record_cursors import read_counted, read_start
from tenants.organisation.record_explorer import Place, code_context, counted_context, explored, failed, rows_of
from tenants.organisation.record_links import collection_links, collections_links, record_links, row_steps
from tenants.records.reading import RecordPage
from tenants.records.wiring import records
from tenants.sign_in.access import (
    members_only,
    signed_in,
    visitors_welcome,
)


@members_only
@require_safe
def collections(request: HttpRequest) -> HttpResponse:
    return _collections(request, signed_in(request).space, "collection")


@members_only
@require_safe
def collection(request: HttpRequest, collection: str) -> HttpResponse:
    return _records(request, signed_in(request).space, collection, "collection")


@members_only
@require_safe
def record(request: HttpRequest, collection: str, key: str) -> HttpResponse:
    return _record(request, signed_in(request).space, collection, key, "collection")


@visitors_welcome
@require_safe
@visitors_read_themselves
def public_collections(request: HttpRequest) -> HttpResponse:
    return _collections(request, PUBLIC_SPACE, "public_collection")


@visitors_welcome
@require_safe
@visitors_read_themselves
def public_collection(request: HttpRequest, collection: str) -> HttpResponse:
    return _records(request, PUBLIC_SPACE, collection, "public_collection")


@visitors_welcome
@require_safe
@visitors_read_themselves
def public_record(request: HttpRequest, collection: str, key: str) -> HttpResponse:
    return _record(request, PUBLIC_SPACE, collection, key, "public_collection")


def _collections(request: HttpRequest, space: Space, collection_view: str) -> HttpResponse:
    page = records().collections(signed_in(request), space, after=request.GET.get("after") or None)
    found = [_collection_card(item, collection_view) for item in page.items]
    more = f"?{urlencode({'after': page.after})}" if page.after else ""
    context = {"collections": found, "more": more, "space": space, "edit": collections_links(request, space)}
    return render(request, "organisation/records/collections.html", context)


def _collection_card(item: Item, collection_view: str) -> dict[str, Any]:
    name = records().keys.sort_key(item)
    described = item.get("description", {}).get("S", "")
    return {"name": name, "description": described, "address": reverse(collection_view, args=[name])}


def _records(request: HttpRequest, space: Space, collection: str, collection_view: str) -> HttpResponse:
    """With `count` in the address the records are counted too. htmx then gets the count alone."""
    place = Place(space, collection, reverse(collection_view, args=[collection]))
    asked = dict(request.GET.lists())
    is_partial = bool(request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"))
    try:
        query = _with_columns(read_query(asked, records().keys), remembered_columns(request, space, collection))
        new = read_new_filter(asked, records().keys)
        if new is not None:
            return redirect(place.address(_with_filter(query, new)))
        counted = _counted(request, place, query)
        if counted and is_partial:
            return render(request, "organisation/records/_counted.html", {**counted, "is_partial": True})
        start = read_start(asked, place.partition_key, query)
        if "code" in asked:
            return _code(request, code_context(place, query, start, records()), is_partial)
        page = records().page(signed_in(request), space, collection, query, start)
    except InvalidInput as problem:
        query = _with_columns(
            read_what_can_be_read(asked, records().keys), remembered_columns(request, space, collection)
        )
        return _explorer(request, failed(place, query, problem, asked), is_partial, status=400)
    if "open" in asked and (only := _only_one(query, page)):
        return _opened(f"{place.here}{to_segment(only)}/", is_partial)
    edit = collection_links(request, space, collection)
    rows = rows_of(place, query, page, records(), steps=row_steps(request, space, collection))
    context = explored(place, query, page, rows, start, records())
    response = _explorer(request, {**context, **counted, "edit": edit}, is_partial)
    if is_partial and not start.key:
        # The form sends all of its fields; the address has only what is not as usual.
        response["HX-Push-Url"] = place.address(query)
    return response


def _only_one(query: RecordQuery, page: RecordPage) -> str:
    """The key that was asked for, whole, if it is that of the one record found; "" for everything else."""
    asked = query.condition.key if query.condition.operator in {"begins", "eq"} else ""
    found = [records().keys.sort_key(item) for item in page.items]
    return asked if found == [asked] and not query.filters and query.view == "table" else ""


def _opened(address: str, is_partial: bool) -> HttpResponse:
    return HttpResponse(headers={"HX-Redirect": address}) if is_partial else redirect(address)


def _code(request: HttpRequest, context: Mapping[str, Any], is_partial: bool) -> HttpResponse:
    """Asks nothing of AWS."""
    template = f"organisation/records/{'_code' if is_partial else 'code'}.html"
    return render(request, template, {**context, "is_partial": is_partial})


def _explorer(request: HttpRequest, context: Mapping[str, Any], is_partial: bool, *, status: int = 200) -> HttpResponse:
    if is_partial:
        # htmx puts only an answer of success into the page, and this one says what is wrong.
        return render(request, "organisation/records/_rows.html", context)
    return render(request, "organisation/records/collection.html", context, status=status)


def _with_columns(query: RecordQuery, remembered: Sequence[str]) -> RecordQuery:
    return query if query.columns or not remembered else replace(query, columns=remembered)


def _with_filter(query: RecordQuery, new: Filter) -> RecordQuery:
    filters = tuple(dict.fromkeys((*query.filters, new)))
    check_count(filters)
    return replace(query, filters=filters)


def _counted(request: HttpRequest, place: Place, query: RecordQuery) -> Mapping[str, Any]:
    asked = request.GET.get("count", "")
    if not asked:
        return {}
    so_far = read_counted(asked, place.partition_key, query)
    counted = records().count(signed_in(request), place.space, place.collection, query, so_far)
    return counted_context(place, query, counted)


def _record(request: HttpRequest, space: Space, collection: str, key: str, collection_view: str) -> HttpResponse:
    item = records().record(signed_in(request), space, collection, key)
    attributes = [_attribute(name, value) for name, value in item.items() if name not in {*records().keys}]
    edit = record_links(request, space, collection, key)
    context = {
        "collection": collection,
        "key": key,
        "space": space,
        "partition_key": records().keys.partition_key(item),
        "attributes": [one for one in attributes if not one.name.startswith("_")],
        "bookkeeping": [one for one in attributes if one.name.startswith("_")],
        "size": item_size(item),
        "as_json": item_lines(item),
        "collection_address": reverse(collection_view, args=[collection]),
        "edit": edit,
    }
    return render(request, "organisation/records/record.html", context)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """`as_json` is "" for a value that is one text."""

    name: str
    value: ValueView
    as_json: str


def _attribute(name: str, value: AttributeValue) -> _Attribute:
    view = show(value)
    return _Attribute(name, view, item_lines({name: value}) if view.parts else "")
