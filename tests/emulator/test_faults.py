"""Faults on demand, one switch each, and a clock that can be moved. Each is over when its test is."""

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
def own() -> Iterator[Emulator]:
    """Not the other tests': a fault for every operation, or another hour, would be theirs too."""
    with start() as running:
        yield running


@pytest.fixture(scope="module")
def own_stack(own: Emulator) -> Stack:
    stack = build(own, name="portal")
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


def refused(stack: Stack) -> dict[str, Any]:
    return refusal(stack.dynamodb(ACME_OWNER).get_item, TableName=stack.table, Key=key(ACME))


def fails(stack: Stack, times: int) -> list[bool]:
    def code() -> str:
        try:
            read(stack)
        except ClientError as failure:
            return str(failure.response["Error"]["Code"])
        return ""

    codes = [code() for _ in range(times)]
    assert set(codes) <= {"", "ThrottlingException"}
    return [bool(found) for found in codes]


def test_throttling_by_count(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="throttling", count=2)
    assert fails(world, 4) == [True, True, False, False]


def test_throttling_by_rate_is_spread_evenly_and_lasts_until_it_is_switched_off(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="throttling", rate=0.25)
    assert fails(world, 12) == [False, False, False, True] * 3
    control(world, "DELETE", "faults")
    assert not any(fails(world, 4))


def test_a_rate_can_end_after_a_count(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="throttling", rate=0.5, count=2)
    assert fails(world, 8) == [False, True, False, True, False, False, False, False]


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
def test_each_service_words_it_as_its_own(
    world: Stack, service: str, method: str, parameters: dict[str, Any], throttled: Any, broken: Any
) -> None:
    ask = getattr(world.root(service), method)
    for fault, wanted in (("throttling", throttled), ("server-error", broken)):
        switch_on(world, "*", fault=fault)
        error = refusal(ask, **parameters)
        assert (error["code"], error["status"]) == wanted
    assert ask(**parameters)


def test_the_closest_switch_counts(world: Stack) -> None:
    switch_on(world, "*", fault="server-error", rate=1)
    switch_on(world, "DynamoDB.*", fault="throttling", rate=1)
    switch_on(world, "DynamoDB.GetItem", code="Peculiar", message="Indeed.", status=418)
    assert refused(world) == {"code": "Peculiar", "message": "Indeed.", "status": 418}
    switch_on(world, "DynamoDB.GetItem", fault="latency", delay_seconds=0.01)
    assert read(world)["Item"]
    assert refusal(world.root("dynamodb").list_tables)["code"] == "ThrottlingException"
    assert refusal(world.root("iam").list_roles)["status"] == 500


def test_latency(world: Stack) -> None:
    switch_on(world, "DynamoDB.*", fault="latency", delay_seconds=0.2)
    started = time.monotonic()
    assert read(world)["Item"]
    assert time.monotonic() - started > 0.2


def test_dropped_connections(world: Stack) -> None:
    switch_on(world, "DynamoDB.GetItem", fault="dropped-connection")
    with pytest.raises(BotoCoreError):
        read(world)
    assert read(world)["Item"]


def test_expired_credentials(world: Stack) -> None:
    token = world.tokens(ACME_OWNER).id_token
    switch_on(world, "*", fault="expired-credentials", rate=1)
    assert refused(world) == {
        "code": "ExpiredTokenException",
        "message": "The security token included in the request is expired",
        "status": 400,
    }
    assert refusal(world.root("sts").get_caller_identity)["code"] == "ExpiredToken"
    assert call(world, world.credentials(ACME_OWNER), f"/{ACME}/profile")[0] == 403
    # Nobody signs these.
    assert world.exchange(token).access_key_id


def test_the_sign_in_domain_and_the_http_api_fail_too(world: Stack) -> None:
    token = f"{world.emulator.endpoint_url}/oauth2/token"
    switch_on(world, "*", fault="throttling", rate=1)
    assert requests.post(token, data={}, timeout=5).status_code == 429
    assert call(world, world.credentials(ACME_OWNER), f"/{ACME}/profile") == (429, {"message": "Too Many Requests"})
    switch_on(world, "*", fault="server-error", rate=1)
    assert requests.post(token, data={}, timeout=5).json() == {"error": "server_error"}
    assert call(world, world.credentials(ACME_OWNER), f"/{ACME}/profile") == (500, {"message": "Internal Server Error"})


