"""The pages where a visitor signs an organisation up. What they do is the same for every address.

On a stack where people sign up on Cognito's pages, they lead there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from tenants.domain import log_context
from tenants.domain.steps import Field
from tenants.members import sign_up as sign_ups
from tenants.members.sign_up import NewSignUp, TooMany
from tenants.sign_in.access import signed_in_or_visitor, visitors_and_newcomers

_FIELDS = (
    Field(
        "organisation",
        "Name of your organisation",
        "Its members see it on every page. It can be changed later.",
        autocomplete="organization",
    ),
    Field("name", "Your name", autocomplete="name"),
    Field("email", "Your e-mail address", "You get an invitation there.", widget="email", autocomplete="email"),
)
_TERMS = Field("terms", "I agree to the platform’s terms")
_AGREE = "Agree to the platform’s terms to sign up."
_IN_SESSION = "sign_up"
_log = logging.getLogger(__name__)
# Nobody fills three fields in faster. Programs do.
_SHORTEST_SECONDS = 2
_LONGEST_SECONDS = 24 * 3600
_SALT = "sign-up form"
_TOO_FAST = "That was quick. Check what you typed, then send it again."
_TOO_OLD = "This page had been open for a long time. Nothing is lost: check what you typed, then send it again."
_TOO_MANY = "Too many sign-ups came in within the last hour. What you typed is still here: send it again in {minutes}."


@visitors_and_newcomers
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    if signed_in_or_visitor(request) is not None:
        return render(request, "organisation/sign_up/signed_in.html")
    if settings.SIGN_UP == "hosted-ui":
        return redirect(f"{reverse('oidc_sign_up')}?{urlencode({'next': reverse('welcome')})}")
    return _take(request) if request.method == "POST" else _form(request)


@visitors_and_newcomers
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up_sent(request: HttpRequest) -> HttpResponse:
    """Says the same whether or not a mail went out: who receives none learns nothing about an address."""
    if signed_in_or_visitor(request) is not None:
        return redirect("home")
    sent = _sent_before(request)
    if sent is None:
        return redirect("sign_up")
    if request.method == "POST":
        if sign_ups.ask(sent, client=_client()) is not None:
            _log_refusal("TooManySignUps")
        return HttpResponseRedirect(f"{reverse('sign_up_sent')}?again")
    return render(request, "organisation/sign_up/sent.html", {"email": sent.email, "again": "again" in request.GET})


def _take(request: HttpRequest) -> HttpResponse:
    typed = {field.name: request.POST.get(field.name, "") for field in _FIELDS}
    new = sign_ups.read(typed)
    wrong = {} if isinstance(new, NewSignUp) else new
    if "terms" not in request.POST:
        wrong = {**wrong, "terms": _AGREE}
    if isinstance(new, dict) or wrong:
        return _form(request, typed, wrong=wrong, status=400)
    if pause := _why_pause(request):
        return _form(request, typed, notice=pause, status=400)
    # People do not see the field `website`, programs fill it in.
    is_of_a_program = bool(request.POST.get("website"))
    if is_of_a_program:
        _log_refusal("FilledInByAProgram")
    refused = None if is_of_a_program else sign_ups.ask(new, client=_client())
    if refused is not None:
        return _too_many(request, typed, refused)
    request.session[_IN_SESSION] = {"organisation": new.organisation, "name": new.name, "email": new.email}
    return redirect("sign_up_sent")


def _too_many(request: HttpRequest, typed: Mapping[str, str], refused: TooMany) -> HttpResponse:
    _log_refusal("TooManySignUps")
    minutes = -(-refused.retry_after // 60)
    notice = _TOO_MANY.format(minutes="a minute" if minutes == 1 else f"{minutes} minutes")
    response = _form(request, typed, notice=notice, status=429)
    response["Retry-After"] = str(refused.retry_after)
    return response


def _form(
    request: HttpRequest,
    typed: Mapping[str, str] | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
    notice: str = "",
    status: int = 200,
) -> HttpResponse:
    typed, wrong = typed or {}, wrong or {}
    fields = [replace(field, value=typed.get(field.name, ""), error=wrong.get(field.name, "")) for field in _FIELDS]
    terms = replace(_TERMS, value=request.POST.get("terms", ""), error=wrong.get("terms", ""))
    context = {
        "fields": fields,
        "terms": terms,
        "wrong": [field for field in (*fields, terms) if field.error],
        "notice": notice,
        "opened": request.POST.get("opened") if _opened_at(request) else signing.dumps(time.time(), salt=_SALT),
    }
    return render(request, "organisation/sign_up/form.html", context, status=status)


def _why_pause(request: HttpRequest) -> str:
    """Why the form has to be sent once more, "" where it need not be."""
    opened_at = _opened_at(request)
    if opened_at is None:
        _log_refusal("FormTooOldOrNotOurs")
        return _TOO_OLD
    if time.time() - opened_at < _SHORTEST_SECONDS:
        _log_refusal("FormSentTooFast")
        return _TOO_FAST
    return ""


def _log_refusal(refusal: str) -> None:
    """For those who look for programs and attacks. Without what was typed."""
    _log.info("sign-up not taken", extra={"refusal": refusal})


def _opened_at(request: HttpRequest) -> float | None:
    """When the form was opened, in seconds since the epoch; None if that is long ago, or not what we wrote."""
    try:
        return float(signing.loads(request.POST.get("opened", ""), salt=_SALT, max_age=_LONGEST_SECONDS))
    except signing.BadSignature:
        return None


def _sent_before(request: HttpRequest) -> NewSignUp | None:
    """What this browser has signed up with."""
    try:
        return NewSignUp(**request.session[_IN_SESSION])
    except (KeyError, TypeError):
        return None


def forget_sent(request: HttpRequest) -> None:
    request.session.pop(_IN_SESSION, None)


def _client() -> str:
    return log_context.facts().get("address", "")
