"""The one table of errors: the HTTP status, the page and the log level of each."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse

from tenants.audit import record_refusal_once
from tenants.audit.actions import Action
from tenants.aws.failures import CredentialsExpired, IdentityUnknown, TokenRefused
from tenants.domain import errors
from tenants.domain.actor import VISITOR
from tenants.domain.log_context import request_id
from tenants.sign_in.access import unchecked_person
from tenants.sign_in.sessions import SignedIn

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
    errors.MembershipEnded: Refusal(403, "membership_ended", recorded=True),
    errors.MembershipChanged: Refusal(403, "membership_changed", logging.WARNING, recorded=True),
    errors.TenantSuspended: Refusal(403, "suspended", recorded=True),
    errors.RoleTooLow: Refusal(403, "role_too_low", recorded=True),
    errors.NotAllowed: Refusal(403, "not_allowed", recorded=True),
    errors.OnlyOperatorsPages: Refusal(403, "only_operators_pages", recorded=True),
    errors.DeniedByAws: Refusal(403, "denied_by_aws", logging.WARNING, recorded=True),
    errors.RecordNotFound: Refusal(404, "not_found"),
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
# Fields that a person does not type: hidden ones, and choices that are quick to make again.
_NOT_TYPED = {"csrfmiddlewaretoken", "chosen", "list", "over", "role", "plan"}
_CONVERTER = re.compile(r"<\w+:")


def refuse(request: HttpRequest, error: errors.PortalError) -> HttpResponse:
    """The response to a request that raised `error`. Also ends the session, if the error says that it has ended."""
    refusal, why = REFUSALS[type(error)], error.for_operators
    _log.log(refusal.level, error.message, extra={"refusal": type(error).__name__, "why": why})
    if refusal.recorded:
        record_refusal(request, type(error).__name__, why=why)
    if refusal.template == "session_ended":
        request.session.flush()
    if request.headers.get("HX-Request"):
        # A partial update cannot show the refusal, so the browser loads the whole page instead.
        return HttpResponse(status=204, headers={"HX-Redirect": request.get_full_path()})
    if isinstance(error, errors.SignInNeeded) and request.method == "GET":
        return HttpResponseRedirect(_sign_in_address(request))
    response = _page(request, refusal.template, refusal.status, error=error, sent=_sent(request))
    if isinstance(error, errors.Unavailable):
        response["Retry-After"] = str(error.retry_after)
    return response


def record_refusal(request: HttpRequest, refusal: str, *, why: str, **more: str) -> None:
    """Adds a refusal to the audit trail, with the page's route: its address may hold the key of a record."""
    who: SignedIn | None = getattr(request, "signed_in", None) or unchecked_person(request)
    route = request.resolver_match.route if request.resolver_match else ""
    record_refusal_once(
        Action.SIGN_IN_FAILED if refusal == "SignInFailed" else Action.REFUSED,
        by=who.actor if who else VISITOR,
        org=who.org if who else None,
        target=f"/{_CONVERTER.sub('<', route)}",
        refusal=refusal,
        why=why,
        **more,
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django passes it
    return _page(request, "bad_request", 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django passes it
    return _page(request, "forbidden", 403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django passes it
    return _page(request, "page_not_found", 404)


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    # Rendered without the header, which reads the session and the database. One of them may have failed.
    return HttpResponse(render_to_string("pages/refusals/server_error.html", {"request_id": request_id()}), status=500)


def method_not_allowed(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """A page instead of an empty response. Keeps the header `Allow`, which lists the methods."""
    page = _page(request, "method_not_allowed", 405)
    page["Allow"] = answer.headers.get("Allow", "")
    return page


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    _log.info("stale form", extra={"refusal": "CSRF", "why": reason})
    return _page(request, "stale_form", 403)


def _page(request: HttpRequest, template: str, status: int, **context: object) -> HttpResponse:
    values = {"request_id": request_id(), "sign_in_address": _sign_in_address(request), **context}
    return render(request, f"pages/refusals/{template}.html", values, status=status)


def _sent(request: HttpRequest) -> list[tuple[str, str]]:
    """The texts that a person typed into the form (label, text), so that they can copy them from the page."""
    texts = ((name, str(value).strip()) for name, value in request.POST.items() if name not in _NOT_TYPED)
    return [(name.replace("_", " ").capitalize(), text) for name, text in texts if text]


def _sign_in_address(request: HttpRequest) -> str:
    """Leads back to this page after signing in. After a POST, leads to the page with the form, to be sent again."""
    next_page = request.get_full_path() if request.method == "GET" else request.headers.get("Referer", "/")
    if request.path.startswith("/oidc/"):
        next_page = request.session.get("oidc_login_next") or "/"
    return f"{reverse('oidc_authentication_init')}?{urlencode({'next': next_page})}"
