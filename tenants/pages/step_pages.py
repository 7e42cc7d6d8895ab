"""A step that an operator can have done to one thing: a page that says what it will bring about, and the same page's
form that does it. One step, one address.

A step is data: what it is called, what it asks for, which use case does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotNow
from tenants.sign_in.access import signed_in

Typed = Mapping[str, str]
Does = Callable[[Any, Typed, Actor], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """Something to fill in. `kind` is text, lines, code, email, choice or hidden; `choices` are (value, label)."""

    name: str
    label: str
    hint: str = ""
    kind: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    error: str = ""
    optional: bool = False


def why_field(*, optional: bool = False) -> Field:
    return Field(
        "reason",
        "Reason",
        "Kept in the audit trail for whoever looks at it later.",
        kind="lines",
        optional=optional,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """`name` is the last part of its address. `heading`, `done` and `fields` are asked with the thing itself.

    `expects` says what will happen, a sentence each. `prevented` says what is in the way, "" where nothing is.
    """

    name: str
    verb: str
    heading: Callable[[Any], str]
    does: Does
    done: Callable[[Any], str]
    expects: Callable[[Any], Sequence[str]]
    prevented: Callable[[Any], str] = lambda _: ""
    fields: Callable[[Any], Sequence[Field]] = lambda _: ()
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Things that steps are done to. `find` raises Http404; `address` is where one is looked at."""

    find: Callable[..., Any]
    address: Callable[[Any], str]
    crumbs: Callable[[Any], Sequence[tuple[str, str]]]


def step_view(step: Step, kind: Kind) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **key: Any) -> HttpResponse:
        thing = kind.find(**key)
        if request.method == "POST":
            return _do(request, step, kind, thing)
        return _page(request, step, kind, thing, fields=step.fields(thing), prevented=step.prevented(thing))

    return view


def typed_in(request: HttpRequest, fields: Sequence[Field]) -> dict[str, str]:
    return {field.name: request.POST.get(field.name, "").replace("\0", "").strip() for field in fields}


def filled(fields: Sequence[Field], typed: Typed, problem: InvalidInput) -> list[Field]:
    """The fields as they were sent, with what is wrong at the one it is about, or at the first."""
    names = [field.name for field in fields]
    wrong = problem.field if problem.field in names else names[0]
    return [
        replace(field, value=typed[field.name], error=problem.message if field.name == wrong else "")
        for field in fields
    ]


def prevented_by(check: Callable[[], object]) -> str:
    """What a use case's own check has against it; "" where nothing."""
    try:
        check()
    except NotNow as refusal:
        return refusal.message
    return ""


def _do(request: HttpRequest, step: Step, kind: Kind, thing: Any) -> HttpResponse:
    fields = step.fields(thing)
    typed = typed_in(request, fields)
    try:
        changed = step.does(thing, typed, signed_in(request).actor)
    except InvalidInput as problem:
        return _page(request, step, kind, thing, fields=filled(fields, typed, problem), status=400)
    except NotNow as refusal:
        changed = [field for field in fields if field.kind != "hidden" and typed[field.name] != field.value]
        written = [replace(field, value=typed[field.name]) for field in changed]
        return _page(request, step, kind, thing, written=written, prevented=refusal.message, status=409)
    messages.success(request, step.done(changed or thing))
    return HttpResponseRedirect(kind.address(thing))


def _page(
    request: HttpRequest,
    step: Step,
    kind: Kind,
    thing: Any,
    *,
    fields: Sequence[Field] = (),
    written: Sequence[Field] = (),
    prevented: str = "",
    status: int = 200,
) -> HttpResponse:
    """`written` is what somebody typed into a form that cannot be sent any more."""
    context = {
        "step": step,
        "heading": step.heading(thing),
        "expects": () if prevented else step.expects(thing),
        "prevented": prevented,
        "fields": fields,
        "written": written,
        "wrong": [field for field in fields if field.error],
        "crumbs": kind.crumbs(thing),
        "back": kind.address(thing),
    }
    return render(request, "pages/step.html", context, status=status)
