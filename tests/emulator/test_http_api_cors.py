"""Which pages may ask the HTTP API from a browser: those of the portal, as the template says."""

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from tests.emulator.world import ACME, ACME_OWNER, GLOBEX, REGION, TEMPLATE, Stack, build

PORTAL, ELSEWHERE = "http://localhost:8000", "https://elsewhere.example"
SIGNED = "authorization,x-amz-date,x-amz-security-token"
ALLOW = "Access-Control-Allow-Origin"


def preflight(stack: Stack, path: str, *, origin: str, method: str = "GET") -> requests.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": SIGNED}
    return requests.options(f"{stack.outputs['RecordsApiUrl']}{path}", headers=asked, timeout=5)


def get(stack: Stack, path: str, *, origin: str) -> requests.Response:
    request = AWSRequest("GET", f"{stack.outputs['RecordsApiUrl']}{path}", headers={"Origin": origin})
    given = stack.credentials(ACME_OWNER)
    keys = Keys(given.access_key_id, given.secret_access_key, given.session_token)
    SigV4Auth(keys, "execute-api", REGION).add_auth(request)
    return requests.get(request.url, headers=dict(request.headers), timeout=10)


def test_a_preflight_passes_from_the_portals_origin(stack: Stack) -> None:
    answer = preflight(stack, f"/{ACME}/profile", origin=PORTAL)
    assert (answer.status_code, answer.text, answer.headers[ALLOW]) == (204, "", PORTAL)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET"
    assert set(SIGNED.split(",")) <= set(answer.headers["Access-Control-Allow-Headers"].split(","))
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", "http://localhost:8000.evil.example", "http://localhost:80001"])
def test_a_preflight_from_elsewhere_allows_nothing(stack: Stack, origin: str) -> None:
    answer = preflight(stack, f"/{ACME}/profile", origin=origin)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_only_the_portals_pages_may_read_an_answer(stack: Stack) -> None:
    own, other = (get(stack, f"/{ACME}/profile", origin=origin) for origin in (PORTAL, ELSEWHERE))
    assert (own.status_code, own.headers[ALLOW]) == (200, PORTAL)
    assert (other.status_code, other.headers.get(ALLOW)) == (200, None)


def test_an_api_without_the_setting_says_nothing(emulator_without_cors: Stack) -> None:
    answer = preflight(emulator_without_cors, f"/{ACME}/profile", origin=PORTAL)
    assert (answer.status_code, answer.headers.get(ALLOW)) == (403, None)
    read = get(emulator_without_cors, f"/{ACME}/profile", origin=PORTAL)
    assert (read.status_code, read.headers.get(ALLOW)) == (200, None)


def test_a_preflight_needs_a_route_that_is_open(emulator_without_preflight: Stack) -> None:
    assert preflight(emulator_without_preflight, f"/{ACME}/profile", origin=PORTAL).status_code == 403
    assert preflight(emulator_without_preflight, f"/{GLOBEX}/profile", origin=PORTAL).status_code == 403


@pytest.fixture(scope="module")
def emulator_without_cors(stack: Stack) -> Stack:
    text = TEMPLATE.read_text("utf-8")
    start, end = text.index("      # Only pages of the portal may ask from a browser"), text.index("  RecordsApiStage:")
    return build(stack.emulator, name="nocors", template=text[:start] + "\n" + text[end:])


@pytest.fixture(scope="module")
def emulator_without_preflight(stack: Stack) -> Stack:
    text = TEMPLATE.read_text("utf-8")
    start, end = (
        text.index("  # A browser sends no credentials with its preflight"),
        text.index("  RecordsApiIntegration:"),
    )
    return build(stack.emulator, name="nopreflight", template=text[:start] + text[end:])
