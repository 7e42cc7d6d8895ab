"""What the shared cache keeps of a person."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache

from portal.demo.cast import ACME_OWNER
from tests.world.fixtures import Browser


class WithoutClasses(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name}")


def test_the_cache_gets_only_plain_values(browse_as: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch) -> None:
    """A class in the cache would keep processes of an earlier or later version from reading it."""
    kept: list[Any] = []
    monkeypatch.setattr(cache, "set", lambda _key, value, *_, **__: kept.append(value))
    browse_as(ACME_OWNER).get("/records/")
    assert ACME_OWNER.email in [value.get("email") for value in kept if isinstance(value, dict)]
    for value in kept:
        assert WithoutClasses(io.BytesIO(pickle.dumps(value))).load() == value