def test_a_fault_changes_nothing_but_the_answer(world: Stack) -> None:
    switch_on(world, "DynamoDB.PutItem", fault="server-error")
    put = world.dynamodb(ACME_OWNER).put_item
    assert refusal(put, TableName=world.table, Item=row(ACME, "not there"))["status"] == 500
    found = world.dynamodb(ACME_OWNER).get_item(TableName=world.table, Key=key(ACME, "not there"))
    assert "Item" not in found


def test_what_is_switched_on_can_be_seen(world: Stack) -> None:
    assert control(world, "GET", "faults").json() == []
    switch_on(world, "DynamoDB.GetItem", fault="throttling", count=3)
    (seen,) = control(world, "GET", "faults").json()
    assert (seen["operation"], seen["fault"], seen["count"], seen["rate"]) == ("DynamoDB.GetItem", "throttling", 3, 1.0)
    fails(world, 3)
    assert control(world, "GET", "faults").json() == []


@pytest.mark.parametrize(
    "fault",
    [
        {}, [], "everything", {"operation": "*", "fault": "gremlins"}, {"operation": "*", "rate": 0},
        {"operation": "*", "rate": 1.5}, {"operation": "*", "rate": True}, {"operation": "*", "count": -1},
        {"operation": "*", "fault": "latency"}, {"operation": "*", "delay_seconds": -1}, {"operation": "*", "drop": 1},
    ],
)  # fmt: skip
def test_a_switch_that_is_not_understood_is_not_switched(world: Stack, fault: Any) -> None:
    assert control(world, "POST", "faults", fault).status_code == 400
    assert control(world, "GET", "faults").json() == []


@pytest.mark.parametrize("what", ["faults", "clock", "calls"])
def test_only_the_root_secret_switches(world: Stack, what: str) -> None:
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
    assert refused(world)["code"] == "ExpiredTokenException"
    with pytest.raises(Exception, match="Token expired"):
        world.exchange(tokens.id_token)
    # Who signs in now gets what is good now.
    fresh = world.tokens(ACME_OWNER)
    assert claims(fresh.id_token)["iat"] > time.time() + 3600
    db = client(world.emulator, "dynamodb", world.exchange(fresh.id_token))
    assert db.get_item(TableName=world.table, Key=key(ACME))["Item"]
    control(world, "DELETE", "clock")
    assert read(world)["Item"]


def test_a_clock_that_is_wrong_by_a_lot_refuses_signatures_if_that_is_asked_for(world: Stack) -> None:
    control(world, "POST", "clock", {"offset_seconds": -1200, "signatures": True})
    error = refused(world)
    assert error["code"] == "InvalidSignatureException"
    assert "Signature not yet current" in error["message"]
    control(world, "POST", "clock", {"offset_seconds": -600, "signatures": True})
    assert read(world)["Item"]


def test_the_clock_can_be_read_and_shows_in_the_date_of_an_answer(world: Stack) -> None:
    control(world, "POST", "clock", {"offset_seconds": 86400 * 365})
    seen = control(world, "GET", "clock")
    assert seen.json()["offset_seconds"] == 86400 * 365
    assert abs(seen.json()["now"] - time.time() - 86400 * 365) < 5
    assert time.strftime("%Y", time.gmtime(time.time() + 86400 * 365)) in seen.headers["Date"]


@pytest.mark.parametrize(
    "body", [{}, [], {"offset_seconds": "1"}, {"offset_seconds": True}, {"offset": 1}, {"offset_seconds": 1e300}]
)
def test_a_clock_is_moved_by_a_number_only(world: Stack, body: Any) -> None:
    assert control(world, "POST", "clock", body).status_code == 400
    assert control(world, "GET", "clock").json()["offset_seconds"] == 0
