"""Requests that are refused first: other hosts, unreadable requests, bodies that are not JSON objects."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from emulator.client.process import Emulator
from emulator.server import http
from emulator.wire import Incoming, Reply
from tests.emulator.world import Stack

IDP = "AWSCognitoIdentityProviderService"
IDENTITY = "AWSCognitoIdentityService"
HALF = "\\ud800"


def post(emulator: Emulator, target: str, body: str, **headers: str) -> tuple[int, str]:
    """Returns status and error code."""
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", **headers}
    answer = requests.post(emulator.endpoint_url, headers=headers, data=body, timeout=5)
    return answer.status_code, answer.json()["__type"].rpartition("#")[2]


def get(emulator: Emulator, path: str, host: str) -> requests.Response:
    return requests.get(emulator.endpoint_url + path, headers={"Host": host}, timeout=5)


def port_of(emulator: Emulator) -> int:
    port = urlsplit(emulator.endpoint_url).port
    assert port
    return port


def send_raw(port: int, text: str) -> bytes:
    """Returns everything that is received until the connection closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(text.encode())
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


# ── Bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "target", [f"{IDP}.InitiateAuth", f"{IDP}.ListUsers", f"{IDENTITY}.GetId", "DynamoDB_20120810.PutItem"]
)
@pytest.mark.parametrize(
    "body",
    [
        f'{{"ClientId": "{HALF}"}}',
        f'{{"{HALF}": "x"}}',
        f'{{"Unknown": [{{"deep": ["{HALF}"]}}]}}',
        f'{{"ClientMetadata": {{"{HALF}": "x"}}}}',
        "[]",
        '"text"',
        "null",
        "",
    ],
)
def test_json_services_refuse_half_characters_and_non_objects(emulator: Emulator, target: str, body: str) -> None:
    # A request without a signature would be refused before its body is read.
    assert post(emulator, target, body, Authorization="x") == (400, "SerializationException")


def test_a_whole_surrogate_pair_is_accepted(emulator: Emulator) -> None:
    body = '{"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "\\ud83d\\ude00", "AuthParameters": {}}'
    assert post(emulator, f"{IDP}.InitiateAuth", body)[1] != "SerializationException"


@pytest.mark.parametrize(
    ("target", "data"),
    [
        (f"{IDP}.InitiateAuth", {"ClientId": 5}),
        (f"{IDP}.InitiateAuth", {"AuthParameters": []}),
        (f"{IDP}.InitiateAuth", {"AuthParameters": {"USERNAME": {}}}),
        (f"{IDP}.SignUp", {"UserAttributes": {"Name": "email"}}),
        (f"{IDP}.SignUp", {"UserAttributes": ["email"]}),
        (f"{IDP}.GetUser", {"AccessToken": True}),
        (f"{IDENTITY}.GetId", {"IdentityPoolId": ["x"]}),
        (f"{IDENTITY}.GetId", {"Logins": "x"}),
        (f"{IDENTITY}.GetCredentialsForIdentity", {"Logins": {"x": 1}}),
    ],
)
def test_cognito_refuses_a_member_of_the_wrong_type(emulator: Emulator, target: str, data: Any) -> None:
    assert post(emulator, target, json.dumps(data)) == (400, "SerializationException")


def test_cognito_ignores_null_and_unknown_members(stack: Stack) -> None:
    data = {"IdentityPoolId": stack.outputs["IdentityPoolId"], "Logins": None, "Other": 5}
    assert post(stack.emulator, f"{IDENTITY}.GetId", json.dumps(data)) == (400, "NotAuthorizedException")


# ── Hosts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/mailbox", "/mailbox.json", "/_emulator/calls", "/oauth2/authorize"])
@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example", "elsewhere.example:4566", "localhost.elsewhere.example", "notlocalhost", "localhost.",
        "127.0.0.2", "127.0.0.1.nip.io", "0.0.0.0", "[::]", "localhost:80@elsewhere.example", "localhost, x",
        "abcdefghij.execute-api.eu-west-1.amazonaws.com",
    ],
)  # fmt: skip
def test_another_host_is_refused_on_every_path(emulator: Emulator, host: str, path: str) -> None:
    answer = get(emulator, path, host)
    assert (answer.status_code, answer.text) == (421, "Only localhost is served here.\n")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:1", "LOCALHOST", "127.0.0.1", "127.0.0.1:4566", "[::1]:4566", "portal.localhost:80"],
)
def test_every_name_of_this_computer_is_served(emulator: Emulator, host: str) -> None:
    assert get(emulator, "/mailbox", host).status_code == 200


def test_a_request_without_a_host_is_refused(emulator: Emulator) -> None:
    assert send_raw(port_of(emulator), "GET /mailbox HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_the_discovery_document_ignores_the_requested_host(stack: Stack) -> None:
    path = f"/{stack.pool_id}/.well-known/openid-configuration"
    document = get(stack.emulator, path, "other.localhost:1").json()
    assert document["jwks_uri"] == f"{stack.emulator.endpoint_url}/{stack.pool_id}/.well-known/jwks.json"
    assert "other" not in json.dumps(document)


@pytest.mark.parametrize("path", ["/mailbox", "/mailbox.json", "/oauth2/token", "/_emulator/calls", "/login"])
def test_an_http_apis_host_serves_only_that_api(stack: Stack, path: str) -> None:
    api_id = stack.outputs["RecordsApiUrl"].rpartition("/")[2]
    for host in (f"{api_id}.execute-api.localhost", f"{api_id.upper()}.Execute-API.localhost:80"):
        answer = get(stack.emulator, path, host)
        assert answer.status_code in (403, 404)
        assert answer.json()["message"] in ("Forbidden", "Not Found")


def test_an_http_apis_host_serves_no_other_api(stack: Stack) -> None:
    api_id = stack.outputs["RecordsApiUrl"].rpartition("/")[2]
    answer = get(stack.emulator, f"/_apis/{api_id}/x/profile", "abcdefghij.execute-api.localhost")
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_body_lengths_are_refused_and_close_the_connection(emulator: Emulator) -> None:
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = send_raw(port_of(emulator), f"{head}0\r\n\r\nGET /mailbox HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()


def test_an_unfinished_request_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.3)
    with _server() as port:
        assert send_raw(port, "GET / HTTP/1.1\r\nHost: loc") == b""
        assert send_raw(port, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf") == b""


def test_each_request_of_a_connection_has_its_own_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.3)
    with _server() as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        for _ in range(3):
            threading.Event().wait(0.2)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"here"
        connection.close()


@contextmanager
def _server() -> Iterator[int]:
    """Runs the emulator's HTTP server with a trivial app, in a thread of this process."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    sockets = http.listen(0)

    async def app(_: Incoming) -> Reply:
        return Reply(200, b"here")

    thread = threading.Thread(target=loop.run_until_complete, args=(http.serve(app, sockets, stop),))
    thread.start()
    try:
        yield sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()
