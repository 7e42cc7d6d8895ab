"""The portal on the world's stack, with the cast in its database, and people who browse it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import requests
from django.core.cache import cache
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

from emulator.client.sign_in import fill_in
from portal.demo.cast import OPERATOR, CastMember
from portal.demo.members import ensure_members
from portal.demo.world import World, portal_credentials
from tenants.domain.circuit import shared_cache
from tenants.domain.lately import forget_lately
from tenants.domain.once import forget_all
from tenants.lifecycle.wiring import reach
from tenants.provisioning.dispatcher import Tools
from tenants.provisioning.wiring import tools
from tests.world.closings import become_the_job
from tests.world.faults import Switches
from tests.world.pool import with_the_cast_only
from tests.world.stage import Stage


@pytest.fixture
def stack(world: World, settings: Any) -> World:
    """The settings are the stack's outputs, the shared cache is empty, and nobody was met yet."""
    for name in ("AWS_REGION", "AWS_ENDPOINT_URL", "COGNITO_USER_POOL_ID", "COGNITO_DOMAIN",
                 "COGNITO_BROWSER_CLIENT_ID", "COGNITO_IDENTITY_POOL_ID", "RECORDS_TABLE", "TENANT_ROLE_ARN",
                 "SUSPENSION_POLICY_ARN", "RECORDS_API_URL"):  # fmt: skip
        setattr(settings, name, world.settings[name])
    settings.RECORDS_KEYS = world.settings["RECORDS_KEYS"].split(",")
    settings.PUBLIC_READS = world.settings["PUBLIC_READS"] == "true"
    settings.OIDC_RP_CLIENT_ID = world.settings["COGNITO_CLIENT_ID"]
    settings.OIDC_RP_CLIENT_SECRET = world.settings["COGNITO_CLIENT_SECRET"]
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{settings.COGNITO_DOMAIN}/oauth2/authorize"
    settings.OIDC_OP_JWKS_ENDPOINT = (
        f"{settings.AWS_ENDPOINT_URL}/{settings.COGNITO_USER_POOL_ID}/.well-known/jwks.json"
    )
    cache.clear()
    forget_lately()
    return world


@pytest.fixture
def new_process(stack: World) -> Iterator[None]:
    """As if the portal had just been started: it has no clients, keys or credentials yet."""
    forget_all()
    yield
    forget_all()


@pytest.fixture(autouse=True)
def programs_start_anew() -> None:
    """A command in a test is like a new process: it makes its clients with the keys of the environment.

    It has not met a shared cache that fails either.
    """
    tools.forget()
    reach.forget()
    shared_cache.forget()


@pytest.fixture(autouse=True)
def copies_are_forgotten_in_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction around a test is never committed, so copies are forgotten at once there."""
    on_commit = BaseDatabaseWrapper.on_commit

    def at_once(self: BaseDatabaseWrapper, func: Any, robust: bool = False) -> None:
        around_the_test = self.atomic_blocks and self.atomic_blocks[0]._from_testcase
        if around_the_test and isinstance(func, partial) and func.func.__name__ == "delete_many":
            func()
        else:
            on_commit(self, func, robust)

    monkeypatch.setattr(BaseDatabaseWrapper, "on_commit", at_once)


@pytest.fixture
def portal(stack: World, db: None) -> World:
    ensure_members(stack.subs)
    return stack


@pytest.fixture
def switches(world: World) -> Iterator[Switches]:
    switches = Switches(world.emulator)
    switches.mend()
    switches.forget()
    yield switches
    switches.mend()


class Browser(Client):
    """A browser at the portal; `pages` is the same browser at Cognito's sign-in pages."""

    def __init__(self, world: World) -> None:
        super().__init__(headers={"host": "localhost:8000"})
        self.world = world
        self.pages = requests.Session()
        # Otherwise each request looks for proxies in the environment, which takes as long as the answer.
        self.pages.trust_env = False

    def sign_in(self, member: CastMember, *, following: str = "/") -> Any:
        """Follows the portal's sign-in link to the page after it."""
        return self.get(self.callback_address(member, following=following), follow=True)

    def sign_in_only(self, member: CastMember) -> Browser:
        """Opens no page after it: home would ask AWS for the person's credentials."""
        self.get(self.callback_address(member))
        return self

    def callback_address(self, member: CastMember, *, following: str = "/", **changed: str) -> str:
        """The address with a code that Cognito sends the browser back to. It is not opened yet.

        `changed` are parameters of the request to Cognito that are changed on the way.
        """
        start = self.get("/oidc/authenticate/", {"next": following})
        back = f"{self.world.portal_url}/oidc/callback/"
        start["Location"] = _with_parameters(start["Location"], changed)
        page, address = start, start["Location"]
        while "Location" in page.headers:
            address = urljoin(address, page.headers["Location"])
            if address.startswith(back):
                # Cognito still knew this browser.
                return address.removeprefix(self.world.portal_url)
            page = self.pages.get(address, timeout=60, allow_redirects=False)
        answer = fill_in(self.pages, page, {"username": member.email, "password": self.world.password}, back)
        return f"/oidc/callback/?{urlencode(answer)}"


def _with_parameters(address: str, changed: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **changed})).geturl()


@pytest.fixture
def browser(portal: World) -> Browser:
    return Browser(portal)


@pytest.fixture
def browse_as(portal: World) -> Callable[[CastMember], Browser]:
    """Somebody already signed in."""

    def signed_in(member: CastMember) -> Browser:
        browser = Browser(portal)
        assert browser.sign_in(member).status_code == 200
        return browser

    return signed_in


@pytest.fixture
def operator(browse_as: Callable[[CastMember], Browser]) -> Browser:
    return browse_as(OPERATOR)


@pytest.fixture(scope="session")
def worker_keys(world: World) -> dict[str, str]:
    """PortalRole's, by their names in the environment."""
    keys = portal_credentials(world)
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }


@pytest.fixture(scope="session")
def worker_tools() -> dict[str, Tools]:
    """Made once a run, because it takes longer than most tests."""
    return {}


@pytest.fixture
def stage(
    portal: World,
    switches: Switches,
    worker_keys: dict[str, str],
    worker_tools: dict[str, Tools],
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    """The worker's tools, with PortalRole's keys in the environment as the worker has them."""
    for name, value in worker_keys.items():
        monkeypatch.setenv(name, value)
    if not worker_tools:
        worker_tools["made"] = tools(threads=8)
    return Stage(portal, worker_tools["made"]).at_this_pace()


@pytest.fixture
def nobody_suspended_afterwards(stage: Stage) -> Iterator[None]:
    """The pool and the policy outlive a test."""
    yield
    stage.tools.policy.write([])
    pool, pool_id = stage.by_hand, stage.tools.directory.pool_id
    for email in stage.world.subs:
        pool.admin_enable_user(UserPoolId=pool_id, Username=email)


@pytest.fixture
def job(portal: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """The closing job's settings and its keys."""
    settings.CLOSING_ROLE_ARN = portal.settings["CLOSING_ROLE_ARN"]
    become_the_job(portal, monkeypatch)
    return portal


@pytest.fixture
def only_the_cast_in_the_pool(stage: Stage) -> Iterator[None]:
    with_the_cast_only(stage)
    yield
    with_the_cast_only(stage)


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute in which `tenants.limits` counts does not end during the test."""
    monkeypatch.setattr("tenants.limits.time", SimpleNamespace(time=lambda: 1_000_000_000))


@pytest.fixture
def domain() -> str:
    """For e-mail addresses. No other test has it: the pool outlives a test."""
    return f"{uuid.uuid4().hex[:12]}.example"
