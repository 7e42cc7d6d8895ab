"""Signs a person in without a browser, through the hosted pages, and exchanges the ID token for credentials.

For demo data and tests. It uses HTTP only and works against AWS too.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import boto3
import requests
from botocore import UNSIGNED
from botocore.config import Config

_TIMEOUT = 10
_HOPS = 5


class SignInFailed(Exception):
    """The person could not sign in. The message is the page's own, or says what was wrong with the answer."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens are not verified here."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials.

    `expiration` is in epoch seconds; `identity_id` is "" if they are not from an identity pool.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: float = 0.0
    identity_id: str = ""


def sign_in(*, domain: str, client_id: str, client_secret: str, redirect_uri: str, email: str, password: str) -> Tokens:
    """Runs the authorization code flow with PKCE and a nonce.

    `domain` is the address of the sign-in pages, with its scheme.

    Raises `SignInFailed`, also if the person must choose a new password first.
    """
    with requests.Session() as browser:
        verifier, nonce, state = (secrets.token_urlsafe(48) for _ in range(3))
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        page = browser.get(f"{domain}/oauth2/authorize", params=query, timeout=_TIMEOUT)
        answer = fill_in(browser, page, {"username": email, "password": password}, redirect_uri)
        if answer.get("state") != state or "code" not in answer:
            raise SignInFailed(f"The pages answered {answer.get('error', 'without a code')}.")
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        return _exchange(browser, f"{domain}/oauth2/token", (client_id, client_secret), form, nonce)


def credentials_for(
    *, endpoint_url: str, identity_pool_id: str, provider_name: str, id_token: str, region: str = "eu-west-1"
) -> Credentials:
    """Calls GetId and GetCredentialsForIdentity, unsigned. Raises botocore's ClientError if the pool refuses."""
    client = boto3.client(
        "cognito-identity", endpoint_url=endpoint_url, region_name=region, config=Config(signature_version=UNSIGNED)
    )
    logins = {provider_name: id_token}
    identity_id = client.get_id(IdentityPoolId=identity_pool_id, Logins=logins)["IdentityId"]
    given = client.get_credentials_for_identity(IdentityId=identity_id, Logins=logins)["Credentials"]
    return Credentials(
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretKey"],
        session_token=given["SessionToken"],
        expiration=given["Expiration"].timestamp(),
        identity_id=identity_id,
    )


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def fill_in(
    browser: requests.Session, page: requests.Response, typed: dict[str, str], redirect_uri: str
) -> dict[str, str]:
    """Submits the form of a page. Follows redirects until they reach the client's address, without requesting it."""
    form = _Form(page.text)
    if not set(typed) <= form.fields.keys():
        raise SignInFailed(form.error or "This is not a sign-in page.")
    action = urljoin(page.url, form.action)
    answer = browser.post(action, data={**form.fields, **typed}, allow_redirects=False, timeout=_TIMEOUT)
    for _ in range(_HOPS):
        location = answer.headers.get("Location")
        if location is None:
            raise SignInFailed(_Form(answer.text).error or "The pages ask for more than a password.")
        if location.startswith(redirect_uri):
            return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        answer = browser.get(urljoin(answer.url, location), allow_redirects=False, timeout=_TIMEOUT)
    raise SignInFailed("The pages redirect too many times.")


def _exchange(browser: requests.Session, url: str, client: tuple[str, str], form: dict[str, str], nonce: str) -> Tokens:
    answer = browser.post(url, data=form, auth=client, timeout=_TIMEOUT)
    if answer.status_code != requests.codes.ok:
        raise SignInFailed(f"The token endpoint answered {answer.status_code}: {answer.text}")
    tokens = answer.json()
    payload = tokens["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims.get("nonce") != nonce:
        raise SignInFailed("The ID token is not for this sign-in.")
    return Tokens(tokens["id_token"], tokens["access_token"], tokens["refresh_token"])


class _Form(HTMLParser):
    """The first form of a page: its address, its fields, and the page's alert if it has one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action, self.fields, self.error = "", dict[str, str](), ""
        self._in_alert = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_alert = self._in_alert or values.get("role") == "alert"
        if tag == "form" and not self.action:
            self.action = values.get("action", "")
        elif tag == "input" and "name" in values:
            self.fields[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._in_alert = self._in_alert and tag != "div"

    def handle_data(self, data: str) -> None:
        if self._in_alert:
            self.error = f"{self.error} {data.strip()}".strip()
