"""The one table of errors: the HTTP status, the page and the log level of each."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.urls import reverse

from tenants.audit import record_refusal_once
from tenants.audit.actions import Action
from tenants.aws.failures import CredentialsExpired, IdentityUnknown, TokenRefused
from tenants.domain import errors
from tenants.domain.actor import VISITOR
from tenants.domain.log_context import request_id
from tenants.pages.kept_form import KeptForm, kept_form
from tenants.pages.outages import outage_behind
from tenants.pages.routes import route_of
from tenants.sign_in.access import person_of_session
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import code_flows

_log = logging.getLogger("portal.refusals")


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    template: str
    # A level of the logging module. ERROR means that an operator must act.
    level: int = logging.INFO
    # Whether it is in the audit trail. Refusals of a person are; a request to sign in and failures of AWS are not.
    recorded: bool = False


REFUSALS: dict[type[errors.PortalError], Refusal] = {
    errors.SignInNeeded: Refusal(401, "sign_in_needed"),
    errors.SessionEnded: Refusal(401, "session_ended", recorded=True),
    TokenRefused: Refusal(401, "session_ended", recorded=True),
    IdentityUnknown: Refusal(401, "session_ended", recorded=True),
    errors.SignInFailed: Refusal(400, "sign_in_failed", logging.WARNING, recorded=True),
    errors.NoOrganisation: Refusal(403, "no_organisation", recorded=True),
    errors.ArrivalNeeded: Refusal(403, "arrival_needed"),
    errors.MembershipEnded: Refusal(403, "membership_ended", recorded=True),
    errors.MembershipChanged: Refusal(403, "membership_changed", logging.WARNING, recorded=True),
    errors.TenantSuspended: Refusal(403, "suspended", recorded=True),
    errors.RoleTooLow: Refusal(403, "role_too_low", recorded=True),
    errors.NotAllowed: Refusal(403, "not_allowed", recorded=True),
    errors.OnlyOperatorsPages: Refusal(403, "only_operators_pages", recorded=True),
    errors.DeniedByAws: Refusal(403, "denied_by_aws", logging.WARNING, recorded=True),
    errors.RecordNotFound: Refusal(404, "not_found"),
    errors.RecordChanged: Refusal(409, "not_now"),
    errors.InvalidInput: Refusal(400, "invalid_input"),
    errors.UserExists: Refusal(409, "not_now"),
    errors.UserGone: Refusal(409, "not_now"),
    errors.RefusedByCognito: Refusal(400, "invalid_input", logging.WARNING),
    errors.NotInvited: Refusal(409, "not_now"),
    errors.UndeliverableMail: Refusal(409, "not_now", logging.WARNING),
    errors.MailLimitReached: Refusal(503, "not_now", logging.WARNING),
    errors.NotNow: Refusal(409, "not_now"),
    errors.Throttled: Refusal(503, "unavailable", logging.WARNING),
    errors.Unreachable: Refusal(503, "unavailable", logging.WARNING),
    CredentialsExpired: Refusal(503, "unavailable", logging.WARNING),
    errors.Misconfigured: Refusal(500, "misconfigured", logging.ERROR),
}
# Sending a form again to an address that takes none, or that is gone, has no use.
_NOT_SENT_AGAIN = {404, 405}
_TOO_LONG = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
_OUTAGE_SECONDS = 5


def refuse(request: HttpRequest, error: errors.PortalError) -> HttpResponse:
    """The response to a request that raised `error`. Also ends the session, if the error says that it has ended."""
    refusal, why = REFUSALS[type(error)], error.for_operators
    _log.log(refusal.level, "refused", extra={"refusal": type(error).__name__, "why": error.for_log})
    if refusal.recorded:
        record_refusal(request, type(error).__name__, why=why)
    if refusal.template == "session_ended":
        request.session.flush()
    if request.headers.get("HX-Request"):
        # A partial update cannot show the refusal, so the browser loads the whole page instead.
        return HttpResponse(status=204, headers={"HX-Redirect": request.get_full_path()})
    if isinstance(error, errors.SignInNeeded) and request.method == "GET":
        return HttpResponseRedirect(_sign_in_address(request))
    if isinstance(error, errors.ArrivalNeeded) and request.method == "GET":
        return HttpResponseRedirect(reverse("welcome"))
    response = _page(request, refusal.template, refusal.status, error=error)
    if isinstance(error, errors.Unavailable):
        response["Retry-After"] = str(error.retry_after)
    return response


def record_refusal(
    request: HttpRequest, refusal: str, *, why: str, action: Action = Action.REFUSED, asked_for: str = ""
) -> None:
    """Adds a refusal to the audit trail, with the page's route: its address may hold the key of a record.

    `asked_for` is whose rows the person asked for; the organisation in the page's address if it is not given.
    """
    who: SignedIn | None = getattr(request, "signed_in", None) or person_of_session(request)
    match = request.resolver_match
    if refusal == "SignInFailed":
        action = Action.SIGN_IN_FAILED
    more = {"led_by": "Another site"} if action == Action.REFUSED and _is_led_by_another_site(request) else {}
    record_refusal_once(
        action,
        by=who.actor if who else VISITOR,
        org=who.org if who else None,
        target=route_of(request) if match else "/",
        refusal=refusal,
        why=why,
        asked_for=asked_for or str(match.kwargs.get("org_id", "") if match else ""),
        **more,
    )


def _is_led_by_another_site(request: HttpRequest) -> bool:
    """Whether a link or a picture elsewhere made the browser ask, as far as the browser says so.

    https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
    """
    return request.headers.get("Sec-Fetch-Site", "") in {"cross-site", "same-site"}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    # Django's own line about it has a traceback, although any client can cause one, and words of the client.
    _log.info("bad request", extra={"refusal": type(exception).__name__})
    # Django has dropped what it could not read.
    too_long = {"kept": KeptForm(is_too_long=True)} if isinstance(exception, _TOO_LONG) else {}
    return _page(request, "bad_request", 400, **too_long)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django passes it
    return _page(request, "forbidden", 403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django passes it
    return _page(request, "page_not_found", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls it while it handles the error. Where the database or the cache is away, that is said instead."""
    if why := outage_behind(sys.exc_info()[1]):
        return _outage(request, why)
    return _bare_page("server_error", 500, kept_values(request))


