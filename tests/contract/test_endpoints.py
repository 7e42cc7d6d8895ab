"""The sign-in domain: its endpoints, its keys and the tokens it issues."""

import base64
import hmac
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests

from tests.contract.stacks import Tenant, Where

_PKCE = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}


def authorize(where: Where, **changes: str) -> requests.Response:
    query = {
        "response_type": "code",
        "client_id": where.outputs["LoginClientId"],
        "redirect_uri": where.redirect_uri,
        "scope": "openid email",
        "state": "kept",
        **_PKCE,
        **changes,
    }
    return requests.get(f"{where.domain}/oauth2/authorize", params=query, allow_redirects=False, timeout=60)


def client_secret(where: Where) -> str:
    asked = {"UserPoolId": where.outputs["UserPoolId"], "ClientId": where.outputs["LoginClientId"]}
    described = where.admin("cognito-idp").describe_user_pool_client(**asked)
    return str(described["UserPoolClient"]["ClientSecret"])


def token(where: Where, secret: str, **form: str) -> tuple[int, Any]:
    auth = (where.outputs["LoginClientId"], secret)
    answer = requests.post(f"{where.domain}/oauth2/token", data=form, auth=auth, timeout=60)
    return answer.status_code, answer.json()


@pytest.mark.fact("A3.2")
@pytest.mark.parametrize("change", [{"client_id": "nobody"}, {"redirect_uri": "https://elsewhere.example/"}])
def test_an_unknown_client_or_redirect_is_not_sent_back(where: Where, change: dict[str, str]) -> None:
    answer = authorize(where, **change)
    assert 300 <= answer.status_code < 500
    host = urlsplit(answer.headers.get("Location", "")).hostname
    assert host in (None, urlsplit(where.domain).hostname)
    assert "elsewhere" not in answer.headers.get("Location", "")


@pytest.mark.fact("A3.3", "A3.4")
@pytest.mark.parametrize(
    ("change", "error"),
    [({"code_challenge_method": "plain"}, "invalid_request"), ({"scope": "openid everything"}, "invalid_scope")],
)
def test_an_invalid_request_is_sent_back_with_the_error(where: Where, change: dict[str, str], error: str) -> None:
    location = authorize(where, **change).headers["Location"]
    assert location.startswith(where.redirect_uri)
    answer = parse_qs(urlsplit(location).query)
    assert (answer["error"], answer["state"]) == ([error], ["kept"])


@pytest.mark.fact("A3.5", "A3.6", "A3.7")
def test_the_token_endpoint_names_the_error(where: Where) -> None:
    secret = client_secret(where)
    code = {"grant_type": "authorization_code", "code": "none", "redirect_uri": where.redirect_uri}
    assert token(where, secret, **code, code_verifier="x" * 43) == (400, {"error": "invalid_grant"})
    assert token(where, "wrong", **code)[1]["error"] == "invalid_client"
    assert token(where, secret, grant_type="password")[1]["error"] == "unsupported_grant_type"


@pytest.mark.fact("A3.10")
def test_revoking_an_invalid_token_succeeds(where: Where) -> None:
    auth = (where.outputs["LoginClientId"], client_secret(where))
    answer = requests.post(f"{where.domain}/oauth2/revoke", data={"token": "none"}, auth=auth, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")


def issuer(where: Where) -> str:
    return f"https://{where.provider}"


def keys(where: Where) -> dict[str, Any]:
    base = where.endpoint_url or f"https://cognito-idp.{where.region}.amazonaws.com"
    address = f"{base}/{where.outputs['UserPoolId']}/.well-known/jwks.json"
    published = requests.get(address, timeout=60).json()["keys"]
    return {entry["kid"]: jwt.PyJWK(entry).key for entry in published}


@pytest.mark.fact("A3.1", "A3.8")
def test_an_id_token_names_its_audience_and_user(where: Where, first: Tenant) -> None:
    given = first.tokens.id_token
    head = jwt.get_unverified_header(given)
    assert head["alg"] == "RS256"
    claims = jwt.decode(
        given,
        keys(where)[head["kid"]],
        algorithms=["RS256"],
        audience=where.outputs["LoginClientId"],
        issuer=issuer(where),
    )
    assert claims["token_use"] == "id"
    assert {"sub", "auth_time", "exp", "iat", "jti", "origin_jti", "cognito:username"} <= claims.keys()
    assert claims["auth_time"] <= time.time() + 5


@pytest.mark.fact("A3.9")
def test_an_access_token_has_no_audience_and_another_key(where: Where, first: Tenant) -> None:
    given = first.tokens.access_token
    head = jwt.get_unverified_header(given)
    claims = jwt.decode(given, keys(where)[head["kid"]], algorithms=["RS256"], issuer=issuer(where))
    assert (claims["token_use"], claims["client_id"]) == ("access", where.outputs["LoginClientId"])
    assert "aud" not in claims
    assert head["kid"] != jwt.get_unverified_header(first.tokens.id_token)["kid"]


@pytest.mark.fact("A1.17", "A5.1")
def test_people_cannot_sign_themselves_up(where: Where) -> None:
    client_id, name = where.outputs["LoginClientId"], "x@example.com"
    digest = hmac.digest(client_secret(where).encode(), (name + client_id).encode(), "sha256")
    asked = {"ClientId": client_id, "Username": name, "Password": "Long-enough-1-2-3"}
    client = where.unsigned("cognito-idp")
    with pytest.raises(client.exceptions.NotAuthorizedException, match="SignUp is not permitted for this user pool"):
        client.sign_up(**asked, SecretHash=base64.b64encode(digest).decode())
