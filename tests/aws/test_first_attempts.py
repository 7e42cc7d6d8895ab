"""Calls have the results, errors and retries that botocore gives them when it sends by itself."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tenants.aws import clients
from tenants.aws.raw_bodies import capture_bodies
from tenants.aws.signing import NoCredentialsBound, signing_as
from tenants.domain.credentials import Credentials
from tests.world.odd_server import ODD_ANSWERS, Answering, as_json, odd_server, tls_server, whole

PERSON = Credentials("ASIAPERSON", "secret", "token", 4e9)
ENDLESS = {"an endless body", "a bomb"}
# botocore takes a head that breaks off for an empty answer. Here it is a closed connection.
CUT_OFF = {"no HTTP"}
FOUND = {"Item": {"pk": {"S": "a"}, "data": {"B": "aGk="}}}
MakeClient = Callable[..., Any]


@pytest.fixture
def by_itself(monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Makes the same client as `client_of`, but botocore sends."""

    def make(url: str, *, hurried: bool = False) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(clients, "_send_attempts", lambda *_: None)
            return client_of(url, hurried=hurried)

    return make


def client_of(url: str, *, hurried: bool = False) -> Any:
    return clients.records_client(region="eu-west-1", endpoint_url=url, connections=2, hurried=hurried)


def result_of(client: Any) -> Any:
    """What a call returns or raises, without what differs from call to call."""
    try:
        with signing_as(PERSON):
            answer = client.get_item(TableName="t", Key={"pk": {"S": "a"}})
    except ClientError as error:
        return type(error).__name__, str(error), error.response
    except BotoCoreError as error:
        return type(error).__name__
    except Exception:  # noqa: BLE001 - botocore fails in its own way at an answer that is not an object
        return "a failure"
    # Without sense where there was an answer.
    answer["ResponseMetadata"].pop("MaxAttemptsReached", None)
    return answer


def in_turns(*answers: Answering) -> Answering:
    """An answer to each connection."""
    left = list(answers)
    return lambda connection: left.pop(0)(connection)


def refusal(code: str, status: int = 400) -> Answering:
    return as_json(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "No."}, status=status, x_amzn_RequestId="R"
    )


ANSWERS = {
    **{name: answering for name, answering in ODD_ANSWERS.items() if name not in ENDLESS | CUT_OFF},
    "an item": as_json(FOUND, x_amzn_RequestId="R", x_amz_crc32="1"),
    "no item": as_json({}),
    "an item in chunks": lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "denied": refusal("AccessDeniedException"),
    "throttled": refusal("ProvisionedThroughputExceededException"),
    "expired": refusal("ExpiredTokenException"),
    "an error with fields": refusal("TransactionCanceledException"),
    "an unknown error": refusal("NewException", 418),
}


@pytest.mark.parametrize("answering", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_means_what_it_means_to_botocore(by_itself: MakeClient, answering: Answering) -> None:
    with odd_server(answering) as server:
        assert result_of(client_of(server.url, hurried=True)) == result_of(by_itself(server.url, hurried=True))


RETRIED = {
    "two failures": [refusal("InternalServerError", 500), whole("", status=503), as_json(FOUND)],
    "throttled": [refusal("ThrottlingException"), as_json(FOUND)],
    "failures only": [refusal("InternalServerError", 500)] * 3,
    "a wrong checksum": [as_json(FOUND, x_amz_crc32="1"), as_json(FOUND)],
    "a closed connection": [lambda _: None, as_json(FOUND)],
    "a refusal is not retried": [refusal("AccessDeniedException")],
}


@pytest.mark.parametrize("answers", RETRIED.values(), ids=RETRIED)
def test_a_call_is_retried_as_botocore_retries_it(by_itself: MakeClient, answers: list[Answering]) -> None:
    sent = []
    for make in (client_of, by_itself):
        with odd_server(in_turns(*answers)) as server:
            sent.append((result_of(make(server.url)), [attempt_of(request) for request in server.seen]))
    assert sent[0] == sent[1]
    assert len(sent[0][1]) == len(answers)


def attempt_of(request: bytes) -> str:
    named = re.search(rb"amz-sdk-request: (?:ttl=[^;]+; )?([^\r]+)", request)
    return named[1].decode() if named else ""


def test_a_silent_server_is_given_up_after_the_same_attempts(by_itself: MakeClient) -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1)

    for make in (client_of, by_itself):
        with odd_server(silent) as server:
            assert result_of(make(server.url, hurried=True)) == "ReadTimeoutError"
            assert len(server.seen) == 1


