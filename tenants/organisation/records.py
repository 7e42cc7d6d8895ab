"""Pages of collections and records: a tenant's own, and the public ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from tenants.domain.keys import PUBLIC_SPACE, Space
from tenants.domain.values import Item, show
from tenants.organisation.direct import visitors_read_themselves
from tenants.organisation.record_addresses import to_segment
from tenants.organisation.record_table import record_rows
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
    return render(
        request, "organisation/records/collections.html", {"collections": found, "more": more, "space": space}
    )


def _collection_card(item: Item, collection_view: str) -> dict[str, Any]:
    name = item["sk"]["S"]
    described = item.get("description", {}).get("S", "")
    return {"name": name, "description": described, "address": reverse(collection_view, args=[name])}


def _records(request: HttpRequest, space: Space, collection: str, collection_view: str) -> HttpResponse:
    prefix = request.GET.get("prefix", "")
    page = records().page(
        signed_in(request),
        space,
        collection,
        after=request.GET.get("after") or None,
        before=request.GET.get("before") or None,
        prefix=prefix,
    )
    here = reverse(collection_view, args=[collection])
    rows = record_rows(page.items, lambda key: f"{here}{to_segment(key)}/")
    context = {
        "collection": collection,
        "space": space,
        "prefix": prefix,
        "rows": rows,
        "here": here,
        "previous": _page_address(here, prefix, before=page.before),
        "next": _page_address(here, prefix, after=page.after),
        "is_first_page": not (request.GET.get("after") or request.GET.get("before")),
        **_count(page),
    }
    fragment = request.headers.get("HX-Request") and not request.headers.get("HX-Boosted")
    return render(
        request, "organisation/records/_rows.html" if fragment else "organisation/records/collection.html", context
    )


def _page_address(here: str, prefix: str, **edge: str | None) -> str:
    """The address of a neighbouring page; "" where there is none."""
    ((name, key),) = edge.items()
    if key is None:
        return ""
    return f"{here}?{urlencode({'prefix': prefix, name: key} if prefix else {name: key})}"


def _count(page: RecordPage) -> dict[str, object]:
    if not page.items:
        return {"count": 0}
    return {"count": len(page.items), "first": page.items[0]["sk"]["S"], "last": page.items[-1]["sk"]["S"]}


def _record(request: HttpRequest, space: Space, collection: str, key: str, collection_view: str) -> HttpResponse:
    item = records().record(signed_in(request), space, collection, key)
    attributes = [(name, show(value)) for name, value in item.items() if name not in {"pk", "sk"}]
    context = {
        "collection": collection,
        "key": key,
        "space": space,
        "partition_key": item["pk"]["S"],
        "attributes": [(name, value) for name, value in attributes if not name.startswith("_")],
        "bookkeeping": [(name, value) for name, value in attributes if name.startswith("_")],
        "collection_address": reverse(collection_view, args=[collection]),
    }
    return render(request, "organisation/records/record.html", context)
