"""Pages that give a record another key, and add a collection."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from tenants.domain.errors import InvalidInput, RecordChanged, RecordNotFound
from tenants.domain.record_edits import RecordPlace, digest
from tenants.domain.values import Item
from tenants.organisation.record_form import Problem, fits_an_input
from tenants.organisation.record_ground import Ground
from tenants.records.wiring import editing
from tenants.sign_in.access import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
def key(request: HttpRequest, ground: Ground, collection: str, key: str) -> HttpResponse:
    place = RecordPlace(ground.space, collection, key)
    item = editing().as_it_is(signed_in(request), place)
    if item is None:
        raise RecordNotFound(collection, key)
    if request.method != "POST":
        return _key_page(request, ground, place, item, to=place)
    to = RecordPlace(ground.space, _typed(request, "collection", collection), _typed(request, "record_key", key))
    try:
        editing().move(signed_in(request), place, to=to, shown=request.POST.get("shown", ""))
    except RecordChanged:
        return _key_page(request, ground, place, item, to=to, changed=True, status=409)
    except InvalidInput as error:
        problem = Problem("collection" if error.field == "collection" else "record_key", error.message)
        return _key_page(request, ground, place, item, to=to, problems=[problem], status=400)
    messages.success(request, "The key was changed.")
    return HttpResponseRedirect(ground.record(to))


@require_http_methods(["GET", "HEAD", "POST"])
def collection_new(request: HttpRequest, ground: Ground) -> HttpResponse:
    name, description = request.POST.get("collection", ""), request.POST.get("description", "")
    problems, status = list[Problem](), 200
    if request.method == "POST":
        try:
            editing().add_collection(signed_in(request), ground.space, name, description)
        except InvalidInput as error:
            field = "description" if error.field == "description" else "collection"
            problems, status = [Problem(field, error.message)], 400
        else:
            messages.success(request, "The collection was added. Add its first record.")
            return HttpResponseRedirect(ground.collection(name))
    context = {
        "space": ground.space,
        "name": name,
        "description": description,
        "errors": {problem.name: problem.error for problem in problems},
        "wrong": problems,
        "back": ground.address("collections"),
    }
    return render(request, "organisation/records/edit/collection.html", context, status=status)


def _typed(request: HttpRequest, name: str, before: str) -> str:
    """`before` where the field was left empty because no input can hold it."""
    text = request.POST.get(name, "")
    return text if text or fits_an_input(before) else before


def _key_page(
    request: HttpRequest,
    ground: Ground,
    place: RecordPlace,
    item: Item,
    *,
    to: RecordPlace,
    problems: Sequence[Problem] = (),
    changed: bool = False,
    status: int = 200,
) -> HttpResponse:
    keeps_collection, keeps_key = not fits_an_input(place.collection), not fits_an_input(place.key)
    context = {
        "space": ground.space,
        "collection": place.collection,
        "collection_address": ground.collection(place.collection),
        "key": place.key,
        "to_collection": "" if keeps_collection and to.collection == place.collection else to.collection,
        "to_key": "" if keeps_key and to.key == place.key else to.key,
        "keeps_collection": keeps_collection,
        "keeps_key": keeps_key,
        "shown": digest(item),
        "changed": changed,
        "back": ground.record(place),
        "wrong": problems,
        "errors": {problem.name: problem.error for problem in problems},
    }
    return render(request, "organisation/records/edit/key.html", context, status=status)