def test_the_same_is_sent(by_itself: MakeClient) -> None:
    with odd_server(as_json(FOUND)) as server:
        for client in (client_of(server.url), by_itself(server.url)):
            result_of(client)
        quick, slow = (_parts_of(request) for request in server.seen)
    assert quick == slow


def _parts_of(request: bytes) -> tuple[dict[str, str], bytes]:
    """The headers, and the body. Values that differ from call to call are only named."""
    head, _, body = request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    by_name = {name.lower(): value for name, value in headers.items()}
    by_name["authorization"] = re.sub(r"Signature=\w{64}", "Signature=…", by_name["authorization"])
    for name in ("x-amz-date", "amz-sdk-invocation-id"):
        assert by_name.pop(name)
    return by_name, body


def test_retries_have_the_id_of_the_first_attempt() -> None:
    with odd_server(in_turns(whole("", status=500), as_json(FOUND))) as server:
        result_of(client_of(server.url))
        ids = {re.search(rb"invocation-id: ([\w-]+)", request)[1] for request in server.seen}  # type: ignore[index]
        assert (len(server.seen), len(ids)) == (2, 1)


@pytest.mark.parametrize("first", [as_json(FOUND), whole("{}", status=500)], ids=["at once", "retried"])
def test_bodies_are_captured(first: Answering) -> None:
    with odd_server(in_turns(first, as_json(FOUND))) as server, capture_bodies() as bodies:
        result_of(client_of(server.url))
    assert json.loads(bodies[-1]) == FOUND


def test_nothing_is_sent_without_credentials() -> None:
    with odd_server(as_json(FOUND)) as server:
        with pytest.raises(NoCredentialsBound):
            client_of(server.url).get_item(TableName="t", Key={"pk": {"S": "a"}})
        assert server.seen == []


def test_parameters_are_checked_before_anything_is_sent(by_itself: MakeClient) -> None:
    with odd_server(as_json(FOUND)) as server:
        for client in (client_of(server.url), by_itself(server.url)):
            with signing_as(PERSON), pytest.raises(Exception, match="Missing required parameter"):
                client.get_item(TableName="t")
        assert server.seen == []


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_authorities_of_the_environment_are_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with tls_server(certificate, as_json(FOUND)) as server:
        assert result_of(client_of(server.url, hurried=True)) == "SSLError"
        monkeypatch.setenv(variable, str(certificate))
        assert result_of(client_of(server.url))["Item"]["data"] == {"B": b"hi"}


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with odd_server(as_json(FOUND)) as server:
        monkeypatch.setenv("http_proxy", server.url)
        yield server


def test_a_proxy_of_the_environment_is_used(proxy: Any) -> None:
    assert "Item" in result_of(client_of("http://dynamodb.invalid"))
    assert proxy.seen[0].startswith(b"POST http://dynamodb.invalid/ ")


def test_an_address_with_a_path_keeps_it() -> None:
    with odd_server(as_json(FOUND)) as server:
        result_of(client_of(f"{server.url}/below"))
        assert server.seen[0].startswith(b"POST /below HTTP/1.1")


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1", "us-gov-west-1"])
def test_aws_itself_has_the_address_that_calls_are_for(region: str) -> None:
    client = clients.records_client(region=region, endpoint_url=None, connections=1)
    asked: list[str] = []

    def answer(params: Any, **_: Any) -> tuple[Any, Any]:
        asked.append(params["url"])
        raise InterruptedError

    client.meta.events.register_first("before-call.dynamodb", answer)
    with pytest.raises(InterruptedError):
        client.get_item(TableName="t", Key={"pk": {"S": "a"}})
    assert asked == [f"{client.meta.endpoint_url}/"]
