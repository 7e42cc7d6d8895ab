"""Fixtures of the contract suite, and the meaning of its marks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.facts import confidences
from tests.contract.stacks import STACK, Tenant, Tokens, Where, on_aws, tokens_from_environment

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here to run on AWS as well, and skips tests of unknown facts."""
    for item in items:
        if item.path.parent != _HERE:
            continue
        item.add_marker(pytest.mark.aws)
        named = [str(fact) for mark in item.iter_markers("fact") for fact in mark.args]
        if any(confidences().get(fact) == "unknown" for fact in named):
            item.add_marker(pytest.mark.skip(reason=f"unknown fact: {', '.join(named)}"))


@pytest.fixture(scope="session")
def where(request: pytest.FixtureRequest) -> Where:
    if os.environ.get(STACK):
        return on_aws()
    world = request.getfixturevalue("world")
    root = world.emulator.root
    return Where(
        region=world.settings["AWS_REGION"],
        endpoint_url=world.emulator.endpoint_url,
        domain=world.settings["COGNITO_DOMAIN"],
        redirect_uri=f"{world.portal_url}/oidc/callback/",
        outputs=world.outputs,
        administrator={
            "aws_access_key_id": root.access_key_id,
            "aws_secret_access_key": root.secret_access_key,
        },
    )


def _tenant(request: pytest.FixtureRequest, where: Where, which: str) -> Tenant:
    if os.environ.get(STACK):
        return where.tenant(tokens_from_environment(which))
    from emulator.client.sign_in import sign_in
    from portal.demo import cast

    world = request.getfixturevalue("world")
    member = {"FIRST": cast.ACME_OWNER, "SECOND": cast.GLOBEX_OWNER}[which]
    given = sign_in(
        domain=where.domain,
        client_id=world.settings["COGNITO_CLIENT_ID"],
        client_secret=world.settings["COGNITO_CLIENT_SECRET"],
        redirect_uri=where.redirect_uri,
        email=member.email,
        password=world.password,
    )
    return where.tenant(Tokens(given.id_token, given.access_token))


@pytest.fixture(scope="module")
def first(request: pytest.FixtureRequest, where: Where) -> Tenant:
    return _tenant(request, where, "FIRST")


@pytest.fixture(scope="module")
def second(request: pytest.FixtureRequest, where: Where) -> Tenant:
    return _tenant(request, where, "SECOND")
