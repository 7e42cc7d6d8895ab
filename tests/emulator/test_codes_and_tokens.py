"""The OAuth endpoints behind the sign-in pages, from the view of a client."""

import jwt
import pytest
import requests

from tests.emulator.browser import Browser, code_in
from tests.emulator.world import (
    ACME_OWNER,
    GLOBEX_OWNER,
    REDIRECT,
    Stack,
    claims,
    wait,
)


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
