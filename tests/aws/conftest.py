"""The adapters against the emulator, signed as PortalRole like the portal's worker."""

from __future__ import annotations

import pytest

from portal.demo.world import World


@pytest.fixture
def as_the_portal(world: World, worker_keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> World:
    """Puts PortalRole's credentials into the environment."""
    for name, value in worker_keys.items():
        monkeypatch.setenv(name, value)
    return world
