"""The page of a step: it says what will happen, and its form does it. One step, one address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.steps import Field, Step, Typed, check_confirmed, confirmation, problems_in
from tenants.domain.texts import trimmed
from tenants.sign_in.access import signed_in
from tenants.sign_in.sessions import SignedIn


@dataclass(frozen=True, slots=True)
class Subjects:
    """What steps are taken with. `find` gets the parts of the address and raises Http404.

    It returns None for what is yet to be created; `address` then gets None for the page to go back to. `frame` is the
    template around the page. `instead` is the address of a page that has the step for this person, "" mostly.
    """

    find: Callable[..., Any]
    address: Callable[[Any], str]
    crumbs: Callable[[Any], Sequence[tuple[str, str]]]
    frame: str
    instead: Callable[[Step, Any, SignedIn], str] = lambda *_: ""


def step_view(step: Step, subjects: Subjects) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **key: Any) -> HttpResponse:
        subject = subjects.find(**key)
        if address := subjects.instead(step, subject, signed_in(request)):
            return HttpResponseRedirect(address)
        if why := step.allowed(subject, signed_in(request).actor):
            raise NotAllowed(why)
        if request.method == "POST":
            return _do(request, step, subjects, subject)
        if prevented := step.prevented(subject):
            return _page(request, step, subjects, subject, prevented=prevented)
        return _page(request, step, subjects, subject, fields=fields_for(step, subject))

    return view


def fields_for(step: Step, subject: Any) -> list[Field]:
    """The step's fields as its form begins."""
    values = step.values(subject)
    fields = (*step.fields, *confirmation(step, subject))
    return [replace(field, value=values.get(field.name, "")) for field in fields]


def typed_in(request: HttpRequest, fields: Sequence[Field]) -> dict[str, str]:
    """Without spaces around them. Whatever else is wrong with a text, its use case says."""
    return {field.name: trimmed(request.POST.get(field.name, "")) for field in fields}


def with_problems(fields: Sequence[Field], typed: Typed, problems: Sequence[InvalidInput]) -> list[Field]:
    """The fields as they were sent, each with its first problem. What is about no field is said at the first."""
    names, errors = [field.name for field in fields], dict[str, str]()
    for problem in problems:
        errors.setdefault(problem.field if problem.field in names else names[0], problem.message)
    return [replace(field, value=typed[field.name], error=errors.get(field.name, "")) for field in fields]


def unconfirmed(fields: Sequence[Field], typed: Typed, word: str) -> list[InvalidInput]:
    """What is wrong with the confirmation and then with the other fields. Empty if it was confirmed."""
    try:
        check_confirmed(typed["confirm"], word)
    except InvalidInput as problem:
        return [problem, *problems_in(fields, typed)]
    return []


def _do(request: HttpRequest, step: Step, subjects: Subjects, subject: Any) -> HttpResponse:
    fields = fields_for(step, subject)
    typed = typed_in(request, fields)
    if step.confirm and (problems := unconfirmed(fields, typed, step.confirm(subject))) and not step.prevented(subject):
        return _page(request, step, subjects, subject, fields=with_problems(fields, typed, problems), status=400)
    try:
        changed = step.does(subject, typed, signed_in(request).actor)
    except InvalidInput as first:
        if made := step.made_before(subject, typed, signed_in(request).actor):
            messages.success(request, f"You had sent this form already. {step.done(made)}")
            return HttpResponseRedirect(subjects.address(subject or made))
        problems = [first, *problems_in(fields, typed)]
        return _page(request, step, subjects, subject, fields=with_problems(fields, typed, problems), status=400)
    except NotNow as refusal:
        written = [replace(field, value=typed[field.name]) for field in fields]
        # A hidden field says what the form was made from. It would only be refused again: the text is there to copy.
        is_out_of_date = any(field.widget == "hidden" for field in fields)
        again = {"written": _changed_fields(fields, written)} if is_out_of_date else {"fields": written}
        return _page(request, step, subjects, subject, **again, prevented=refusal.message, status=409)
    messages.success(request, step.done(changed))
    return HttpResponseRedirect(subjects.address(subject or changed))


def _changed_fields(before: Sequence[Field], written: Sequence[Field]) -> list[Field]:
    pairs = zip(before, written, strict=True)
    return [field for old, field in pairs if field.widget != "hidden" and field.value != old.value]


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
    """Without `fields` there is no form. `written` is what somebody typed into a form that cannot be sent any more."""
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
