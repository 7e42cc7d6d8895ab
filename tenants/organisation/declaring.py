"""The page on which an owner declares a collection that an application writes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from tenants.domain.errors import InvalidInput
from tenants.domain.record_edits import MOST_DESCRIPTION
from tenants.domain.steps import Field
from tenants.records.wiring import declaring
from tenants.sign_in.access import owners_only, signed_in


@owners_only
@require_http_methods(["GET", "HEAD", "POST"])
def declare(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    if request.method != "POST":
        return _page(request, request.GET.get("name", ""))
    name, description = request.POST.get("name", ""), request.POST.get("description", "")
    try:
        declaring().declare(who, name, description)
    except InvalidInput as problem:
        return _page(request, name, description, problem=problem)
    messages.success(request, f"“{name}” is in the list. The next export holds it.")
    return redirect("collections")


def _page(
    request: HttpRequest, name: str, description: str = "", *, problem: InvalidInput | None = None
) -> HttpResponse:
    errors = {problem.field: problem.message} if problem else {}
    fields = [
        Field(
            "name",
            "Name",
            f"What stands after the # in its partition key: {signed_in(request).space.catalogue}name",
            widget="exact",
            value=name,
            error=errors.get("name", ""),
        ),
        Field(
            "description",
            "Description",
            f"Shown in the list, at most {MOST_DESCRIPTION} characters.",
            optional=True,
            value=description,
            error=errors.get("description", ""),
        ),
    ]
    context = {"fields": fields, "problem": problem}
    return render(request, "organisation/records/declare.html", context, status=400 if problem else 200)
