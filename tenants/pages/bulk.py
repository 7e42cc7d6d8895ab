"""One step for several rows of a list: a page that names each of them, and a form that does it.

Where it cannot be done to one, the page says why, and the others are done all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render

from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.steps import Field, Step, confirm_field, problems_in
from tenants.pages.lists import PAGE_SIZE
from tenants.pages.step_pages import typed_in, unconfirmed, with_problems
from tenants.sign_in.access import signed_in

MOST_SELECTED = 2 * PAGE_SIZE


@dataclass(frozen=True, slots=True)
class BulkStep:
    """`find` gets primary keys and returns the rows that exist, in the list's order; `noun` is singular and plural.

    `expects` is the step's own, for several subjects at once; `done` gets their number, such as "3 tenants".
    `name` and `note` tell the subjects apart. `frame` is the template around the page.
    """

    step: Step
    find: Callable[[Sequence[int]], Sequence[Any]]
    noun: tuple[str, str]
    address: Callable[[], str]
    expects: Callable[[Sequence[Any]], Sequence[str]]
    done: Callable[[str], str]
    name: Callable[[Any], str]
    note: Callable[[Any], str]
    frame: str
    # What the number of subjects follows, such as "Suspend"; "" is the step's verb.
    phrase: str = ""
    fields: Sequence[Field] = ()

    def counted(self, count: int) -> str:
        return f"{count} {self.noun[0] if count == 1 else self.noun[1]}"


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """`prevented` says why it is left out, "" where it is not."""

    key: int
    name: str
    note: str
    prevented: str


def bulk_view(bulk: BulkStep) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        subjects = bulk.find(_selected_keys(request))
        if request.method == "POST" and subjects:
            return _do(request, bulk, subjects)
        return _page(request, bulk, subjects, _fields(bulk, _possible(bulk, subjects, signed_in(request).actor)))

    return view


def _fields(bulk: BulkStep, possible: Sequence[Any]) -> list[Field]:
    asked = [confirm_field(bulk.step.name, bulk.counted(len(possible)))] if bulk.step.confirm and possible else []
    return [*bulk.fields, *asked]


def _possible(bulk: BulkStep, subjects: Sequence[Any], by: Actor) -> list[Any]:
    return [subject for subject in subjects if not _row(bulk, subject, by=by).prevented]


def _parameters(request: HttpRequest) -> QueryDict:
    return request.POST if request.method == "POST" else request.GET


def _selected_keys(request: HttpRequest) -> list[int]:
    keys = _parameters(request).getlist("chosen")
    if len(keys) > MOST_SELECTED:
        raise InvalidInput(f"Select at most {MOST_SELECTED} at a time.")
    if not all(text.isascii() and text.isdecimal() and len(text) <= 18 for text in keys):
        raise InvalidInput("The selection does not fit the list. Go back and select again.")
    return [int(text) for text in keys]


def _list_address(request: HttpRequest, bulk: BulkStep) -> str:
    """With the search and the filters that the list had."""
    query = _list_query(request)
    return f"{bulk.address()}?{query}" if query else bulk.address()


def _list_query(request: HttpRequest) -> str:
    return QueryDict(_parameters(request).get("list", "")).urlencode()


def _do(request: HttpRequest, bulk: BulkStep, subjects: Sequence[Any]) -> HttpResponse:
    by, done, refusals = signed_in(request).actor, 0, list[str]()
    possible = _possible(bulk, subjects, by)
    fields = _fields(bulk, possible)
    typed = typed_in(request, fields)
    if "confirm" in typed and (problems := unconfirmed(fields, typed, bulk.counted(len(possible)))):
        return _page(request, bulk, subjects, with_problems(fields, typed, problems), status=400)
    for subject in subjects:
        try:
            bulk.step.does(subject, typed, by)
        except InvalidInput as first:
            problems = [first, *problems_in(fields, typed)]
            return _page(request, bulk, subjects, with_problems(fields, typed, problems), status=400)
        except (NotAllowed, NotNow) as refusal:
            refusals.append(refusal.message)
        else:
            done += 1
    for message in refusals:
        messages.warning(request, message)
    if done:
        messages.success(request, bulk.done(bulk.counted(done)))
        return HttpResponseRedirect(_list_address(request, bulk))
    # Somebody else was faster with all of them. The page says why for each, and shows what was typed.
    subjects = bulk.find([subject.pk for subject in subjects])
    fields = [replace(field, value=typed[field.name]) for field in bulk.fields]
    return _page(request, bulk, subjects, fields, status=409)


def _page(
    request: HttpRequest, bulk: BulkStep, subjects: Sequence[Any], fields: Sequence[Field], *, status: int = 200
) -> HttpResponse:
    rows = [_row(bulk, subject, by=signed_in(request).actor) for subject in subjects]
    possible = [subject for subject, row in zip(subjects, rows, strict=True) if not row.prevented]
    context = {
        "frame": bulk.frame,
        "step": bulk.step,
        "phrase": bulk.phrase or bulk.step.verb,
        "rows": rows,
        "counted": bulk.counted(len(possible)) if possible else "",
        "plural": bulk.noun[1],
        "expects": bulk.expects(possible) if possible else (),
        "fields": fields,
        "written": [field for field in fields if field.value],
        "wrong": [field for field in fields if field.error],
        "back": _list_address(request, bulk),
        "list_query": _list_query(request),
    }
    return render(request, "pages/bulk.html", context, status=status)


def _row(bulk: BulkStep, subject: Any, *, by: Actor) -> SubjectRow:
    prevented = bulk.step.allowed(subject, by) or bulk.step.prevented(subject)
    return SubjectRow(subject.pk, bulk.name(subject), bulk.note(subject), prevented)
