"""The portal on the world's stack, with the cast in its database, and people who browse it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
import requests
from django.core.cache import cache
from django.test import Client

from emulator.sign_in import fill_in
from portal.demo.cast import CastMember
from portal.demo.members import put_members_in_place
from portal.demo.world import World
from tenants.connections import forget_connections
from tests.switches import Switches


@pytest.fixture
def stack(world: World, settings: Any) -> World:
    """The settings as the stack's outputs have them, and nothing in the shared cache of an earlier test."""
    for name in ("AWS_REGION", "AWS_ENDPOINT_URL", "COGNITO_USER_POOL_ID", "COGNITO_DOMAIN",
                 "COGNITO_IDENTITY_POOL_ID", "RECORDS_TABLE", "TENANT_ROLE_ARN", "SUSPENSION_POLICY_ARN"):  # fmt: skip
        setattr(settings, name, world.settings[name])
    settings.OIDC_RP_CLIENT_ID = world.settings["COGNITO_CLIENT_ID"]
    settings.OIDC_RP_CLIENT_SECRET = world.settings["COGNITO_CLIENT_SECRET"]
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{settings.COGNITO_DOMAIN}/oauth2/authorize"
    settings.OIDC_OP_JWKS_ENDPOINT = (
        f"{settings.AWS_ENDPOINT_URL}/{settings.COGNITO_USER_POOL_ID}/.well-known/jwks.json"
    )
    cache.clear()
    return world


@pytest.fixture
def new_process(stack: World) -> Iterator[None]:
    """As if the portal had just been started: clients, keys and credentials are still to be had."""
    forget_connections()
    yield
    forget_connections()


@pytest.fixture
def portal(stack: World, db: None) -> World:
    put_members_in_place(stack.subs)
    return stack


@pytest.fixture
def switches(stack: World) -> Iterator[Switches]:
    switches = Switches(stack.emulator)
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

    def sign_in(self, member: CastMember, *, following: str = "/") -> Any:
        """From the portal's sign-in link to the page it leads to."""
        return self.get(self.callback_address(member, following=following), follow=True)

    def callback_address(self, member: CastMember, *, following: str = "/") -> str:
        """Where Cognito sends the browser back to, with its code; not visited yet."""
        start = self.get("/oidc/authenticate/", {"next": following})
        back = f"{self.world.portal_url}/oidc/callback/"
        page, address = start, start["Location"]
        while "Location" in page.headers:
            address = urljoin(address, page.headers["Location"])
            if address.startswith(back):
                # Cognito still knew this browser.
                return address.removeprefix(self.world.portal_url)
            page = self.pages.get(address, timeout=5, allow_redirects=False)
        answer = fill_in(self.pages, page, {"username": member.email, "password": self.world.password}, back)
        return f"/oidc/callback/?{urlencode(answer)}"


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
