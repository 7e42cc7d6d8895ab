"""Pages. Each asks one use case and renders its answer; who may open it stands above it."""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from tenants.access import members_only, open_to_all, signed_in_only, visitors_welcome
from tenants.aws.records_table import RawAnswer
from tenants.connections import connections
from tenants.domain.addresses import to_segment
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import PUBLIC_SPACE, Space, owner_in
from tenants.domain.roles import Role
from tenants.domain.values import Item, show
from tenants.health import readiness
from tenants.metrics import metrics_text
from tenants.record_rows import record_rows
from tenants.records import Page
from tenants.refusals import record_told_no
from tenants.sessions import SignedIn


@open_to_all
@require_safe
def livez(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """This process serves. Whether AWS does is not asked: restarting the portal would not mend it."""
    return HttpResponse("ok\n", content_type="text/plain")


@open_to_all
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Whether to send people to this process; to strangers too, so it says how things are and never why."""
    found = readiness()
    checks = {name: {"state": check.state, "age_seconds": check.age_seconds} for name, check in found.checks.items()}
    answer = {"status": found.status, "checked_seconds_ago": round(time.monotonic() - found.at, 1), "checks": checks}
    return JsonResponse(answer, status=200 if found.ready else 503)


@open_to_all
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For a collector that has the token; where none is set, there is no such page."""
    if not settings.METRICS_TOKEN:
        return HttpResponse("There is nothing here.\n", status=404, content_type="text/plain")
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        challenge = {"WWW-Authenticate": "Bearer"}
        return HttpResponse("A bearer token is needed.\n", status=401, content_type="text/plain", headers=challenge)
    return HttpResponse(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@visitors_welcome
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    who = _who_or_visitor(request)
    if who is None:
        return render(request, "home/visitor.html")
    if who.break_glass:
        return redirect("operators:overview")
    return render(request, "home/member.html", {"role_in_words": Role(who.standing.role).in_words})


@members_only
@require_safe
def collections(request: HttpRequest) -> HttpResponse:
    return _collections(request, _who(request).space, "collection")


@members_only
@require_safe
def collection(request: HttpRequest, collection: str) -> HttpResponse:
    return _records(request, _who(request).space, collection, "collection")


@members_only
@require_safe
def record(request: HttpRequest, collection: str, key: str) -> HttpResponse:
    return _record(request, _who(request).space, collection, key, "collection")


@signed_in_only
@require_safe
def public_collections(request: HttpRequest) -> HttpResponse:
    return _collections(request, PUBLIC_SPACE, "public_collection")


@signed_in_only
@require_safe
def public_collection(request: HttpRequest, collection: str) -> HttpResponse:
    return _records(request, PUBLIC_SPACE, collection, "public_collection")


@signed_in_only
@require_safe
def public_record(request: HttpRequest, collection: str, key: str) -> HttpResponse:
    return _record(request, PUBLIC_SPACE, collection, key, "public_collection")


@signed_in_only
@require_safe
def access(request: HttpRequest) -> HttpResponse:
    """What the person's credentials carry, and any partition key tried with them."""
    who, key = _who(request), request.GET.get("pk", "")
    problem: InvalidInput | None = None
    answer: RawAnswer | None = None
    try:
        answer = connections().records.try_key(who, key) if "pk" in request.GET else None
    except InvalidInput as error:
        problem = error
    if answer is not None and answer.code == "AccessDeniedException":
        record_told_no(request, "DeniedByAws", why=answer.code, asked_for=owner_in(key))
    credentials = connections().federation.credentials_for(who)
    context = {
        "credentials_end": datetime.fromtimestamp(credentials.expires_at, tz=UTC),
        "role_arn": settings.TENANT_ROLE_ARN,
        "table": settings.RECORDS_TABLE,
        "key": key,
        "own_key": who.space.catalogue if who.claims.org else PUBLIC_SPACE.catalogue,
        "answer": answer,
        "problem": problem,
    }
    return render(request, "access.html", context, status=400 if problem else 200)


def _who_or_visitor(request: HttpRequest) -> SignedIn | None:
    who: SignedIn | None = request.signed_in  # type: ignore[attr-defined]
    return who


def _who(request: HttpRequest) -> SignedIn:
    who = _who_or_visitor(request)
    if who is None:
        raise TypeError("the door let a visitor into a view for people who are signed in")
    return who


def _collections(request: HttpRequest, space: Space, collection_view: str) -> HttpResponse:
    page = connections().records.collections(_who(request), space, after=request.GET.get("after") or None)
    found = [_collection_card(item, collection_view) for item in page.items]
    more = f"?{urlencode({'after': page.after})}" if page.after else ""
    return render(request, "records/collections.html", {"collections": found, "more": more, "space": space})


def _collection_card(item: Item, collection_view: str) -> dict[str, Any]:
    name = item["sk"]["S"]
    described = item.get("description", {}).get("S", "")
    return {"name": name, "description": described, "address": reverse(collection_view, args=[name])}


def _records(request: HttpRequest, space: Space, collection: str, collection_view: str) -> HttpResponse:
    prefix = request.GET.get("prefix", "")
    page = connections().records.page(
        _who(request),
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
    return render(request, "records/_rows.html" if fragment else "records/collection.html", context)


def _page_address(here: str, prefix: str, **edge: str | None) -> str:
    """The address of a neighbouring page; "" where there is none."""
    ((name, key),) = edge.items()
    if key is None:
        return ""
    return f"{here}?{urlencode({'prefix': prefix, name: key} if prefix else {name: key})}"


def _count(page: Page) -> dict[str, object]:
    if not page.items:
        return {"count": 0}
    return {"count": len(page.items), "first": page.items[0]["sk"]["S"], "last": page.items[-1]["sk"]["S"]}


def _record(request: HttpRequest, space: Space, collection: str, key: str, collection_view: str) -> HttpResponse:
    item = connections().records.record(_who(request), space, collection, key)
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
    return render(request, "records/record.html", context)
