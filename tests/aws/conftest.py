"""Fixtures for the adapters against the emulator, signed as PortalRole like the portal's worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal.demo.world import World, portal_credentials
from tests.world.faults import Switches


@pytest.fixture
def switches(world: World) -> Iterator[Switches]:
    switches = Switches(world.emulator)
    switches.mend()
    switches.forget()
    yield switches
    switches.mend()


@pytest.fixture
def as_the_portal(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Puts PortalRole's credentials into the environment."""
    credentials = portal_credentials(world)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials.session_token)
    return world
