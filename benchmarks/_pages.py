"""Other ways to write the records page, to compare with the portal's own. Django uses this module as ROOT_URLCONF.

They share the portal's addresses, its door and the page around the rows. The stock template loops over rows and cells
and makes each address with `{% url %}`, as in Django's tutorial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
import botocore.session
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import engines
from django.urls import include, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from tenants.aws.records_table import QueryAnswer, RecordsTable
from tenants.aws.signing import PersonsCredentialsProvider
from tenants.domain.keys import KeyNames
from tenants.domain.record_query import RecordQuery
from tenants.domain.values import summary
from tenants.organisation.record_addresses import to_segment
from tenants.organisation.record_explorer import Place, explored
from tenants.organisation.record_table import RecordRows, record_rows
from tenants.records.reading import PAGE_SIZE, RecordPage, Records, Start
from tenants.records.wiring import records
from tenants.sign_in.access import members_only
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import federation

KINDS = {"ordered_by": "S", "ordered_on": "S", "status": "S", "items": "N", "total": "N", "currency": "S"}
COLUMNS = tuple(KINDS)
_ROWS = (
    '{%% for row in rows %%}<tr role="row"><th scope="row" role="rowheader">'
    '<a title="{{ row.key }}" href="%s">{{ row.key }}</a></th>'
    '{%% for cell in row.cells %%}<td role="cell"{%% if cell.is_number %%} class="number"{%% endif %%} '
    'data-label="{{ cell.name }}">{{ cell.text }}</td>{%% endfor %%}</tr>{%% endfor %%}'
)
STOCK = engines["django"].from_string(_ROWS % "{% url 'record' collection row.key %}")
JOINED = engines["django"].from_string(_ROWS % "{{ here }}{{ row.key }}/")


@dataclass(frozen=True, slots=True)
class Listing:
    page: RecordPage
    rows: RecordRows


def render_listing(template: Any, page: RecordPage, cells: Sequence[Sequence[dict[str, Any]]], here: str) -> Listing:
    rows = [{"key": item["sk"]["S"], "cells": row} for item, row in zip(page.items, cells, strict=True)]
    html = template.render({"rows": rows, "collection": "orders", "here": here})
    return Listing(page, RecordRows(COLUMNS, (), SafeString(html), KINDS))


def stock_rows(page: RecordPage, here: str, *, template: Any = STOCK) -> Listing:
    cells = [
        [{"name": name, "text": summary(item[name]), "is_number": "N" in item[name]} for name in COLUMNS]
        for item in page.items
    ]
    return render_listing(template, page, cells, here)


def shared_stock_client(who: SignedIn, collection: str, here: str) -> Listing:
    """Gets the person's credentials as the portal does. Everything else is plain botocore."""
    return stock_rows(_page(_stock_client(), who, collection), here)


def join_addresses(who: SignedIn, collection: str, here: str) -> Listing:
    """The same with a faster template: it avoids `{% url %}`, since these keys need no quoting."""
    return stock_rows(_page(_stock_client(), who, collection), here, template=JOINED)


@cache
def _stock_client() -> Any:
    session = botocore.session.Session()
    session.register_component("credential_provider", PersonsCredentialsProvider())
    config = Config(max_pool_connections=settings.AWS_CONNECTIONS, account_id_endpoint_mode="disabled")
    return session.create_client("dynamodb", settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, config=config)


def client_per_request(who: SignedIn, collection: str, here: str) -> Listing:
    client: Any = _boto3_session().client("dynamodb", endpoint_url=settings.AWS_ENDPOINT_URL, **_keys_of(who))
    return stock_rows(_page(client, who, collection), here)


@cache
def _boto3_session() -> boto3.Session:
    return boto3.Session(region_name=settings.AWS_REGION)


def session_per_request(who: SignedIn, collection: str, here: str) -> Listing:
    """As in boto3's quick start: a Session with the person's credentials, a Table, items as Python values."""
    session = boto3.Session(region_name=settings.AWS_REGION, **_keys_of(who))
    table = session.resource("dynamodb", endpoint_url=settings.AWS_ENDPOINT_URL).Table(settings.RECORDS_TABLE)
    condition = Key("pk").eq(who.space.collection(collection))
    answer = table.query(KeyConditionExpression=condition, Limit=PAGE_SIZE + 1, ReturnConsumedCapacity="TOTAL")
    items = answer["Items"][:PAGE_SIZE]
    cells = [
        [{"name": name, "text": str(item[name]), "is_number": isinstance(item[name], Decimal)} for name in COLUMNS]
        for item in items
    ]
    keys = [{"pk": {"S": str(item["pk"])}, "sk": {"S": str(item["sk"])}} for item in items]
    answered = QueryAnswer(keys, answer["Count"], answer["ScannedCount"], None, 0.0, 0.0)
    return render_listing(STOCK, RecordPage(keys, None, keys[-1]["sk"]["S"], answered), cells, here)


def no_query(who: SignedIn, collection: str, here: str) -> Listing:
    """The portal's page with rows that are already in memory: its cost without DynamoDB."""
    page = _kept_page(who, collection)
    return Listing(page, record_rows(page.items, records().keys, lambda key: f"{here}{to_segment(key)}/"))


@cache
def _kept_page(who: SignedIn, collection: str) -> RecordPage:
    return records().page(who, who.space, collection)


def _keys_of(who: SignedIn) -> dict[str, Any]:
    held = federation().credentials_for(who)
    return {
        "aws_access_key_id": held.access_key_id,
        "aws_secret_access_key": held.secret_access_key,
        "aws_session_token": held.session_token,
    }


def _page(client: Any, who: SignedIn, collection: str) -> RecordPage:
    table = RecordsTable(client=client, name=settings.RECORDS_TABLE, keys=KeyNames(*settings.RECORDS_KEYS))
    return Records(table=table, federation=federation()).page(who, who.space, collection)


def _view(list_rows: Callable[[SignedIn, str, str], Listing]) -> Callable[..., HttpResponse]:
    @members_only
    @require_safe
    def view(request: HttpRequest, collection: str) -> HttpResponse:
        who: SignedIn = request.signed_in  # type: ignore[attr-defined]
        place = Place(who.space, collection, reverse("collection", args=[collection]))
        listing = list_rows(who, collection, place.here)
        context = explored(place, RecordQuery(), listing.page, listing.rows, Start(), records())
        return render(request, "organisation/records/collection.html", context)

    return view


# All addresses begin with records/, so that the menu marks the same page as on the portal's own page.
urlpatterns = [
    path("records/without/query/<str:collection>/", _view(no_query)),
    path("records/shared/client/<str:collection>/", _view(shared_stock_client)),
    path("records/shared/joined/<str:collection>/", _view(join_addresses)),
    path("records/client/each/<str:collection>/", _view(client_per_request)),
    path("records/session/each/<str:collection>/", _view(session_per_request)),
    path("", include("portal.urls")),
]
