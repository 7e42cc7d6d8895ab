"""A person's own account, operators' too: who they are to the portal and to AWS, their sessions, how pages look to
them, and deleting it.

Everything starts from the signed-in person: no address and no field names another one. Break-glass access has no
account, since nobody is signed in with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.domain.steps import Field, Step
from tenants.domain.time_zones import zones
from tenants.members.account_steps import (
    DELETE_ACCOUNT,
    MAY_COME_BACK,
    SIGN_OUT_MYSELF,
    deleting_prevented,
    if_device_is_lost,
)
from tenants.members.preferences import set_preferences, wrong_preferences
from tenants.members.second_factor import shown_second_factor
from tenants.models import Member, Theme
from tenants.pages.step_pages import Subjects, step_view
from tenants.sign_in.access import signed_in, signed_in_only
from tenants.sign_in.own_sessions import MOST_LISTED, end_own_session, own_sessions
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.views import sign_out
from tenants.sign_in.wiring import federation

_FIELDS = (
    Field("theme", "Theme", widget="choice", choices=lambda: (("", "As your system"), *Theme.choices)),
    Field("time_zone", "Time zone", "Pages show times in it. Mails, files and commands stay in UTC."),
)
_WRITES = "You can read and write the records of {}, and read the public ones. AWS refuses everything else."
_READS = "You can read the records of {} and the public ones, and write none. AWS refuses everything else."
_OPERATES = "You can read and write the public records. AWS refuses you the records of every organisation."
# What the policy of the one IAM role lets somebody do with this tag. A test compares it with infra/template.yaml.
REACH = {
    Role.OWNER: _WRITES,
    Role.ADMIN: _WRITES,
    Role.EDITOR: _WRITES,
    Role.VIEWER: _READS,
    Role.OPERATOR: _OPERATES,
}


@signed_in_only
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    return _page(request, who, {"theme": who.standing.theme, "time_zone": who.standing.time_zone})


@signed_in_only
@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    theme, time_zone = request.POST.get("theme", ""), request.POST.get("time_zone", "")
    if wrong := wrong_preferences(theme=theme, time_zone=time_zone):
        return _page(request, who, {"theme": theme, "time_zone": time_zone}, wrong=wrong)
    set_preferences(who.standing.person_id, theme=theme, time_zone=time_zone)
    messages.success(request, f"Saved. Pages show times in {time_zone or 'UTC'}.")
    return redirect("account")


@signed_in_only
@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """Ends one other session of the same person."""
    who = signed_in(request)
    try:
        ended = end_own_session(who, uuid.UUID(request.POST.get("session", "")))
    except ValueError as error:
        raise InvalidInput("Choose one of your sessions.") from error
    if ended is None:
        messages.warning(request, "That session had ended already.")
    else:
        ended_one = f"Ended: {ended.browser or 'an unknown browser'}. {MAY_COME_BACK}."
        lost = f"If you lost the device: {if_device_is_lost(Role(who.standing.role))}"
        messages.success(request, f"{ended_one} {lost}")
    return redirect("account")


def _own_step(step: Step) -> Callable[[HttpRequest], HttpResponse]:
    @signed_in_only
    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        """Once it is done, the session is over: the first page says what happened."""
        who = signed_in(request)
        response = step_view(step, _myself(who))(request)
        is_done = isinstance(response, HttpResponseRedirect)
        return sign_out(request) if is_done else response

    return view


sign_out_everywhere = _own_step(SIGN_OUT_MYSELF)
delete = _own_step(DELETE_ACCOUNT)


def _myself(who: SignedIn) -> Subjects:
    return Subjects(
        find=lambda: _member(who),
        address=lambda _: reverse("account"),
        crumbs=lambda _: [("Account", reverse("account"))],
        frame="organisation/members/frame.html",
    )


def _member(who: SignedIn) -> Member:
    return get_object_or_404(Member.objects.select_related("person", "tenant"), person=who.standing.person_id)


def _page(
    request: HttpRequest, who: SignedIn, chosen: Mapping[str, str], *, wrong: Mapping[str, str] | None = None
) -> HttpResponse:
    member = _member(who)
    fields = [replace(field, value=chosen[field.name], error=(wrong or {}).get(field.name, "")) for field in _FIELDS]
    context = {
        "member": member,
        "role_in_words": Role(who.standing.role).in_words,
        "iam_role": settings.TENANT_ROLE_ARN.rpartition("/")[2],
        "reach": REACH[Role(who.standing.role)].format(who.standing.tenant_name),
        "credentials_end": _credentials_end(who),
        "sessions": own_sessions(who),
        "most_sessions": MOST_LISTED,
        "may_come_back": MAY_COME_BACK,
        "if_device_is_lost": if_device_is_lost(Role(who.standing.role)),
        "second_factor": shown_second_factor(member),
        "theme": fields[0],
        "time_zone": fields[1],
        "zones": zones(),
        "wrong": [field for field in fields if field.error],
        "deleting_prevented": deleting_prevented(member),
    }
    return render(request, "organisation/account/account.html", context, status=400 if wrong else 200)


def _credentials_end(who: SignedIn) -> datetime | None:
    """Of those that the portal has at hand. None are fetched only to say when they end."""
    kept = federation().kept_for(who)
    return datetime.fromtimestamp(kept.expires_at, tz=UTC) if kept else None
