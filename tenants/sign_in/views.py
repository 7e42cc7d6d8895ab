"""Signing in and out: mozilla-django-oidc's flow, the checks it leaves out, Cognito's own sign-out, and the page of a
break-glass link.

The library makes state, nonce and PKCE and keeps them in the session. `tenants.aws.id_tokens` verifies the token;
`sessions` finds the person by their `sub`, never by their e-mail, and keeps the tokens.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import absolutify
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from tenants.domain.errors import SignInFailed
from tenants.domain.log_context import note
from tenants.models import Person
from tenants.sign_in.access import open_to_all, remember, remember_break_glass, unchecked_person
from tenants.sign_in.break_glass import Refused, use_link
from tenants.sign_in.sessions import person_for
from tenants.sign_in.wiring import federation, sessions, token_endpoint, verifier

_log = logging.getLogger(__name__)
# https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
_ERRORS = {
    "access_denied", "invalid_request", "invalid_scope", "login_required", "server_error", "temporarily_unavailable",
    "unauthorized_client", "unsupported_response_type",
}  # fmt: skip


class CognitoBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Replaces the library's token handling: its code that skips a check is never reached."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Person | None:
        """Raises SignInFailed, Throttled or Unreachable. Leaves `request.sign_in` for the callback to keep."""
        nonce, code_verifier = credentials.get("nonce"), credentials.get("code_verifier")
        if request is None or not nonce or not code_verifier:
            return None
        tokens = token_endpoint().trade_code(
            code=request.GET["code"],
            redirect_uri=absolutify(request, reverse("oidc_authentication_callback")),
            code_verifier=code_verifier,
        )
        claims = verifier().verify(tokens.id_token, nonce=nonce)
        person = person_for(claims)
        request.sign_in = (tokens, claims)  # type: ignore[attr-defined]
        return person

    def get_user(self, user_id: Any) -> Person | None:
        return Person.objects.filter(pk=user_id).first()


class SignUpRequest(OIDCAuthenticationRequestView):  # type: ignore[misc]
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
        response: HttpResponse = super().get(request)
        return response


class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Where Cognito sends people back to. Every failure is a SignInFailed, hence a page that says what to do."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if "error" in request.GET:
            # The library would sign out a person who follows a link with an error in it.
            self._forget_state()
            error = request.GET["error"]
            raise SignInFailed(f"Cognito answered {error}" if error in _ERRORS else "Cognito answered with an error")
        try:
            response: HttpResponse = super().get(request)
        except SuspiciousOperation as error:
            raise SignInFailed("this sign-in was not started in this browser, or was used before") from error
        return response

    def login_failure(self) -> HttpResponse:
        raise SignInFailed("no sign-in was under way in this browser")

    def _forget_state(self) -> None:
        states = self.request.session.get("oidc_states", {})
        if states.pop(self.request.GET.get("state"), None):
            self.request.session.modified = True

    def login_success(self) -> HttpResponse:
        request, destination = self.request, self.success_url
        before = unchecked_person(request)
        tokens, claims = request.sign_in
        auth.login(request, self.user)
        sign_in_id = sessions().begin(self.user, tokens, claims)
        remember(request, sign_in_id=sign_in_id, person_id=self.user.pk, claims=claims)
        request.session.pop("oidc_login_next", None)
        # Other tabs may be signing in, too.
        if not request.session.get("oidc_states"):
            request.session.pop("oidc_states", None)
        if before is not None:
            federation().drop(before)
            sessions().end(before, why="somebody signed in again in the same browser")
        note(sub=claims.sub, org=claims.org)
        _log.info("signed in")
        return HttpResponseRedirect(destination)


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
        return HttpResponseRedirect(reverse("home"))
    # Cognito's own form of logout, not OpenID Connect's:
    # https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
    back = {"client_id": settings.OIDC_RP_CLIENT_ID, "logout_uri": f"{settings.PORTAL_URL}/"}
    return HttpResponseRedirect(f"{settings.COGNITO_DOMAIN}/logout?{urlencode(back)}")


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
