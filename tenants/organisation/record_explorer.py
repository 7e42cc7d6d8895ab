"""What the page of a collection shows: the query as forms, chips and links, the page, its cost, and the same as code.

It reads nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from tenants.domain.errors import InvalidInput
from tenants.domain.keys import Space
from tenants.domain.record_filters import MOST_FILTERS
from tenants.domain.record_query import KEY_OPERATORS, KeyCondition, Parameters, RecordQuery, read_types
from tenants.domain.record_snippets import Endpoint, snippets
from tenants.organisation.record_addresses import to_segment
from tenants.organisation.record_cursors import counted_text, start_text
from tenants.organisation.record_fields import FIELDS, column_fields, filter_fields, hidden_fields, key_fields
from tenants.organisation.record_table import RecordRows, RowSteps, record_rows, records_as_json
from tenants.records.reading import Counted, RecordPage, Records, Start


@dataclass(frozen=True, slots=True)
class Place:
    """A collection, and the address of its page."""

    space: Space
    collection: str
    here: str

    @property
    def partition_key(self) -> str:
        return self.space.collection(self.collection)

    def address(self, query: RecordQuery, **more: str) -> str:
        asked = [*query.in_address(), *more.items()]
        return f"{self.here}?{urlencode(asked)}" if asked else self.here


@dataclass(frozen=True, slots=True)
class Chip:
    attribute: str
    words: str
    without: str


def explored(
    place: Place, query: RecordQuery, page: RecordPage, rows: RecordRows, start: Start, records: Records
) -> Mapping[str, Any]:
    """The context of a page that was read. `rows` are its rows as HTML."""
    return {
        **_state(place, query),
        **_count(page, records),
        **cost(page.answer.units, page.answer.milliseconds),
        "rows": rows,
        "as_json": records_as_json(page.items) if query.view == "json" else "",
        "filter_fields": filter_fields(rows.kinds, {}),
        "column_fields": column_fields(rows.columns, rows.left_out),
        "previous": _leads(place, query, page.before, page.first, backwards=True),
        "next": _leads(place, query, page.after, page.first + len(page.items)),
        "first_page": place.address(query) if start.key else "",
        "stopped_early": page.stopped_early,
        "looked_at": page.answer.scanned,
        "matched": page.answer.count,
        "code_address": place.address(query, code="1", **_place_of(place, query, start)),
    }


def rows_of(
    place: Place, query: RecordQuery, page: RecordPage, records: Records, *, steps: RowSteps | None = None
) -> RecordRows:
    here = place.here
    return record_rows(
        page.items,
        records.keys,
        lambda key: f"{here}{to_segment(key)}/",
        columns=query.columns,
        steps=steps,
    )


def failed(place: Place, query: RecordQuery, problem: InvalidInput, typed: Parameters) -> Mapping[str, Any]:
    """The context where nothing was read: what was typed, with the problem. `query` is as far as it could be read."""
    last = {name: values[-1] for name, values in typed.items() if values}
    condition = KeyCondition(
        last.get("op", "begins"), last.get("key") or last.get("prefix", ""), last.get("key_to", "")
    )
    field = problem.field if problem.field in FIELDS else ""
    known = condition if condition.operator in KEY_OPERATORS else replace(condition, operator="begins")
    return {
        **_state(place, query),
        **_form(replace(query, condition=known), field),
        "problem": problem,
        "problem_at": field,
        "first_page": place.address(query),
        "filter_fields": filter_fields(read_types(typed), last, field),
    }


def counted_context(place: Place, query: RecordQuery, counted: Counted) -> Mapping[str, Any]:
    further = counted_text(counted, place.partition_key, query) if counted.last else ""
    return {
        "counted": counted,
        "count_on": place.address(query, count=further) if further else "",
        "count_cost": cost(counted.units, counted.milliseconds)["cost"],
    }


def cost(units: float, milliseconds: float) -> Mapping[str, str]:
    said = f"{units:g} read unit{'' if units == 1 else 's'}"
    return {"cost": f"{said} · {milliseconds:.0f} ms"}


def code_context(place: Place, query: RecordQuery, start: Start, records: Records) -> Mapping[str, Any]:
    """The page's query for other programs."""
    endpoint = Endpoint(settings.AWS_REGION, settings.AWS_ENDPOINT_URL or "")
    return {
        "collection": place.collection,
        "space": place.space,
        "snippets": snippets(records.parameters(place.space, place.collection, query, start), endpoint),
        "back": place.address(query, **_place_of(place, query, start)),
    }


def _state(place: Place, query: RecordQuery) -> dict[str, Any]:
    everything = replace(query, condition=KeyCondition(), filters=(), any_of=False)
    return {
        **_form(query),
        "collection": place.collection,
        "space": place.space,
        "here": place.here,
        "query": query,
        "prefix": query.condition.key if query.condition.operator == "begins" else "",
        "chips": _chips(place, query),
        "may_add": len(query.filters) < MOST_FILTERS,
        "other_joining": place.address(replace(query, any_of=not query.any_of)) if len(query.filters) > 1 else "",
        "cleared": place.address(everything) if query.narrows else "",
        "unfiltered": place.address(replace(query, filters=(), any_of=False)),
        "other_reading": place.address(replace(query, consistent=not query.consistent)),
        "other_view": place.address(replace(query, view="table" if query.view == "json" else "json")),
        "count_address": place.address(query, count="1"),
        "all_hidden": hidden_fields(query.in_address()),
        "state": urlencode(query.in_address()),
    }


def _form(query: RecordQuery, wrong: str = "") -> dict[str, Any]:
    in_fields = {"prefix", "op", "key", "key_to", "order", "size"}
    others = [(name, value) for name, value in query.in_address() if name not in in_fields]
    return {"key_fields": key_fields(query, wrong), "hidden": hidden_fields(others)}


def _chips(place: Place, query: RecordQuery) -> Sequence[Chip]:
    return [
        Chip(one.attribute, one.words, place.address(replace(query, filters=[*_without(query.filters, one)])))
        for one in query.filters
    ]


def _without(filters: Sequence[Any], left_out: object) -> Sequence[Any]:
    return [one for one in filters if one != left_out]


def _place_of(place: Place, query: RecordQuery, start: Start) -> Mapping[str, str]:
    """In an address; empty at the beginning of the list."""
    if not start.key:
        return {}
    return {"before" if start.backwards else "after": start_text(start, place.partition_key, query)}


def _leads(place: Place, query: RecordQuery, key: str | None, number: int, *, backwards: bool = False) -> str:
    """The address of a neighbouring page; "" where there is none."""
    if key is None:
        return ""
    return place.address(query, **_place_of(place, query, Start(key, number, backwards)))


def _count(page: RecordPage, records: Records) -> Mapping[str, Any]:
    if not page.items:
        return {"count": 0}
    key_of = records.keys.sort_key
    return {
        "count": len(page.items),
        "number": page.first,
        "last_number": page.first + len(page.items) - 1,
        "first": key_of(page.items[0]),
        "last": key_of(page.items[-1]),
    }
