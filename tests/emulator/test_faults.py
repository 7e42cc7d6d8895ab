"""Faults and a clock that tests can move. Each test resets them."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from emulator.client.process import Emulator, start
from tests.emulator.test_http_api import call
from tests.emulator.world import ACME, ACME_OWNER, Stack, build, claims, client, key, refusal, row


@pytest.fixture(scope="module")
def own_emulator() -> Iterator[Emulator]:
    """A separate emulator, so that faults and a moved clock do not affect other tests."""
    with start() as running:
        yield running


@pytest.fixture(scope="module")
def own_stack(own_emulator: Emulator) -> Stack:
    stack = build(own_emulator, name="portal")
    stack.credentials(ACME_OWNER)
    return stack


@pytest.fixture
def world(own_stack: Stack) -> Iterator[Stack]:
    yield own_stack
    for what in ("faults", "clock"):
        control(own_stack, "DELETE", what)


def control(stack: Stack, method: str, what: str, body: Any = None, *, secret: str | None = None) -> requests.Response:
    headers = {"X-Emulator-Root-Secret": stack.emulator.root.secret_access_key if secret is None else secret}
    return requests.request(
        method, f"{stack.emulator.endpoint_url}/_emulator/{what}", headers=headers, json=body, timeout=10
    )


def switch_on(stack: Stack, operation: str, **fault: Any) -> None:
    answer = control(stack, "POST", "faults", {"operation": operation, **fault})
    assert (answer.status_code, answer.text) == (204, "")


def read(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.dynamodb(ACME_OWNER).get_item(TableName=stack.table, Key=key(ACME))
    return found


def read_error(stack: Stack) -> dict[str, Any]:
    return refusal(stack.dynamodb(ACME_OWNER).get_item, TableName=stack.table, Key=key(ACME))


def failures(stack: Stack, times: int) -> list[bool]:
    def code() -> str:
        try:
            read(stack)
        except ClientError as failure:
            return str(failure.response["Error"]["Code"])
        return ""

    codes = [code() for _ in range(times)]
    assert set(codes) <= {"", "ThrottlingException"}
    return [bool(found) for found in codes]


def test_throttling_by_count_stops_after_the_count(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="throttling", count=2)
    assert failures(world, 4) == [True, True, False, False]


def test_throttling_by_rate_is_even_and_lasts_until_switched_off(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="throttling", rate=0.25)
    assert failures(world, 12) == [False, False, False, True] * 3
    control(world, "DELETE", "faults")
    assert not any(failures(world, 4))


def test_a_rate_can_stop_after_a_count(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="throttling", rate=0.5, count=2)
    assert failures(world, 8) == [False, True, False, True, False, False, False, False]


@pytest.mark.parametrize(
    ("service", "method", "parameters", "throttled", "broken"),
    [
        ("dynamodb", "list_tables", {}, ("ThrottlingException", 400), ("InternalServerError", 500)),
        ("cognito-idp", "list_user_pools", {"MaxResults": 1}, ("TooManyRequestsException", 400),
         ("InternalErrorException", 500)),
        ("cognito-identity", "list_identity_pools", {"MaxResults": 1}, ("TooManyRequestsException", 400),
         ("InternalErrorException", 500)),
        ("iam", "list_roles", {}, ("Throttling", 400), ("InternalFailure", 500)),
        ("sts", "get_caller_identity", {}, ("Throttling", 400), ("InternalFailure", 500)),
    ],
)  # fmt: skip
def test_each_service_words_a_fault_in_its_own_way(
    world: Stack, service: str, method: str, parameters: dict[str, Any], throttled: Any, broken: Any
) -> None:
    ask = getattr(world.root(service), method)
    for fault, wanted in (("throttling", throttled), ("server-error", broken)):
        switch_on(world, "*", fault=fault)
        error = refusal(ask, **parameters)
        assert (error["code"], error["status"]) == wanted
    assert ask(**parameters)


def test_the_most_specific_fault_applies(world: Stack) -> None:
    switch_on(world, "*", fault="server-error", rate=1)
    switch_on(world, "DynamoDB.*", fault="throttling", rate=1)
    switch_on(world, "DynamoDB.GetItem", code="Peculiar", message="Indeed.", status=418)
    assert read_error(world) == {"code": "Peculiar", "message": "Indeed.", "status": 418}
    switch_on(world, "DynamoDB.GetItem", fault="latency", delay_seconds=0.01)
    assert read(world)["Item"]
    assert refusal(world.root("dynamodb").list_tables)["code"] == "ThrottlingException"
    assert refusal(world.root("iam").list_roles)["status"] == 500


def test_a_latency_fault_delays_the_answer(world: Stack) -> None:
    switch_on(world, "DynamoDB.*", fault="latency", delay_seconds=0.2)
    started = time.monotonic()
    assert read(world)["Item"]
    assert time.monotonic() - started > 0.2


def test_a_dropped_connection_fault_closes_the_connection(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="dropped-connection")
    with pytest.raises(BotoCoreError):
        read(world)
    assert read(world)["Item"]


def test_an_expired_credentials_fault_affects_signed_calls_only(world: Stack) -> None:
    token = world.tokens(ACME_OWNER).id_token
    switch_on(world, "*", fault="expired-credentials", rate=1)
    assert read_error(world) == {
        "code": "ExpiredTokenException",
        "message": "The security token included in the request is expired",
        "status": 400,
    }
    assert refusal(world.root("sts").get_caller_identity)["code"] == "ExpiredToken"
    assert call(world, world.credentials(ACME_OWNER), f"/{ACME}/profile")[0] == 403
    # These calls are unsigned.
    assert world.exchange(token).access_key_id


def test_faults_affect_the_sign_in_domain_and_the_http_api(world: Stack) -> None:
    token = f"{world.emulator.endpoint_url}/oauth2/token"
    switch_on(world, "*", fault="throttling", rate=1)
    assert requests.post(token, data={}, timeout=5).status_code == 429
    assert call(world, world.credentials(ACME_OWNER), f"/{ACME}/profile") == (429, {"message": "Too Many Requests"})
    switch_on(world, "*", fault="server-error", rate=1)
    assert requests.post(token, data={}, timeout=5).json() == {"error": "server_error"}
    assert call(world, world.credentials(ACME_OWNER), f"/{ACME}/profile") == (500, {"message": "Internal Server Error"})


def test_a_faulty_write_changes_no_row(world: Stack) -> None:
    switch_on(world, "DynamoDB.PutItem", fault="server-error")
    put = world.dynamodb(ACME_OWNER).put_item
    assert refusal(put, TableName=world.table, Item=row(ACME, "not there"))["status"] == 500
    found = world.dynamodb(ACME_OWNER).get_item(TableName=world.table, Key=key(ACME, "not there"))
    assert "Item" not in found


def test_active_faults_can_be_listed(world: Stack) -> None:
    assert control(world, "GET", "faults").json() == []
    switch_on(world, "DynamoDB.GetItem", fault="throttling", count=3)
    (seen,) = control(world, "GET", "faults").json()
    assert (seen["operation"], seen["fault"], seen["count"], seen["rate"]) == ("DynamoDB.GetItem", "throttling", 3, 1.0)
    failures(world, 3)
    assert control(world, "GET", "faults").json() == []


@pytest.mark.parametrize(
    "fault",
    [
        {}, [], "everything", {"operation": "*", "fault": "gremlins"}, {"operation": "*", "rate": 0},
        {"operation": "*", "rate": 1.5}, {"operation": "*", "rate": True}, {"operation": "*", "count": -1},
        {"operation": "*", "fault": "latency"}, {"operation": "*", "delay_seconds": -1}, {"operation": "*", "drop": 1},
    ],
)  # fmt: skip
def test_a_malformed_fault_is_refused(world: Stack, fault: Any) -> None:
    assert control(world, "POST", "faults", fault).status_code == 400
    assert control(world, "GET", "faults").json() == []


@pytest.mark.parametrize("what", ["faults", "clock", "calls"])
def test_the_switches_need_the_root_secret(world: Stack, what: str) -> None:
    for secret in ("", "guessed", world.emulator.root.access_key_id):
        for method in ("GET", "POST", "DELETE"):
            assert (
                control(world, method, what, {"operation": "*", "offset_seconds": 1}, secret=secret).status_code == 403
            )


# ── The clock ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_hour_later_credentials_and_tokens_have_expired(world: Stack) -> None:
    tokens = world.tokens(ACME_OWNER)
    assert read(world)["Item"]
    assert control(world, "POST", "clock", {"offset_seconds": 3700}).status_code == 204
    assert read_error(world)["code"] == "ExpiredTokenException"
    with pytest.raises(Exception, match="Token expired"):
        world.exchange(tokens.id_token)
    # A new sign-in gets tokens that are valid at the new time.
    fresh = world.tokens(ACME_OWNER)
    assert claims(fresh.id_token)["iat"] > time.time() + 3600
    db = client(world.emulator, "dynamodb", world.exchange(fresh.id_token))
    assert db.get_item(TableName=world.table, Key=key(ACME))["Item"]
    control(world, "DELETE", "clock")
    assert read(world)["Item"]


def test_a_moved_clock_refuses_signatures_only_on_request(world: Stack) -> None:
    control(world, "POST", "clock", {"offset_seconds": -1200, "signatures": True})
    error = read_error(world)
    assert error["code"] == "InvalidSignatureException"
    assert "Signature not yet current" in error["message"]
    control(world, "POST", "clock", {"offset_seconds": -600, "signatures": True})
    assert read(world)["Item"]


def test_the_clock_can_be_read_and_sets_the_date_header(world: Stack) -> None:
    control(world, "POST", "clock", {"offset_seconds": 86400 * 365})
    seen = control(world, "GET", "clock")
    assert seen.json()["offset_seconds"] == 86400 * 365
    assert abs(seen.json()["now"] - time.time() - 86400 * 365) < 5
    assert time.strftime("%Y", time.gmtime(time.time() + 86400 * 365)) in seen.headers["Date"]


@pytest.mark.parametrize(
    "body", [{}, [], {"offset_seconds": "1"}, {"offset_seconds": True}, {"offset": 1}, {"offset_seconds": 1e300}]
)
def test_the_clock_accepts_only_a_number(world: Stack, body: Any) -> None:
    assert control(world, "POST", "clock", body).status_code == 400
    assert control(world, "GET", "clock").json()["offset_seconds"] == 0
