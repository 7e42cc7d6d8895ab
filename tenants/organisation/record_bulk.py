"""Pages of one step for many records: which they are, what will happen, and a result for each.

Every page but the results only shows. What was shown travels with the form, signed, so each part of a long step can be
sent again, also by a page that was open while the portal was killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from tenants.domain.entered_values import entered_value, read_item
from tenants.domain.errors import InvalidInput
from tenants.domain.record_edits import RecordPlace
from tenants.domain.record_query import RecordQuery, read_query
from tenants.domain.value_limits import value_size
from tenants.domain.values import STARTS_WITH, TYPE_NAMES, AttributeValue, Item, ValueView, as_json, show, summary
from tenants.organisation.record_addresses import from_segment
from tenants.organisation.record_form import Problem
from tenants.organisation.record_ground import Ground
from tenants.organisation.record_opened import seal, unseal
from tenants.records.bulk import MOST_SELECTED, BulkChange, Line, Result, Selected
from tenants.records.wiring import bulk, deleting, editing
from tenants.sign_in.access import signed_in

_LEFT = {Result.NOT_DONE}
_DELETE, _CHANGE = "Delete", "Change"
# Of a value in a preview, which has a hundred of them.
_MOST_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Step:
    """What a form carries. `began` tells this step from a later one of the same records. `verb` is Delete or Change: a
    form of one does nothing of the other.

    With `everything` it goes on with the records that match `query`, as in an address, after the key `after`, until
    that is "".
    """

    verb: str
    began: str
    selected: tuple[Selected, ...] = ()
    everything: bool = False
    query: str = ""
    after: str = ""
    change: BulkChange | None = None

    @property
    def goes_on(self) -> bool:
        return self.everything and bool(self.after)


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """`now` and `then` are the attribute that a change is about; `note` says what else there is to know."""

    key: str
    address: str
    now: ValueView | None = None
    then: ValueView | None = None
    note: str = ""


@require_POST
def preview_deletion(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    step, items, gone = _chosen(request, ground, collection, _DELETE)
    who = signed_in(request)
    rows = []
    for item in items:
        place = RecordPlace(ground.space, collection, editing().keys.sort_key(item))
        lasting = "" if deleting().can_be_undone(who, place, item) else "too large to bring back"
        rows.append(PreviewRow(place.key, ground.record(place), note=lasting))
    action = ground.edit("bulk_delete_now", collection)
    return _preview(request, ground, collection, step, rows, gone, action=action)


@require_POST
def delete_now(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    step = _part(request, ground, collection, _opened(request, ground, collection, _DELETE))
    began = datetime.fromisoformat(step.began)
    lines = bulk().delete(signed_in(request), ground.space, collection, step.selected, began=began)
    action = ground.edit("bulk_delete_now", collection)
    return _results(request, ground, collection, step, lines, action=action)


@require_POST
def choose_change(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    step, items, gone = _chosen(request, ground, collection, _CHANGE)
    return _change_form(request, ground, collection, step, count=len(items), gone=gone)


@require_POST
def preview_change(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    step = _opened(request, ground, collection, _CHANGE)
    try:
        change = _change_sent(request)
        bulk().check(change)
    except InvalidInput as error:
        problem = Problem(error.field or "value", error.message)
        return _change_form(request, ground, collection, step, count=len(step.selected), problem=problem)
    step = replace(step, change=change)
    found = bulk().found(signed_in(request), ground.space, collection, [one.key for one in step.selected])
    items = [item for _, item in found if item is not None]
    # As they are now: that is what the person sees on this page.
    step = replace(step, selected=tuple(bulk().selected(items)))
    rows = [_row_of_change(ground, collection, item, change) for item in items]
    gone = [key for key, item in found if item is None]
    action = ground.edit("bulk_change_now", collection)
    return _preview(request, ground, collection, step, rows, gone, action=action)


@require_POST
def change_now(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    step = _part(request, ground, collection, _opened(request, ground, collection, _CHANGE))
    if step.change is None:
        raise InvalidInput("This form says no change. Begin again in the list.")
    lines = bulk().change(signed_in(request), ground.space, collection, step.selected, step.change)
    action = ground.edit("bulk_change_now", collection)
    return _results(request, ground, collection, step, lines, action=action)


def _chosen(request: HttpRequest, ground: Ground, collection: str, verb: str) -> tuple[Step, Sequence[Item], list[str]]:
    """The step, its records as they are now, and the keys of those that are gone."""
    who, began = signed_in(request), timezone.now().isoformat()
    if "all" in request.POST:
        query = request.POST.get("query", "")
        items, after = bulk().matching(who, ground.space, collection, _query(query), after="")
        return Step(verb, began, tuple(bulk().selected(items)), everything=True, query=query, after=after), items, []
    found = bulk().found(who, ground.space, collection, _keys(request))
    items = [item for _, item in found if item is not None]
    gone = [key for key, item in found if item is None]
    return Step(verb, began, tuple(bulk().selected(items))), items, gone


def _query(text: str) -> RecordQuery:
    """Raises InvalidInput."""
    return read_query(dict(QueryDict(text).lists()), editing().keys)


def _keys(request: HttpRequest) -> list[str]:
    try:
        return [from_segment(segment) for segment in request.POST.getlist("chosen")]
    except ValueError as error:
        raise InvalidInput("The selection does not fit the list. Go back and select again.") from error


def _part(request: HttpRequest, ground: Ground, collection: str, step: Step) -> Step:
    """The step with the next part of its records, where those before are done."""
    if step.selected or not step.goes_on:
        return step
    who, query = signed_in(request), _query(step.query)
    items, after = bulk().matching(who, ground.space, collection, query, after=step.after)
    return replace(step, selected=tuple(bulk().selected(items)), after=after)


def _change_sent(request: HttpRequest) -> BulkChange:
    name, kind = request.POST.get("attribute", ""), request.POST.get("kind", "")
    if request.POST.get("what") == "remove":
        return BulkChange(name, None)
    return BulkChange(name, entered_value(kind, request.POST.get("value", "").replace("\r\n", "\n")))


def _row_of_change(ground: Ground, collection: str, item: Item, change: BulkChange) -> PreviewRow:
    key, now = editing().keys.sort_key(item), item.get(change.name)
    is_so = now == change.value
    address = ground.record(RecordPlace(ground.space, collection, key))
    return PreviewRow(key, address, _shown(now), _shown(change.value), "no change" if is_so else "")


def _shown(value: AttributeValue | None) -> ValueView | None:
    if value is None or value_size(value) <= _MOST_SHOWN:
        return None if value is None else show(value)
    (kind,) = value
    if kind == "S":
        return ValueView(kind, TYPE_NAMES[kind], summary(value, STARTS_WITH))
    return ValueView(kind, TYPE_NAMES[kind], note=f"{value_size(value):,} bytes")


# ── What travels with the form ──────────────────────────────────────────────────────────────────────────────────────


def _sealed(request: HttpRequest, ground: Ground, collection: str, step: Step) -> str:
    content = {
        "began": step.began,
        "selected": [(one.key, one.digest) for one in step.selected],
        "everything": step.everything,
        "query": step.query,
        "after": step.after,
        "change": step.change and [step.change.name, _as_json(step.change.value)],
    }
    return seal(content, who=signed_in(request), place=_place(ground, collection, step.verb))


def _as_json(value: AttributeValue | None) -> Any:
    return None if value is None else as_json(value)


def _opened(request: HttpRequest, ground: Ground, collection: str, verb: str) -> Step:
    content = unseal(request.POST.get("opened", ""), who=signed_in(request), place=_place(ground, collection, verb))
    return Step(
        verb=verb,
        began=content["began"],
        selected=tuple(Selected(key, digest) for key, digest in content["selected"]),
        everything=content["everything"],
        query=content["query"],
        after=content["after"],
        change=_change_opened(content["change"]),
    )


def _change_opened(content: Any) -> BulkChange | None:
    if content is None:
        return None
    name, value = content
    return BulkChange(name, None if value is None else read_item(json.dumps({"value": value}))["value"])


def _place(ground: Ground, collection: str, verb: str) -> Sequence[str]:
    return "many", verb, ground.space.collection(collection)


# ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _about(request: HttpRequest, ground: Ground, collection: str, step: Step) -> dict[str, object]:
    return {
        "space": ground.space,
        "collection": collection,
        "collection_address": ground.collection(collection),
        "opened": _sealed(request, ground, collection, step),
        "step": step,
        "verb": step.verb,
        "most": MOST_SELECTED,
    }


def _change_form(
    request: HttpRequest,
    ground: Ground,
    collection: str,
    step: Step,
    *,
    count: int,
    gone: Sequence[str] = (),
    problem: Problem | None = None,
) -> HttpResponse:
    sent = request.POST
    context = {
        **_about(request, ground, collection, step),
        "count": count,
        "gone": gone,
        "types": [*TYPE_NAMES.items()],
        "attribute": sent.get("attribute", ""),
        "what": sent.get("what", "set"),
        "kind": sent.get("kind", "S"),
        "value": sent.get("value", ""),
        "errors": {problem.name: problem.error} if problem else {},
        "wrong": [problem] if problem else [],
        "action": ground.edit("bulk_preview", collection),
    }
    return render(request, "organisation/records/edit/bulk_change.html", context, status=400 if problem else 200)


def _preview(
    request: HttpRequest,
    ground: Ground,
    collection: str,
    step: Step,
    rows: Sequence[PreviewRow],
    gone: Sequence[str],
    *,
    action: str,
) -> HttpResponse:
    context = {
        **_about(request, ground, collection, step),
        "rows": rows,
        "gone": gone,
        "action": action,
        "change": step.change,
        "lasting": sum(1 for row in rows if row.note and not step.change),
    }
    return render(request, "organisation/records/edit/bulk_preview.html", context)


def _results(
    request: HttpRequest,
    ground: Ground,
    collection: str,
    step: Step,
    lines: Sequence[Line],
    *,
    action: str,
) -> HttpResponse:
    left = replace(step, selected=tuple(line.record for line in lines if line.result in _LEFT))
    deletes = step.verb == _DELETE
    rows = [(line, _address_after(ground, collection, line, deletes=deletes)) for line in lines]
    counts = [(result, sum(line.result == result for line in lines)) for result in Result]
    context = {
        **_about(request, ground, collection, left),
        "rows": rows,
        "counts": [(result, count) for result, count in counts if count],
        "done": "deleted" if deletes else "changed",
        "left": len(left.selected),
        "goes_on": bool(left.selected) or left.goes_on,
        "action": action,
        "deleted": ground.edit("deleted", collection) if deletes else "",
    }
    return render(request, "organisation/records/edit/bulk_results.html", context)


def _address_after(ground: Ground, collection: str, line: Line, *, deletes: bool) -> str:
    """ "" for a record that is not there any more."""
    is_gone = line.result == Result.GONE or (deletes and line.result in {Result.DONE, Result.ALREADY})
    return "" if is_gone else ground.record(RecordPlace(ground.space, collection, line.record.key))
