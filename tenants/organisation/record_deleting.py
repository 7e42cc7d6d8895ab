"""Pages that delete a record, and bring it back for ten minutes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.domain.errors import InvalidInput, NotNow, PortalError, RecordChanged, RecordNotFound
from tenants.domain.record_edits import RecordPlace, digest, own_attributes
from tenants.domain.values import show
from tenants.organisation.record_ground import Ground
from tenants.records.deleting import MOST_LISTED
from tenants.records.wiring import deleting, editing
from tenants.sign_in.access import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, ground: Ground, collection: str, key: str) -> HttpResponse:
    who, place = signed_in(request), RecordPlace(ground.space, collection, key)
    if request.method != "POST":
        return _page(request, ground, place, changed=False)
    try:
        is_kept = deleting().delete(who, place, shown=request.POST.get("shown", ""))
    except RecordChanged:
        return _page(request, ground, place, changed=True)
    if is_kept:
        messages.success(request, f"“{key}” was deleted. You can bring it back for ten minutes.")
        return HttpResponseRedirect(ground.edit("deleted", collection))
    messages.success(request, f"“{key}” was deleted.")
    return HttpResponseRedirect(ground.collection(collection))


@require_safe
def deleted(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    who = signed_in(request)
    context = {
        "space": ground.space,
        "collection": collection,
        "collection_address": ground.collection(collection),
        "copies": deleting().deleted(who, ground.space, collection),
        "restore": ground.edit("restore", collection),
        "restore_all": ground.edit("restore_all", collection),
        "sub": who.claims.sub,
        "most": MOST_LISTED,
    }
    return render(request, "organisation/records/edit/deleted.html", context)


@require_POST
def restore(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    place = deleting().restore(signed_in(request), ground.space, collection, request.POST.get("copy", ""))
    messages.success(request, "The record was brought back.")
    return HttpResponseRedirect(ground.record(place))


@require_POST
def restore_all(request: HttpRequest, ground: Ground, collection: str) -> HttpResponse:
    """Each by itself. What cannot be brought back is told, and the others come back all the same."""
    done = 0
    for copy in request.POST.getlist("copy")[:MOST_LISTED]:
        try:
            deleting().restore(signed_in(request), ground.space, collection, copy)
        except (InvalidInput, NotNow) as refusal:
            messages.warning(request, refusal.message)
        except PortalError as error:
            # It would be the same for the others.
            messages.error(request, f"{error.message} What is listed below was not brought back.")
            break
        else:
            done += 1
    if done:
        messages.success(request, f"{done} record{'' if done == 1 else 's'} brought back.")
    return HttpResponseRedirect(ground.edit("deleted", collection))


def _page(request: HttpRequest, ground: Ground, place: RecordPlace, *, changed: bool) -> HttpResponse:
    who = signed_in(request)
    item = editing().as_it_is(who, place)
    if item is None:
        raise RecordNotFound(place.collection, place.key)
    context = {
        "space": ground.space,
        "collection": place.collection,
        "collection_address": ground.collection(place.collection),
        "key": place.key,
        "attributes": [(name, show(value)) for name, value in own_attributes(item, editing().keys).items()],
        "can_be_undone": deleting().can_be_undone(who, place, item),
        "shown": digest(item),
        "changed": changed,
        "back": ground.record(place),
    }
    return render(request, "organisation/records/edit/delete.html", context, status=409 if changed else 200)
