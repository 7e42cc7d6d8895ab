"""What happened in one's own organisation: a list of sentences with filters, the list as CSV, and its verification.

Everything is looked for in the trail of the signed-in person's organisation. Another organisation's is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.timezone import localtime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.activity import Reader, readable_entries, reader, told
from tenants.audit.activity_filter import of_kind, of_person, suggested_people
from tenants.audit.chain import Point
from tenants.audit.csv import own_csv_lines
from tenants.audit.kinds import OWN_GROUPS, kind_in_words
from tenants.audit.own_verification import MOST_VERIFIED, OwnVerdict, verify_own
from tenants.audit.reading import org_head, trail_head
from tenants.audit.timeline import by_day
from tenants.domain.dates import formatted_day
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.steps import Field
from tenants.domain.texts import trimmed
from tenants.limits import is_within
from tenants.members.addresses import address_to_find
from tenants.models import AuditEvent
from tenants.models.keyset import Branch
from tenants.organisation.members import own_org
from tenants.pages.day_range import read_days, shortcuts
from tenants.pages.lists import narrowed_by, query_param, read_page, without_page
from tenants.sign_in.access import managers_only, members_only, signed_in

MOST_EXPORTS_A_MINUTE = 10
_NOT_A_HEAD = "A head is a number, a colon and 64 digits or letters from a to f. Copy the whole line that you kept."


@dataclass(slots=True)
class _Asked:
    """What the address asks for. `values` are as typed, `filters` those in use: parameter, label and words."""

    entries: QuerySet[AuditEvent]
    values: dict[str, str] = field(default_factory=dict)
    filters: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[InvalidInput] = field(default_factory=list)


@members_only
@require_safe
def list_page(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    of = reader(own_org(who), who.actor)
    asked = _asked(request, of)
    context = {
        "reads_all": of.only_by is None,
        "asked": asked.values,
        "errors": {problem.field: problem.message for problem in asked.problems},
        "wrong": [Field(problem.field, "", error=problem.message) for problem in asked.problems],
        "groups": OWN_GROUPS,
        "people": suggested_people(of.org) if of.only_by is None else (),
        "shortcuts": shortcuts(request),
        "query": request.GET.urlencode(),
        "narrowed": narrowed_by(request, (), asked.filters),
    }
    if asked.problems:
        return render(request, "organisation/activity/list.html", context, status=400)
    page = read_page([Branch(asked.entries, ("seq",))], request)
    context |= {
        "page": page,
        "days": by_day(told(of.org, page.rows)),
        "is_cut_off": _is_cut_off(of, page.next),
    }
    return render(request, "organisation/activity/list.html", context)


@members_only
@require_POST
def export(request: HttpRequest) -> HttpResponseBase:
    """All entries that the list would show now. The export itself is recorded in the trail."""
    who = signed_in(request)
    of = reader(own_org(who), who.actor)
    asked = _asked(request, of)
    for problem in asked.problems:
        raise problem
    # Each export adds an entry, under the one lock of the trail.
    if not is_within(MOST_EXPORTS_A_MINUTE, f"export the trail by {who.actor.id}"):
        raise NotNow("You exported the activity often in this minute. Wait a minute and try again.")
    lines = own_csv_lines(of.org, asked.entries.filter(seq__lte=trail_head().seq))
    after = {"as": "csv", "of": without_page(request.GET.dict())}
    record(Action.AUDIT_EXPORTED, by=who.actor, org=of.org, after=after)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="activity-{timezone.now():%Y-%m-%d-%H%M}.csv"'
    return response


@managers_only
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    typed = {name: trimmed(request.POST.get(name, "")) for name in ("kept", "through")}
    context: dict[str, object] = {"kept": _kept_field(typed["kept"]), "most": f"{MOST_VERIFIED:,}"}
    status = 200
    if request.method == "POST":
        try:
            result = _verified(request, typed)
            context |= {"result": result, "checked": f"{result.verdict.entries:,}"}
        except InvalidInput as problem:
            wrong = _kept_field(typed["kept"], error=problem.message)
            context |= {"kept": wrong, "wrong": [wrong]}
            status = 400
        except NotNow as problem:
            context["prevented"] = problem.message
            status = 409
    return render(request, "organisation/activity/verify.html", context, status=status)


def _verified(request: HttpRequest, typed: dict[str, str]) -> OwnVerdict:
    through = _point(typed["through"]) if typed["through"] else None
    kept = _point(typed["kept"]) if typed["kept"] else None
    return verify_own(own_org(signed_in(request)), through=through, kept=kept)


def _point(text: str) -> Point:
    try:
        return Point.parse(text.lower())
    except ValueError as error:
        raise InvalidInput(_NOT_A_HEAD, field="kept") from error


def _kept_field(value: str, error: str = "") -> Field:
    hint = "The head of an earlier verification, such as 17:73300871f44c… in full. The trail has to contain it."
    return Field("kept", "A head that you kept", hint, optional=True, value=value, error=error)


def _asked(request: HttpRequest, of: Reader) -> _Asked:
    days, problems = read_days(request)
    asked = _Asked(readable_entries(of).filter(**days.limits()))
    if of.only_by is None:
        _narrow(asked, request, "person", lambda text: of_person(of, text, address=address_to_find(text)), str)
    _narrow(asked, request, "kind", of_kind, kind_in_words)
    asked.problems += problems
    asked.values |= {name: request.GET.get(name, "") for name in ("from", "to")}
    asked.filters += [
        (name, name.capitalize(), formatted_day(localtime(day)))
        for name, day in (("from", days.since), ("to", days.until))
        if day
    ]
    return asked


def _narrow(
    asked: _Asked, request: HttpRequest, name: str, condition: Callable[[str], Q], in_words: Callable[[str], str]
) -> None:
    asked.values[name] = request.GET.get(name, "")
    try:
        if text := query_param(request, name):
            asked.entries = asked.entries.filter(condition(text))
            asked.filters.append((name, name.capitalize(), in_words(text)))
    except InvalidInput as problem:
        asked.problems.append(InvalidInput(problem.message, field=name))


def _is_cut_off(of: Reader, following: str) -> bool:
    """Whether the list ends here because retention has moved what was before."""
    return not following and org_head(of.org).kept_after > 0
