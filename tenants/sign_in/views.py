"""Signing in and out: mozilla-django-oidc's flow, the checks it leaves out, Cognito's own sign-out, and the page of a
break-glass link.

`code_flows` keeps state, nonce and PKCE verifier, one cookie a sign-in. `tenants.aws.id_tokens` verifies the token;
`sessions` finds the person by their `sub`, never by their e-mail, and keeps the tokens.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import generate_code_challenge
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from tenants.aws.token_endpoint import Tokens
from tenants.domain.browsers import browser_in_words
from tenants.domain.claims import Claims
from tenants.domain.errors import Misconfigured, SignInFailed
from tenants.domain.log_context import note
from tenants.models import Person
from tenants.sign_in.access import open_to_all, remember, remember_break_glass, unchecked_person
from tenants.sign_in.break_glass import Refused, use_link
from tenants.sign_in.code_flows import CodeFlow
from tenants.sign_in.own_pages import own_page
from tenants.sign_in.own_sessions import hashed_id
from tenants.sign_in.sessions import person_for
from tenants.sign_in.wiring import code_flows, federation, sessions, token_endpoint, verifier

_log = logging.getLogger(__name__)
# https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
_ERRORS = {
    "access_denied", "invalid_request", "invalid_scope", "login_required", "server_error", "temporarily_unavailable",
    "unauthorized_client", "unsupported_response_type",
}  # fmt: skip


class CognitoBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Replaces the library's token handling: its code that skips a check is never reached."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Person | None:
        """None where Cognito does not take the code: it was used before, or has expired.

        Raises SignInFailed, Throttled or Unreachable. Leaves `request.sign_in` for the callback to keep.
        """
        nonce, code_verifier = credentials.get("nonce"), credentials.get("code_verifier")
        if request is None or not nonce or not code_verifier:
            return None
        tokens = _trade(request.GET["code"], code_verifier)
        if tokens is None:
            return None
        claims = verifier().verify(tokens.id_token, nonce=nonce)
        person = person_for(claims)
        request.sign_in = (tokens, claims)  # type: ignore[attr-defined]
        return person

    def get_user(self, user_id: Any) -> Person | None:
        return Person.objects.filter(pk=user_id).first()


def _trade(code: str, code_verifier: str) -> Tokens | None:
    try:
        return token_endpoint().trade_code(code=code, redirect_uri=callback_address(), code_verifier=code_verifier)
    except Misconfigured as error:
        _log.error("Cognito refuses this client", extra={"why": error.why})
        raise SignInFailed("the portal is not set up correctly; its operators can see why in the log") from error


def callback_address() -> str:
    """Where Cognito sends people back to. It is in PORTAL_URL's name, however a request came in."""
    return f"{settings.PORTAL_URL}{reverse('oidc_authentication_callback')}"


