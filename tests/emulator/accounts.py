"""Shared by the tests of accounts and triggers: signing up, reading mail, moving the clock."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from emulator.client.process import Emulator
from tests.emulator.browser import Browser
from tests.emulator.world import PASSWORD, Stack

WRONG_CODE = "Invalid verification code provided, please try again."


def address() -> str:
    return f"{secrets.token_hex(6)}@newcomer.example"


def mails(emulator: Emulator, to: str) -> list[dict[str, Any]]:
    """Newest first."""
    answer = requests.get(f"{emulator.endpoint_url}/mailbox.json", params={"to": to}, timeout=10)
    found: list[dict[str, Any]] = answer.json()["mails"]
    return found


def mailed_code(emulator: Emulator, to: str) -> str:
    found = re.search(r"\b\d{6}\b", mails(emulator, to)[0]["body"])
    assert found is not None
    return found[0]


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


@contextmanager
def later(emulator: Emulator, seconds: float) -> Iterator[None]:
    """Moves the emulator's clock ahead, but not for signatures."""
    where = f"{emulator.endpoint_url}/_emulator/clock"
    secret = {"x-emulator-root-secret": emulator.root.secret_access_key}
    requests.post(where, json={"offset_seconds": seconds}, headers=secret, timeout=10).raise_for_status()
    try:
        yield
    finally:
        requests.delete(where, headers=secret, timeout=10).raise_for_status()


def client_of(stack: Stack, **settings: Any) -> str:
    """A public client that signs in with a password through the API."""
    made = stack.root("cognito-idp").create_user_pool_client(
        UserPoolId=stack.pool_id,
        ClientName="api",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"],
        ReadAttributes=["email", "email_verified", "name", "custom:org", "custom:role"],
        WriteAttributes=["email", "name"],
        **settings,
    )
    return str(made["UserPoolClient"]["ClientId"])


def password_sign_in(api: Any, client_id: str, email: str, password: str = PASSWORD) -> dict[str, Any]:
    answer: dict[str, Any] = api.initiate_auth(
        ClientId=client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    return answer


def open_page(browser: Browser, path: str) -> requests.Response:
    """Opens a page of the sign-in domain with the client's request."""
    return browser.http.get(browser.url(path), params=browser.query(), timeout=10)


def sign_up(browser: Browser, email: str, password: str = PASSWORD) -> requests.Response:
    page = open_page(browser, "/signup")
    return browser.submit(page, username=email, password=password, confirm_password=password)
