"""The page of a step: it says what will happen, and its form does it. One step, one address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.steps import Field, Step, Typed
from tenants.domain.texts import trimmed
from tenants.sign_in.access import signed_in


@dataclass(frozen=True, slots=True)
class Subjects:
    """What steps are taken with. `find` gets the parts of the address and raises Http404.

    It returns None for what is yet to be created; `address` then gets None for the page to go back to. `frame` is the
    template around the page.
    """

    find: Callable[..., Any]
    address: Callable[[Any], str]
    crumbs: Callable[[Any], Sequence[tuple[str, str]]]
    frame: str


def step_view(step: Step, subjects: Subjects) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **key: Any) -> HttpResponse:
        subject = subjects.find(**key)
        if why := step.allowed(subject, signed_in(request).actor):
            raise NotAllowed(why)
        if request.method == "POST":
            return _do(request, step, subjects, subject)
        prevented = step.prevented(subject)
        return _page(request, step, subjects, subject, fields=fields_for(step, subject), prevented=prevented)

    return view


def fields_for(step: Step, subject: Any) -> list[Field]:
    """The step's fields as its form begins."""
    values = step.values(subject)
    return [replace(field, value=values.get(field.name, "")) for field in step.fields]


def typed_in(request: HttpRequest, fields: Sequence[Field]) -> dict[str, str]:
    """Without spaces around them. Whatever else is wrong with a text, its use case says."""
    return {field.name: trimmed(request.POST.get(field.name, "")) for field in fields}


def with_problem(fields: Sequence[Field], typed: Typed, problem: InvalidInput) -> list[Field]:
    """The fields as they were sent, with the problem at its own field, or at the first where it is about none."""
    names = [field.name for field in fields]
    wrong = problem.field if problem.field in names else names[0]
    return [
        replace(field, value=typed[field.name], error=problem.message if field.name == wrong else "")
        for field in fields
    ]


def _do(request: HttpRequest, step: Step, subjects: Subjects, subject: Any) -> HttpResponse:
    fields = fields_for(step, subject)
    typed = typed_in(request, fields)
    try:
        changed = step.does(subject, typed, signed_in(request).actor)
    except InvalidInput as problem:
        return _page(request, step, subjects, subject, fields=with_problem(fields, typed, problem), status=400)
    except NotNow as refusal:
        written = _changed_fields(fields, typed)
        return _page(request, step, subjects, subject, written=written, prevented=refusal.message, status=409)
    messages.success(request, step.done(changed))
    return HttpResponseRedirect(subjects.address(subject or changed))


def _changed_fields(fields: Sequence[Field], typed: Mapping[str, str]) -> list[Field]:
    """What somebody typed, for them to copy."""
    changed = [field for field in fields if field.widget != "hidden" and typed[field.name] != field.value]
    return [replace(field, value=typed[field.name]) for field in changed]


def _page(
    request: HttpRequest,
    step: Step,
    subjects: Subjects,
    subject: Any,
    *,
    fields: Sequence[Field] = (),
    written: Sequence[Field] = (),
    prevented: str = "",
    status: int = 200,
) -> HttpResponse:
    """`written` is what somebody typed into a form that cannot be sent any more."""
    context = {
        "frame": subjects.frame,
        "step": step,
        "heading": step.heading(subject),
        "expects": () if prevented else step.expects(subject, {}),
        "prevented": prevented,
        "fields": fields,
        "written": written,
        "wrong": [field for field in fields if field.error],
        "crumbs": subjects.crumbs(subject),
        "back": subjects.address(subject),
    }
    return render(request, "pages/step.html", context, status=status)