class SignInRequest(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Starts a sign-in on Cognito's pages. `next` is the page to land on."""

    def get(self, request: HttpRequest) -> HttpResponse:
        flow = code_flows().start(target=own_page(request.GET.get("next", "")) or _home())
        response = HttpResponseRedirect(f"{self.OIDC_OP_AUTH_ENDPOINT}?{urlencode(self.parameters(flow))}")
        code_flows().keep(flow, request, response)
        return response

    def parameters(self, flow: CodeFlow) -> dict[str, str]:
        """Like the library's, which would keep state and nonce in the session and take the request's host."""
        method = settings.OIDC_PKCE_CODE_CHALLENGE_METHOD
        return {
            "response_type": "code",
            "scope": settings.OIDC_RP_SCOPES,
            "client_id": self.OIDC_RP_CLIENT_ID,
            "redirect_uri": callback_address(),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": generate_code_challenge(flow.code_verifier, method),
            "code_challenge_method": method,
        }


class SignUpRequest(SignInRequest):
    """Starts a sign-in on Cognito's sign-up page, for stacks where people sign up there.

    That page takes the parameters of the authorization endpoint. Somebody who has confirmed their address is signed in:
    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-managed-login.html
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.OIDC_OP_AUTH_ENDPOINT = f"{settings.COGNITO_DOMAIN}/signup"

    def get(self, request: HttpRequest) -> HttpResponse:
        if settings.SIGN_UP != "hosted-ui":
            return HttpResponseRedirect(reverse("sign_up"))
        return super().get(request)


class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Where Cognito sends people back to. Every failure is a SignInFailed, hence a page that says what to do.

    A state that this browser did not start, or that has been used, leads somebody who is signed in to the page that
    they came for: they went back, or followed a link that somebody made.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        flow = code_flows().find(request, request.GET.get("state", ""))
        if flow is None or flow.used:
            return self._send_on(
                flow, "this sign-in was not started in this browser, took too long, or was used before"
            )
        if "code" not in request.GET:
            error = request.GET.get("error")
            raise SignInFailed(f"Cognito answered {error}" if error in _ERRORS else "Cognito answered with an error")
        person = auth.authenticate(request, nonce=flow.nonce, code_verifier=flow.code_verifier)
        if person is None:
            return self._send_on(flow, "the code of this sign-in was used before, or has expired")
        response = self._sign_in(person, flow)
        code_flows().keep(replace(flow, used=True), request, response)
        return response

    def _send_on(self, flow: CodeFlow | None, why: str) -> HttpResponse:
        if unchecked_person(self.request) is None:
            raise SignInFailed(why)
        return HttpResponseRedirect(flow.target if flow else _home())

    def _sign_in(self, person: Person, flow: CodeFlow) -> HttpResponse:
        tokens, claims = self.request.sign_in
        sign_in_id = _begin(self.request, person, tokens, claims)
        remember(self.request, sign_in_id=sign_in_id, person_id=person.pk, claims=claims, endings=person.endings)
        note(sub=claims.sub, org=claims.org)
        _log.info("signed in")
        return HttpResponseRedirect(flow.target)


def _begin(request: HttpRequest, person: Person, tokens: Tokens, claims: Claims) -> uuid.UUID:
    """Another tab may have signed the same person in: its session goes on, with the newer tokens."""
    before = unchecked_person(request)
    if before is not None:
        federation().drop(before)
        if before.claims.sub == claims.sub and sessions().begin_again(before.sign_in_id, person, tokens, claims):
            return before.sign_in_id
    auth.login(request, person)
    if request.session.session_key is None:
        # Django has emptied the session of somebody else. The new one would get its id with the response only.
        request.session.save()
    session_hash, browser = hashed_id(request), browser_in_words(request.headers.get("User-Agent", ""))
    sign_in_id = sessions().begin(person, tokens, claims, session_hash=session_hash, browser=browser)
    if before is not None:
        sessions().end(before, why="somebody signed in again in the same browser")
    return sign_in_id


def _home() -> str:
    return reverse("home")


@open_to_all
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends this session, the tokens behind it, and the session of the sign-in pages."""
    who = unchecked_person(request)
    if who is not None:
        note(sub=who.claims.sub, org=who.claims.org)
        federation().drop(who)
        sessions().end(who)
        _log.info("signed out")
    auth.logout(request)
    if who is not None and who.break_glass:
        return _forgotten(HttpResponseRedirect(reverse("home")))
    # Cognito's own form of logout, not OpenID Connect's:
    # https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
    back = {"client_id": settings.OIDC_RP_CLIENT_ID, "logout_uri": f"{settings.PORTAL_URL}/"}
    return _forgotten(HttpResponseRedirect(f"{settings.COGNITO_DOMAIN}/logout?{urlencode(back)}"))


def _forgotten(response: HttpResponse) -> HttpResponse:
    """The browser also drops the pages that it keeps for Back, in every tab, and what pages of this site stored."""
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("key")
def break_glass(request: HttpRequest) -> HttpResponse:
    """The page of a break-glass link. Its key stands behind the # of the address, which browsers do not send.

    Opening the page does not use the link: a program that fetches links in advance does no harm.
    """
    if request.method != "POST":
        return _break_glass_page(request)
    before = unchecked_person(request)
    opened = use_link(request.POST.get("key", ""))
    if isinstance(opened, Refused):
        return _break_glass_page(request, refused=opened)
    if before is not None:
        federation().drop(before)
        sessions().end(before, why="a break-glass link was used in the same browser")
    remember_break_glass(request, opened)
    rotate_token(request)
    _log.warning("break-glass link used", extra={"break_glass": opened.link_id})
    return HttpResponseRedirect(reverse("operators:overview"))


def _break_glass_page(request: HttpRequest, *, refused: Refused | None = None) -> HttpResponse:
    status = {None: 200, Refused.NOT_GOOD: 403, Refused.TOO_OFTEN: 429}[refused]
    response = render(request, "sign_in/break_glass.html", {"refused": refused and refused.value}, status=status)
    if refused is Refused.TOO_OFTEN:
        response["Retry-After"] = "60"
    return response
