"""A page of another origin may read the answers of the APIs, but not the sign-in pages."""

import pytest
import requests

from tests.emulator.world import Stack

ORIGIN = {"Origin": "https://elsewhere.example"}
JSON = "application/x-amz-json-1.1"


def post(stack: Stack, target: str, **headers: str) -> requests.Response:
    return requests.post(
        stack.emulator.endpoint_url,
        headers={"X-Amz-Target": target, "Content-Type": JSON, **headers},
        data="{}",
        timeout=5,
    )


@pytest.mark.parametrize(
    "target",
    [
        "DynamoDB_20120810.Query",
        "AWSCognitoIdentityService.GetId",
        "AWSCognitoIdentityProviderService.InitiateAuth",
        "AWSCognitoIdentityProviderService.GetUser",
    ],
)
def test_another_origin_may_read_answers_and_refusals(stack: Stack, target: str) -> None:
    answer = post(stack, target, **ORIGIN)
    assert answer.status_code >= 400
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].lower()
    assert {"x-amzn-requestid", "x-amzn-errortype"} <= set(exposed.split(","))
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_without_an_origin_there_are_no_cors_headers(stack: Stack) -> None:
    answer = post(stack, "DynamoDB_20120810.Query")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/oauth2/token", "/oauth2/userInfo", "/eu-west-1_a/.well-known/jwks.json"])
def test_a_preflight_allows_the_requested_method_and_headers(stack: Stack, path: str) -> None:
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-amz-target,authorization,x-amz-security-token",
    }
    answer = requests.options(stack.emulator.endpoint_url + path, headers=asked, timeout=5)
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    assert answer.headers["Access-Control-Allow-Headers"] == asked["Access-Control-Request-Headers"]
    assert answer.headers["Access-Control-Max-Age"] == "172800"


def test_another_origin_may_read_tokens_and_keys(stack: Stack) -> None:
    base = stack.emulator.endpoint_url
    keys = requests.get(f"{base}/{stack.pool_id}/.well-known/jwks.json", headers=ORIGIN, timeout=5)
    token = requests.post(f"{base}/oauth2/token", data={}, headers=ORIGIN, timeout=5)
    assert [answer.headers["Access-Control-Allow-Origin"] for answer in (keys, token)] == ["*", "*"]


def test_another_origin_may_not_read_pages_and_switches(stack: Stack) -> None:
    for path in ("/login", "/oauth2/authorize", "/_emulator/calls", "/mailbox.json"):
        answer = requests.get(stack.emulator.endpoint_url + path, headers=ORIGIN, timeout=5, allow_redirects=False)
        assert "Access-Control-Allow-Origin" not in answer.headers
