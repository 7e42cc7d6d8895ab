"""The sign-in pages and the OAuth endpoints, from the view of a browser and a client."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests

from tests.emulator.world import (
    ACME_OWNER,
    GLOBEX_OWNER,
    PASSWORD,
    REDIRECT,
    Person,
    Stack,
    claims,
    wait,
)


@dataclass
class Browser:
    """A browser together with its client: a session with cookies, and a PKCE verifier."""

    stack: Stack
    http: requests.Session = field(default_factory=requests.Session)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def url(self, path: str) -> str:
        return f"{self.stack.emulator.endpoint_url}{path}"

    def query(self, **changes: str) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.stack.client_id,
            "redirect_uri": REDIRECT,
            "state": "the state",
            "nonce": "the nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**query, **changes}.items() if value}

    def authorize(self, **changes: str) -> requests.Response:
        return self.http.get(
            self.url("/oauth2/authorize"), params=self.query(**changes), allow_redirects=False, timeout=10
        )

    def page(self, **changes: str) -> requests.Response:
        return self.http.get(self.url(self.authorize(**changes).headers["Location"]), timeout=10)

    def submit(self, page: requests.Response, **typed: str) -> requests.Response:
        fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None
        where = self.url(unescape(action[1]))
        return self.http.post(where, data={**fields, **typed}, allow_redirects=False, timeout=10)

    def sign_in(self, person: Person = ACME_OWNER, **changes: str) -> str:
        """Returns the authorization code."""
        return code_in(self.submit(self.page(**changes), username=person.email, password=PASSWORD))

    def token(self, auth: tuple[str, str] | None = None, **form: str) -> requests.Response:
        client = auth or (self.stack.client_id, self.stack.secret())
        return self.http.post(self.url("/oauth2/token"), data=form, auth=client, timeout=10)

    def exchange(self, code: str, **changes: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": self.verifier}
        return self.token(**{**form, "code": code, **changes})

    def refresh(self, token: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)


@pytest.fixture
def browser(stack: Stack) -> Browser:
    return Browser(stack)


def redirect_parameters(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def code_in(answer: requests.Response) -> str:
    back = redirect_parameters(answer)
    assert back["state"] == "the state"
    return back["code"]


# ── Pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sign_in_page_has_a_labelled_form_and_no_script(browser: Browser) -> None:
    page = browser.page()
    assert page.status_code == 200
    assert "<title>Sign in</title>" in page.text
    for wanted in ('<label for="username">', 'autocomplete="username"', 'autocomplete="current-password"', "emulator"):
        assert wanted in page.text
    assert "script" not in page.text
    assert ACME_OWNER.email not in page.text
    assert (
        browser.http.get(browser.url("/assets/sign-in.css"), timeout=10).headers["Content-Type"].startswith("text/css")
    )


def test_the_content_policy_blocks_scripts_and_other_redirects(browser: Browser) -> None:
    policy = browser.page().headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:8000" in policy
    assert "frame-ancestors 'none'" in policy


def test_a_wrong_password_and_an_unknown_person_read_the_same(browser: Browser) -> None:
    texts = []
    for email in (ACME_OWNER.email, "nobody@acme.example"):
        answer = browser.submit(browser.page(), username=email, password="wrong")
        assert answer.status_code == 400
        assert "Incorrect username or password." in answer.text
        assert f'value="{email}"' in answer.text
        texts.append(answer.text.replace(email, "-"))
        assert "wrong" not in answer.url + str(answer.headers)
    assert texts[0] == texts[1]


def test_a_disabled_user_sees_the_usual_refusal(browser: Browser, stack: Stack) -> None:
    person = stack.newcomer()
    stack.root("cognito-idp").admin_disable_user(UserPoolId=stack.pool_id, Username=person.email)
    answer = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    assert "Incorrect username or password." in answer.text


def test_typed_text_is_escaped(browser: Browser) -> None:
    answer = browser.submit(browser.page(), username='"><b>', password="x")
    assert "<b>" not in answer.text


def test_a_form_from_elsewhere_signs_nobody_in(browser: Browser) -> None:
    page = browser.page()
    browser.http.cookies.clear()
    answer = browser.submit(page, username=ACME_OWNER.email, password=PASSWORD)
    assert answer.status_code == 400


def test_an_address_is_recognised_in_any_case(browser: Browser) -> None:
    page = browser.page()
    assert code_in(browser.submit(page, username=ACME_OWNER.email.upper(), password=PASSWORD))


def test_a_temporary_password_must_be_replaced(browser: Browser, stack: Stack) -> None:
    person = Person(f"{secrets.token_hex(4)}@acme.example", ACME_OWNER.org, "viewer")
    stack.create(person, permanent=False)
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    assert "<h1>Choose a password</h1>" in page.text
    assert page.text.count('autocomplete="new-password"') == 2
    unequal = browser.submit(page, new_password="Mine-is-longer-9", confirm_password="another")
    assert "are different" in unequal.text
    short = browser.submit(page, new_password="short", confirm_password="short")
    assert "greater than or equal to 12" in short.text
    done = browser.submit(page, new_password="Mine-is-longer-9", confirm_password="Mine-is-longer-9")
    assert browser.exchange(code_in(done)).status_code == 200
    again = browser.submit(page, new_password="Mine-is-longest-9", confirm_password="Mine-is-longest-9")
    assert again.status_code == 400


def test_an_unregistered_client_or_address_gets_no_redirect(browser: Browser) -> None:
    for changes in (
        {"client_id": "somebody"},
        {"redirect_uri": REDIRECT + "x"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": ""},
    ):
        answer = browser.authorize(**changes)
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert "<h1>This request is not valid</h1>" in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unauthorized_client"),
        ({"response_type": "other"}, "invalid_request"),
        ({"scope": "openid aws.cognito.signin.user.admin"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
def test_an_invalid_request_redirects_the_error_to_the_client(
    browser: Browser, changes: dict[str, str], error: str
) -> None:
    assert redirect_parameters(browser.authorize(**changes)) == {"error": error, "state": "the state"}


# ── Browser sessions ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_client_request_needs_no_password(browser: Browser) -> None:
    browser.sign_in()
    assert code_in(browser.authorize())
    assert browser.authorize(prompt="login").headers["Location"].startswith("/login?")


def test_scripts_cannot_read_the_session_cookie(browser: Browser) -> None:
    answer = browser.submit(browser.page(), username=ACME_OWNER.email, password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    for wanted in ("HttpOnly", "SameSite=Lax", "Max-Age=3600", "Path=/"):
        assert wanted in cookie


def test_after_signing_out_the_password_is_asked_for_again(browser: Browser, stack: Stack) -> None:
    browser.sign_in()
    old = browser.http.cookies.copy()
    query = {"client_id": stack.client_id, "logout_uri": "http://localhost:8000/"}
    answer = browser.http.get(browser.url("/logout"), params=query, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://localhost:8000/")
    assert browser.authorize().headers["Location"].startswith("/login?")
    browser.http.cookies.update(old)
    assert browser.authorize().headers["Location"].startswith("/login?")


def test_signing_out_returns_only_to_a_registered_address(browser: Browser, stack: Stack) -> None:
    for query in (
        {"client_id": stack.client_id, "logout_uri": "https://evil.example/"},
        {"client_id": stack.client_id},
        {"client_id": "x", "logout_uri": "http://localhost:8000/"},
    ):
        answer = browser.http.get(browser.url("/logout"), params=query, allow_redirects=False, timeout=10)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_signing_out_can_redirect_to_the_sign_in_page(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.http.get(browser.url("/logout"), params=browser.query(), allow_redirects=False, timeout=10)
    again = browser.http.get(browser.url(answer.headers["Location"]), timeout=10)
    assert "<title>Sign in</title>" in again.text


def test_a_session_of_one_pool_does_not_work_in_another(browser: Browser, loose_stack: Stack) -> None:
    browser.sign_in()
    assert Browser(loose_stack, browser.http).authorize().headers["Location"].startswith("/login?")


# ── Codes and tokens ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tokens_verify_against_the_published_keys(browser: Browser, stack: Stack) -> None:
    tokens = browser.exchange(browser.sign_in()).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    keys = jwt.PyJWKClient(browser.url(f"/{stack.pool_id}/.well-known/jwks.json"))
    issuer = f"https://cognito-idp.eu-west-1.amazonaws.com/{stack.pool_id}"
    wanted = {"algorithms": ["RS256"], "issuer": issuer, "audience": stack.client_id}
    found = jwt.decode(tokens["id_token"], keys.get_signing_key_from_jwt(tokens["id_token"]).key, **wanted)
    assert (found["nonce"], found["token_use"], found["email_verified"]) == ("the nonce", "id", True)
    assert (found["custom:org"], found["custom:role"]) == (ACME_OWNER.org, "owner")
    assert found["exp"] - found["iat"] == 600
    access = claims(tokens["access_token"])
    assert (access["token_use"], access["client_id"], access["scope"]) == (
        "access",
        stack.client_id,
        "openid email profile",
    )
    assert "aud" not in access
    heads = [jwt.get_unverified_header(tokens[name])["kid"] for name in ("id_token", "access_token")]
    assert heads[0] != heads[1]


def test_discovery_has_awss_issuer_and_local_endpoints(browser: Browser, stack: Stack) -> None:
    found = browser.http.get(browser.url(f"/{stack.pool_id}/.well-known/openid-configuration"), timeout=10).json()
    assert found["issuer"] == f"https://cognito-idp.eu-west-1.amazonaws.com/{stack.pool_id}"
    assert found["token_endpoint"] == browser.url("/oauth2/token")
    assert browser.http.get(browser.url("/eu-west-1_nothing/.well-known/jwks.json"), timeout=10).status_code == 404


def test_a_code_works_once(browser: Browser) -> None:
    code = browser.sign_in()
    assert browser.exchange(code).status_code == 200
    again = browser.exchange(code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "v" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://localhost:8000/"},
        {"code": "guessed"},
    ],
    ids=str,
)
def test_a_code_needs_its_own_verifier_and_redirect_address(browser: Browser, changes: dict[str, str]) -> None:
    answer = browser.exchange(**{"code": browser.sign_in(), **changes})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


def test_a_client_authenticates_by_header_or_form(browser: Browser, stack: Stack) -> None:
    code = browser.sign_in()
    form = {
        "grant_type": "authorization_code",
        "redirect_uri": REDIRECT,
        "code": code,
        "code_verifier": browser.verifier,
    }
    wrong = browser.token((stack.client_id, "guessed"), **form)
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_client"})
    post = {**form, "client_id": stack.client_id, "client_secret": stack.secret()}
    assert requests.post(browser.url("/oauth2/token"), data=post, timeout=10).status_code == 200
    missing = requests.post(browser.url("/oauth2/token"), data={**form, "client_id": stack.client_id}, timeout=10)
    assert missing.json() == {"error": "invalid_client"}


def test_an_unsupported_grant_type_is_refused(browser: Browser) -> None:
    assert browser.token(grant_type="password", username="x").json() == {"error": "unsupported_grant_type"}
    assert browser.token().json() == {"error": "invalid_request"}


@pytest.mark.parametrize("missing", ["code", "redirect_uri"])
def test_a_code_request_needs_all_its_parameters(browser: Browser, missing: str) -> None:
    code = browser.sign_in()
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code": code}
    form |= {"code_verifier": browser.verifier}
    given = {name: value for name, value in form.items() if name != missing}
    for incomplete in (given, {**given, missing: ""}):
        answer = browser.token(**incomplete)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert browser.token(**form).status_code == 200


def test_a_refresh_request_needs_a_refresh_token(browser: Browser) -> None:
    for given in ({}, {"refresh_token": ""}):
        answer = browser.token(grant_type="refresh_token", **given)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_a_used_refresh_token_works_again_within_the_grace_period(browser: Browser) -> None:
    first = browser.exchange(browser.sign_in()).json()
    second = browser.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert claims(second["id_token"])["auth_time"] == claims(first["id_token"])["auth_time"]
    assert browser.refresh(first["refresh_token"]).status_code == 200
    assert browser.refresh(second["refresh_token"]).status_code == 200


def test_a_used_refresh_token_fails_after_the_grace_period(impatient_stack: Stack) -> None:
    browser = Browser(impatient_stack)
    tokens = browser.exchange(browser.sign_in()).json()
    successor = browser.refresh(tokens["refresh_token"]).json()["refresh_token"]
    wait(0.1)
    assert browser.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert browser.refresh(successor).status_code == 200


@pytest.mark.parametrize("ending", ["admin_user_global_sign_out", "admin_disable_user", "admin_delete_user"])
def test_signed_out_disabled_or_deleted_users_cannot_refresh(browser: Browser, stack: Stack, ending: str) -> None:
    person = stack.newcomer()
    tokens = browser.exchange(browser.sign_in(person)).json()
    getattr(stack.root("cognito-idp"), ending)(UserPoolId=stack.pool_id, Username=person.email)
    assert browser.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert _user_info(browser, tokens["access_token"]).status_code == 401


def test_a_code_from_before_the_sign_out_fails(browser: Browser, stack: Stack) -> None:
    person = stack.newcomer()
    code = browser.sign_in(person)
    stack.root("cognito-idp").admin_user_global_sign_out(UserPoolId=stack.pool_id, Username=person.email)
    assert browser.exchange(code).json() == {"error": "invalid_grant"}


def test_revoking_a_token_ends_only_its_sign_in(browser: Browser, stack: Stack) -> None:
    first, other = (browser.exchange(code).json() for code in (browser.sign_in(), code_in(browser.authorize())))
    rotated = browser.refresh(first["refresh_token"]).json()["refresh_token"]
    client = (stack.client_id, stack.secret())
    url = browser.url("/oauth2/revoke")
    assert requests.post(url, data={"token": rotated}, auth=(client[0], "x"), timeout=10).status_code == 401
    assert requests.post(url, data={"token": rotated}, auth=client, timeout=10).status_code == 200
    assert requests.post(url, data={"token": rotated}, auth=client, timeout=10).status_code == 200
    assert requests.post(url, data={}, auth=client, timeout=10).json() == {"error": "invalid_request"}
    for dead in (first["refresh_token"], rotated):
        assert browser.refresh(dead).json() == {"error": "invalid_grant"}
    assert browser.refresh(other["refresh_token"]).status_code == 200


def test_a_changed_role_is_in_the_next_token(browser: Browser, stack: Stack) -> None:
    person = stack.newcomer(role="viewer")
    tokens = browser.exchange(browser.sign_in(person)).json()
    assert claims(tokens["id_token"])["custom:role"] == "viewer"
    stack.root("cognito-idp").admin_update_user_attributes(
        UserPoolId=stack.pool_id, Username=person.email, UserAttributes=[{"Name": "custom:role", "Value": "admin"}]
    )
    assert claims(browser.refresh(tokens["refresh_token"]).json()["id_token"])["custom:role"] == "admin"


def test_user_info_accepts_only_an_access_token(browser: Browser) -> None:
    tokens = browser.exchange(browser.sign_in(GLOBEX_OWNER)).json()
    found = _user_info(browser, tokens["access_token"]).json()
    assert (found["email"], found["email_verified"]) == (GLOBEX_OWNER.email, "true")
    for wrong in (tokens["id_token"], "x.y.z", ""):
        assert _user_info(browser, wrong).status_code == 400


def _user_info(browser: Browser, token: str) -> requests.Response:
    return requests.get(browser.url("/oauth2/userInfo"), headers={"Authorization": f"Bearer {token}"}, timeout=10)
