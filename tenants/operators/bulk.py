"""The same step for several rows of a list: a page that names every one of them, and a form that does it.

What cannot be done to one is said and does not keep the others from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render

from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.steps import Field, Step
from tenants.pages.lists import PAGE_SIZE
from tenants.pages.step_pages import typed_in, with_problem
from tenants.sign_in.access import signed_in

MOST_CHOSEN = 2 * PAGE_SIZE


@dataclass(frozen=True, slots=True)
class BulkStep:
    """`find` gets primary keys and returns what there is of them, in the list's order; `noun` is singular, plural.

    `expects` is the step's own, for several things at once; `done` gets how many it was, such as "3 tenants".
    `called` and `noted` are what a thing is told apart by.
    """

    step: Step
    find: Callable[[Sequence[int]], Sequence[Any]]
    noun: tuple[str, str]
    address: Callable[[], str]
    expects: Callable[[Sequence[Any]], Sequence[str]]
    done: Callable[[str], str]
    called: Callable[[Any], str]
    noted: Callable[[Any], str]
    fields: Sequence[Field] = ()

    def counted(self, count: int) -> str:
        return f"{count} {self.noun[0] if count == 1 else self.noun[1]}"


@dataclass(frozen=True, slots=True)
class Line:
    """`prevented` says why it is left out, "" where it is not; `note` is what else to know of it."""

    key: int
    name: str
    note: str
    prevented: str


def bulk_view(many: BulkStep) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        things = many.find(_chosen(request))
        if request.method == "POST" and things:
            return _do(request, many, things)
        return _page(request, many, things, many.fields)

    return view


def _chosen(request: HttpRequest) -> list[int]:
    given = (request.POST if request.method == "POST" else request.GET).getlist("chosen")
    if len(given) > MOST_CHOSEN:
        raise InvalidInput(f"Choose at most {MOST_CHOSEN} at a time.")
    if not all(text.isascii() and text.isdecimal() and len(text) <= 18 for text in given):
        raise InvalidInput("What was chosen is not in the list. Go back and choose again.")
    return [int(text) for text in given]


def _list(request: HttpRequest, many: BulkStep) -> str:
    """As it was when they were chosen."""
    narrowed = _narrowed(request)
    return f"{many.address()}?{narrowed}" if narrowed else many.address()


def _narrowed(request: HttpRequest) -> str:
    given = request.POST if request.method == "POST" else request.GET
    return QueryDict(given.get("list", "")).urlencode()


def _do(request: HttpRequest, many: BulkStep, things: Sequence[Any]) -> HttpResponse:
    typed, by, done, refused = typed_in(request, many.fields), signed_in(request).actor, 0, list[str]()
    for thing in things:
        try:
            many.step.does(thing, typed, by)
        except InvalidInput as problem:
            return _page(request, many, things, with_problem(many.fields, typed, problem), status=400)
        except NotNow as refusal:
            refused.append(refusal.message)
        else:
            done += 1
    if not done:
        # Somebody else was sooner. Why, says each line of the page that is left; what was typed stays on it.
        for message in refused:
            messages.warning(request, message)
        things = many.find([thing.pk for thing in things])
        return _page(request, many, things, [replace(it, value=typed[it.name]) for it in many.fields], status=409)
    for message in refused:
        messages.warning(request, message)
    messages.success(request, many.done(many.counted(done)))
    return HttpResponseRedirect(_list(request, many))


def _page(
    request: HttpRequest, many: BulkStep, things: Sequence[Any], fields: Sequence[Field], *, status: int = 200
) -> HttpResponse:
    lines = [Line(thing.pk, many.called(thing), many.noted(thing), many.step.prevented(thing)) for thing in things]
    possible = [thing for thing, line in zip(things, lines, strict=True) if not line.prevented]
    context = {
        "step": many.step,
        "lines": lines,
        "counted": many.counted(len(possible)) if possible else "",
        "plural": many.noun[1],
        "expects": many.expects(possible) if possible else (),
        "fields": fields,
        "written": [field for field in fields if field.value],
        "wrong": [field for field in fields if field.error],
        "back": _list(request, many),
        "narrowed": _narrowed(request),
    }
    return render(request, "pages/bulk.html", context, status=status)