def _outage(request: HttpRequest, why: str) -> HttpResponse:
    _log.error("unavailable", extra={"refusal": "Outage", "why": why})
    page = _bare_page("outage", 503, kept_values(request))
    page["Retry-After"] = str(_OUTAGE_SECONDS)
    # Otherwise Django would log a traceback for each request while the database is away.
    page._has_been_logged = True  # type: ignore[attr-defined]
    return page


def too_large(most_bytes: int) -> HttpResponse:
    """The answer to a body that nothing has read. Also ends the connection, if the server did not read it all."""
    return _bare_page("too_large", 413, {"most": filesizeformat(most_bytes), "kept": KeptForm(is_too_long=True)})


def _bare_page(template: str, status: int, values: dict[str, object]) -> HttpResponse:
    """Without the header, which reads the session and the database. One of them may have failed."""
    context = {"request_id": request_id(), **values}
    return HttpResponse(render_to_string(f"pages/refusals/{template}.html", context), status=status)


def kept_values(request: HttpRequest) -> dict[str, object]:
    return {"kept": kept_form(request), "csrf_token": get_token(request), "who_is_unknown": True}


def method_not_allowed(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """A page instead of an empty response. Keeps the header `Allow`, which lists the methods."""
    page = _page(request, "method_not_allowed", 405)
    page["Allow"] = answer.headers.get("Allow", "")
    return page


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    # What follows can be the address of the page with the form.
    _log.info("stale form", extra={"refusal": "CSRF", "why": reason.partition(" - ")[0]})
    return _page(request, "stale_form", 403)


def _page(request: HttpRequest, template: str, status: int, **context: object) -> HttpResponse:
    values = {
        "request_id": request_id(),
        "sign_in_address": _sign_in_address(request),
        "kept": kept_form(request, may_be_sent=status not in _NOT_SENT_AGAIN),
        "sign_in_first": status == 401,
        **context,
    }
    return render(request, f"pages/refusals/{template}.html", values, status=status)


def _sign_in_address(request: HttpRequest) -> str:
    """Leads back to this page after signing in. After a POST, leads to the page with the form, to be sent again."""
    next_page = request.get_full_path() if request.method == "GET" else request.headers.get("Referer", "/")
    if request.path.startswith("/oidc/"):
        next_page = code_flows().target_of(request)
    return f"{reverse('oidc_authentication_init')}?{urlencode({'next': next_page})}"
