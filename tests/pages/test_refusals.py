"""Every refusal has a page and a log line with the same request id, and neither holds a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from portal.demo.cast import ACME_OWNER, CastMember
from portal.demo.world import World
from tenants.aws import failures
from tenants.domain import errors
from tenants.models import SignIn
from tenants.pages.refusals import REFUSALS
from tenants.sign_in.wiring import sessions
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.log_lines import kept_lines

Browse = Callable[[CastMember], Browser]


def leaves(root: type[Exception]) -> Iterator[type[Exception]]:
    children = root.__subclasses__()
    for child in children:
        yield from leaves(child)
    if not children:
        yield root


def test_every_error_has_a_status_and_a_page() -> None:
    assert failures.CredentialsExpired in set(leaves(errors.PortalError))
    assert set(leaves(errors.PortalError)) - set(REFUSALS) == set()


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    with kept_lines() as lines:
        yield lambda: [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"code": "ProvisionedThroughputExceededException", "status": 400}, "very busy"),
        ({"code": "InternalServerError", "status": 500}, "not answering"),
        ({"drop": True}, "not answering"),
    ],
)
def test_a_failing_dynamodb_is_a_503_with_retry_after(
    browse_as: Browse, switches: Switches, fault: dict[str, Any], words: str
) -> None:
    browser = browse_as(ACME_OWNER)
    switches.fail("DynamoDB.Query", count=20, **fault)
    page = browser.get("/records/orders/")
    assert page.status_code == 503
    assert int(page["Retry-After"]) > 0
    assert words in page.content.decode()
    assert "Nothing was lost" in page.content.decode()
    assert page["X-Request-Id"] in page.content.decode()
    switches.mend()
    assert browser.get("/records/orders/").status_code == 200


@pytest.mark.parametrize("fault", [{"code": "TooManyRequestsException", "status": 400}, {"drop": True}])
def test_a_failing_identity_pool_is_a_503_and_keeps_the_session(
    portal: World, switches: Switches, fault: dict[str, Any]
) -> None:
    browser = Browser(portal).sign_in_only(ACME_OWNER)
    switches.fail("CognitoIdentity.GetId", count=20, **fault)
    assert browser.get("/records/orders/").status_code == 503
    switches.mend()
    assert browser.get("/records/orders/").status_code == 200


def test_a_denial_by_iam_has_a_page(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    switches.fail("DynamoDB.Query", code="AccessDeniedException", status=400, count=1)
    page = browser.get("/records/orders/")
    assert page.status_code == 403
    assert "AWS refused" in page.content.decode()


def test_a_misconfigured_identity_pool_is_logged_for_the_operators(
    portal: World, switches: Switches, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    browser = Browser(portal).sign_in_only(ACME_OWNER)
    switches.fail(
        "CognitoIdentity.GetCredentialsForIdentity",
        code="InvalidIdentityPoolConfigurationException", status=400, count=20,
    )  # fmt: skip
    page = browser.get("/records/orders/")
    assert page.status_code == 500
    line = next(line for line in log_lines() if line.get("refusal") == "Misconfigured")
    assert "InvalidIdentityPoolConfigurationException" in line["why"]
    assert line["request_id"] == page["X-Request-Id"]


def test_an_unknown_page_is_a_404_that_names_the_person(browse_as: Browse) -> None:
    page = browse_as(ACME_OWNER).get("/no/such/page/")
    assert page.status_code == 404
    assert "Ada Acme" in page.content.decode()
    assert page["X-Request-Id"] in page.content.decode()


def test_a_visitor_is_sent_to_sign_in_and_back(client: Client, portal: World) -> None:
    answer = Browser(portal).get("/records/orders/?prefix=a")
    assert answer.status_code == 302
    assert answer["Location"] == "/oidc/authenticate/?next=%2Frecords%2Forders%2F%3Fprefix%3Da"


@pytest.mark.parametrize(
    ("proxies", "hops", "given", "is_kept"),
    [
        (1, "192.0.2.1", "abc-12345678", True),
        (2, "192.0.2.1, 192.0.2.2", "abc-12345678", True),
        (0, "", "abc-12345678", False),
        (0, "192.0.2.1", "abc-12345678", False),
        (1, "", "abc-12345678", False),
        (1, "nonsense", "abc-12345678", False),
        (2, "192.0.2.1", "abc-12345678", False),
        (1, "192.0.2.1", "<script>", False),
        (1, "192.0.2.1", "a" * 65, False),
        (1, "192.0.2.1", "short", False),
        (1, "192.0.2.1", "", False),
    ],
)
def test_a_request_id_is_believed_from_trusted_proxies_only(
    portal: World, settings: Any, proxies: int, hops: str, given: str, is_kept: bool
) -> None:
    settings.TRUSTED_PROXIES = proxies
    answer = Browser(portal).get("/", headers={"X-Request-Id": given, "X-Forwarded-For": hops})
    assert (answer["X-Request-Id"] == given) is is_kept
    assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", answer["X-Request-Id"])


def test_log_lines_name_request_person_and_org_and_never_a_token(
    browser: Browser, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    browser.sign_in(ACME_OWNER, following="/records/orders/")
    held = sessions().tokens_of(SignIn.objects.get().id)
    browser.post("/oidc/logout/")
    lines = log_lines()
    page = next(line for line in lines if line.get("route") == "/records/<collection>/" and line.get("status") == 200)
    assert page["sub"]
    assert page["org"] == ACME_OWNER.org
    assert page["request_id"]
    everything = json.dumps(lines)
    for secret in (held.id_token, held.refresh_token, "eyJ", "ASIA", browser.world.password, "code="):
        assert secret not in everything


def test_an_unexpected_error_has_a_page_with_a_request_id_only(
    browse_as: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browse_as(ACME_OWNER)
    browser.raise_request_exception = False

    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("tenants.organisation.records.rows_of", explode)
    page = browser.get("/records/orders/")
    assert page.status_code == 500
    assert page["X-Request-Id"] in page.content.decode()
    assert "secret detail" not in page.content.decode()
